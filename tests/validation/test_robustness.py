# SPDX-License-Identifier: Apache-2.0
"""Changes come back where they came from, breaks count whether noticed or not, and the page is what was recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from radiomicnet_md_validation import campaigns, perturbations, robustness, robustness_page
from radiomicnet_md_validation.asked import Answer, ask
from radiomicnet_md_validation.metrics import dice
from radiomicnet_md_validation.perturbations import KINDS, Kind

pytestmark = pytest.mark.verifies("SRS-PRF-010")
BY_NAME = {kind.name: kind for kind in KINDS}
NEUTRAL = {"speckle": 0, "gain": 0, "gamma": 1, "rotation": 0, "resampling": 1, "crop": 0, "bit depth": 8}


def image(seed: int = 0) -> np.ndarray:
    """Smooth grey levels (80, 100)."""
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).standard_normal((80, 100)), 4)
    return np.asarray(128 + 90 * noise / np.abs(noise).max(), dtype=np.uint8)


def disc(row: float = 38, column: float = 60, radius: float = 16) -> np.ndarray:
    rows, columns = np.mgrid[0:80, 0:100]
    return np.asarray(np.hypot(rows - row, columns - column) <= radius)


@pytest.mark.parametrize("name", NEUTRAL)
def test_nothing_is_changed_by_no_change(name: str) -> None:
    changed = BY_NAME[name].change(image(), NEUTRAL[name])
    assert (changed.image == image()).all()
    assert (changed.back(disc()) == disc()).all()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_mask_that_is_changed_as_the_image_was_comes_back(kind: Kind, seed: int) -> None:
    """The disc as a white image takes the same way; what lies outside the changed image cannot come back."""
    del seed
    for strength in kind.strengths:
        if kind.name in {"rotation", "resampling", "crop"}:
            changed = kind.change((disc() * 255).astype(np.uint8), strength)
            there = changed.image >= 128
            least = 0.95 if strength != 0.4 else 0.93
            assert dice(changed.back(there) & changed.seen, disc() & changed.seen) > least, strength
        else:
            changed = kind.change(image(), strength)
            assert changed.image.shape == image().shape
            assert (changed.back(disc()) == disc()).all()
            assert changed.seen.all()
        assert changed.image.dtype == np.uint8


@given(st.floats(-80, 80), st.integers(0, 9))
@settings(max_examples=20)
def test_gain_adds_and_stops_at_black_and_white(strength: float, seed: int) -> None:
    found = perturbations.gain(image(seed), strength).image
    assert (found == np.clip(np.rint(image(seed) + strength), 0, 255)).all()


@pytest.mark.parametrize("strength", [1, 2, 5, 7])
def test_bits_leave_so_many_levels_with_black_and_white(strength: int) -> None:
    found = perturbations.bits(np.arange(256, dtype=np.uint8)[None], strength).image
    assert len(np.unique(found)) == 2**strength
    assert (found[0, 0], found[0, -1]) == (0, 255)


def test_gamma_fixes_black_and_white_and_speckle_is_drawn_the_same_again() -> None:
    ends = perturbations.gamma(np.array([[0, 64, 255]], dtype=np.uint8), 2.0).image
    assert ends.tolist() == [[0, round(64**2 / 255), 255]]
    first, again = (perturbations.speckle(image(), 0.2).image for _ in range(2))
    assert (first == again).all()
    assert np.std(first / np.maximum(image(), 1)) == pytest.approx(0.2, abs=0.03)


def test_a_crop_compares_only_what_both_images_show() -> None:
    changed = perturbations.crop(image(), 25)
    assert changed.image.shape == (80, 75)
    first = Answer(None, disc(column=20))
    second = Answer(None, disc(column=20)[:, 25:])
    assert robustness.kept_dice(first, second, changed) == 1
    assert robustness.kept_dice(first, Answer(None, np.zeros((80, 75), dtype=np.bool_)), changed) == 0


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_each_kind_has_strengths_within_and_beyond_its_limits(kind: Kind) -> None:
    assert list(kind.strengths) == sorted(kind.strengths)
    assert {kind.declared(strength) for strength in kind.strengths} == {True, False}


def test_relative_changes_leave_out_what_was_zero_or_is_gone() -> None:
    found = robustness.relative_changes({"a": 2.0, "b": 0.0, "c": -4.0, "d": 1.0}, {"a": 3.0, "b": 1.0, "c": -3.0})
    assert found == {"a": 0.5, "c": 0.25}


def outcome(score: float, *, flagged: bool = False) -> dict[str, Any]:
    return {"refused": None, "flagged": flagged, "dice": score, "changes": {"a": score, "region: b": 0.5}}


def test_a_break_is_unnoticed_where_it_is_neither_refused_nor_flagged() -> None:
    found = robustness.summary(
        [outcome(0.95), outcome(0.1), outcome(0.2, flagged=True), {"refused": "E-GATE-UNFAMILIAR"}]
    )
    assert (found["n"], found["refused"], found["flagged"], found["broken"], found["unnoticed"]) == (4, 1, 1, 2, 1)
    assert found["codes"] == ["E-GATE-UNFAMILIAR"]
    assert found["mean"] == pytest.approx(1.25 / 3)
    assert found["changes"]["image"] == {"median": 0.2, "worst": "a", "of_worst": 0.2}
    assert found["changes"]["region"]["worst"] == "b"
    assert found["changes"]["lesion"]["median"] is None


def test_where_everything_is_refused_there_is_no_mean() -> None:
    found = robustness.summary([{"refused": "E-GATE-BLANK"}] * 2)
    assert (found["refused"], found["mean"], found["unnoticed"]) == (2, None, 0)
    kind = {"levels": [{"declared": True, **found}]}
    assert not robustness_page.holds(kind, 0.9)


def test_the_page_says_plainly_what_breaks_unnoticed() -> None:
    one = {"strength": 9, "declared": False, **robustness.summary([outcome(0.1), outcome(0.9)])}
    said = " ".join(robustness_page._unnoticed({"cases": ["a"], "kinds": {"crop": {"levels": [one]}}}))
    assert "**Known limit" in said
    assert "crop 9 (1 of 2)" in said
    mild = {**one, "unnoticed": 0}
    said = " ".join(robustness_page._unnoticed({"cases": ["a"] * 6, "kinds": {"crop": {"levels": [mild]}}}))
    assert "Known limit" not in said
    assert "up to 46% of images" in said  # 1 − 0.025^(1/6)


def test_the_shipped_gate_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the gate refuses before the network runs is refused here too, with its code."""
    assert ask(np.full((128, 128), 7, dtype=np.uint8)).refused == "E-GATE-CONSTANT"
    assert ask(image()[:40, :40]).refused == "E-GATE-SIZE"
    white = np.full((128, 128), 255, dtype=np.uint8)
    white[:64] = np.arange(128, dtype=np.uint8)
    assert ask(white).refused == "E-GATE-SATURATED"
    monkeypatch.delenv("RADIOMICNET_MD_DATA", raising=False)
    assert list(robustness.cases(1)) == ["phantom 0"]


def test_page_and_picture_are_what_was_recorded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    campaign = robustness.CAMPAIGN
    found = campaign.read()
    page = campaign.page_file.read_text(encoding="utf-8")
    assert page == campaign.page(found)
    assert campaign.picture_file.read_bytes() == campaigns.drawn(campaign, found)
    assert campaigns.STAMP in page
    assert {name: [one["strength"] for one in kind["levels"]] for name, kind in found["kinds"].items()} == {
        kind.name: list(kind.strengths) for kind in KINDS
    }
    broken = sum(one["unnoticed"] for kind in found["kinds"].values() for one in kind["levels"])
    assert ("**Known limit" in page) == (broken > 0)

# SPDX-License-Identifier: Apache-2.0
"""Region tables answer a fold without having seen it, answer enough lesions, and say what the machine says."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.decision import SCORE_BITS
from radiomicnet_md.engine import decide
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics.region_definitions import GROUPS, VALUE_NAMES
from radiomicnet_md_training import region
from radiomicnet_md_training.proposals import NAMES, NETWORK_NAMES, Proposals
from radiomicnet_md_training.recipe import Region
from radiomicnet_md_validation.metrics import dice

SETTINGS = Region(bins=8, bags=1, rounds=20, rate=0.2, seed=1, sensitivity=0.9)
NAMED = region.SETS[region.NAMED_ONLY]


def made(case: int, fold: int, *, lesion: bool = True, candidates: int = 4) -> Proposals:
    """Disjoint strips as candidates, one of them about the lesion; some values tell which, some are noise."""
    random = np.random.default_rng(case)
    pixels = np.zeros((candidates, 8, 24), dtype=np.bool_)
    for i in range(candidates):
        pixels[i, 1:7, 6 * i : 6 * i + 4] = True
    truth = np.zeros((8, 24), dtype=np.bool_)
    if lesion:
        column = 6 * int(random.integers(4)) + int(random.integers(2))
        truth[1:7, column : column + 4] = True
    values = random.integers(0, 50, (candidates, len(NAMES)))
    quality = np.array([dice(one, truth) for one in pixels])
    values[:, :4] += (100 * quality[:, None]).astype(int)
    values[:, NAMES.index("intensity step")] -= (40 * quality).astype(int)  # against what is known beforehand
    values[:, NAMES.index("at the image border")] += (40 * quality).astype(int)
    fixed = np.zeros_like(truth)
    return Proposals(case, fold, values, np.full(candidates, -1), quality, pixels, truth, fixed, 0.0, 0.0)


@pytest.fixture(scope="module")
def proposals() -> list[Proposals]:
    """Thirty-six images in four folds; every third is normal, every ninth has no candidate."""
    return [made(i, i % 4, lesion=i % 3 != 2, candidates=0 if i % 9 == 4 else 4) for i in range(36)]


@pytest.fixture(scope="module")
def fitted(proposals: list[Proposals]) -> region.Fit:
    """Tables of the named values."""
    pytest.importorskip("interpret.glassbox", reason="absent: interpret-core")
    return region.fit(proposals, SETTINGS, NAMED)


@pytest.mark.verifies("SRS-MOD-004")
def test_every_case_is_answered_also_one_without_a_candidate(fitted: region.Fit, proposals: list[Proposals]) -> None:
    assert sorted(fitted.answers) == sorted(fitted.best) == list(range(36))
    for p in proposals:
        assert fitted.answers[p.case].shape == p.truth.shape
        if not len(p.dice):
            assert not fitted.answers[p.case].any()
    assert any(mask.any() for mask in fitted.answers.values())


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("fold", [0, 3])
def test_a_folds_answers_do_not_change_with_its_truth(
    fold: int, fitted: region.Fit, proposals: list[Proposals]
) -> None:
    altered = [dataclasses.replace(p, dice=1 - p.dice, truth=~p.truth) if p.fold == fold else p for p in proposals]
    again = region.fit(altered, SETTINGS, NAMED)
    for p in proposals:
        if p.fold == fold:
            assert again.best[p.case] == fitted.best[p.case]
            assert np.array_equal(again.answers[p.case], fitted.answers[p.case])
    assert again.tables != fitted.tables  # the release's tables are fitted to all folds


@pytest.mark.verifies("SRS-MOD-011")
def test_a_fold_is_answered_by_tables_that_others_made(fitted: region.Fit, proposals: list[Proposals]) -> None:
    altered = [dataclasses.replace(p, dice=1 - p.dice) if p.fold != 0 else p for p in proposals]
    again = region.fit(altered, SETTINGS, NAMED)
    assert any(again.best[p.case] != fitted.best[p.case] for p in proposals if p.fold == 0 and len(p.dice))


@pytest.mark.verifies("SRS-MOD-004")
@given(st.lists(st.floats(-0.5, 1.2), min_size=1, max_size=40), st.integers(0, 4), st.floats(0.5, 0.99))
def test_the_offset_is_the_highest_that_answers_enough_lesions(best: list[float], silent: int, share: float) -> None:
    lesions = [made(case, 0) for case in range(len(best))]
    predicted = {p.case: np.array([value - 1, value]) for p, value in zip(lesions, best, strict=True)}
    lesions += [made(100 + i, 0, candidates=0) for i in range(silent)]  # missed at any offset
    normals = [made(200, 0, lesion=False)]
    predicted[200] = np.array([2.0])  # what normal images would like does not matter
    offset = region._offset([*lesions, *normals], predicted, share)

    def missed(at: float) -> int:
        return silent + sum(value <= at for value in best)

    allowed = int((1 - share) * len(lesions))
    assert missed(offset) <= max(allowed, silent)
    assert missed(offset + 1.001 * region.STEP) > allowed


@pytest.mark.verifies("SRS-MOD-008")
def test_integer_tables_say_what_the_machine_says(fitted: region.Fit, proposals: list[Proposals]) -> None:
    seen = [p for p in proposals if len(p.dice)]
    machine = region._machine(SETTINGS, seen, NAMED)
    values = np.concatenate([p.values[:, : len(VALUE_NAMES)] for p in seen])
    tables = decide.Tables.from_json(fitted.tables)
    scores = (tables.intercept + tables.read(values).sum(1)) / 2**SCORE_BITS
    columns = [VALUE_NAMES.index(name) for name in NAMED]
    wanted = machine.predict(values[:, columns].astype(float)) - fitted.offset
    assert scores == pytest.approx(wanted, abs=(len(NAMED) + 1) * 2.0 ** -(SCORE_BITS + 1))
    assert np.ptp(scores) > 0.1
    for term in fitted.tables["terms"].values():
        assert len(term["scores"]) == len(term["edges"]) + 1
        assert term["edges"] == sorted(set(term["edges"]))


def steps(tables: dict[str, Any], name: str) -> list[int]:
    """Differences between neighbouring scores in the direction that is known beforehand."""
    return (region.MONOTONE[name] * np.diff(tables["terms"][name]["scores"])).tolist()


@pytest.mark.verifies("SRS-MOD-008")
def test_tables_keep_to_the_direction_that_is_known_beforehand(
    fitted: region.Fit, proposals: list[Proposals], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in region.MONOTONE:
        assert min(steps(fitted.tables, name)) >= 0
    directions = dict(region.MONOTONE)
    with monkeypatch.context() as patch:
        patch.setattr(region, "MONOTONE", {})
        free = region.fit(proposals, SETTINGS, NAMED).tables
    assert directions == region.MONOTONE
    assert all(min(steps(free, name)) < 0 for name in ("intensity step", "at the image border"))


@pytest.mark.verifies("SRS-MOD-008")
def test_a_release_decides_with_named_values_alone() -> None:
    chosen = region.SETS[region.NAMED_ONLY]
    assert set(chosen) <= set(VALUE_NAMES)
    assert len(set(chosen)) == len(chosen) == 39
    assert set().union(*GROUPS.values()) == set(VALUE_NAMES)
    assert sum(map(len, GROUPS.values())) == len(VALUE_NAMES)
    assert not set(VALUE_NAMES) & set(NETWORK_NAMES)
    assert set(region.MONOTONE) <= set(VALUE_NAMES)


@pytest.mark.verifies("SRS-MOD-003")
@pytest.mark.parametrize("folds", [0, 1, 2])
def test_too_few_folds_with_candidates_are_refused(folds: int) -> None:
    few = [made(i, i % max(folds, 1), candidates=4 if folds else 0) for i in range(6)]
    none = [made(i, 9, candidates=0) for i in range(6, 9)]
    with pytest.raises(ConfigurationError, match="nothing to fit") as caught:
        region.fit([*few, *none], SETTINGS, NAMED)
    assert caught.value.code == "E-NO-CANDIDATES"


@pytest.mark.verifies("SRS-MOD-004")
@given(st.integers(0, 2**32), st.integers(0, 6), st.booleans())
def test_no_candidate_is_better_than_the_oracle(seed: int, count: int, lesion: bool) -> None:  # noqa: FBT001 - drawn
    random = np.random.default_rng(seed)
    pixels = random.random((count, 5, 7)) < random.random((count, 1, 1))
    pixels[:, 0, 0] = True  # a candidate is not empty
    truth = (random.random((5, 7)) < 0.3) & lesion
    scores = np.array([dice(one, truth) for one in pixels])
    p = dataclasses.replace(made(0, 0), pixels=pixels, truth=truth, dice=scores)
    best = dice(region.oracle(p), truth)
    assert all(best >= score for score in scores)
    assert best in {*scores.tolist(), dice(np.zeros_like(truth), truth)}

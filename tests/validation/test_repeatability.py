# SPDX-License-Identifier: Apache-2.0
"""The statistics of repeats are published figures and an analysis of variance; the page is what was recorded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from radiomicnet_md import phantom
from radiomicnet_md_validation import campaigns, repeatability
from radiomicnet_md_validation.asked import Answer

pytestmark = pytest.mark.verifies("SRS-RAD-014")

# Shrout and Fleiss 1979 (Psychol. Bull. 86:420), table 2: four judges rate six targets; table 4 gives ICC(2,1) = .29.
JUDGES = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float)
TABLES = arrays.arrays(
    np.float64, st.tuples(st.integers(3, 8), st.integers(2, 5)), elements=st.integers(-500, 500).map(float)
)


def anova(table: np.ndarray) -> tuple[float, float, float]:
    """Mean squares of rows, columns and error, by plain sums of squares (the textbook's two-way table)."""
    n, k = table.shape
    correction = table.sum() ** 2 / table.size
    rows = (table.sum(axis=1) ** 2).sum() / k - correction
    columns = (table.sum(axis=0) ** 2).sum() / n - correction
    error = (table**2).sum() - correction - rows - columns
    return rows / (n - 1), columns / (k - 1), error / ((n - 1) * (k - 1))


def test_the_icc_is_the_published_one() -> None:
    assert repeatability.icc(JUDGES) == pytest.approx(0.29, abs=0.005)


@given(TABLES)
def test_the_icc_follows_from_a_textbook_analysis_of_variance(table: np.ndarray) -> None:
    rows, columns, error = anova(table)
    n, k = table.shape
    whole = rows + (k - 1) * error + k * (columns - error) / n
    found = repeatability.icc(table)
    if whole <= 1e-6:
        assert found is None or abs(whole) <= 1e-6
    else:
        assert found == pytest.approx((rows - error) / whole, rel=1e-6, abs=1e-6)


@given(TABLES)
def test_the_square_of_the_spread_within_is_the_error_of_a_one_way_analysis(table: np.ndarray) -> None:
    """Scipy's F is the mean square between over that within."""
    between = table.shape[1] * table.mean(axis=1).var(ddof=1)
    within = repeatability.within_sd(table) ** 2
    if within > 0 and between > 0:
        assert between / within == pytest.approx(stats.f_oneway(*table).statistic, rel=1e-9)
    assert repeatability.repeatability_coefficient(table) == pytest.approx(2.77 * np.sqrt(within))


@given(st.floats(0.1, 9.0), st.integers(0, 99))
@settings(max_examples=20)
def test_the_spread_within_finds_the_spread_that_was_put_in(sigma: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    table = random.normal(100, 30, (4000, 1)) + random.normal(0, sigma, (4000, 3))
    assert repeatability.within_sd(table) == pytest.approx(sigma, rel=0.06)
    apart = np.abs(table[:, 0] - table[:, 1])
    assert (apart < repeatability.repeatability_coefficient(table)).mean() == pytest.approx(0.95, abs=0.02)


def test_repeats_that_agree_have_no_spread_and_a_shift_of_one_repeat_costs_agreement() -> None:
    same = np.repeat(np.arange(1.0, 6.0)[:, None], 3, axis=1)
    assert (repeatability.within_sd(same), repeatability.within_cv(same), repeatability.icc(same)) == (0, 0, 1)
    shifted = same + np.array([0.0, 1.0, 2.0])
    assert repeatability.icc(shifted) == pytest.approx(
        2.5 / (2.5 + 1.0)
    )  # variance of 1 … 5 over it and that of 0, 1, 2
    assert repeatability.icc(np.ones((4, 3))) is None


@pytest.mark.parametrize("table", [[[1.0, -1.0], [2.0, 2.0]], [[0.0, 1.0], [2.0, 2.0]]])
def test_a_value_that_changes_its_sign_has_no_cv(table: list[list[float]]) -> None:
    assert repeatability.within_cv(np.array(table)) is None
    assert repeatability.within_cv(-np.abs(np.array(table)) - 1) is not None


def test_a_subject_that_lost_a_repeat_is_left_out_and_few_subjects_give_nothing() -> None:
    whole = [{"a": 1.0, "b": 2.0}, {"a": 1.5, "b": 2.0}]
    found = repeatability.judged([whole, whole, whole, [{"a": 1.0}, {"a": 9.0, "b": 1.0}]])
    assert (found["a"]["n"], found["b"]["n"]) == (4, 3)
    assert found["b"]["wsd"] == 0
    assert repeatability.judged([whole, whole]) == {}


def test_the_same_breast_is_looked_at_with_other_speckle() -> None:
    first, again, other = (phantom.make(3, 96, 128, speckle=seed) for seed in (1, 1, 2))
    assert (first.pixels == again.pixels).all()
    assert (first.truth == other.truth).all()
    assert (first.pixels != other.pixels).mean() > 0.5
    same = np.corrcoef(first.pixels.ravel(), other.pixels.ravel())[0, 1]
    unlike = np.corrcoef(first.pixels.ravel(), phantom.make(4, 96, 128).pixels.ravel())[0, 1]
    assert same > unlike + 0.2


@pytest.mark.parametrize("condition", repeatability.CONDITIONS)
def test_every_condition_gives_repeats_of_one_size_and_the_same_ones_again(condition: str) -> None:
    image = phantom.make(2, 96, 128).pixels
    repeats = repeatability.CONDITIONS[condition](image, 2)
    assert len(repeats) == repeatability.REPEATS
    assert {one.shape for one in repeats} == {image.shape}
    assert len({one.tobytes() for one in repeats}) == repeatability.REPEATS
    assert all((a == b).all() for a, b in zip(repeats, repeatability.CONDITIONS[condition](image, 2), strict=True))


def test_the_outline_is_measured_one_pixel_smaller_and_larger() -> None:
    mask = np.zeros((40, 40), dtype=np.bool_)
    mask[10:20, 10:20] = True
    image = np.random.default_rng(0).integers(0, 255, (40, 40)).astype(np.uint8)
    repeats = repeatability.outlines(image, Answer(None, mask))
    assert [one["lesion: pixels"] for one in repeats] == [64, 100, 140]
    assert set(repeats[0]) <= set(repeatability.units())


def test_page_and_picture_are_what_was_recorded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    campaign = repeatability.CAMPAIGN
    found = campaign.read()
    page = campaign.page_file.read_text(encoding="utf-8")
    assert page == campaign.page(found)
    assert campaign.picture_file.read_bytes() == campaigns.drawn(campaign, found)
    assert campaigns.STAMP in page
    assert set(found["conditions"]) == {*repeatability.CONDITIONS, repeatability.OUTLINE}
    for one in found["conditions"].values():
        for name, value in one["values"].items():
            assert value["rc"] == pytest.approx(2.77 * value["wsd"], rel=1e-5), name
            steady = value["wcv"] is None or value["wcv"] <= repeatability.UNSTEADY
            assert steady or f"`{name}`" in page, name

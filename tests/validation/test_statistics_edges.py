# SPDX-License-Identifier: Apache-2.0
"""Intervals at their edges: ties to the last digit, samples on one side, nothing at all, and what an answer says."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr, ndtri

from radiomicnet_md_validation import sample_size, statistics
from radiomicnet_md_validation.statistics import (
    Inconclusive,
    Interval,
    Ranked,
    auc,
    bca,
    clopper_pearson,
    hodges_lehmann,
    mean,
    paired_difference,
    wilcoxon,
)

pytestmark = pytest.mark.verifies("SRS-MOD-006")

FEW = [0.1, 0.5, 0.3, 0.9]


# ------------------------------------------------------------------------------------------ what an answer says


def test_an_answer_says_how_many_cases_groups_and_which_level_it_is_of() -> None:
    found = bca([*FEW, 0.2, 0.2], ["a", "b", "c", "d", "e", "e"], level=0.9, resamples=200)
    assert isinstance(found, Interval), "five groups are enough"
    assert (found.n, found.clusters, found.level) == (6, 5, 0.9)
    too_few = bca([*FEW, 0.2], ["a", "b", "c", "d", "d"])
    assert too_few == Inconclusive(pytest.approx(0.4), 5, 4, "4 independent groups, fewer than 5")
    exact = clopper_pearson(3, 12, 0.9)
    assert isinstance(exact, Interval)
    assert (exact.point, exact.n, exact.clusters, exact.level) == (0.25, 12, 12, 0.9)
    pairs = hodges_lehmann(np.arange(14.0), np.zeros(14), [number // 2 for number in range(14)], 0.9)
    assert isinstance(pairs, Interval)
    assert (pairs.n, pairs.clusters, pairs.level) == (14, 7, 0.9)
    none = hodges_lehmann(FEW, np.zeros(4), ["a", "a", "b", "b"])
    assert none == Inconclusive(pytest.approx(0.45), 4, 2, "2 independent differences cannot reach a level of 0.95")


@pytest.mark.parametrize("level", [0, 1, 1.5, -0.5])
def test_a_level_lies_between_0_and_1(level: float) -> None:
    with pytest.raises(ValueError, match="level"):
        bca([*FEW, 0.2], level=level)
    with pytest.raises(ValueError, match="level"):
        clopper_pearson(1, 3, level)


def test_differences_and_areas_are_of_the_groups_level_and_seed_that_were_asked_for() -> None:
    rng = np.random.default_rng(4)
    first, second, labels = rng.random(30), rng.random(30), rng.integers(0, 2, 30)
    groups = [number // 3 for number in range(30)]
    asked = {"level": 0.8, "resamples": 300, "seed": 5}
    assert paired_difference(first, second, groups, **asked) == bca(first - second, groups, **asked)  # type: ignore[arg-type]
    area = auc(labels, first, groups, level=0.8, resamples=300, seed=5)
    assert isinstance(area, Interval)
    assert area.level == 0.8
    wide = auc(labels, first, groups, level=0.95, resamples=300, seed=5)
    assert isinstance(wide, Interval)
    assert wide.low < area.low < area.high < wide.high
    assert auc(labels, first, groups, level=0.8, resamples=300, seed=5) == area
    assert auc(labels, first, groups, level=0.8, resamples=300, seed=6) != area
    assert auc(labels, first, groups, level=0.8, resamples=400, seed=5) != area
    alone = auc(labels, first, level=0.8, resamples=300, seed=5)
    assert isinstance(alone, Interval)
    assert (area.clusters, alone.clusters) == (10, 30)


def test_an_area_counts_pairs_by_hand() -> None:
    """Of four pairs three are right and one is a tie; of one pair the one."""
    assert auc([0, 1, 0, 1], [0.1, 0.2, 0.2, 0.3]).point == 0.875
    assert auc([1, 0], [0.2, 0.1]).point == 1.0
    assert auc([0, 1, 1], [0.1, 0.1, 0.1]).point == 0.5


def test_as_many_samples_are_drawn_as_were_asked_for() -> None:
    asked: list[int] = []

    def counting(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
        asked.append(len(weights))
        return mean(values, weights)

    bca([*FEW, 0.2], statistic=counting, resamples=700)
    assert sum(asked) == 1 + 700 + 5, "the value itself, the samples, and each group left out"


# ------------------------------------------------------------------------------------------ what goes in


def test_yes_and_no_are_numbers() -> None:
    yes, no = [True, False, True], [False, False, True]
    assert wilcoxon(yes, no) == wilcoxon([1.0, 0.0, 1.0], [0.0, 0.0, 1.0])


def test_of_nothing_there_is_no_difference() -> None:
    assert wilcoxon([], [], []) == Ranked(0.0, 1.0, 0)


def test_differences_that_agree_to_twelve_digits_are_a_tie() -> None:
    assert wilcoxon([0.5 + 3e-13, 0.0], [0.0, 0.5]).statistic == 1.5
    assert wilcoxon([0.5 + 3e-12, 0.0], [0.0, 0.5]).statistic == 2


def test_values_come_in_one_row() -> None:
    square = np.arange(25.0).reshape(5, 5)
    with pytest.raises(ValueError, match="same cases"):
        paired_difference(square, square.T)
    for labels, scores in (([0, 1], [0.1]), ([[0, 1]], [[0.1, 0.2]])):
        with pytest.raises(ValueError, match="one 0 or 1"):
            auc(labels, scores)


# ------------------------------------------------------------------------------------------ the limits themselves


def limits(drawn: object, left_out: object, point: float) -> tuple[float, float] | str:
    return statistics._limits(np.array(drawn, dtype=float), np.array(left_out, dtype=float), point, 0.95)


def shifted(drawn: np.ndarray, share: float) -> tuple[float, float]:
    """The limits of samples of which this share lies below the value, without acceleration (Efron 1987, eq. 2.3)."""
    places = ndtr(2 * ndtri(share) + ndtri([0.025, 0.975]))
    low, high = np.quantile(drawn, places)
    return float(low), float(high)


EVEN = np.linspace(-1, 1, 101)


@pytest.mark.parametrize("left_out", [[3.0] * 5, [0.0, 0.0, 1e-12]])
def test_groups_that_change_nothing_when_left_out_give_no_acceleration(left_out: list[float]) -> None:
    assert limits(EVEN, left_out, 0.0) == pytest.approx(shifted(EVEN, 0.5))


def test_acceleration_is_a_sixth_of_the_skewness_of_the_jackknife() -> None:
    left_out = np.array([0.3, 0.2, 0.2, 0.1, -0.6])
    a = stats.skew(-left_out) / (6 * math.sqrt(5))
    z = ndtri([0.025, 0.975])
    assert limits(EVEN, left_out, 0.0) == pytest.approx(tuple(np.quantile(EVEN, ndtr(z / (1 - a * z)))))


@pytest.mark.parametrize(
    ("point", "near", "below"),
    [
        (0.0, -1e-12, 0.25),  # agrees with the value: half of these count as below
        (0.5, 0.5 - 0.9e-12, 0.25),
        (0.5, 0.5 - 1.5e-12, 0.5),
        (10.0, 10 - 5e-12, 0.25),  # to twelve digits of a value above 1
        (10.0, 10 - 2e-11, 0.5),
    ],
)
def test_samples_that_agree_with_the_value_count_half(point: float, near: float, below: float) -> None:
    drawn = np.concatenate([np.full(50, near), point + np.linspace(1, 2, 50)])
    assert limits(drawn, [1.0, 1.0], point) == pytest.approx(shifted(drawn, below), abs=1e-14)


@pytest.mark.parametrize(
    ("drawn", "left_out", "reason"),
    [
        ([0.0, math.nan, 1.0], [0.0, 1.0], "no such statistic"),
        ([-1.0, 0.5, 1.0], [0.0, math.nan], "no such statistic"),
        ([0.0, 1e-12], [0.0, 1.0], "same value"),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0, -1.0], "one side"),
        ([-1.0, -2.0, -3.0], [0.0, 0.0, 0.0, 1.0], "one side"),
        ([-1.0] * 100_000 + [1.0], [0.0] * 199 + [-1.0], "too skew"),
        ([-1.0] + [1.0] * 100_000, [0.0] * 199 + [1.0], "too skew"),
    ],
)
def test_where_there_are_no_limits_the_reason_is_told(drawn: object, left_out: object, reason: str) -> None:
    found = limits(drawn, left_out, 0.0)
    assert isinstance(found, str)
    assert reason in found


# ------------------------------------------------------------------------------------------ numbers of cases


def test_the_most_events_are_those_whose_bound_is_at_the_limit() -> None:
    """59 cases without an event are the fewest that show 5 % (1 − 0.05^(1/n)); a bound at the limit is within it."""
    assert sample_size.most_events(58, 0.05) is None
    assert sample_size.most_events(59, 0.05) == 0
    bound = clopper_pearson(2, 40, 0.90)
    assert isinstance(bound, Interval)
    assert sample_size.most_events(40, bound.high) == 2
    assert sample_size.most_events(5, 1.0) == 5
    assert sample_size.most_events(0, 0.05) is None

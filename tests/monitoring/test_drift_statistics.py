# SPDX-License-Identifier: Apache-2.0
"""Distances and probabilities are scipy's, published figures and enumeration; limits keep the alarms they declare."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from radiomicnet_md.monitoring import statistics

pytestmark = pytest.mark.verifies("SRS-MON-001")
SAMPLES = arrays.arrays(np.float64, st.integers(5, 60), elements=st.integers(-20, 20).map(float))
SHARES = st.floats(0.01, 0.4)


@given(st.lists(st.integers(0, 500), min_size=2, max_size=10), st.integers(0, 9))
def test_the_psi_is_both_divergences_and_zero_for_equals(counts: list[int], seed: int) -> None:
    first = statistics.shares(np.array(counts))
    second = statistics.shares(np.random.default_rng(seed).permutation(counts))
    assert first.sum() == pytest.approx(1)
    assert statistics.psi(first, first) == 0
    found = statistics.psi(first, second)
    assert found == pytest.approx(stats.entropy(first, second) + stats.entropy(second, first), abs=1e-9)
    assert found == pytest.approx(statistics.psi(second, first), abs=1e-12)


def test_the_psi_of_two_bins_is_the_one_by_hand() -> None:
    found = statistics.psi(np.array([0.5, 0.5]), np.array([0.6, 0.4]))
    assert found == pytest.approx(0.1 * math.log(1.2) - 0.1 * math.log(0.8))


@given(SAMPLES, SAMPLES)
def test_the_gap_and_its_probability_are_scipys(first: np.ndarray, second: np.ndarray) -> None:
    theirs = stats.ks_2samp(first, second, method="asymp")
    gap = statistics.largest_gap(first, second)
    assert gap == pytest.approx(theirs.statistic, abs=1e-12)
    larger, smaller = max(len(first), len(second)), min(len(first), len(second))
    expected = stats.kstwo.sf(gap, np.round(larger * smaller / (larger + smaller)))
    assert statistics.p_of_gap(gap, len(first), len(second)) == pytest.approx(expected)
    assert theirs.pvalue == pytest.approx(expected, rel=1e-9)


@given(SAMPLES, SAMPLES)
def test_a_gap_at_some_quantiles_is_no_more_than_the_whole(values: np.ndarray, reference: np.ndarray) -> None:
    places = np.unique(reference)
    levels = np.searchsorted(np.sort(reference), places, side="right") / len(reference)
    some = statistics.gap_at(values, places[::2], levels[::2])
    assert some <= statistics.largest_gap(values, reference) + 1e-12


@given(SAMPLES)
def test_every_value_falls_in_one_bin(values: np.ndarray) -> None:
    edges = np.unique(np.quantile(values, [0.25, 0.5, 0.75]))
    counts = statistics.binned(values, edges)
    assert len(counts) == len(edges) + 1
    assert counts.sum() == len(values)
    assert counts[0] == (values <= edges[0]).sum()


def test_the_rates_are_those_of_benjamini_and_hochberg() -> None:
    """Their 1995 paper's example of fifteen p-values: four are called at a rate of 0.05."""
    p = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert sum(rate <= 0.05 for rate in statistics.benjamini_hochberg(p)) == 4
    assert statistics.benjamini_hochberg([]) == []


def test_limits_of_shares_are_closed_forms() -> None:
    assert statistics.upper_limit(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert statistics.upper_limit(7, 7, 0.95) == 1
    for count in (1, 4, 6):  # so large a share shows no more than these with the probability that is left
        assert stats.binom.cdf(count, 7, statistics.upper_limit(count, 7, 0.95)) == pytest.approx(0.05)
    assert statistics.p_of_shares((3, 1), (1, 3)) == pytest.approx(34 / 70)  # the lady tasting tea, two-sided


@given(st.integers(5, 60), SHARES, st.floats(1e-4, 0.1))
@settings(max_examples=40)
def test_a_group_exceeds_its_limit_as_seldom_as_declared(size: int, share: float, alarm: float) -> None:
    most = statistics.most_expected(size, share, alarm)
    assert stats.binom.sf(most, size, share) <= alarm * (1 + 1e-9)
    assert most == 0 or stats.binom.sf(most - 1, size, share) > alarm * (1 - 1e-9)


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(2, 12))
def test_the_cumulative_sum_is_the_largest_sum_that_ends_here(refused: list[bool], heavy: int) -> None:
    steps = [heavy - 1 if one else -1 for one in refused]
    expected = [max(0, *(sum(steps[start : end + 1]) for start in range(end + 1))) for end in range(len(steps))]
    assert statistics.cusum(refused, heavy) == expected


@given(st.integers(2, 12), st.integers(2, 5), SHARES)
@settings(max_examples=30)
def test_the_chain_is_the_enumeration_of_all_histories(limit: int, heavy: int, share: float) -> None:
    cases = 9
    reached = 0.0
    for history in itertools.product([False, True], repeat=cases):
        if max(statistics.cusum(history, heavy)) >= limit:
            reached += share ** sum(history) * (1 - share) ** (cases - sum(history))
    assert statistics.p_of_reaching(limit, share, heavy, cases) == pytest.approx(reached, abs=1e-12)


@given(SHARES, st.integers(1, 60), st.floats(0.002, 0.05))
@example(0.01, 2, 0.05)
@settings(max_examples=15)
def test_the_decision_limit_is_the_smallest_that_keeps_the_declared_alarms(
    share: float, cases: int, alarm: float
) -> None:
    heavy = statistics.weight(share, 3.0)
    limit = statistics.decision_limit(share, heavy, cases, alarm)
    assert statistics.p_of_reaching(limit, share, heavy, cases) <= alarm
    assert limit == 1 or statistics.p_of_reaching(limit - 1, share, heavy, cases) > alarm


@pytest.mark.parametrize("limit", [3, 5, 6, 8, 12])
def test_alarms_that_are_just_as_many_as_declared_are_kept(limit: int) -> None:
    alarm = statistics.p_of_reaching(limit, 0.1, 3, 20)
    assert statistics.decision_limit(0.1, 3, 20, alarm) == limit


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.3])
def test_a_refusal_weighs_less_than_the_admissions_that_come_with_it_unchanged_and_more_with_raised_odds(
    share: float,
) -> None:
    heavy = statistics.weight(share, 3.0)
    raised = 3 * share / (1 + 2 * share)
    assert share * heavy < 1
    assert raised * heavy > 1


def test_a_refusal_weighs_no_less_than_two_admissions_or_it_would_be_no_step_up() -> None:
    assert statistics.weight(0.6, 3.0) == 2

# SPDX-License-Identifier: Apache-2.0
"""Intervals and tests against closed forms, enumeration, scipy and scikit-learn; groups count, nothing is NaN."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from radiomicnet_md_validation.statistics import (
    Inconclusive,
    Interval,
    auc,
    bca,
    clopper_pearson,
    hodges_lehmann,
    holm,
    mean,
    paired_difference,
    wilcoxon,
)

pytestmark = pytest.mark.verifies("SRS-MOD-006")

# Hamilton depression scale before and after a tranquilliser: Hollander & Wolfe 1973, table 3.1. Their figures: rank sum
# 40, two-sided p 0.0391, estimate 0.46, interval 0.010 … 0.786 (at 96.1 %, the first that reaches 95 %).
BEFORE = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
AFTER = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]


def sample(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).beta(5, 2, n)


def limits(answer: Interval | Inconclusive) -> tuple[float, float]:
    assert isinstance(answer, Interval), answer
    return answer.low, answer.high


def ratio(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Sum of the first column over the sum of the second."""
    sums = weights @ values
    return sums[:, 0] / sums[:, 1]


# ------------------------------------------------------------------------------------------ bootstrap


@pytest.mark.parametrize(("n", "level", "digits"), [(12, 0.9, 9), (90, 0.95, 9), (563, 0.99, 9), (40, 0.95, 0)])
def test_bca_of_clusters_of_one_is_scipys(n: int, level: float, digits: int) -> None:
    """From the same generator scipy 1.17 draws the same samples, so the limits agree to rounding; 0 and 1 tie often."""
    values = np.round(sample(n), digits)
    rng = np.random.Generator(np.random.PCG64(7))
    theirs = stats.bootstrap((values,), np.mean, n_resamples=3000, confidence_level=level, method="BCa", rng=rng)
    ours = bca(values, level=level, resamples=3000, seed=7)
    assert limits(ours) == pytest.approx(tuple(theirs.confidence_interval), rel=1e-9)
    assert ours.point == pytest.approx(values.mean())


def test_bca_of_another_statistic_is_scipys() -> None:
    values = np.stack([sample(60), 1 + sample(60, 2)], axis=1)
    rng = np.random.Generator(np.random.PCG64(0))
    theirs = stats.bootstrap(
        (values[:, 0], values[:, 1]),
        lambda a, b, axis=-1: a.sum(axis=axis) / b.sum(axis=axis),
        paired=True,
        vectorized=True,
        n_resamples=2000,
        method="BCa",
        rng=rng,
    )
    assert limits(bca(values, statistic=ratio, resamples=2000)) == pytest.approx(
        tuple(theirs.confidence_interval), rel=1e-9
    )


def test_a_duplicate_adds_nothing_to_what_is_known() -> None:
    values = sample(80)
    once, twice = bca(values), bca(np.repeat(values, 2), np.repeat(np.arange(80), 2).tolist())
    assert limits(twice) == pytest.approx(limits(once), rel=1e-12)
    assert (once.n, once.clusters, twice.n, twice.clusters) == (80, 80, 160, 80)
    low, high = limits(bca(np.repeat(values, 2)))
    assert high - low == pytest.approx((once.high - once.low) / math.sqrt(2), rel=0.05), "what ignoring groups claims"


def test_whole_groups_are_drawn() -> None:
    """Against the bootstrap and jackknife written as loops over groups of unequal size."""
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 25, 70).tolist()
    values = sample(70) + 0.01 * np.array(groups)
    members = [values[[i for i, g in enumerate(groups) if g == name]] for name in dict.fromkeys(groups)]
    k = len(members)
    draws = np.random.Generator(np.random.PCG64(5)).integers(0, k, (2000, k))
    drawn = np.array([np.concatenate([members[i] for i in row]).mean() for row in draws])
    left_out = np.array([np.concatenate(members[:i] + members[i + 1 :]).mean() for i in range(k)])
    z0 = stats.norm.ppf((drawn < values.mean()).mean())
    pull = left_out.mean() - left_out
    a = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    shares = [stats.norm.cdf(z0 + (z0 + z) / (1 - a * (z0 + z))) for z in stats.norm.ppf([0.025, 0.975])]
    assert limits(bca(values, groups, resamples=2000, seed=5)) == pytest.approx(np.quantile(drawn, shares), rel=1e-9)


def test_names_of_groups_do_not_matter_and_the_seed_decides() -> None:
    values, groups = sample(60), [i // 2 for i in range(60)]
    first = bca(values, groups, seed=3)
    assert first == bca(values, groups, seed=3) == bca(values, [f"g{g}" for g in groups], seed=3)
    assert first != bca(values, groups, seed=4)
    low, high = limits(first)
    assert limits(bca(2 - 3 * values, groups, seed=3)) == pytest.approx((2 - 3 * high, 2 - 3 * low), rel=1e-9)


def test_paired_difference_is_of_pairs() -> None:
    first, second = sample(50) + 0.1, sample(50)
    assert paired_difference(first, second, resamples=500).point == pytest.approx(0.1)
    both = paired_difference(first, sample(50, 9), list(range(50)), resamples=500)
    assert both == bca(first - sample(50, 9), resamples=500)
    with pytest.raises(ValueError, match="same cases"):
        paired_difference(first, second[:-1])


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """Groups of three that share an effect: about 95 of 100 intervals hold the mean 0; without groups far fewer."""
    rng = np.random.default_rng(8)
    groups = np.repeat(np.arange(40), 3).tolist()
    held, naive = 0, 0
    for _ in range(300):
        values = np.repeat(rng.normal(size=40), 3) + 0.3 * rng.normal(size=120)
        low, high = limits(bca(values, groups, resamples=600))
        held += low <= 0 <= high
        low, high = limits(bca(values, resamples=600))
        naive += low <= 0 <= high
    assert 0.9 <= held / 300 <= 0.98
    assert naive / 300 < 0.85


@pytest.mark.parametrize(
    ("values", "groups", "reason"),
    [
        ([], None, "no case"),
        ([0.1, 0.5, 0.3, 0.9], None, "4 independent groups"),
        ([0.1, 0.5, 0.3, 0.9, 0.2, 0.3], ["a", "b", "a", "c", "d", "a"], "4 independent groups"),
        ([0.8] * 30, None, "same value"),
    ],
)
def test_what_data_cannot_bear_is_inconclusive(values: list[float], groups: list[str] | None, reason: str) -> None:
    answer = bca(values, groups)
    assert isinstance(answer, Inconclusive)
    assert reason in answer.reason
    assert answer.point is None if not values else answer.point == pytest.approx(np.mean(values))


def test_what_is_no_case_is_refused() -> None:
    for wrong in (math.nan, math.inf):
        with pytest.raises(ValueError, match="not finite"):
            bca([0.1, wrong])
        with pytest.raises(ValueError, match="not finite"):
            wilcoxon([0.1, wrong], [0.1, 0.2])
    with pytest.raises(ValueError, match="groups for"):
        bca([0.1, 0.2], ["a"])
    with pytest.raises(ValueError, match="level"):
        bca(sample(9), level=95)


@given(st.lists(st.sampled_from([0.0, 0.25, 1.0]), min_size=5, max_size=14), st.integers(0, 3))
@settings(max_examples=60)
def test_no_answer_is_nan(values: list[float], seed: int) -> None:
    answer = bca(values, resamples=200, seed=seed)
    if isinstance(answer, Interval):
        assert min(values) <= answer.low <= answer.high <= max(values)
    else:
        assert answer.reason
    assert answer.point == pytest.approx(np.mean(values))
    assert mean(np.array(values), np.ones((1, len(values))))[0] == pytest.approx(answer.point)


# ------------------------------------------------------------------------------------------ proportions


def test_clopper_pearson_is_scipys_and_fulfils_its_definition() -> None:
    for n in (1, 2, 7, 12, 97):
        for k in range(0, n + 1, 1 if n < 20 else 8):
            low, high = limits(clopper_pearson(k, n))
            assert (low, high) == pytest.approx(stats.binomtest(k, n).proportion_ci(0.95, "exact"), abs=1e-9)
            assert low <= k / n <= high
            if k:
                assert stats.binom.sf(k - 1, n, low) == pytest.approx(0.025)
            if k < n:
                assert stats.binom.cdf(k, n, high) == pytest.approx(0.025)


def test_clopper_pearson_closed_forms_and_nothing_seen() -> None:
    assert limits(clopper_pearson(0, 24)) == pytest.approx((0, 1 - 0.025 ** (1 / 24)))
    assert limits(clopper_pearson(24, 24)) == pytest.approx((0.025 ** (1 / 24), 1))
    assert clopper_pearson(0, 0) == Inconclusive(None, 0, 0, "no case")
    for wrong in ((-1, 3), (4, 3)):
        with pytest.raises(ValueError, match="no proportion"):
            clopper_pearson(*wrong)


# ------------------------------------------------------------------------------------------ signed ranks


def test_a_published_example() -> None:
    test, typical = wilcoxon(BEFORE, AFTER), hodges_lehmann(BEFORE, AFTER)
    assert (test.statistic, test.n) == (40, 9)
    assert test.p == pytest.approx(0.0390625)
    assert typical.point == pytest.approx(0.46)
    assert limits(typical) == pytest.approx((0.010, 0.786))


@pytest.mark.parametrize("n", [6, 11, 25, 50])
def test_wilcoxon_without_ties_is_scipys_exact_test(n: int) -> None:
    first, second = sample(n), sample(n, 2) - 0.05
    theirs = stats.wilcoxon(first, second, method="exact")
    ours = wilcoxon(first, second)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert theirs.statistic in {ours.statistic, n * (n + 1) / 2 - ours.statistic}


def test_wilcoxon_with_ties_and_zeros_nears_scipys_approximation() -> None:
    rng = np.random.default_rng(2)
    d = np.round(rng.normal(0.08, 0.5, 400), 1)
    assert (d == 0).sum() > 10
    theirs = stats.wilcoxon(d, zero_method="pratt", method="approx")
    assert wilcoxon(d, np.zeros(400)).p == pytest.approx(theirs.pvalue, rel=0.02)


@given(st.lists(st.integers(-4, 4), max_size=9))
def test_wilcoxon_counts_all_choices_of_signs(differences: list[int]) -> None:
    first, second = 0.7 + 0.1 * np.array(differences, dtype=float), np.full(len(differences), 0.7)
    ranks = stats.rankdata(np.abs(differences))
    kept = [rank for rank, value in zip(ranks, differences, strict=True) if value]
    seen = sum(rank for rank, value in zip(ranks, differences, strict=True) if value > 0)
    sums = np.array([sum(itertools.compress(kept, signs)) for signs in itertools.product((0, 1), repeat=len(kept))])
    expected = min(1.0, 2 * min((sums <= seen).mean(), (sums >= seen).mean()))
    ours = wilcoxon(first, second)
    assert ours.p == pytest.approx(expected)
    assert ours.statistic == seen
    assert wilcoxon(second, first).p == pytest.approx(ours.p), "which comes first does not matter"


def test_ranks_are_of_groups() -> None:
    first, second = sample(40), sample(40, 2) - 0.1
    groups = [i // 2 for i in range(40)]
    means = (first - second).reshape(20, 2).mean(axis=1)
    assert wilcoxon(first, second, groups) == wilcoxon(means, np.zeros(20))
    typical, of_means = hodges_lehmann(first, second, groups), hodges_lehmann(means, np.zeros(20))
    assert limits(typical) == limits(of_means)
    assert (typical.n, typical.clusters) == (40, 20)


@pytest.mark.parametrize("n", [6, 15, 40])
def test_the_interval_is_what_the_test_does_not_reject(n: int) -> None:
    d = sample(n) - 0.6
    low, high = limits(hodges_lehmann(d, np.zeros(n)))
    for limit, inside in ((low, 1e-6), (high, -1e-6)):
        assert stats.wilcoxon(d - (limit + inside), method="exact").pvalue > 0.05
        assert stats.wilcoxon(d - (limit - inside), method="exact").pvalue <= 0.05


def test_hodges_lehmann_closed_forms() -> None:
    d = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 10.0])
    answer = hodges_lehmann(d, np.zeros(6))
    assert (answer.point, *limits(answer)) == (2.5, 0.0, 10.0), "six differences: 95 % needs all of them"
    assert isinstance(hodges_lehmann(d[:5], np.zeros(5)), Inconclusive)
    assert hodges_lehmann(d[:5], np.zeros(5)).point == 2.0
    assert limits(hodges_lehmann(d[:5], np.zeros(5), level=1 - 2 / 32)) == (0.0, 4.0), "which two in 32 exactly reach"
    assert hodges_lehmann([], []) == Inconclusive(None, 0, 0, "no case")


# ------------------------------------------------------------------------------------------ many comparisons


def test_holm_closed_form() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()
    with pytest.raises(ValueError, match="0 … 1"):
        holm([0.5, 1.5])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p: list[float]) -> None:
    """A hypothesis falls where each set of hypotheses that holds it falls by Bonferroni."""

    def bonferroni(some: Sequence[int]) -> float:
        return min(1.0, len(some) * min(p[i] for i in some))

    sets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    assert holm(p) == pytest.approx([max(bonferroni(s) for s in sets if i in s) for i in range(len(p))])


# ------------------------------------------------------------------------------------------ area under the curve

CASES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=2, max_size=30)


@given(CASES)
@settings(max_examples=60)
def test_auc_counts_pairs_and_is_scikit_learns(cases: list[tuple[bool, int]]) -> None:
    judge = pytest.importorskip("sklearn.metrics", reason="absent: scikit-learn")
    labels, scores = [int(label) for label, _ in cases], [score for _, score in cases]
    answer = auc(labels, scores, resamples=50)
    pairs = [(a > b) + (a == b) / 2 for (x, a), (y, b) in itertools.product(cases, cases) if x and not y]
    if not pairs:
        assert isinstance(answer, Inconclusive)
        assert answer.point is None
    else:
        assert answer.point == pytest.approx(np.mean(pairs))
        assert answer.point == pytest.approx(judge.roc_auc_score(labels, scores))


def test_auc_draws_whole_groups() -> None:
    """Each sample's area is scikit-learn's on the cases drawn; the limits are BCa's of these."""
    judge = pytest.importorskip("sklearn.metrics", reason="absent: scikit-learn")
    rng = np.random.default_rng(6)
    groups = [i // 3 for i in range(90)]
    labels = rng.integers(0, 2, 90)
    scores = np.round(labels + rng.normal(0, 1.2, 90), 1)
    ours = auc(labels, scores, groups, resamples=300)

    def areas(_: np.ndarray, weights: np.ndarray) -> np.ndarray:
        return np.array([judge.roc_auc_score(labels, scores, sample_weight=row) for row in weights])

    assert limits(ours) == pytest.approx(limits(bca(labels, groups, areas, resamples=300)), rel=1e-9)
    turned = auc(1 - labels, scores, groups, resamples=300)
    assert (turned.low, turned.high) == pytest.approx((1 - ours.high, 1 - ours.low), rel=1e-9)


def test_auc_without_enough_to_compare() -> None:
    apart = auc([0] * 20 + [1] * 20, list(range(40)))
    assert apart == Inconclusive(1.0, 40, 40, apart.reason)
    assert "same value" in apart.reason
    rare = auc([1] + [0] * 20, sample(21))
    assert isinstance(rare, Inconclusive)
    assert "of a kind" in rare.reason
    assert auc([], []) == Inconclusive(None, 0, 0, auc([], []).reason)
    with pytest.raises(ValueError, match="one 0 or 1"):
        auc([0, 2], [0.1, 0.2])

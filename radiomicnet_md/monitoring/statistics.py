# SPDX-License-Identifier: Apache-2.0
"""How two samples differ, and how sure that is: PSI, Kolmogorov and Smirnov, false discovery rate, control limits.

Rules of this module:

- Pure functions of numbers; what a number means is said elsewhere.
- Probabilities are exact where that is cheap (binomial, Fisher, the chain of the CUSUM), else the usual limit law.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Floats = NDArray[np.float64]


def psi(expected: Floats, observed: Floats) -> float:
    """Population stability index Σ (o − e) ln(o / e) of two lists of shares (bins,), all above 0.

    The symmetric Kullback-Leibler divergence (Jeffreys); 0 where they are equal.
    """
    return float(((observed - expected) * np.log(observed / expected)).sum())


def shares(counts: NDArray[np.int64]) -> Floats:
    """Shares of bins (bins,), half a count added to each, so that none is 0."""
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * len(counts)))


def binned(values: Floats, edges: Floats) -> NDArray[np.int64]:
    """How many values fall in each bin between ascending edges; a value on an edge belongs below it."""
    return np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)


def largest_gap(first: Floats, second: Floats) -> float:
    """The two-sample statistic of Kolmogorov and Smirnov: largest distance of the two distribution functions."""
    places = np.concatenate([first, second])
    one, other = (np.searchsorted(np.sort(sample), places, side="right") / len(sample) for sample in (first, second))
    return float(np.abs(one - other).max())


def gap_at(values: Floats, quantiles: Floats, levels: Floats) -> float:
    """The same where of one sample only some quantiles are known: never more than the whole distance."""
    below = np.searchsorted(np.sort(values), quantiles, side="right") / len(values)
    return float(np.abs(below - levels).max())


def p_of_gap(gap: float, first: int, second: int) -> float:
    """The probability of such a gap, or a larger, between samples of these sizes from one distribution."""
    return float(stats.kstwo.sf(gap, round(first * second / (first + second))))


def p_of_shares(first: tuple[int, int], second: tuple[int, int]) -> float:
    """Fisher's exact test, two-sided, of two counts (with, without)."""
    return float(stats.fisher_exact([first, second]).pvalue)


def benjamini_hochberg(probabilities: Sequence[float]) -> list[float]:
    """Adjusted p-values (Benjamini and Hochberg 1995): the false discovery rate at which each would be called."""
    return [float(p) for p in stats.false_discovery_control(list(probabilities))]


def upper_limit(count: int, of: int, level: float) -> float:
    """Clopper and Pearson's one-sided upper confidence limit of a share."""
    return 1.0 if count == of else float(stats.beta.ppf(level, count + 1, of - count))


def most_expected(size: int, share: float, alarm: float) -> int:
    """The largest count of a group of ``size`` that is exceeded with a probability of at most ``alarm``."""
    return int(stats.binom.ppf(1 - alarm, size, share))


def weight(share: float, times: float) -> int:
    """How many admissions weigh as much as one refusal when odds ``times`` as high are looked for.

    The log-likelihood ratio of a Bernoulli CUSUM (Reynolds and Stoumbos 1999) as whole numbers: an admission is a step
    of −1, a refusal one of ``weight`` − 1.
    """
    odds = times * share / (1 - share)
    raised = odds / (1 + odds)
    admission = np.log((1 - share) / (1 - raised))
    return max(2, int(np.log(times) / admission))


def cusum(refused: Sequence[bool], heavy: int) -> list[int]:
    """The cumulative sum after each case, never below 0."""
    sums, now = [], 0
    for one in refused:
        now = max(0, now + (heavy - 1 if one else -1))
        sums.append(now)
    return sums


def p_of_reaching(limit: int, share: float, heavy: int, cases: int) -> float:
    """The probability that the CUSUM reaches ``limit`` within so many cases of this share: a Markov chain, exactly."""
    at = np.zeros(limit)
    at[0] = 1.0
    for _ in range(cases):
        after = np.zeros(limit)
        after[:-1] = (1 - share) * at[1:]
        after[0] += (1 - share) * at[0]
        if heavy - 1 < limit:
            after[heavy - 1 :] += share * at[: limit - heavy + 1]
        at = after
    return 1.0 - float(at.sum())


def decision_limit(share: float, heavy: int, cases: int, alarm: float) -> int:
    """The smallest limit that the CUSUM reaches within so many cases with a probability of at most ``alarm``."""
    low, high = 0, heavy
    while p_of_reaching(high, share, heavy, cases) > alarm:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if p_of_reaching(middle, share, heavy, cases) > alarm else (low, middle)
    return high

# SPDX-License-Identifier: Apache-2.0
"""How sure a figure is: intervals and paired tests that respect duplicate images, the same for every report.

Rules of this module:

- A case has a group (duplicate images of one lesion, frames of one patient); groups are independent, cases of one group
  are not. The bootstrap draws whole groups; the rank tests first average within each group. Without ``groups`` each
  case is its own.
- Every case enters. A value that is not finite is refused, never skipped: a miss has a worst value (see ``metrics``).
- Where the data cannot bear an interval the answer is ``Inconclusive`` with a reason, never a NaN or a guess. It has no
  bounds, so no claim can rest on them.
- The same seed gives the same interval (PCG64).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

FEWEST_CLUSTERS = 5
"""With fewer independent groups than this, a bootstrap interval says more about chance than about the cases."""

RESAMPLES = 10_000
_CHUNK = 500  # resamples at a time: (500, cases) weights stay small whatever the number of resamples
_SAME = 1e-12  # values that agree so far are equal: 0.1 + 0.2 and 0.3 are a tie

Floats = NDArray[np.float64]
Statistic = Callable[[Floats, Floats], Floats]
"""Of values (n, …) and how often each case counts (b, n), the statistic of each of the b samples (b,).

NaN where a sample has none, such as an area under the curve without a normal case.
"""


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its confidence limits, the cases and independent groups behind it, and its level (0.95)."""

    point: float
    low: float
    high: float
    n: int
    clusters: int
    level: float


@dataclass(frozen=True, slots=True)
class Inconclusive:
    """A figure whose limits the data cannot bear, and why; ``point`` is None where there is not even a figure."""

    point: float | None
    n: int
    clusters: int
    reason: str


@dataclass(frozen=True, slots=True)
class Ranked:
    """Wilcoxon's signed-rank test: rank sum of the positive differences, two-sided p, independent differences."""

    statistic: float
    p: float
    n: int


def mean(values: Floats, weights: Floats) -> Floats:
    """The mean over all cases drawn; values (n,), weights (b, n) → (b,)."""
    return np.asarray(weights @ values / weights.sum(axis=1))


def bca(  # noqa: PLR0913 - what is resampled, how often and from which seed are one question each
    values: ArrayLike,
    groups: Sequence[object] | None = None,
    statistic: Statistic = mean,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | Inconclusive:
    """Bias-corrected accelerated bootstrap interval of a statistic, whole groups drawn with replacement.

    Efron 1987 (J. Am. Stat. Assoc. 82:171), the acceleration from the jackknife over groups. ``values`` are (n,) for a
    mean, (n, …) for a statistic of more. Inconclusive with fewer than ``FEWEST_CLUSTERS`` groups, where the statistic
    does not vary between samples, or where a sample or the jackknife has none.
    """
    data, of_case, clusters = _cases(values, groups)
    n = len(data)
    point = float(statistic(data, np.ones((1, n)))[0]) if n else np.nan
    if not np.isfinite(point):
        return Inconclusive(None, n, clusters, "no case, or none of a kind that the statistic needs")
    if clusters < FEWEST_CLUSTERS:
        return Inconclusive(point, n, clusters, f"{clusters} independent groups, fewer than {FEWEST_CLUSTERS}")
    drawn = np.concatenate([statistic(data, w) for w in _resampled(of_case, clusters, resamples, seed)])  # (resamples,)
    left_out = np.concatenate([statistic(data, w) for w in _left_out(of_case, clusters)])  # (clusters,)
    limits = _limits(drawn, left_out, point, _checked(level))
    if isinstance(limits, str):
        return Inconclusive(point, n, clusters, limits)
    return Interval(point, *limits, n, clusters, level)


def paired_difference(  # noqa: PLR0913 - as bca
    first: ArrayLike,
    second: ArrayLike,
    groups: Sequence[object] | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | Inconclusive:
    """Mean of ``first − second`` over the same cases (n,) with its BCa interval by group."""
    return bca(_differences(first, second), groups, level=level, resamples=resamples, seed=seed)


def auc(  # noqa: PLR0913 - as bca
    labels: ArrayLike,
    scores: ArrayLike,
    groups: Sequence[object] | None = None,
    *,
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Interval | Inconclusive:
    """Area under the ROC curve with its BCa interval by group: the chance that a positive case outscores a negative.

    ``labels`` (n,) 0 or 1, ``scores`` (n,) higher for more likely 1; an equal score counts half. Inconclusive where a
    label is missing, or so rare that some sample is without it.
    """
    truth, given = np.asarray(labels, dtype=np.float64), _finite(scores)
    if truth.shape != given.shape or truth.ndim != 1 or not np.isin(truth, (0, 1)).all():
        message = f"labels {truth.shape} are not one 0 or 1 for each of the scores {given.shape}"
        raise ValueError(message)
    levels = np.unique(given, return_inverse=True)[1]
    order = np.argsort(levels, kind="stable")
    starts = np.flatnonzero(np.diff(levels[order], prepend=-1))  # where each level begins, lowest score first

    def area(positive: Floats, weights: Floats) -> Floats:
        up = np.add.reduceat((weights * positive)[:, order], starts, axis=1)  # (b, levels)
        down = np.add.reduceat((weights * (1 - positive))[:, order], starts, axis=1)
        pairs = up.sum(axis=1) * down.sum(axis=1)
        won = (up * (np.cumsum(down, axis=1) - down / 2)).sum(axis=1)
        return np.asarray(won / np.where(pairs > 0, pairs, np.nan))

    return bca(truth, groups, area, level=level, resamples=resamples, seed=seed)


def clopper_pearson(successes: int, n: int, level: float = 0.95) -> Interval | Inconclusive:
    """Exact interval of a proportion of independent cases (Clopper & Pearson 1934); none seen still has an upper limit.

    Where cases come in groups, count groups, not cases.
    """
    if not 0 <= successes <= n:
        message = f"{successes} of {n} is no proportion"
        raise ValueError(message)
    if not n:
        return Inconclusive(None, 0, 0, "no case")
    tail = (1 - _checked(level)) / 2
    low = float(special.betaincinv(successes, n - successes + 1, tail)) if successes else 0.0
    high = float(special.betaincinv(successes + 1, n - successes, 1 - tail)) if successes < n else 1.0
    return Interval(successes / n, low, high, n, n, level)


def wilcoxon(first: ArrayLike, second: ArrayLike, groups: Sequence[object] | None = None) -> Ranked:
    """Two-sided signed-rank test that ``first − second`` (n,) is symmetric about 0, after averaging by group.

    Exact at any n, ties and zeros too: the p value counts all 2ⁿ choices of signs for the ranks as they stand. Zeros
    are ranked, then carry no sign (Pratt 1959), so that cases on which both agree are not left out of the ranks.
    """
    d = _by_group(first, second, groups)
    ranks = np.rint(2 * stats.rankdata(np.abs(d))).astype(np.int64)  # twice the rank: a tie's is a whole number too
    above = int(ranks[d > 0].sum())
    tail = _sign_sums(ranks[d != 0])
    p = 2 * min(tail[: above + 1].sum(), tail[above:].sum())
    return Ranked(above / 2, min(1.0, float(p)), len(d))


def hodges_lehmann(
    first: ArrayLike, second: ArrayLike, groups: Sequence[object] | None = None, level: float = 0.95
) -> Interval | Inconclusive:
    """Typical difference ``first − second``: median of all pairwise means, with the interval of the signed-rank test.

    Hodges & Lehmann 1963; after averaging by group. The limits are those shifts that the exact test (no ties) does not
    reject at 1 − ``level``; with ties they err to the wide side. Inconclusive where even the widest is not enough.
    """
    d = _by_group(first, second, groups)
    n, cases = len(d), len(np.asarray(first))
    if not n:
        return Inconclusive(None, 0, 0, "no case")
    walsh = np.sort(((d[:, None] + d[None, :]) / 2)[np.triu_indices(n)])  # (n (n + 1) / 2,)
    point = float(np.median(walsh))
    below = np.cumsum(_sign_sums(np.arange(1, n + 1, dtype=np.int64)))
    cut = int(np.searchsorted(below, (1 - _checked(level)) / 2, side="right"))  # rank sums below this are rejected
    if not cut:
        return Inconclusive(point, cases, n, f"{n} independent differences cannot reach a level of {level}")
    return Interval(point, float(walsh[cut - 1]), float(walsh[-cut]), cases, n, level)


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Adjusted p values in the order given: reject those at or below α, and α bounds the chance of any error.

    Holm 1979 (Scand. J. Stat. 6:65): the k-th smallest of m times m − k + 1, made non-decreasing, at most 1.
    """
    raw = _finite(p)
    if ((raw < 0) | (raw > 1)).any():
        message = "a p value lies in 0 … 1"
        raise ValueError(message)
    order = np.argsort(raw, kind="stable")
    stepped = np.minimum(1, np.maximum.accumulate(raw[order] * np.arange(len(raw), 0, -1)))
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return tuple(adjusted.tolist())


def _finite(values: ArrayLike) -> Floats:
    data = np.asarray(values, dtype=np.float64)
    if not np.isfinite(data).all():
        message = "a value is not finite: a failed case has a worst value and is never left out"
        raise ValueError(message)
    return data


def _checked(level: float) -> float:
    if not 0 < level < 1:
        message = f"level {level} is not between 0 and 1"
        raise ValueError(message)
    return level


def _differences(first: ArrayLike, second: ArrayLike) -> Floats:
    a, b = _finite(first), _finite(second)
    if a.shape != b.shape or a.ndim != 1:
        message = f"{a.shape} and {b.shape} are not values of the same cases"
        raise ValueError(message)
    return np.asarray(a - b)


def _cases(values: ArrayLike, groups: Sequence[object] | None) -> tuple[Floats, NDArray[np.int64], int]:
    """Values, the number of each case's group (in order of appearance), and how many groups there are."""
    data = _finite(values)
    if groups is None:
        return data, np.arange(len(data)), len(data)
    if len(groups) != len(data):
        message = f"{len(groups)} groups for {len(data)} cases"
        raise ValueError(message)
    number: dict[object, int] = {}
    of_case = [number.setdefault(group, len(number)) for group in groups]
    return data, np.array(of_case, dtype=np.int64), len(number)


def _by_group(first: ArrayLike, second: ArrayLike, groups: Sequence[object] | None) -> Floats:
    """Mean difference of each group, differences that agree to 1e-12 made equal: the ranks see ties as ties."""
    d, of_case, clusters = _cases(_differences(first, second), groups)
    means = np.bincount(of_case, d, minlength=clusters) / np.bincount(of_case, minlength=clusters)
    return np.asarray(np.round(means, 12))


def _resampled(of_case: NDArray[np.int64], clusters: int, resamples: int, seed: int) -> Iterator[Floats]:
    """How often each case counts (chunk, n) when ``clusters`` groups are drawn with replacement."""
    rng = np.random.Generator(np.random.PCG64(seed))
    for start in range(0, resamples, _CHUNK):
        rows = min(_CHUNK, resamples - start)
        drawn = rng.integers(0, clusters, (rows, clusters)) + clusters * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * clusters).reshape(rows, clusters)
        yield times[:, of_case].astype(np.float64)


def _left_out(of_case: NDArray[np.int64], clusters: int) -> Iterator[Floats]:
    """How often each case counts (chunk, n) when each group in turn is left out."""
    for start in range(0, clusters, _CHUNK):
        yield (np.arange(start, min(start + _CHUNK, clusters))[:, None] != of_case).astype(np.float64)


def _limits(drawn: Floats, left_out: Floats, point: float, level: float) -> tuple[float, float] | str:
    """The two limits from the bootstrap (resamples,) and jackknife (clusters,) values, or why there are none."""
    if not (np.isfinite(drawn).all() and np.isfinite(left_out).all()):
        return "some samples of these groups have no such statistic: too few groups of a kind"
    same = _SAME * max(1.0, abs(point))
    if np.ptp(drawn) <= same:
        return "every sample of these groups gives the same value, so their spread is not known"
    less, equal = drawn < point - same, np.abs(drawn - point) <= same
    bias = special.ndtri((less.sum() + equal.sum() / 2) / len(drawn))
    pull = left_out.mean() - left_out
    acceleration = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5) if np.ptp(left_out) > same else 0.0
    z = bias + special.ndtri([(1 - level) / 2, (1 + level) / 2])
    room = 1 - acceleration * z
    if not (np.isfinite(bias) and (room > 0).all()):
        return "the samples lie on one side of the value: too skew for this interval"
    low, high = np.quantile(drawn, special.ndtr(bias + z / room))
    return float(low), float(high)


def _sign_sums(ranks: NDArray[np.int64]) -> Floats:
    """Chance of each sum 0 … Σ ranks of the ranks whose sign is positive, all signs equally likely."""
    chance = np.zeros(int(ranks.sum()) + 1)
    chance[0] = 1.0
    reached = 0
    for rank in np.sort(ranks).tolist():
        grown = chance[: reached + rank + 1] / 2
        grown[rank:] += chance[: reached + 1] / 2
        reached += rank
        chance[: reached + 1] = grown
    return chance

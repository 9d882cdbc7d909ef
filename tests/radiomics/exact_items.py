# SPDX-License-Identifier: Apache-2.0
"""What the definitions say of counts: rationals stay rational, a root or logarithm is taken at the end with 50 digits.

Rules of this module:

- Written from the definitions (IBSI, and PyRadiomics' documentation where IBSI has none); no code of the package.
- A value is a ``Fraction`` or a ``Decimal``. Undefined is None.
- Slow and plain on purpose: every sum is written as it stands in its formula.
"""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from decimal import Context, Decimal, localcontext
from fractions import Fraction

DIGITS = Context(prec=50)
Number = Fraction | Decimal
Counts = Mapping[tuple[int, int], int]  # how often row level (or first) i and column j were met


def decimal(value: Number | int) -> Decimal:
    """Fifty digits of a number."""
    if isinstance(value, Decimal):
        return value
    with localcontext(DIGITS):
        return Decimal(value.numerator) / Decimal(value.denominator)


def root(value: Fraction) -> Decimal:
    """Square root."""
    return DIGITS.sqrt(decimal(value))


@functools.cache
def log2(value: int) -> Decimal:
    """Binary logarithm of a whole number."""
    with localcontext(DIGITS):
        return Decimal(value).ln() / Decimal(2).ln()


def total(values: Iterable[Fraction]) -> Fraction:
    return sum(values, Fraction(0))


def mean(values: list[Number]) -> Number:
    """Of rationals a rational, else fifty digits."""
    if all(isinstance(value, Fraction) for value in values):
        return total(value for value in values if isinstance(value, Fraction)) / len(values)
    with localcontext(DIGITS):
        return sum((decimal(value) for value in values), Decimal(0)) / len(values)


def marginal(counts: Counts, axis: int) -> Counter[int]:
    """Counts of one index alone."""
    found: Counter[int] = Counter()
    for pair, count in counts.items():
        found[pair[axis]] += count
    return found


def entropy(counts: Mapping[Hashable, int]) -> Decimal:
    """−Σ p log₂ p in bits, from whole counts."""
    n = sum(counts.values())
    with localcontext(DIGITS):
        return sum((Decimal(c) / n * (log2(n) - log2(c)) for c in counts.values()), Decimal(0))


def moment(counts: Mapping[int, int], order: int) -> Fraction:
    """Central moment of whole numbers met ``counts`` times."""
    n = sum(counts.values())
    centre = total(Fraction(k * c, n) for k, c in counts.items())
    return total(Fraction(c, n) * (k - centre) ** order for k, c in counts.items())


# ---------------------------------------------------------------------------------- co-occurrence
def cooccurrence(counts: Counts, level_count: int) -> dict[str, Number]:
    """The 24 values of one symmetric co-occurrence matrix of levels 1 … ``level_count``."""
    n = sum(counts.values())
    p = {pair: Fraction(count, n) for pair, count in counts.items()}
    centre = total(q * i for (i, _), q in p.items())
    variance = total(q * (i - centre) ** 2 for (i, _), q in p.items())
    product = total(q * (i - centre) * (j - centre) for (i, j), q in p.items())
    sums: Counter[int] = Counter()
    differences: Counter[int] = Counter()
    for (i, j), count in counts.items():
        sums[i + j] += count
        differences[abs(i - j)] += count
    apart = {k: Fraction(count, n) for k, count in differences.items()}
    return {
        "Autocorrelation": total(q * i * j for (i, j), q in p.items()),
        "ClusterProminence": total(q * (i + j - 2 * centre) ** 4 for (i, j), q in p.items()),
        "ClusterShade": total(q * (i + j - 2 * centre) ** 3 for (i, j), q in p.items()),
        "ClusterTendency": total(q * (i + j - 2 * centre) ** 2 for (i, j), q in p.items()),
        "Contrast": total(q * (i - j) ** 2 for (i, j), q in p.items()),
        "Correlation": product / variance if variance else Fraction(1),
        "DifferenceAverage": total(q * k for k, q in apart.items()),
        "DifferenceEntropy": entropy(differences),
        "DifferenceVariance": moment(differences, 2),
        "Id": total(q / (1 + k) for k, q in apart.items()),
        "Idm": total(q / (1 + k * k) for k, q in apart.items()),
        "Idmn": total(q / (1 + Fraction(k * k, level_count**2)) for k, q in apart.items()),
        "Idn": total(q / (1 + Fraction(k, level_count)) for k, q in apart.items()),
        "InverseVariance": total(q / (k * k) for k, q in apart.items() if k),
        "JointAverage": centre,
        "JointEnergy": total(q * q for q in p.values()),
        "JointEntropy": entropy(counts),
        "MaximumProbability": max(p.values()),
        "MCC": maximal_correlation(frozenset(counts.items())),
        "SumAverage": total(Fraction(c, n) * k for k, c in sums.items()),
        "SumEntropy": entropy(sums),
        "SumSquares": variance,
    } | _information(counts)


def independent(counts: Counts) -> bool:
    """Whether p(i, j) = p(i) p(j) throughout."""
    n, rows = sum(counts.values()), marginal(counts, 0)
    return all(n * counts.get((i, j), 0) == rows[i] * rows[j] for i in rows for j in rows)


def _information(counts: Counts) -> dict[str, Number]:
    """Both informational measures of correlation; 0 where one level or independence leaves nothing to measure."""
    n, rows = sum(counts.values()), marginal(counts, 0)
    if independent(counts):
        return {"Imc1": Fraction(0), "Imc2": Fraction(0)}
    with localcontext(DIGITS):
        hx, hxy = entropy(rows), entropy(counts)
        log = {(i, j): log2(rows[i] * rows[j]) - 2 * log2(n) for i in rows for j in rows}
        hxy1 = -sum((Decimal(count) / n * log[pair] for pair, count in counts.items()), Decimal(0))
        hxy2 = -sum((Decimal(rows[i] * rows[j]) / (n * n) * log[i, j] for i, j in log), Decimal(0))
        return {"Imc1": (hxy - hxy1) / hx, "Imc2": (1 - (-2 * (hxy2 - hxy)).exp()).sqrt()}


# ---------------------------------------------------------------------------------- maximal correlation
BITS = 120  # of the eigenvalue; its root is then good to 60


@functools.cache
def maximal_correlation(items: frozenset[tuple[tuple[int, int], int]]) -> Number:
    """√ of the second largest eigenvalue, multiplicities counted, of Q(i, j) = Σ_k p(i, k) p(j, k) / (p(i) p(k)).

    Q is scaled to whole numbers, so its characteristic polynomial (Faddeev–LeVerrier) is exact. All its roots
    are real and lie in [0, 1], and 1 is one of them. One level alone leaves no second: 0.
    """
    counts = dict(items)
    rows = marginal(counts, 0)
    occupied = sorted(rows)
    if len(occupied) == 1:
        return Fraction(0)
    scale = math.lcm(*rows.values()) ** 2
    matrix = [
        [
            int(sum(Fraction(scale * counts.get((i, k), 0) * counts.get((j, k), 0), rows[i] * rows[k]) for k in rows))
            for j in occupied
        ]
        for i in occupied
    ]
    rest = _without_root(_characteristic(matrix), scale)
    return root(_largest_root(rest, scale))


def _characteristic(matrix: list[list[int]]) -> list[int]:
    """Coefficients of det(x − A), highest power first."""
    size = range(len(matrix))
    found = [1]
    current = [[0] * len(matrix) for _ in size]
    for step in range(1, len(matrix) + 1):
        shifted = [[current[i][j] + (found[-1] if i == j else 0) for j in size] for i in size]
        current = [[sum(matrix[i][k] * shifted[k][j] for k in size) for j in size] for i in size]
        trace = sum(current[i][i] for i in size)
        assert trace % step == 0
        found.append(-trace // step)
    return found


def _without_root(polynomial: list[int], value: int) -> list[int]:
    """The polynomial divided by (x − value), which must divide it."""
    found = [polynomial[0]]
    for coefficient in polynomial[1:]:
        found.append(coefficient + value * found[-1])
    assert found.pop() == 0
    return found


def _largest_root(polynomial: list[int], scale: int) -> Fraction:
    """The largest root as a share of ``scale``, to 2^−BITS from above; exactly 0 or 1 where it is that.

    Where all roots are real, none lies above x if and only if no Taylor coefficient at x is negative.
    """
    degree = len(polynomial) - 1
    steps = 2**BITS
    # The same polynomial in y = x · 2^BITS / scale, times a positive number.
    scaled = [c * scale ** (degree - k) * steps**k for k, c in enumerate(polynomial)]
    if not any(polynomial[1:]):
        return Fraction(0)
    low, high = 0, steps
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _none_above(scaled, middle) else (middle, high)
    return Fraction(high, steps)


def _none_above(polynomial: list[int], value: int) -> bool:
    rest = list(polynomial)
    while rest:
        for k in range(1, len(rest)):
            rest[k] += value * rest[k - 1]
        if rest.pop() < 0:
            return False
    return True


# ---------------------------------------------------------------------------------- runs, zones, dependences


def emphases(counts: Counts, voxels: int) -> dict[str, Number]:
    """The values that runs, zones and dependences share; (i, j) is a level and a length, size or number.

    Keys: first the power of j, then of i ("+" squared, "-" its inverse, "" none), else what is measured.
    """
    n = sum(counts.values())
    p = {pair: Fraction(count, n) for pair, count in counts.items()}
    levels, lengths = marginal(counts, 0), marginal(counts, 1)
    return {
        "j-": total(q / j**2 for (_, j), q in p.items()),
        "j+": total(q * j**2 for (_, j), q in p.items()),
        "i-": total(q / i**2 for (i, _), q in p.items()),
        "i+": total(q * i**2 for (i, _), q in p.items()),
        "j-i-": total(q / (i**2 * j**2) for (i, j), q in p.items()),
        "j-i+": total(q * i**2 / j**2 for (i, j), q in p.items()),
        "j+i-": total(q * j**2 / i**2 for (i, j), q in p.items()),
        "j+i+": total(q * i**2 * j**2 for (i, j), q in p.items()),
        "level non-uniformity": Fraction(sum(c * c for c in levels.values()), n),
        "level non-uniformity, normalised": Fraction(sum(c * c for c in levels.values()), n * n),
        "non-uniformity": Fraction(sum(c * c for c in lengths.values()), n),
        "non-uniformity, normalised": Fraction(sum(c * c for c in lengths.values()), n * n),
        "level variance": moment(levels, 2),
        "variance": moment(lengths, 2),
        "entropy": entropy(counts),
        "percentage": Fraction(n, voxels),
    }

# SPDX-License-Identifier: Apache-2.0
"""First-order maps: the grey values of each window, sorted side by side by one network of comparisons.

Rules of this module:

- Sums over a window run over its voxels in raster order and over nothing else, so no sum depends on where the
  window lies; moments are taken about the window's own mean. Where all values are equal the mean is that
  value and every spread is 0, whatever rounding says.
- Eight windows are sorted side by side by Batcher's odd-even merge (Batcher 1968), cut to the window's size: the same
  comparisons for every window, hence lanes that never part.
- Percentiles are linear between order statistics, as NumPy's; a voxel that takes no part sorts to the end.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, choose, load, root, splat, store
from radiomicnet_md.radiomics.windows.matches import FRACTION

NAMES = (
    "Energy",
    "TotalEnergy",
    "Entropy",
    "Minimum",
    "10Percentile",
    "90Percentile",
    "Maximum",
    "Mean",
    "Median",
    "InterquartileRange",
    "Range",
    "MeanAbsoluteDeviation",
    "RobustMeanAbsoluteDeviation",
    "RootMeanSquared",
    "Skewness",
    "Kurtosis",
    "Variance",
    "Uniformity",
)
FROM_LEVELS = ("Entropy", "Uniformity")  # the others need grey values
STEP = BYTES // 8  # windows at a time
_UNIT = float(1 << FRACTION)

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]


@cache
def network(size: int) -> Whole:
    """Comparisons (n, 2) that sort ``size`` values, smaller to the first index."""
    full = 1 << (size - 1).bit_length()
    pairs = []
    for p in (1 << e for e in range(full.bit_length() - 1)):
        for k in (p >> e for e in range(p.bit_length())):
            for j in range(k % p, full - k, 2 * k):
                low = range(j, j + min(k, full - j - k))
                pairs += [(i, i + k) for i in low if i // (2 * p) == (i + k) // (2 * p) and i + k < size]
    comparisons = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    comparisons.flags.writeable = False
    return comparisons


@jit.serial
def _gather(values: Floats, base: int, offsets: Whole, x: Floats, sums: Floats) -> None:
    # Copies the values to x; n, the mean, Σx², then about the mean Σ|d|, Σd², Σd³, Σd⁴.
    zero, one, nothing = splat(0.0), splat(1.0), splat(np.inf)
    n, total, squares = zero, zero, zero
    for k in range(offsets.size):
        v = load(values, base + offsets[k])
        store(x, k * STEP, v)
        part = choose(nothing, v, v, zero)
        n += choose(nothing, v, one, zero)
        total += part
        squares += part * part
    mean = total / choose(n, zero, n, one)
    first, second, third, fourth = zero, zero, zero, zero
    for k in range(offsets.size):
        v = load(x, k * STEP)
        d = choose(nothing, v, v - mean, zero)
        square = d * d
        first += choose(d, zero, d, zero - d)
        second += square
        third += square * d
        fourth += square * square
    store(sums, 0, n)
    store(sums, STEP, mean)
    store(sums, 2 * STEP, squares)
    store(sums, 3 * STEP, first)
    store(sums, 4 * STEP, second)
    store(sums, 5 * STEP, third)
    store(sums, 6 * STEP, fourth)


@jit.serial
def _sort(x: Floats, comparisons: Whole) -> None:
    for c in range(comparisons.shape[0]):
        low, high = comparisons[c, 0] * STEP, comparisons[c, 1] * STEP
        a = load(x, low)
        b = load(x, high)
        store(x, low, choose(b, a, a, b))
        store(x, high, choose(b, a, b, a))


@jit.serial
def _percentile(x: Floats, n: Floats, percent: int, out: Floats) -> None:
    for lane in range(STEP):
        position = max(int(n[lane]) - 1, 0) * percent
        below = position // 100
        fraction = (position % 100) / 100.0
        a = x[below * STEP + lane]
        b = x[(below + 1) * STEP + lane] if fraction > 0.0 else a
        near = a + (b - a) * fraction if fraction < 0.5 else b - (b - a) * (1.0 - fraction)  # noqa: PLR2004
        out[lane] = near if fraction > 0.0 else a


@jit.serial
def _robust(x: Floats, size: int, low: Floats, high: Floats, out: Floats) -> None:
    # Mean absolute deviation of the values from ``low`` to ``high``, the 10th and 90th percentile; of two different
    # values none is left.
    zero, one = splat(0.0), splat(1.0)
    least, most = load(low, 0), load(high, 0)
    total, inside = zero, zero
    for k in range(size):
        v = load(x, k * STEP)
        kept = choose(least, v, zero, choose(v, most, zero, one))
        total += choose(kept, zero, v, zero)
        inside += kept
    mean = total / choose(inside, zero, inside, one)
    deviation = zero
    for k in range(size):
        v = load(x, k * STEP)
        d = choose(v, mean, v - mean, mean - v)
        deviation += choose(least, v, zero, choose(v, most, zero, d))
    store(out, 0, choose(inside, zero, deviation / inside, splat(np.nan)))


@jit.serial
def add_values(
    values: Floats, base: int, offsets: Whole, comparisons: Whole, voxel_size: float, x: Floats, sums: Floats,
    out: Floats, column: int,
) -> None:  # fmt: skip
    """The features of grey values into columns ``column`` … of ``out``, in the order of NAMES."""
    _gather(values, base, offsets, x, sums)
    _sort(x, comparisons)
    zero, one = splat(0.0), splat(1.0)
    counts = sums[:STEP]
    for percent, row in ((0, 3), (10, 4), (90, 5), (100, 6), (50, 8), (25, 9), (75, 10)):
        _percentile(x, counts, percent, out[row, column:])
    low, high = out[4, column:], out[5, column:]
    _robust(x, offsets.size, low, high, out[12, column:])
    store(out[9], column, load(out[10], column) - load(out[9], column))
    lowest, highest = load(out[3], column), load(out[6], column)
    span = highest - lowest
    n = load(counts, 0)
    n = choose(n, zero, n, one)
    squares = load(sums, 2 * STEP)
    variance = choose(span, zero, load(sums, 4 * STEP) / n, zero)
    spread = choose(variance * variance, zero, variance, one)
    some = choose(variance * variance, zero, one, zero)
    store(out[0], column, squares)
    store(out[1], column, squares * splat(voxel_size))
    store(out[7], column, choose(span, zero, load(sums, STEP), lowest))
    store(out[10], column, span)
    store(out[11], column, choose(span, zero, load(sums, 3 * STEP) / n, zero))
    store(out[13], column, root(squares / n))
    store(out[14], column, some * (load(sums, 5 * STEP) / n) / (spread * root(spread)))
    store(out[15], column, some * (load(sums, 6 * STEP) / n) / (spread * spread))
    store(out[16], column, variance)


@jit.serial
def add_levels(sums: Floats, log: Whole, n_log_n: Whole, out: Floats) -> None:
    """Entropy and uniformity from the items (rows 0 and 5 of their sums) that single voxels are."""
    count, squares = sums[0], sums[5]
    entropy, uniformity = out[2], out[17]
    for lane in range(log.size):
        n = max(count[lane], 1.0)
        entropy[lane] = float(n_log_n[np.int64(count[lane])] - log[lane]) / (n * _UNIT)
        uniformity[lane] = squares[lane] / (n * n)

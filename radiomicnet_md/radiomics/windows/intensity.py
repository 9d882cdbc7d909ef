# SPDX-License-Identifier: Apache-2.0
"""First-order maps: the grey values of each window, sorted side by side by one network of comparisons.

Rules of this module:

- Sums over a window run over its voxels in raster order and over nothing else, so no sum depends on where the
  window lies; moments are taken about the window's own mean. Where all values are equal the mean is that
  value and every spread is 0, whatever rounding says.
- The network is Batcher's odd-even merge (Batcher 1968), cut to the window's size: the same comparisons for every
  window, hence lanes that never part.
- Percentiles are linear between order statistics, as NumPy's; a voxel that takes no part sorts to the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
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
LANES = 64  # of doubles: a window of 125 voxels stays in the second cache
_UNIT = float(1 << FRACTION)

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


def network(size: int) -> Whole:
    """Comparisons (n, 2) that sort ``size`` values, smaller to the first index."""
    full = 1 << (size - 1).bit_length()
    pairs = []
    for p in (1 << e for e in range(full.bit_length() - 1)):
        for k in (p >> e for e in range(p.bit_length())):
            for j in range(k % p, full - k, 2 * k):
                low = range(j, j + min(k, full - j - k))
                pairs += [(i, i + k) for i in low if i // (2 * p) == (i + k) // (2 * p) and i + k < size]
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


@jit.serial
def _sort(x: Floats, comparisons: Whole) -> None:
    for c in range(comparisons.shape[0]):
        low = x[comparisons[c, 0]]
        high = x[comparisons[c, 1]]
        for lane in range(LANES):
            a = low[lane]
            b = high[lane]
            low[lane] = a if a < b else b
            high[lane] = b if a < b else a


@jit.serial
def _percentile(x: Floats, lane: int, n: int, percent: int) -> float:
    position = (n - 1) * percent
    below = position // 100
    fraction = (position % 100) / 100.0
    a = x[below, lane]
    if fraction == 0.0:
        return float(a)
    b = x[below + 1, lane]
    return float(a + (b - a) * fraction if fraction < 0.5 else b - (b - a) * (1.0 - fraction))  # noqa: PLR2004


@jit.serial
def _moments(values: Floats, base: int, offsets: Whole, x: Floats, n: Whole, sums: Floats) -> None:
    # Copies the values to x; n, Σx, Σx², then about the mean Σ|d|, Σd², Σd³, Σd⁴.
    n[:] = 0
    sums[:, :] = 0.0
    for k in range(offsets.size):
        row = values[base + offsets[k] : base + offsets[k] + LANES]
        copy = x[k]
        for lane in range(LANES):
            v = row[lane]
            copy[lane] = v
            there = v < np.inf
            part = v if there else 0.0
            n[lane] += np.int64(there)
            sums[0, lane] += part
            sums[1, lane] += part * part
    for lane in range(LANES):
        sums[6, lane] = sums[0, lane] / max(n[lane], 1)
    for k in range(offsets.size):
        row = x[k]
        for lane in range(LANES):
            d = row[lane] - sums[6, lane] if row[lane] < np.inf else 0.0
            square = d * d
            sums[2, lane] += abs(d)
            sums[3, lane] += square
            sums[4, lane] += square * d
            sums[5, lane] += square * square


@jit.serial
def _robust(x: Floats, n: Whole, out: Floats, column: int) -> None:
    # Mean absolute deviation of the values from the 10th to the 90th percentile, which stand in out.
    total = np.zeros(LANES)
    inside = np.zeros(LANES)
    for k in range(x.shape[0]):
        for lane in range(LANES):
            v = x[k, lane]
            kept = v >= out[4, column + lane] and v <= out[5, column + lane] and k < n[lane]
            total[lane] += v if kept else 0.0
            inside[lane] += 1.0 if kept else 0.0
    for lane in range(LANES):
        total[lane] /= max(inside[lane], 1.0)
        out[12, column + lane] = 0.0
    for k in range(x.shape[0]):
        for lane in range(LANES):
            v = x[k, lane]
            kept = v >= out[4, column + lane] and v <= out[5, column + lane] and k < n[lane]
            out[12, column + lane] += abs(v - total[lane]) if kept else 0.0
    for lane in range(LANES):  # of two different values none is left
        out[12, column + lane] = out[12, column + lane] / inside[lane] if inside[lane] > 0.0 else np.nan


@jit.serial
def add_values(
    values: Floats, base: int, offsets: Whole, comparisons: Whole, voxel_size: float,
    x: Floats, n: Whole, sums: Floats, out: Floats, column: int,
) -> None:  # fmt: skip
    """The features of grey values into columns ``column`` … of ``out``, in the order of NAMES."""
    _moments(values, base, offsets, x, n, sums)
    _sort(x, comparisons)
    for lane in range(LANES):
        c = column + lane
        count = n[lane]
        if count == 0:
            continue
        lowest, highest = x[0, lane], x[count - 1, lane]
        flat = lowest == highest
        m2 = 0.0 if flat else sums[3, lane] / count
        out[0, c] = sums[1, lane]
        out[1, c] = sums[1, lane] * voxel_size
        out[3, c] = lowest
        out[4, c] = _percentile(x, lane, count, 10)
        out[5, c] = _percentile(x, lane, count, 90)
        out[6, c] = highest
        out[7, c] = lowest if flat else sums[6, lane]
        out[8, c] = _percentile(x, lane, count, 50)
        out[9, c] = _percentile(x, lane, count, 75) - _percentile(x, lane, count, 25)
        out[10, c] = highest - lowest
        out[11, c] = 0.0 if flat else sums[2, lane] / count
        out[13, c] = np.sqrt(sums[1, lane] / count)
        third, fourth = sums[4, lane] / count, sums[5, lane] / count
        out[14, c] = third / (m2 * np.sqrt(m2)) if m2 * m2 > 0.0 else 0.0
        out[15, c] = fourth / (m2 * m2) if m2 * m2 > 0.0 else 0.0
        out[16, c] = m2
    _robust(x, n, out, column)


@jit.serial
def add_levels(sums: Floats, log: Whole, n_log_n: Whole, out: Floats) -> None:
    """Entropy and uniformity from the items (rows 0 and 5 of their sums) that single voxels are."""
    count, squares = sums[0], sums[5]
    entropy, uniformity = out[2], out[17]
    for lane in range(log.size):
        n = max(count[lane], 1.0)
        entropy[lane] = float(n_log_n[np.int64(count[lane])] - log[lane]) / (n * _UNIT)
        uniformity[lane] = squares[lane] / (n * n)

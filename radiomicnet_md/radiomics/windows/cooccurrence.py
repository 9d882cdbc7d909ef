# SPDX-License-Identifier: Apache-2.0
"""The GLCM maps but MCC: whole sums over the pairs of a window, then one quotient a feature.

Rules of this module:

- A pair of levels is known by its sum and its difference. Both are taken once a move for the whole line;
  what a window needs of them are sums over a rectangle.
- Matrices are symmetric, one a move; a feature is the mean over the moves that have a pair in the window.
- HXY1 = HXY2 = 2·HX for a symmetric matrix. Where the mutual information 2·HX − HXY is below what the table
  of logarithms can tell from 0 it is 0: by Pinsker's inequality counts of N pairs cannot give less than
  2.8 / (16 N⁴) bits, which is more.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, choose, doubles, splat, store
from radiomicnet_md.radiomics.windows.geometry import LANES
from radiomicnet_md.radiomics.windows.matches import FRACTION, earlier, earlier_weight

NAMES = (
    "Autocorrelation",
    "JointAverage",
    "ClusterProminence",
    "ClusterShade",
    "ClusterTendency",
    "Contrast",
    "Correlation",
    "DifferenceAverage",
    "DifferenceEntropy",
    "DifferenceVariance",
    "JointEnergy",
    "JointEntropy",
    "Imc1",
    "Imc2",
    "Idm",
    "Idmn",
    "Id",
    "Idn",
    "InverseVariance",
    "MaximumProbability",
    "SumAverage",
    "SumEntropy",
    "SumSquares",
    "MCC",
)
SUMS = 8  # pairs, pairs of equal levels, Σs, Σs², Σs³, Σs⁴, Σd, Σd²
WEIGHTS = 5  # functions of d that are summed from a table
_WEIGHT_BITS = 52  # ≤ 648 pairs of a weight ≤ 1 stay below 2**62
_UNIT = float(1 << FRACTION)
_WEIGHT_UNIT = float(1 << _WEIGHT_BITS)
_WHOLE = 1 << FRACTION
_STEP = BYTES // 8

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


@lru_cache(maxsize=32)
def weights(number: int, missing: int) -> Whole:
    """1/(1+d), 1/(1+d²), 1/(1+d/N), 1/(1+d²/N²), 1/d² for each difference d, (WEIGHTS, missing + 1), in 2**-52."""
    one = 1 << _WEIGHT_BITS
    table = np.zeros((WEIGHTS, missing + 1), dtype=np.int64)
    for d in range(number):
        parts = (
            (1, 1 + d),
            (1, 1 + d * d),
            (number, number + d),
            (number * number, number * number + d * d),
            (1 if d else 0, d * d or 1),
        )
        table[:, d] = [(2 * one * above + below) // (2 * below) for above, below in parts]
    return table


@jit.serial
def planes(levels: Counts, missing: int, step: int, sums: Counts, differences: Counts) -> None:
    """Sum and difference of the levels of each pair on the line; ``missing`` in both where a voxel is missing."""
    ahead = levels[step:]
    for p in range(ahead.size):
        i = np.int64(levels[p])
        j = np.int64(ahead[p])
        there = i != missing and j != missing
        sums[p] = i + j if there else missing
        differences[p] = (i - j if i > j else j - i) if there else missing


@jit.serial
def moments(s_line: Counts, d_line: Counts, missing: int, base: int, first: Whole, sums: Floats) -> None:
    """The SUMS over the pairs of each lane's window: whole numbers below 2**53, so any order would do."""
    zero, one, limit = splat(0.0), splat(1.0), splat(float(missing))
    for lane in range(0, LANES, _STEP):
        count, equal, s1, s2, s3, s4, d1, d2 = zero, zero, zero, zero, zero, zero, zero, zero
        for k in range(first.size):
            d = doubles(d_line, base + first[k] + lane)
            there = choose(limit, d, one, zero)
            s = doubles(s_line, base + first[k] + lane) * there
            square = s * s
            count += there
            equal += choose(d, zero, zero, one)
            s1 += s
            s2 += square
            s3 += square * s
            s4 += square * square
            d *= there
            d1 += d
            d2 += d * d
        store(sums[0], lane, count)
        store(sums[1], lane, equal)
        store(sums[2], lane, s1)
        store(sums[3], lane, s2)
        store(sums[4], lane, s3)
        store(sums[5], lane, s4)
        store(sums[6], lane, d1)
        store(sums[7], lane, d2)


@jit.serial
def weigh(
    d_line: Counts, table: Whole, base: int, rows: Whole, left: int, width: int, column: Whole, sums: Whole
) -> None:
    """The WEIGHTS over the pairs of each lane's window, which form a rectangle: down its columns, then along."""
    long = LANES + width - 1
    for w in range(WEIGHTS):
        weight = table[w]
        column[:] = 0
        for row in rows:
            d = d_line[base + row + left : base + row + left + long]
            for q in range(d.size):
                column[q] += weight[d[q]]
        total = sums[w]
        total[:] = column[:LANES]
        for t in range(1, width):
            moved = column[t : t + LANES]
            for lane in range(LANES):
                total[lane] += moved[lane]


@jit.serial
def classes(
    s_line: Counts, d_line: Counts, missing: int, base: int, first: Whole, up: Whole,
    seen: Counts, logs: Whole, energy: Floats,
) -> None:  # fmt: skip
    """Σ c·log₂c over classes of equal sums, differences and pairs; Σc² and the largest cell, diagonal doubled.

    :param seen: scratch (3, at least pairs · LANES)
    """
    logs[:, :] = 0
    none = up.size - 1
    for k in range(first.size):
        start = k * LANES
        by_sum, by_difference, by_pair = seen[0, start:], seen[1, start:], seen[2, start:]
        earlier(s_line, d_line, base, first, k, by_sum, by_difference, by_pair)
        d = d_line[base + first[k] : base + first[k] + LANES]
        for part in range(3):
            count = seen[part, start : start + LANES]
            log = logs[part]
            for lane in range(LANES):
                log[lane] += up[count[lane] if d[lane] != missing else none]
    _add_energy(d_line, missing, base, first, seen[2], energy)


@jit.serial
def _add_energy(d_line: Counts, missing: int, base: int, first: Whole, seen: Counts, energy: Floats) -> None:
    zero, one, two, limit = splat(0.0), splat(1.0), splat(2.0), splat(float(missing))
    for lane in range(0, LANES, _STEP):
        squares, largest = zero, zero
        for k in range(first.size):
            d = doubles(d_line, base + first[k] + lane)
            double = choose(d, zero, choose(limit, d, one, zero), two)
            count = doubles(seen, k * LANES + lane) + one
            squares += double * (count + count - one)
            cell = double * count
            largest = choose(cell, largest, cell, largest)
        store(energy[0], lane, squares)
        store(energy[1], lane, largest)


@jit.serial
def marginal(
    levels: Counts, missing: int, base: int, offsets: Whole, first_index: Whole, second_index: Whole,
    rises: Whole, weight: Counts, seen: Counts, log: Whole,
) -> None:  # fmt: skip
    """Σ c·log₂c over the levels of each lane's window, each voxel counted as often as it stands in a pair."""
    weight[:, :] = 0
    for k in range(first_index.size):
        a = first_index[k]
        b = second_index[k]
        row_a = levels[base + offsets[a] : base + offsets[a] + LANES]
        row_b = levels[base + offsets[b] : base + offsets[b] + LANES]
        weight_a = weight[a]
        weight_b = weight[b]
        for lane in range(LANES):
            there = np.uint8((row_a[lane] != missing) & (row_b[lane] != missing))
            weight_a[lane] += there
            weight_b[lane] += there
    log[:] = 0
    for q in range(offsets.size):
        earlier_weight(levels, base, offsets, weight, q, seen)
        weight_q = weight[q]
        for lane in range(LANES):
            log[lane] += rises[weight_q[lane], seen[lane]]


_INVERSE_FACTORIAL = (1 / np.cumprod(np.arange(1, 19, dtype=np.float64)))[::-1].copy()  # 1/18! … 1/1!
_LOG2_E = float.fromhex("0x1.71547652b82fep+0")
_POWERS = 0.5 ** np.arange(64)
EXPONENTIAL = (_INVERSE_FACTORIAL, _POWERS)  # kernels take their tables as arguments
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # 36 bits: k · this is exact
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")


@jit.serial
def _root_of_one_minus_exp(x: Floats, scratch: Floats, inverse_factorial: Floats, powers: Floats) -> None:
    # √(1 − e^−x) for 0 ≤ x < 40 in x's place, by the series after taking out powers of 2: no libm.
    r = scratch[0]
    total = scratch[1]
    for lane in range(LANES):
        k = float(int(x[lane] * _LOG2_E))
        r[lane] = k * _LN2_HIGH - x[lane] + k * _LN2_LOW  # −ln 2 < r ≤ 0
        total[lane] = 0.0
    for coefficient in inverse_factorial:
        for lane in range(LANES):
            total[lane] = (total[lane] + coefficient) * r[lane]
    for lane in range(LANES):
        power = powers[int(x[lane] * _LOG2_E)]
        x[lane] = np.sqrt((1.0 - power) - power * total[lane])


@jit.serial
def _add_ratio(total: Counts, n: Floats, scale: float, out: Floats) -> None:
    for lane in range(LANES):
        out[lane] += float(total[lane]) / (n[lane] * scale)


@jit.serial
def _add_moments(sums: Floats, n: Floats, c: Floats, out: Floats) -> None:
    # Moments about a whole number near the mean: exact, and nothing cancels.
    s1, s2, s3, s4 = sums[2], sums[3], sums[4], sums[5]
    c1, c2, c3, c4 = c[0], c[1], c[2], c[3]
    for lane in range(LANES):
        t = np.floor(s1[lane] / n[lane])
        c1[lane] = s1[lane] - n[lane] * t
        c2[lane] = s2[lane] - 2 * t * s1[lane] + n[lane] * t * t
    for lane in range(LANES):
        t = np.floor(s1[lane] / n[lane])
        c3[lane] = s3[lane] - 3 * t * s2[lane] + 3 * t * t * s1[lane] - n[lane] * t * t * t
    for lane in range(LANES):
        t = np.floor(s1[lane] / n[lane])
        tail = 6 * t * t * s2[lane] - 4 * t * t * t * s1[lane] + n[lane] * t * t * t * t
        c4[lane] = s4[lane] - 4 * t * s3[lane] + tail
    prominence, shade, tendency = out[2], out[3], out[4]
    for lane in range(LANES):
        m = c1[lane] / n[lane]
        inner = 6 * (c2[lane] / n[lane]) - 3 * (m * m)
        prominence[lane] += c4[lane] / n[lane] - m * (4 * (c3[lane] / n[lane]) - m * inner)
    for lane in range(LANES):
        cube = n[lane] * n[lane] * n[lane]
        third = n[lane] * n[lane] * c3[lane] - 3 * n[lane] * c1[lane] * c2[lane]
        shade[lane] += (third + 2 * c1[lane] * c1[lane] * c1[lane]) / cube
    for lane in range(LANES):
        tendency[lane] += (n[lane] * c2[lane] - c1[lane] * c1[lane]) / (n[lane] * n[lane])


@jit.serial
def _add_products(sums: Floats, n: Floats, out: Floats) -> None:
    # What the products of the levels give: Σ ij = (Σ s² − Σ d²) / 4, Σ (i² + j²) = (Σ s² + Σ d²) / 2.
    count, s1, s2, d1, d2 = sums[0], sums[2], sums[3], sums[6], sums[7]
    autocorrelation, correlation, difference, squares = out[0], out[6], out[9], out[22]
    for lane in range(LANES):
        autocorrelation[lane] += (s2[lane] - d2[lane]) / (4 * n[lane])
    for lane in range(LANES):
        square = s1[lane] * s1[lane]
        spread = n[lane] * (s2[lane] + d2[lane]) - square
        shared = n[lane] * (s2[lane] - d2[lane]) - square
        flat = 1.0 if count[lane] > 0.0 else 0.0
        correlation[lane] += shared / spread if spread > 0.0 else flat
    for lane in range(LANES):
        difference[lane] += (n[lane] * d2[lane] - d1[lane] * d1[lane]) / (n[lane] * n[lane])
    for lane in range(LANES):
        squares[lane] += (n[lane] * (s2[lane] + d2[lane]) - s1[lane] * s1[lane]) / (4 * n[lane] * n[lane])


@jit.serial
def _add_entropies(
    sums: Floats, logs: Whole, marginal_log: Whole, n_log_n: Whole, n: Floats, scratch: Floats, exponential: Any,
    out: Floats,
) -> None:  # fmt: skip
    count, equal = sums[0], sums[1]
    by_sum, by_difference, by_pair = logs[0], logs[1], logs[2]
    for lane in range(LANES):  # N · entropy, in the place of Σ c log c; N · HXY for the pairs
        by_sum[lane] = n_log_n[np.int64(count[lane])] - by_sum[lane]
    for lane in range(LANES):
        by_difference[lane] = n_log_n[np.int64(count[lane])] - by_difference[lane]
    for lane in range(LANES):
        apart = np.int64(count[lane] - equal[lane])
        by_pair[lane] = n_log_n[np.int64(count[lane])] + apart * _WHOLE - by_pair[lane]
    for lane in range(LANES):  # 2N · HX
        marginal_log[lane] = n_log_n[2 * np.int64(count[lane])] - marginal_log[lane]
    _add_ratio(by_sum, n, _UNIT, out[21])
    _add_ratio(by_difference, n, _UNIT, out[8])
    _add_ratio(by_pair, n, _UNIT, out[11])
    first, second, exponent = out[12], out[13], scratch[2]
    for lane in range(LANES):
        shared = marginal_log[lane] - by_pair[lane]  # N · (2 HX − HXY)
        shared = shared if shared > 2 * np.int64(count[lane]) + 2 else 0
        single = marginal_log[lane] if marginal_log[lane] > 0 else 1
        first[lane] -= float(2 * shared) / float(single)
        exponent[lane] = float(2 * shared) / (n[lane] * _UNIT)
    _root_of_one_minus_exp(exponent, scratch, exponential[0], exponential[1])
    for lane in range(LANES):
        second[lane] += exponent[lane]


@jit.serial
def add_features(
    sums: Floats, weighed: Whole, logs: Whole, energy: Floats, marginal_log: Whole, n_log_n: Whole,
    exponential: Any, scratch: Floats, out: Floats, used: Whole,
) -> None:  # fmt: skip
    """Add one move's features, in the order of NAMES, to each lane; all are 0 where it has no pair."""
    n = scratch[0]
    count = sums[0]
    for lane in range(LANES):
        used[lane] += np.int64(count[lane] > 0.0)
        n[lane] = max(count[lane], 1.0)
    _add_moments(sums, n, scratch[1:5], out)
    _add_products(sums, n, out)
    _add_ratio(sums[2], n, 2.0, out[1])
    _add_ratio(sums[7], n, 1.0, out[5])
    _add_ratio(sums[6], n, 1.0, out[7])
    _add_ratio(weighed[0], n, _WEIGHT_UNIT, out[16])
    _add_ratio(weighed[1], n, _WEIGHT_UNIT, out[14])
    _add_ratio(weighed[2], n, _WEIGHT_UNIT, out[17])
    _add_ratio(weighed[3], n, _WEIGHT_UNIT, out[15])
    _add_ratio(weighed[4], n, _WEIGHT_UNIT, out[18])
    _add_ratio(energy[1], n, 2.0, out[19])
    _add_ratio(sums[2], n, 1.0, out[20])
    mean_energy, square = out[10], energy[0]
    for lane in range(LANES):
        mean_energy[lane] += square[lane] / (2 * n[lane] * n[lane])
    _add_entropies(sums, logs, marginal_log, n_log_n, n, scratch[1:4], exponential, out)

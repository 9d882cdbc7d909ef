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

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.windows.geometry import LANES
from radiomicnet_md.radiomics.windows.matches import FRACTION, earlier

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
WEIGHTS = 5  # functions of |i − j| that are summed from a table
SUMS = 8 + WEIGHTS
_WEIGHT_BITS = 52  # ≤ 648 pairs of a weight ≤ 1 stay below 2**62
_UNIT = float(1 << FRACTION)
_WEIGHT_UNIT = float(1 << _WEIGHT_BITS)
_WHOLE = 1 << FRACTION

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


def weights(number: int, missing: int) -> Whole:
    """1/(1+d), 1/(1+d²), 1/(1+d/N), 1/(1+d²/N²), 1/d² for each difference d, (missing + 1, WEIGHTS), in 2**-52."""
    one = 1 << _WEIGHT_BITS
    table = np.zeros((missing + 1, WEIGHTS), dtype=np.int64)
    for d in range(number):
        parts = (
            (1, 1 + d),
            (1, 1 + d * d),
            (number, number + d),
            (number * number, number * number + d * d),
            (1 if d else 0, d * d or 1),
        )
        table[d] = [(2 * one * above + below) // (2 * below) for above, below in parts]
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
def _add_row(s_row: Counts, d_row: Counts, missing: int, table: Whole, columns: Whole) -> None:
    # One row of pairs into the sums of columns: pairs, equal pairs, Σs … Σs⁴, Σd, Σd², five weights.
    for q in range(s_row.size):
        there = d_row[q] != missing
        s = np.int64(s_row[q]) if there else 0
        d = np.int64(d_row[q]) if there else 0
        square = s * s
        columns[0, q] += np.int64(there)
        columns[1, q] += np.int64(d_row[q] == 0)
        columns[2, q] += s
        columns[3, q] += square
        columns[4, q] += square * s
        columns[5, q] += square * square
        columns[6, q] += d
        columns[7, q] += d * d
    for w in range(WEIGHTS):
        column = columns[8 + w]
        for q in range(s_row.size):
            column[q] += table[d_row[q], w]


@jit.serial
def rectangle(  # noqa: PLR0913 - a kernel takes plain values
    s_line: Counts, d_line: Counts, missing: int, table: Whole, base: int, rows: Whole, left: int, width: int,
    columns: Whole, sums: Whole,
) -> None:  # fmt: skip
    """All sums over the pairs of each lane's window: columns first, then along the row."""
    long = LANES + width - 1
    columns[:, :] = 0
    for row in rows:
        start = base + row + left
        _add_row(s_line[start : start + long], d_line[start : start + long], missing, table, columns[:, :long])
    for part in range(SUMS):
        column = columns[part]
        total = sums[part]
        total[:] = column[:LANES]
        for t in range(1, width):
            moved = column[t : t + LANES]
            for lane in range(LANES):
                total[lane] += moved[lane]


@jit.serial
def classes(  # noqa: PLR0913 - a kernel takes plain values
    s_line: Counts, d_line: Counts, missing: int, base: int, first: Whole, up: Whole,
    counts: Counts, logs: Whole, energy: Whole,
) -> None:  # fmt: skip
    """Σ c·log₂c over classes of equal sums, differences and pairs; Σc² and the largest cell, diagonal doubled."""
    logs[:, :] = 0
    energy[:, :] = 0
    none = up.size - 1
    for k in range(first.size):
        earlier(s_line, d_line, base, first, k, counts[0], counts[1], counts[2])
        d_row = d_line[base + first[k] : base + first[k] + LANES]
        for lane in range(LANES):
            there = d_row[lane] != missing
            logs[0, lane] += up[counts[0, lane] if there else none]
            logs[1, lane] += up[counts[1, lane] if there else none]
            logs[2, lane] += up[counts[2, lane] if there else none]
        for lane in range(LANES):
            there = np.int64(d_row[lane] != missing)
            double = 1 + np.int64(d_row[lane] == 0)
            seen = np.int64(counts[2, lane])
            cell = there * double * (seen + 1)
            energy[0, lane] += there * double * (2 * seen + 1)
            energy[1, lane] = max(energy[1, lane], cell)


@jit.serial
def marginal(  # noqa: PLR0913 - a kernel takes plain values
    levels: Counts, missing: int, base: int, offsets: Whole, first_index: Whole, second_index: Whole,
    up: Whole, weight: Counts, seen: Counts, log: Whole,
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
        seen[:] = 0
        here = levels[base + offsets[q] : base + offsets[q] + LANES]
        for p in range(q):
            there_row = levels[base + offsets[p] : base + offsets[p] + LANES]
            weight_p = weight[p]
            for lane in range(LANES):
                seen[lane] += weight_p[lane] if here[lane] == there_row[lane] else np.uint8(0)
        weight_q = weight[q]
        for lane in range(LANES):
            log[lane] += up[seen[lane]] if weight_q[lane] > 0 else 0
            log[lane] += up[seen[lane] + 1] if weight_q[lane] > 1 else 0


_INVERSE_FACTORIAL = (1 / np.cumprod(np.arange(1, 19, dtype=np.float64)))[::-1].copy()  # 1/18! … 1/1!
_POWERS = 0.5 ** np.arange(64)
EXPONENTIAL = (_INVERSE_FACTORIAL, _POWERS)  # kernels take their tables as arguments
_LN2_HIGH = float.fromhex("0x1.62e42fefa0000p-1")  # 36 bits: k · this is exact
_LN2_LOW = float.fromhex("0x1.cf79abc9e3b3ap-40")


@jit.serial
def _one_minus_exp(x: float, inverse_factorial: Floats, powers: Floats) -> float:
    # 1 − e^−x for 0 ≤ x < 40 by its series after taking out powers of 2: additions and products only.
    k = int(x * 1.4426950408889634)
    r = k * _LN2_HIGH - x + k * _LN2_LOW  # −ln 2 < r ≤ 0
    total = 0.0
    for coefficient in inverse_factorial:
        total = (total + coefficient) * r
    return (1.0 - powers[k]) - powers[k] * total


@jit.serial
def add_features(  # noqa: PLR0913 - a kernel takes plain values
    sums: Whole, logs: Whole, energy: Whole, marginal_log: Whole, n_log_n: Whole,
    inverse_factorial: Floats, powers: Floats, out: Floats, used: Whole,
) -> None:  # fmt: skip
    """Add one move's features, in the order of NAMES, to each lane that has a pair."""
    for lane in range(LANES):
        count = sums[0, lane]
        if count == 0:
            continue
        used[lane] += 1
        n = float(count)
        s1, s2, s3, s4 = float(sums[2, lane]), float(sums[3, lane]), float(sums[4, lane]), float(sums[5, lane])
        d1, d2 = float(sums[6, lane]), float(sums[7, lane])
        t = np.floor(s1 / n)  # moments about a whole number near the mean: exact, and nothing cancels
        c1 = s1 - n * t
        c2 = s2 - 2 * t * s1 + n * t * t
        c3 = s3 - 3 * t * s2 + 3 * t * t * s1 - n * t * t * t
        c4 = s4 - 4 * t * s3 + 6 * t * t * s2 - 4 * t * t * t * s1 + n * t * t * t * t
        m = c1 / n
        spread = n * (s2 + d2) - s1 * s1
        out[0, lane] += (s2 - d2) / (4 * n)
        out[1, lane] += s1 / (2 * n)
        out[2, lane] += c4 / n - m * (4 * (c3 / n) - m * (6 * (c2 / n) - 3 * (m * m)))
        out[3, lane] += (n * n * c3 - 3 * n * c1 * c2 + 2 * c1 * c1 * c1) / (n * n * n)
        out[4, lane] += (n * c2 - c1 * c1) / (n * n)
        out[5, lane] += d2 / n
        out[6, lane] += (n * (s2 - d2) - s1 * s1) / spread if spread > 0 else 1.0
        out[7, lane] += d1 / n
        out[9, lane] += (n * d2 - d1 * d1) / (n * n)
        out[10, lane] += float(energy[0, lane]) / (2 * n * n)
        for w in range(WEIGHTS):
            out[(16, 14, 17, 15, 18)[w], lane] += float(sums[8 + w, lane]) / (n * _WEIGHT_UNIT)
        out[19, lane] += float(energy[1, lane]) / (2 * n)
        out[20, lane] += s1 / n
        out[22, lane] += spread / (4 * n * n)
        whole = n_log_n[count]
        joint = whole + (count - sums[1, lane]) * _WHOLE - logs[2, lane]  # N · HXY
        single = n_log_n[2 * count] - marginal_log[lane]  # 2N · HX
        shared = single - joint  # N · (2 HX − HXY)
        out[8, lane] += float(whole - logs[1, lane]) / (n * _UNIT)
        out[11, lane] += float(joint) / (n * _UNIT)
        out[21, lane] += float(whole - logs[0, lane]) / (n * _UNIT)
        if shared > 2 * count + 2:
            out[12, lane] -= float(2 * shared) / float(single)
            out[13, lane] += np.sqrt(_one_minus_exp(float(2 * shared) / (n * _UNIT), inverse_factorial, powers))

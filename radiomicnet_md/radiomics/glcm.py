# SPDX-License-Identifier: Apache-2.0
"""Grey level co-occurrence in windows: integer counts only, one division a feature.

Rules of this module:

- A pair counts when both its pixels lie in the window (clipped at the image's border), as in
  PyRadiomics' voxel-based extraction without a mask; matrices are symmetric, one an angle, and the
  five features are averaged over the angles that have pairs.
- Every accumulator is an integer, so order, threads and instruction set cannot matter. What follows
  (division, addition of at most ``4 * distances`` values in fixed order) is rounded by IEEE 754.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit

FEATURES = ("glcm_Contrast", "glcm_DifferenceAverage", "glcm_Idm", "glcm_JointEnergy", "glcm_Correlation")
ANGLES = ((0, 1), (1, 0), (1, 1), (1, -1))  # 0°, 90°, 135°, 45° at distance 1: (row step, column step)
_INVERSE_BITS = 46  # fraction bits of 1/(1 + d²)
_STRIP = 1 << 16  # pixels whose pairs one int64 sum takes, whatever their levels

Integers = NDArray[np.int64]


def steps(distances: tuple[int, ...]) -> NDArray[np.int64]:
    """All (row, column) steps of the four angles at the given Chebyshev distances, shape (4·n, 2)."""
    return np.array([(d * r, d * c) for d in distances for r, c in ANGLES], dtype=np.int64)


def _inverse_table(levels: int) -> NDArray[np.int64]:
    """``1 / (1 + d²)`` for 0 ≤ d < levels in units of 2**-46, rounded to nearest.

    Homogeneity is therefore within 2**-47 of exact: 3e-11 relative at worst for 64 levels.
    """
    one = 1 << _INVERSE_BITS
    return np.array([(2 * one + 1 + d * d) // (2 * (1 + d * d)) for d in range(levels)], dtype=np.int64)


@jit.serial
def _update(sums: Integers, counts: Integers, inverse: Integers, i: np.int64, j: np.int64, sign: int) -> None:  # noqa: PLR0913
    # sums: pairs, Σ(i+j), Σ(i²+j²), Σij, Σ|i−j|, Σ(i−j)², Σ1/(1+d²), Σ of squared symmetric counts
    d = i - j if i > j else j - i
    sums[0] += sign
    sums[1] += sign * (i + j)
    sums[2] += sign * (i * i + j * j)
    sums[3] += sign * i * j
    sums[4] += sign * d
    sums[5] += sign * d * d
    sums[6] += sign * inverse[d]
    old = counts[i, j]
    if i == j:
        sums[7] += 4 * sign * old + 4
        counts[i, j] = old + 2 * sign
    else:
        sums[7] += 2 * (2 * sign * old + 1)
        counts[i, j] = old + sign
        counts[j, i] = old + sign


@jit.serial
def _column(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers,
    top: int,
    bottom: int,
    row_step: int,
    first: int,
    second: int,
    sums: Integers,
    counts: Integers,
    inverse: Integers,
    sign: int,
) -> None:
    # All pairs of one window column: the first pixel in column `first`, the second in `second`.
    if first < 0 or second < 0 or first >= levels.shape[1] or second >= levels.shape[1]:
        return
    for row in range(top, bottom - row_step):
        _update(sums, counts, inverse, np.int64(levels[row, first]), np.int64(levels[row + row_step, second]), sign)


def _features(sums: Integers | list[int], out: NDArray[np.float64]) -> None:
    # Adds one angle's five features. Also called with Python's integers, which no sum can overflow.
    n = sums[0]
    out[0] += sums[5] / n
    out[1] += sums[4] / n
    out[2] += sums[6] / (n * np.float64(1 << 46))
    out[3] += sums[7] / np.float64(4 * n * n)
    spread = 2 * n * sums[2] - sums[1] * sums[1]
    if spread == 0:
        out[4] += 1.0
    else:
        out[4] += (4 * n * sums[3] - sums[1] * sums[1]) / spread


_window_features = jit.serial(_features)


@jit.serial
def _slide(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers,
    row: int,
    radius: int,
    step: int,
    move: Integers,
    counts: Integers,
    inverse: Integers,
    out: NDArray[np.float64],
    used: Integers,
) -> None:
    # One angle along one row of windows: a column of pairs enters, a column of pairs leaves.
    row_step = move[0]
    column_step = move[1]
    lead = max(-column_step, 0)  # distance of the pair's first pixel from its left end
    span = abs(column_step)
    if span > 2 * radius or row_step > 2 * radius:
        return  # no pair fits into a window
    top = max(row - radius, 0)
    bottom = min(row + radius + 1, levels.shape[0])
    sums = np.zeros(8, dtype=np.int64)
    counts[:, :] = 0
    for left in range(max(radius - span + 1, 0)):
        first = left + lead
        _column(levels, top, bottom, row_step, first, first + column_step, sums, counts, inverse, 1)
    for column in range(levels.shape[1]):
        if column % step == 0 and sums[0] > 0:
            _window_features(sums, out[:, column // step])
            used[column // step] += 1
        if column - radius >= 0:
            first = column - radius + lead
            _column(levels, top, bottom, row_step, first, first + column_step, sums, counts, inverse, -1)
        if column + 1 + radius - span >= 0:
            first = column + 1 + radius - span + lead
            _column(levels, top, bottom, row_step, first, first + column_step, sums, counts, inverse, 1)


@jit.parallel
def _dense(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers, radius: int, step: int, moves: Integers, inverse: Integers, number: int
) -> NDArray[np.float64]:
    rows, columns = levels.shape
    out_rows = (rows + step - 1) // step
    out_columns = (columns + step - 1) // step
    out = np.zeros((5, out_rows, out_columns), dtype=np.float64)
    for out_row in prange(out_rows):
        line = np.zeros((5, out_columns), dtype=np.float64)
        used = np.zeros(out_columns, dtype=np.int64)
        counts = np.zeros((number, number), dtype=np.int64)
        for move in range(moves.shape[0]):
            _slide(levels, out_row * step, radius, step, moves[move], counts, inverse, line, used)
        for out_column in range(out_columns):
            if used[out_column] > 0:
                out[:, out_row, out_column] = line[:, out_column] / used[out_column]
    return out


def dense(
    levels: NDArray[np.integer], radius: int, *, distances: tuple[int, ...] = (1,), step: int = 1
) -> NDArray[np.float64]:
    """The five features in a window around every ``step``-th pixel.

    :param levels: grey levels 0 … N−1, shape (rows, columns)
    :param radius: window radius in pixels: the window is (2·radius + 1)²; at most 180 (sums are int64)
    :returns: float64 (5, ⌈rows/step⌉, ⌈columns/step⌉) in the order of :data:`FEATURES`
    """
    number = int(levels.max()) + 1
    plain = np.ascontiguousarray(levels, dtype=np.int64)
    return np.asarray(_dense(plain, radius, step, steps(distances), _inverse_table(number), number))


def whole(levels: NDArray[np.integer], *, distances: tuple[int, ...] = (1,)) -> NDArray[np.float64]:
    """The five features of the whole image, shape (5,): one window that covers it."""
    plain = np.ascontiguousarray(levels, dtype=np.int64)
    inverse = _inverse_table(int(plain.max()) + 1)
    total = np.zeros(5)
    used = 0
    for row_step, column_step in steps(distances).tolist():
        sums = _whole_sums(plain, row_step, column_step, inverse)
        if sums[0]:
            _features(sums, total)
            used += 1
    return total / max(used, 1)


def _whole_sums(levels: Integers, row_step: int, column_step: int, inverse: Integers) -> list[int]:
    """The eight sums over all pairs of one step, strip by strip of rows."""
    rows, columns = levels.shape
    counts = np.zeros((inverse.size, inverse.size), dtype=np.int64)
    totals = [0] * 8
    height = max(1, _STRIP // columns)
    for top in range(0, rows - row_step, height):
        sums = np.zeros(8, dtype=np.int64)
        bottom = min(top + height, rows - row_step) + row_step
        for first in range(columns):
            _column(levels, top, bottom, row_step, first, first + column_step, sums, counts, inverse, 1)
        totals = [total + part for total, part in zip(totals, sums.tolist(), strict=True)]
    return totals

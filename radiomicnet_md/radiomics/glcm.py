# SPDX-License-Identifier: Apache-2.0
"""Grey level co-occurrence in windows: integer counts only, one division a feature.

Rules of this module:

- A pair counts when both its pixels lie in the window (clipped at the image's border), as in
  PyRadiomics' voxel-based extraction without a mask; matrices are symmetric, one an angle, and the
  five features are averaged over the angles that have pairs.
- Every accumulator is an integer, so order, threads and instruction set cannot matter. What follows
  (division, addition of at most ``4 * distances`` values in fixed order) is rounded by IEEE 754.
- Sums over a window are differences of running sums; those may wrap around, the difference does not. Only the sum
  of squared counts needs the counts themselves: a column of pairs enters the window, a column leaves.
- Rows of windows are counted side by side, one a lane; a stripe of them is measured by one thread.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import load, store

FEATURES = ("glcm_Contrast", "glcm_DifferenceAverage", "glcm_Idm", "glcm_JointEnergy", "glcm_Correlation")
ANGLES = ((0, 1), (1, 0), (1, 1), (1, -1))  # 0°, 90°, 135°, 45° at distance 1: (row step, column step)
_INVERSE_BITS = 46  # fraction bits of 1/(1 + d²)
_STRIP = 1 << 16  # pixels whose pairs one int64 sum takes, whatever their levels
_LANES = 16  # whole numbers of four bytes in a vector: rows of windows that are counted side by side

Integers = NDArray[np.int64]
Keys = NDArray[np.uint32]
Floats = NDArray[np.float64]


def steps(distances: tuple[int, ...]) -> NDArray[np.int64]:
    """All (row, column) steps of the four angles at the given Chebyshev distances, shape (4·n, 2)."""
    return np.array([(d * r, d * c) for d in distances for r, c in ANGLES], dtype=np.int64)


def _inverse_table(levels: int) -> NDArray[np.int64]:
    """``1 / (1 + d²)`` for 0 ≤ d < levels in units of 2**-46, rounded to nearest.

    Homogeneity is therefore within 2**-47 of exact: 3e-11 relative at worst for 64 levels.
    """
    one = 1 << _INVERSE_BITS
    return np.array([(2 * one + 1 + d * d) // (2 * (1 + d * d)) for d in range(levels)], dtype=np.int64)


def _homogeneity(n: int, inverse: int) -> float:
    return float(inverse / (n * np.float64(1 << 46)))


def _energy(n: int, squares: int) -> float:
    return float(squares / np.float64(4 * n * n))


def _correlation(n: int, total: int, squares: int, products: int) -> float:
    # Σ(i+j), Σ(i²+j²), Σij over n pairs
    spread = 2 * n * squares - total * total
    return (4 * n * products - total * total) / spread if spread != 0 else 1.0


_homogeneity_of = jit.serial(_homogeneity)  # the plain ones take Python's integers, which no sum can overflow
_energy_of = jit.serial(_energy)
_correlation_of = jit.serial(_correlation)


@jit.serial
def _key(i: int, j: int) -> int:
    """The number of a pair of levels in either order, doubled; with 1 added for a pair of equal levels."""
    low, high = min(i, j), max(i, j)
    return high * (high + 1) + 2 * low + (low == high)


@jit.serial
def _fill_keys(first: Integers, second: Integers, out: Keys) -> None:
    for p in range(first.size):
        out[p] = _key(first[p], second[p])


@jit.serial
def _fill_sums(first: Integers, second: Integers, inverse: Integers, above: Integers, here: Integers) -> None:
    """Running sums down each column of pairs: Σ(i+j), Σ(i²+j²), Σij, Σ|i−j|, Σ1/(1+d²)."""
    up, down = above[0], here[0]
    for p in range(first.size):
        down[p] = up[p] + first[p] + second[p]
    up, down = above[1], here[1]
    for p in range(first.size):
        down[p] = up[p] + first[p] * first[p] + second[p] * second[p]
    up, down = above[2], here[2]
    for p in range(first.size):
        down[p] = up[p] + first[p] * second[p]
    up, down = above[3], here[3]
    for p in range(first.size):
        down[p] = up[p] + abs(first[p] - second[p])
    up, down = above[4], here[4]
    for p in range(first.size):
        down[p] = up[p] + inverse[abs(first[p] - second[p])]


@jit.serial
def _window_sums(  # noqa: PLR0913 - a kernel takes plain values
    above: Integers, below: Integers, left: Integers, right: Integers, across: Integers, out: Integers
) -> None:
    """The sum over each window of a row, from the running sums above it and at its last row of pairs."""
    total = np.int64(0)
    across[0] = 0
    for p in range(above.size):
        total += below[p] - above[p]
        across[p + 1] = total
    for c in range(out.size):
        out[c] = across[right[c]] - across[left[c]]


@jit.serial
def _turn(keys: Keys, weights: Keys, parts: Keys, counts: Keys, growth: Keys) -> None:
    """A column of pairs enters the windows of a stripe, one window a lane; or leaves, where weights are negative."""
    # c pairs of unequal levels are two cells of c in the symmetric matrix, c pairs of equal levels one cell of 2c.
    # With s = c and weight 1, or s = 2c and weight 2, the sum of squared cells is twice the sum of s² / weight,
    # which changes by s + (s + weight) with a pair.
    grown = load(growth, 0) - load(growth, 0)
    for row in range(keys.size):
        key = np.int64(keys[row])
        old = load(counts, (key >> 1) * _LANES)
        new = old + load(weights, (2 * row + (key & 1)) * _LANES)
        store(counts, (key >> 1) * _LANES, new)
        grown += (old + new) & load(parts, row * _LANES)
    store(growth, 0, grown)


@jit.serial
def _squares(  # noqa: PLR0913 - a kernel takes plain values
    keys: Keys, tops: Integers, bottoms: Integers, left: Integers, right: Integers, counts: Keys, out: Integers
) -> None:
    """The sums of squared symmetric counts of a stripe's windows, out (columns, lanes).

    ``keys`` (columns of pairs, rows of pairs); ``counts`` (pairs of levels · lanes) is all 0 before and after.
    """
    parts = np.zeros((keys.shape[1], _LANES), dtype=np.uint32)
    weights = np.zeros((keys.shape[1], 2, _LANES), dtype=np.uint32)
    for r in range(tops.size):
        parts[tops[r] : bottoms[r], r] = 0xFFFFFFFF
        weights[tops[r] : bottoms[r], 0, r] = 1
        weights[tops[r] : bottoms[r], 1, r] = 2
    part, entering = parts.reshape(-1), weights.reshape(-1)
    leaving = np.zeros_like(entering) - entering  # modulo 2³²
    growth = np.empty(_LANES, dtype=np.uint32)
    half = np.zeros(_LANES, dtype=np.int64)
    entered, gone = 0, 0
    for c in range(left.size):
        while entered < right[c]:
            _turn(keys[entered], entering, part, counts, growth)
            for lane in range(_LANES):
                half[lane] += growth[lane]
            entered += 1
        while gone < left[c]:
            _turn(keys[gone], leaving, part, counts, growth)
            for lane in range(_LANES):
                half[lane] -= growth[lane]
            gone += 1
        line = out[c]
        for lane in range(_LANES):
            line[lane] = 2 * half[lane]
    while gone < entered:
        _turn(keys[gone], leaving, part, counts, growth)
        gone += 1


@jit.serial
def _add_features(n: Integers, sums: Integers, out: Floats, used: Integers) -> None:
    """Add one angle's five features to a row of windows; sums as in :func:`_fill_sums`, then the squared counts."""
    contrast, difference, homogeneity, energy, correlation = out[0], out[1], out[2], out[3], out[4]
    total, squares, products, distance, inverse, counts = sums[0], sums[1], sums[2], sums[3], sums[4], sums[5]
    for c in range(n.size):
        contrast[c] += (squares[c] - 2 * products[c]) / n[c] if n[c] > 0 else 0.0
    for c in range(n.size):
        difference[c] += distance[c] / n[c] if n[c] > 0 else 0.0
    for c in range(n.size):
        homogeneity[c] += _homogeneity_of(n[c], inverse[c]) if n[c] > 0 else 0.0
    for c in range(n.size):
        energy[c] += _energy_of(n[c], counts[c]) if n[c] > 0 else 0.0
    for c in range(n.size):
        correlation[c] += _correlation_of(n[c], total[c], squares[c], products[c]) if n[c] > 0 else 0.0
    for c in range(n.size):
        used[c] += n[c] > 0


@jit.serial
def _collect(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers, start: int, row_step: int, column_step: int, inverse: Integers, keys: Keys, running: Integers
) -> None:
    """The keys (columns, rows) and the running sums (rows + 1, 5, columns) of the rows of pairs from ``start`` on."""
    n = keys.shape[0]
    lead = max(-column_step, 0)  # distance of the pair's first pixel from its left end
    line = np.empty(n, dtype=np.uint32)
    running[0] = 0
    for row in range(keys.shape[1]):
        first = levels[start + row][lead : lead + n]
        second = levels[start + row + row_step][lead + column_step : lead + column_step + n]
        _fill_sums(first, second, inverse, running[row], running[row + 1])
        _fill_keys(first, second, line)
        for p in range(n):
            keys[p, row] = line[p]


@jit.serial
def _stripe(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers, radius: int, step: int, begin: int, row_step: int, column_step: int,
    inverse: Integers, counts: Keys, out: Floats, used: Integers,
) -> None:  # fmt: skip
    """One angle in the windows of the rows from ``begin`` on: out (rows, 5, columns), used (rows, columns)."""
    rows, columns = levels.shape
    span = abs(column_step)
    n = max(columns - span, 0)
    start = max(begin * step - radius, 0)
    end = max(min((begin + out.shape[0] - 1) * step + radius + 1, rows) - row_step, start)
    keys = np.empty((n, end - start), dtype=np.uint32)
    running = np.empty((end - start + 1, 5, n), dtype=np.int64)
    _collect(levels, start, row_step, column_step, inverse, keys, running)
    tops = np.empty(out.shape[0], dtype=np.int64)  # a window's pairs: rows top … bottom − 1, columns left … right − 1
    bottoms = np.empty_like(tops)
    for r in range(tops.size):
        row = (begin + r) * step
        tops[r] = min(max(row - radius, 0), end) - start
        bottoms[r] = max(min(row + radius + 1, rows) - row_step - start, tops[r])
    left = np.empty(out.shape[2], dtype=np.int64)
    right = np.empty_like(left)
    for c in range(left.size):
        left[c] = min(max(c * step - radius, 0), n)
        right[c] = max(min(c * step + radius + 1, columns) - span, left[c])
    squares = np.empty((left.size, _LANES), dtype=np.int64)
    _squares(keys, tops, bottoms, left, right, counts, squares)
    pairs = np.empty_like(left)
    sums = np.empty((6, left.size), dtype=np.int64)
    across = np.empty(n + 1, dtype=np.int64)
    for r in range(tops.size):
        for k in range(5):
            _window_sums(running[tops[r], k], running[bottoms[r], k], left, right, across, sums[k])
        for c in range(left.size):
            pairs[c] = (right[c] - left[c]) * (bottoms[r] - tops[r])
            sums[5, c] = squares[c, r]
        _add_features(pairs, sums, out[r], used[r])


@jit.parallel
def _dense(levels: Integers, radius: int, step: int, moves: Integers, inverse: Integers) -> Floats:
    out_rows = (levels.shape[0] + step - 1) // step
    out_columns = (levels.shape[1] + step - 1) // step
    out = np.empty((5, out_rows, out_columns), dtype=np.float64)
    for stripe in prange((out_rows + _LANES - 1) // _LANES):
        begin = stripe * _LANES
        height = min(_LANES, out_rows - begin)
        total = np.zeros((height, 5, out_columns), dtype=np.float64)
        used = np.zeros((height, out_columns), dtype=np.int64)
        counts = np.zeros(inverse.size * (inverse.size + 1) // 2 * _LANES, dtype=np.uint32)
        for move in range(moves.shape[0]):
            _stripe(levels, radius, step, begin, moves[move, 0], moves[move, 1], inverse, counts, total, used)
        for r in range(height):
            for k in range(5):
                for c in range(out_columns):
                    out[k, begin + r, c] = total[r, k, c] / max(used[r, c], 1)
    return out


def dense(
    levels: NDArray[np.integer], radius: int, *, distances: tuple[int, ...] = (1,), step: int = 1
) -> NDArray[np.float64]:
    """The five features in a window around every ``step``-th pixel.

    :param levels: grey levels 0 … N−1, shape (rows, columns)
    :param radius: window radius in pixels: the window is (2·radius + 1)²; at most 180 (sums are int64)
    :returns: float64 (5, ⌈rows/step⌉, ⌈columns/step⌉) in the order of :data:`FEATURES`
    """
    plain = np.ascontiguousarray(levels, dtype=np.int64)
    return np.asarray(_dense(plain, radius, step, steps(distances), _inverse_table(int(levels.max()) + 1)))


@jit.serial
def _strip_sums(  # noqa: PLR0913 - a kernel takes plain values
    levels: Integers, top: int, bottom: int, row_step: int, column_step: int,
    inverse: Integers, counts: Integers, here: Integers, sums: Integers,
) -> None:  # fmt: skip
    """One step's sums over the pairs that begin in rows ``top`` … ``bottom`` − 1; adds them to ``counts``.

    Sums are n, Σ(i+j), Σ(i²+j²), Σij, Σ|i−j|, Σ1/(1+d²) and how much the sum of squared symmetric counts grows.
    """
    lead = max(-column_step, 0)
    n = max(levels.shape[1] - abs(column_step), 0)
    here[:] = 0
    keys = np.empty(n, dtype=np.uint32)
    for row in range(top, min(bottom, levels.shape[0] - row_step)):
        first = levels[row][lead : lead + n]
        second = levels[row + row_step][lead + column_step : lead + column_step + n]
        _fill_keys(first, second, keys)
        for p in range(n):
            here[keys[p] >> 1] += 1
    sums[:] = 0
    for i in range(inverse.size):
        for j in range(i + 1):
            key = _key(i, j) >> 1
            count = here[key]
            sums[0] += count
            sums[1] += count * (i + j)
            sums[2] += count * (i * i + j * j)
            sums[3] += count * i * j
            sums[4] += count * (i - j)
            sums[5] += count * inverse[i - j]
            sums[6] += (2 if i != j else 4) * count * (2 * counts[key] + count)
            counts[key] += count


@jit.parallel
def _strip(levels: Integers, top: int, bottom: int, moves: Integers, inverse: Integers, counts: Integers) -> Integers:  # noqa: PLR0913
    """:func:`_strip_sums` of each step, int64 (steps, 7)."""
    sums = np.empty((moves.shape[0], 7), dtype=np.int64)
    here = np.empty_like(counts)
    for move in prange(moves.shape[0]):
        _strip_sums(levels, top, bottom, moves[move, 0], moves[move, 1], inverse, counts[move], here[move], sums[move])
    return sums


def whole(levels: NDArray[np.integer], *, distances: tuple[int, ...] = (1,)) -> NDArray[np.float64]:
    """The five features of the whole image, shape (5,): one window that covers it."""
    plain = np.ascontiguousarray(levels, dtype=np.int64)
    inverse = _inverse_table(int(plain.max()) + 1)
    moves = steps(distances)
    counts = np.zeros((len(moves), inverse.size * (inverse.size + 1) // 2), dtype=np.int64)
    totals = np.zeros((len(moves), 7), dtype=object)  # Python's integers
    height = max(1, _STRIP // plain.shape[1])
    for top in range(0, plain.shape[0], height):
        totals += _strip(plain, top, top + height, moves, inverse, counts)
    features = [
        (
            (squares - 2 * products) / n,
            distance / n,
            _homogeneity(n, inverses),
            _energy(n, counted),
            _correlation(n, total, squares, products),
        )
        for n, total, squares, products, distance, inverses, counted in totals.tolist()
        if n > 0
    ]
    total = np.zeros(5)
    for values in features:  # one addition after the other: from Python 3.12 on, sum() of floats corrects its rounding
        total = total + values
    return np.asarray(total / max(len(features), 1))

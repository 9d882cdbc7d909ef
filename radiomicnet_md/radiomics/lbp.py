# SPDX-License-Identifier: Apache-2.0
"""Uniform local binary patterns (P = 24, R = 3) decided in integers, so that no tie depends on rounding.

Rules of this module:

- The 24 neighbours lie on a circle of radius 3; a neighbour between pixels is the bilinear mean of four,
  with weights in units of 2**-24 fixed once (source: Ojala, Pietikäinen, Mäenpää, IEEE TPAMI 24:971, 2002).
- A neighbour counts as 1 when its value is at least the centre's. Uniform patterns (at most two changes
  around the circle) have their number of ones as code, 0 … 24; all others have code 25.
- Outside the image the border pixel is repeated.
- scikit-image compares floats; where a neighbour equals the centre it decides by rounding error, and it
  rounds coordinates to 1e-5, this module to 2**-13. On 8-bit images the two can differ only where a
  neighbour lies within 1/15 of a grey level of its centre (:data:`CLOSE`).
"""

from __future__ import annotations

import math

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import fixed_log, jit
from radiomicnet_md.radiomics.vector import load, store

POINTS = 24
RADIUS = 3
CODES = POINTS + 2
CLOSE = 1 / 15  # 255 · 2 · (2**-13 + 5e-6), rounded up
FEATURES = ("lbp_Mean", "lbp_StandardDeviation", "lbp_Entropy", "lbp_Uniformity")
_LANES = 16  # whole numbers of four bytes in a vector: rows of windows that are counted side by side
_WEIGHT_BITS = 12  # a coordinate's fraction in units of 2**-12; a bilinear weight in 2**-24

Integers = NDArray[np.int64]
Keys = NDArray[np.uint32]
Floats = NDArray[np.float64]


def _neighbours() -> NDArray[np.int64]:
    """(24, 6): row and column of the upper left pixel, then the weights of the four pixels."""
    one = 1 << _WEIGHT_BITS
    rows = []
    for point in range(POINTS):
        angle = 2 * math.pi * point / POINTS
        row = round(-RADIUS * math.sin(angle) * one)
        column = round(RADIUS * math.cos(angle) * one)
        r, fr = divmod(row, one)
        c, fc = divmod(column, one)
        rows.append((r, c, (one - fr) * (one - fc), (one - fr) * fc, fr * (one - fc), fr * fc))
    return np.array(rows, dtype=np.int64)


_NEIGHBOURS = _neighbours()


@jit.serial
def _below(upper: Integers, lower: Integers, centre: Integers, weights: Integers, out: Integers) -> None:
    """−1 where the weighted sum of four pixels lies below the centre, 0 elsewhere, along a line."""
    a, b, c, d = weights[0], weights[1], weights[2], weights[3]
    for k in range(out.size):
        value = a * upper[k] + b * upper[k + 1] + c * lower[k] + d * lower[k + 1]
        out[k] = (value - (centre[k] << (2 * _WEIGHT_BITS))) >> 63


@jit.serial
def _count(below: Integers, before: Integers, ones: Integers, changes: Integers) -> None:
    for k in range(ones.size):
        ones[k] += 1 + below[k]
    for k in range(ones.size):
        changes[k] += (below[k] ^ before[k]) & 1


@jit.parallel
def _codes(padded: Integers, neighbours: Integers, rows: int, columns: int, border: int) -> NDArray[np.uint8]:
    out = np.empty((rows, columns), dtype=np.uint8)
    points = neighbours.shape[0]
    for row in prange(rows):
        centre = padded[row + border][border : border + columns]
        below = np.empty((points, columns), dtype=np.int64)
        ones = np.zeros(columns, dtype=np.int64)
        changes = np.zeros(columns, dtype=np.int64)
        for point in range(points):
            r = row + border + neighbours[point, 0]
            c = border + neighbours[point, 1]
            _below(padded[r][c:], padded[r + 1][c:], centre, neighbours[point, 2:], below[point])
        for point in range(points):
            _count(below[point], below[point - 1], ones, changes)
        line = out[row]
        for k in range(columns):
            line[k] = ones[k] if changes[k] <= 2 else points + 1  # noqa: PLR2004 - the definition of "uniform"
    return out


def codes(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The uniform code 0 … 25 of each pixel of an integer image (rows, columns); values below 2**37."""
    border = RADIUS + 1
    padded = np.pad(np.asarray(image, dtype=np.int64), border, mode="edge")
    return np.asarray(_codes(padded, _NEIGHBOURS, image.shape[0], image.shape[1], border))


@jit.serial
def _statistics(histogram: Keys, n: int, log_table: Integers, out: Floats) -> None:
    """The four statistics of n codes, of which ``histogram`` (26,) counts each."""
    first = np.int64(0)
    second = np.int64(0)
    squares = np.int64(0)
    logs = np.int64(0)
    for code in range(CODES):
        count = np.int64(histogram[code])
        first += code * count
        second += code * code * count
        squares += count * count
        logs += log_table[count]
    out[0] = first / n
    out[1] = np.sqrt((n * second - first * first) / np.float64(n * n))
    out[2] = (log_table[n] - logs) / np.float64(n * (1 << 32))
    out[3] = squares / np.float64(n * n)


@jit.serial
def _turn(codes: NDArray[np.uint8], parts: Keys, counts: Keys) -> None:
    """A column of codes enters the windows of a stripe, one window a lane; or leaves, where ``parts`` are negative."""
    for row in range(codes.size):
        place = np.int64(codes[row]) * _LANES
        store(counts, place, load(counts, place) + load(parts, row * _LANES))


@jit.serial
def _stripe(code: NDArray[np.uint8], radius: int, step: int, begin: int, log_table: Integers, out: Floats) -> None:  # noqa: PLR0913
    """The statistics (4, rows of windows, columns) of a stripe of windows, ``begin`` the first row of windows."""
    rows, columns = code.shape
    start = max(begin * step - radius, 0)
    end = min((begin + out.shape[1] - 1) * step + radius + 1, rows)
    parts = np.zeros((end - start, _LANES), dtype=np.uint32)
    height = np.empty(out.shape[1], dtype=np.int64)
    for r in range(height.size):
        top = max((begin + r) * step - radius, 0)
        bottom = min((begin + r) * step + radius + 1, rows)
        height[r] = bottom - top
        parts[top - start : bottom - start, r] = 1
    entering = parts.reshape(-1)
    leaving = np.zeros_like(entering) - entering  # modulo 2³²
    turned = np.ascontiguousarray(code[start:end].T)
    counts = np.zeros(CODES * _LANES, dtype=np.uint32)
    histogram = counts.reshape(CODES, _LANES)
    value = np.empty(4, dtype=np.float64)
    entered, gone = 0, 0
    for c in range(out.shape[2]):
        left = max(c * step - radius, 0)
        right = min(c * step + radius + 1, columns)
        while entered < right:
            _turn(turned[entered], entering, counts)
            entered += 1
        while gone < left:
            _turn(turned[gone], leaving, counts)
            gone += 1
        for r in range(height.size):
            _statistics(histogram[:, r], height[r] * (right - left), log_table, value)
            for k in range(4):
                out[k, r, c] = value[k]


@jit.parallel
def _dense(code: NDArray[np.uint8], radius: int, step: int, log_table: Integers) -> Floats:
    out = np.empty((4, (code.shape[0] + step - 1) // step, (code.shape[1] + step - 1) // step), dtype=np.float64)
    for stripe in prange((out.shape[1] + _LANES - 1) // _LANES):
        begin = stripe * _LANES
        _stripe(code, radius, step, begin, log_table, out[:, begin : begin + _LANES])
    return out


def dense(code: NDArray[np.uint8], radius: int, *, step: int = 1) -> NDArray[np.float64]:
    """The four statistics of the codes in a window around every ``step``-th pixel: float64 (4, …)."""
    log_table = fixed_log.table((2 * radius + 1) ** 2)
    return np.asarray(_dense(np.ascontiguousarray(code), radius, step, log_table))


def whole(code: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The four statistics of all codes, shape (4,)."""
    histogram = np.bincount(code.ravel(), minlength=CODES)
    n = int(code.size)
    first = int(np.dot(np.arange(CODES), histogram))
    second = int(np.dot(np.arange(CODES) ** 2, histogram))
    squares = int(np.dot(histogram, histogram))
    logs = fixed_log.n_log2_n(n) - sum(fixed_log.n_log2_n(int(c)) for c in histogram)
    return np.array(
        [
            first / n,
            math.sqrt((n * second - first * first) / (n * n)),
            logs / (n << fixed_log.BITS),
            squares / (n * n),
        ]
    )

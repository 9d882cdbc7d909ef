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

POINTS = 24
RADIUS = 3
CODES = POINTS + 2
CLOSE = 1 / 15  # 255 · 2 · (2**-13 + 5e-6), rounded up
FEATURES = ("lbp_Mean", "lbp_StandardDeviation", "lbp_Entropy", "lbp_Uniformity")
_WEIGHT_BITS = 12  # a coordinate's fraction in units of 2**-12; a bilinear weight in 2**-24

Integers = NDArray[np.int64]


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


@jit.parallel
def _codes(padded: Integers, neighbours: Integers, rows: int, columns: int, border: int) -> NDArray[np.uint8]:
    out = np.empty((rows, columns), dtype=np.uint8)
    points = neighbours.shape[0]
    for row in prange(rows):
        for column in range(columns):
            centre = padded[row + border, column + border] << 24
            ones = 0
            changes = 0
            previous = 0
            first = 0
            for point in range(points):
                r = row + border + neighbours[point, 0]
                c = column + border + neighbours[point, 1]
                value = (
                    neighbours[point, 2] * padded[r, c]
                    + neighbours[point, 3] * padded[r, c + 1]
                    + neighbours[point, 4] * padded[r + 1, c]
                    + neighbours[point, 5] * padded[r + 1, c + 1]
                )
                bit = 1 if value >= centre else 0
                ones += bit
                if point == 0:
                    first = bit
                elif bit != previous:
                    changes += 1
                previous = bit
            if previous != first:
                changes += 1
            out[row, column] = ones if changes <= 2 else points + 1  # noqa: PLR2004 - the definition of "uniform"
    return out


def codes(image: NDArray[np.integer]) -> NDArray[np.uint8]:
    """The uniform code 0 … 25 of each pixel of an integer image (rows, columns); values below 2**37."""
    border = RADIUS + 1
    padded = np.pad(np.asarray(image, dtype=np.int64), border, mode="edge")
    return np.asarray(_codes(padded, _NEIGHBOURS, image.shape[0], image.shape[1], border))


@jit.serial
def _statistics(histogram: Integers, n: int, log_table: Integers, out: NDArray[np.float64]) -> None:
    first = 0
    second = 0
    squares = 0
    logs = 0
    for code in range(histogram.shape[0]):
        count = histogram[code]
        first += code * count
        second += code * code * count
        squares += count * count
        logs += log_table[count]
    out[0] = first / n
    out[1] = np.sqrt((n * second - first * first) / np.float64(n * n))
    out[2] = (log_table[n] - logs) / np.float64(n * (1 << 32))
    out[3] = squares / np.float64(n * n)


@jit.parallel
def _dense(code: NDArray[np.uint8], radius: int, step: int, log_table: Integers) -> NDArray[np.float64]:
    rows, columns = code.shape
    out = np.empty((4, (rows + step - 1) // step, (columns + step - 1) // step), dtype=np.float64)
    for out_row in prange(out.shape[1]):
        row = out_row * step
        top = max(row - radius, 0)
        bottom = min(row + radius + 1, rows)
        histogram = np.zeros(26, dtype=np.int64)
        value = np.empty(4, dtype=np.float64)
        n = 0
        for column in range(min(radius, columns)):
            for r in range(top, bottom):
                histogram[code[r, column]] += 1
                n += 1
        for column in range(columns):
            if column + radius < columns:
                for r in range(top, bottom):
                    histogram[code[r, column + radius]] += 1
                    n += 1
            if column - radius - 1 >= 0:
                for r in range(top, bottom):
                    histogram[code[r, column - radius - 1]] -= 1
                    n -= 1
            if column % step == 0:
                _statistics(histogram, n, log_table, value)
                out[:, out_row, column // step] = value
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

# SPDX-License-Identifier: Apache-2.0
"""Mean, standard deviation, skewness and kurtosis in windows: two passes in a fixed order, no running sums.

Rules of this module:

- A window is clipped at the image's border. Central moments are taken about the window's own mean, pixel
  by pixel in row order, so the same window gives the same bits wherever it lies and on every machine.
- Windows of a row lie side by side in a vector; each lane keeps that order. A lane whose window is clipped adds 0
  for what lies outside.
- Skewness and kurtosis of a window without spread are 0 (PyRadiomics' rule), as they are where the square of
  the variance underflows; kurtosis is not reduced by 3.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import choose, load, splat, store

FEATURES = (
    "firstorder_Mean",
    "firstorder_StandardDeviation",
    "firstorder_Skewness",
    "firstorder_Kurtosis",
)

_LANES = 8  # doubles in a vector
_DOUBT = 2.0**-40  # a variance below this part of the squared mean may be the mean's rounding

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@jit.serial
def _window(image: Floats, top: int, bottom: int, left: int, right: int, out: Floats) -> None:  # noqa: PLR0913
    n = (bottom - top) * (right - left)
    total = 0.0
    for row in range(top, bottom):
        for column in range(left, right):
            total += image[row, column]
    mean = total / n
    start = image[top, left]
    flat = True
    second = 0.0
    third = 0.0
    fourth = 0.0
    for row in range(top, bottom):
        for column in range(left, right):
            flat = flat and image[row, column] == start
            difference = image[row, column] - mean
            square = difference * difference
            second += square
            third += square * difference
            fourth += square * square
    second /= n
    third /= n
    fourth /= n
    if flat:  # the mean of equal floats may be rounded, and rounding is no spread
        mean = start
        second = 0.0
    out[0] = mean
    out[1] = np.sqrt(second)
    out[2] = 0.0
    out[3] = 0.0
    if second * second > 0.0:
        out[2] = third / (second * np.sqrt(second))
        out[3] = fourth / (second * second)


@jit.serial
def _side_by_side(image: Floats, radius: int, step: int, places: int) -> Floats:
    """Each row with zeros around it, every ``step``-th column side by side: (rows, step · places).

    What the window around output column c has ``radius`` columns to its left stands at place c, and so on.
    """
    rows, columns = image.shape
    out = np.zeros((rows, step * places))
    for row in range(rows):
        line = out[row]
        for phase in range(step):
            for place in range(places):
                column = place * step + phase - radius
                if 0 <= column < columns:
                    line[phase * places + place] = image[row, column]
    return out


@jit.serial
def _central(  # noqa: PLR0913 - a kernel takes plain values
    lines: Floats, inside: Floats, offsets: Integers, base: int, mean: Floats, clipped: bool,  # noqa: FBT001
    second: Floats, third: Floats, fourth: Floats,
) -> None:  # fmt: skip
    """Sums of the powers of the differences from the mean, in the windows from ``base`` on, one a lane."""
    zero = splat(0.0)
    means = load(mean, base)
    two, three, four = zero, zero, zero
    for row in range(lines.shape[0]):
        line = lines[row]
        for k in range(offsets.size):
            difference = load(line, base + offsets[k]) - means
            if clipped:
                difference = choose(load(inside, base + offsets[k]), zero, difference, zero)
            square = difference * difference
            two += square
            three += square * difference
            four += square * square
    store(second, base, two)
    store(third, base, three)
    store(fourth, base, four)


@jit.serial
def _means(lines: Floats, offsets: Integers, numbers: Floats, out: Floats) -> None:
    out[:] = 0.0
    for row in range(lines.shape[0]):
        line = lines[row]
        for k in range(offsets.size):
            part = line[offsets[k] : offsets[k] + out.size]
            for c in range(out.size):
                out[c] += part[c]
    for c in range(out.size):
        out[c] /= numbers[c]


@jit.serial
def _shape(numbers: Floats, second: Floats, third: Floats, fourth: Floats) -> None:
    """From sums of powers of differences to variance, skewness and kurtosis."""
    for c in range(numbers.size):
        second[c] /= numbers[c]
    for c in range(numbers.size):
        third[c] /= numbers[c]
    for c in range(numbers.size):
        fourth[c] /= numbers[c]
    for c in range(numbers.size):
        third[c] = third[c] / (second[c] * np.sqrt(second[c])) if second[c] * second[c] > 0.0 else 0.0
    for c in range(numbers.size):
        fourth[c] = fourth[c] / (second[c] * second[c]) if second[c] * second[c] > 0.0 else 0.0


@jit.serial
def _row(  # noqa: PLR0913 - a kernel takes plain values
    lines: Floats, inside: Floats, offsets: Integers, widths: Integers, numbers: Floats, out: Floats
) -> None:
    """Mean, variance, skewness and kurtosis (4, windows) of a row of windows, from the lines that they share."""
    for c in range(widths.size):
        numbers[c] = widths[c] * lines.shape[0]
    _means(lines, offsets, numbers, out[0])
    for base in range(0, widths.size, _LANES):
        clipped = widths[base : base + _LANES].min() < offsets.size
        _central(lines, inside, offsets, base, out[0], clipped, out[1], out[2], out[3])
    _shape(numbers, out[1], out[2], out[3])


@jit.parallel
def _dense(image: Floats, radius: int, step: int) -> Floats:
    rows, columns = image.shape
    out = np.empty((4, (rows + step - 1) // step, (columns + step - 1) // step), dtype=np.float64)
    lanes = (out.shape[2] + _LANES - 1) // _LANES * _LANES
    places = 2 * radius // step + lanes
    lines = _side_by_side(image, radius, step, places)
    inside = _side_by_side(np.ones((1, columns)), radius, step, places)[0]
    offsets = np.array([k % step * places + k // step for k in range(2 * radius + 1)])
    widths = np.ones(lanes, dtype=np.int64)
    for c in range(out.shape[2]):
        widths[c] = min(c * step + radius + 1, columns) - max(c * step - radius, 0)
    for out_row in prange(out.shape[1]):
        top = max(out_row * step - radius, 0)
        bottom = min(out_row * step + radius + 1, rows)
        line = np.empty((4, lanes), dtype=np.float64)
        numbers = np.empty(lanes, dtype=np.float64)
        alone = np.empty(4, dtype=np.float64)
        _row(lines[top:bottom], inside, offsets, widths, numbers, line)
        for c in range(out.shape[2]):
            left = max(c * step - radius, 0)
            mean, variance = line[0, c], line[1, c]
            if variance > _DOUBT * mean * mean:
                out[0, out_row, c] = mean
                out[1, out_row, c] = np.sqrt(variance)
                out[2, out_row, c] = line[2, c]
                out[3, out_row, c] = line[3, c]
            elif variance == 0.0 and mean == image[top, left]:  # flat, and the mean is exact
                out[0, out_row, c] = image[top, left]
                out[1:, out_row, c] = 0.0
            else:  # floats whose spread may be the mean's rounding
                _window(image, top, bottom, left, left + widths[c], alone)
                out[:, out_row, c] = alone
    return out


def dense(image: NDArray[np.generic], radius: int, *, step: int = 1) -> NDArray[np.float64]:
    """The four moments in a window around every ``step``-th pixel of (rows, columns): float64 (4, …)."""
    return np.asarray(_dense(np.ascontiguousarray(image, dtype=np.float64), radius, step))


def whole(image: NDArray[np.generic]) -> NDArray[np.float64]:
    """The four moments of the whole image, shape (4,)."""
    plain = np.ascontiguousarray(image, dtype=np.float64)
    out = np.empty(4, dtype=np.float64)
    _window(plain, 0, plain.shape[0], 0, plain.shape[1], out)
    return out

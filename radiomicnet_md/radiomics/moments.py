# SPDX-License-Identifier: Apache-2.0
"""Mean, standard deviation, skewness and kurtosis in windows: two passes in a fixed order, no running sums.

Rules of this module:

- A window is clipped at the image's border. Central moments are taken about the window's own mean, pixel
  by pixel in row order, so the same window gives the same bits wherever it lies and on every machine.
- Skewness and kurtosis of a window without spread are 0 (PyRadiomics' rule), as they are where the square of
  the variance underflows; kurtosis is not reduced by 3.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit

FEATURES = (
    "firstorder_Mean",
    "firstorder_StandardDeviation",
    "firstorder_Skewness",
    "firstorder_Kurtosis",
)


Floats = NDArray[np.float64]


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


@jit.parallel
def _dense(image: Floats, radius: int, step: int) -> Floats:
    rows, columns = image.shape
    out = np.empty((4, (rows + step - 1) // step, (columns + step - 1) // step), dtype=np.float64)
    for out_row in prange(out.shape[1]):
        row = out_row * step
        value = np.empty(4, dtype=np.float64)
        for out_column in range(out.shape[2]):
            column = out_column * step
            _window(
                image,
                max(row - radius, 0),
                min(row + radius + 1, rows),
                max(column - radius, 0),
                min(column + radius + 1, columns),
                value,
            )
            out[:, out_row, out_column] = value
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

# SPDX-License-Identifier: Apache-2.0
"""Sums of grey levels under larger or smaller pixels, as compiled loops over integers.

One thread each: a record is made of these too, and a process that forks must be able to make one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit

Integers = NDArray[np.int64]


@jit.serial
def area_sums(image: NDArray[np.uint8 | np.bool_], rows: int, columns: int) -> Integers:
    """Σ of image (r, c) times overlap, in units of 1/(rows · columns) of a pixel, for each of (rows, columns) cells.

    A cell's weights add up to r · c.
    """
    tall, wide = image.shape
    out = np.zeros((rows, columns), np.int64)
    for row in range(rows):
        line = np.zeros(wide, np.int64)
        for source in range(row * tall // rows, ((row + 1) * tall + rows - 1) // rows):
            weight = min((row + 1) * tall, (source + 1) * rows) - max(row * tall, source * rows)
            values = image[source]
            for k in range(wide):
                line[k] += weight * np.int64(values[k])
        for column in range(columns):
            total = np.int64(0)
            for source in range(column * wide // columns, ((column + 1) * wide + columns - 1) // columns):
                weight = min((column + 1) * wide, (source + 1) * columns) - max(column * wide, source * columns)
                total += weight * line[source]
            out[row, column] = total
    return out


@jit.serial
def covered(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.uint8]:
    """1 where a mask (r, c), interpolated linearly between pixel centres onto (rows, columns), is at least one half.

    Beyond the outermost centres the border is repeated. The weights of a pixel add up to 4 · rows · columns.
    """
    tall, wide = mask.shape
    out = np.empty((rows, columns), np.uint8)
    half = 2 * np.int64(rows) * columns
    line = np.empty(wide, np.int64)
    for row in range(rows):
        place = (2 * row + 1) * tall - rows  # 2 · rows times the source coordinate
        upper = place // (2 * rows)
        lower_weight = place - upper * 2 * rows
        above, below = mask[max(upper, 0)], mask[min(upper + 1, tall - 1)]
        some = False
        for k in range(wide):
            some |= above[k] | below[k]
        if not some:
            out[row] = 0
            continue
        for k in range(wide):
            line[k] = (2 * rows - lower_weight) * np.int64(above[k]) + lower_weight * np.int64(below[k])
        for column in range(columns):
            place = (2 * column + 1) * wide - columns
            left = place // (2 * columns)
            right_weight = place - left * 2 * columns
            total = (2 * columns - right_weight) * line[max(left, 0)] + right_weight * line[min(left + 1, wide - 1)]
            out[row, column] = total >= half
    return out

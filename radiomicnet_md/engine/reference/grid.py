# SPDX-License-Identifier: Apache-2.0
"""From the input's pixels to the working grid and back, in integers.

Rules of this module:

- Down: a pixel of the working grid is the mean of the source area that it covers, rounded half up. The area's
  sum is the difference of the image's integral at the area's ends; the device multiplies by overlaps instead.
- Up: a place of the input belongs to the mask where the mask's coverage, interpolated linearly between pixel
  centres with the border repeated, is at least one half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID

Integers = NDArray[np.int64]


def size(rows: int, columns: int) -> tuple[int, int]:
    """The working grid: the longer side has GRID pixels, the other keeps the aspect, rounded half up, at least 1."""
    longer = max(rows, columns)
    first, second = (max((side * GRID + longer // 2) // longer, 1) for side in (rows, columns))
    return first, second


def shrink(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An input (rows, columns) on the working grid."""
    rows, columns = size(*image.shape)
    total = _areas(_areas(image.astype(np.int64), rows).T, columns).T
    cell = image.shape[0] * image.shape[1]
    return np.asarray((2 * total + cell) // (2 * cell), dtype=np.uint8)


def _areas(lines: Integers, target: int) -> Integers:
    """Sums over ``target`` equal parts of axis 0, times ``target``."""
    source = len(lines)
    integral = np.concatenate([np.zeros_like(lines[:1]), lines.cumsum(0)])  # up to each pixel's beginning
    following = np.concatenate([lines, np.zeros_like(lines[:1])])
    whole, part = np.divmod(np.arange(target + 1) * source, target)
    return np.asarray(np.diff(target * integral[whole] + part[:, None] * following[whole], axis=0))


def enlarge(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.uint8]:
    """A mask on the working grid as 0/1 on the input's (rows, columns)."""
    coverage = _between(_between(mask.astype(np.int64), rows).T, columns).T  # 1 is 2 rows · 2 columns
    return np.asarray(coverage >= 2 * rows * columns, dtype=np.uint8)


def _between(lines: Integers, target: int) -> Integers:
    """Linear interpolation along axis 0 at the centres of ``target`` equal parts, times 2 ``target``."""
    source = len(lines)
    padded = np.concatenate([lines[:1], lines, lines[-1:]])
    # Centre i lies (2i + 1) source / (2 target) from the edge, and the first padded pixel's centre −1/2 from it.
    before, part = np.divmod((2 * np.arange(target) + 1) * source + target, 2 * target)
    return np.asarray((2 * target - part)[:, None] * padded[before] + part[:, None] * padded[before + 1])

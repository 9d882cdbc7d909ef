# SPDX-License-Identifier: Apache-2.0
"""Resampling in integers: the same pixels on every machine, whatever the size.

Rules of this module:

- A weight is an integer; a resampled value is a sum of products of integers, then one integer division rounded
  half up.
- Down to the working grid by area: each pixel is the mean of the source area it covers.
- Back to the input by linear interpolation of the mask's coverage, cut at one half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.kernels import grids


def fit(rows: int, columns: int, side: int) -> tuple[int, int]:
    """The size (rows, columns), at least 1, whose longer side is ``side`` with the aspect kept."""
    longer = max(rows, columns)
    return max(1, (2 * rows * side + longer) // (2 * longer)), max(1, (2 * columns * side + longer) // (2 * longer))


def shrink(image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Area mean of (r, c) grey levels on (rows, columns), rounded half up."""
    cell = image.shape[0] * image.shape[1]
    return np.asarray((2 * grids.area_sums(image, rows, columns) + cell) // (2 * cell), dtype=np.uint8)


def enlarge_mask(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.uint8]:
    """A mask on the working grid as 0/1 on (rows, columns): 1 where the interpolated coverage is at least half."""
    return np.asarray(grids.covered(mask, rows, columns))

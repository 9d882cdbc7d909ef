# SPDX-License-Identifier: Apache-2.0
"""Resampling in integers: the same pixels on every machine, whatever the size.

Rules of this module:

- A weight is an integer; a resampled value is a sum of products of integers below 2**53, carried in
  float64 (so a matrix product may run in any order), then one integer division rounded half up.
- Down to the working grid by area: each pixel is the mean of the source area it covers.
- Back to the input by linear interpolation of the mask's coverage, cut at one half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def fit(rows: int, columns: int, side: int) -> tuple[int, int]:
    """The size (rows, columns), at least 1, whose longer side is ``side`` with the aspect kept."""
    longer = max(rows, columns)
    return max(1, (2 * rows * side + longer) // (2 * longer)), max(1, (2 * columns * side + longer) // (2 * longer))


def area_weights(source: int, target: int) -> NDArray[np.float64]:
    """Overlap of target cell i with source cell j in units of 1/target: integers (target, source).

    Each row sums to ``source``.
    """
    start = np.arange(target, dtype=np.int64)[:, None] * source
    cell = np.arange(source, dtype=np.int64)[None, :] * target
    overlap = np.minimum(start + source, cell + target) - np.maximum(start, cell)
    return np.asarray(np.maximum(overlap, 0), dtype=np.float64)


def linear_weights(source: int, target: int) -> NDArray[np.float64]:
    """Weights of linear interpolation at pixel centres, border repeated: integers (target, source).

    Each row sums to ``2 * target``.
    """
    position = (2 * np.arange(target, dtype=np.int64) + 1) * source - target  # 2·target × (source coordinate)
    low = position // (2 * target)
    fraction = position - low * 2 * target
    weights = np.zeros((target, source), dtype=np.int64)
    rows = np.arange(target)
    np.add.at(weights, (rows, np.clip(low, 0, source - 1)), 2 * target - fraction)
    np.add.at(weights, (rows, np.clip(low + 1, 0, source - 1)), fraction)
    return weights.astype(np.float64)


def shrink(image: NDArray[np.uint8], rows: int, columns: int) -> NDArray[np.uint8]:
    """Area mean of (r, c) grey levels on (rows, columns), rounded half up."""
    total = area_weights(image.shape[0], rows) @ image.astype(np.float64) @ area_weights(image.shape[1], columns).T
    cell = image.shape[0] * image.shape[1]
    return np.asarray((2 * total.astype(np.int64) + cell) // (2 * cell), dtype=np.uint8)


def enlarge_mask(mask: NDArray[np.bool_], rows: int, columns: int) -> NDArray[np.uint8]:
    """A mask on the working grid as 0/1 on (rows, columns): 1 where the interpolated coverage is at least half."""
    total = linear_weights(mask.shape[0], rows) @ mask.astype(np.float64) @ linear_weights(mask.shape[1], columns).T
    return np.asarray(2 * total >= 4 * rows * columns, dtype=np.uint8)

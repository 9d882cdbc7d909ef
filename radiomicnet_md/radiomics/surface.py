# SPDX-License-Identifier: Apache-2.0
"""The image as a surface: edge sharpness, shape index and curvedness from integer differences.

Rules of this module:

- The image is smoothed by two passes of a (2q+1)² box sum (no division), then differenced over ±q pixels
  (±1 for q = 0); everything up to here is integer. Outside the image the border pixel is repeated.
- What follows is one IEEE division or square root at a time.
- The shape index is monotone in :func:`shape_ratio`; the device compares the ratio, so no arctangent
  (which no standard rounds) takes part in a decision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

FEATURES = ("gradient_Sharpness", "hessian_ShapeIndex", "hessian_Curvedness")

Integers = NDArray[np.int64]


def _box(image: Integers, q: int) -> Integers:
    """Sums over (2q+1)² windows of the image with its border repeated."""
    padded = np.pad(image, q, mode="edge")
    total = np.zeros((padded.shape[0] + 1, padded.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = padded.cumsum(axis=0).cumsum(axis=1)
    w = 2 * q + 1
    return np.asarray(total[w:, w:] - total[:-w, w:] - total[w:, :-w] + total[:-w, :-w])


def _shift(image: Integers, rows: int, columns: int, reach: int) -> Integers:
    padded = np.pad(image, reach, mode="edge")
    r, c = reach + rows, reach + columns
    return np.asarray(padded[r : r + image.shape[0], c : c + image.shape[1]])


def _derivatives(image: NDArray[np.integer], q: int) -> tuple[Integers, Integers, Integers, Integers, Integers]:
    """Gradient (row, column) over 2δ and four times the Hessian (rr, cc, rc) over δ², δ = max(q, 1); all undivided."""
    smooth = np.asarray(image, dtype=np.int64)
    for _ in range(2):
        smooth = _box(smooth, q)
    d = max(q, 1)
    up, down = _shift(smooth, -d, 0, d), _shift(smooth, d, 0, d)
    left, right = _shift(smooth, 0, -d, d), _shift(smooth, 0, d, d)
    corner = _shift(smooth, d, d, d) - _shift(smooth, d, -d, d) - _shift(smooth, -d, d, d) + _shift(smooth, -d, -d, d)
    return down - up, right - left, 4 * (up + down - 2 * smooth), 4 * (left + right - 2 * smooth), corner


def dense(image: NDArray[np.integer], q: int, *, step: int = 1) -> NDArray[np.float64]:
    """Sharpness, shape *ratio* and curvedness at every ``step``-th pixel: float64 (3, …).

    :param image: integer grey levels (rows, columns); |level| · (2q+1)⁴ < 2**26 (sums of squares are int64)
    :param q: smoothing radius in pixels, 0 for none

    The ratio is ±inf on a cap or cup whose two curvatures are equal, and 0 where the surface is flat.
    """
    gr, gc, rr, cc, rc = (part[::step, ::step] for part in _derivatives(image, q))
    d = max(q, 1)
    weight = float((2 * q + 1) ** 4)
    sharpness = np.sqrt((gr * gr + gc * gc).astype(np.float64)) / (2 * d * weight)
    split = np.sqrt(((rr - cc) ** 2 + 4 * rc * rc).astype(np.float64))
    total = (rr + cc).astype(np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(split > 0, -total / split, -np.sign(total) * np.inf)
    ratio[(split == 0) & (total == 0)] = 0.0
    curvedness = np.sqrt((rr * rr + cc * cc + 2 * rc * rc).astype(np.float64) / 2) / (4 * d * d * weight)
    return np.stack([sharpness, ratio + 0.0, curvedness])


def shape_index(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Koenderink's shape index −1 … 1 of a ratio (k₁+k₂)/(k₂−k₁); +1 is a bright cap, 0 a saddle or flat."""
    return np.asarray(np.arctan(ratio) * (2 / math.pi))

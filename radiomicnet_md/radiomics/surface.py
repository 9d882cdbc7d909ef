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

from radiomicnet_md.radiomics import jit

FEATURES = ("gradient_Sharpness", "hessian_ShapeIndex", "hessian_Curvedness")

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@jit.serial
def _spread(line: Integers, reach: int, out: Integers) -> None:
    """A line with its ends repeated ``reach`` times."""
    n = line.size
    for k in range(reach):
        out[k] = line[0]
        out[reach + n + k] = line[n - 1]
    for k in range(n):  # a slice would cost two seconds of compilation
        out[reach + k] = line[k]


@jit.serial
def _box(image: Integers, q: int) -> Integers:
    """Sums over (2q+1)² windows of the image with its border repeated."""
    rows, columns = image.shape
    out = np.empty((rows, columns), dtype=np.int64)
    for row in range(rows):
        down = np.zeros(columns, dtype=np.int64)
        for r in range(row - q, row + q + 1):
            line = image[min(max(r, 0), rows - 1)]
            for k in range(columns):
                down[k] += line[k]
        wide = np.empty(columns + 2 * q, dtype=np.int64)
        _spread(down, q, wide)
        here = out[row]
        here[:] = 0
        for c in range(2 * q + 1):
            part = wide[c : c + columns]
            for k in range(columns):
                here[k] += part[k]
    return out


@jit.serial
def _differences(smooth: Integers, d: int, step: int) -> Integers:
    rows, columns = smooth.shape
    out = np.empty((5, (rows + step - 1) // step, columns), dtype=np.int64)
    for out_row in range(out.shape[1]):
        row = out_row * step
        wide = np.empty((3, columns + 2 * d), dtype=np.int64)
        _spread(smooth[max(row - d, 0)], d, wide[0])
        _spread(smooth[row], d, wide[1])
        _spread(smooth[min(row + d, rows - 1)], d, wide[2])
        above, here, below = wide[0], wide[1], wide[2]
        gr, gc, rr, cc, rc = out[0, out_row], out[1, out_row], out[2, out_row], out[3, out_row], out[4, out_row]
        for k in range(columns):
            gr[k] = below[k + d] - above[k + d]
        for k in range(columns):
            gc[k] = here[k + 2 * d] - here[k]
        for k in range(columns):
            rr[k] = 4 * (above[k + d] + below[k + d] - 2 * here[k + d])
        for k in range(columns):
            cc[k] = 4 * (here[k] + here[k + 2 * d] - 2 * here[k + d])
        for k in range(columns):
            rc[k] = below[k + 2 * d] - below[k] - above[k + 2 * d] + above[k]
    return out


def _derivatives(image: NDArray[np.integer], q: int, *, step: int = 1) -> Integers:
    """Gradient (row, column) over 2δ and four times the Hessian (rr, cc, rc) over δ², δ = max(q, 1); all undivided.

    Every ``step``-th row, every column: int64 (5, ⌈rows/step⌉, columns).
    """
    smooth = np.ascontiguousarray(image, dtype=np.int64)
    for _ in range(2):
        smooth = _box(smooth, q)
    return np.asarray(_differences(smooth, max(q, 1), step))


@jit.serial
def _dense(parts: Integers, q: int, step: int) -> Floats:
    d = max(q, 1)
    weight = float((2 * q + 1) ** 4)
    out = np.empty((3, parts.shape[1], (parts.shape[2] + step - 1) // step), dtype=np.float64)
    for row in range(out.shape[1]):
        gr, gc, rr, cc, rc = parts[0, row], parts[1, row], parts[2, row], parts[3, row], parts[4, row]
        sharpness, ratio, curvedness = out[0, row], out[1, row], out[2, row]
        for c in range(sharpness.size):
            k = c * step
            sharpness[c] = np.sqrt(np.float64(gr[k] * gr[k] + gc[k] * gc[k])) / (2 * d * weight)
        for c in range(ratio.size):
            k = c * step
            split = np.sqrt(np.float64((rr[k] - cc[k]) * (rr[k] - cc[k]) + 4 * rc[k] * rc[k]))
            total = np.float64(rr[k] + cc[k])
            # 0 / 0 is a flat place; adding 0 leaves no negative one
            ratio[c] = (0.0 if total == 0.0 else -total / split) + 0.0
        for c in range(curvedness.size):
            k = c * step
            squares = np.float64(rr[k] * rr[k] + cc[k] * cc[k] + 2 * rc[k] * rc[k])
            curvedness[c] = np.sqrt(squares / 2) / (4 * d * d * weight)
    return out


def dense(image: NDArray[np.integer], q: int, *, step: int = 1) -> NDArray[np.float64]:
    """Sharpness, shape *ratio* and curvedness at every ``step``-th pixel: float64 (3, …).

    :param image: integer grey levels (rows, columns); |level| · (2q+1)⁴ < 2**26 (sums of squares are int64)
    :param q: smoothing radius in pixels, 0 for none

    The ratio is ±inf on a cap or cup whose two curvatures are equal, and 0 where the surface is flat.
    """
    return np.asarray(_dense(_derivatives(image, q, step=step), q, step))


def shape_index(ratio: NDArray[np.float64]) -> NDArray[np.float64]:
    """Koenderink's shape index −1 … 1 of a ratio (k₁+k₂)/(k₂−k₁); +1 is a bright cap, 0 a saddle or flat."""
    return np.asarray(np.arctan(ratio) * (2 / math.pi))

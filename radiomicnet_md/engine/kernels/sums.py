# SPDX-License-Identifier: Apache-2.0
"""The inner loops of every convolution: sixteen output channels at a time, of some neighbouring pixels.

Rules of this module:

- A lane of an output pixel is ``clamp(round((bias + Σ w · x) · scale))``. The sums are of integers below 2**24 and
  exact in any order; then come one product, one rounding half to even and one clamp, none fused.
- Neighbouring pixels share the loads of a weight; their sums stay in registers, which a plain loop would not achieve.
- No index is checked here; the loops of :mod:`radiomicnet_md.engine.kernels.layers` do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, choose, load, multiply_add, nearest, repeat, splat, store

LANES = BYTES // 4  # channels summed at once
DENSE_PIXELS, DEPTHWISE_PIXELS = 6, 4

Floats = NDArray[np.float32]
Vector = Any  # of LANES floats, one of each channel
Limits = tuple[np.float32, np.float32]


@jit.serial
def _finish(total: Vector, scale: Vector, limits: Limits, out: Floats, goal: int) -> None:
    low, high = splat(limits[0]), splat(limits[1])
    value = nearest(total * scale)
    value = choose(low, value, low, value)
    store(out, goal, choose(value, high, high, value))


@jit.serial
def dense_one(  # noqa: PLR0913 - places in six arrays
    x: Floats, at: int, w: Floats, weight: int, shape: tuple[int, int, int, int],
    bias: Floats, scale: Floats, channel: int, limits: Limits, out: Floats, goal: int,
) -> None:  # fmt: skip
    """One pixel of a convolution over all channels; ``shape`` is rows, steps of a row, pixel to pixel, row to row."""
    rows, steps, _, line = shape
    a = load(bias, channel)
    for r in range(rows):
        for s in range(steps):
            a = multiply_add(repeat(x, at + r * line + s), load(w, weight + (r * steps + s) * LANES), a)
    _finish(a, load(scale, channel), limits, out, goal)


@jit.serial
def dense_many(  # noqa: PLR0913 - as above
    x: Floats, at: int, w: Floats, weight: int, shape: tuple[int, int, int, int],
    bias: Floats, scale: Floats, channel: int, limits: Limits, out: Floats, goal: int, made: int,
) -> None:  # fmt: skip
    """:func:`dense_one` of six neighbours; ``made`` from one output pixel to the next."""
    rows, steps, pixel, line = shape
    a = load(bias, channel)
    b, c, d, e, f = a, a, a, a, a
    for r in range(rows):
        for s in range(steps):
            each, k = load(w, weight + (r * steps + s) * LANES), at + r * line + s
            a = multiply_add(repeat(x, k), each, a)
            b = multiply_add(repeat(x, k + pixel), each, b)
            c = multiply_add(repeat(x, k + 2 * pixel), each, c)
            d = multiply_add(repeat(x, k + 3 * pixel), each, d)
            e = multiply_add(repeat(x, k + 4 * pixel), each, e)
            f = multiply_add(repeat(x, k + 5 * pixel), each, f)
    by = load(scale, channel)
    _finish(a, by, limits, out, goal)
    _finish(b, by, limits, out, goal + made)
    _finish(c, by, limits, out, goal + 2 * made)
    _finish(d, by, limits, out, goal + 3 * made)
    _finish(e, by, limits, out, goal + 4 * made)
    _finish(f, by, limits, out, goal + 5 * made)


@jit.serial
def depthwise_one(  # noqa: PLR0913 - as above
    x: Floats, at: int, w: Floats, weight: int, shape: tuple[int, int, int, int, int],
    bias: Floats, scale: Floats, channel: int, limits: Limits, out: Floats, goal: int,
) -> None:  # fmt: skip
    """One pixel of a convolution of each channel; ``shape`` is rows, columns, channels, row to row of x and of w."""
    rows, columns, channels, line, below = shape
    a = load(bias, channel)
    for r in range(rows):
        for c in range(columns):
            a = multiply_add(load(x, at + r * line + c * channels), load(w, weight + r * below + c * channels), a)
    _finish(a, load(scale, channel), limits, out, goal)


@jit.serial
def depthwise_many(  # noqa: PLR0913 - as above
    x: Floats, at: int, stride: int, w: Floats, weight: int, shape: tuple[int, int, int, int, int],
    bias: Floats, scale: Floats, channel: int, limits: Limits, out: Floats, goal: int,
) -> None:  # fmt: skip
    """:func:`depthwise_one` of four neighbours."""
    rows, columns, channels, line, below = shape
    pixel = stride * channels
    a = load(bias, channel)
    b, c, d = a, a, a
    for r in range(rows):
        for column in range(columns):
            each, k = load(w, weight + r * below + column * channels), at + r * line + column * channels
            a = multiply_add(load(x, k), each, a)
            b = multiply_add(load(x, k + pixel), each, b)
            c = multiply_add(load(x, k + 2 * pixel), each, c)
            d = multiply_add(load(x, k + 3 * pixel), each, d)
    by = load(scale, channel)
    _finish(a, by, limits, out, goal)
    _finish(b, by, limits, out, goal + channels)
    _finish(c, by, limits, out, goal + 2 * channels)
    _finish(d, by, limits, out, goal + 3 * channels)

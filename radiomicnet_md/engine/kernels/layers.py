# SPDX-License-Identifier: Apache-2.0
"""The layers of a locked program as compiled loops over channels-last arrays, float32 holding integers.

Rules of this module:

- An array is (views, rows, columns, channels) with its channels filled up by zeros to a multiple of ``LANES``; a
  bordered one (:func:`bordered`) has its own number of channels and a frame of zeros.
- Weights lie as the inner loop reads them (:func:`dense_weights`, :func:`depthwise_weights`).
- A parallel loop runs over pieces of the output; each value is written by one piece.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.engine.kernels.sums import (
    DENSE_PIXELS,
    DEPTHWISE_PIXELS,
    LANES,
    dense_many,
    dense_one,
    depthwise_many,
    depthwise_one,
)
from radiomicnet_md.radiomics import jit

Floats = NDArray[np.float32]
PIECES = 64  # of a layer, at most: enough for any number of threads


def filled(array: NDArray[np.generic]) -> Floats:
    """The last axis filled up by zeros to a multiple of ``LANES``, as contiguous float32."""
    rest = -array.shape[-1] % LANES
    wide = np.pad(array.astype(np.float32), [(0, 0)] * (array.ndim - 1) + [(0, rest)])
    return np.ascontiguousarray(wide)


def dense_weights(weight: NDArray[np.generic]) -> Floats:
    """(O, C, k, k) as (⌈O/16⌉, k · k · C, 16): for each sixteen outputs the taps in the order of memory."""
    taps = np.moveaxis(weight, 0, -1).transpose(1, 2, 0, 3)  # (k, k, C, O)
    wide = filled(taps.reshape(-1, weight.shape[0]))
    return np.ascontiguousarray(wide.reshape(len(wide), -1, LANES).transpose(1, 0, 2))


def depthwise_weights(weight: NDArray[np.generic]) -> Floats:
    """(C, 1, k, k) as (k · k, C filled up)."""
    return filled(weight.reshape(len(weight), -1).T)


@jit.parallel
def dense(  # noqa: PLR0913 - a layer has these properties
    x: Floats, w: Floats, bias: Floats, scale: Floats, kernel: int, stride: int, low: float, high: float
) -> Floats:
    """A convolution over all channels, stride and all: x is bordered, or as it is where the kernel is 1.

    ``w`` from :func:`dense_weights`; every output is ``clamp(round((w * x + bias) · scale))``.
    """
    views, tall, wide, channels = x.shape
    rows, columns = (tall - kernel) // stride + 1, (wide - kernel) // stride + 1
    groups, taps = w.shape[0], w.shape[1]
    made, line = groups * LANES, wide * channels
    out = np.empty((views, rows, columns, made), np.float32)
    shape = (kernel, taps // kernel, stride * channels, line)
    limits = (np.float32(low), np.float32(high))
    tiles = (columns + DENSE_PIXELS - 1) // DENSE_PIXELS
    total = views * rows * tiles
    pieces = min(total, PIECES)
    for piece in prange(pieces):
        for tile in range(total * piece // pieces, total * (piece + 1) // pieces):
            row, column = tile // tiles, tile % tiles * DENSE_PIXELS
            source = (row // rows * tall + row % rows * stride) * line + column * stride * channels
            target = (row * columns + column) * made
            count = min(DENSE_PIXELS, columns - column)
            for group in range(groups):
                weight, channel = group * taps * LANES, group * LANES
                if count == DENSE_PIXELS:
                    dense_many(x, source, w, weight, shape, bias, scale, channel, limits, out, target + channel, made)
                else:
                    for p in range(count):
                        at, goal = source + p * stride * channels, target + p * made + channel
                        dense_one(x, at, w, weight, shape, bias, scale, channel, limits, out, goal)
    return out


@jit.parallel
def depthwise(  # noqa: PLR0913 - a layer has these properties
    x: Floats, w: Floats, bias: Floats, scale: Floats, kernel: int, stride: int, low: float, high: float
) -> Floats:
    """A convolution of each channel by itself, same padding; ``w`` from :func:`depthwise_weights`."""
    views, tall, wide, channels = x.shape
    rows, columns, border = (tall - 1) // stride + 1, (wide - 1) // stride + 1, kernel // 2
    out = np.empty((views, rows, columns, channels), np.float32)
    line, limits = wide * channels, (np.float32(low), np.float32(high))
    total = views * rows
    pieces = min(total, PIECES)
    for piece in prange(pieces):
        for row in range(total * piece // pieces, total * (piece + 1) // pieces):
            top = row % rows * stride - border
            above, below = max(0, -top), min(kernel, tall - top)
            base = (row // rows * tall + top + above) * line
            column = 0
            while column < columns:
                left = column * stride - border
                before, behind = max(0, -left), min(kernel, wide - left)
                source, weight = base + (left + before) * channels, (above * kernel + before) * channels
                target = (row * columns + column) * channels
                last = left + (DEPTHWISE_PIXELS - 1) * stride + kernel
                many = left >= 0 and last <= wide and column + DEPTHWISE_PIXELS <= columns
                shape = (below - above, behind - before, channels, line, kernel * channels)
                for channel in range(0, channels, LANES):
                    at, weights, goal = source + channel, weight + channel, target + channel
                    if many:
                        depthwise_many(x, at, stride, w, weights, shape, bias, scale, channel, limits, out, goal)
                    else:
                        depthwise_one(x, at, w, weights, shape, bias, scale, channel, limits, out, goal)
                column += DEPTHWISE_PIXELS if many else 1
    return out


@jit.parallel
def bordered(x: Floats, channels: int, border: int) -> Floats:
    """The first ``channels`` of each pixel with a frame of ``border`` zeros."""
    views, rows, columns, _ = x.shape
    out = np.zeros((views, rows + 2 * border, columns + 2 * border, channels), np.float32)
    for line in prange(views * rows):
        view, row = line // rows, line % rows
        for column in range(columns):
            for channel in range(channels):
                out[view, row + border, column + border, channel] = x[view, row, column, channel]
    return out


@jit.parallel
def add(left: Floats, right: Floats, low: float, high: float) -> Floats:
    """``clamp(left + right)``."""
    out = np.empty(left.shape, np.float32)
    lowest, highest = np.float32(low), np.float32(high)
    for piece in prange(PIECES):
        # Slices tell the compiler that nothing overlaps; with indices into the whole the loop takes ten times as long.
        part = slice(out.size * piece // PIECES, out.size * (piece + 1) // PIECES)
        a, b, made = left.reshape(-1)[part], right.reshape(-1)[part], out.reshape(-1)[part]
        for k in range(made.size):
            total = a[k] + b[k]
            total = max(total, lowest)
            made[k] = min(total, highest)
    return out


@jit.parallel
def up(x: Floats) -> Floats:
    """Each pixel becomes 2 × 2."""
    views, rows, columns, channels = x.shape
    out = np.empty((views, 2 * rows, 2 * columns, channels), np.float32)
    for line in prange(views * 2 * rows):
        source, target = x[line // (2 * rows), line % (2 * rows) // 2], out[line // (2 * rows), line % (2 * rows)]
        for column in range(2 * columns):
            for channel in range(channels):
                target[column, channel] = source[column // 2, channel]
    return out


@jit.parallel
def gate(x: Floats, spatial: Floats, table: Floats, factor: Floats, limit: float) -> Floats:
    """``clamp(round((x · table[spatial]) · factor))``; the code stands in the first channel of ``spatial``."""
    views, rows, columns, channels = x.shape
    out = np.empty(x.shape, np.float32)
    highest, middle = np.float32(limit), table.size // 2
    for line in prange(views * rows):
        view, row = line // rows, line % rows
        for column in range(columns):
            opened = table[int(spatial[view, row, column, 0]) + middle]
            source, target = x[view, row, column], out[view, row, column]
            for channel in range(channels):
                value = np.rint((source[channel] * opened) * factor[channel])
                value = max(value, -highest)
                target[channel] = min(value, highest)
    return out


@jit.parallel
def codes(x: Floats, channels: int) -> NDArray[np.int16]:
    """The first ``channels`` of an array, each a plane of its own: int16 (views, channels, rows, columns)."""
    views, rows, columns, _ = x.shape
    out = np.empty((views, channels, rows, columns), np.int16)
    for line in prange(views * rows):
        source, target = x[line // rows, line % rows], out[line // rows, :, line % rows]
        for channel in range(channels):
            for column in range(columns):
                target[channel, column] = np.int16(source[column, channel])
    return out

# SPDX-License-Identifier: Apache-2.0
"""The sixteen named maps: what each name is worth around each pixel.

The order of axis 0 is :data:`radiomicnet_md.radiomics.definitions.NAMED`.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm, jit, lbp, moments, surface
from radiomicnet_md.radiomics.definitions import NAMED

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

SHAPE_RATIO = NAMED.index("hessian_ShapeIndex")


def named(  # noqa: PLR0913 - one window has these six properties
    image: NDArray[np.integer],
    levels: NDArray[np.integer],
    codes: NDArray[np.uint8],
    radius: int,
    smoothing: int,
    *,
    step: int = 1,
) -> NDArray[np.float64]:
    """The sixteen maps at every ``step``-th pixel, float64 (16, ⌈rows/step⌉, ⌈columns/step⌉).

    :param image: whole grey values (rows, columns) for the first-order and the surface maps, as stored
    :param levels: discretised grey levels for the GLCM maps
    :param codes: uniform LBP codes of the image (:func:`radiomicnet_md.radiomics.lbp.codes`)
    :param radius: window radius in pixels
    :param smoothing: box radius q of the surface maps

    The shape index stands here as its ratio (see :mod:`radiomicnet_md.radiomics.surface`).
    """
    return np.concatenate(
        [
            glcm.dense(levels, radius, step=step),
            lbp.dense(codes, radius, step=step),
            moments.dense(image, radius, step=step),
            surface.dense(image, smoothing, step=step),
        ]
    )


@jit.parallel
def _sums(bits: Integers) -> tuple[Integers, Integers]:
    """Mantissas of doubles (maps, n) added up by exponent, in two halves (maps, 2, 2047); how many are finite."""
    halves = np.zeros((bits.shape[0], 2, 2047), dtype=np.int64)
    finite = np.zeros(bits.shape[0], dtype=np.int64)
    for m in prange(bits.shape[0]):
        high, low = halves[m, 0], halves[m, 1]
        for k in range(bits.shape[1]):
            value = bits[m, k]
            exponent = (value >> 52) & 0x7FF
            mantissa = value & ((1 << 52) - 1)
            if exponent == 0x7FF:  # noqa: PLR2004 - not a number, or infinite
                continue
            if exponent > 0:
                mantissa |= 1 << 52
            if value < 0:
                mantissa = -mantissa
            high[exponent] += mantissa >> 26
            low[exponent] += mantissa & ((1 << 26) - 1)
            finite[m] += 1
    return halves, finite


def means(maps: Floats) -> Floats:
    """Mean of each map's finite values, 0 where there is none: the sum is exact and rounded once. Shape (maps,)."""
    halves, finite = _sums(np.ascontiguousarray(maps).reshape(len(maps), -1).view(np.int64))
    out = []
    for (high, low), count in zip(halves, finite.tolist(), strict=True):
        used = np.flatnonzero(high | low).tolist()
        total = sum(((int(high[e]) << 26) + int(low[e])) << max(e - 1, 0) for e in used)
        out.append(total / (1 << 1074) / max(count, 1))
    return np.array(out)


@jit.parallel
def _ranks(maps: Floats, limits: Floats, most: int) -> NDArray[np.uint8]:
    """How many of a map's ascending ``limits`` (maps, 2**k − 1) lie below each value (maps, n), at most ``most``."""
    out = np.empty(maps.shape, dtype=np.uint8)
    for m in prange(maps.shape[0]):
        value, limit, line = maps[m], limits[m], out[m]
        rank = np.zeros(value.size, dtype=np.int64)
        step = np.int64(limit.size + 1) >> 1
        while step > 0:  # a bisection of all values at once
            for k in range(rank.size):
                rank[k] += 0 if value[k] <= limit[rank[k] + step - 1] else step
            step >>= 1
        for k in range(rank.size):
            line[k] = min(rank[k], most)
    return out


def ranks(maps: Floats, thresholds: Floats) -> NDArray[np.uint8]:
    """How many of the map's ascending thresholds (maps, at most 255) lie below each value: uint8 like ``maps``."""
    most = thresholds.shape[1]
    limits = np.full((len(thresholds), (1 << most.bit_length()) - 1), np.inf)
    limits[:, :most] = thresholds
    return np.asarray(_ranks(np.ascontiguousarray(maps).reshape(len(maps), -1), limits, most).reshape(maps.shape))

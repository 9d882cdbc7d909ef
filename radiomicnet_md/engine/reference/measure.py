# SPDX-License-Identifier: Apache-2.0
"""The thirteen values and the thirty-two maps of an image on the working grid, window by window.

Rules of this module:

- Each value is its definition (``docs/reference/radiomics.md``): a co-occurrence matrix is counted for each
  window, a histogram is counted for each window; there are no running sums and nothing is carried over.
- Counts and sums are integers. What follows is one IEEE 754 operation after the other in the order that the
  device defines; float sums are loops, since Python's ``sum`` of floats is not the same in every version.
- A logarithm is taken with 50 decimal digits and cut to 2**-32.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

ANGLES = ((0, 1), (1, 0), (1, 1), (1, -1))
DISTANCES = (1, 3)  # of the thirteen values; the maps have distance 1
STEP = 2  # the maps are measured at every second pixel
POINTS = 24  # of a local binary pattern
CIRCLE = 3  # its radius, pixels

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def values(image: NDArray[np.uint8], shift: int) -> Floats:
    """The thirteen values (13,) of levels (rows, columns); ``shift`` makes the grey levels of the matrices."""
    textures = cooccurrence((image >> shift).astype(np.int64), DISTANCES)
    return np.array([*textures, *statistics(patterns(image)), *_moments_of_all(image)])


def maps(image: NDArray[np.uint8], shift: int, radius: int, smoothing: int) -> Floats:
    """The sixteen maps (16, ⌈rows/2⌉, ⌈columns/2⌉) in windows of (2 radius + 1)², clipped at the border."""
    grey, codes = (image >> shift).astype(np.int64), patterns(image)
    rows, columns = ((side + STEP - 1) // STEP for side in image.shape)
    windowed = np.zeros((9, rows, columns))
    for r, c in np.ndindex(rows, columns):
        top, left = max(STEP * r - radius, 0), max(STEP * c - radius, 0)
        window = np.s_[top : STEP * r + radius + 1, left : STEP * c + radius + 1]
        windowed[:, r, c] = *cooccurrence(grey[window], (1,)), *statistics(codes[window])
    return np.concatenate([windowed, _moments(image, radius), _surface(image, smoothing)])


def relative(stack: Floats) -> Floats:
    """Maps (maps, rows, columns) minus the mean of their finite values, whose sum is exact and rounded once."""
    finite = [one[np.isfinite(one)].tolist() for one in stack]
    means = [math.fsum(numbers) / max(len(numbers), 1) for numbers in finite]
    return np.asarray(stack - np.array(means)[:, None, None])


def encode(stack: Floats, thresholds: Floats) -> NDArray[np.uint8]:
    """How many of each map's thresholds (maps, T) lie below each value (maps, rows, columns)."""
    codes = np.zeros(stack.shape, dtype=np.uint8)
    for threshold in thresholds.T:
        codes += stack > threshold[:, None, None]
    return codes


def cooccurrence(grey: Integers, distances: tuple[int, ...]) -> list[float]:
    """Contrast, dissimilarity, homogeneity, energy, correlation: the mean over the steps that have pairs."""
    rows, columns = grey.shape
    total, used = [0.0] * 5, 0
    for distance in distances:
        for down, across in ANGLES:
            r, c = distance * down, distance * across
            first = grey[: max(rows - r, 0), max(-c, 0) : max(columns - max(c, 0), 0)]
            second = grey[r:, max(c, 0) : max(columns - max(-c, 0), 0)]
            if first.size:
                total = [before + one for before, one in zip(total, _matrix(first, second), strict=True)]
                used += 1
    return [one / max(used, 1) for one in total]


@cache
def _weights(levels: int) -> Integers:
    """(i − j)², |i − j|, 1 / (1 + (i − j)²) in 2**-46, i + j, i² + j², i j for each cell: (levels², 6)."""
    i, j = np.divmod(np.arange(levels * levels), levels)
    apart = 1 + (i - j) ** 2
    inverse = ((1 << 47) + apart) // (2 * apart)  # rounded to nearest
    return np.stack([apart - 1, np.abs(i - j), inverse, i + j, i * i + j * j, i * j], 1)


def _matrix(first: Integers, second: Integers) -> tuple[float, ...]:
    """The five features of pairs of levels."""
    levels = int(max(first.max(), second.max())) + 1
    cells = np.bincount((first * levels + second).ravel(), minlength=levels**2)
    symmetric = cells.reshape(levels, levels) + cells.reshape(levels, levels).T
    pairs = int(first.size)
    contrast, distance, inverse, total, squares, products = (cells @ _weights(levels)).tolist()
    spread = 2 * pairs * squares - total * total
    return (
        contrast / pairs,
        distance / pairs,
        float(inverse) / float(pairs << 46),
        int((symmetric * symmetric).sum()) / (4 * pairs * pairs),
        (4 * pairs * products - total * total) / spread if spread else 1.0,
    )


def patterns(image: NDArray[np.uint8]) -> Integers:
    """Uniform local binary patterns: the number of ones, or 25 where they change more than twice."""
    border, one = CIRCLE + 1, 1 << 12
    padded = np.pad(image.astype(np.int64), border, mode="edge")

    def moved(r: int, c: int) -> Integers:
        return padded[border + r : border + r + image.shape[0], border + c : border + c + image.shape[1]]

    ones = []
    for point in range(POINTS):
        angle = 2 * math.pi * point / POINTS
        r, down = divmod(round(-CIRCLE * math.sin(angle) * one), one)
        c, right = divmod(round(CIRCLE * math.cos(angle) * one), one)
        upper = moved(r, c) * (one - right) + moved(r, c + 1) * right
        lower = moved(r + 1, c) * (one - right) + moved(r + 1, c + 1) * right
        ones.append(upper * (one - down) + lower * down >= image.astype(np.int64) * one * one)
    around = np.array(ones)
    changes = (around != np.roll(around, 1, axis=0)).sum(0)
    return np.where(changes <= 2, around.sum(0), POINTS + 1)  # noqa: PLR2004 - the definition of "uniform"


def statistics(codes: Integers) -> tuple[float, ...]:
    """Mean, standard deviation, entropy in bits and uniformity of codes."""
    counts = np.bincount(codes.ravel(), minlength=POINTS + 2).tolist()
    n = codes.size
    first = sum(code * count for code, count in enumerate(counts))
    second = sum(code * code * count for code, count in enumerate(counts))
    logs = n * _log2(n) - sum(count * _log2(count) for count in counts if count)
    return (
        first / n,
        math.sqrt((n * second - first * first) / (n * n)),
        logs / (n << 32),
        sum(count * count for count in counts) / (n * n),
    )


@cache
def _log2(n: int) -> int:
    """⌊2**32 log₂ n⌋."""
    whole = n.bit_length() - 1
    with localcontext() as context:
        context.prec = 50
        rest = (Decimal(n) / Decimal(1 << whole)).ln() / Decimal(2).ln()
        return (whole << 32) + math.floor(rest * (1 << 32))


def _moments_of_all(image: NDArray[np.uint8]) -> tuple[float, ...]:
    """Mean, standard deviation, skewness and kurtosis of all pixels, added up in row order."""
    levels = image.ravel().tolist()
    mean = sum(levels) / len(levels)  # of whole numbers
    second = third = fourth = 0.0
    for level in levels:
        apart = level - mean
        square = apart * apart
        second, third, fourth = second + square, third + square * apart, fourth + square * square
    second, third, fourth = (power / len(levels) for power in (second, third, fourth))
    if min(levels) == max(levels):
        return mean, 0.0, 0.0, 0.0
    return mean, math.sqrt(second), third / (second * math.sqrt(second)), fourth / (second * second)


def _moments(image: NDArray[np.uint8], radius: int) -> Floats:
    """The same in windows: place after place of the window, in row order, in all windows at once."""
    inside = np.pad(np.ones(image.shape, dtype=np.bool_), radius)
    padded = np.pad(image.astype(np.float64), radius)
    rows, columns = image.shape
    places = [np.s_[r : r + rows : STEP, c : c + columns : STEP] for r, c in np.ndindex(2 * radius + 1, 2 * radius + 1)]
    number = np.array([inside[place] for place in places]).sum(0)
    mean = np.array([padded[place] for place in places]).sum(0) / number  # of whole numbers
    second, third, fourth = np.zeros((3, *mean.shape))
    for place in places:
        apart = np.where(inside[place], padded[place] - mean, 0.0)
        square = apart * apart
        second, third, fourth = second + square, third + square * apart, fourth + square * square
    second, third, fourth = second / number, third / number, fourth / number
    spread = np.where(second > 0, second, 1.0)
    skewness, kurtosis = third / (spread * np.sqrt(spread)), fourth / (spread * spread)
    return np.array([mean, np.sqrt(second), np.where(second > 0, skewness, 0.0), np.where(second > 0, kurtosis, 0.0)])


def _surface(image: NDArray[np.uint8], smoothing: int) -> Floats:
    """Sharpness, shape ratio and curvedness of the image smoothed by two box sums."""
    smooth = image.astype(np.int64)
    for _ in range(2):
        padded = np.pad(smooth, smoothing, mode="edge")
        reach = np.ndindex(2 * smoothing + 1, 2 * smoothing + 1)
        smooth = sum((padded[r:, c:][: image.shape[0], : image.shape[1]] for r, c in reach), np.zeros_like(smooth))
    d, weight = max(smoothing, 1), (2 * smoothing + 1) ** 4
    padded = np.pad(smooth, d, mode="edge")

    def at(r: int, c: int) -> Integers:
        return padded[d + r * d :, d + c * d :][: image.shape[0], : image.shape[1]][::STEP, ::STEP]

    row, column = at(1, 0) - at(-1, 0), at(0, 1) - at(0, -1)
    rr, cc = 4 * (at(-1, 0) + at(1, 0) - 2 * at(0, 0)), 4 * (at(0, -1) + at(0, 1) - 2 * at(0, 0))
    rc = at(1, 1) - at(1, -1) - at(-1, 1) + at(-1, -1)
    split = np.sqrt(((rr - cc) ** 2 + 4 * rc**2).astype(np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):  # a cap or cup of equal curvatures is infinite
        ratio = np.where(rr + cc == 0, 0.0, -(rr + cc) / split)
    return np.array(
        [
            np.sqrt((row**2 + column**2).astype(np.float64)) / (2 * d * weight),
            ratio,
            np.sqrt((rr**2 + cc**2 + 2 * rc**2) / 2) / (4 * d * d * weight),
        ]
    )

# SPDX-License-Identifier: Apache-2.0
"""What each of a set of nested regions is worth by name, in integers: shape, intensity, border and texture.

Rules of this module:

- A value is an integer: a count, or a quotient of integers times its scale, rounded down. Square roots are
  those of integers, rounded down.
- "Inside" is the region; "ring" the pixels outside it within :data:`RING` steps (4-neighbours), inside the
  image; "echo behind" compares the pixels under the region with those beside them at the same depth.
- Where a value has nothing to be measured on (no ring, nothing below) it is 0.
- No pixel is read twice for two regions that hold it (``region_tree``); what surrounds a region is read along its
  border (``region_band``). A region's values are those that it has alone.
- The values of :mod:`radiomicnet_md.radiomics.region_definitions` are locked: names, order and integers are those
  that a release's tables were fitted to. What else is measured by name stands in ``region_more``.
- No value of the network is among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.radiomics import region_band, region_tree
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region_definitions import EDGE, FINE, RING, SHAPE, SHARE, TEXTURE
from radiomicnet_md.radiomics.region_tree import (
    AREA,
    BORDER,
    CODES,
    COLUMN,
    COLUMN_COLUMN,
    GREY,
    GREY_GREY,
    ROW,
    ROW_COLUMN,
    ROW_ROW,
    Tree,
)

Integers = NDArray[np.int64]
_PI_4 = 51472  # 4π in 2**-12, rounded: round(4 * pi * 4096)


@dataclass(frozen=True, slots=True)
class Moments:
    """Second central moments of pixel centres times the squared area, and the larger one's lead over the smaller."""

    rows: int
    columns: int
    mixed: int

    @classmethod
    def of(cls, sums: list[int]) -> Moments:
        """From a region's sums."""
        return cls(
            sums[AREA] * sums[ROW_ROW] - sums[ROW] ** 2,
            sums[AREA] * sums[COLUMN_COLUMN] - sums[COLUMN] ** 2,
            sums[AREA] * sums[ROW_COLUMN] - sums[ROW] * sums[COLUMN],
        )

    @property
    def total(self) -> int:
        """Major and minor together."""
        return self.rows + self.columns

    @property
    def lead2(self) -> int:
        """(major − minor)²."""
        return (self.rows - self.columns) ** 2 + 4 * self.mixed**2


def measure(tree: Tree, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> Integers:
    """All values of every region: int64 (regions, values) in the order of :data:`VALUES`.

    :param tree: the regions, on the working grid (rows, columns)
    :param levels: grey levels (rows, columns)
    :param codes: the sixteen codes of the first scale on the half grid, (16, ⌈rows/2⌉, ⌈columns/2⌉)
    :raises InputError: levels or codes of another grid than the regions
    """
    check_grids(tree, levels, codes)
    texture = np.ascontiguousarray(codes.transpose(1, 2, 0))
    sums, boxes = region_tree.sums(tree, levels, texture), region_tree.boxes(tree)
    cracks = region_band.cracks(tree)
    ring = region_band.outside(tree, cracks, RING)
    around = ring.count(RING)
    mean, mean_around = ratio(sums[:, GREY], sums[:, AREA], FINE), ratio(ring.sum(RING, levels), around, FINE)
    intensity = (
        mean,
        spread(sums[:, AREA], sums[:, GREY], sums[:, GREY_GREY], FINE),
        mean_around,
        np.where(around > 0, mean_around - mean, 0),
        _border_step(tree, cracks, ring, levels),
        _echo_behind(boxes, levels),
    )
    inside = ratio(sums[:, CODES:], sums[:, AREA, None], FINE)
    outside = ratio(ring.code_sums(RING, levels.shape, texture), around[:, None], FINE)
    steps = np.where(around[:, None] > 0, outside - inside, 0)
    texture_values = np.stack([inside, steps], 2).reshape(len(tree), len(TEXTURE))
    return np.concatenate([_shape(tree, sums, boxes, levels.shape), np.stack(intensity, 1), texture_values], 1)


def check_grids(tree: Tree, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> None:
    """Refuse levels or codes of another grid than the regions."""
    half = tuple((side + 1) // 2 for side in tree.owner.shape)
    if levels.shape != tree.owner.shape or codes.shape != (len(NAMED), *half):
        raise InputError(
            "E-REGION-GRID",
            f"regions of {tree.owner.shape}, levels of {levels.shape} and codes of {codes.shape} do not fit together",
            remedy=f"give levels of the regions' shape and codes of {(len(NAMED), *half)}",
        )


def ratio(numerator: Integers, denominator: Integers, scale: int) -> Integers:
    """Quotients times scale, rounded down; 0 where there is nothing to divide by."""
    return np.asarray(np.where(denominator > 0, numerator * scale // np.maximum(denominator, 1), 0))


def spread(count: Integers, total: Integers, squares: Integers, scale: int) -> Integers:
    """Standard deviations times scale, rounded down, from counts, sums and sums of squares; 0 of nothing."""
    rows = zip(count.tolist(), total.tolist(), squares.tolist(), strict=True)
    return np.array([math.isqrt((n * s - t * t) * scale * scale // (n * n)) if n else 0 for n, t, s in rows], np.int64)


def _shape(tree: Tree, sums: Integers, boxes: Integers, shape: tuple[int, ...]) -> Integers:
    # In Python's integers: products of moments pass 2**63 already on the working grid.
    lists = (sums[:, :CODES], boxes, region_tree.perimeter(sums), region_tree.hull_areas(tree, boxes))
    rows = zip(*(one.tolist() for one in lists), strict=True)
    return np.array([_shape_of(*row, *shape) for row in rows], dtype=np.int64).reshape(len(tree), len(SHAPE))


def _shape_of(  # noqa: PLR0913 - what a shape is measured by
    sums: list[int], box: list[int], perimeter: int, hull2: int, rows: int, columns: int
) -> tuple[int, ...]:
    """The nine values of the shape, in the order of the table."""
    area, height, width = sums[AREA], box[2] - box[0], box[3] - box[1]
    moments = Moments.of(sums)
    lead = math.isqrt(moments.lead2)
    minor, major = max(moments.total - lead, 0), moments.total + lead
    return (
        area * SHARE * 16 // (rows * columns),
        _PI_4 * area // perimeter**2,
        math.isqrt(minor * SHARE * SHARE // major) if major else 0,
        2 * area * SHARE // hull2,
        area * SHARE // (height * width),
        height * SHARE // width,
        (sums[ROW] * 2 + area) * SHARE // (area * rows * 2),
        abs((sums[COLUMN] * 2 + area) * SHARE // (area * columns * 2) - SHARE // 2),
        sums[BORDER] * SHARE // perimeter,
    )


def _border_step(tree: Tree, cracks: region_band.Cracks, ring: region_band.Band, levels: NDArray[np.uint8]) -> Integers:
    within = region_band.inside(tree, cracks, EDGE)
    outer = ratio(ring.sum(EDGE, levels), ring.count(EDGE), FINE)
    inner = ratio(within.sum(EDGE, levels), within.count(EDGE), FINE)
    return np.asarray(outer - inner)  # without a border neither has a pixel, and both are 0


def _echo_behind(boxes: Integers, levels: NDArray[np.uint8]) -> Integers:
    """Posterior enhancement (positive) or shadow (negative): below each region against both sides of that."""
    total = np.zeros((levels.shape[0] + 1, levels.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = levels.astype(np.int64).cumsum(0).cumsum(1)
    _, left, bottom, right = boxes.T
    height, width = bottom - boxes[:, 0], right - left
    end = np.minimum(bottom + np.maximum(height // 2, 4), levels.shape[0])
    first, last = np.maximum(left - width, 0), np.minimum(right + width, levels.shape[1])

    def between(start: Integers, stop: Integers) -> Integers:
        return np.asarray(total[end, stop] - total[bottom, stop] - total[end, start] + total[bottom, start])

    below, beside = between(left, right), between(first, last) - between(left, right)
    depth, sides = end - bottom, (last - first) - width
    step = ratio(below, depth * width, FINE) - ratio(beside, depth * sides, FINE)
    return np.asarray(np.where(depth * sides > 0, step, 0))

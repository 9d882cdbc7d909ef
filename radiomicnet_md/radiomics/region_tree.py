# SPDX-License-Identifier: Apache-2.0
"""Nested regions as one label image and one list of parents; what adds up is summed once and handed up the tree.

Rules of this module:

- Every pixel bears the smallest region that holds it, so a region is its own pixels and those of all below it.
- Two neighbours both lie in a region exactly where the lowest region that holds both lies in it. Pairs of
  neighbours therefore add up the tree like pixels do, and with them the perimeter.
- A sum is int64 and cannot overflow: sides of at most :data:`LONGEST` pixels, values of at most 255.
- Cost: one pass over the image (the depth of the tree counts only where the label changes), then one step a region.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.radiomics import jit

LONGEST = 1 << 15  # side of an image, pixels
WALL = -2  # rank of the frame around the image
# Columns of the sums; r and c are a pixel's row and column. The codes' sums follow.
AREA, ROW, COLUMN, ROW_ROW, COLUMN_COLUMN, ROW_COLUMN, PAIRS, BORDER, GREY, GREY_GREY, CODES = range(11)

Integers = NDArray[np.int64]
Labels = NDArray[np.int32]


class Tree:
    """A set of regions of which any two are disjoint or one holds the other; regions need not be connected."""

    def __init__(self, owner: NDArray[np.integer], parents: NDArray[np.integer]) -> None:
        """Check and number the regions.

        :param owner: the smallest region that holds each pixel, −1 for none: (rows, columns)
        :param parents: the smallest region that holds each region, −1 for none: (regions,), parents first
        :raises InputError: labels or parents that are no such tree, a region without a pixel, sides too long
        """
        _check(owner, parents)
        self.owner: Labels = np.ascontiguousarray(owner, dtype=np.int32)
        self.parents: Integers = np.ascontiguousarray(parents, dtype=np.int64)
        # A region and all below it have consecutive ranks: first, first + 1, …, first + size − 1.
        self.first, self.size = _ranks(self.parents)
        self.rank: Labels = np.full((owner.shape[0] + 2, owner.shape[1] + 2), WALL, dtype=np.int32)
        self.rank[1:-1, 1:-1] = np.concatenate([self.first, [-1]])[self.owner]
        if self.first.size and not self._occupied().all():
            raise _no_tree("a region has no pixel")

    @classmethod
    def of(cls, masks: Sequence[NDArray[np.bool_]]) -> Tree:
        """The tree of one or more masks (rows, columns), larger before smaller.

        :raises InputError: two masks that overlap without nesting, a smaller one before a larger, shapes that differ
        """
        if len({mask.shape for mask in masks}) != 1:
            raise _no_tree("there is no mask, or shapes differ")
        owner = np.full(masks[0].shape, -1, dtype=np.int32)
        parents = []
        for index, mask in enumerate(masks):
            below = np.unique(owner[mask])
            if below.size != 1 or (below[0] >= 0 and (mask & ~masks[below[0]]).any()):
                raise _no_tree("a mask is empty, overlaps another without nesting, or stands before a larger one")
            parents.append(int(below[0]))
            owner[mask] = index
        return cls(owner, np.array(parents))

    def __len__(self) -> int:
        """Number of regions."""
        return self.parents.size

    def pixels(self, index: int) -> NDArray[np.bool_]:
        """One region as a mask (rows, columns)."""
        rank = self.rank[1:-1, 1:-1]
        return np.asarray((rank >= self.first[index]) & (rank < self.first[index] + self.size[index]))

    def _occupied(self) -> NDArray[np.bool_]:
        counts = np.bincount(self.owner[self.owner >= 0], minlength=len(self))[:, None]
        return np.asarray(up(counts, self.parents)[:, 0] > 0)


def sums(tree: Tree, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> Integers:
    """Sums over the pixels of each region: int64 (regions, CODES + maps), columns as named above.

    :param levels: grey levels (rows, columns)
    :param codes: codes of the maps on the half grid, (⌈rows/2⌉, ⌈columns/2⌉, maps); every pixel counts the code of
        its half-grid place

    ``PAIRS`` counts pairs of 4-neighbours, ``BORDER`` sides of pixels on the image's border.
    """
    out = np.zeros((len(tree), CODES + codes.shape[2]), dtype=np.int64)
    _own_pairs(tree.owner, tree.parents, out)
    _own_sums(tree.owner, np.ascontiguousarray(levels), np.ascontiguousarray(codes), out)
    return up(out, tree.parents)


def histograms(tree: Tree, image: NDArray[np.uint8]) -> Integers:
    """Pixels of each level of an image (rows, columns) in each region: int64 (regions, 256)."""
    return up(_own_histograms(tree.owner, len(tree), np.ascontiguousarray(image)), tree.parents)


def perimeter(sums: Integers) -> Integers:
    """Length of each region's border in sides of pixels, holes and the image's border included: (regions,)."""
    return np.asarray(4 * sums[:, AREA] - 2 * sums[:, PAIRS])


def boxes(tree: Tree) -> Integers:
    """Bounding boxes (row0, column0, row1, column1), ends exclusive: int64 (regions, 4)."""
    return np.asarray(_boxes(tree.owner, tree.parents))


def hull_areas(tree: Tree, boxes: Integers) -> Integers:
    """Twice the area of the convex hull of each region's pixel corners: int64 (regions,)."""
    places = np.concatenate([[0], np.cumsum(boxes[:, 2] - boxes[:, 0])])
    return np.asarray(_hulls(tree.owner, tree.parents, boxes, places))


def _check(owner: NDArray[np.integer], parents: NDArray[np.integer]) -> None:
    if owner.ndim != 2 or parents.ndim != 1 or not owner.size:  # noqa: PLR2004 - an image
        raise _no_tree("labels are two-dimensional and not empty, parents are one-dimensional")
    if max(owner.shape) > LONGEST:
        raise _no_tree(f"a side is longer than {LONGEST} pixels")
    if owner.min() < -1 or owner.max() >= parents.size:
        raise _no_tree("a label has no region")
    if ((parents < -1) | (parents >= np.arange(parents.size))).any():
        raise _no_tree("a region does not stand behind its parent")


def _no_tree(why: str) -> InputError:
    return InputError(
        "E-REGION-TREE",
        f"these are no nested regions: {why}",
        remedy="give regions of which any two are disjoint or nested, larger before smaller",
    )


@jit.serial
def _ranks(parents: Integers) -> tuple[Integers, Integers]:
    # Depth first, children in their order: a region's descendants follow it directly.
    n = parents.size
    size = np.ones(n, dtype=np.int64)
    for i in range(n - 1, -1, -1):
        if parents[i] >= 0:
            size[parents[i]] += size[i]
    first = np.empty(n, dtype=np.int64)
    free = np.empty(n, dtype=np.int64)  # the next rank to give to a child
    top = 0
    for i in range(n):
        if parents[i] >= 0:
            first[i] = free[parents[i]]
            free[parents[i]] += size[i]
        else:
            first[i] = top
            top += size[i]
        free[i] = first[i] + 1
    return first, size


@jit.serial
def up(sums: Integers, parents: Integers) -> Integers:
    """Each region's own sums (regions, kinds) and those of all below it; changes ``sums`` and returns it."""
    for i in range(parents.size - 1, -1, -1):
        if parents[i] >= 0:
            sums[parents[i]] += sums[i]
    return sums


@jit.serial
def common(parents: Integers, a: int, b: int) -> int:
    """The lowest region that holds both, −1 if none does: the later of two regions is never the holder."""
    while a != b:
        if a > b:
            a = parents[a]
        else:
            b = parents[b]
    return a


@jit.serial
def _own_pairs(owner: Labels, parents: Integers, out: Integers) -> None:
    rows, columns = owner.shape
    for r in range(rows):
        for c in range(columns):
            if c + 1 < columns:
                beside = common(parents, owner[r, c], owner[r, c + 1])
                if beside >= 0:
                    out[beside, PAIRS] += 1
            if r + 1 < rows:
                below = common(parents, owner[r, c], owner[r + 1, c])
                if below >= 0:
                    out[below, PAIRS] += 1


@jit.serial
def _own_sums(owner: Labels, levels: NDArray[np.uint8], codes: NDArray[np.uint8], out: Integers) -> None:
    rows, columns = owner.shape
    for r in range(rows):
        for c in range(columns):
            if owner[r, c] < 0:
                continue
            row = out[owner[r, c]]
            level = np.int64(levels[r, c])
            row[AREA] += 1
            row[ROW] += r
            row[COLUMN] += c
            row[ROW_ROW] += r * r
            row[COLUMN_COLUMN] += c * c
            row[ROW_COLUMN] += r * c
            row[BORDER] += (r == 0) + (r == rows - 1) + (c == 0) + (c == columns - 1)
            row[GREY] += level
            row[GREY_GREY] += level * level
            code = codes[r // 2, c // 2]
            for k in range(code.size):
                row[CODES + k] += code[k]


@jit.serial
def _own_histograms(owner: Labels, regions: int, image: NDArray[np.uint8]) -> Integers:
    out = np.zeros((regions, 256), dtype=np.int64)
    for r in range(owner.shape[0]):
        for c in range(owner.shape[1]):
            if owner[r, c] >= 0:
                out[owner[r, c], image[r, c]] += 1
    return out


@jit.serial
def _boxes(owner: Labels, parents: Integers) -> Integers:
    rows, columns = owner.shape
    out = np.empty((parents.size, 4), dtype=np.int64)
    out[:, :2] = LONGEST
    out[:, 2:] = 0
    for r in range(rows):
        for c in range(columns):
            o = owner[r, c]
            if o >= 0:
                out[o, 0] = min(out[o, 0], r)
                out[o, 1] = min(out[o, 1], c)
                out[o, 2] = r + 1
                out[o, 3] = max(out[o, 3], c + 1)
    for i in range(parents.size - 1, -1, -1):
        p = parents[i]
        if p >= 0:
            out[p, 0] = min(out[p, 0], out[i, 0])
            out[p, 1] = min(out[p, 1], out[i, 1])
            out[p, 2] = max(out[p, 2], out[i, 2])
            out[p, 3] = max(out[p, 3], out[i, 3])
    return out


@jit.serial
def _hulls(owner: Labels, parents: Integers, boxes: Integers, places: Integers) -> Integers:
    # First column and end column of each region in each row of its box, merged up the tree.
    start = np.full(places[-1], LONGEST, dtype=np.int64)
    end = np.zeros(places[-1], dtype=np.int64)
    rows, columns = owner.shape
    for r in range(rows):
        for c in range(columns):
            o = owner[r, c]
            if o >= 0:
                at = places[o] + r - boxes[o, 0]
                start[at] = min(start[at], c)
                end[at] = c + 1
    area = np.empty(parents.size, dtype=np.int64)
    for i in range(parents.size - 1, -1, -1):
        low = places[i]
        high = places[i + 1]
        p = parents[i]
        if p >= 0:
            shift = places[p] + boxes[i, 0] - boxes[p, 0] - low
            for at in range(low, high):
                start[at + shift] = min(start[at + shift], start[at])
                end[at + shift] = max(end[at + shift], end[at])
        area[i] = _under(end[low:high], 0) + _under(start[low:high], LONGEST)
    return area


@jit.serial
def _under(columns: Integers, empty: int) -> int:
    # Twice the area between column 0 and the right chain of the hull of these row ends; for row starts, whose
    # empty rows bear LONGEST, minus twice the area before the left chain: the right chain of their mirror image.
    sign = 1 if empty == 0 else -1
    furthest = np.full(columns.size + 1, -2 * LONGEST, dtype=np.int64)  # of the corners in each line between rows
    for r in range(columns.size):
        if columns[r] != empty:
            furthest[r] = max(furthest[r], sign * columns[r])
            furthest[r + 1] = max(furthest[r + 1], sign * columns[r])
    line = np.empty(furthest.size, dtype=np.int64)
    n = 0
    for r in range(furthest.size):
        if furthest[r] == -2 * LONGEST:
            continue  # no corner
        while n > 1:
            a, b = line[n - 2], line[n - 1]
            if (furthest[b] - furthest[a]) * (r - a) > (furthest[r] - furthest[a]) * (b - a):
                break
            n -= 1
        line[n] = r
        n += 1
    total = 0
    for k in range(1, n):
        total += (line[k] - line[k - 1]) * (furthest[line[k]] + furthest[line[k - 1]])
    return total

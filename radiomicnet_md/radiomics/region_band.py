# SPDX-License-Identifier: Apache-2.0
"""Bands along a region's border, outside or inside it, without a look at what the region holds.

Rules of this module:

- A band holds the pixels of the image at most so many steps (to 4-neighbours) from the other side of the border.
  What lies outside a region has its own band for each region and does not add up the tree.
- It grows from the region's own cracks (sides between a pixel inside and one outside), step by step. Cost: the
  length of the border to start from, then five looks a pixel of the band; the interior costs nothing.
- The order of a band's pixels is that of their distance; sums over it are of integers and know no order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.region_tree import WALL, Tree

Integers = NDArray[np.int64]
Places = NDArray[np.int32]  # pixels of the framed image, counted row by row


@dataclass(frozen=True, slots=True)
class Cracks:
    """The borders of all regions, region by region; ``ends[i] … ends[i + 1]`` are those of region i."""

    inner: Places  # (cracks,) the pixel inside
    outer: Places  # (cracks,) the pixel outside
    ends: Integers  # (regions + 1,)


@dataclass(frozen=True, slots=True)
class Band:
    """Pixels of each region's band by distance: those at distance s of region i are ``ends[i, s−1] … ends[i, s]``."""

    pixels: Places
    ends: Integers  # (regions, steps + 1)

    def count(self, steps: int) -> Integers:
        """Pixels of each region's band at most ``steps`` away: (regions,)."""
        return np.asarray(self.ends[:, steps] - self.ends[:, 0])

    def sum(self, steps: int, image: NDArray[np.integer]) -> Integers:
        """Sum of an integer image (rows, columns) over the pixels at most ``steps`` away: int64 (regions,)."""
        return np.asarray(_sum(self.pixels, self.ends, steps, _framed(image)))

    def code_sums(self, steps: int, shape: tuple[int, ...], codes: NDArray[np.uint8]) -> Integers:
        """Sums of the codes (⌈rows/2⌉, ⌈columns/2⌉, maps) of the half grid: int64 (regions, maps)."""
        flat = np.ascontiguousarray(codes).reshape(-1, codes.shape[2])
        return np.asarray(_code_sums(self.pixels, self.ends, steps, half_places(shape), flat))

    def histograms(self, steps: int, image: NDArray[np.uint8]) -> Integers:
        """Pixels of each level at most ``steps`` away: int64 (regions, 256)."""
        return np.asarray(_histograms(self.pixels, self.ends, steps, _framed(image)))


def half_places(shape: tuple[int, ...]) -> Places:
    """For each pixel of the framed image (rows, columns), flat, its place on the flat half grid."""
    rows, columns = (np.arange(side) // 2 for side in shape)
    return _framed(rows[:, None] * ((shape[1] + 1) // 2) + columns[None, :]).astype(np.int32)


def cracks(tree: Tree) -> Cracks:
    """The borders of all regions, without the image's own border."""
    counts = np.asarray(_count_cracks(tree.owner, tree.parents))
    ends = np.concatenate([[0], np.cumsum(counts)])
    inner, outer = _list_cracks(tree.owner, tree.parents, ends)
    return Cracks(inner, outer, ends)


def outside(tree: Tree, cracks: Cracks, steps: int) -> Band:
    """The pixels outside each region, at most ``steps`` from it, in holes as well."""
    return _band(tree, cracks.outer, cracks.ends, steps, within=False)


def inside(tree: Tree, cracks: Cracks, steps: int) -> Band:
    """The pixels of each region at most ``steps`` from a pixel of the image outside it."""
    return _band(tree, cracks.inner, cracks.ends, steps, within=True)


def _band(tree: Tree, seeds: Places, ends: Integers, steps: int, *, within: bool) -> Band:
    return Band(*_grow(tree.rank.ravel(), tree.first, tree.size, seeds, ends, steps, within, tree.rank.shape[1]))


def _framed(image: NDArray[np.integer]) -> Integers:
    return np.pad(image.astype(np.int64), 1).ravel()


@jit.serial
def _count_cracks(owner: NDArray[np.int32], parents: Integers) -> Integers:
    rows, columns = owner.shape
    counts = np.zeros(parents.size, dtype=np.int64)
    for r in range(rows):
        for c in range(columns):
            for down in range(2):
                if (r + 1 < rows) if down else (c + 1 < columns):
                    a = np.int64(owner[r, c])
                    b = np.int64(owner[r + down, c + 1 - down])
                    while a != b:  # up to the lowest region that holds both: each on the way holds one of them
                        if a > b:
                            counts[a] += 1
                            a = parents[a]
                        else:
                            counts[b] += 1
                            b = parents[b]
    return counts


@jit.serial
def _list_cracks(owner: NDArray[np.int32], parents: Integers, ends: Integers) -> tuple[Places, Places]:
    rows, columns = owner.shape
    inner = np.empty(ends[-1], dtype=np.int32)
    outer = np.empty(ends[-1], dtype=np.int32)
    free = ends[:-1].copy()
    for r in range(rows):
        for c in range(columns):
            for down in range(2):
                if (r + 1 < rows) if down else (c + 1 < columns):
                    here = (r + 1) * (columns + 2) + c + 1
                    there = here + columns + 2 if down else here + 1
                    a = np.int64(owner[r, c])
                    b = np.int64(owner[r + down, c + 1 - down])
                    while a != b:
                        if a > b:
                            inner[free[a]], outer[free[a]] = here, there
                            free[a] += 1
                            a = parents[a]
                        else:
                            inner[free[b]], outer[free[b]] = there, here
                            free[b] += 1
                            b = parents[b]
    return inner, outer


@jit.serial
def _grow(  # noqa: PLR0913 - a kernel takes plain values
    rank: Places,
    first: Integers,
    size: Integers,
    seeds: Places,
    seed_ends: Integers,
    steps: int,
    within: bool,  # noqa: FBT001 - called by position
    width: int,
) -> tuple[Places, Integers]:
    # Breadth first from the seeds of one region after the other; `seen` bears the last region that took a pixel.
    seen = np.full(rank.size, -1, dtype=np.int32)
    pixels = np.empty(1 << 14, dtype=np.int32)
    ends = np.empty((first.size, steps + 1), dtype=np.int64)
    n = 0
    for i in range(first.size):
        pixels = _room(pixels, n, n + seed_ends[i + 1] - seed_ends[i])
        ends[i, 0] = n
        for k in range(seed_ends[i], seed_ends[i + 1]):
            if seen[seeds[k]] != i:
                seen[seeds[k]] = i
                pixels[n] = seeds[k]
                n += 1
        ends[i, 1] = n
        for step in range(1, steps):
            pixels = _room(pixels, n, n + 4 * (ends[i, step] - ends[i, step - 1]))
            for k in range(ends[i, step - 1], ends[i, step]):
                for move in (-width, -1, 1, width):
                    place = pixels[k] + move
                    held = first[i] <= rank[place] < first[i] + size[i]
                    if held == within and rank[place] != WALL and seen[place] != i:
                        seen[place] = i
                        pixels[n] = place
                        n += 1
            ends[i, step + 1] = n
    return pixels[:n].copy(), ends


@jit.serial
def _room(pixels: Places, used: int, needed: int) -> Places:
    if needed <= pixels.size:
        return pixels
    larger = np.empty(2 * needed, dtype=np.int32)
    larger[:used] = pixels[:used]
    return larger


@jit.serial
def _sum(pixels: Places, ends: Integers, steps: int, image: Integers) -> Integers:
    out = np.zeros(ends.shape[0], dtype=np.int64)
    for i in range(ends.shape[0]):
        for k in range(ends[i, 0], ends[i, steps]):
            out[i] += image[pixels[k]]
    return out


@jit.serial
def _code_sums(pixels: Places, ends: Integers, steps: int, half: Places, codes: NDArray[np.uint8]) -> Integers:
    out = np.zeros((ends.shape[0], codes.shape[1]), dtype=np.int64)
    for i in range(ends.shape[0]):
        row = out[i]
        for k in range(ends[i, 0], ends[i, steps]):
            code = codes[half[pixels[k]]]
            for m in range(codes.shape[1]):
                row[m] += code[m]
    return out


@jit.serial
def _histograms(pixels: Places, ends: Integers, steps: int, image: Integers) -> Integers:
    out = np.zeros((ends.shape[0], 256), dtype=np.int64)
    for i in range(ends.shape[0]):
        for k in range(ends[i, 0], ends[i, steps]):
            out[i, image[pixels[k]]] += 1
    return out

# SPDX-License-Identifier: Apache-2.0
"""All regions that a ladder of thresholds cuts out of an image, found in one pass over its pixels.

Rules of this module:

- The image holds, for each pixel, how many rungs it reaches: 0 … 255. The regions are the connected components
  (4-neighbours) of {rung ≥ k}, k ≥ 1, holes filled; each set of pixels once, at the lowest k that gives it.
- A hole is a component (4-neighbours) of the complement that does not touch the image's border.
- Filling is a flood from outside: a pixel keeps the lowest rung that a path from the border to it must climb.
  Every rung's set is filled by that at once, and the components of the flooded image nest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.region_tree import Tree

Integers = NDArray[np.int64]
Labels = NDArray[np.int32]
Rungs = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class LevelSets:
    """The regions, larger before smaller; of equal ones the lower rung first, then the upper left."""

    tree: Tree
    rungs: Integers  # (regions,) the lowest rung k whose set has the region as a component
    areas: Integers  # (regions,) pixels
    boxes: Integers  # (regions, 4) row0, column0, row1, column1, ends exclusive


def level_sets(image: Rungs, smallest: int) -> LevelSets:
    """The regions of at least ``smallest`` pixels of an image of rungs (rows, columns)."""
    flooded = flood(image)
    order = _order(flooded)
    above = _joined(flooded, order)
    heads, found = _components(flooded, order, above, smallest)
    area, rung, box = found[:, 0], found[:, 1], found[:, 2:]
    best = np.lexsort((*box.T[::-1], rung, -area))
    owner, parents = _label(order, above, heads[best], image.shape[0], image.shape[1])
    return LevelSets(Tree(owner, parents), rung[best], area[best], box[best])


def flood(image: Rungs) -> Rungs:
    """The image with every basin filled up to its lowest outlet to the border (4-neighbours)."""
    return np.asarray(_flood(np.ascontiguousarray(image)))


@jit.serial
def _flood(image: Rungs) -> Rungs:
    # From the border inwards, lowest rung first; a stack for each rung, linked through `under`.
    rows, columns = image.shape
    flooded = image.ravel().copy()
    known = np.zeros(flooded.size, dtype=np.bool_)
    top = np.full(256, -1, dtype=np.int32)
    under = np.empty(flooded.size, dtype=np.int32)
    for r in range(rows):
        for c in range(columns):
            if r == 0 or r == rows - 1 or c == 0 or c == columns - 1:
                place = r * columns + c
                known[place] = True
                under[place] = top[flooded[place]]
                top[flooded[place]] = place
    for rung in range(256):
        while top[rung] >= 0:
            place = top[rung]
            top[rung] = under[place]
            r, c = divmod(place, columns)
            for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
                if 0 <= r + down < rows and 0 <= c + right < columns:
                    next_place = place + down * columns + right
                    if not known[next_place]:
                        known[next_place] = True
                        height = max(flooded[next_place], np.uint8(rung))
                        flooded[next_place] = height
                        under[next_place] = top[height]
                        top[height] = next_place
    return flooded.reshape(rows, columns)


@jit.serial
def _order(image: Rungs) -> Labels:
    # Places of all pixels above 0, highest rung first.
    flat = image.ravel()
    starts = np.zeros(257, dtype=np.int64)
    for place in range(flat.size):
        starts[255 - flat[place] + 1] += 1
    for rung in range(256):
        starts[rung + 1] += starts[rung]
    order = np.empty(starts[255], dtype=np.int32)
    for place in range(flat.size):
        if flat[place] > 0:
            order[starts[255 - flat[place]]] = place
            starts[255 - flat[place]] += 1
    return order


@jit.serial
def _find(root: Labels, place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


@jit.serial
def _joined(image: Rungs, order: Labels) -> Labels:
    # Pixels join from the peaks down; each component hangs below the pixel that joined it last. In the end every
    # pixel points at the head of its component at its own rung, and every head at the head one component down.
    rows, columns = image.shape
    flat = image.ravel()
    above = np.full(flat.size, -1, dtype=np.int32)
    root = np.full(flat.size, -1, dtype=np.int32)
    for place in order:
        above[place] = place
        root[place] = place
        r, c = divmod(place, columns)
        for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1)):
            if 0 <= r + down < rows and 0 <= c + right < columns:
                beside = place + down * columns + right
                if root[beside] >= 0:
                    other = _find(root, beside)
                    if other != place:
                        above[other] = place
                        root[other] = place
    for k in range(order.size - 1, -1, -1):
        holder = above[order[k]]
        if flat[above[holder]] == flat[holder]:
            above[order[k]] = above[holder]
    return above


@jit.serial
def _components(image: Rungs, order: Labels, above: Labels, smallest: int) -> tuple[Labels, Integers]:
    # Area and box of every component, handed on from the peaks down; then those that are large enough.
    columns = image.shape[1]
    flat = image.ravel()
    seen = np.empty((flat.size, 5), dtype=np.int32)
    for place in order:
        r, c = divmod(place, columns)
        seen[place, 0] = 1
        seen[place, 1], seen[place, 2], seen[place, 3], seen[place, 4] = r, c, r + 1, c + 1
    heads = np.empty(order.size, dtype=np.int32)
    found = np.empty((order.size, 6), dtype=np.int64)
    n = 0
    for place in order:
        holder = above[place]
        if (holder == place or flat[holder] < flat[place]) and seen[place, 0] >= smallest:
            heads[n] = place
            found[n, 0] = seen[place, 0]
            found[n, 1] = 1 if holder == place else flat[holder] + 1
            found[n, 2:] = seen[place, 1:]
            n += 1
        if holder != place:
            seen[holder, 0] += seen[place, 0]
            seen[holder, 1] = min(seen[holder, 1], seen[place, 1])
            seen[holder, 2] = min(seen[holder, 2], seen[place, 2])
            seen[holder, 3] = max(seen[holder, 3], seen[place, 3])
            seen[holder, 4] = max(seen[holder, 4], seen[place, 4])
    return heads[:n].copy(), found[:n].copy()


@jit.serial
def _label(order: Labels, above: Labels, heads: Labels, rows: int, columns: int) -> tuple[Labels, Integers]:
    # Down from the roots: a pixel belongs to its head's region, or, where that is too small, to the one around it.
    owner = np.full(rows * columns, -1, dtype=np.int32)
    number = np.full(rows * columns, -1, dtype=np.int32)
    parents = np.full(heads.size, -1, dtype=np.int64)
    for i in range(heads.size):
        number[heads[i]] = i
    for k in range(order.size - 1, -1, -1):
        place = order[k]
        held = owner[above[place]]
        if number[place] >= 0:
            parents[number[place]] = held
            owner[place] = number[place]
        else:
            owner[place] = held
    return owner.reshape(rows, columns), parents

# SPDX-License-Identifier: Apache-2.0
"""Parts and holes of nested regions, counted from pairs and blocks of pixels alone.

Rules of this module:

- A part is a connected component (4-neighbours); a hole a component (8-neighbours) of the pixels outside the region,
  what lies beyond the image's border being one of them, that the region keeps from the rest.
- Pixels − pairs of neighbours + full 2×2 blocks = parts − holes (Euler). A pair or block lies in a region exactly
  where the lowest region that holds all of it does, so each is counted once and handed up the tree.
- Parts: pairs join pixels, deepest regions first. A pair that joins two sets that were apart makes one part fewer in
  its region and in all that hold it; no pair of another region has joined pixels of this one before.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.region_tree import AREA, PAIRS, Tree, common, up

Integers = NDArray[np.int64]
Labels = NDArray[np.int32]


def parts_and_holes(tree: Tree, sums: Integers) -> tuple[Integers, Integers]:
    """Number of parts and of holes of each region, (regions,) each, from the tree and its sums."""
    blocks = up(_own_blocks(tree.owner, tree.parents), tree.parents)[:, 0]
    parts = sums[:, AREA] - up(_own_joints(tree.owner, tree.parents), tree.parents)[:, 0]
    return parts, parts - (sums[:, AREA] - sums[:, PAIRS] + blocks)


@jit.serial
def _own_blocks(owner: Labels, parents: Integers) -> Integers:
    rows, columns = owner.shape
    blocks = np.zeros((parents.size, 1), dtype=np.int64)
    for r in range(rows - 1):
        for c in range(columns - 1):
            upper = common(parents, owner[r, c], owner[r, c + 1])
            lower = common(parents, owner[r + 1, c], owner[r + 1, c + 1])
            holder = common(parents, upper, lower)
            if holder >= 0:
                blocks[holder, 0] += 1
    return blocks


@jit.serial
def _own_joints(owner: Labels, parents: Integers) -> Integers:
    # How many sets of pixels the pairs of each region join, from the last region to the first.
    pairs, ends = _pairs(owner, parents)
    root = np.arange(owner.size)
    joints = np.zeros((parents.size, 1), dtype=np.int64)
    for i in range(parents.size - 1, -1, -1):
        for k in range(ends[i], ends[i + 1]):
            place = pairs[k] // 2
            a = _find(root, place)
            b = _find(root, place + (owner.shape[1] if pairs[k] % 2 else 1))
            if a != b:
                root[a] = b
                joints[i, 0] += 1
    return joints


@jit.serial
def _pairs(owner: Labels, parents: Integers) -> tuple[Labels, Integers]:
    # The pairs of neighbours sorted by the lowest region that holds both: 2 · place, 1 more for the pair downwards.
    rows, columns = owner.shape
    holders = np.full(2 * owner.size, -1, dtype=np.int32)
    ends = np.zeros(parents.size + 1, dtype=np.int64)
    for pair in range(holders.size):
        r, c = divmod(pair // 2, columns)
        down = pair % 2
        if (r + 1 < rows) if down else (c + 1 < columns):
            holders[pair] = common(parents, owner[r, c], owner[r + down, c + 1 - down])
            if holders[pair] >= 0:
                ends[holders[pair] + 1] += 1
    for i in range(parents.size):
        ends[i + 1] += ends[i]
    pairs = np.empty(ends[-1], dtype=np.int32)
    free = ends[:-1].copy()
    for pair in range(holders.size):
        if holders[pair] >= 0:
            pairs[free[holders[pair]]] = pair
            free[holders[pair]] += 1
    return pairs, ends


@jit.serial
def _find(root: Integers, place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place

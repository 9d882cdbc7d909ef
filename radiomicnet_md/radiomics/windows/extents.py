# SPDX-License-Identifier: Apache-2.0
"""How far each voxel's grey level goes on: along a line (run), around (dependence), or connected (zone).

Rules of this module:

- A run, zone or dependence never leaves the window, and never crosses a voxel that takes no part.
- A run stands at its last voxel, a zone at its first, a dependence at its own: there ``level`` and ``extent`` are
  set, elsewhere both are 0 (the items of :mod:`radiomicnet_md.radiomics.windows.items`).
- Zones are labels that spread forwards and backwards over the window until none changes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, any_set, equal, load, smaller, store
from radiomicnet_md.radiomics.windows.geometry import LANES

Whole = NDArray[np.int64]
Counts = NDArray[Any]


@jit.serial
def runs(
    levels: Counts, none: Counts, base: int, offsets: Whole, before: Whole, behind: Whole,
    level: Counts, extent: Counts, length: Counts, elements: Counts, counted: Counts,
) -> None:  # fmt: skip
    """Runs along one move; ``counted`` is above 0 in a lane where some line of the window holds two voxels.

    :param none: one vector of the value of a missing level
    :param before: index of the voxel one step back, −1 where that is outside the window
    :param behind: of the voxel one step ahead
    :param length: scratch (voxels · LANES,), as is ``elements``
    """
    for lane in range(0, LANES, BYTES // levels.itemsize):
        missing = load(none, 0)
        zero = missing - missing
        twice = zero
        for k in range(offsets.size):
            x = load(levels, base + lane + offsets[k])
            there = equal(equal(x, missing), zero)
            long, many = zero - there, zero - there  # all bits set is −1
            if before[k] >= 0:
                back = before[k]
                same = equal(x, load(levels, base + lane + offsets[back]))
                long += load(length, back * LANES + lane) & same & there
                earlier = load(elements, back * LANES + lane)
                twice -= there & equal(equal(earlier, zero), zero)
                many += earlier
            store(length, k * LANES + lane, long)
            store(elements, k * LANES + lane, many)
        store(counted, lane, twice)
        for k in range(offsets.size):
            x = load(levels, base + lane + offsets[k])
            last = equal(equal(x, missing), zero)
            if behind[k] >= 0:
                last = last & equal(equal(x, load(levels, base + lane + offsets[behind[k]])), zero)
            store(extent, k * LANES + lane, load(length, k * LANES + lane) & last)
            store(level, k * LANES + lane, x & last)


@jit.serial
def dependences(
    levels: Counts, missing: int, base: int, offsets: Whole, ways: Whole, level: Counts, extent: Counts
) -> None:
    """One and the number of neighbours in the window with the same level; ``ways`` as for :func:`zones`."""
    for k in range(offsets.size):
        x = levels[base + offsets[k] : base + offsets[k] + LANES]
        i = level[k * LANES : (k + 1) * LANES]
        e = extent[k * LANES : (k + 1) * LANES]
        for lane in range(LANES):
            there = x[lane] != missing
            i[lane] = x[lane] if there else np.uint8(0)
            e[lane] = np.uint8(there)
    for pair in range(ways.shape[0]):
        a = ways[pair, 0] * LANES
        b = ways[pair, 1] * LANES
        i_a, i_b = level[a : a + LANES], level[b : b + LANES]
        e_a, e_b = extent[a : a + LANES], extent[b : b + LANES]
        for lane in range(LANES):
            same = np.uint8(i_a[lane] == i_b[lane]) & np.uint8(i_a[lane] > 0)
            e_a[lane] += same
            e_b[lane] += same


@jit.serial
def _spread(levels: Counts, place: int, offsets: Whole, ways: Whole, label: Counts, lane: int) -> None:
    # Each label becomes the smallest that touches it, forwards and backwards, until none changes.
    changed = True
    while changed:
        first = load(levels, place)
        moved = first - first
        for turn in range(2 * ways.shape[0]):
            pair = turn if turn < ways.shape[0] else 2 * ways.shape[0] - 1 - turn
            a, b = ways[pair, 0], ways[pair, 1]
            same = equal(load(levels, place + offsets[a]), load(levels, place + offsets[b]))
            of_a = load(label, a * LANES + lane)
            of_b = load(label, b * LANES + lane)
            least = smaller(of_a, of_b)
            down_a = (of_a - least) & same
            down_b = (of_b - least) & same
            store(label, a * LANES + lane, of_a - down_a)
            store(label, b * LANES + lane, of_b - down_b)
            moved = moved | down_a | down_b
        changed = any_set(moved)


@jit.serial
def zones(
    levels: Counts, none: Counts, base: int, offsets: Whole, ways: Whole, numbers: Counts,
    level: Counts, extent: Counts, label: Counts,
) -> None:  # fmt: skip
    """Connected voxels of one level.

    :param none: one vector of the value of a missing level
    :param ways: all neighbouring pairs of the window, (pairs, 2) indices, in raster order of the first
    :param numbers: a vector of each voxel's index, one after the other
    :param label: scratch (voxels · LANES,)
    """
    step = BYTES // levels.itemsize
    for lane in range(0, LANES, step):
        for k in range(offsets.size):
            store(label, k * LANES + lane, load(numbers, k * step))
        _spread(levels, base + lane, offsets, ways, label, lane)
        missing = load(none, 0)
        zero = missing - missing
        for k in range(offsets.size):
            mine = load(numbers, k * step)
            size = zero
            for other in range(k, offsets.size):
                size -= equal(load(label, other * LANES + lane), mine)  # all bits set is −1
            x = load(levels, base + lane + offsets[k])
            there = equal(equal(x, missing), zero)
            size = size & there
            store(extent, k * LANES + lane, size)
            store(level, k * LANES + lane, x & equal(equal(size, zero), zero))

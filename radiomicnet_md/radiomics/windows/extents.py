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
from radiomicnet_md.radiomics.windows.geometry import LANES

Whole = NDArray[np.int64]
Counts = NDArray[Any]


@jit.serial
def runs(
    levels: Counts, missing: int, base: int, offsets: Whole, before: Whole, behind: Whole,
    level: Counts, extent: Counts, length: Counts, elements: Counts, counted: Whole,
) -> None:  # fmt: skip
    """Runs along one move; ``counted`` is 1 in a lane where some line of the window holds two voxels.

    :param before: index of the voxel one step back, −1 where that is outside the window
    :param behind: of the voxel one step ahead
    """
    counted[:] = 0
    for k in range(offsets.size):
        x = levels[base + offsets[k] : base + offsets[k] + LANES]
        long = length[k]
        many = elements[k]
        if before[k] < 0:
            for lane in range(LANES):
                there = np.uint8(x[lane] != missing)
                long[lane] = there
                many[lane] = there
        else:
            back = levels[base + offsets[before[k]] : base + offsets[before[k]] + LANES]
            long_back = length[before[k]]
            many_back = elements[before[k]]
            for lane in range(LANES):
                there = np.uint8(x[lane] != missing)
                long[lane] = there + (long_back[lane] if x[lane] == back[lane] else np.uint8(0)) * there
                many[lane] = many_back[lane] + there
            for lane in range(LANES):
                counted[lane] |= np.int64(many[lane] > 1)
    for k in range(offsets.size):
        x = levels[base + offsets[k] : base + offsets[k] + LANES]
        i = level[k * LANES : (k + 1) * LANES]
        e = extent[k * LANES : (k + 1) * LANES]
        long = length[k]
        if behind[k] < 0:
            for lane in range(LANES):
                e[lane] = long[lane]
                i[lane] = x[lane] if long[lane] > 0 else np.uint8(0)
        else:
            ahead = levels[base + offsets[behind[k]] : base + offsets[behind[k]] + LANES]
            for lane in range(LANES):
                last = x[lane] != ahead[lane] and x[lane] != missing
                e[lane] = long[lane] if last else np.uint8(0)
                i[lane] = x[lane] if last else np.uint8(0)


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
def _spread(label_a: Counts, label_b: Counts, x_a: Counts, x_b: Counts) -> bool:
    changed = np.int64(0)
    for lane in range(LANES):
        a = label_a[lane]
        b = label_b[lane]
        least = min(a, b)
        same = x_a[lane] == x_b[lane]
        changed |= np.int64(same and a != b)
        label_a[lane] = least if same else a
        label_b[lane] = least if same else b
    return bool(changed)


@jit.serial
def zones(
    levels: Counts, missing: int, base: int, offsets: Whole, ways: Whole, level: Counts, extent: Counts, label: Counts
) -> None:
    """Connected voxels of one level.

    :param ways: all neighbouring pairs of the window, (pairs, 2) indices, in raster order of the first
    """
    for k in range(offsets.size):
        label[k, :] = k
    changed = True
    while changed:
        changed = False
        for turn in range(2 * ways.shape[0]):
            pair = turn if turn < ways.shape[0] else 2 * ways.shape[0] - 1 - turn
            a = base + offsets[ways[pair, 0]]
            b = base + offsets[ways[pair, 1]]
            x_a, x_b = levels[a : a + LANES], levels[b : b + LANES]
            changed |= _spread(label[ways[pair, 0]], label[ways[pair, 1]], x_a, x_b)
    for k in range(offsets.size):
        x = levels[base + offsets[k] : base + offsets[k] + LANES]
        i = level[k * LANES : (k + 1) * LANES]
        e = extent[k * LANES : (k + 1) * LANES]
        e[:] = 0
        for other in range(k, offsets.size):
            theirs = label[other]
            for lane in range(LANES):
                e[lane] += np.uint8(theirs[lane] == k)
        for lane in range(LANES):
            there = x[lane] != missing
            e[lane] = e[lane] if there else np.uint8(0)
            i[lane] = x[lane] if e[lane] > 0 else np.uint8(0)

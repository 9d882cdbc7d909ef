# SPDX-License-Identifier: Apache-2.0
"""NGTDM maps: how far each voxel lies from the mean of its neighbours in the window.

Rules of this module:

- A voxel with no neighbour in the window counts, with a difference of 0, as in PyRadiomics (IBSI leaves it out).
- p_i = n_i / N and s_i are gathered by level in order of appearance; sums over pairs of levels run over the levels that
  occur. With all levels equal PyRadiomics' numbers stand: coarseness 10⁶, the others 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.windows.geometry import LANES

NAMES = ("Coarseness", "Contrast", "Busyness", "Complexity", "Strength")
_COARSENESS_OF_NOTHING = 1e6

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


@jit.serial
def neighbours(
    levels: Counts, missing: int, base: int, offsets: Whole, ways: Whole, total: Counts, count: Counts
) -> None:
    """Sum and number of each window voxel's neighbours in the window, uint16 (voxels, LANES) each."""
    total[:, :] = 0
    count[:, :] = 0
    for pair in range(ways.shape[0]):
        a = ways[pair, 0]
        b = ways[pair, 1]
        x_a = levels[base + offsets[a] : base + offsets[a] + LANES]
        x_b = levels[base + offsets[b] : base + offsets[b] + LANES]
        total_a, total_b, count_a, count_b = total[a], total[b], count[a], count[b]
        for lane in range(LANES):
            i = np.uint16(x_a[lane])
            j = np.uint16(x_b[lane])
            there = np.uint16(i != missing) & np.uint16(j != missing)
            total_a[lane] += j * there
            total_b[lane] += i * there
            count_a[lane] += there
            count_b[lane] += there


@jit.serial
def _by_level(
    levels: Counts, base: int, lane: int, offsets: Whole, total: Counts, count: Counts,
    rank_of: Whole, level: Whole, n: Whole, s: Floats,
) -> int:  # fmt: skip
    # Levels in order of appearance with n_i and s_i; rank_of stays −1 between calls.
    found = 0
    for k in range(offsets.size):
        i = np.int64(levels[base + lane + offsets[k]])
        if i == rank_of.size - 1:  # takes no part
            continue
        r = rank_of[i]
        if r < 0:
            r = found
            rank_of[i] = r
            level[r] = i
            n[r] = 0
            s[r] = 0.0
            found += 1
        n[r] += 1
        around = np.int64(count[k, lane])
        if around > 0:
            s[r] += float(abs(i * around - np.int64(total[k, lane]))) / float(around)
    for r in range(found):
        rank_of[level[r]] = -1
    return found


@jit.serial
def _features(found: int, level: Whole, n: Whole, s: Floats, out: Floats) -> None:
    voxels = 0
    weighted = 0.0  # Σ n_i s_i
    shift = 0.0  # Σ s_i
    squares = 0  # Σ over pairs n_i n_j (i−j)²
    spread = 0  # Σ over pairs (n_i + n_j) (i−j)²
    busy = 0  # Σ over pairs |i n_i − j n_j|
    complexity = 0.0
    for a in range(found):
        voxels += n[a]
        weighted += n[a] * s[a]
        shift += s[a]
        for b in range(a):
            d = abs(level[a] - level[b])
            squares += n[a] * n[b] * d * d
            spread += (n[a] + n[b]) * d * d
            busy += abs(level[a] * n[a] - level[b] * n[b])
            complexity += d * (n[a] * s[a] + n[b] * s[b]) / (n[a] + n[b])
    size = float(voxels)
    out[0] = size / weighted if weighted > 0.0 else _COARSENESS_OF_NOTHING
    out[1] = 0.0
    if found > 1:
        out[1] = 2.0 * squares / (size * size) * (shift / size) / (found * (found - 1))
    out[2] = weighted / (2.0 * busy) if busy > 0 else 0.0
    out[3] = 2.0 * complexity / size
    out[4] = 2.0 * spread / (size * shift) if shift > 0.0 else 0.0


@jit.serial
def chunk(
    levels: Counts, base: int, place: Whole, offsets: Whole, total: Counts, count: Counts, rank_of: Whole, out: Floats
) -> None:
    """The five features of LANES windows."""
    level = np.empty(offsets.size, dtype=np.int64)
    n = np.empty(offsets.size, dtype=np.int64)
    s = np.empty(offsets.size)
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        found = _by_level(levels, base, lane, offsets, total, count, rank_of, level, n, s)
        _features(found, level, n, s, out[:, lane])

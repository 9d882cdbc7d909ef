# SPDX-License-Identifier: Apache-2.0
"""Runs, zones and dependences are all things with a grey level and an extent: one set of sums for three matrices.

Rules of this module:

- Each voxel of a window may stand for one item: the end of a run, the first voxel of a zone, itself. ``level`` holds
  its grey level, ``extent`` its length, size or dependence; both hold 0 where the voxel stands for none.
- Counts, moments and logarithms are whole numbers, in doubles where those hold them exactly. Sums of reciprocals are
  doubles added in raster order of the window, which neither threads nor instruction sets change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, choose, doubles, splat, store
from radiomicnet_md.radiomics.windows.geometry import LANES
from radiomicnet_md.radiomics.windows.matches import FRACTION, earlier

FEATURES = 16
# Items, Σe, Σe², Σi, Σi², Σc² by level, Σc² by extent; Σ1/e², Σ1/i², Σ1/(i²e²), Σi²/e², Σe²/i², Σi²e²
SUMS = 13
_UNIT = float(1 << FRACTION)
_STEP = BYTES // 8

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


@jit.serial
def add_up(level: Counts, extent: Counts, where: Whole, up: Whole, seen: Counts, sums: Floats, log: Whole) -> None:
    """All sums over the items of each lane.

    :param level: grey levels, flat (voxels · LANES,), one window voxel's lanes after another's
    :param extent: likewise
    :param where: the beginning of each window voxel's lanes
    :param seen: scratch (3, voxels · LANES) of their type
    :param sums: (SUMS, LANES)
    :param log: Σ c·log₂c over classes of equal level and extent, in 2**-FRACTION
    """
    log[:] = 0
    none = up.size - 1
    for k in range(where.size):
        rows = where[k], where[k] + LANES
        same = seen[2, rows[0] : rows[1]]
        earlier(level, extent, 0, where, k, seen[0, rows[0] : rows[1]], seen[1, rows[0] : rows[1]], same)
        e = extent[rows[0] : rows[1]]
        for lane in range(LANES):
            log[lane] += up[same[lane] if e[lane] > 0 else none]
    for lane in range(0, LANES, _STEP):
        _add_powers(level, extent, where, lane, sums)
        _add_classes(extent, where, seen[0], seen[1], lane, sums)


@jit.serial
def _add_powers(level: Counts, extent: Counts, where: Whole, lane: int, sums: Floats) -> None:
    # Everything but classes, for eight lanes: the sums stay in registers.
    zero, one = splat(0.0), splat(1.0)
    number, e1, e2, i1, i2 = zero, zero, zero, zero, zero
    by_e, by_i, by_both, i_by_e, e_by_i, both = zero, zero, zero, zero, zero, zero
    for k in range(where.size):
        e = doubles(extent, where[k] + lane)
        i = doubles(level, where[k] + lane)
        there = choose(e, zero, one, zero)
        square_e, square_i = e * e, i * i
        inverse_e = there / choose(e, zero, square_e, one)
        inverse_i = there / choose(e, zero, square_i, one)
        number += there
        e1 += e
        e2 += square_e
        i1 += i
        i2 += square_i
        by_e += inverse_e
        by_i += inverse_i
        by_both += inverse_i * inverse_e
        i_by_e += square_i * inverse_e
        e_by_i += square_e * inverse_i
        both += square_e * square_i
    store(sums[0], lane, number)
    store(sums[1], lane, e1)
    store(sums[2], lane, e2)
    store(sums[3], lane, i1)
    store(sums[4], lane, i2)
    store(sums[7], lane, by_e)
    store(sums[8], lane, by_i)
    store(sums[9], lane, by_both)
    store(sums[10], lane, i_by_e)
    store(sums[11], lane, e_by_i)
    store(sums[12], lane, both)


@jit.serial
def _add_classes(
    extent: Counts, where: Whole, same_level: Counts, same_extent: Counts, lane: int, sums: Floats
) -> None:
    # Σ c² is the sum of 2 · (equal earlier items) + 1.
    zero, one = splat(0.0), splat(1.0)
    by_level, by_extent = zero, zero
    for k in range(where.size):
        there = choose(doubles(extent, where[k] + lane), zero, one, zero)
        level = doubles(same_level, where[k] + lane)
        length = doubles(same_extent, where[k] + lane)
        by_level += there * (level + level + one)
        by_extent += there * (length + length + one)
    store(sums[5], lane, by_level)
    store(sums[6], lane, by_extent)


@jit.serial
def add_features(
    sums: Floats, log: Whole, n_log_n: Whole, counted: Counts, scratch: Floats, out: Floats, used: Whole
) -> None:
    """Add the features of each lane where ``counted`` is above 0, in the order of :data:`RUNS`; else 0."""
    n, weight = scratch[0], scratch[1]
    count, e1 = sums[0], sums[1]
    for lane in range(LANES):
        there = np.int64(count[lane] > 0.0) * np.int64(counted[lane] > 0)
        used[lane] += there
        weight[lane] = float(there)
        n[lane] = max(count[lane], 1.0)
    for source, target in ((7, 0), (2, 1), (5, 2), (6, 4), (8, 10), (4, 11), (9, 12), (10, 13), (11, 14), (12, 15)):
        total, mean = sums[source], out[target]
        for lane in range(LANES):
            mean[lane] += weight[lane] * total[lane] / n[lane]
    for source, target in ((5, 3), (6, 5)):
        total, mean = sums[source], out[target]
        for lane in range(LANES):
            mean[lane] += weight[lane] * total[lane] / (n[lane] * n[lane])
    percentage, entropy = out[6], out[9]
    for lane in range(LANES):
        percentage[lane] += weight[lane] * n[lane] / max(e1[lane], 1.0)
    for lane in range(LANES):
        entropy[lane] += weight[lane] * float(n_log_n[np.int64(count[lane])] - log[lane]) / (n[lane] * _UNIT)
    for source, target in ((3, 7), (1, 8)):
        first, second, spread = sums[source], sums[source + 1], out[target]
        for lane in range(LANES):
            square = first[lane] * first[lane]
            spread[lane] += weight[lane] * (n[lane] * second[lane] - square) / (n[lane] * n[lane])


def _named(short: str, long: str, kind: str, percentage: str, spread: str, entropy: str) -> tuple[str, ...]:
    # The sixteen features of one matrix in the order of add_features.
    level = "GrayLevel" if kind == "Dependence" else f"GrayLevel{kind.removesuffix('Length').removeprefix('Size')}"
    return (
        short,
        long,
        "GrayLevelNonUniformity",
        "GrayLevelNonUniformityNormalized",
        f"{kind}NonUniformity",
        f"{kind}NonUniformityNormalized",
        percentage,
        "GrayLevelVariance",
        spread,
        entropy,
        f"Low{level}Emphasis",
        f"High{level}Emphasis",
        short.replace("Emphasis", "LowGrayLevelEmphasis"),
        short.replace("Emphasis", "HighGrayLevelEmphasis"),
        long.replace("Emphasis", "LowGrayLevelEmphasis"),
        long.replace("Emphasis", "HighGrayLevelEmphasis"),
    )


RUNS = _named("ShortRunEmphasis", "LongRunEmphasis", "RunLength", "RunPercentage", "RunVariance", "RunEntropy")
ZONES = _named("SmallAreaEmphasis", "LargeAreaEmphasis", "SizeZone", "ZonePercentage", "ZoneVariance", "ZoneEntropy")
DEPENDENCES = _named(
    "SmallDependenceEmphasis",
    "LargeDependenceEmphasis",
    "Dependence",
    "DependencePercentage",
    "DependenceVariance",
    "DependenceEntropy",
)

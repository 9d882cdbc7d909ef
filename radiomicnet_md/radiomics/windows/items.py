# SPDX-License-Identifier: Apache-2.0
"""Runs, zones and dependences are all things with a grey level and an extent: one set of sums for three matrices.

Rules of this module:

- Each voxel of a window may stand for one item: the end of a run, the first voxel of a zone, itself. ``level`` holds
  its grey level, ``extent`` its length, size or dependence; both hold 0 where the voxel stands for none.
- Counts, moments and logarithms are whole numbers. Sums of reciprocals are doubles added in raster order of the
  window, which neither threads nor instruction sets change.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.windows.geometry import LANES
from radiomicnet_md.radiomics.windows.matches import FRACTION, earlier

FEATURES = 16
SUMS = 8  # items, Σe, Σe², Σi, Σi², Σc² by level, Σc² by extent, Σc·log₂c of both
PARTS = 10  # Σ1/e², Σ1/i², Σ1/(i²e²), Σi²/e², Σe²/i², Σi²e², and four rows of scratch
_UNIT = float(1 << FRACTION)

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


def inverse_squares(limit: int) -> Floats:
    """``1/n²`` for 0 … limit; 0 for n = 0."""
    n = np.arange(limit + 1, dtype=np.float64)
    n[0] = np.inf
    return np.asarray(1.0 / (n * n))


@jit.serial
def add_up(
    level: Counts, extent: Counts, where: Whole, up: Whole, inverse: Floats,
    counts: Counts, sums: Whole, parts: Floats,
) -> None:  # fmt: skip
    """All sums over the items of each lane.

    :param level: grey levels, flat (voxels · LANES,), one window voxel's lanes after another's
    :param extent: likewise
    :param where: the beginning of each window voxel's lanes
    """
    sums[:, :] = 0
    parts[:, :] = 0.0
    none = up.size - 1
    log = sums[7]
    seen = counts[2]
    for k in range(where.size):
        earlier(level, extent, 0, where, k, counts[0], counts[1], counts[2])
        i = level[where[k] : where[k] + LANES]
        e = extent[where[k] : where[k] + LANES]
        for lane in range(LANES):
            log[lane] += up[seen[lane] if e[lane] > 0 else none]
        _add_counts(i, e, counts, sums)
        _add_reciprocals(i, e, inverse, parts)


@jit.serial
def _add_counts(i: Counts, e: Counts, counts: Counts, sums: Whole) -> None:
    number, by_level, by_extent = sums[0], sums[5], sums[6]
    same_level, same_extent = counts[0], counts[1]
    for lane in range(LANES):
        number[lane] += np.int64(e[lane] > 0)
    _add_powers(e, sums[1], sums[2])
    _add_powers(i, sums[3], sums[4])
    for lane in range(LANES):
        by_level[lane] += np.int64(e[lane] > 0) * (2 * np.int64(same_level[lane]) + 1)
    for lane in range(LANES):
        by_extent[lane] += np.int64(e[lane] > 0) * (2 * np.int64(same_extent[lane]) + 1)


@jit.serial
def _add_powers(x: Counts, first: Whole, second: Whole) -> None:
    for lane in range(LANES):
        first[lane] += np.int64(x[lane])
    for lane in range(LANES):
        second[lane] += np.int64(x[lane]) * np.int64(x[lane])


@jit.serial
def _add_product(x: Floats, y: Floats, out: Floats) -> None:
    for lane in range(LANES):
        out[lane] += x[lane] * y[lane]


@jit.serial
def _add_reciprocals(i: Counts, e: Counts, inverse: Floats, parts: Floats) -> None:
    # Rows 0 … 5 are sums; 6 … 9 hold i², e², 1/i², 1/e² of the item at hand.
    i_square, e_square, by_i, by_e = parts[6], parts[7], parts[8], parts[9]
    for lane in range(LANES):
        i_square[lane] = float(np.int64(i[lane]) * np.int64(i[lane]))
        e_square[lane] = float(np.int64(e[lane]) * np.int64(e[lane]))
    for lane in range(LANES):
        by_i[lane] = inverse[i[lane]]
        by_e[lane] = inverse[e[lane]]
    first, second = parts[0], parts[1]
    for lane in range(LANES):
        first[lane] += by_e[lane]
        second[lane] += by_i[lane]
    _add_product(by_i, by_e, parts[2])
    _add_product(i_square, by_e, parts[3])
    _add_product(e_square, by_i, parts[4])
    _add_product(e_square, i_square, parts[5])


@jit.serial
def _add_means(sums: Whole, weight: Floats, n: Floats, parts: Floats, out: Floats) -> None:
    # Features that are a whole sum, or a sum of reciprocals, over the number of items.
    for source, target in ((2, 1), (5, 2), (6, 4), (4, 11)):
        whole = sums[source]
        mean = out[target]
        for lane in range(LANES):
            mean[lane] += weight[lane] * float(whole[lane]) / n[lane]
    for source, target in ((0, 0), (1, 10), (2, 12), (3, 13), (4, 14), (5, 15)):
        part = parts[source]
        mean = out[target]
        for lane in range(LANES):
            mean[lane] += weight[lane] * part[lane] / n[lane]
    for source, target in ((5, 3), (6, 5)):
        whole = sums[source]
        mean = out[target]
        for lane in range(LANES):
            mean[lane] += weight[lane] * float(whole[lane]) / (n[lane] * n[lane])


@jit.serial
def add_features(sums: Whole, parts: Floats, n_log_n: Whole, counted: Whole, out: Floats, used: Whole) -> None:
    """Add the features of each lane that ``counted`` names with a 1, in the order of :data:`RUNS`; else 0."""
    n, weight = parts[6], parts[7]
    count, e1 = sums[0], sums[1]
    for lane in range(LANES):
        there = np.int64(count[lane] > 0) * counted[lane]
        used[lane] += there
        weight[lane] = float(there)
        n[lane] = float(max(count[lane], 1))
    _add_means(sums, weight, n, parts, out)
    percentage, entropy = out[6], out[9]
    for lane in range(LANES):
        percentage[lane] += weight[lane] * n[lane] / float(max(e1[lane], 1))
    log = sums[7]
    for lane in range(LANES):
        entropy[lane] += weight[lane] * float(n_log_n[count[lane]] - log[lane]) / (n[lane] * _UNIT)
    for source, target in ((3, 7), (1, 8)):
        first, second, spread = sums[source], sums[source + 1], out[target]
        for lane in range(LANES):
            square = float(first[lane]) * float(first[lane])
            spread[lane] += weight[lane] * (n[lane] * float(second[lane]) - square) / (n[lane] * n[lane])


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

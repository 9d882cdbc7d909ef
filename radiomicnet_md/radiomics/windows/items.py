# SPDX-License-Identifier: Apache-2.0
"""Runs, zones and dependences are all counted things with a grey level and an extent: one set of sums for three matrices.

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
RECIPROCALS = 6  # Σ1/e², Σ1/i², Σ1/(i²e²), Σi²/e², Σe²/i², Σi²e²
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
def add_up(  # noqa: PLR0913 - a kernel takes plain values
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
    for k in range(where.size):
        earlier(level, extent, 0, where, k, counts[0], counts[1], counts[2])
        i_row = level[where[k] : where[k] + LANES]
        e_row = extent[where[k] : where[k] + LANES]
        for lane in range(LANES):
            sums[7, lane] += up[counts[2, lane] if e_row[lane] > 0 else none]
        for lane in range(LANES):
            i = np.int64(i_row[lane])
            e = np.int64(e_row[lane])
            there = np.int64(e > 0)
            sums[0, lane] += there
            sums[1, lane] += e
            sums[2, lane] += e * e
            sums[3, lane] += i
            sums[4, lane] += i * i
            sums[5, lane] += there * (2 * np.int64(counts[0, lane]) + 1)
            sums[6, lane] += there * (2 * np.int64(counts[1, lane]) + 1)
        for lane in range(LANES):
            by_i = inverse[i_row[lane]]
            by_e = inverse[e_row[lane]]
            i_square = float(i_row[lane]) * float(i_row[lane])
            e_square = float(e_row[lane]) * float(e_row[lane])
            parts[0, lane] += by_e
            parts[1, lane] += by_i
            parts[2, lane] += by_i * by_e
            parts[3, lane] += i_square * by_e
            parts[4, lane] += e_square * by_i
            parts[5, lane] += e_square * i_square


@jit.serial
def add_features(sums: Whole, parts: Floats, n_log_n: Whole, counted: Whole, out: Floats, used: Whole) -> None:  # noqa: PLR0913
    """Add the features of each lane that ``counted`` names, in the order of :data:`RUNS`."""
    for lane in range(LANES):
        count = sums[0, lane]
        if count == 0 or counted[lane] == 0:
            continue
        used[lane] += 1
        n = float(count)
        e1, e2 = float(sums[1, lane]), float(sums[2, lane])
        i1, i2 = float(sums[3, lane]), float(sums[4, lane])
        by_level, by_extent = float(sums[5, lane]), float(sums[6, lane])
        out[0, lane] += parts[0, lane] / n
        out[1, lane] += e2 / n
        out[2, lane] += by_level / n
        out[3, lane] += by_level / (n * n)
        out[4, lane] += by_extent / n
        out[5, lane] += by_extent / (n * n)
        out[6, lane] += n / e1
        out[7, lane] += (n * i2 - i1 * i1) / (n * n)
        out[8, lane] += (n * e2 - e1 * e1) / (n * n)
        out[9, lane] += float(n_log_n[count] - sums[7, lane]) / (n * _UNIT)
        out[10, lane] += parts[1, lane] / n
        out[11, lane] += i2 / n
        out[12, lane] += parts[2, lane] / n
        out[13, lane] += parts[3, lane] / n
        out[14, lane] += parts[4, lane] / n
        out[15, lane] += parts[5, lane] / n


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

# SPDX-License-Identifier: Apache-2.0
"""Each class of features over a stretch of the line: chunk by chunk, scratch in the cache, results to their places.

Rules of this module:

- A stretch is measured by one thread and writes to the places of its own voxels; stretches never share any.
- Scratch is allocated once a stretch. Nothing of the size of the image is allocated here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit, vector
from radiomicnet_md.radiomics.windows import cooccurrence, extents, intensity, items, mcc, tone
from radiomicnet_md.radiomics.windows.geometry import LANES

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]

_GLCM = len(cooccurrence.NAMES)
_MCC = cooccurrence.NAMES.index("MCC")


@jit.serial
def _anything(place: Whole, base: int) -> bool:
    for lane in range(LANES):
        if place[base + lane] >= 0:
            return True
    return False


@jit.serial
def _put(features: Floats, rows: Whole, place: Whole, base: int, out: Floats) -> None:
    # Feature f goes to row rows[f] of the result, −1: nobody asked for it. Voxels that lie side by side go together.
    lane = 0
    while lane < LANES:
        start = place[base + lane]
        begin = lane
        lane += 1
        if start < 0:
            continue
        while lane < LANES and place[base + lane] == start + lane - begin:
            lane += 1
        for f in range(rows.size):
            if rows[f] >= 0:
                out[rows[f], start : start + lane - begin] = features[f, begin:lane]


@jit.serial
def _mean(features: Floats, used: Whole) -> None:
    for f in range(features.shape[0]):
        for lane in range(LANES):
            features[f, lane] = features[f, lane] / used[lane] if used[lane] > 0 else np.nan


@jit.serial
def glcm(
    levels: Counts, missing: int, place: Whole, begin: int, end: int, offsets: Whole, moves: Any, planes: Counts,
    table: Whole, number: int, logs: Any, exponential: Any, rows: Whole, out: Floats,
) -> None:  # fmt: skip
    """The GLCM maps from ``begin`` to ``end`` of the line."""
    _, pairs, ends, first, row_count, row, left, width = moves
    up, rises, n_log_n = logs
    sizes = mcc.starts(min(offsets.size, number) if rows[_MCC] >= 0 else 0)
    graphs = np.empty(sizes[-1], dtype=np.int64)
    rank_of = np.full(missing + 1, -1, dtype=np.int64)
    results = np.empty((pairs.size, LANES))
    column = np.empty(LANES + width.max() if pairs.size else 0, dtype=np.int64)
    sums, weighed = np.empty((cooccurrence.SUMS, LANES)), np.empty((cooccurrence.WEIGHTS, LANES), dtype=np.int64)
    logs_of, marginals = np.empty((3, LANES), dtype=np.int64), np.empty((pairs.size, LANES), dtype=np.int64)
    energy, scratch = np.empty((2, LANES)), np.empty((5, LANES))
    seen = np.empty((3, first.shape[1] * LANES), dtype=levels.dtype)
    weight = np.empty((offsets.size, LANES), dtype=levels.dtype)
    features, used = np.empty((_GLCM, LANES)), np.empty(LANES, dtype=np.int64)
    for base in range(begin, end, LANES):
        if not _anything(place, base):
            continue
        features[:, :] = 0.0
        used[:] = 0
        if rows[_MCC] >= 0:
            mcc.chunk(
                levels, missing, base, place, offsets, ends, pairs, n_log_n, sizes, graphs, rank_of, results, marginals
            )
        for m in range(pairs.size):
            s, d, starts = planes[m, 0], planes[m, 1], first[m, : pairs[m]]
            one, two = ends[m, 0, : pairs[m]], ends[m, 1, : pairs[m]]
            cooccurrence.moments(s, d, missing, base, starts, sums)
            cooccurrence.weigh(d, table, base, row[m, : row_count[m]], left[m], width[m], column, weighed)
            cooccurrence.classes(s, d, missing, base, starts, up, seen, logs_of, energy)
            if rows[_MCC] < 0:  # MCC counts the levels one by one and has these sums then
                cooccurrence.marginal(levels, missing, base, offsets, one, two, rises, weight, seen[0], marginals[m])
            cooccurrence.add_features(
                sums, weighed, logs_of, energy, marginals[m], n_log_n, exponential, scratch, features, used
            )
        if rows[_MCC] >= 0:
            mcc.add(results, place, base, features[_MCC])
        _mean(features, used)
        _put(features, rows, place, base, out)


@jit.serial
def glrlm(
    levels: Counts, missing: int, place: Whole, begin: int, end: int, offsets: Whole, lines: Whole,
    logs: Any, rows: Whole, out: Floats,
) -> None:  # fmt: skip
    """The GLRLM maps; ``lines`` (moves, 2, voxels) are the indices one step back and one step ahead, or −1."""
    up, _, n_log_n = logs
    where = np.arange(offsets.size) * LANES
    level = np.empty(offsets.size * LANES, dtype=levels.dtype)
    extent = np.empty_like(level)
    length, elements = np.empty_like(level), np.empty_like(level)
    none = np.full(vector.BYTES, missing, dtype=levels.dtype)
    seen = np.empty((3, level.size), dtype=levels.dtype)
    counted = np.empty(LANES, dtype=levels.dtype)
    sums, scratch = np.empty((items.SUMS, LANES)), np.empty((2, LANES))
    log = np.empty(LANES, dtype=np.int64)
    features = np.empty((items.FEATURES, LANES))
    used = np.empty(LANES, dtype=np.int64)
    for base in range(begin, end, LANES):
        if not _anything(place, base):
            continue
        features[:, :] = 0.0
        used[:] = 0
        for m in range(lines.shape[0]):
            extents.runs(
                levels, none, base, offsets, lines[m, 0], lines[m, 1], level, extent, length, elements, counted
            )
            items.add_up(level, extent, where, up, seen, sums, log)
            items.add_features(sums, log, n_log_n, counted, scratch, features, used)
        _mean(features, used)
        _put(features, rows, place, base, out)


@jit.serial
def one_matrix(
    levels: Counts, missing: int, place: Whole, begin: int, end: int, offsets: Whole, ways: Whole, zones: int,
    logs: Any, rows: Whole, out: Floats,
) -> None:  # fmt: skip
    """The GLSZM maps (``zones`` 1), or the GLDM maps (0)."""
    up, _, n_log_n = logs
    where = np.arange(offsets.size) * LANES
    level = np.empty(offsets.size * LANES, dtype=levels.dtype)
    extent = np.empty_like(level)
    label = np.empty_like(level)
    step = vector.BYTES // levels.itemsize
    none = np.full(step, missing, dtype=levels.dtype)
    numbers = (np.arange(offsets.size * step) // step).astype(levels.dtype)
    seen = np.empty((3, level.size), dtype=levels.dtype)
    counted = np.ones(LANES, dtype=levels.dtype)
    sums, scratch = np.empty((items.SUMS, LANES)), np.empty((2, LANES))
    log = np.empty(LANES, dtype=np.int64)
    features = np.empty((items.FEATURES, LANES))
    used = np.empty(LANES, dtype=np.int64)
    for base in range(begin, end, LANES):
        if not _anything(place, base):
            continue
        features[:, :] = 0.0
        if zones:
            extents.zones(levels, none, base, offsets, ways, numbers, level, extent, label)
        else:
            extents.dependences(levels, missing, base, offsets, ways, level, extent)
        items.add_up(level, extent, where, up, seen, sums, log)
        items.add_features(sums, log, n_log_n, counted, scratch, features, used)
        _put(features, rows, place, base, out)


@jit.serial
def ngtdm(
    levels: Counts,
    missing: int,
    place: Whole,
    begin: int,
    end: int,
    offsets: Whole,
    ways: Whole,
    rows: Whole,
    out: Floats,
) -> None:
    """The NGTDM maps."""
    total = np.empty((offsets.size, LANES), dtype=np.uint16)
    count = np.empty((offsets.size, LANES), dtype=np.uint16)
    rank_of = np.full(missing + 1, -1, dtype=np.int64)
    features = np.empty((len(tone.NAMES), LANES))
    for base in range(begin, end, LANES):
        if _anything(place, base):
            tone.neighbours(levels, missing, base, offsets, ways, total, count)
            tone.chunk(levels, base, place, offsets, total, count, rank_of, features)
            _put(features, rows, place, base, out)


@jit.serial
def firstorder(
    levels: Counts, missing: int, place: Whole, begin: int, end: int, offsets: Whole, values: Floats,
    comparisons: Whole, voxel_size: float, logs: Any, rows: Whole, out: Floats,
) -> None:  # fmt: skip
    """The first-order maps; ``values`` may be empty where only entropy and uniformity are asked for."""
    up, _, n_log_n = logs
    where = np.arange(offsets.size) * LANES
    level = np.empty(offsets.size * LANES, dtype=levels.dtype)
    extent = np.empty_like(level)
    seen = np.empty((3, level.size), dtype=levels.dtype)
    sums = np.empty((items.SUMS, LANES))
    log = np.empty(LANES, dtype=np.int64)
    x, moments = np.empty(offsets.size * intensity.STEP), np.empty(7 * intensity.STEP)
    features = np.empty((len(intensity.NAMES), LANES))
    none = np.empty((0, 2), dtype=np.int64)
    for base in range(begin, end, LANES):
        if not _anything(place, base):
            continue
        extents.dependences(levels, missing, base, offsets, none, level, extent)
        items.add_up(level, extent, where, up, seen, sums, log)
        intensity.add_levels(sums, log, n_log_n, features)
        if values.size:
            for column in range(0, LANES, intensity.STEP):
                intensity.add_values(
                    values, base + column, offsets, comparisons, voxel_size, x, moments, features, column
                )
        _put(features, rows, place, base, out)

# SPDX-License-Identifier: Apache-2.0
"""Maximal correlation coefficient of every window and move, from the levels that occur in it and no others.

Rules of this module:

- The levels of a window are the nodes of a graph, its pairs the edges. MCC is the second largest |eigenvalue|
  of D^−½ W D^−½ (PyRadiomics' √ of the second eigenvalue of Q = (D⁻¹ W)²). It is 0 for one level, and 1 where the
  graph is in parts or bipartite; neither needs an eigenvalue. N edges cannot make a connected graph of more
  than N levels that is not bipartite.
- Two and three levels have a closed form: trace and determinant of D⁻¹ W are quotients of whole numbers, so that
  nothing cancels. The others are solved in batches of one size (:mod:`radiomicnet_md.radiomics.windows.eigen`); a
  window's value does not depend on its batch. The mean over moves is taken in the order of the moves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.windows import eigen
from radiomicnet_md.radiomics.windows.eigen import BATCH
from radiomicnet_md.radiomics.windows.geometry import LANES

Whole = NDArray[np.int64]
Floats = NDArray[np.float64]
Counts = NDArray[Any]


@jit.serial
def starts(most: int) -> Whole:
    """Where the matrices and degrees of each size 0 … most + 1 begin in :func:`chunk`'s ``batches``."""
    begin = np.zeros(most + 2, dtype=np.int64)
    for size in range(most + 1):
        begin[size + 1] = begin[size] + (size * size + size) * BATCH
    return begin


@jit.serial
def _rank(levels: Counts, missing: int, centre: int, offsets: Whole, rank_of: Whole, ranks: Whole) -> int:  # noqa: PLR0913
    # Number the levels of a window in order of appearance; −1 where a voxel takes no part. rank_of stays −1 between calls.
    found = 0
    for k in range(offsets.size):
        level = np.int64(levels[centre + offsets[k]])
        if level == missing:
            ranks[k] = -1
        else:
            if rank_of[level] < 0:
                rank_of[level] = found
                found += 1
            ranks[k] = rank_of[level]
    for k in range(offsets.size):
        level = np.int64(levels[centre + offsets[k]])
        if level != missing:
            rank_of[level] = -1
    return found


@jit.serial
def _count(ranks: Whole, first: Whole, second: Whole, found: int, w: Whole, degrees: Whole) -> int:  # noqa: PLR0913
    # Symmetric pair counts W and its row sums; the number of pairs whose voxels both take part.
    for i in range(found):
        degrees[i] = 0
        for j in range(found):
            w[i, j] = 0
    edges = 0
    for k in range(first.size):
        i = ranks[first[k]]
        j = ranks[second[k]]
        if i >= 0 and j >= 0:
            w[i, j] += 1
            w[j, i] += 1
            degrees[i] += 1
            degrees[j] += 1
            edges += 1
    return edges


@jit.serial
def _of_two(w: Whole, degrees: Whole, i: int, j: int) -> float:
    whole = degrees[i] * degrees[j]
    return float(abs(w[i, i] * degrees[j] + w[j, j] * degrees[i] - whole)) / float(whole)


@jit.serial
def _of_three(w: Whole, degrees: Whole, nodes: Whole) -> float:
    # The other two eigenvalues have the sum s = trace − 1 and the product p = determinant; both times D are whole.
    i, j, k = nodes[0], nodes[1], nodes[2]
    whole = degrees[i] * degrees[j] * degrees[k]
    s = w[i, i] * degrees[j] * degrees[k] + w[j, j] * degrees[i] * degrees[k] + w[k, k] * degrees[i] * degrees[j] - whole
    p = w[i, i] * (w[j, j] * w[k, k] - w[j, k] * w[j, k]) - w[i, j] * (w[i, j] * w[k, k] - w[j, k] * w[i, k])
    p += w[i, k] * (w[i, j] * w[j, k] - w[j, j] * w[i, k])
    return (float(abs(s)) + np.sqrt(float(s * s - 4 * p * whole))) / float(2 * whole)


@jit.serial
def _certain(w: Whole, nodes: Whole, seen: Counts, stack: Whole) -> bool:
    # Whether the graph is in parts or bipartite, that is, whether its double cover (node, side) is not connected.
    # An edge from a node to itself makes an odd cycle: then one side will do.
    flip = 1
    for a in nodes:
        seen[2 * a] = False
        seen[2 * a + 1] = False
        flip = 0 if w[a, a] > 0 else flip
    left = nodes.size * (1 + flip) - 1
    seen[2 * nodes[0]] = True
    stack[0] = 2 * nodes[0]
    top = 1
    while top:
        top -= 1
        a = stack[top] // 2
        side = (stack[top] & 1) ^ flip
        for b in nodes:
            if w[a, b] > 0 and not seen[2 * b + side]:
                seen[2 * b + side] = True
                stack[top] = 2 * b + side
                top += 1
                left -= 1
                if left == 0:
                    return False
    return True


@jit.serial
def _put(w: Whole, degrees: Whole, nodes: Whole, b: int, batch: Floats) -> None:
    # The lower triangle and the degrees into lane b.
    size = nodes.size
    for i in range(size):
        batch[(size * size + i) * BATCH + b] = float(degrees[nodes[i]])
        for j in range(i + 1):
            batch[(i * size + j) * BATCH + b] = float(w[nodes[i], nodes[j]])


@jit.serial
def _solve(size: int, count: int, batch: Floats, targets: Whole, work: Floats, out: Floats, results: Floats) -> None:  # noqa: PLR0913
    # One batch; lanes that nobody uses repeat the first.
    for entry in range(size * size + size):
        for b in range(count, BATCH):
            batch[entry * BATCH + b] = batch[entry * BATCH]
    eigen.second(batch, size, batch[size * size * BATCH :], work, out)
    for b in range(count):
        results[targets[b, 0], targets[b, 1]] = out[b]


@jit.serial
def chunk(  # noqa: PLR0913 - a kernel takes plain values
    levels: Counts, missing: int, base: int, place: Whole, offsets: Whole, moves: Whole, sizes: Whole,
    begin: Whole, batches: Floats, rank_of: Whole, results: Floats,
) -> None:  # fmt: skip
    """MCC of LANES windows into ``results`` (moves, LANES); NaN where a move has no pair.

    :param moves: (moves, 2, pairs) indices into ``offsets`` of first and second voxels, ``sizes`` long each
    :param begin: :func:`starts` for the most levels that a window can have
    :param batches: scratch of ``begin[-1]`` doubles
    """
    most = begin.size - 2
    ranks = np.empty(offsets.size, dtype=np.int64)
    w = np.empty((most, most), dtype=np.int64)
    degrees, nodes = np.empty(most, dtype=np.int64), np.empty(most, dtype=np.int64)
    seen, stack = np.empty(2 * most, dtype=np.bool_), np.empty(2 * most, dtype=np.int64)
    waiting = np.zeros(most + 1, dtype=np.int64)
    targets = np.empty((most + 1, BATCH, 2), dtype=np.int64)
    work, out = np.empty(eigen.work_size(most)), np.empty(BATCH)
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        found = _rank(levels, missing, base + lane, offsets, rank_of, ranks)
        for m in range(sizes.size):
            edges = _count(ranks, moves[m, 0, : sizes[m]], moves[m, 1, : sizes[m]], found, w, degrees)
            size = 0
            for i in range(found):
                if degrees[i] > 0:
                    nodes[size] = i
                    size += 1
            if size < 2:  # noqa: PLR2004 - one level has no second eigenvalue
                results[m, lane] = 0.0 if edges else np.nan
            elif size == 2:  # noqa: PLR2004
                results[m, lane] = _of_two(w, degrees, nodes[0], nodes[1])
            elif edges < size:
                results[m, lane] = 1.0
            elif size == 3:  # noqa: PLR2004
                results[m, lane] = _of_three(w, degrees, nodes)
            elif _certain(w, nodes[:size], seen, stack):
                results[m, lane] = 1.0
            else:
                b = waiting[size]
                batch = batches[begin[size] : begin[size + 1]]
                _put(w, degrees, nodes[:size], b, batch)
                targets[size, b, 0], targets[size, b, 1] = m, lane
                waiting[size] = (b + 1) % BATCH
                if waiting[size] == 0:
                    _solve(size, BATCH, batch, targets[size], work, out, results)
    for size in range(4, most + 1):
        if waiting[size]:
            _solve(size, waiting[size], batches[begin[size] : begin[size + 1]], targets[size], work, out, results)


@jit.serial
def add(results: Floats, place: Whole, base: int, total: Floats) -> None:
    """Add up the moves of each lane that have a pair."""
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        for m in range(results.shape[0]):
            if results[m, lane] == results[m, lane]:  # noqa: PLR0124 - not NaN
                total[lane] += results[m, lane]

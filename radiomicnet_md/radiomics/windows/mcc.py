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
Words = NDArray[np.uint64]

_MOST_NODES = 64  # of a set in one word; a larger graph is left to its eigenvalue, which is 1 then to rounding
_ONE = np.uint64(1)


@jit.serial
def _cell(i: int, j: int) -> int:
    # Where W(i, j) stands in its packed lower triangle.
    high, low = (i, j) if i > j else (j, i)
    return (high * (high + 1) >> 1) + low


@jit.serial
def starts(most: int) -> Whole:
    """Where the waiting graphs of each size 0 … most + 1 begin in :func:`chunk`'s ``waiting``."""
    begin = np.zeros(most + 2, dtype=np.int64)
    for size in range(most + 1):
        begin[size + 1] = begin[size] + BATCH * (_cell(size, 0) + size)
    return begin


@jit.serial
def _rank(levels: Counts, missing: int, centre: int, offsets: Whole, rank_of: Whole, ranks: Whole) -> int:
    # Number the levels of a window in order of appearance, −1 for a missing one. rank_of stays −1 between calls.
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
def _count(ranks: Whole, ends: Whole, pairs: int, found: int, w: Whole, degrees: Whole) -> int:
    # Symmetric pair counts W (the diagonal doubled) and its row sums; the number of pairs whose voxels both take part.
    degrees[:found] = 0
    w[: _cell(found, 0)] = 0
    edges = 0
    for k in range(pairs):
        i = ranks[ends[0, k]]
        j = ranks[ends[1, k]]
        if i >= 0 and j >= 0:
            w[_cell(i, j)] += 2 if i == j else 1
            degrees[i] += 1
            degrees[j] += 1
            edges += 1
    return edges


@jit.serial
def _of_two(w: Whole, degrees: Whole, i: int, j: int) -> float:
    whole = degrees[i] * degrees[j]
    return float(abs(w[_cell(i, i)] * degrees[j] + w[_cell(j, j)] * degrees[i] - whole)) / float(whole)


@jit.serial
def _of_three(w: Whole, degrees: Whole, i: int, j: int, k: int) -> float:
    # The other two eigenvalues have the sum s = trace − 1 and the product p = determinant; both times D are whole.
    d_i, d_j, d_k = degrees[i], degrees[j], degrees[k]
    ii, jj, kk = w[_cell(i, i)], w[_cell(j, j)], w[_cell(k, k)]
    ij, ik, jk = w[_cell(i, j)], w[_cell(i, k)], w[_cell(j, k)]
    whole = d_i * d_j * d_k
    s = ii * d_j * d_k + jj * d_i * d_k + kk * d_i * d_j - whole
    p = ii * (jj * kk - jk * jk) - ij * (ij * kk - jk * ik) + ik * (ij * jk - jj * ik)
    return float(float(abs(s)) + np.sqrt(float(s * s - 4 * p * whole))) / float(2 * whole)


@jit.serial
def _neighbours(ranks: Whole, ends: Whole, pairs: int, near: Words) -> int:
    # Each node's neighbours as bits; 1 if some node is its own, else 0.
    loop = 0
    for k in range(pairs):
        i = ranks[ends[0, k]]
        j = ranks[ends[1, k]]
        if i >= 0 and j >= 0:
            near[i] |= _ONE << np.uint64(j)
            near[j] |= _ONE << np.uint64(i)
            loop |= 1 if i == j else 0
    return loop


@jit.serial
def _certain(ranks: Whole, ends: Whole, pairs: int, nodes: Whole, near: Words) -> bool:
    # Whether the graph is in parts or bipartite, that is, whether its double cover (node, side) is not connected.
    # An edge from a node to itself makes an odd cycle: then both sides are one.
    near[: nodes[-1] + 1] = 0
    loop = _neighbours(ranks, ends, pairs, near)
    every = _ONE - _ONE
    for a in nodes:
        every |= _ONE << np.uint64(a)
    here = _ONE << np.uint64(nodes[0])  # reached on the side where the search began
    there = here if loop else _ONE - _ONE  # on the other
    was_here, was_there = _ONE - _ONE, _ONE - _ONE
    while here != every or there != every:
        if here == was_here and there == was_there:
            return True
        was_here, was_there = here, there
        for a in nodes:
            if here >> np.uint64(a) & _ONE:
                there |= near[a]
            if there >> np.uint64(a) & _ONE:
                here |= near[a]
            if loop:
                here |= there
                there = here
    return False


@jit.serial
def _put(w: Whole, degrees: Whole, nodes: Whole, graph: Whole) -> None:
    # The lower triangle and then the degrees of the nodes, one after the other.
    size = nodes.size
    cells = _cell(size, 0)
    if nodes[-1] == size - 1:  # every level of the window has a pair
        graph[:cells] = w[:cells]
        graph[cells:] = degrees[:size]
        return
    for i in range(size):
        graph[cells + i] = degrees[nodes[i]]
        for j in range(i + 1):
            graph[_cell(i, j)] = w[_cell(nodes[i], nodes[j])]


@jit.serial
def _solve(size: int, graphs: Whole, count: int, work: Floats, targets: Whole, out: Floats, results: Floats) -> None:
    # Up to BATCH graphs, one after the other in ``graphs``; lanes that nobody uses repeat the first.
    long = _cell(size, 0) + size
    a, degrees = work[: size * size * BATCH], work[size * size * BATCH : (size * size + size) * BATCH]
    for b in range(BATCH):
        graph = graphs[(b if b < count else 0) * long :]
        for i in range(size):
            degrees[i * BATCH + b] = float(graph[_cell(size, 0) + i])
            for j in range(i + 1):
                a[(i * size + j) * BATCH + b] = float(graph[_cell(i, j)])
    eigen.second(a, size, degrees, work[(size * size + size) * BATCH :], out)
    for b in range(count):
        results[targets[b, 0], targets[b, 1]] = out[b]


@jit.serial
def _at_once(w: Whole, degrees: Whole, nodes: Whole, edges: int) -> float:
    # MCC where the numbers of levels and pairs give it: NaN without a pair, −1 where the graph must be looked at.
    size = nodes.size
    if size < 2:  # noqa: PLR2004 - one level has no second eigenvalue
        return 0.0 if edges else np.nan
    if size == 2:  # noqa: PLR2004
        return _of_two(w, degrees, nodes[0], nodes[1])
    if edges < size:
        return 1.0
    if size == 3:  # noqa: PLR2004
        return _of_three(w, degrees, nodes[0], nodes[1], nodes[2])
    return -1.0


@jit.serial
def chunk(
    levels: Counts, missing: int, base: int, place: Whole, offsets: Whole, moves: Whole, sizes: Whole,
    n_log_n: Whole, begin: Whole, graphs: Whole, rank_of: Whole, results: Floats, marginals: Whole,
) -> None:  # fmt: skip
    """MCC of LANES windows into ``results`` (moves, LANES); NaN where a move has no pair.

    :param moves: (moves, 2, pairs) indices into ``offsets`` of first and second voxels, ``sizes`` long each
    :param begin: :func:`starts` for the most levels that a window can have
    :param graphs: scratch of ``begin[-1]``
    :param marginals: (moves, LANES), gets Σ c·log₂c over the degrees, which are at hand here
    """
    most = begin.size - 2
    ranks, degrees, nodes = np.empty(offsets.size, np.int64), np.empty(most, np.int64), np.empty(most, np.int64)
    w, near = np.empty(_cell(most, 0), np.int64), np.empty(most, np.uint64)
    waiting, targets = np.zeros(most + 1, np.int64), np.empty((most + 1, BATCH, 2), np.int64)
    work, out = np.empty((most * most + most) * BATCH + eigen.work_size(most)), np.empty(BATCH)
    marginals[:, :] = 0
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        found = _rank(levels, missing, base + lane, offsets, rank_of, ranks)
        for m in range(sizes.size):
            edges = _count(ranks, moves[m], sizes[m], found, w, degrees)
            size = 0
            total = np.int64(0)
            for i in range(found):
                total += n_log_n[degrees[i]]
                nodes[size] = i
                size += 1 if degrees[i] > 0 else 0
            marginals[m, lane] = total
            value = _at_once(w, degrees, nodes[:size], edges)
            if value < 0.0 and found <= _MOST_NODES and _certain(ranks, moves[m], sizes[m], nodes[:size], near):
                value = 1.0
            results[m, lane] = value
            if value < 0.0:
                b = waiting[size]
                long = _cell(size, 0) + size
                _put(w, degrees, nodes[:size], graphs[begin[size] + b * long : begin[size] + (b + 1) * long])
                targets[size, b, 0], targets[size, b, 1] = m, lane
                waiting[size] = (b + 1) % BATCH
                if waiting[size] == 0:
                    _solve(size, graphs[begin[size] :], BATCH, work, targets[size], out, results)
    for size in range(most + 1):
        if waiting[size]:
            _solve(size, graphs[begin[size] :], waiting[size], work, targets[size], out, results)


@jit.serial
def add(results: Floats, place: Whole, base: int, total: Floats) -> None:
    """Add up the moves of each lane that have a pair."""
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        for m in range(results.shape[0]):
            if results[m, lane] == results[m, lane]:  # not NaN
                total[lane] += results[m, lane]

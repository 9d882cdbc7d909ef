# SPDX-License-Identifier: Apache-2.0
"""Maximal correlation coefficient of every window and move, from the levels that occur in it and no others.

Rules of this module:

- The levels of a window are the nodes of a graph, its pairs the edges. MCC is the second largest |eigenvalue|
  of D^−½ W D^−½ (PyRadiomics' √ of the second eigenvalue of Q = (D⁻¹ W)²). It is 0 for one level, and 1 where the
  graph is in parts or bipartite; neither needs an eigenvalue. N edges cannot make a connected graph of more
  than N levels that is not bipartite.
- What is left is solved in batches of one size (:mod:`radiomicnet_md.radiomics.windows.eigen`); a window's value
  does not depend on its batch. The mean over moves is taken in the order of the moves.
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
def _rank(levels: Counts, missing: int, centre: int, offsets: Whole, rank_of: Whole, ranks: Whole) -> int:
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
def _edges(ranks: Whole, first: Whole, second: Whole, node_of: Whole, ends: Whole) -> tuple[int, int]:
    # The pairs whose voxels both take part, as pairs of nodes; nodes are the levels that have a pair.
    edges = 0
    nodes = 0
    node_of[:] = -1
    for k in range(first.size):
        i = ranks[first[k]]
        j = ranks[second[k]]
        if i < 0 or j < 0:
            continue
        if node_of[i] < 0:
            node_of[i] = nodes
            nodes += 1
        if node_of[j] < 0:
            node_of[j] = nodes
            nodes += 1
        ends[edges, 0] = node_of[i]
        ends[edges, 1] = node_of[j]
        edges += 1
    return edges, nodes


@jit.serial
def _find(parent: Whole, node: int) -> int:
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node


@jit.serial
def _certain(ends: Whole, edges: int, nodes: int, parent: Whole) -> bool:
    # Whether the graph is in parts or bipartite: its double cover (node, side) is not connected.
    for node in range(2 * nodes):
        parent[node] = node
    parts = 2 * nodes
    for e in range(edges):
        for side in range(2):
            a = _find(parent, 2 * ends[e, 0] + side)
            b = _find(parent, 2 * ends[e, 1] + 1 - side)
            if a != b:
                parent[a] = b
                parts -= 1
        if parts == 1:
            return False
    return True


@jit.serial
def _flush(size: int, batches: Floats, waiting: Whole, targets: Whole, results: Floats, w: Floats, out: Floats) -> None:  # noqa: PLR0913
    # Solve the batch of one size; lanes that nobody uses repeat the first.
    count = waiting[size]
    if count == 0:
        return
    for i in range(size):
        for j in range(size):
            for b in range(BATCH):
                w[i, j, b] = batches[size, min(b, count - 1), i, j]
    eigen.second(w[:size, :size], size, out)
    for b in range(count):
        results[targets[size, b, 0], targets[size, b, 1]] = out[b]
    waiting[size] = 0


@jit.serial
def chunk(  # noqa: PLR0913 - a kernel takes plain values
    levels: Counts, missing: int, base: int, place: Whole, offsets: Whole, moves: Whole, sizes: Whole,
    batches: Floats, rank_of: Whole, results: Floats,
) -> None:  # fmt: skip
    """MCC of LANES windows into ``results`` (moves, LANES); NaN where a move has no pair.

    :param moves: (moves, 2, pairs) indices into ``offsets`` of first and second voxels, ``sizes`` long each
    :param batches: scratch (most nodes + 1, BATCH, most nodes, most nodes)
    """
    most = batches.shape[2]
    ranks = np.empty(offsets.size, dtype=np.int64)
    node_of = np.empty(offsets.size, dtype=np.int64)
    ends = np.empty((moves.shape[2], 2), dtype=np.int64)
    parent = np.empty(2 * offsets.size, dtype=np.int64)
    waiting = np.zeros(most + 1, dtype=np.int64)
    targets = np.empty((most + 1, BATCH, 2), dtype=np.int64)
    w = np.empty((most, most, BATCH))
    out = np.empty(BATCH)
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        found = _rank(levels, missing, base + lane, offsets, rank_of, ranks)
        for m in range(sizes.size):
            edges, nodes = _edges(ranks, moves[m, 0, : sizes[m]], moves[m, 1, : sizes[m]], node_of[:found], ends)
            if nodes < 2:  # noqa: PLR2004 - one level has no second eigenvalue
                results[m, lane] = 0.0 if edges else np.nan
            elif edges < nodes or _certain(ends, edges, nodes, parent):
                results[m, lane] = 1.0
            else:
                b = waiting[nodes]
                matrix = batches[nodes, b]
                matrix[:nodes, :nodes] = 0.0
                for e in range(edges):
                    matrix[ends[e, 0], ends[e, 1]] += 1.0
                    matrix[ends[e, 1], ends[e, 0]] += 1.0
                targets[nodes, b, 0] = m
                targets[nodes, b, 1] = lane
                waiting[nodes] = b + 1
                if waiting[nodes] == BATCH:
                    _flush(nodes, batches, waiting, targets, results, w, out)
    for size in range(2, most + 1):
        _flush(size, batches, waiting, targets, results, w, out)


@jit.serial
def add(results: Floats, place: Whole, base: int, total: Floats) -> None:
    """Add up the moves of each lane that have a pair."""
    for lane in range(LANES):
        if place[base + lane] < 0:
            continue
        for m in range(results.shape[0]):
            if results[m, lane] == results[m, lane]:  # noqa: PLR0124 - not NaN
                total[lane] += results[m, lane]

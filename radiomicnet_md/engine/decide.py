# SPDX-License-Identifier: Apache-2.0
"""Which region is segmented, and whether any: a sum of named terms decides between nested candidates.

Rules of this module:

- Candidates are the connected components (4-neighbours, holes filled) of {z ≥ t} for every rung t of a fixed
  ladder. Filling keeps them nested: any two are disjoint or one holds the other, so they form a tree.
- S(R) = β + Σ_k ψ_k(V_k(R)) in integers of 2**-SCORE_BITS; ψ_k is a table over the value's range.
- The mask is the set of disjoint candidates with the largest sum of scores, each above 0; ties go to fewer and
  larger regions. None above 0: "no lesion found".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, Region
from radiomicnet_md.radiomics import region, region_definitions
from radiomicnet_md.radiomics.region_levels import LevelSets, level_sets

UPSAMPLED_BITS = LOGIT_BITS + 4  # evidence on the working grid: bilinear weights of 1/16
LADDER = tuple(range(-10, 11))  # thresholds in halves of a logit
SMALLEST = 40  # pixels of the working grid


@dataclass(frozen=True, slots=True)
class Tables:
    """The region layer: ψ_k as ascending edges and one more score than edges, in 2**-SCORE_BITS."""

    intercept: int
    terms: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Tables:
        """Read the ``region`` part of ``tables.json``."""
        terms = {
            name: (np.array(term["edges"], dtype=np.int64), np.array(term["scores"], dtype=np.int64))
            for name, term in value["terms"].items()
        }
        return cls(int(value["intercept"]), terms)

    def read(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The term of each name at each region's values (regions, values): int64 (regions, terms)."""
        columns = [values[:, region_definitions.VALUE_NAMES.index(name)] for name in self.terms]
        read = [
            scores[np.searchsorted(edges, column, side="right")]
            for column, (edges, scores) in zip(columns, self.terms.values(), strict=True)
        ]
        return np.array(read, dtype=np.int64).reshape(len(read), len(values)).T


@dataclass(frozen=True, slots=True)
class Choice:
    """The regions that make the mask, best first, and the best of the others."""

    chosen: tuple[Region, ...]
    runner_up: Region | None
    candidates: int


def upsample(logit: NDArray[np.int64], rows: int, columns: int) -> NDArray[np.int64]:
    """Bilinear × 2 of half-grid evidence, cropped to (rows, columns); 2**-UPSAMPLED_BITS, border repeated."""

    def double(x: NDArray[np.int64]) -> NDArray[np.int64]:
        before = np.concatenate([x[:1], x[:-1]])
        after = np.concatenate([x[1:], x[-1:]])
        return np.stack([3 * x + before, 3 * x + after], 1).reshape(2 * x.shape[0], x.shape[1])

    return np.ascontiguousarray(double(double(logit).T).T[:rows, :columns])


def candidates(evidence: NDArray[np.int64]) -> LevelSets:
    """All distinct candidates of working-grid evidence, larger before smaller; parents come first.

    Rung k of the level sets is ``LADDER[k − 1]``.
    """
    reached = (evidence >> (UPSAMPLED_BITS - 1)) - LADDER[0] + 1
    return level_sets(np.clip(reached, 0, len(LADDER)).astype(np.uint8), SMALLEST)


def select(scores: list[int], parents: list[int]) -> list[int]:
    """Indices of the disjoint set with the largest sum of positive scores; a parent stands before its children.

    A region that no other holds has the parent −1. On a tie a region is preferred to the set of its parts.
    """
    below = [0] * len(scores)  # best sum among a candidate's descendants
    keep = [False] * len(scores)
    for i in reversed(range(len(scores))):
        keep[i] = scores[i] > 0 and scores[i] >= below[i]
        parent = parents[i]
        if parent >= 0:
            below[parent] += scores[i] if keep[i] else below[i]
    chosen: list[int] = []
    covered = [False] * len(scores)
    for i, parent in enumerate(parents):
        covered[i] = parent >= 0 and covered[parent]
        if keep[i] and not covered[i]:
            chosen.append(i)
            covered[i] = True
    return chosen


def choose(logit: NDArray[np.int64], levels: NDArray[np.uint8], codes: NDArray[np.uint8], tables: Tables) -> Choice:
    """From half-grid evidence (h2, w2) to the regions; levels and codes as for ``region.measure``."""
    found = candidates(upsample(logit, *levels.shape))
    values = region.measure(found.tree, levels, codes)
    terms = tables.read(values)
    scores: list[int] = (tables.intercept + terms.sum(1)).tolist()

    def written(i: int) -> Region:
        top, left, bottom, right = found.boxes[i].tolist()
        return Region(
            LADDER[int(found.rungs[i]) - 1],
            int(found.areas[i]),
            (top, left, bottom, right),
            dict(zip(region_definitions.VALUE_NAMES, values[i].tolist(), strict=True)),
            dict(zip(tables.terms, terms[i].tolist(), strict=True)),
            tables.intercept,
            scores[i],
            found.tree.pixels(i),
        )

    chosen = select(scores, found.tree.parents.tolist())
    others = [i for i in range(len(scores)) if i not in chosen]
    best = min(others, key=lambda i: (-scores[i], i), default=None)
    return Choice(
        tuple(written(i) for i in sorted(chosen, key=lambda i: (-scores[i], i))),
        None if best is None else written(best),
        len(scores),
    )

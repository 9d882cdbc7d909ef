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
from radiomicnet_md.radiomics import region

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

    def read(self, values: Mapping[str, int]) -> dict[str, int]:
        """The term of each name at the region's values."""
        return {
            name: int(scores[np.searchsorted(edges, values[name], side="right")])
            for name, (edges, scores) in self.terms.items()
        }


@dataclass(frozen=True, slots=True)
class Candidate:
    """A candidate before it is scored."""

    threshold: int  # in halves of a logit
    pixels: NDArray[np.bool_]  # (rows, columns) on the working grid
    box: tuple[int, int, int, int]
    area: int
    parent: int | None  # index of the smallest candidate that holds it


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


def candidates(evidence: NDArray[np.int64]) -> list[Candidate]:
    """All distinct candidates of working-grid evidence, larger before smaller; parents come first."""
    from scipy import ndimage

    found: list[tuple[int, NDArray[np.bool_], tuple[int, int, int, int], int]] = []
    seen: set[tuple[int, int]] = set()  # candidates nest, so first pixel and area tell one from every other
    for threshold in LADDER:
        above = ndimage.binary_fill_holes(evidence >= threshold << (UPSAMPLED_BITS - 1))
        labels, count = ndimage.label(above)
        areas = np.bincount(labels.ravel(), minlength=count + 1)
        for label, place in enumerate(ndimage.find_objects(labels), start=1):
            area = int(areas[label])
            if area < SMALLEST:
                continue
            pixels = labels == label
            known = (int(pixels.argmax()), area)
            if known not in seen:
                seen.add(known)
                box = (place[0].start, place[1].start, place[0].stop, place[1].stop)
                found.append((threshold, pixels, box, area))
    found.sort(key=lambda one: (-one[3], one[0], one[2]))
    owner = np.full(evidence.shape, -1, dtype=np.int64)
    kept: list[Candidate] = []
    for threshold, pixels, box, area in found:
        first = np.unravel_index(int(pixels.argmax()), pixels.shape)
        parent = int(owner[first])
        owner[pixels] = len(kept)
        kept.append(Candidate(threshold, pixels, box, area, parent if parent >= 0 else None))
    return kept


def score(candidate: Candidate, tables: Tables, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> Region:
    """Measure one candidate and add up its terms."""
    values = region.measure(candidate.pixels, candidate.box, levels, codes)
    terms = tables.read(values)
    return Region(
        candidate.threshold,
        candidate.area,
        candidate.box,
        values,
        terms,
        tables.intercept,
        tables.intercept + sum(terms.values()),
        candidate.pixels,
    )


def select(scores: list[int], parents: list[int | None]) -> list[int]:
    """Indices of the disjoint set with the largest sum of positive scores; a parent stands before its children.

    On a tie a region is preferred to the set of its parts.
    """
    below = [0] * len(scores)  # best sum among a candidate's descendants
    keep = [False] * len(scores)
    for i in reversed(range(len(scores))):
        keep[i] = scores[i] > 0 and scores[i] >= below[i]
        parent = parents[i]
        if parent is not None:
            below[parent] += scores[i] if keep[i] else below[i]
    chosen: list[int] = []
    covered = [False] * len(scores)
    for i, parent in enumerate(parents):
        covered[i] = parent is not None and covered[parent]
        if keep[i] and not covered[i]:
            chosen.append(i)
            covered[i] = True
    return chosen


def choose(logit: NDArray[np.int64], levels: NDArray[np.uint8], codes: NDArray[np.uint8], tables: Tables) -> Choice:
    """From half-grid evidence (h2, w2) to the regions; levels and codes as for ``region.measure``."""
    found = candidates(upsample(logit, *levels.shape))
    regions = [score(candidate, tables, levels, codes) for candidate in found]
    chosen = select([r.score for r in regions], [c.parent for c in found])
    others = [i for i in range(len(regions)) if i not in chosen]
    best = min(others, key=lambda i: (-regions[i].score, i), default=None)
    return Choice(
        tuple(regions[i] for i in sorted(chosen, key=lambda i: (-regions[i].score, i))),
        None if best is None else regions[best],
        len(regions),
    )

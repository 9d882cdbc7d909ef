# SPDX-License-Identifier: Apache-2.0
"""The region layer, mask by mask: thresholds, candidates, scores and the choice of disjoint ones.

Rules of this module:

- Every rung of the ladder is cut by itself: holes are filled, components are flooded, and a set of pixels that
  a lower rung gave is left out. A candidate is a mask; which holds which is found by comparing masks.
- A term is read by counting the edges that its value reaches.
- The choice is a recursion over the candidates that lie in no other: a candidate itself where its score is
  above 0 and at least what the best choice below it adds up to, else that choice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, Region
from radiomicnet_md.engine.reference import values

RUNGS = range(-10, 11)  # thresholds in halves of a logit
SMALLEST = 40  # pixels of the working grid

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Candidate:
    """One filled component (rows, columns) at the lowest rung that has it."""

    rung: int
    pixels: Mask

    @property
    def area(self) -> int:
        """Pixels."""
        return int(self.pixels.sum())


def upsampled(logit: Integers, shape: tuple[int, int]) -> Integers:
    """Half-grid evidence on the working grid (rows, columns), 16 times as large: bilinear, border repeated."""
    out = logit
    for axis, side in enumerate(shape):
        near = np.arange(side) // 2  # the place that holds the pixel; the other is the pixel's neighbour outside it
        far = np.clip(near + np.where(np.arange(side) % 2, 1, -1), 0, logit.shape[axis] - 1)
        out = 3 * out.take(near, axis) + out.take(far, axis)
    return out


def candidates(evidence: Integers) -> list[Candidate]:
    """The candidates of working-grid evidence: larger first, then the lower rung, then the upper left box."""
    found: dict[bytes, Candidate] = {}
    for rung in RUNGS:
        reached = 2 * evidence >= rung << (LOGIT_BITS + 4)
        outside = [part for part in components(~reached) if _at_border(part)]
        for part in components(~np.any([np.zeros_like(reached), *outside], axis=0)):
            if part.sum() >= SMALLEST:
                found.setdefault(part.tobytes(), Candidate(rung, part))
    return sorted(found.values(), key=lambda one: (-one.area, one.rung, values.box_of(one.pixels)))


def components(mask: Mask) -> list[Mask]:
    """The components of a mask (4-neighbours), each a mask."""
    rows, columns = mask.shape
    left = set(np.flatnonzero(mask).tolist())
    parts = []
    while left:
        waiting = [left.pop()]
        part = np.zeros(mask.size, dtype=np.bool_)
        while waiting:
            place = waiting.pop()
            part[place] = True
            column = place % columns
            beside = [place - columns, place + columns]  # beyond the first or last row nothing is left
            beside += [place - 1] if column else []
            beside += [place + 1] if column + 1 < columns else []
            for other in beside:
                if other in left:
                    left.remove(other)
                    waiting.append(other)
        parts.append(part.reshape(rows, columns))
    return parts


def _at_border(part: Mask) -> bool:
    return bool(part[0].any() or part[-1].any() or part[:, 0].any() or part[:, -1].any())


def parents(masks: Sequence[Mask]) -> list[int]:
    """For each mask the smallest of those before it that holds it, −1 for none; larger masks stand first."""
    holders = [[j for j in range(i) if not (mask & ~masks[j]).any()] for i, mask in enumerate(masks)]
    return [max(holding, default=-1) for holding in holders]


def terms(tables: Mapping[str, Any], measured: Mapping[str, int]) -> dict[str, int]:
    """The entry of each named table at the region's value."""
    return {
        name: int(table["scores"][sum(edge <= measured[name] for edge in table["edges"])])
        for name, table in tables["terms"].items()
    }


def select(scores: Sequence[int], holders: Sequence[int]) -> list[int]:
    """The disjoint candidates with the largest sum, in their order; on a tie a region rather than its parts."""

    def best(holder: int) -> list[int]:
        chosen = []
        for i, its_holder in enumerate(holders):
            if its_holder == holder:
                below = best(i)
                alone = scores[i] > 0 and scores[i] >= sum(scores[j] for j in below)
                chosen += [i] if alone else below
        return chosen

    return sorted(best(-1))


def choose(
    evidence: Integers, levels: NDArray[np.uint8], codes: NDArray[np.uint8], tables: Mapping[str, Any]
) -> tuple[tuple[Region, ...], Region | None, int]:
    """The chosen regions, best first, the best of the others, and how many there were.

    :param evidence: half-grid evidence (h2, w2), 2**-LOGIT_BITS
    :param levels: the working grid (rows, columns)
    :param codes: the sixteen codes of the first scale (16, h2, w2)
    :param tables: the ``region`` part of ``tables.json``
    """
    rows, columns = levels.shape
    found = candidates(upsampled(evidence, (rows, columns)))
    regions = [_region(one, values.measure(one.pixels, levels, codes), tables) for one in found]
    scores = [region.score for region in regions]
    chosen = select(scores, parents([one.pixels for one in found]))

    def by_score(indices: Sequence[int]) -> list[Region]:
        return [regions[i] for i in sorted(indices, key=lambda i: -scores[i])]

    others = by_score([i for i in range(len(regions)) if i not in chosen])
    return tuple(by_score(chosen)), others[0] if others else None, len(regions)


def _region(candidate: Candidate, measured: Mapping[str, int], tables: Mapping[str, Any]) -> Region:
    read, intercept = terms(tables, measured), int(tables["intercept"])
    return Region(
        candidate.rung,
        candidate.area,
        values.box_of(candidate.pixels),
        measured,
        read,
        intercept,
        intercept + sum(read.values()),
        candidate.pixels,
    )

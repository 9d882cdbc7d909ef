# SPDX-License-Identifier: Apache-2.0
"""Change one named value of a region, and the decision must change as its record foretells: every value, every case.

Rules of this module:

- The change is made in the array of values and judged by the device's own reader of tables and its own choice.
- What is foretold comes from the record alone: the terms and scores written of the chosen regions and the runner-up,
  the scores and the nesting of the other candidates. Its choice among them is made here, from the top of the tree
  down, and not by the device's ``select``.
- A value is exchanged for that of every other recorded region, and for one out of the table's best and worst bin.
- A difference of one unit in the score, or of one region in the choice, is a disagreement.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from radiomicnet_md.decision import Region
from radiomicnet_md.engine import decide
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md_training.faithfulness.look import Integers, Seen


@dataclass(frozen=True, slots=True)
class Swap:
    """One exchange: where, what comes in, and the change of score that the record foretells."""

    candidate: int
    name: str
    value: int
    foretold: int  # 2**-SCORE_BITS


@dataclass(frozen=True, slots=True)
class Counts:
    """How the exchanges of one image ended."""

    swaps: int
    changed: int  # exchanges after which another set of regions was chosen
    wrong_score: int
    wrong_choice: int


def counterfactuals(seen: Seen, tables: decide.Tables) -> Counts:
    """Make every exchange on one image; ``tables`` are those of the device that judges them."""
    scores, parents = _judge(seen.values, tables), seen.found.tree.parents.tolist()
    written = recorded(seen)
    before = sorted(i for i, region in written.items() if region is not seen.choice.runner_up)
    swaps = list(_swaps(written, tables))
    changed = wrong_score = 0
    wrong_choice = int(_best(scores, parents) != before)  # the record's own choice, nothing exchanged
    for swap in swaps:
        edited = seen.values.copy()
        edited[swap.candidate, VALUE_NAMES.index(swap.name)] = swap.value
        judged = _judge(edited, tables)
        foretold = scores.copy()
        foretold[swap.candidate] = written[swap.candidate].score + swap.foretold
        chosen = decide.select(judged, parents)
        wrong_score += judged[swap.candidate] != foretold[swap.candidate]
        wrong_choice += chosen != _best(foretold, parents)
        changed += chosen != before
    return Counts(len(swaps), changed, wrong_score, wrong_choice)


def recorded(seen: Seen) -> dict[int, Region]:
    """The regions that a record writes out, by their number among the candidates."""
    written = [*seen.choice.chosen, *([] if seen.choice.runner_up is None else [seen.choice.runner_up])]
    return {_number(seen, one): one for one in written}


def _number(seen: Seen, region: Region) -> int:
    same = np.flatnonzero((seen.found.areas == region.area_px) & (seen.found.boxes == region.box).all(1))
    return next(int(i) for i in same if np.array_equal(seen.found.tree.pixels(int(i)), region.pixels))


def _swaps(written: dict[int, Region], tables: decide.Tables) -> Iterator[Swap]:
    for i, region in written.items():
        for name, (edges, scores) in tables.terms.items():
            for j, donor in written.items():
                if j != i:
                    yield Swap(i, name, donor.values[name], donor.terms[name] - region.terms[name])
            for position in (int(scores.argmax()), int(scores.argmin())):
                yield Swap(i, name, _value_in(edges, position), int(scores[position]) - region.terms[name])


def _value_in(edges: Integers, position: int) -> int:
    """A value that the table reads at ``position``: how many ascending edges it reaches."""
    if not len(edges):
        return 0
    return int(edges[position - 1]) if position else int(edges[0]) - 1


def _judge(values: Integers, tables: decide.Tables) -> list[int]:
    """The device's scores of regions with these values."""
    scores: list[int] = (tables.intercept + tables.read(values).sum(1)).tolist()
    return scores


def _best(scores: list[int], parents: list[int]) -> list[int]:
    """The disjoint regions with the largest sum of positive scores, ties to the larger region; top down."""
    children: dict[int, list[int]] = {}
    for i, parent in enumerate(parents):
        children.setdefault(parent, []).append(i)

    def within(holder: int) -> tuple[int, list[int]]:
        parts = [whole(child) for child in children.get(holder, ())]
        return sum(total for total, _ in parts), [i for _, chosen in parts for i in chosen]

    def whole(i: int) -> tuple[int, list[int]]:
        total, chosen = within(i)
        return (scores[i], [i]) if scores[i] > 0 and scores[i] >= total else (total, chosen)

    return sorted(within(-1)[1])

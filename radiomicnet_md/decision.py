# SPDX-License-Identifier: Apache-2.0
"""What the device decided, as plain arrays and integers; everything a record or a picture needs.

Rules of this module:

- Scores, terms, contributions and logits are integers; their unit stands in the name of the
  constant that scales them, so a sum is checked with ``==``.
- The working grid is the image resampled so that its longer side has ``GRID`` pixels; the logit and the
  contributions live on the half grid, the candidate regions on the working grid, the mask on the
  input's own grid.
- An empty mask with no chosen region means "no lesion found": an answer, not a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

LOGIT_BITS = 18  # a logit or contribution of 1.0 is 2**18
SCORE_BITS = 16  # a region score or term of 1.0 is 2**16
GRID = 192  # longer side of the working grid, pixels


@dataclass(frozen=True, slots=True)
class Check:
    """One gate check: its name, the value seen, the limit, and whether it held."""

    name: str
    value: str
    limit: str
    held: bool
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Region:
    """One candidate region and the sum that decides on it.

    ``score == intercept + sum(terms.values())`` in units of ``2**-SCORE_BITS``; ``values`` are the
    named integer values the tables were read at (unit and scale in ``radiomics.region_definitions``).
    """

    threshold: int  # rung of the ladder in halves of a logit: a component of {z >= threshold / 2}
    area_px: int  # on the working grid
    box: tuple[int, int, int, int]  # row0, column0, row1, column1 (exclusive), working grid
    values: Mapping[str, int]
    terms: Mapping[str, int]
    intercept: int
    score: int
    pixels: NDArray[np.bool_] = field(repr=False)  # (rows, columns) on the working grid


@dataclass(frozen=True, slots=True)
class Decision:
    """A segmentation decision; arrays are C-contiguous, shapes as written."""

    mask: NDArray[np.uint8]  # (rows, columns) of the input, 0 or 1
    chosen: tuple[Region, ...]
    runner_up: Region | None
    candidates: int
    levels: NDArray[np.uint8]  # (h, w) grey levels on the working grid
    logit: NDArray[np.int64]  # (h2, w2), 2**-LOGIT_BITS
    names: tuple[str, ...]  # the named maps, in the order of axis 0 of contributions
    contributions: NDArray[np.int64]  # (names, h2, w2), 2**-LOGIT_BITS; centred on the training data
    bias: int  # 2**-LOGIT_BITS
    rest: NDArray[np.int64]  # (h2, w2): what is not named, |rest| <= rho
    rho: int  # 2**-LOGIT_BITS
    paper_values: Mapping[str, float]  # the 13 global values of the paper
    gamma: tuple[float, ...]  # per gate, fine to coarse
    attention: tuple[float, ...]  # mean attention per gate, fine to coarse
    groups: Mapping[str, Mapping[str, int]]  # zone to the shares of the groups of values, see engine.coalitions
    stages: Mapping[str, str]  # digest after each stage: levels, features, trunk, logit, mask
    arithmetic: str  # "integers in float32", …
    lesions: tuple[Mapping[str, Any], ...] = ()  # per-lesion PyRadiomics values or typed UNDEFINED


def margin(chosen: tuple[Region, ...], runner_up: Region | None) -> int | None:
    """What the choice beat the best other candidate by, 2**-SCORE_BITS; None where there was no other.

    The scores of the chosen regions that share a pixel with the runner-up (they exclude it), summed, minus
    its own. Law: never below 0, since the chosen set has the largest sum; 0 is a tie.
    """
    if runner_up is None:
        return None
    return sum(region.score for region in chosen if (region.pixels & runner_up.pixels).any()) - runner_up.score

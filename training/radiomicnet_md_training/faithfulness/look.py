# SPDX-License-Identifier: Apache-2.0
"""One image as the device sees it, with everything that the measurements of this package ask about it.

Rules of this module:

- The device's own functions look; nothing is computed in a second way here.
- The place that a measurement speaks of is the best chosen region, and where none was chosen the runner-up: the
  region that "no lesion found" was decided against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import Region
from radiomicnet_md.engine import contributions, decide, zones
from radiomicnet_md.engine.segment import Engine, Proposal
from radiomicnet_md.radiomics import region
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region_levels import LevelSets
from radiomicnet_md_training.dataset import Dataset

HALF = 128  # of 255: half of a pixel is covered by the mask
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """A named grey image (rows, columns) and its mask (rows, columns), not 0 inside the lesion."""

    name: str
    grey: NDArray[np.uint8]
    truth: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the device proposes and chooses."""

    grey: NDArray[np.uint8]  # (rows, columns)
    proposal: Proposal
    found: LevelSets  # all candidates
    values: Integers  # (candidates, values)
    choice: decide.Choice
    mask: Mask  # (h, w) working grid: the union of the chosen regions

    @property
    def region(self) -> Region | None:
        """The best chosen region, else the runner-up, else None."""
        return self.choice.chosen[0] if self.choice.chosen else self.choice.runner_up

    @property
    def place(self) -> Mask | None:
        """The region's pixels on the half grid (h2, w2); None where it covers none, or there is no region."""
        if self.region is None:
            return None
        covered = zones.half_grid(self.region.pixels, *self.proposal.evidence.logit.shape)
        return covered if covered.any() else None


class Told(Engine):
    """The same device, told that the thirteen values are others than it measures."""

    def __init__(self, engine: Engine, values: Floats) -> None:
        """Share every part of ``engine``; ``values`` (13,) replace the measured ones in front of the gates."""
        self.__dict__.update(engine.__dict__)
        self._told = values

    def factors(self, values: Floats) -> list[Integers]:
        """The channel factors of the values told, whatever was measured."""
        del values
        return super().factors(self._told)

    @property
    def usual(self) -> Floats:
        """The training means (13,) that the gates standardise by."""
        return self._gating.mean


def usual_values(engine: Engine) -> Floats:
    """The thirteen values (13,) of the mean training image: the baseline of every Shapley value here."""
    return Told(engine, np.zeros(0)).usual


def look(engine: Engine, grey: NDArray[np.uint8]) -> Seen:
    """Propose and choose on one grey image (rows, columns)."""
    proposal = engine.propose(grey)
    levels, codes = proposal.measured.levels, proposal.codes[: len(NAMED)]
    logit = proposal.evidence.logit
    found = decide.candidates(decide.upsample(logit, *levels.shape))
    choice = decide.choose(logit, levels, codes, engine.regions)
    return Seen(grey, proposal, found, region.measure(found.tree, levels, codes), choice, union(choice, levels.shape))


def union(choice: decide.Choice, shape: tuple[int, ...]) -> Mask:
    """The chosen regions on the working grid ``shape``."""
    mask = np.zeros(shape, dtype=np.bool_)
    for one in choice.chosen:
        mask |= one.pixels
    return mask


def rechoose(engine: Engine, seen: Seen, logit: Integers) -> Mask:
    """What the region layer would choose on other evidence (h2, w2) of the same image."""
    levels, codes = seen.proposal.measured.levels, seen.proposal.codes[: len(NAMED)]
    return union(decide.choose(logit, levels, codes, engine.regions), levels.shape)


def spoken(engine: Engine, proposal: Proposal) -> Integers:
    """What each map's table says before its gate: int64 (maps, h2, w2), 2**-TABLE_BITS."""
    return np.stack([engine.head.phi[m][codes] for m, codes in enumerate(proposal.codes)])


def gates(engine: Engine, proposal: Proposal) -> Integers:
    """How far each map's gate is open, over all views: int64 (maps, h2, w2), 2**-GATE_BITS."""
    maps = range(len(proposal.codes))
    return np.stack([contributions.gate(engine.head, proposal.outputs, m) for m in maps])


def cases(data: Dataset, index: Integers) -> list[Case]:
    """The cases of a data set at ``index``, on the working grid; its test split is not in it."""
    return [Case(data.names[i], data.levels(i), _covered(data, i)) for i in index.tolist()]


def _covered(data: Dataset, case: int) -> NDArray[np.uint8]:
    rows, columns = data.sizes[case]
    return np.asarray(data.masks[case, :rows, :columns] >= HALF, dtype=np.uint8)

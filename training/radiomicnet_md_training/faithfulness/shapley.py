# SPDX-License-Identifier: Apache-2.0
"""What each of the thirteen values, or each group of them, gave to the lesion's evidence through the gates: exactly.

Rules of this module:

- The players are values, or groups of values; an absent player has its training mean, a present one what was
  measured. The worth of a coalition is the sum of the logit over the lesion's pixels, an integer.
- A region's score has no such game: it is read from values of the region, and no gate reaches those. What the
  thirteen values can move is the evidence, and by it the candidates.
- All 2ⁿ coalitions are evaluated (8,192 for the thirteen); nothing is sampled. Weights are fractions, so that
  Σ φ = worth of all − worth of none holds with ``==`` (Shapley 1953, the efficiency axiom).
- Nobody is present or all are: in both cases the device itself, run once more, must give the same integer.

Cost on one thread, for each view of the image: 8 to 50 s for the thirteen (1 to 6 ms a coalition, by the size of the
lesion's box); eight coalitions of three groups take less than half a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine import coalitions, contributions
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md_training.faithfulness.decoder import Decoder
from radiomicnet_md_training.faithfulness.look import Floats, Integers, Mask, Seen, Told, usual_values

BATCH = 16  # coalitions at once: more do not stay in the processor's cache
EACH: dict[str, tuple[int, ...]] = {name: (i,) for i, name in enumerate(PAPER)}


@dataclass(frozen=True, slots=True)
class Game:
    """Worth of every coalition: bit i of the index is player i; 2**-LOGIT_BITS, summed over ``pixels`` pixels."""

    players: tuple[str, ...]
    worth: Integers  # (2**players,)
    pixels: int

    def values(self) -> dict[str, Fraction]:
        """The Shapley value of each player, in the unit of the worth."""
        n = len(self.players)
        whole = math.factorial(n)
        gains = coalitions.gains(self.worth, n)
        return {player: Fraction(gain, whole) for player, gain in zip(self.players, gains, strict=True)}

    def logits(self) -> dict[str, float]:
        """The Shapley values as logits a pixel of the lesion."""
        return {player: float(value) / self.pixels / 2**LOGIT_BITS for player, value in self.values().items()}

    def incomplete(self) -> Fraction:
        """Σ φ − (worth of all − worth of none); exactly 0."""
        return sum(self.values().values(), Fraction(0)) - int(self.worth[-1] - self.worth[0])


def play(engine: Engine, seen: Seen, place: Mask, players: Mapping[str, tuple[int, ...]]) -> Game:
    """Evaluate all coalitions of ``players`` (name to places among the thirteen) on the pixels of ``place``.

    A value that belongs to no player stays as it was measured.

    :param place: the lesion's pixels on the half grid (h2, w2), at least one
    :raises IntegrityError: E-SHAPLEY, where the device itself gives another sum for all or for nobody
    """
    usual, own = usual_values(engine), seen.proposal.measured.paper
    told = coalitions.told(own, usual, players)
    lesion = _Lesion(engine, seen, place)
    worth = np.concatenate([lesion.worth(told[start : start + BATCH]) for start in range(0, len(told), BATCH)])
    for end in (0, -1):
        evidence = Told(engine, told[end]).propose(seen.grey).evidence
        if int(evidence.logit[place].sum()) != int(worth[end]):
            raise IntegrityError(
                "E-SHAPLEY",
                "the device and its decoder alone give different evidence for the same thirteen values",
                remedy="bring faithfulness/decoder.py in line with engine/segment.py; no Shapley value can be trusted",
            )
    return Game(tuple(players), worth, int(place.sum()))


class _Lesion:
    """The lesion's pixels of one image, ready to be asked for their evidence under other channel factors."""

    def __init__(self, engine: Engine, seen: Seen, place: Mask) -> None:
        self._engine = engine
        rows, columns = np.nonzero(place)
        self._codes = seen.proposal.codes[:, rows, columns]  # (maps, pixels)
        self._views: list[tuple[Decoder, Integers, Integers]] = []  # with the pixels' places in its window
        for number, canvas in enumerate(engine.preprocessing.views(seen.proposal.measured.levels)):
            across = place.shape[1] - 1 - columns if number else columns  # all views but the first are mirrored
            top, left = int(rows.min()), int(across.min())
            window = (top, left, int(rows.max()) + 1, int(across.max()) + 1)
            self._views.append((Decoder(engine, canvas, window), rows - top, across - left))

    def worth(self, told: Floats) -> Integers:
        """Sum of the logit over the pixels for each row of ``told`` (B, 13): int64 (B,), 2**-LOGIT_BITS."""
        factors = [np.stack(gate) for gate in zip(*map(self._engine.factors, told), strict=True)]
        outputs = np.stack([decoder.run(factors)[:, :, down, across] for decoder, down, across in self._views])
        outputs = outputs.transpose(0, 2, 1, 3)  # (views, maps + 1, B, pixels)
        codes = np.broadcast_to(self._codes[:, None], (len(self._codes), *outputs.shape[2:]))
        return np.asarray(contributions.attribute(self._engine.head, outputs.astype(np.int16), codes).logit.sum(1))

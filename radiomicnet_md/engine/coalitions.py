# SPDX-License-Identifier: Apache-2.0
"""What each group of the thirteen values gave to the evidence through the gates: exact Shapley values.

Rules of this module:

- The players are the three groups of values that the paper names. A present group has its measured values, an absent
  one the training means, which a release holds. The worth of a coalition is the sum of the logit over a zone.
- All eight coalitions are computed by the device itself; nothing is sampled.
- A share is an integer in units of 2**-LOGIT_BITS / DENOMINATOR. Shares and DENOMINATOR times the worth of nobody add
  up to DENOMINATOR times the worth of all, with ``==`` (Shapley 1953, the efficiency axiom).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics.definitions import PAPER

Integers = NDArray[np.int64]
_FAMILIES = (("GLCM", "glcm_"), ("LBP", "lbp_"), ("intensity", "firstorder_"))
GROUPS: Mapping[str, tuple[int, ...]] = {
    family: tuple(i for i, name in enumerate(PAPER) if name.startswith(prefix)) for family, prefix in _FAMILIES
}
USUAL = "usual"  # the worth of nobody: what the evidence would be with the training means
DENOMINATOR = math.factorial(len(GROUPS))


def told(
    measured: NDArray[np.float64], usual: NDArray[np.float64], players: Mapping[str, tuple[int, ...]] = GROUPS
) -> NDArray[np.float64]:
    """The thirteen values of every coalition (2**players, 13): bit i of the index says that player i is present.

    ``players`` names places among the thirteen; a value that belongs to none stays as it was measured.
    """
    out = np.tile(measured, (1 << len(players), 1))
    for i, places in enumerate(players.values()):
        absent = (np.arange(len(out)) >> i) & 1 == 0
        out[np.ix_(absent, places)] = usual[list(places)]
    return out


def gains(worth: Integers, players: int) -> list[int]:
    """Each player's Shapley value times players!, from the worth of every coalition (2**players,).

    φᵢ = Σ_S |S|! (n − |S| − 1)! / n! · (v(S ∪ i) − v(S)) over the coalitions S without i.
    """
    index = np.arange(1 << players)
    size = np.array([int(i).bit_count() for i in index])
    out = []
    for i in range(players):
        without = index[(index >> i) & 1 == 0]
        gain = worth[without | (1 << i)] - worth[without]
        sums = [int(gain[size[without] == s].sum()) for s in range(players)]
        out.append(sum(math.factorial(s) * math.factorial(players - s - 1) * total for s, total in enumerate(sums)))
    return out


def shares(worth: Integers) -> dict[str, int]:
    """The share of each group and of :data:`USUAL` from the worth of every coalition (2**groups,)."""
    found = zip(GROUPS, gains(worth, len(GROUPS)), strict=True)
    return {USUAL: DENOMINATOR * int(worth[0]), **dict(found)}

# SPDX-License-Identifier: Apache-2.0
"""What each name gave to each pixel's evidence, as integers that add up to it.

Rules of this module:

- z = bias + Σ_k contribution_k + rest, in units of 2**-LOGIT_BITS, equal to the last bit: the engine sums
  once while it computes, :func:`verify` sums again from what will be recorded.
- contribution_k = Σ_s g_ks · φ_ks[code], where g_ks is the mean over the views of the image; the gates' table holds
  one view's share of a gate, so that the sum over the views is exact; the tables are centred, so a
  contribution tells how far the measured value is from what is usual.
- |rest| ≤ ρ. Where |bias + Σ_k contribution_k| > ρ the rest cannot change the pixel's sign: certified.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.kernels import head as kernel
from radiomicnet_md.engine.program import STREAM
from radiomicnet_md.errors import IntegrityError

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Head:
    """The head's integer tables."""

    phi: Integers  # (scales · names, 65), 2**-TABLE_BITS; the last entry is 0
    gate: Integers  # (2047,) over codes −1023 … 1023: one view's share, 2**-GATE_BITS
    rest: Integers  # (2047,): one view's share, 2**-LOGIT_BITS
    bias: int  # 2**-LOGIT_BITS
    rho: int  # 2**-LOGIT_BITS
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """A pixel layer's answer on the half grid, 2**-LOGIT_BITS."""

    logit: Integers  # (h2, w2)
    contributions: Integers  # (names, h2, w2)
    rest: Integers  # (h2, w2)


def attribute(head: Head, outputs: NDArray[np.int16], codes: NDArray[np.uint8]) -> Evidence:
    """Evidence from the output codes (views, gates + 1, h2, w2) and the map codes (scales · names, h2, w2)."""
    contributions, rest = kernel.contributions(len(head.names), outputs, codes, head.gate, head.phi, head.rest)
    return Evidence(head.bias + contributions.sum(0) + rest, contributions, rest)


def gate(head: Head, outputs: NDArray[np.int16], m: int) -> Integers:
    """How far map m's gate is open (h2, w2), 2**-GATE_BITS; a release has a gate for each map, or one for each name."""
    return np.asarray(head.gate[outputs[:, m % (outputs.shape[1] - 1)] + STREAM[1]].sum(0))


def verify(evidence: Evidence, bias: int, rho: int) -> None:
    """Sum what will be recorded, name by name in plain integers; any difference refuses the case."""
    total = np.full(evidence.logit.shape, bias, dtype=np.int64)
    for contribution in evidence.contributions:
        total += contribution
    total += evidence.rest
    if not np.array_equal(total, evidence.logit) or int(np.abs(evidence.rest).max(initial=0)) > rho:
        raise IntegrityError(
            "E-COMPLETENESS",
            "the contributions do not add up to the evidence they explain",
            remedy="do not use this installation; run `radiomicnet-md doctor` and report the defect",
        )

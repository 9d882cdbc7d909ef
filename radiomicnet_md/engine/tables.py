# SPDX-License-Identifier: Apache-2.0
"""Integer tables of the logistic and the hyperbolic tangent, computed once when a release is built.

A release stores the tables; the device only reads them, so no libm takes part in a decision.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine.program import CODE_BITS, GATE_BITS, SIGMOID_BITS, SPATIAL, STREAM

Integers = NDArray[np.int64]


def _logistic(half: int, bits: int, factor: int = 1) -> Integers:
    unit = 1 << CODE_BITS
    return np.array(
        [round(factor * (1 << bits) / (1 + math.exp(-code / unit))) for code in range(-half, half + 1)], dtype=np.int64
    )


def spatial() -> Integers:
    """σ over codes −511 … 511 in 2**-SIGMOID_BITS."""
    return _logistic(SPATIAL[1], SIGMOID_BITS)


def channel(bits: int) -> Integers:
    """σ over codes −1023 … 1023 in 2**-bits."""
    return _logistic(STREAM[1], bits)


def gate(views: int) -> Integers:
    """2 σ / views over codes −1023 … 1023 in 2**-GATE_BITS: one view's share of the head's bounded, positive gates."""
    return _logistic(STREAM[1], GATE_BITS, 2 // views)


def rest(rho: float, views: int) -> Integers:
    """ρ tanh(r / ρ) / views over codes −1023 … 1023 in 2**-LOGIT_BITS."""
    unit = 1 << CODE_BITS
    codes = range(-STREAM[1], STREAM[1] + 1)
    share = (1 << LOGIT_BITS) // views * rho
    return np.array([round(share * math.tanh(c / unit / rho)) for c in codes], dtype=np.int64)

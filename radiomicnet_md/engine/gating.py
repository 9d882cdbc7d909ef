# SPDX-License-Identifier: Apache-2.0
"""The radiomic stream and the channel attentions in integers: thirteen values in, one factor a channel out.

Rules of this module:

- Matrix products are int64 and exact; a shift with rounding brings each result back to its grid.
- The layer normalisation divides by one square root, elementwise in float64, then rounds to the grid.
- The logistic is a stored integer table; nothing here calls exp.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import CHANNEL_BITS, CODE_BITS, Tensors

Integers = NDArray[np.int64]
VALUE_BITS = 8  # a standardised value of 1.0
WEIGHT_BITS = 12  # a weight of 1.0
VECTOR_BITS = 10  # an element of r̂ of 1.0
HIDDEN_BITS = 12  # a hidden unit of 1.0
TABLE_HALF = 1023  # the logistic table covers codes −1023 … 1023
SIGMOID_BITS = 10  # the channel logistic of 1.0, and γ of 1.0
_EPSILON = 1e-5  # LayerNorm's, as in training


@dataclass(frozen=True, slots=True)
class Gating:
    """The stored integers of the stream and of every gate."""

    mean: NDArray[np.float64]  # (13,) training mean of each value
    deviation: NDArray[np.float64]  # (13,)
    tensors: Tensors  # stream.* and gate<i>.*
    logistic: Integers  # (2047,), 2**-SIGMOID_BITS
    gates: int

    def vector(self, values: NDArray[np.float64]) -> Integers:
        """r̂ (32,) in 2**-VECTOR_BITS from the thirteen values."""
        standard = np.clip((values - self.mean) / self.deviation, -4.0, 4.0)
        x = np.rint(standard * float(1 << VALUE_BITS)).astype(np.int64)
        hidden = self._layer("stream.first", x, VALUE_BITS)
        hidden = self._layer("stream.second", np.maximum(hidden, 0), HIDDEN_BITS)
        return self._normalise(np.maximum(hidden, 0))

    def factors(self, vector: Integers) -> list[Integers]:
        """γ α_c + 1 − γ of each gate's channels in 2**-CHANNEL_BITS."""
        out = []
        for gate in range(self.gates):
            hidden = np.maximum(self._layer(f"gate{gate}.squeeze", vector, VECTOR_BITS), 0)
            code = _shift(self._layer(f"gate{gate}.excite", hidden, HIDDEN_BITS), HIDDEN_BITS - CODE_BITS)
            alpha = self.logistic[np.clip(code, -TABLE_HALF, TABLE_HALF) + TABLE_HALF]
            gamma = self.tensors[f"gate{gate}.gamma"].item()
            one = 1 << SIGMOID_BITS
            out.append(_shift(gamma * alpha + (one - gamma) * one, 2 * SIGMOID_BITS - CHANNEL_BITS))
        return out

    def gamma(self) -> tuple[float, ...]:
        """γ of each gate as a number in [0, 1]."""
        return tuple(self.tensors[f"gate{g}.gamma"].item() / (1 << SIGMOID_BITS) for g in range(self.gates))

    def _layer(self, name: str, x: Integers, bits: int) -> Integers:
        """``W x + b`` in 2**-HIDDEN_BITS; b is stored in 2**-(WEIGHT_BITS + bits)."""
        total = self.tensors[f"{name}.weight"].astype(np.int64) @ x + self.tensors[f"{name}.bias"].astype(np.int64)
        return _shift(total, WEIGHT_BITS + bits - HIDDEN_BITS)

    def _normalise(self, x: Integers) -> Integers:
        size = x.size
        centred = size * x - int(x.sum())  # 2**-HIDDEN_BITS / size
        unit = float(size << HIDDEN_BITS)
        variance = float(int((centred * centred).sum())) / (size * unit * unit)
        standard = (centred.astype(np.float64) / unit) / np.sqrt(np.float64(variance + _EPSILON))
        weight, bias = (self.tensors[f"stream.norm.{part}"] / float(1 << WEIGHT_BITS) for part in ("weight", "bias"))
        scaled = standard * weight
        return np.asarray(np.rint((scaled + bias) * float(1 << VECTOR_BITS)), np.int64)


def _shift(value: Integers, bits: int) -> Integers:
    """Divide by 2**bits, rounded half up."""
    return np.asarray((value + (1 << (bits - 1))) >> bits)

# SPDX-License-Identifier: Apache-2.0
"""The gate path in Python's own integers: thirteen values, two layers, a normalisation, one factor a channel.

Rules of this module:

- A product of matrices is written out as sums; a result is brought to its grid by one division rounded half up.
- The normalisation alone is in doubles, element by element; Python's ``round`` takes halves to even, as the device.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import CHANNEL_BITS, CODE_BITS, STREAM, Tensors

VALUE, WEIGHT, HIDDEN, VECTOR, SIGMOID = (1 << bits for bits in (8, 12, 12, 10, 10))  # what 1.0 is
_CUT = 4.0  # a value further from its mean counts as this many deviations
_EPSILON = 1e-5

Integers = NDArray[np.int64]


def factors(values: Sequence[float], tables: Mapping[str, Any], tensors: Tensors, gates: int) -> list[Integers]:
    """The channel factors of each gate, 2**-CHANNEL_BITS, from the thirteen values.

    :param tables: ``tables.json``: the values' mean and deviation in training, the logistic over codes −1023 … 1023
    :param tensors: ``stream.*`` and ``gate<i>.*``
    """
    vector = _vector(values, tables["values"], tensors)
    return [_factors_of(f"gate{gate}", vector, tensors, tables["channel"]) for gate in range(gates)]


def _vector(values: Sequence[float], usual: Mapping[str, Sequence[str]], tensors: Tensors) -> list[int]:
    mean, deviation = (map(float.fromhex, usual[part]) for part in ("mean", "deviation"))
    standard = [(value - m) / d for value, m, d in zip(values, mean, deviation, strict=True)]
    codes = [round(min(max(value, -_CUT), _CUT) * VALUE) for value in standard]
    first = _relu(_layer("stream.first", tensors, codes, VALUE))
    return _normalised(_relu(_layer("stream.second", tensors, first, HIDDEN)), tensors)


def _factors_of(gate: str, vector: list[int], tensors: Tensors, logistic: Sequence[int]) -> Integers:
    squeezed = _relu(_layer(f"{gate}.squeeze", tensors, vector, VECTOR))
    gamma = int(tensors[f"{gate}.gamma"].item())
    out = []
    for excited in _layer(f"{gate}.excite", tensors, squeezed, HIDDEN):
        code = _divide(excited, HIDDEN >> CODE_BITS)
        alpha = logistic[min(max(code, STREAM[0]), STREAM[1]) - STREAM[0]]
        mixed = gamma * alpha + (SIGMOID - gamma) * SIGMOID  # γ α + (1 − γ), 2**-20
        out.append(_divide(mixed, SIGMOID * SIGMOID >> CHANNEL_BITS))
    return np.array(out, dtype=np.int64)


def _layer(name: str, tensors: Tensors, x: list[int], one: int) -> list[int]:
    """``W x + b``, 1.0 is HIDDEN; 1.0 of x is ``one``, of b ``WEIGHT · one``."""
    rows, biases = tensors[f"{name}.weight"].tolist(), tensors[f"{name}.bias"].tolist()
    totals = [sum(w * v for w, v in zip(row, x, strict=True)) + bias for row, bias in zip(rows, biases, strict=True)]
    return [_divide(total, WEIGHT * one // HIDDEN) for total in totals]


def _normalised(x: list[int], tensors: Tensors) -> list[int]:
    n, total = len(x), sum(x)
    centred = [n * value - total for value in x]  # 1.0 is n · HIDDEN
    one = float(n * HIDDEN)
    variance = float(sum(value * value for value in centred)) / (n * one * one)
    root = math.sqrt(variance + _EPSILON)
    weights, biases = (tensors[f"stream.norm.{part}"].tolist() for part in ("weight", "bias"))
    return [
        round((value / one / root * (weight / WEIGHT) + bias / WEIGHT) * VECTOR)
        for value, weight, bias in zip(centred, weights, biases, strict=True)
    ]


def _relu(x: list[int]) -> list[int]:
    return [max(value, 0) for value in x]


def _divide(value: int, by: int) -> int:
    """The quotient, rounded half up."""
    return (2 * value + by) // (2 * by)

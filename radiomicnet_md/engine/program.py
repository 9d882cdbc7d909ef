# SPDX-License-Identifier: Apache-2.0
"""The locked network as a list of integer operations that any engine can run and must agree on to the last bit.

Rules of this module:

- Every tensor holds integers. A convolution's sum stays below 2**24 in magnitude for every admissible input
  (proven when the release is built, :mod:`radiomicnet_md.engine.lock`), so it is exact in float32 in any order.
- After a sum comes one multiplication by a stored float32 number, one rounding half to even, one clamp:
  each defined by IEEE 754 alone, none fused with another.
- A gate multiplies by an integer table value (exact), then by one float32 number a channel.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import IntegrityError

LIMIT = 1 << 24  # integers below this magnitude are exact in float32
HIDDEN = (0, 1023)  # clamp after a ReLU
STREAM = (-1023, 1023)  # clamp of linear outputs and of sums
SPATIAL = (-511, 511)  # codes of a spatial attention before its logistic, 2**-CODE_BITS
CODE_BITS = 6  # a logistic's or tanh's argument of 1.0 is 2**6
SIGMOID_BITS = 8  # a spatial attention of 1.0 is 2**8
CHANNEL_BITS = 12  # a channel factor γ α_c + 1 − γ of 1.0 is 2**12
GATE_BITS = 8  # a head gate of 1.0 is 2**8
TABLE_BITS = 10  # a head table value of 1.0 is 2**10; GATE_BITS + TABLE_BITS = LOGIT_BITS


@dataclass(frozen=True, slots=True)
class Conv:
    """``clamp(round((w * x + b) · m))`` with same padding; tensors ``<target>.weight|bias|scale``."""

    source: str
    target: str
    stride: int
    groups: int
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Add:
    """``clamp(left + right)``; both carry one scale."""

    left: str
    right: str
    target: str


@dataclass(frozen=True, slots=True)
class Up:
    """Each pixel becomes 2 × 2."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Gate:
    """``clamp(round((x · σ[s]) · m_c))``: the attention gate number ``index`` on a skip; ``<target>.scale``."""

    source: str
    spatial: str
    target: str
    index: int


Operation = Conv | Add | Up | Gate
Tensors = Mapping[str, NDArray[Any]]
_KINDS: dict[str, type[Operation]] = {"conv": Conv, "add": Add, "up": Up, "gate": Gate}


def to_json(operations: tuple[Operation, ...]) -> list[dict[str, Any]]:
    """The program as plain values."""
    names = {kind: name for name, kind in _KINDS.items()}
    return [{"op": names[type(operation)], **asdict(operation)} for operation in operations]


def from_json(value: list[dict[str, Any]]) -> tuple[Operation, ...]:
    """The program from plain values."""
    return tuple(_KINDS[row["op"]](**{k: v for k, v in row.items() if k != "op"}) for row in value)


def inputs(operation: Operation) -> frozenset[str]:
    """The values that an operation reads."""
    return frozenset(v for k, v in asdict(operation).items() if k in ("source", "left", "right", "spatial"))


def split(operations: tuple[Operation, ...]) -> tuple[tuple[Operation, ...], tuple[Operation, ...]]:
    """The operations that no gate reaches, whose values are one image's alone; and the others. Each in its order."""
    reached: set[str] = set()
    for operation in operations:
        if isinstance(operation, Gate) or inputs(operation) & reached:
            reached.add(operation.target)
    before = tuple(o for o in operations if o.target not in reached)
    return before, tuple(o for o in operations if o.target in reached)


def last_uses(operations: tuple[Operation, ...]) -> list[tuple[str, ...]]:
    """For each operation, the values that nothing after it reads: an engine may drop them."""
    seen: set[str] = set()
    dropped: list[tuple[str, ...]] = []
    for operation in reversed(operations):
        dropped.append(tuple(sorted(inputs(operation) - seen)))
        seen |= inputs(operation)
    return dropped[::-1]


def largest_sums(operations: tuple[Operation, ...], tensors: Tensors) -> dict[str, int]:
    """For each convolution the largest magnitude that any of its sums can reach, from weights and clamps alone."""
    limits = {"image": 255}
    sums: dict[str, int] = {}
    for operation in operations:
        limits[operation.target] = STREAM[1]
        if isinstance(operation, Conv):
            limits[operation.target] = max(abs(operation.low), abs(operation.high))
            weight, bias = (tensors[f"{operation.target}.{part}"].astype(np.int64) for part in ("weight", "bias"))
            reach = np.abs(weight).reshape(weight.shape[0], -1).sum(1) * limits[operation.source] + np.abs(bias)
            sums[operation.target] = int(reach.max())
    return sums


def prove(operations: tuple[Operation, ...], tensors: Tensors) -> dict[str, int]:
    """The largest sums, all below :data:`LIMIT`; raises :class:`IntegrityError` where one is not."""
    sums = largest_sums(operations, tensors)
    for target, reach in sums.items():
        if reach >= LIMIT:
            raise IntegrityError(
                "E-BOUND",
                f"a sum of layer {target} can reach {reach}, beyond what float32 holds exactly",
                remedy="build the release again; no such release may run",
            )
    return sums

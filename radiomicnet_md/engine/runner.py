# SPDX-License-Identifier: Apache-2.0
"""What every engine of the network has in common: its interface, and the order in which operations run.

Rules of this module:

- One image may be asked about several sets of channel factors; what no gate reaches is computed once.
- A value is dropped after its last use, so the memory of a case is that of its largest layers.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import Gate, Operation, last_uses, split

Factors = Sequence[NDArray[np.int64]]  # channel factors of each gate, 2**-CHANNEL_BITS
Codes = dict[str, NDArray[np.int16]]
Value = TypeVar("Value")


class Runner(ABC):
    """Evaluates a locked program; every kind of runner gives the same integers."""

    @abstractmethod
    def runs(self, images: NDArray[np.uint8], many: Sequence[Factors]) -> list[Codes]:
        """Evaluate the views of one image under each of several sets of channel factors.

        :param images: canvases (views, 2, H, W)
        :param many: sets of channel factors
        :returns: for each set ``output`` (views, channels, H/2, W/2) and ``spatial0`` …: the spatial codes of each gate
        """

    def run(self, images: NDArray[np.uint8], factors: Factors) -> Codes:
        """:meth:`runs` under one set of channel factors."""
        return self.runs(images, [factors])[0]


class Interpreter(Runner, Generic[Value]):
    """Runs a program operation by operation on values of its own kind."""

    def __init__(self, operations: tuple[Operation, ...]) -> None:
        """Order the operations: first those that no gate reaches."""
        self._before, self._after = split(operations)
        dropped = last_uses((*self._before, *self._after))
        self._dropped = dropped[: len(self._before)], dropped[len(self._before) :]
        gates = (o for o in operations if isinstance(o, Gate))
        self._kept = {f"spatial{gate.index}": gate.spatial for gate in gates} | {"output": operations[-1].target}

    def runs(self, images: NDArray[np.uint8], many: Sequence[Factors]) -> list[Codes]:
        """See :meth:`Runner.runs`."""
        return [
            {name: self._codes(value, self._kept[name]) for name, value in found.items()}
            for found in self.evaluate(self._given(images), many)
        ]

    def evaluate(self, given: Value, many: Sequence[Factors]) -> list[dict[str, Value]]:
        """:meth:`runs` from a value to values."""
        shared = {"image": given}
        for _ in self._steps(self._before, self._dropped[0], shared, ()):
            pass
        return [self._answer(dict(shared), factors) for factors in many]

    def _answer(self, values: dict[str, Value], factors: Factors) -> dict[str, Value]:
        found = {}
        for operation in self._steps(self._after, self._dropped[1], values, factors):
            if isinstance(operation, Gate):
                name = f"spatial{operation.index}"
                found[name] = values[self._kept[name]]
        return found | {"output": values[self._kept["output"]]}

    def _steps(
        self,
        operations: tuple[Operation, ...],
        dropped: list[tuple[str, ...]],
        values: dict[str, Value],
        factors: Factors,
    ) -> Iterator[Operation]:
        """Each operation when its value is there; what it used last is dropped afterwards."""
        for operation, unused in zip(operations, dropped, strict=True):
            values[operation.target] = self._apply(operation, values, factors)
            yield operation
            for name in unused:
                del values[name]

    @abstractmethod
    def _given(self, images: NDArray[np.uint8]) -> Value:
        """The canvases as a value."""

    @abstractmethod
    def _apply(self, operation: Operation, values: dict[str, Value], factors: Factors) -> Value:
        """An operation's value."""

    @abstractmethod
    def _codes(self, value: Value, target: str) -> NDArray[np.int16]:
        """A value as integers (views, channels, rows, columns)."""

# SPDX-License-Identifier: Apache-2.0
"""The part of the program behind the gates, for many sets of channel factors at once, and only where asked.

Rules of this module:

- What no channel factor reaches (the encoder, the spatial attentions) is computed once an image.
- The rest is computed on the window that the asked pixels need and no more: a convolution's window grows by its
  reach, zeros stand outside the image and nowhere else. So a cut-out gives the bits that the whole gives.
- Integers carried in float32, as in the engine; that both agree is checked by whoever uses this (``shapley``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Up, inputs, split
from radiomicnet_md.engine.segment import Engine

Window = tuple[int, int, int, int]  # row0, column0, row1, column1, ends exclusive


@dataclass(frozen=True, slots=True)
class _Held:
    """A window of a tensor (B, C, h, w) whose whole has the size ``grid``."""

    tensor: Tensor
    window: Window
    grid: tuple[int, int]

    def cut(self, asked: Window) -> Tensor:
        """The asked window, zeros where it leaves the grid."""
        top, left, bottom, right = _clip(asked, self.grid)
        part = self.tensor[
            ...,
            top - self.window[0] : bottom - self.window[0],
            left - self.window[1] : right - self.window[1],
        ]
        around = (left - asked[1], asked[3] - right, top - asked[0], asked[2] - bottom)
        return functional.pad(part, around) if any(around) else part


class Decoder:
    """One image's program, its encoder done; :meth:`run` gives the outputs for any channel factors."""

    def __init__(self, engine: Engine, image: NDArray[np.uint8], window: Window) -> None:
        """Run what no factor reaches on the canvas ``image`` (2, H, W).

        :param window: where outputs are wanted, on the half grid
        """
        self._tensors = {name: torch.from_numpy(np.array(a, dtype=np.float32)) for name, a in engine.tensors.items()}
        self._sigmoid = torch.from_numpy(engine.spatial.astype(np.float32))
        pixels = torch.from_numpy(image.astype(np.float32))[None]
        self._held = {"image": _whole(pixels)}
        grids = {"image": (image.shape[1], image.shape[2])}
        before, self._moved = split(engine.program)
        for operation in before:
            rows, columns = grids[operation.target] = _grid(operation, grids)
            with torch.inference_mode():
                done = self._apply(operation, self._held, (0, 0, rows, columns), ())
            self._held[operation.target] = _whole(done)
        for operation in self._moved:
            grids[operation.target] = _grid(operation, grids)
        self._grids = grids
        self._windows = self._needs(window)

    def run(self, factors: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
        """Output codes (B, channels, h, w) of the window for the factors (B, channels) of each gate."""
        held = dict(self._held)
        with torch.inference_mode():
            for operation in self._moved:
                target, window = operation.target, self._windows[operation.target]
                held[target] = _Held(self._apply(operation, held, window, factors), window, self._grids[target])
        return np.asarray(held[self._moved[-1].target].tensor.numpy().astype(np.int64))

    def _apply(
        self, operation: Operation, held: dict[str, _Held], window: Window, factors: Sequence[NDArray[np.int64]]
    ) -> Tensor:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                weight = self._tensors[f"{target}.weight"]
                seen = held[source].cut(self._asked(operation, window))
                total = functional.conv2d(seen, weight, self._tensors[f"{target}.bias"], stride, groups=groups)
                return total.mul_(self._tensors[f"{target}.scale"][:, None, None]).round_().clamp_(low, high)
            case Add(left, right):
                return (held[left].cut(window) + held[right].cut(window)).clamp_(*STREAM)
            case Up(source):
                asked = self._asked(operation, window)
                top, left_column = window[0] - 2 * asked[0], window[1] - 2 * asked[1]
                doubled = held[source].cut(asked).repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
                return doubled[
                    ..., top : top + window[2] - window[0], left_column : left_column + window[3] - window[1]
                ]
            case Gate(source, spatial, target, index):
                attention = self._sigmoid[(held[spatial].cut(window) + (len(self._sigmoid) // 2)).long()]
                factor = torch.from_numpy(factors[index].astype(np.float32)) * self._tensors[f"{target}.scale"]
                skip = held[source].cut(window) * attention  # (1, C, h, w)
                return (skip * factor[:, :, None, None]).round_().clamp_(-HIDDEN[1], HIDDEN[1])

    def _asked(self, operation: Operation, window: Window) -> Window:
        """The window of an operation's inputs that gives ``window`` of its output; may leave the grid."""
        match operation:
            case Conv(target=target, stride=stride):
                reach = self._tensors[f"{target}.weight"].shape[-1] // 2
                top, left, bottom, right = window
                last_row, last_column = (bottom - 1) * stride, (right - 1) * stride
                return (
                    top * stride - reach,
                    left * stride - reach,
                    last_row + reach + 1,
                    last_column + reach + 1,
                )
            case Up():
                return window[0] // 2, window[1] // 2, (window[2] + 1) // 2, (window[3] + 1) // 2
            case _:
                return window

    def _needs(self, window: Window) -> dict[str, Window]:
        """For each tensor that a factor reaches, the window that the wanted outputs need."""
        reached = {operation.target for operation in self._moved}
        needs = {self._moved[-1].target: window}
        for operation in reversed(self._moved):
            asked = self._asked(operation, needs[operation.target])
            for source in reached & inputs(operation):
                inside = _clip(asked, self._grids[source])
                needs[source] = _around(needs.get(source, inside), inside)
        return needs


def _grid(operation: Operation, grids: dict[str, tuple[int, int]]) -> tuple[int, int]:
    rows, columns = next(grids[source] for source in inputs(operation))  # all have one size
    match operation:
        case Conv(stride=stride):
            return -(-rows // stride), -(-columns // stride)
        case Up():
            return 2 * rows, 2 * columns
        case _:
            return rows, columns


def _whole(tensor: Tensor) -> _Held:
    rows, columns = tensor.shape[2:]
    return _Held(tensor, (0, 0, rows, columns), (rows, columns))


def _clip(window: Window, grid: tuple[int, int]) -> Window:
    return max(window[0], 0), max(window[1], 0), min(window[2], grid[0]), min(window[3], grid[1])


def _around(one: Window, other: Window) -> Window:
    return min(one[0], other[0]), min(one[1], other[1]), max(one[2], other[2]), max(one[3], other[3])

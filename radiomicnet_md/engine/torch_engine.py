# SPDX-License-Identifier: Apache-2.0
"""Runs a program with torch: integers carried in float32, exact in any order and on any number of threads.

Nothing here may leave the integers: on a CPU oneDNN must not compute in bfloat16, which a setting can ask it to.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up
from radiomicnet_md.engine.runner import Codes, Factors, Interpreter
from radiomicnet_md.errors import ConfigurationError


class TorchEngine(Interpreter[Tensor]):
    """A program with its tensors, ready to run; immutable after construction."""

    def __init__(self, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer]) -> None:
        """Convert every tensor to float32 once; ``sigmoid`` is the spatial table over codes −511 … 511."""
        _refuse_lossy_arithmetic()
        super().__init__(operations)
        self._sigmoid = torch.from_numpy(np.array(sigmoid, dtype=np.float32))
        self._tensors = {name: _tensor(array) for name, array in tensors.items()}

    def runs(self, images: NDArray[np.uint8], many: Sequence[Factors]) -> list[Codes]:
        """See :meth:`radiomicnet_md.engine.runner.Runner.runs`."""
        with torch.inference_mode():
            return super().runs(images, many)

    def _given(self, images: NDArray[np.uint8]) -> Tensor:
        return _tensor(images)

    def _apply(self, operation: Operation, values: dict[str, Tensor], factors: Factors) -> Tensor:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                weight, bias = self._tensors[f"{target}.weight"], self._tensors[f"{target}.bias"]
                total = functional.conv2d(values[source], weight, bias, stride, weight.shape[-1] // 2, groups=groups)
                return total.mul_(self._tensors[f"{target}.scale"][:, None, None]).round_().clamp_(low, high)
            case Add(left, right):
                return (values[left] + values[right]).clamp_(*STREAM)
            case Up(source):
                return functional.interpolate(values[source], scale_factor=2.0, mode="nearest")
            case Gate(source, spatial, target, index):
                attention = self._sigmoid[(values[spatial] + (len(self._sigmoid) // 2)).long()]
                factor = torch.from_numpy(factors[index].astype(np.float32)) * self._tensors[f"{target}.scale"]
                return (values[source] * attention).mul_(factor[:, None, None]).round_().clamp_(-HIDDEN[1], HIDDEN[1])

    def _codes(self, value: Tensor, target: str) -> NDArray[np.int16]:  # noqa: ARG002 - a tensor has only its own channels
        return np.asarray(value.to(torch.int16).contiguous().numpy())


def _tensor(array: NDArray[np.generic]) -> Tensor:
    """As float32; four axes lie channels last, as oneDNN is quickest with them."""
    made = torch.from_numpy(np.array(array, dtype=np.float32))
    return made.contiguous(memory_format=torch.channels_last) if made.ndim == len("BCHW") else made


def _refuse_lossy_arithmetic() -> None:
    """A setting can make oneDNN compute float32 in bfloat16; then no sum would be exact."""
    mode = os.environ.get("ONEDNN_DEFAULT_FPMATH_MODE", "STRICT")
    if mode.upper() != "STRICT":
        raise ConfigurationError(
            "E-FPMATH",
            f"ONEDNN_DEFAULT_FPMATH_MODE is {mode}: float32 would lose bits",
            remedy="unset ONEDNN_DEFAULT_FPMATH_MODE",
        )

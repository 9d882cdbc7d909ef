# SPDX-License-Identifier: Apache-2.0
"""Runs a program with torch: integers carried in float32, exact in any order and on any number of threads."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up, last_uses


class TorchEngine:
    """A program with its tensors, ready to run; immutable after construction."""

    def __init__(self, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer]) -> None:
        """Convert every tensor to float32 once; ``sigmoid`` is the spatial table over codes −511 … 511."""
        self._operations = operations
        self._drop = last_uses(operations)
        self._sigmoid = torch.from_numpy(np.array(sigmoid, dtype=np.float32))
        self._tensors = {name: torch.from_numpy(np.array(array, dtype=np.float32)) for name, array in tensors.items()}

    def run(self, images: NDArray[np.uint8], factors: Sequence[NDArray[np.int64]]) -> dict[str, NDArray[np.int64]]:
        """Evaluate the views of one image.

        :param images: canvases (views, 2, H, W)
        :param factors: channel factors of each gate, 2**-CHANNEL_BITS
        :returns: ``output`` (views, channels, H/2, W/2) and ``spatial0`` …: the spatial codes of each gate
        """
        values: dict[str, Tensor] = {"image": torch.from_numpy(images.astype(np.float32))}
        kept: dict[str, NDArray[np.int64]] = {}
        with torch.inference_mode():
            for operation, unused in zip(self._operations, self._drop, strict=True):
                values[operation.target] = self._apply(operation, values, factors)
                if isinstance(operation, Gate):
                    kept[f"spatial{operation.index}"] = _integers(values[operation.spatial])
                for name in unused:
                    del values[name]
        kept["output"] = _integers(values[self._operations[-1].target])
        return kept

    def _apply(self, operation: Operation, values: dict[str, Tensor], factors: Sequence[NDArray[np.int64]]) -> Tensor:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                weight = self._tensors[f"{target}.weight"]
                total = functional.conv2d(
                    values[source],
                    weight,
                    self._tensors[f"{target}.bias"],
                    stride,
                    weight.shape[-1] // 2,
                    groups=groups,
                )
                scale = self._tensors[f"{target}.scale"][:, None, None]
                return total.mul_(scale).round_().clamp_(low, high)
            case Add(left, right):
                return (values[left] + values[right]).clamp_(*STREAM)
            case Up(source):
                return functional.interpolate(values[source], scale_factor=2.0, mode="nearest")
            case Gate(source, spatial, target, index):
                attention = self._sigmoid[(values[spatial] + (len(self._sigmoid) // 2)).long()]
                factor = torch.from_numpy(factors[index].astype(np.float32)) * self._tensors[f"{target}.scale"]
                return (values[source] * attention).mul_(factor[:, None, None]).round_().clamp_(-HIDDEN[1], HIDDEN[1])


def _integers(tensor: Tensor) -> NDArray[np.int64]:
    return np.asarray(tensor.numpy().astype(np.int64))

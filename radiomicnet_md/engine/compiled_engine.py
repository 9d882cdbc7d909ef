# SPDX-License-Identifier: Apache-2.0
"""Runs a program with loops of our own, compiled on this machine: the engine of the device.

Rules of this module:

- What a layer needs is laid out once, when the engine is made; nothing of it changes afterwards.
- The kernels of a layer stand in :mod:`radiomicnet_md.engine.kernels`; here is only which one runs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.kernels import layers
from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up
from radiomicnet_md.engine.runner import Factors, Interpreter

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Layer:
    """A convolution's tensors as its kernel reads them."""

    weight: Floats
    bias: Floats
    scale: Floats
    kernel: int
    inputs: int  # channels, without what fills them up
    outputs: int


class CompiledEngine(Interpreter[Floats]):
    """A program with its tensors, ready to run; immutable after construction."""

    def __init__(self, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer]) -> None:
        """Lay out every tensor once; ``sigmoid`` is the spatial table over codes −511 … 511."""
        super().__init__(operations)
        self._sigmoid = np.array(sigmoid, dtype=np.float32)
        self._layers = {o.target: _layer(o, tensors) for o in operations if isinstance(o, Conv)}
        self._scales = {
            o.target: layers.filled(tensors[f"{o.target}.scale"]) for o in operations if isinstance(o, Gate)
        }

    def _given(self, images: NDArray[np.uint8]) -> Floats:
        return np.ascontiguousarray(np.moveaxis(images, 1, -1), dtype=np.float32)

    def _apply(self, operation: Operation, values: dict[str, Floats], factors: Factors) -> Floats:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                layer, x = self._layers[target], values[source]
                parts = layer.weight, layer.bias, layer.scale, layer.kernel, stride, float(low), float(high)
                if groups > 1:
                    return layers.depthwise(x, *parts)
                if layer.kernel > 1:
                    x = layers.bordered(x, layer.inputs, layer.kernel // 2)
                return layers.dense(x, *parts)
            case Add(left, right):
                return layers.add(values[left], values[right], *map(float, STREAM))
            case Up(source):
                return layers.up(values[source])
            case Gate(source, spatial, target, index):
                factor = layers.filled(factors[index]) * self._scales[target]
                return layers.gate(values[source], values[spatial], self._sigmoid, factor, float(HIDDEN[1]))

    def _codes(self, value: Floats, target: str) -> NDArray[np.int16]:
        return layers.codes(value, self._layers[target].outputs)


def _layer(operation: Conv, tensors: Tensors) -> _Layer:
    weight, bias, scale = (tensors[f"{operation.target}.{part}"] for part in ("weight", "bias", "scale"))
    pack = layers.depthwise_weights if operation.groups > 1 else layers.dense_weights
    return _Layer(
        pack(weight), layers.filled(bias), layers.filled(scale), weight.shape[-1], weight.shape[1], weight.shape[0]
    )

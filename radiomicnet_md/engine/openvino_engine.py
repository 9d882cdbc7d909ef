# SPDX-License-Identifier: Apache-2.0
"""Runs a program with OpenVINO on the CPU: another maker's kernels, the same integers to the last bit.

Rules of this module:

- Multipliers are an input of the graph, never constants: an optimiser folds a constant multiplier into the weights
  before it, and then the sums are no integers any more.
- The arithmetic is float32 and nothing else. OpenVINO's default on a processor that knows bfloat16 is bfloat16;
  float32 is asked for, and the compiled graph is searched for any other type before it may run.
- Importing OpenVINO opens no connection: its usage reports are shut out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up
from radiomicnet_md.engine.runner import Codes, Factors, Runner
from radiomicnet_md.errors import ConfigurationError

Untyped: TypeAlias = Any  # a part of OpenVINO, which ships no types

SETTINGS = {"INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY", "NUM_STREAMS": 1}
EXACT = frozenset({"f32", "i32"})  # the element types that a compiled graph may compute with
SHAPES = 2  # compiled graphs kept, one for each shape of input


class OpenVinoEngine(Runner):
    """A program with its tensors, ready to run; immutable after construction."""

    def __init__(
        self, operations: tuple[Operation, ...], tensors: Tensors, sigmoid: NDArray[np.integer], threads: int = 0
    ) -> None:
        """Convert every tensor to float32 once; ``sigmoid`` is the spatial table over codes −511 … 511.

        :param threads: at most so many; 0 leaves it to OpenVINO
        :raises ConfigurationError: E-SECOND where OpenVINO is not installed
        """
        self._openvino = library()
        self._operations = operations
        self._sigmoid = np.array(sigmoid, dtype=np.float32)
        self._tensors = {name: np.array(array, dtype=np.float32) for name, array in tensors.items()}
        self._settings = {**SETTINGS, "INFERENCE_NUM_THREADS": threads}
        self._compiled = lru_cache(SHAPES)(self._compile)

    def runs(self, images: NDArray[np.uint8], many: Sequence[Factors]) -> list[Codes]:
        """See :meth:`radiomicnet_md.engine.runner.Runner.runs`.

        :raises ConfigurationError: E-SECOND-PRECISION where this processor would compute in another type than float32
        """
        compiled, given = self._compiled(images.shape), images.astype(np.float32)
        answers = (compiled.infer_new_request([given, self._multipliers(factors)]) for factors in many)
        return [
            {output.get_any_name(): values[output].astype(np.int16) for output in compiled.outputs}
            for values in answers
        ]

    def _multipliers(self, factors: Factors) -> NDArray[np.float32]:
        """Those of every convolution and gate (1, all channels, 1, 1), in the program's order."""
        parts = []
        for operation in self._operations:
            match operation:
                case Conv(target=target):
                    parts.append(self._tensors[f"{target}.scale"])
                case Gate(target=target, index=index):
                    parts.append(factors[index].astype(np.float32) * self._tensors[f"{target}.scale"])
        return np.concatenate(parts)[None, :, None, None]

    def _compile(self, shape: tuple[int, ...]) -> Untyped:
        graph = _Graph(self._openvino, self._operations, self._tensors, self._sigmoid)
        compiled = self._openvino.Core().compile_model(graph.model(shape), "CPU", self._settings)
        refuse_lossy_types(compiled)
        return compiled


class _Graph:
    """A program as an OpenVINO graph; its inputs are the image and all multipliers."""

    def __init__(
        self,
        openvino: Untyped,
        operations: tuple[Operation, ...],
        tensors: Tensors,
        sigmoid: NDArray[np.float32],
    ) -> None:
        self._model = openvino.Model
        self._ops = openvino.opset13
        self._operations = operations
        self._tensors = tensors
        self._half = len(sigmoid) // 2
        self._table = self._ops.constant(sigmoid)

    def model(self, shape: tuple[int, ...]) -> Untyped:
        """The graph for images of one shape (views, 2, H, W)."""
        ops = self._ops
        sizes = [len(self._tensors[f"{o.target}.scale"]) for o in self._operations if isinstance(o, Conv | Gate)]
        image = ops.parameter(shape, np.float32)
        multipliers = ops.parameter([1, sum(sizes), 1, 1], np.float32)
        parts = iter(ops.variadic_split(multipliers, ops.constant(1), ops.constant(np.array(sizes))).outputs())
        values = {"image": image.output(0)}
        kept: dict[str, Untyped] = {}
        for operation in self._operations:
            values[operation.target] = self._apply(operation, values, parts).output(0)
            if isinstance(operation, Gate):
                kept[f"spatial{operation.index}"] = values[operation.spatial]
        kept["output"] = values[self._operations[-1].target]
        for name, value in kept.items():
            value.set_names({name})
        return self._model([ops.result(value) for value in kept.values()], [image, multipliers], "program")

    def _apply(self, operation: Operation, values: dict[str, Untyped], parts: Iterator[Untyped]) -> Untyped:
        ops = self._ops
        match operation:
            case Conv(source, target, stride, groups, low, high):
                total = self._convolve(values[source], self._tensors[f"{target}.weight"], stride, groups)
                bias = ops.constant(self._tensors[f"{target}.bias"][None, :, None, None])
                return self._requantise(ops.add(total, bias), next(parts), low, high)
            case Add(left, right):
                return ops.clamp(ops.add(values[left], values[right]), *map(float, STREAM))
            case Up(source):
                return ops.interpolate(
                    values[source],
                    ops.constant(np.array([2.0, 2.0], dtype=np.float32)),
                    "nearest",
                    "scales",
                    coordinate_transformation_mode="asymmetric",
                    nearest_mode="floor",
                    axes=ops.constant(np.array([2, 3])),
                )
            case Gate(source, spatial):
                place = ops.convert(ops.add(values[spatial], ops.constant(np.float32(self._half))), "i32")
                attention = ops.gather(self._table, place, ops.constant(0))
                return self._requantise(ops.multiply(values[source], attention), next(parts), -HIDDEN[1], HIDDEN[1])

    def _convolve(self, x: Untyped, weight: NDArray[np.float32], stride: int, groups: int) -> Untyped:
        border = weight.shape[-1] // 2
        places = ([stride, stride], [border, border], [border, border], [1, 1])  # strides, pads, dilations
        if groups == 1:
            return self._ops.convolution(x, self._ops.constant(weight), *places)
        grouped = weight.reshape(groups, -1, *weight.shape[1:])  # (G, O/G, I/G, k, k)
        return self._ops.group_convolution(x, self._ops.constant(grouped), *places)

    def _requantise(self, total: Untyped, multiplier: Untyped, low: int, high: int) -> Untyped:
        product = self._ops.multiply(total, multiplier)
        return self._ops.clamp(self._ops.round(product, "half_to_even"), float(low), float(high))


def refuse_lossy_types(compiled: Untyped) -> None:
    """Look at each node of a compiled graph; E-SECOND-PRECISION where one computes in another type than float32."""
    nodes = compiled.get_runtime_model().get_ops()
    other = {node.get_rt_info()["runtimePrecision"].astype(str) for node in nodes} - EXACT
    if other:
        raise ConfigurationError(
            "E-SECOND-PRECISION",
            f"OpenVINO would compute in {', '.join(sorted(other))} on this processor, so its sums would not be exact",
            remedy="confirm the release on another processor, or with `release verify --reference`",
        )


def library() -> Untyped:
    """OpenVINO with its usage reports shut out; E-SECOND where it is not installed."""
    # With the package openvino-telemetry, which pip installs beside it, `import openvino` reports itself to its maker
    # over the network and leaves files in the user's home. None makes that import fail; OpenVINO then does without.
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError:
        raise ConfigurationError(
            "E-SECOND",
            "The second engine needs OpenVINO, which is not installed here.",
            remedy="Install the extra that brings it: pip install 'radiomicnet-md[second]'",
        ) from None
    return openvino

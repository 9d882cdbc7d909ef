# SPDX-License-Identifier: Apache-2.0
"""Turns a trained network into integers, proves that no sum can leave the exact range, or refuses.

Rules of this module:

- Batch normalisation is folded. Weights get eight bits an output channel, after the input's scales have been
  multiplied into them; hidden activations ten bits, linear streams eleven, each with its own scale a channel.
- Tensors that are added share one scale (a *class*), so an addition is an addition of integers.
- Where eight bits could exceed 2**24 for some input, the channel's weights get a coarser grid: the bound holds
  by construction and is checked again on the final integers.
- This module needs torch and a trained network; the device never imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.engine import gating
from radiomicnet_md.engine.program import (
    CHANNEL_BITS,
    CODE_BITS,
    HIDDEN,
    LIMIT,
    SIGMOID_BITS,
    SPATIAL,
    STREAM,
    Add,
    Conv,
    Gate,
    Operation,
    Up,
    prove,
)
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.blocks import ConvNorm, InvertedResidual
from radiomicnet_md.model.network import PixelNetwork

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Locked:
    """A program with its integer tensors and, for each convolution, the largest sum that it can reach."""

    operations: tuple[Operation, ...]
    tensors: Arrays
    sums: dict[str, int]


class _Builder:
    """Walks the network once and writes down operations, folded weights and scale classes."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.weights: dict[str, tuple[Tensor, Tensor]] = {}
        self.classes: dict[str, str] = {"image": "image"}

    def conv(self, module: nn.Conv2d, source: str, target: str, limits: tuple[int, int], scale_class: str) -> str:
        stride, groups = module.stride[0], module.groups
        bias = module.bias if module.bias is not None else torch.zeros(module.out_channels)
        self.weights.setdefault(target, (module.weight.detach().double(), bias.detach().double()))
        self.operations.append(Conv(source, target, stride, groups, *limits))
        self.classes[target] = scale_class
        return target

    def norm(self, block: ConvNorm, source: str, target: str, scale_class: str | None = None) -> str:
        convolution, normalise = block[0], block[1]
        if not (isinstance(convolution, nn.Conv2d) and isinstance(normalise, nn.BatchNorm2d)):
            raise ConfigurationError(
                "E-LOCK-SHAPE", f"{target} is no convolution with normalisation", remedy="lock only PixelNetwork"
            )
        self.weights[target] = _fold(convolution, normalise)
        return self.conv(convolution, source, target, STREAM if block.linear else HIDDEN, scale_class or target)

    def residual(self, block: InvertedResidual, source: str, target: str, scale_class: str) -> str:
        x = source if block.expand is None else self.norm(block.expand, source, f"{target}.expand")
        x = self.norm(block.filter, x, f"{target}.filter")
        x = self.norm(block.project, x, f"{target}.project", scale_class)
        return self.add(source, x, target, scale_class) if block.identity else x

    def add(self, left: str, right: str, target: str, scale_class: str) -> str:
        self.operations.append(Add(left, right, target))
        self.classes[target] = scale_class
        return target


def _fold(convolution: nn.Conv2d, normalise: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    mean, variance = normalise.running_mean, normalise.running_var
    if mean is None or variance is None:
        raise ConfigurationError(
            "E-LOCK-STATS", "a normalisation has no statistics", remedy="train with running statistics"
        )
    factor = normalise.weight.detach().double() / torch.sqrt(variance.double() + normalise.eps)
    weight = convolution.weight.detach().double() * factor[:, None, None, None]
    return weight, normalise.bias.detach().double() - mean.double() * factor


def _build(network: PixelNetwork) -> _Builder:
    """The program of a pixel network; the names of its tensors follow the paper's levels."""
    b = _Builder()
    trunk: Any = network.trunk  # ModuleList does not know the type of its parts
    first, block = trunk.stem
    # The stem's residual block adds to a ReLU output: both share one class, and the sum its clamp.
    x = b.norm(first, "image", "stem", "level0")
    skips = [b.residual(block, x, "level0", "level0")]
    for i, level in enumerate(trunk.encoder, start=1):
        x = skips[-1]
        for j, part in enumerate(level):
            x = b.residual(part, x, f"level{i}.{j}", f"level{i}")
        skips.append(x)
    y = skips.pop()
    for i in reversed(range(len(skips))):
        gate = trunk.gates[i]
        y = b.norm(trunk.narrow[i], y, f"narrow{i}", f"decoder{i}")
        b.operations.append(Up(y, f"up{i}"))
        b.classes[f"up{i}"] = f"decoder{i}"
        reduced = b.conv(gate.reduce, skips[i], f"reduce{i}", STREAM, f"reduce{i}")
        spatial = b.conv(gate.spatial, reduced, f"spatial{i}", SPATIAL, "code")
        b.operations.append(Gate(skips[i], spatial, f"gated{i}", i))
        b.classes[f"gated{i}"] = f"decoder{i}"
        y = b.add(f"up{i}", f"gated{i}", f"sum{i}", f"decoder{i}")
        y = b.residual(trunk.decoder[i], y, f"decoder{i}", f"decoder{i}")
    y = b.norm(trunk.last, y, "last")
    b.conv(network.head.gate, y, "head", STREAM, "code")
    return b


@torch.no_grad()
def _ranges(b: _Builder, network: PixelNetwork, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
    """Largest magnitude of each scale class a channel, over the calibration images (image, values)."""
    ranges: dict[str, Tensor] = {}
    for image, values in batches:
        rhat = network.stream(values)
        seen: dict[str, Tensor] = {"image": image.double()}
        for operation in b.operations:
            match operation:
                case Conv(source, target, stride, groups, low, _):
                    weight, bias = b.weights[target]
                    y = functional.conv2d(seen[source], weight, bias, stride, weight.shape[-1] // 2, groups=groups)
                    y = torch.relu(y) if low == 0 else y
                case Add(left, right):
                    y = seen[left] + seen[right]
                case Up(source):
                    y = functional.interpolate(seen[source], scale_factor=2.0, mode="nearest")
                case Gate(source, spatial, _, index):
                    module: Any = network.trunk.gates[index]
                    channel = torch.sigmoid(module.excite(torch.relu(module.squeeze(rhat)))).double()
                    gamma = torch.sigmoid(module.mix).double()
                    y = seen[source] * torch.sigmoid(seen[spatial]) * (gamma * channel + 1 - gamma)[:, :, None, None]
            seen[operation.target] = y
            largest = y.abs().amax((0, 2, 3))
            name = b.classes[operation.target]
            ranges[name] = torch.maximum(ranges[name], largest) if name in ranges else largest
    return ranges


def lock(network: PixelNetwork, batches: Iterable[tuple[Tensor, Tensor]]) -> Locked:
    """Quantise a trained network; ``batches`` are calibration inputs (image (B, 2, H, W) in 0 … 1, values (B, 13))."""
    network = network.eval()
    b = _build(network)
    scales = {
        name: torch.clamp(largest / STREAM[1], min=1e-6) for name, largest in _ranges(b, network, batches).items()
    }
    scales["image"] = torch.full((2,), 1 / 255, dtype=torch.float64)
    tensors: Arrays = {}
    limits = {"image": 255}
    for operation in b.operations:
        target = operation.target
        limits[target] = max(abs(operation.low), operation.high) if isinstance(operation, Conv) else STREAM[1]
        name = b.classes[target]
        if isinstance(operation, Conv):
            out = scales[name] if name != "code" else torch.full((1,), 2.0**-CODE_BITS, dtype=torch.float64)
            one = _quantise(b.weights[target], scales[b.classes[operation.source]], out, operation, limits)
            tensors |= {f"{target}.{part}": array for part, array in one.items()}
        elif isinstance(operation, Gate):
            ratio = scales[b.classes[operation.source]] / scales[name]
            tensors[f"{target}.scale"] = (ratio * 2.0 ** -(SIGMOID_BITS + CHANNEL_BITS)).numpy().astype(np.float32)
    operations = tuple(b.operations)
    return Locked(operations, tensors | _gating(network), prove(operations, tensors))


def _quantise(
    folded: tuple[Tensor, Tensor], inputs: Tensor, outputs: Tensor, operation: Conv, limits: dict[str, int]
) -> Arrays:
    weight, bias = folded
    scaled = weight * (inputs[:, None, None, None] if operation.groups > 1 else inputs[None, :, None, None])
    flat = scaled.reshape(scaled.shape[0], -1).abs()
    reach = flat.sum(1) * limits[operation.source] + bias.abs()
    # The rounding of weights can add half a unit each; leave room for it.
    room = LIMIT - 1 - (flat.shape[1] + 1) * limits[operation.source]
    grid = torch.clamp(torch.maximum(flat.amax(1) / 127, reach / room), min=1e-12)
    return {
        "weight": torch.round(scaled / grid[:, None, None, None]).numpy().astype(np.int8),
        "bias": torch.round(bias / grid).numpy().astype(np.int32),
        "scale": (grid / outputs).numpy().astype(np.float32),
    }


def _gating(network: PixelNetwork) -> Arrays:
    """The radiomic stream and the channel attentions as integers (see :mod:`radiomicnet_md.engine.gating`)."""
    tensors: Arrays = {}

    def linear(name: str, module: nn.Linear, bits: int) -> None:
        tensors[f"{name}.weight"] = _fixed(module.weight, gating.WEIGHT_BITS)
        tensors[f"{name}.bias"] = _fixed(module.bias, gating.WEIGHT_BITS + bits)

    linear("stream.first", network.stream.first, gating.VALUE_BITS)
    linear("stream.second", network.stream.second, gating.HIDDEN_BITS)
    tensors["stream.norm.weight"] = _fixed(network.stream.norm.weight, gating.WEIGHT_BITS)
    tensors["stream.norm.bias"] = _fixed(network.stream.norm.bias, gating.WEIGHT_BITS)
    for i, gate in enumerate(network.trunk.gates):
        linear(f"gate{i}.squeeze", gate.squeeze, gating.VECTOR_BITS)  # type: ignore[arg-type]
        linear(f"gate{i}.excite", gate.excite, gating.HIDDEN_BITS)  # type: ignore[arg-type]
        tensors[f"gate{i}.gamma"] = _fixed(torch.sigmoid(gate.mix).reshape(1), gating.SIGMOID_BITS)  # type: ignore[arg-type]
    return tensors


def _fixed(value: Tensor, bits: int) -> NDArray[np.int32]:
    return np.asarray(torch.round(value.detach().double() * 2.0**bits).numpy(), dtype=np.int32)

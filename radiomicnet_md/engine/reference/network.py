# SPDX-License-Identifier: Apache-2.0
"""The network's program in plain numpy: one operation after the other, sums in int64.

The same result as :meth:`radiomicnet_md.engine.torch_engine.TorchEngine.run` of one view, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import HIDDEN, STREAM, Add, Conv, Gate, Operation, Tensors, Up

Integers = NDArray[np.int64]


def run(
    operations: tuple[Operation, ...],
    tensors: Tensors,
    sigmoid: NDArray[np.integer],
    image: NDArray[np.uint8],
    factors: Sequence[Integers],
) -> dict[str, Integers]:
    """Evaluate one image (2, H, W): ``output`` (channels, H/2, W/2) and ``spatial0`` …, the codes of each gate.

    :param sigmoid: the spatial logistic table over codes −511 … 511
    :param factors: channel factors of each gate, 2**-CHANNEL_BITS
    """
    values: dict[str, Integers] = {"image": image.astype(np.int64)}
    kept: dict[str, Integers] = {}
    for operation in operations:
        match operation:
            case Conv(source, target, stride, groups, low, high):
                total = convolve(values[source], tensors[f"{target}.weight"].astype(np.int64), stride, groups)
                total += tensors[f"{target}.bias"].astype(np.int64)[:, None, None]
                result = requantise(total, tensors[f"{target}.scale"], low, high)
            case Add(left, right):
                result = np.clip(values[left] + values[right], *STREAM)
            case Up(source):
                result = values[source].repeat(2, axis=1).repeat(2, axis=2)
            case Gate(source, spatial, target, index):
                attention = sigmoid[values[spatial] + len(sigmoid) // 2].astype(np.int64)
                factor = factors[index].astype(np.float32) * tensors[f"{target}.scale"]
                result = requantise(values[source] * attention, factor, -HIDDEN[1], HIDDEN[1])
                kept[f"spatial{index}"] = values[spatial]
        values[operation.target] = result
    kept["output"] = values[operations[-1].target]
    return kept


def convolve(x: Integers, weight: Integers, stride: int, groups: int) -> Integers:
    """Cross-correlation of (C, H, W) with (O, C/groups, k, k), same padding, in int64."""
    outputs, inputs, kernel, _ = weight.shape
    border = kernel // 2
    rows, columns = (-(-n // stride) for n in x.shape[1:])
    padded = np.pad(x, ((0, 0), (border, border), (border, border)))
    out = np.zeros((outputs, rows, columns), dtype=np.int64)
    each = outputs // groups
    for r in range(kernel):
        for c in range(kernel):
            seen = padded[:, r : r + stride * rows : stride, c : c + stride * columns : stride][:, :rows, :columns]
            for group in range(groups):
                o, i = slice(group * each, (group + 1) * each), slice(group * inputs, (group + 1) * inputs)
                out[o] += np.einsum("oi,irc->orc", weight[o, :, r, c], seen[i])
    return out


def requantise(total: Integers, scale: NDArray[np.float32], low: int, high: int) -> Integers:
    """One float32 product, one rounding half to even, one clamp; |total| < 2**24 so its conversion is exact."""
    product = total.astype(np.float32) * scale.astype(np.float32)[:, None, None]
    return np.asarray(np.clip(np.rint(product), low, high).astype(np.int64))

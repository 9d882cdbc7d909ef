# SPDX-License-Identifier: Apache-2.0
"""A small program with every operation and whatever tensors a seed gives it, for the tests of all engines."""

from __future__ import annotations

from typing import Any

import numpy as np

from radiomicnet_md.engine import program
from radiomicnet_md.engine.program import HIDDEN, LIMIT, STREAM, Add, Conv, Gate, Up

OPERATIONS = (
    Conv("image", "stem", 2, 1, *HIDDEN),
    Conv("stem", "filter", 1, 3, *HIDDEN),
    Conv("filter", "project", 1, 1, *STREAM),
    Add("stem", "project", "sum"),
    Conv("sum", "deeper", 2, 1, *STREAM),
    Up("deeper", "up"),
    Conv("sum", "reduce", 1, 1, *STREAM),
    Conv("reduce", "spatial", 1, 1, *program.SPATIAL),
    Gate("sum", "spatial", "gated", 0),
    Add("up", "gated", "last"),
    Conv("last", "head", 1, 1, *STREAM),
)
SHAPES = {
    "stem": (3, 2, 3, 3),
    "filter": (3, 1, 5, 5),
    "project": (3, 3, 1, 1),
    "deeper": (3, 3, 3, 3),
    "reduce": (1, 3, 1, 1),
    "spatial": (1, 1, 7, 7),
    "head": (4, 3, 1, 1),
}


def tensors(seed: int, magnitude: int) -> dict[str, Any]:
    """Random tensors whose weights reach ``magnitude``."""
    random = np.random.default_rng(seed)
    out: dict[str, Any] = {"gated.scale": random.uniform(0.5, 1.5, 3).astype(np.float32) * np.float32(2.0**-20)}
    for name, shape in SHAPES.items():
        out[f"{name}.weight"] = random.integers(-magnitude, magnitude + 1, shape).astype(np.int32)
        out[f"{name}.bias"] = random.integers(-1000, 1001, shape[0]).astype(np.int32)
        out[f"{name}.scale"] = random.uniform(0.0005, 0.02, shape[0]).astype(np.float32)
    return out


def at_the_edge(seed: int) -> dict[str, Any]:
    """Random tensors with every bias so large that the layer's largest sum is LIMIT − 1 exactly."""
    out = tensors(seed, 100)
    for name, reach in program.largest_sums(OPERATIONS, out).items():
        weight = np.abs(out[f"{name}.weight"].astype(np.int64)).reshape(SHAPES[name][0], -1).sum(1)
        bias = out[f"{name}.bias"].astype(np.int64)
        widest = int((weight * ((reach - np.abs(bias)) // np.maximum(weight, 1))).argmax())
        out[f"{name}.bias"][widest] += (1 if bias[widest] >= 0 else -1) * (LIMIT - 1 - reach)
    return out


def inputs(seed: int) -> tuple[Any, list[Any]]:
    """An image of extreme values, and channel factors."""
    random = np.random.default_rng(seed)
    image = random.choice(np.array([0, 1, 127, 254, 255], dtype=np.uint8), (2, 16, 16))
    return image, [random.integers(0, 4097, 3)]

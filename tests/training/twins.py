# SPDX-License-Identifier: Apache-2.0
"""Shared by the tests of faithfulness: a phantom that the device answers, and twins of the device with planted parts.

Nothing here, and no test that uses it, depends on which release is shipped.
"""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from radiomicnet_md import phantom
from radiomicnet_md.engine.program import GATE_BITS, STREAM
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md_training.faithfulness.look import Case, look


def answered(engine: Engine) -> Case:
    """The first phantom with a lesion in which the device chooses one region."""
    for seed in range(20, 40):
        made = phantom.make(seed, 256, 320)
        if len(look(engine, made.pixels).choice.chosen) == 1:
            return Case("lesion", made.pixels, made.truth)
    message = "the shipped engine finds one region in none of twenty phantoms"
    raise LookupError(message)


def headed(engine: Engine, **parts: object) -> Engine:
    """The engine with parts of its head replaced."""
    twin = copy.copy(engine)
    twin.head = replace(engine.head, **parts)
    return twin


def steady(engine: Engine) -> Engine:
    """The engine with gates that no image moves, each at another place, and no rest."""
    last, views = engine.program[-1].target, 1 + engine.preprocessing.mirrored
    count = len(engine.tensors[f"{last}.bias"]) - 1  # a gate for each map, or for each name
    planted = {
        f"{last}.weight": np.zeros_like(engine.tensors[f"{last}.weight"]),
        f"{last}.bias": np.append(np.arange(count), 0).astype(engine.tensors[f"{last}.bias"].dtype),
        f"{last}.scale": np.ones_like(engine.tensors[f"{last}.scale"]),
    }
    table = np.arange(len(engine.head.gate), dtype=np.int64) - STREAM[1]  # the code itself: 0 … count − 1
    gate = (np.clip(table, 0, count - 1) + 1 << GATE_BITS) // (count * views)
    twin = headed(engine, gate=gate, rest=np.zeros_like(engine.head.rest))
    twin.tensors = {**engine.tensors, **planted}
    twin.network = TorchEngine(twin.program, twin.tensors, twin.spatial)
    return twin

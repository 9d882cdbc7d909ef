# SPDX-License-Identifier: Apache-2.0
"""The integers: two engines agree on any program that the bound admits, and no program beyond it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md.engine import program, reference, tables
from radiomicnet_md.engine.program import HIDDEN, LIMIT, STREAM, Add, Conv, Gate, Up
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md.errors import IntegrityError

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


@pytest.mark.verifies("SRS-ENG-002")
@given(seed=st.integers(0, 2**32 - 1), magnitude=st.sampled_from([1, 20, 127]))
@settings(max_examples=40, deadline=None)
def test_torch_and_numpy_give_the_same_integers(seed: int, magnitude: int) -> None:
    parts, sigmoid = tensors(seed, magnitude), tables.spatial()
    program.prove(OPERATIONS, parts)
    image, factors = inputs(seed)
    views = np.stack([image, image[..., ::-1]])
    ours = TorchEngine(OPERATIONS, parts, sigmoid).run(views, factors)
    for i, view in enumerate(views):
        oracle = reference.run(OPERATIONS, parts, sigmoid, view, factors)
        assert ours.keys() == oracle.keys()
        for name in oracle:
            assert np.array_equal(ours[name][i], oracle[name]), name


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-003")
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_sums_just_below_the_bound_are_still_exact(seed: int) -> None:
    parts, sigmoid = at_the_edge(seed), tables.spatial()
    assert max(program.prove(OPERATIONS, parts).values()) == LIMIT - 1
    image, factors = inputs(seed)
    ours = TorchEngine(OPERATIONS, parts, sigmoid).run(image[None], factors)
    oracle = reference.run(OPERATIONS, parts, sigmoid, image, factors)
    assert all(np.array_equal(ours[name][0], oracle[name]) for name in oracle)


@pytest.mark.verifies("SRS-ENG-003")
@pytest.mark.parametrize("name", sorted(SHAPES))
def test_a_layer_over_the_bound_is_refused_by_name(name: str) -> None:
    parts = tensors(1, 20)
    parts[f"{name}.bias"][0] = LIMIT
    with pytest.raises(IntegrityError, match=name):
        program.prove(OPERATIONS, parts)


@pytest.mark.verifies("SRS-ENG-003")
def test_the_bound_is_reached_by_some_input_and_exceeded_by_none() -> None:
    parts = tensors(5, 60)
    weight = parts["stem.weight"].astype(np.int64)
    largest = program.largest_sums(OPERATIONS, parts)["stem"]
    row = int((np.abs(weight).reshape(3, -1).sum(1) * 255 + np.abs(parts["stem.bias"])).argmax())
    wanted = weight[row] > 0 if parts["stem.bias"][row] >= 0 else weight[row] < 0
    image = np.zeros((2, 3, 3), dtype=np.int64)
    image[wanted] = 255
    reached = abs(int((weight[row] * image).sum()) + int(parts["stem.bias"][row]))
    one_sided = abs(int((weight[row] * wanted).sum())) * 255 + abs(int(parts["stem.bias"][row]))
    assert reached == one_sided <= largest < LIMIT


@pytest.mark.verifies("SRS-ENG-001")
def test_threads_and_memory_layout_do_not_matter_while_float32_may_differ() -> None:
    parts, sigmoid = tensors(3, 100), tables.spatial()
    image, factors = inputs(3)
    engine = TorchEngine(OPERATIONS, parts, sigmoid)
    before = torch.get_num_threads()
    seen = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            seen += [engine.run(image[None], factors), engine.run(np.asfortranarray(image[None]), factors)]
    finally:
        torch.set_num_threads(before)
    for other in seen[1:]:
        assert all(np.array_equal(seen[0][name], other[name]) for name in other)


@pytest.mark.verifies("SRS-ENG-002")
@given(
    total=st.lists(st.integers(1 - LIMIT, LIMIT - 1), min_size=1, max_size=20),
    scale=st.floats(2.0**-30, 2.0**-2, width=32),
)
def test_requantisation_is_one_product_one_rounding_one_clamp(total: list[int], scale: float) -> None:
    array = np.array(total, dtype=np.int64).reshape(1, 1, -1)
    ours = reference.requantise(array, np.array([scale], dtype=np.float32), *STREAM)
    with_torch = torch.tensor(total, dtype=torch.float32).mul_(torch.tensor(scale)).round_().clamp_(*STREAM)
    assert ours.ravel().tolist() == with_torch.to(torch.int64).tolist()


@pytest.mark.verifies("SRS-ENG-002")
def test_the_program_survives_its_written_form() -> None:
    assert program.from_json(program.to_json(OPERATIONS)) == OPERATIONS


@pytest.mark.verifies("SRS-ENG-002")
def test_a_tensor_is_dropped_only_after_its_last_use() -> None:
    dropped = program.last_uses(OPERATIONS)
    alive = {"image"}
    for operation, gone in zip(OPERATIONS, dropped, strict=True):
        used = {v for k, v in program.to_json((operation,))[0].items() if k in ("source", "left", "right", "spatial")}
        assert used <= alive
        alive = (alive | {operation.target}) - set(gone)
    assert alive == {"head"}

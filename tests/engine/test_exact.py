# SPDX-License-Identifier: Apache-2.0
"""The integers: two engines agree on any program that the bound admits, and no program beyond it runs."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md.engine import program, reference, runners, tables
from radiomicnet_md.engine.program import LIMIT, STREAM
from radiomicnet_md.errors import IntegrityError
from tests.engine.programs import OPERATIONS, SHAPES, at_the_edge, inputs, tensors

KINDS = (runners.COMPILED, runners.TORCH)


@pytest.mark.verifies("SRS-ENG-002")
@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1), magnitude=st.sampled_from([1, 20, 127]))
@settings(max_examples=40, deadline=None)
def test_an_engine_and_numpy_give_the_same_integers(kind: str, seed: int, magnitude: int) -> None:
    parts, sigmoid = tensors(seed, magnitude), tables.spatial()
    program.prove(OPERATIONS, parts)
    image, factors = inputs(seed)
    views = np.stack([image, image[..., ::-1]])
    ours = runners.made(kind, OPERATIONS, parts, sigmoid).run(views, factors)
    for i, view in enumerate(views):
        oracle = reference.run(OPERATIONS, parts, sigmoid, view, factors)
        assert ours.keys() == oracle.keys()
        for name in oracle:
            assert ours[name].dtype == np.int16
            assert np.array_equal(ours[name][i], oracle[name]), name


@pytest.mark.verifies("SRS-ENG-002")
@pytest.mark.parametrize("kind", KINDS)
def test_many_sets_of_channel_factors_at_once_are_each_as_alone(kind: str) -> None:
    engine = runners.made(kind, OPERATIONS, tensors(8, 100), tables.spatial())
    (image, _), many = inputs(8), [inputs(seed)[1] for seed in (8, 9, 10)]
    together = engine.runs(image[None], many)
    assert any(not np.array_equal(together[0]["output"], other["output"]) for other in together[1:])
    for factors, found in zip(many, together, strict=True):
        alone = engine.run(image[None], factors)
        assert found.keys() == alone.keys()
        assert all(np.array_equal(found[name], alone[name]) for name in alone)


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-003")
@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_sums_just_below_the_bound_are_still_exact(kind: str, seed: int) -> None:
    parts, sigmoid = at_the_edge(seed), tables.spatial()
    assert max(program.prove(OPERATIONS, parts).values()) == LIMIT - 1
    image, factors = inputs(seed)
    ours = runners.made(kind, OPERATIONS, parts, sigmoid).run(image[None], factors)
    oracle = reference.run(OPERATIONS, parts, sigmoid, image, factors)
    assert all(np.array_equal(ours[name][0], oracle[name]) for name in oracle)


@pytest.mark.verifies("SRS-ENG-003")
@pytest.mark.parametrize("name", sorted(SHAPES))
@pytest.mark.verifies("SRS-ENG-003", rc=("RC-009",))
def test_a_layer_over_the_bound_is_refused_by_name(name: str) -> None:
    parts = tensors(1, 20)
    parts[f"{name}.bias"][0] = LIMIT
    with pytest.raises(IntegrityError, match=name):
        program.prove(OPERATIONS, parts)


@pytest.mark.verifies("SRS-ENG-003")
@pytest.mark.verifies("SRS-ENG-003", rc=("RC-009",))
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
@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_memory_layout_do_not_matter(kind: str) -> None:
    parts, sigmoid = tensors(3, 100), tables.spatial()
    image, factors = inputs(3)
    engine = runners.made(kind, OPERATIONS, parts, sigmoid)
    before, most = torch.get_num_threads(), numba.get_num_threads()
    seen = []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            numba.set_num_threads(min(threads, most))
            seen += [engine.run(image[None], factors), engine.run(np.asfortranarray(image[None]), factors)]
    finally:
        torch.set_num_threads(before)
        numba.set_num_threads(most)
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

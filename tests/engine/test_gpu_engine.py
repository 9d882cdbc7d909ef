# SPDX-License-Identifier: Apache-2.0
"""The GPU's engine: its products of matrices and look-ups on any machine, all of it where there is a GPU."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md import phantom
from radiomicnet_md.engine import contributions, gpu_engine, program, reference, tables
from radiomicnet_md.engine.compiled_engine import CompiledEngine
from radiomicnet_md.engine.gpu_engine import GpuEngine, GpuHead
from radiomicnet_md.engine.program import LIMIT
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from tests.engine.programs import OPERATIONS, at_the_edge, inputs, tensors

pytestmark = pytest.mark.verifies("SRS-ENG-011")


@pytest.fixture(params=["cpu", gpu_engine.DEVICE])
def device(request: pytest.FixtureRequest, require: Callable[[str], Path]) -> str:
    """Where the engine's steps run; a GPU's leg is run where there is one."""
    name = str(request.param)
    if name == gpu_engine.DEVICE:
        require("gpu")
    return name


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(open_release(default_folder()))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), magnitude=st.sampled_from([1, 20, 127, None]))
def _agrees(device: str, seed: int, magnitude: int | None) -> None:
    parts, sigmoid = at_the_edge(seed) if magnitude is None else tensors(seed, magnitude), tables.spatial()
    largest = max(program.prove(OPERATIONS, parts).values())
    assert magnitude is not None or largest == LIMIT - 1
    image, factors = inputs(seed)
    views = np.stack([image, image[..., ::-1]])
    ours = GpuEngine(OPERATIONS, parts, sigmoid, device).run(views, factors)
    for i, view in enumerate(views):
        oracle = reference.run(OPERATIONS, parts, sigmoid, view, factors)
        assert ours.keys() == oracle.keys()
        for name in oracle:
            assert ours[name].dtype == np.int16
            assert np.array_equal(ours[name][i], oracle[name]), name


def test_the_engine_and_numpy_give_the_same_integers_up_to_the_bound(device: str) -> None:
    _agrees(device)


def test_the_release_gives_the_compiled_engine_s_integers_in_any_batch(device: str, engine: Engine) -> None:
    views = engine.preprocessing.views(phantom.make(31, 256, 320).pixels[:190, :180])
    many = [engine.factors(np.linspace(start, 1.0, 13)) for start in (0.0, 0.5)]
    parts = engine.program, engine.tensors, engine.spatial
    expected = CompiledEngine(*parts).runs(views, many)
    ours = GpuEngine(*parts, device)
    for batch in (1, 3):
        for wanted, found in zip(expected, ours.runs(np.concatenate([views] * batch), many), strict=True):
            assert wanted.keys() == found.keys()
            assert all(np.array_equal(wanted[name], found[name][-len(views) :]) for name in wanted)


@pytest.mark.verifies("SRS-ENG-004")
def test_contributions_are_those_of_the_compiled_loop(device: str, engine: Engine) -> None:
    random, head = np.random.default_rng(3), engine.head
    for gates in (len(head.names), len(head.phi)):
        outputs = random.integers(-1023, 1024, (2, gates + 1, 9, 7)).astype(np.int16)
        codes = random.integers(0, head.phi.shape[1], (len(head.phi), 9, 7)).astype(np.uint8)
        expected, found = contributions.attribute(head, outputs, codes), GpuHead(head, device).attribute(outputs, codes)
        assert np.array_equal(expected.logit, found.logit)
        assert np.array_equal(expected.contributions, found.contributions)
        assert np.array_equal(expected.rest, found.rest)
        contributions.verify(found, head.bias, int(np.abs(found.rest).max()))


def test_without_a_gpu_the_engine_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigurationError) as raised:
        GpuEngine(OPERATIONS, tensors(1, 20), tables.spatial())
    assert raised.value.code == "E-GPU"
    assert raised.value.remedy


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings as the engine sets them, undone afterwards."""
    for name in gpu_engine.LOSSY:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(gpu_engine, "settings", lambda: dict(gpu_engine.SETTINGS))


@pytest.mark.parametrize("name", sorted(gpu_engine.SETTINGS))
def test_any_other_setting_is_refused(name: str, exact: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del exact
    gpu_engine.refuse_other_settings()
    monkeypatch.setattr(gpu_engine, "settings", lambda: gpu_engine.SETTINGS | {name: "tf32"})
    with pytest.raises(ConfigurationError, match=f"{name} is tf32") as raised:
        gpu_engine.refuse_other_settings()
    assert raised.value.code == "E-GPU-SETTINGS"


@pytest.mark.parametrize("name", gpu_engine.LOSSY)
def test_a_variable_that_asks_for_narrower_arithmetic_is_refused(
    name: str, exact: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    del exact
    monkeypatch.setenv(name, "0")
    gpu_engine.refuse_other_settings()
    monkeypatch.setenv(name, "1")
    with pytest.raises(ConfigurationError, match=name):
        gpu_engine.refuse_other_settings()


def test_what_is_set_is_read_back_from_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    matmul, determined = torch.backends.cuda.matmul, torch.are_deterministic_algorithms_enabled()
    precision = matmul.fp32_precision
    monkeypatch.setenv(gpu_engine.WORKSPACE, ":16:8")
    torch.use_deterministic_algorithms(mode=True)
    matmul.fp32_precision = "tf32"
    try:
        found = gpu_engine.settings()
    finally:
        torch.use_deterministic_algorithms(mode=determined)
        matmul.fp32_precision = precision
    assert found == {"deterministic algorithms": True, "float32 of cuBLAS": "tf32", gpu_engine.WORKSPACE: ":16:8"}


def test_settings_changed_later_refuse_the_next_image(require: Callable[[str], Path]) -> None:
    require("gpu")
    ours, (image, factors) = GpuEngine(OPERATIONS, tensors(4, 20), tables.spatial()), inputs(4)
    assert ours.run(image[None], factors)
    torch.backends.cuda.matmul.fp32_precision = "tf32"
    try:
        with pytest.raises(ConfigurationError, match="tf32"):
            ours.run(image[None], factors)
    finally:
        torch.backends.cuda.matmul.fp32_precision = "ieee"

# SPDX-License-Identifier: Apache-2.0
"""The second engine: OpenVINO's kernels give the first engine's integers, a wrong bit has a name, nothing is sent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike, NDArray

from radiomicnet_md import phantom
from radiomicnet_md.engine import openvino_engine, program, reference, second, tables
from radiomicnet_md.engine.openvino_engine import OpenVinoEngine
from radiomicnet_md.engine.program import LIMIT, STREAM, Conv, Gate, Operation, Tensors
from radiomicnet_md.engine.release import Release, default_folder, open_release
from radiomicnet_md.engine.segment import ANSWERS, Engine, load_array
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md.errors import ConfigurationError
from tests.engine.programs import OPERATIONS, at_the_edge, inputs, tensors

needs_openvino = pytest.mark.usefixtures("openvino")
ONE_LAYER = (Conv("image", "only", 1, 1, *STREAM),)
Results = Mapping[str, NDArray[np.int64]]


@pytest.fixture(scope="module")
def openvino(require: Callable[[str], Path]) -> Path:
    """OpenVINO as it lies on the disk, not imported."""
    return require("openvino")


@pytest.fixture(scope="module")
def release() -> Release:
    """The release in the package."""
    return open_release(default_folder())


@pytest.fixture
def engine(release: Release) -> Engine:
    """An engine of its own for each test that takes its network away."""
    return Engine.load(release)


def one_layer(bias: ArrayLike, scale: ArrayLike) -> dict[str, NDArray[Any]]:
    """A layer that passes grey levels on: ``clamp(round((x + bias) · scale))``, a channel for each bias."""
    biases = np.array(bias, dtype=np.int32)
    weight = np.zeros((len(biases), 2, 1, 1), dtype=np.int32)
    weight[:, 0] = 1
    parts = {"weight": weight, "bias": biases, "scale": np.array(scale, dtype=np.float32)}
    return {f"only.{part}": array for part, array in parts.items()}


def same(ours: Results, theirs: Results) -> bool:
    """Whether two engines gave the same arrays under the same names."""
    assert ours.keys() == theirs.keys()
    return all(np.array_equal(ours[name], theirs[name]) for name in ours)


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
@given(seed=st.integers(0, 2**32 - 1), magnitude=st.sampled_from([1, 20, 127, None]))
@settings(max_examples=12, deadline=None)
def test_three_engines_give_the_same_integers_up_to_the_bound(seed: int, magnitude: int | None) -> None:
    parts, sigmoid = at_the_edge(seed) if magnitude is None else tensors(seed, magnitude), tables.spatial()
    largest = max(program.prove(OPERATIONS, parts).values())
    assert magnitude is not None or largest == LIMIT - 1
    image, factors = inputs(seed)
    views = np.stack([image, image[..., ::-1]])
    ours = OpenVinoEngine(OPERATIONS, parts, sigmoid).run(views, factors)
    assert all(array.dtype == np.int16 for array in ours.values())
    assert same(ours, TorchEngine(OPERATIONS, parts, sigmoid).run(views, factors))
    for i, view in enumerate(views):
        oracle = reference.run(OPERATIONS, parts, sigmoid, view, factors)
        assert same({name: array[i] for name, array in ours.items()}, oracle)


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=6, deadline=None)
def test_products_close_to_a_tie_are_rounded_as_the_reference_rounds_them(seed: int) -> None:
    random = np.random.default_rng(seed)
    bias = random.integers(1 - LIMIT + 255, LIMIT - 255, 512)
    tie = ((random.integers(-1023, 1023, 512) + 0.5) / bias).astype(np.float32)  # the product is nearly n + ½
    scale = np.abs(np.nextafter(tie, random.choice(np.array([-1, 1], dtype=np.float32), 512), dtype=np.float32))
    parts = one_layer(bias, scale)
    image = random.integers(0, 2, (1, 2, 4, 4)).astype(np.uint8)
    ours = OpenVinoEngine(ONE_LAYER, parts, tables.spatial()).run(image, [])
    assert same({"output": ours["output"][0]}, reference.run(ONE_LAYER, parts, tables.spatial(), image[0], []))


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
def test_known_answers_and_a_phantom_come_out_of_the_second_engine_alone(engine: Engine, release: Release) -> None:
    noise = {"noise": load_array(release.files["golden/noise.npy"])}
    source = phantom.make(31, 256, 320).pixels
    expected, answers = engine.propose(source), json.loads(release.files[ANSWERS])
    engine.network = OpenVinoEngine(engine.program, engine.tensors, engine.spatial)
    found = engine.propose(source)
    assert found.stages == expected.stages
    assert found.attention == expected.attention
    assert engine.answers(noise)["noise"] == answers["noise"]


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
def test_threads_and_batch_do_not_matter(engine: Engine) -> None:
    views = engine.preprocessing.views(phantom.make(32, 192, 160).pixels)
    factors = engine.factors(np.linspace(0.0, 1.0, 13))
    expected = TorchEngine(engine.program, engine.tensors, engine.spatial).run(views, factors)
    for threads in (1, 2):
        ours = OpenVinoEngine(engine.program, engine.tensors, engine.spatial, threads=threads)
        assert same(ours.run(views, factors), expected)
        alone = ours.run(views[:1], factors)
        assert same(alone, {name: array[:1] for name, array in expected.items()})


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
def test_a_multiplier_that_is_one_ulp_off_is_noticed() -> None:
    image = np.arange(256, dtype=np.uint8).reshape(1, 1, 16, 16).repeat(2, axis=1)
    right, wrong = one_layer([0], [0.5]), one_layer([0], [np.nextafter(np.float32(0.5), np.float32(0))])
    ours = {
        name: OpenVinoEngine(ONE_LAYER, parts, tables.spatial()).run(image, [])["output"]
        for name, parts in {"right": right, "wrong": wrong}.items()
    }
    theirs = TorchEngine(ONE_LAYER, right, tables.spatial()).run(image, [])["output"]
    assert np.array_equal(ours["right"], theirs)
    assert np.flatnonzero(ours["wrong"] != theirs).tolist() == list(range(3, 256, 4))  # n + ½ goes up to an even n + 1


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
def test_a_release_is_confirmed_and_one_changed_weight_is_named(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    golden = {name: load_array(release.files[f"golden/{name}.npy"]) for name in json.loads(release.files[ANSWERS])}
    assert golden
    assert second.confirm(release.files, golden) == []

    def faulty(operations: tuple[Operation, ...], parts: Tensors, sigmoid: NDArray[np.integer]) -> OpenVinoEngine:
        spatial = next(operation.spatial for operation in operations if isinstance(operation, Gate))
        weight = parts[f"{spatial}.weight"].copy()
        weight[0, 0, 0, 0] += 1
        return OpenVinoEngine(operations, {**parts, f"{spatial}.weight": weight}, sigmoid)

    monkeypatch.setattr(second, "OpenVinoEngine", faulty)
    name, source = next(iter(golden.items()))
    found = second.confirm(release.files, {name: source})
    assert found
    assert all(line.startswith(f"{name}: ") for line in found)
    assert "spatial" in found[0]


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
def test_bfloat16_never_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = OpenVinoEngine(OPERATIONS, tensors(4, 20), tables.spatial())
    if openvino_engine.library().Core().get_property("CPU", "INFERENCE_PRECISION_HINT").to_string() != "bf16":
        pytest.skip("absent: a processor on which OpenVINO would choose bfloat16")
    image, factors = inputs(4)
    assert ours.run(image[None], factors)
    monkeypatch.setitem(openvino_engine.SETTINGS, "INFERENCE_PRECISION_HINT", "bf16")
    lossy = OpenVinoEngine(OPERATIONS, tensors(4, 20), tables.spatial())
    with pytest.raises(ConfigurationError, match="bf16") as raised:
        lossy.run(image[None], factors)
    assert raised.value.code == "E-SECOND-PRECISION"


@pytest.mark.verifies("SRS-ENG-009")
def test_a_missing_package_is_said_with_its_remedy(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ConfigurationError) as raised:
        second.confirm(release.files, {})
    assert raised.value.code == "E-SECOND"
    assert "radiomicnet-md[second]" in str(raised.value.remedy)


@needs_openvino
@pytest.mark.verifies("SRS-ENG-009")
@pytest.mark.parametrize("ours", [True, False])
def test_the_usage_reports_of_openvino_are_shut_out(tmp_path: Path, *, ours: bool) -> None:
    fake = tmp_path / "openvino_telemetry"
    (fake / "backend").mkdir(parents=True)
    (fake / "backend" / "__init__.py").touch()
    (fake / "backend" / "backend_ga4.py").touch()
    (fake / "__init__.py").write_text(
        "import pathlib\n"
        "class Telemetry:\n"
        "    def __init__(self, *a, **k): pass\n"
        "    def send_event(self, *a, **k): pathlib.Path(__file__).with_name('sent').touch()\n"
    )
    code = (
        "from radiomicnet_md.engine import openvino_engine, tables\n"
        "openvino_engine.OpenVinoEngine((), {}, tables.spatial())\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", code if ours else "import openvino"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (fake / "sent").exists() is not ours  # the control shows that the fake would have been asked

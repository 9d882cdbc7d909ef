# SPDX-License-Identifier: Apache-2.0
"""The release that ships: its budget, its bounds, its known answers, and the same bits however it is run."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from radiomicnet_md import phantom
from radiomicnet_md.engine import contributions, program, reference, runners
from radiomicnet_md.engine import release as releases
from radiomicnet_md.engine.release import Release, default_folder, open_release
from radiomicnet_md.engine.segment import ANSWERS, TABLES, Engine, load_array
from radiomicnet_md.errors import ConfigurationError, IntegrityError, NotQualifiedError
from radiomicnet_md_validation.metrics import dice


@pytest.fixture(scope="module")
def release() -> Release:
    """The release in the package."""
    return open_release(default_folder())


@pytest.fixture(scope="module")
def engine(release: Release) -> Engine:
    """Its engine."""
    return Engine.load(release)


def changed(release: Release, name: str, edit: Callable[[dict[str, object]], None]) -> dict[str, bytes]:
    """The release's files with one JSON file edited."""
    value = json.loads(release.files[name])
    edit(value)
    return {**release.files, name: json.dumps(value).encode()}


@pytest.mark.verifies("SRS-MOD-001")
def test_the_release_keeps_its_budget(release: Release, engine: Engine) -> None:
    card = json.loads(release.files["model_card.json"])
    tables = json.loads(release.files[TABLES])
    entries = sum(len(term["scores"]) for term in tables["region"]["terms"].values())
    assert card["parameters"]["region_layer"] == entries
    weights = sum(t.size for name, t in engine.tensors.items() if not name.endswith(".scale"))
    assert card["parameters"]["total"] <= 310_000
    assert weights + entries <= 310_000


@pytest.mark.verifies("SRS-MOD-004")
def test_the_card_counts_normals_and_says_what_its_figures_are(release: Release) -> None:
    card = json.loads(release.files["model_card.json"])
    figures = card["validation"]
    assert figures["notice"] == "demonstration on public data, not clinical evidence"
    assert (figures["lesion_images"], figures["normal_images"]) == (463, 97)
    assert figures["lesion_mean_dice"] >= 0.70
    assert 0 <= figures["normals_answered_no_lesion"] <= 97
    assert card["must_not_be_used_for"]


@pytest.mark.verifies("SRS-ENG-003")
def test_stored_bounds_are_those_of_the_weights(release: Release, engine: Engine) -> None:
    stored = json.loads(release.files[TABLES])["largest_sums"]
    assert program.largest_sums(engine.program, engine.tensors) == stored
    assert max(stored.values()) < program.LIMIT

    def forge(tables: dict[str, object]) -> None:
        sums = tables["largest_sums"]
        assert isinstance(sums, dict)
        sums["stem"] += 1

    with pytest.raises(IntegrityError, match="bounds"):
        Engine(changed(release, TABLES, forge))


@pytest.mark.verifies("SRS-REL-004")
def test_known_answers_hold_and_a_changed_table_is_noticed(release: Release, engine: Engine) -> None:
    engine.known_answer_test()

    def shift(tables: dict[str, object]) -> None:
        head = tables["head"]
        assert isinstance(head, dict)
        head["bias"] += 1

    with pytest.raises(NotQualifiedError, match="from stage logit on"):
        Engine(changed(release, TABLES, shift)).known_answer_test()


@pytest.mark.verifies("SRS-ENG-002", "SRS-ENG-004")
def test_the_reference_and_the_stored_parts_give_the_same_logit(release: Release, engine: Engine) -> None:
    for name in json.loads(release.files[ANSWERS]):
        source = load_array(release.files[f"golden/{name}.npy"])
        proposal = engine.propose(source)
        factors = engine.factors(proposal.measured.paper)
        views = engine.preprocessing.views(proposal.measured.levels)
        rows, columns = proposal.codes.shape[1:]
        outputs = np.stack(
            [
                reference.run(engine.program, engine.tensors, engine.spatial, view, factors)["output"][
                    :, :rows, :columns
                ]
                for view in views
            ]
        )
        outputs[1:] = outputs[1:, ..., ::-1].copy()
        oracle = contributions.attribute(engine.head, outputs, proposal.codes)
        evidence = proposal.evidence
        assert np.array_equal(oracle.logit, evidence.logit)
        total = engine.head.bias + sum(c.astype(object) for c in evidence.contributions) + evidence.rest
        assert (total == evidence.logit).all()
        assert np.abs(evidence.rest).max() <= engine.head.rho


@pytest.mark.verifies("SRS-ENG-001")
def test_threads_layout_and_order_of_cases_give_one_digest(engine: Engine) -> None:
    source = phantom.make(11, 256, 320).pixels
    other = phantom.make(12, 200, 320).pixels
    expected = engine.decide(source, None).stages
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            engine.decide(other, None)
            assert engine.decide(np.asfortranarray(source), None).stages == expected
            assert engine.decide(np.repeat(source, 2, 1)[:, ::2], None).stages == expected
    finally:
        torch.set_num_threads(before)


@pytest.mark.verifies("SRS-ENG-001")
@pytest.mark.parametrize(
    "variables",
    [
        {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41"},
        {"ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "COMPATIBLE", "NUMBA_CPU_NAME": "generic"},
    ],
)
def test_another_instruction_set_passes_the_known_answer_test(variables: dict[str, str], tmp_path: Path) -> None:
    code = (
        "from radiomicnet_md.engine.release import default_folder, open_release\n"
        "from radiomicnet_md.engine.segment import Engine\n"
        "Engine.load(open_release(default_folder())).known_answer_test()\n"
    )
    environment = {**os.environ, **variables, "NUMBA_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.verifies("SRS-ENG-001")
def test_the_device_decides_without_torch(engine: Engine) -> None:
    source = phantom.make(11, 256, 320).pixels
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from radiomicnet_md import phantom\n"
        "from radiomicnet_md.engine.release import default_folder, open_release\n"
        "from radiomicnet_md.engine.segment import Engine\n"
        "engine = Engine.load(open_release(default_folder()))\n"
        "print(engine.decide(phantom.make(11, 256, 320).pixels, None).stages['mask'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == engine.decide(source, None).stages["mask"]


@pytest.mark.verifies("SRS-REL-006", "SRS-REL-001")
def test_a_release_that_asks_for_an_unknown_engine_does_not_start(release: Release) -> None:
    def rename(tables: dict[str, object]) -> None:
        tables["engine"] = "abacus"

    with pytest.raises(IntegrityError, match="abacus") as caught:
        Engine(changed(release, TABLES, rename))
    assert caught.value.code == "E-ENGINE"


@pytest.mark.verifies("SRS-ENG-009")
@pytest.mark.parametrize("runner", [runners.TORCH, runners.OPENVINO])
def test_a_release_may_name_another_engine_and_gives_the_same_answers(
    release: Release, engine: Engine, runner: str, require: Callable[[str], Path]
) -> None:
    if runner == runners.OPENVINO:
        require("openvino")

    def rename(tables: dict[str, object]) -> None:
        tables["engine"] = runner

    other = Engine(changed(release, TABLES, rename))
    assert type(other.network) is not type(engine.network)
    other.known_answer_test()


@pytest.mark.verifies("SRS-REL-005")
def test_a_setting_that_would_lose_bits_is_refused(release: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16")
    with pytest.raises(ConfigurationError, match="BF16"):
        Engine.load(release, "torch")


@pytest.mark.verifies("SRS-ENG-006")
def test_a_phantom_with_a_lesion_is_outlined_and_scores_add_up(engine: Engine) -> None:
    made = phantom.make(21)
    decision = engine.decide(made.pixels, (0.1, 0.1))
    assert decision.mask.shape == made.pixels.shape
    assert dice(decision.mask, made.truth) >= 0.7
    for region in (*decision.chosen, decision.runner_up):
        assert region is not None
        assert region.score == region.intercept + sum(region.terms.values())


@pytest.mark.verifies("SRS-REL-001", "SRS-MOD-003")
def test_the_release_is_bound_to_the_lock_of_this_checkout_and_holds_its_recipe(release: Release, root: Path) -> None:
    def digest(name: str) -> str:
        return hashlib.sha256((root / name).read_bytes()).hexdigest()

    assert release.manifest["lock_sha256"] == digest("requirements/lock-py311.txt")
    record = json.loads(release.files["training_record.json"])
    assert re.fullmatch("[0-9a-f]{64}", record["run_sha256"])
    assert {"preprocessing", "network", "optimiser", "folds", "region"} <= set(record["recipe"])
    trained, version = releases.version_key(record["recipe"]["version"]), releases.version_key(release.version)
    assert record["recipe"]["card"]["id"] == release.id
    assert trained <= version  # one training may be locked again, by a later engine
    assert len(record["training_cases"]) == 560

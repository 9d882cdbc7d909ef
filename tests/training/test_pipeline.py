# SPDX-License-Identifier: Apache-2.0
"""The commands, end to end on phantoms: folds, scores, the page of results, a release that repeats its answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from radiomicnet_md.engine import building, candidate
from radiomicnet_md.engine.release import open_release, trusted_keys
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_audit import sign
from radiomicnet_md_training import evaluate, region
from radiomicnet_md_training.__main__ import main

REGION = {"bins": 8, "bags": 1, "rounds": 20, "rate": 0.2, "seed": 1, "sensitivity": 0.9}


@pytest.fixture(scope="module")
def built(
    phantoms: Path, write_recipe: Callable[..., Path], root: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with the runs, the stored results and the release of a very short recipe."""
    pytest.importorskip("interpret", reason="absent: interpret-core")
    at = tmp_path_factory.mktemp("pipeline")
    recipe = write_recipe("locked", name="locked", region=REGION)
    common = [str(recipe), "--data", str(phantoms), "--out", str(at / "runs")]
    for fold in range(3):
        assert main(["unit", *common, "--seed", "1", "--fold", str(fold)]) == 0
    assert main(["evaluate", *common, "--results", str(at / "results")]) == 0
    assert main(["candidate", *common, "--lock", str(root / "requirements" / "lock-py311.txt")]) == 0
    building.build(candidate.read(at / "runs" / "locked" / "candidate"), at / "release", sign.generate())
    return at


@pytest.mark.verifies("SRS-MOD-003", "SRS-REL-001")
def test_the_release_opens_with_its_key_and_gives_its_known_answers(built: Path) -> None:
    out = built / "release"
    release = open_release(out / "0.2.0", keys=trusted_keys(out / "release_key.pem"))
    Engine.load(release).known_answer_test()
    record = json.loads(release.files["training_record.json"])
    assert record["recipe"]["optimiser"]["epochs"] == 1
    assert record["training_cases"] == [f"p{seed}" for seed in range(9)]
    assert len(record["loss_curve"]) == 1


@pytest.mark.verifies("SRS-MOD-004", "SRS-MOD-001", "SRS-MOD-011")
def test_the_card_counts_every_held_out_case_as_the_stored_row_does(built: Path) -> None:
    card = json.loads((built / "release" / "0.2.0" / "model_card.json").read_text())
    seen = card["validation"]
    lines = evaluate.of(evaluate.read(built / "results" / "locked" / "cases.csv"), region.NAMED_ONLY)
    lesions = [line for line in lines if line["lesion"] == "1"]
    assert (seen["lesion_images"], seen["normal_images"]) == (len(lesions), len(lines) - len(lesions)) == (6, 3)
    assert seen["lesion_mean_dice"] == pytest.approx(sum(float(line["dice"]) for line in lesions) / 6, abs=1e-6)
    assert card["parameters"]["total"] <= 310_000


@pytest.mark.verifies("SRS-MOD-012")
def test_the_stored_row_is_enough_for_the_page(built: Path, tmp_path: Path) -> None:
    assert main(["tables", str(built / "results"), "--out", str(tmp_path)]) == 0
    made = (tmp_path / "results.md").read_text()
    assert "not clinical evidence" in made
    kept = json.loads((built / "results" / "locked" / "tables.json").read_text())
    assert [len(kept["pixel"]), len(kept["pixel"][0]), len(kept["pixel"][0][0])] == [3, 32, 64]
    assert len(kept["region_folds"]) == 3
    for name in ("tables-pixel", "tables-region"):
        assert (tmp_path / "results" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert made.count(f"](results/{name}.png)") == 1


@pytest.mark.verifies("SRS-CLI-004")
def test_a_users_mistake_ends_in_a_remedy_not_in_a_traceback(
    write_recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = str(write_recipe("plain"))
    assert main(["unit", recipe, "--data", str(tmp_path), "--out", str(tmp_path), "--seed", "1", "--fold", "0"]) == 7
    assert "E-DATA-LAYOUT" in capsys.readouterr().err


@pytest.mark.verifies("SRS-MOD-003")
def test_a_row_without_a_region_layer_is_no_release(
    phantoms: Path, write_recipe: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = [str(write_recipe("plain")), "--data", str(phantoms), "--out", str(tmp_path)]
    assert main(["candidate", *common, "--lock", str(tmp_path / "none")]) == 7
    assert "no region layer" in capsys.readouterr().err

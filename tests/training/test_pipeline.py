# SPDX-License-Identifier: Apache-2.0
"""The one command, end to end on phantoms: what it writes is a release that opens, runs and repeats its answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
import yaml

from radiomicnet_md import phantom
from radiomicnet_md.engine.release import open_release, trusted_keys
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_training.__main__ import main
from radiomicnet_md_training.region import fit
from tests.training.test_training import RECIPE

CASES = 14


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a very short run on twelve training and two validation phantoms."""
    at = tmp_path_factory.mktemp("pipeline")
    rows = ["id,split,group,class_label"]
    for kind in ("images", "masks"):
        (at / "data" / kind).mkdir(parents=True)
    for seed in range(CASES):
        made = phantom.make(seed, 96, 128, lesion=seed % 4 != 3)
        for kind, array in (("images", made.pixels), ("masks", made.truth)):
            sitk.WriteImage(sitk.GetImageFromArray(array), str(at / "data" / kind / f"p{seed}.png"))
        rows.append(f"p{seed},{'val' if seed >= CASES - 2 else 'train'},g{seed},x")
    (at / "data" / "splits.csv").write_text("\n".join(rows) + "\n")
    recipe = yaml.safe_load(RECIPE.read_text())
    recipe["pixel"] |= {"epochs": 1, "batch": 4, "average": 0.5}
    recipe["folds"] = {"count": 2, "epochs": 1}
    recipe["region"] |= {"bags": 1, "rounds": 20}
    (at / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    (at / "lock.txt").write_text("nothing\n")
    arguments = ["run", str(at / "recipe.yaml"), "--data", str(at / "data"), "--out", str(at / "out")]
    assert main([*arguments, "--lock", str(at / "lock.txt")]) == 0
    return at


@pytest.mark.verifies("SRS-MOD-003", "SRS-REL-001")
def test_the_release_opens_with_its_key_and_gives_its_known_answers(built: Path) -> None:
    out = built / "out" / "release"
    release = open_release(out / "0.1.0", keys=trusted_keys(out / "release_key.pem"))
    Engine.load(release).known_answer_test()
    record = json.loads(release.files["training_record.json"])
    assert record["recipe"]["pixel"]["epochs"] == 1
    assert record["training_cases"] == [f"p{seed}" for seed in range(CASES - 2)]
    assert len(record["loss_curve"]) == 1


@pytest.mark.verifies("SRS-MOD-004", "SRS-MOD-001")
def test_the_card_counts_every_validation_case(built: Path) -> None:
    card = json.loads((built / "out" / "release" / "0.1.0" / "model_card.json").read_text())
    assert card["validation"]["lesion_images"] + card["validation"]["normal_images"] == 2
    assert card["parameters"]["total"] <= 310_000


@pytest.mark.verifies("SRS-CLI-004")
def test_a_users_mistake_ends_in_a_remedy_not_in_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["run", str(RECIPE), "--data", str(tmp_path), "--out", str(tmp_path / "out"), "--lock", str(RECIPE)]
    assert main(arguments) == 7
    assert "E-DATA-LAYOUT" in capsys.readouterr().err


@pytest.mark.verifies("SRS-MOD-003")
def test_nothing_to_fit_is_said(built: Path) -> None:
    recipe = yaml.safe_load((built / "recipe.yaml").read_text())
    from radiomicnet_md_training.recipe import Region

    with pytest.raises(ConfigurationError, match="nothing to fit"):
        fit([], Region(**recipe["region"]))

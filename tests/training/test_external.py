# SPDX-License-Identifier: Apache-2.0
"""Another hospital's images: scored by finished rows and the shipped device, never trained on, told with every miss."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md.errors import InputError
from radiomicnet_md_training import dataset, prepare
from radiomicnet_md_training.__main__ import main
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.results import elsewhere, read, targets
from radiomicnet_md_training.results.read import DEVICE

CASES = 4


@pytest.fixture(scope="module")
def scored(
    phantoms: Path,
    write_recipe: Callable[..., Path],
    lay_out: Callable[..., Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """The results of a short row on four images of two patients, every third without a lesion."""
    at = tmp_path_factory.mktemp("external")
    names = tuple(f"e{seed}" for seed in range(CASES))
    rows = "".join(f"{name},external_dev,patient{seed // 2},x\n" for seed, name in enumerate(names))
    other = lay_out(at / "other", rows, names)
    recipe = write_recipe("locked", name="locked")
    common = [str(recipe), "--data", str(phantoms), "--out", str(at / "runs")]
    for fold in range(3):
        assert main(["unit", *common, "--seed", "1", "--fold", str(fold)]) == 0
    (at / "results").mkdir()
    assert main(["quantised", *common, "--results", str(at / "results")]) == 0
    assert main(["external", *common, "--other", str(other), "--results", str(at / "results")]) == 0
    return at / "results"


@pytest.mark.verifies("SRS-MOD-009")
def test_every_image_is_scored_by_every_network_and_by_the_device(scored: Path) -> None:
    found = read.external(scored)
    assert found is not None
    about, rows = found
    assert about.name == "other"
    assert {name: len(lines) for name, lines in rows.items()} == {"locked": 3 * CASES, DEVICE: CASES}
    assert {line.group for line in rows[DEVICE]} == {"patient0", "patient1"}
    assert [line.lesion for line in rows[DEVICE]] == [1, 1, 0, 1]
    lesions = [line.dice for line in rows[DEVICE] if line.lesion]
    assert max(lesions) > 0.7  # a phantom's lesion is easy
    assert json.loads((scored / read.EXTERNAL).read_text())["release"]["id"] == about.release["id"]


@pytest.mark.verifies("SRS-MOD-012", "SRS-MOD-004")
def test_the_section_tells_misses_false_regions_and_what_the_gate_would_stop(scored: Path) -> None:
    found = read.external(scored)
    assert found is not None
    text = elsewhere.section(found)
    assert f"{CASES} images of 2 patients, 3 with a lesion and 1 without" in text
    assert text.count("\n| ") == 4  # a head, its line, and two rows
    assert "would have refused" in text
    assert elsewhere.section(None) == ""
    lines = {name: list(told) for name, told in found[1].items()}
    outcome = targets._external(targets.Found({}, None, (found[0], lines), None))
    assert outcome.measured.endswith("n = 3")
    assert targets._external(targets.Found({}, None, None, None)).reached is None


@pytest.mark.verifies("SRS-MOD-012")
@pytest.mark.parametrize("damage", ["half a line", "no head"])
def test_a_torn_file_is_refused(scored: Path, tmp_path: Path, damage: str) -> None:
    text = (scored / read.EXTERNAL_LINES).read_text()
    (tmp_path / read.EXTERNAL).write_bytes((scored / read.EXTERNAL).read_bytes())
    (tmp_path / read.EXTERNAL_LINES).write_text(text[:-20] if damage == "half a line" else text.split("\n", 1)[1])
    with pytest.raises(InputError) as caught:
        read.external(tmp_path)
    assert caught.value.code == "E-RESULTS-TORN"
    assert read.external(tmp_path / "nowhere") is None


@pytest.mark.verifies("SRS-MOD-003")
def test_external_images_are_never_among_the_open_ones(lay_out: Callable[..., Path], tmp_path: Path) -> None:
    folder = lay_out(tmp_path / "data", "a,train,g,x\nb,external_dev,h,x\n", ("a", "b"))
    assert [case.name for case in dataset.read_cases(folder, dataset.SPLITS)] == ["a"]


@pytest.mark.verifies("SRS-MOD-003")
def test_another_set_is_seen_with_the_measures_of_the_training_part(prepared: Prepared) -> None:
    from radiomicnet_md_training.recipe import read as read_recipe
    from tests.training.conftest import RECIPES

    measuring = read_recipe(RECIPES / "locked.yaml")[0].measuring
    seen = prepare.as_seen(prepared.data, prepared, measuring)
    assert np.array_equal(seen.codes, prepared.codes)
    assert np.array_equal(seen.values, prepared.values)
    assert seen.thresholds is prepared.thresholds
    assert len(seen.part) == 0


@pytest.mark.verifies("SRS-MOD-012")
def test_pixels_that_change_sides_are_counted_over_every_image(scored: Path) -> None:
    told = json.loads((scored / "quantised.json").read_text())
    assert (told["images"], told["pixels"]) == (9, 9 * 144 * 192)
    assert 0 <= told["most_in_one_image"] <= told["flipped"] < told["pixels"] / 50
    assert told["images_with_a_flip"] <= 9

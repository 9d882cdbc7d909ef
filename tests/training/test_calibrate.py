# SPDX-License-Identifier: Apache-2.0
"""A temperature never sees the fold that it corrects, and the errors of a known miscalibration are found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from radiomicnet_md.errors import InputError
from radiomicnet_md_training import dataset, harness, recipe
from radiomicnet_md_training.calibrate import calibrate
from radiomicnet_md_training.results import read
from radiomicnet_md_validation.calibration import Pool, ece

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "locked.yaml"
CASES, SIDE, FOLDS = 12, 32, 3
SIZES = [(32, 24) if case % 2 else (20, 32) for case in range(CASES)]


def made(folder: Path, hot: float = 2.0, step: int = 1) -> harness.Row:
    """A row whose truth is drawn from σ(z) and whose stored evidence is ``hot`` times z, on a grid of SIDE / step."""
    rng = np.random.Generator(np.random.PCG64(7))
    there = np.arange(SIDE // step)
    masks = np.zeros((CASES, SIDE, SIDE), np.uint8)
    true = np.zeros((CASES, SIDE // step, SIDE // step))
    for case, (rows, columns) in enumerate(SIZES):
        apart = np.hypot(there[:, None] - 8 // step, there[None, :] - 9 // step) * step
        true[case] = (6 - apart) / 3 + rng.normal(0, 0.5)
        drawn = rng.random((SIDE, SIDE)) < special.expit(np.kron(true[case], np.ones((step, step))))
        masks[case, :rows, :columns] = 255 * drawn[:rows, :columns]
    names = [f"c{case}" for case in range(CASES)]
    data = dataset.Dataset(
        names, [f"g{case // 2}" for case in range(CASES)], ["x"] * CASES, [], masks, masks, np.array(SIZES)
    )
    settings = recipe.read(RECIPE)[0]
    settings = settings.model_copy(update={"folds": recipe.Folds(count=FOLDS, seeds=(1,))})
    row = harness.Row(settings, data, folder, "")
    for unit in row.units():
        index = row.held_out(unit.fold)
        keep(row, unit, index, hot * true[index])
    return row


def keep(row: harness.Row, unit: harness.Unit, index: np.ndarray, z: np.ndarray) -> None:
    """Store a unit's evidence as evaluation does."""
    folder = unit.folder(row.folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "evidence.npz", index=index, z=z.astype(np.float16))


@pytest.mark.verifies("SRS-MOD-007")
def test_an_overheated_logit_is_cooled_and_its_error_found(tmp_path: Path) -> None:
    row = made(tmp_path)
    (seed,) = calibrate(row)["seeds"]
    assert seed["temperature"] == pytest.approx(2.0, rel=0.1)
    assert [fold["fold"] for fold in seed["folds"]] == list(range(FOLDS))
    assert seed["pooled"]["after"]["equal_width"] < 0.6 * seed["pooled"]["before"]["equal_width"]
    assert seed["pooled"]["before"]["pixels"] == sum(rows * columns for rows, columns in SIZES)
    assert 0 < seed["band"]["after"]["pixels"] <= seed["pooled"]["after"]["pixels"]


@pytest.mark.verifies("SRS-MOD-007")
def test_errors_are_those_of_the_kernel_over_the_content_of_every_case(tmp_path: Path) -> None:
    row = made(tmp_path)
    lesion, confidence = Pool(), Pool()
    for unit in row.units():
        with np.load(unit.folder(tmp_path) / "evidence.npz") as stored:
            for case, z in zip(stored["index"], stored["z"].astype(np.float64), strict=True):
                rows, columns = SIZES[case]
                p = special.expit(z[:rows, :columns])
                truth = row.data.masks[case, :rows, :columns] > 127
                lesion.add(p, truth)
                confidence.add(np.maximum(p, 1 - p), (p > 0.5) == truth)
    before = calibrate(row)["seeds"][0]["pooled"]["before"]
    assert before["equal_width"] == pytest.approx(ece(lesion.equal_width()), abs=1e-6)
    assert before["equal_mass"] == pytest.approx(ece(lesion.equal_mass()), abs=1e-6)
    assert before["confidence"] == pytest.approx(ece(confidence.equal_width()), abs=1e-6)
    assert [one["count"] for one in before["equal_width_rows"]] == [one.count for one in lesion.equal_width()]


@pytest.mark.verifies("SRS-MOD-007", "SRS-MOD-011")
def test_a_folds_temperature_does_not_change_with_its_own_cases(tmp_path: Path) -> None:
    row = made(tmp_path)
    before = [fold["temperature"] for fold in calibrate(row)["seeds"][0]["folds"]]
    unit = row.units()[1]
    index = row.held_out(unit.fold)
    keep(row, unit, index, np.random.Generator(np.random.PCG64(1)).normal(0, 9, (len(index), SIDE, SIDE)))
    after = [fold["temperature"] for fold in calibrate(row)["seeds"][0]["folds"]]
    assert after[1] == before[1]
    assert after[0] != before[0]
    assert after[2] != before[2]


@pytest.mark.verifies("SRS-MOD-007", "SRS-MOD-011")
def test_a_row_of_one_fold_is_not_corrected_by_its_own_cases(tmp_path: Path) -> None:
    row = made(tmp_path)
    settings = row.recipe.model_copy(update={"folds": recipe.Folds(count=FOLDS, seeds=(1,), first=1)})
    (seed,) = calibrate(replace(row, recipe=settings))["seeds"]
    assert seed["folds"] == [{"fold": 0, "temperature": 1.0, "at_limit": False}]
    assert seed["pooled"]["after"] == seed["pooled"]["before"]


@pytest.mark.verifies("SRS-MOD-007", "SRS-MOD-012")
def test_it_is_the_same_text_again_and_what_the_page_reads(tmp_path: Path) -> None:
    texts = [json.dumps(calibrate(made(tmp_path / str(i))), allow_nan=False) for i in (1, 2)]
    assert texts[0] == texts[1]
    found = read.Calibration.model_validate_json(texts[0])
    assert found.cases == CASES
    assert sum(one.count for one in found.seeds[0].band.after.equal_mass_rows) == found.seeds[0].band.after.pixels


@pytest.mark.verifies("SRS-MOD-007")
def test_evidence_on_the_half_grid_is_judged_on_the_whole_one(tmp_path: Path) -> None:
    seed = calibrate(made(tmp_path, step=2))["seeds"][0]
    assert seed["pooled"]["after"]["pixels"] == sum(rows * columns for rows, columns in SIZES)
    assert seed["temperature"] == pytest.approx(2.0, rel=0.2)


@pytest.mark.verifies("SRS-MOD-007", "SRS-MOD-011")
def test_evidence_that_is_missing_torn_or_of_other_cases_is_refused(tmp_path: Path) -> None:
    row = made(tmp_path)
    unit = row.units()[2]
    file = unit.folder(tmp_path) / "evidence.npz"
    whole = file.read_bytes()
    for content in (b"", whole[:200], whole[:-60]):
        file.write_bytes(content)
        with pytest.raises(InputError, match="missing or torn") as caught:
            calibrate(row)
        assert caught.value.code == "E-EVIDENCE"
    file.unlink()
    with pytest.raises(InputError, match="missing or torn"):
        calibrate(row)
    other = row.held_out(0)
    keep(row, unit, other, np.zeros((len(other), SIDE, SIDE)))
    with pytest.raises(InputError, match="not that of the cases"):
        calibrate(row)


@pytest.mark.verifies("SRS-MOD-007")
def test_the_band_lies_around_lesions_alone(tmp_path: Path) -> None:
    row = made(tmp_path)
    masks = row.data.masks.copy()
    masks[1:] = 0
    masks[0] = 0
    masks[0, 10, 10] = 255
    few = replace(row, data=replace(row.data, masks=masks))
    for unit in few.units():
        index = few.held_out(unit.fold)
        keep(few, unit, index, np.zeros((len(index), SIDE, SIDE)))
    assert calibrate(few)["seeds"][0]["band"]["before"]["pixels"] == 81  # a disc of radius 5 around one pixel

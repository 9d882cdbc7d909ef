# SPDX-License-Identifier: Apache-2.0
"""Which inputs the demonstration uses follows from a rule, and the data folder only adds to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from radiomicnet_md import io
from radiomicnet_md.demo import cases
from radiomicnet_md.errors import ConfigurationError


@pytest.mark.verifies("SRS-INP-005")
def test_without_data_there_are_two_inputs_and_one_has_colour(tmp_path: Path) -> None:
    echo, drawn = cases.bring(tmp_path, {})
    assert (echo.expected, drawn.expected) == ("refused", "accepted")
    assert io.read(echo.path).image.pixels.shape[-1] == 3
    seen = io.read(drawn.path)
    assert seen.image.origin.modality == "US"
    assert drawn.truth is not None
    assert drawn.truth.shape == io.grey(seen.image).shape
    assert 0 < drawn.truth.mean() < 0.3


@pytest.mark.verifies("SRS-INP-007")
def test_the_phantom_is_the_same_file_every_time(tmp_path: Path) -> None:
    first, second = ((tmp_path / name) for name in "ab")
    digests = []
    for folder in (first, second):
        folder.mkdir()
        digests.append([io.read(given.path).image.origin.file_sha256 for given in cases.bring(folder, {})])
    assert digests[0] == digests[1]


@pytest.mark.verifies("SRS-INP-001")
def test_the_validation_cases_are_the_first_of_their_kind_by_id(tmp_path: Path) -> None:
    data = tmp_path / "data" / "busi_384"
    (data / "images").mkdir(parents=True)
    (data / "masks").mkdir()
    rows = [
        ("malignant_9", "val", "malignant"),
        ("benign_2", "train", "benign"),
        ("normal_7", "val", "normal"),
        ("benign_4", "val", "benign"),
        ("normal_3", "val", "normal"),
        ("benign_3", "val", "benign"),
    ]
    lines = ["id,split,group,class_label", *(f"{name},{split},g0,{kind}" for name, split, kind in rows)]
    (data / "splits.csv").write_text("\n".join(lines) + "\n")
    for name, _, kind in rows:
        Image.fromarray(np.full((70, 80), 9, dtype=np.uint8)).save(data / "images" / f"{name}.png")
        truth = np.zeros((70, 80), dtype=np.bool_)
        truth[20:30, 20:40] = kind != "normal"
        Image.fromarray(truth).save(data / "masks" / f"{name}.png")
    (tmp_path / "in").mkdir()
    given = cases.bring(tmp_path / "in", {cases.DATA: str(tmp_path / "data")})[2:]
    assert [one.name for one in given] == ["benign_3", "benign_4", "normal_3"]
    assert [int(one.truth.sum()) for one in given if one.truth is not None] == [200, 200, 0]
    assert {one.expected for one in given} == {None}


@pytest.mark.verifies("SRS-CLI-004")
def test_a_data_folder_without_the_set_is_named_as_the_mistake_it_is(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        cases.bring(tmp_path, {cases.DATA: str(tmp_path)})
    assert raised.value.code == "E-DEMO-DATA"
    assert str(tmp_path) not in str(raised.value)

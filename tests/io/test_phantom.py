# SPDX-License-Identifier: Apache-2.0
"""The phantom's truth is its outline, its lesion is darker than its surroundings, and its file is ultrasound."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from radiomicnet_md import io, phantom
from radiomicnet_md.engine.acceptance import Admitted, Limits, admit
from radiomicnet_md.image import array_sha256


@pytest.mark.verifies("SRS-INP-002")
@pytest.mark.parametrize("seed", range(6))
def test_the_truth_is_the_outline(seed: int) -> None:
    made = phantom.make(seed, 224, 280)
    assert made.pixels.shape == made.truth.shape == (224, 280)
    assert set(np.unique(made.truth)) == {0, 1}
    assert label(made.truth)[1] == 1
    rows, columns = made.outline.T
    area = abs(np.dot(rows, np.roll(columns, 1)) - np.dot(columns, np.roll(rows, 1))) / 2
    assert made.truth.sum() == pytest.approx(area, rel=0.02)
    assert 0.02 < made.truth.mean() < 0.12


@pytest.mark.verifies("SRS-INP-002")
@pytest.mark.parametrize("seed", range(6))
def test_the_lesion_is_darker_than_what_surrounds_it(seed: int) -> None:
    made = phantom.make(seed, 224, 280)
    inside = made.truth.astype(bool)
    around = binary_dilation(inside, iterations=12) & ~binary_dilation(inside, iterations=2)
    assert made.pixels[inside].mean() < 0.75 * made.pixels[around].mean()
    assert 60 < made.pixels.mean() < 120


@pytest.mark.verifies("SRS-INP-002")
def test_one_seed_one_phantom() -> None:
    one, two, other = phantom.make(5, 128, 160), phantom.make(5, 128, 160), phantom.make(6, 128, 160)
    assert array_sha256(one.pixels) == array_sha256(two.pixels)
    assert array_sha256(one.pixels) != array_sha256(other.pixels)


@pytest.mark.verifies("SRS-INP-002")
def test_a_normal_breast_has_an_empty_truth() -> None:
    made = phantom.make(5, 128, 160, lesion=False)
    assert made.truth.sum() == 0
    assert len(made.outline) == 0


@pytest.mark.verifies("SRS-INP-002", "SRS-INP-004")
def test_its_file_is_valid_admitted_and_says_how_large_a_pixel_is(
    tmp_path: Path, require: Callable[[str], Path]
) -> None:
    made = phantom.make(2, 224, 280)
    phantom.write_dicom(made, tmp_path / "one.dcm")
    phantom.write_dicom(made, tmp_path / "two.dcm")
    assert (tmp_path / "one.dcm").read_bytes() == (tmp_path / "two.dcm").read_bytes()
    reading = io.read(tmp_path / "one.dcm")
    answer = admit(reading.image, Limits())
    assert isinstance(answer, Admitted)
    assert (answer.levels_source == made.pixels).all()
    assert reading.image.spacing_mm == pytest.approx(made.spacing_mm)
    assert reading.identity.values["PatientName"] == "Phantom^Demonstration"
    done = subprocess.run(
        [require("dciodvfy"), "-new", tmp_path / "one.dcm"], capture_output=True, text=True, check=False
    )
    assert "Error" not in done.stderr
    assert "Warning" not in done.stderr

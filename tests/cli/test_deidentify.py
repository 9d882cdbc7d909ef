# SPDX-License-Identifier: Apache-2.0
"""A copy without its patient: nothing of them is left, the picture is the same, and the study is still one."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from radiomicnet_md import io
from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.io import deidentifying
from radiomicnet_md.io.deidentifying import deidentified, pseudonym
from tests import canaries
from tests.cli.conftest import Command
from tests.io import samples

KEY = bytes(32)
JPEG_LS, RLE, DEFLATED, BIG = (
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
)


def read(data: bytes) -> Any:  # noqa: ANN401
    return pydicom.dcmread(BytesIO(data))


def loop() -> np.ndarray[Any, Any]:
    return np.stack([np.roll(samples.frame(), shift, axis=1) for shift in range(3)])


@pytest.mark.verifies("SRS-PRV-010")
def test_no_canary_is_left_in_a_copy(tmp_path: Path) -> None:
    data, count = canaries.singing()
    assert count > 1000
    made = deidentified(data, KEY)
    assert canaries.heard({"copy": made.data}) == []
    before, after = (io.read(samples.put(tmp_path, one)) for one in (data, made.data))
    assert before.image.pixels_sha256 == after.image.pixels_sha256
    assert before.image.spacing_mm == after.image.spacing_mm
    kept = {element.keyword for element in read(made.data).iterall()}
    allowed = {*deidentifying.KEPT, *deidentifying.OF_A_REGION, *deidentifying.EMPTIED, *deidentifying.REPLACED}
    assert kept - allowed == {
        "PatientID", "PatientName", "PatientIdentityRemoved", "DeidentificationMethod", "CodeMeaning", "CodeValue",
        "CodingSchemeDesignator", "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified",
        "SequenceOfUltrasoundRegions",
    }  # fmt: skip


@pytest.mark.verifies("SRS-PRV-010")
@pytest.mark.parametrize("syntax", ["", JPEG_LS, RLE])
def test_frames_and_streams_are_carried_over(syntax: str, tmp_path: Path) -> None:
    data = samples.loop(loop(), syntax=syntax)
    made = deidentified(data, KEY)
    one, other = (io.read(samples.put(tmp_path, each)).image for each in (data, made.data))
    assert (one.pixels == other.pixels).all()
    assert one.origin.transfer_syntax_uid == other.origin.transfer_syntax_uid


@pytest.mark.verifies("SRS-PRV-010")
def test_a_deflated_and_a_big_endian_file_become_little_endian_ones(tmp_path: Path) -> None:
    for syntax, little in ((DEFLATED, True), (BIG, False)):
        dataset = read(samples.ultrasound())
        dataset.file_meta.TransferSyntaxUID = syntax
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, dataset, implicit_vr=False, little_endian=little, enforce_file_format=True)
        made = io.read(samples.put(tmp_path, deidentified(buffer.getvalue(), KEY).data)).image
        assert (made.pixels[0, :, :, 0] == samples.frame()).all()
        assert made.origin.transfer_syntax_uid == "1.2.840.10008.1.2.1"


@pytest.mark.verifies("SRS-PRV-010")
def test_one_home_gives_one_pseudonym_and_another_home_another() -> None:
    def second(dataset: Any) -> None:  # noqa: ANN401
        dataset.SOPInstanceUID = "1.2.3"

    one, other, elsewhere = (
        read(deidentified(samples.ultrasound(change), key).data)
        for change, key in ((None, KEY), (second, KEY), (None, bytes(31) + b"\1"))
    )
    assert (one.PatientID, one.StudyInstanceUID, one.SeriesInstanceUID) == (
        other.PatientID, other.StudyInstanceUID, other.SeriesInstanceUID,
    )  # fmt: skip
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert not {one.PatientID, one.StudyInstanceUID, one.SOPInstanceUID} & {
        elsewhere.PatientID, elsewhere.StudyInstanceUID, elsewhere.SOPInstanceUID,
    }  # fmt: skip
    assert len(pseudonym(KEY, "PatientID", "x")) == 16
    assert one.PatientIdentityRemoved == "YES"
    assert one.DeidentificationMethodCodeSequence[0].CodeValue == "113100"


def _timed(dataset: Any) -> None:  # noqa: ANN401
    dataset.FrameTime, dataset.FrameIncrementPointer = "33", 0x00181063


def _report(dataset: Any) -> None:  # noqa: ANN401
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.33"


def _free_text(dataset: Any) -> None:  # noqa: ANN401
    dataset.ImageType = ["DERIVED", "PRIMARY", canaries.WORD.upper()]
    dataset.add_new(0x00280010 + 0x1052, "LO", canaries.WORD)  # Rescale Intercept as a text


@pytest.mark.verifies("SRS-PRV-010")
@pytest.mark.parametrize("data", [samples.ultrasound(_report), samples.picture(), b"no image"])
def test_what_is_no_ultrasound_image_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        deidentified(data, KEY)
    assert caught.value.code in {"E-DEIDENTIFY-CLASS", "E-INPUT-NOT-AN-IMAGE"}


@pytest.mark.verifies("SRS-PRV-010")
def test_text_in_the_place_of_a_code_or_number_goes() -> None:
    made = read(deidentified(samples.ultrasound(_free_text), KEY).data)
    assert list(made.ImageType) == ["DERIVED", "PRIMARY"]
    assert "RescaleIntercept" not in made


@pytest.mark.verifies("SRS-PRV-010")
def test_a_copy_is_valid_dicom(require: Callable[[str], Path], tmp_path: Path) -> None:
    program = require("dciodvfy")
    timed = samples.loop(loop(), change=_timed)
    for number, data in enumerate((samples.ultrasound(), timed, canaries.singing()[0])):
        path = samples.put(tmp_path, deidentified(data, KEY).data, f"{number}.dcm")
        said = subprocess.run([program, "-new", path], capture_output=True, text=True, check=False)
        assert [line for line in said.stderr.splitlines() if line.startswith("Error")] == []


@pytest.mark.verifies("SRS-PRV-010")
def test_the_command_copies_what_it_may_and_says_what_to_look_at(command: Command, home: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    canaries.write(folder / f"{canaries.WORD}.dcm")
    samples.put(folder, samples.ultrasound(_report), "report.dcm")
    said = command("dicom", "deidentify", folder, "--out", tmp_path / "copies", "--json")
    assert said.code == ExitCode.SOME_FAILED
    written, refused = sorted(said.lines, key=lambda line: line["status"], reverse=True)
    assert (written["status"], written["burned_in"]) == ("written", False)
    assert refused["reason"]["code"] == "E-DEIDENTIFY-CLASS"
    (copy,) = (tmp_path / "copies").iterdir()
    assert str(copy) == written["output"]
    assert canaries.heard({copy.name: copy.read_bytes(), "name": copy.name.encode()}) == []
    data = samples.ultrasound(lambda dataset: delattr(dataset, "BurnedInAnnotation"))
    said = command("dicom", "deidentify", samples.put(tmp_path, data, "a.dcm"), "--out", tmp_path / "copies")
    assert said.code == ExitCode.OK
    assert "does not say whether text is burned in" in said.out
    assert home.is_dir()

# SPDX-License-Identifier: Apache-2.0
"""Each bad input ends in a typed reason with a remedy, one signed record, its exit code, and no file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate

from radiomicnet_md.errors import ExitCode
from tests import desks
from tests.cli.conftest import Command
from tests.io import samples

FRAME = samples.frame()
COLOUR = np.stack([FRAME, FRAME, 255 - FRAME], axis=-1)
MPEG2 = "1.2.840.10008.1.2.4.100"


def changed(**values: object) -> Callable[[], bytes]:
    """A DICOM ultrasound file with other values of some elements; None takes one away."""

    def change(dataset: Dataset) -> None:
        for name, value in values.items():
            if value is None:
                delattr(dataset, name)
            else:
                setattr(dataset, name, value)

    return lambda: samples.ultrasound(change)


def stored(pixels: np.ndarray[Any, Any], photometric: str) -> Callable[[], bytes]:
    return lambda: samples.ultrasound(lambda dataset: samples.with_samples(dataset, pixels, photometric))


def other_syntax() -> bytes:
    def change(dataset: Dataset) -> None:
        dataset.file_meta.TransferSyntaxUID = MPEG2
        dataset.PixelData = encapsulate([bytes(100)])
        dataset["PixelData"].is_undefined_length = True

    return samples.ultrasound(change)


BAD: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "no image": lambda: b"%PDF-1.7 and so on",
    "truncated DICOM": lambda: samples.ultrasound()[:-2000],
    "truncated PNG": lambda: samples.picture()[:-2000],
    "DICOM without pixel data": changed(PixelData=None),
    "transfer syntax without decoder": other_syntax,
    "wrong modality": changed(Modality="CT"),
    "wrong SOP class": changed(SOPClassUID="1.2.840.10008.5.1.4.1.1.2"),
    "colour": stored(COLOUR, "RGB"),
    "coloured PNG": lambda: samples.picture(COLOUR),
    "palette": changed(PhotometricInterpretation="PALETTE COLOR"),
    "1-bit": lambda: samples.picture(mode="1"),
    "16-bit signed": stored(FRAME.astype(np.int16) - 100, "MONOCHROME2"),
    "MONOCHROME1": changed(PhotometricInterpretation="MONOCHROME1"),
    "no rows": changed(Rows=0),
    "8 x 8": lambda: samples.picture(FRAME[:8, :8]),
    "20,000 x 20,000": lambda: samples.png_claiming(20_000, 20_000),
    "NaN": lambda: samples.nifti(np.where(FRAME > 90, np.nan, FRAME).astype(np.float32)),
    "constant": lambda: samples.picture(np.full((96, 128), 90, np.uint8)),
    "saturated": lambda: samples.picture(np.where(FRAME > 30, 255, FRAME).astype(np.uint8)),
}


@pytest.mark.verifies("SRS-INP-001", "SRS-INP-002", "SRS-INP-003", "SRS-INP-005", "SRS-INP-006", "SRS-REC-005")
@pytest.mark.verifies("SRS-CLI-001", "SRS-CLI-002", "SRS-CLI-004", "SRS-OUT-003")
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("kind", BAD)
def test_a_bad_input_is_refused_and_recorded(
    command: Command, engine: desks.FakeEngine, tmp_path: Path, kind: str
) -> None:
    path = samples.put(tmp_path, BAD[kind]())
    said = command("segment", path, "--out", tmp_path / "out", "--json")
    assert said.code == ExitCode.INTENDED_USE
    (line,) = said.lines
    assert line["status"] == "refused"
    assert line["reason"]["code"].startswith(("E-INPUT-", "E-GATE-"))
    assert line["reason"]["text"]
    assert line["reason"]["remedy"]
    assert line["outputs"] == []
    assert line["input_sha256"]
    assert "Traceback" not in said.err
    assert engine.asked == 0
    assert desks.tree(tmp_path / "out") == {}
    (listed,) = command("audit", "list", "--json").lines
    assert (listed["state"], listed["record_id"]) == ("REFUSED", line["record_id"])
    assert command("audit", "verify").code == ExitCode.OK
    assert line["reason"]["code"] in command("audit", "show", line["record_id"]).out


@pytest.mark.verifies("SRS-INP-001", "SRS-CLI-001", "SRS-REC-005")
@pytest.mark.usefixtures("home", "engine")
@pytest.mark.parametrize("name", ["nowhere.dcm", "folder"])
def test_no_file_and_a_folder_without_images(command: Command, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "notes.txt").write_text("no image")
    said = command("segment", tmp_path / name, "--out", tmp_path / "out", "--json")
    assert (said.code, said.lines[0]["status"]) == (ExitCode.INTENDED_USE, "refused")
    assert [line["state"] for line in command("audit", "list", "--json").lines] == ["REFUSED"]


@pytest.mark.verifies("SRS-INP-004", "SRS-INP-005")
@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    "make",
    [
        changed(SequenceOfUltrasoundRegions=None),
        changed(SequenceOfUltrasoundRegions=None, PixelSpacing=[0.0, 0.0]),
        stored(np.stack([FRAME] * 3, axis=-1), "RGB"),
    ],
    ids=["no spacing", "zero spacing", "RGB with equal channels"],
)
def test_what_only_withholds_or_repeats_is_accepted(
    command: Command, engine: desks.FakeEngine, tmp_path: Path, make: Callable[[], bytes]
) -> None:
    path = samples.put(tmp_path, make())
    said = command("segment", path, "--out", tmp_path / "out", "--format", "png", "--json")
    assert (said.code, said.lines[0]["status"], engine.asked) == (ExitCode.OK, "accepted", 1)


@pytest.mark.verifies("SRS-OUT-003", "SRS-CLI-001", "SRS-REC-005")
@pytest.mark.usefixtures("home", "engine")
def test_an_output_folder_that_is_a_file_ends_with_7_and_a_record(command: Command, tmp_path: Path) -> None:
    path = samples.put(tmp_path, samples.picture())
    said = command("segment", path, "--out", path, "--json")
    assert (said.code, said.lines[0]["status"]) == (ExitCode.CONFIGURATION, "error")
    assert [line["state"] for line in command("audit", "list", "--json").lines] == ["ERROR"]

# SPDX-License-Identifier: Apache-2.0
"""A frame of a loop is read as if it were a file of its own: same samples, same digests, its own refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.encaps import encapsulate, generate_frames

from radiomicnet_md import io
from radiomicnet_md.engine.acceptance import Limits, Refused, admit
from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Frame
from radiomicnet_md.io import cine, decoding
from tests.io import samples

PLAIN, RLE, JPEG_LS = "", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"


def levels(frames: int) -> NDArray[np.uint8]:
    """A loop in which every frame differs."""
    return np.stack([np.roll(samples.frame(), shift, axis=1) for shift in range(frames)])


def put(folder: Path, frames: int, syntax: str = PLAIN, name: str = "loop.dcm") -> Path:
    return samples.put(folder, samples.loop(levels(frames), syntax=syntax), name)


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-007")
@pytest.mark.parametrize("syntax", [PLAIN, RLE, JPEG_LS], ids=["native", "RLE", "JPEG-LS"])
def test_frames_one_by_one_are_the_file_as_a_whole(syntax: str, tmp_path: Path) -> None:
    path = put(tmp_path, 7, syntax)
    inputs = io.expand(path)
    assert [item.frame for item in inputs] == [Frame(number, 7) for number in range(1, 8)]
    assert [item.shown for item in inputs][:2] == [f"{path}#1", f"{path}#2"]
    assert inputs[6].name == "loop/frame-0007"
    whole, reader = io.read(path).image, io.Reader()
    for index, item in enumerate(inputs):
        image = reader.read(item).image
        assert image.pixels.shape == (1, 96, 128, 1)
        assert (image.pixels[0] == whole.pixels[index]).all()
        assert (image.pixels[0, :, :, 0] == levels(7)[index]).all()
        assert image.origin.frame == item.frame
        assert (image.origin.file_sha256, image.origin.body_sha256) == (
            whole.origin.file_sha256,
            whole.origin.body_sha256,
        )
        assert image.origin.decoder == whole.origin.decoder
        assert image.spacing_mm == whole.spacing_mm


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-006")
def test_a_loop_is_held_in_parts_and_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cine, "_HELD_SAMPLES", 3 * 96 * 128)
    calls, decode = [], decoding.decode

    def counted(data: bytes) -> Any:  # noqa: ANN401
        calls.append(len(data))
        return decode(data)

    monkeypatch.setattr(decoding, "decode", counted)
    path = put(tmp_path, 7, JPEG_LS)
    loads = []
    load = io.Input.load
    monkeypatch.setattr(io.Input, "load", lambda item: loads.append(item) or load(item))  # type: ignore[func-returns-value]
    inputs = io.expand(path)
    reader, before = io.Reader(), len(loads)
    assert [reader.read(item).image.pixels[0, 0, 0, 0] for item in inputs] == levels(7)[:, 0, 0].tolist()
    assert len(loads) == before + 1
    assert len(calls) == 3  # frames 1 to 3, 4 to 6, 7
    assert b"PatientID" not in b"".join(map(str.encode, map(str, calls)))


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-001")
def test_a_damaged_frame_is_refused_alone(tmp_path: Path) -> None:
    def damage(dataset: Any) -> None:  # noqa: ANN401
        frames = list(generate_frames(dataset.PixelData, number_of_frames=4))
        frames[2] = frames[2][: len(frames[2]) // 2]
        dataset.PixelData = encapsulate(frames)

    data = samples.loop(levels(4), syntax=JPEG_LS, change=damage)
    inputs, reader = io.expand(samples.put(tmp_path, data, "loop.dcm")), io.Reader()
    for at in (0, 1):
        assert (reader.read(inputs[at]).image.pixels[0, :, :, 0] == levels(4)[at]).all()
    with pytest.raises(InputError) as caught:
        reader.read(inputs[2])
    assert caught.value.code == "E-INPUT-NOT-DECODED"
    assert getattr(caught.value, "file_sha256", None) == inputs[2].sha256()
    assert (reader.read(inputs[3]).image.pixels[0, :, :, 0] == levels(4)[3]).all()


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-006")
def test_a_loop_beyond_the_bound_is_refused_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, 5)
    monkeypatch.setattr("radiomicnet_md.io.survey.MAX_FRAMES", 4)
    monkeypatch.setattr(cine, "MAX_FRAMES", 4)
    (item,) = io.expand(path)
    assert item.frame is None
    with pytest.raises(InputError) as caught:
        io.read(io.Input(path, frame=Frame(1, 5)))
    assert caught.value.code == "E-INPUT-TOO-LARGE"


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-001")
def test_a_frame_that_is_not_there(tmp_path: Path) -> None:
    path = put(tmp_path, 3)
    for frame in (Frame(4, 3), Frame(0, 3), Frame(1, 2)):
        with pytest.raises(InputError) as caught:
            io.read(io.Input(path, frame=frame))
        assert caught.value.code == "E-INPUT-FRAME"
    (tmp_path / "short.dcm").write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(InputError) as caught:
        io.read(io.Input(tmp_path / "short.dcm", frame=Frame(1, 3)))
    assert caught.value.code == "E-INPUT-TRUNCATED"


@pytest.mark.verifies("SRS-INP-009")
def test_several_frames_of_another_kind_stay_one_input(tmp_path: Path) -> None:
    path = samples.put(tmp_path, samples.loop(levels(3), sop_class="1.2.840.10008.5.1.4.1.1.7.2"), "captured.dcm")
    assert [item.frame for item in io.expand(path)] == [None]


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-005")
@pytest.mark.parametrize(
    ("name", "frames", "code"), [("examples_ybr_color", 30, "COLOUR"), ("OBXXXX1A_rle_2frame", 2, "")]
)
def test_real_loops_come_frame_by_frame(name: str, frames: int, code: str, data: Path) -> None:
    (path,) = sorted((data / "dicom").rglob(f"{name}.dcm"))[:1]
    inputs, reader = io.expand(path), io.Reader()
    assert len(inputs) == frames
    whole = io.read(path).image.pixels
    for item, frame in zip(inputs, whole, strict=True):
        image = reader.read(item).image
        assert (image.pixels[0] == frame).all()
        judged = admit(image, Limits())
        assert isinstance(judged, Refused)
        assert code in judged.code

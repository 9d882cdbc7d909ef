# SPDX-License-Identifier: Apache-2.0
"""DICOM files give samples, spacing, digests and identities, or a typed error that names the reason."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

from radiomicnet_md import io
from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Image
from radiomicnet_md.io import dicom, new_images
from radiomicnet_md.io.dicom_pixels import codestream_size
from tests.io import samples

RLE, JPEG, JPEG_LS, J2K, DEFLATED = (f"1.2.840.10008.1.2.{tail}" for tail in ("5", "4.50", "4.80", "4.90", "1.99"))


def image_of(folder: Path, data: bytes) -> Image:
    return io.read(samples.put(folder, data)).image


def code_of(folder: Path, data: bytes) -> tuple[str, str]:
    with pytest.raises(InputError) as caught:
        io.read(samples.put(folder, data))
    return caught.value.code, str(caught.value)


def relabelled(syntax: str, frame: bytes = b"\xff\x4f\xff\x51" + bytes(60)) -> bytes:
    """A file that claims a compressed transfer syntax, with ``frame`` as its only frame."""

    def change(dataset: Dataset) -> None:
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = syntax

    return samples.ultrasound(change)


@pytest.mark.verifies("SRS-INP-007")
@pytest.mark.parametrize("syntax", [RLE, JPEG_LS, J2K])
def test_a_recompressed_copy_keeps_the_pixel_digest_alone(syntax: str, tmp_path: Path) -> None:
    plain = image_of(tmp_path, samples.ultrasound())
    stream = samples.picture(kind="JPEG2000", no_jp2=True)
    copy = relabelled(J2K, stream) if syntax == J2K else samples.compress(samples.ultrasound(), syntax)
    packed = image_of(tmp_path, copy)
    assert packed.origin.transfer_syntax_uid == syntax
    assert packed.pixels_sha256 == plain.pixels_sha256
    assert packed.origin.body_sha256 != plain.origin.body_sha256
    assert packed.origin.file_sha256 != plain.origin.file_sha256


@pytest.mark.verifies("SRS-INP-007")
def test_a_rewritten_meta_group_keeps_body_and_pixels(tmp_path: Path) -> None:
    first = samples.ultrasound()
    dataset = pydicom.dcmread(BytesIO(first))
    dataset.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    second = new_images.encode(dataset)
    one, two = image_of(tmp_path, first), image_of(tmp_path, second)
    assert one.origin.file_sha256 != two.origin.file_sha256
    assert one.origin.body_sha256 == two.origin.body_sha256
    assert one.pixels_sha256 == two.pixels_sha256


@pytest.mark.verifies("SRS-INP-007")
def test_a_data_set_without_preamble_is_all_body(tmp_path: Path) -> None:
    whole = samples.ultrasound()
    start = whole.index(b"\x08\x00\x08\x00CS")
    for bare in (whole[start:], whole[132:]):  # with and without file meta group
        image = image_of(tmp_path, bare)
        assert image.origin.body_sha256 == image_of(tmp_path, whole).origin.body_sha256
        assert image.pixels_sha256 == image_of(tmp_path, whole).pixels_sha256


@pytest.mark.verifies("SRS-INP-007")
@pytest.mark.verifies("SRS-INP-007", rc=("RC-025",))
def test_a_changed_pixel_changes_the_pixel_digest(tmp_path: Path) -> None:
    levels = samples.frame().copy()
    levels[5, 5] ^= 1
    one, two = (image_of(tmp_path, data) for data in (samples.ultrasound(), samples.ultrasound(levels=levels)))
    assert one.pixels_sha256 != two.pixels_sha256


@pytest.mark.verifies("SRS-INP-002")
def test_other_encodings_of_the_same_samples(tmp_path: Path) -> None:
    expected = image_of(tmp_path, samples.ultrasound()).pixels_sha256
    for implicit, little, syntax in ((True, True, ""), (False, False, ".2"), (False, True, ".1.99")):
        dataset = pydicom.dcmread(BytesIO(samples.ultrasound()))
        dataset.file_meta.TransferSyntaxUID = f"1.2.840.10008.1.2{syntax}"
        buffer = BytesIO()
        pydicom.dcmwrite(buffer, dataset, implicit_vr=implicit, little_endian=little, enforce_file_format=True)
        assert image_of(tmp_path, buffer.getvalue()).pixels_sha256 == expected


@pytest.mark.verifies("SRS-INP-006")
def test_a_deflated_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = pydicom.dcmread(BytesIO(samples.ultrasound()))
    dataset.file_meta.TransferSyntaxUID = DEFLATED
    dataset.add_new(0x00091010, "OB", bytes(2**22))
    dataset.add_new(0x00090010, "LO", "BOMB")
    data = new_images.encode(dataset)
    assert len(data) < 2**16
    monkeypatch.setattr(dicom, "MAX_FILE_BYTES", 2**21)
    assert code_of(tmp_path, data)[0] == "E-INPUT-TOO-LARGE"
    assert code_of(tmp_path, data[:-60])[0] in {"E-INPUT-TOO-LARGE", "E-INPUT-TRUNCATED"}


@pytest.mark.verifies("SRS-INP-006")
def test_a_compressed_frame_of_another_size_is_not_decoded(tmp_path: Path) -> None:
    frame = samples.picture(kind="JPEG2000", no_jp2=True)
    assert codestream_size(frame) == (96, 128)
    at = frame.index(b"\xff\x4f\xff\x51")
    huge = frame[: at + 8] + (60_000).to_bytes(4, "big") * 2 + frame[at + 16 :]
    code, text = code_of(tmp_path, relabelled(J2K, huge))
    assert code == "E-INPUT-BROKEN"
    assert "60000 x 60000" in text
    assert code_of(tmp_path, relabelled(RLE, bytes(3 * 2**20)))[0] == "E-INPUT-BROKEN"


@pytest.mark.verifies("SRS-INP-006")
def test_the_size_in_a_jpeg_stream() -> None:
    jpeg = samples.picture(kind="JPEG")
    assert codestream_size(jpeg) == (96, 128)
    assert codestream_size(b"\xff\xd8\xff\xff" + jpeg[3:]) == (96, 128)  # a fill byte
    assert codestream_size(b"\xff\xd8") is None
    assert codestream_size(bytes(64)) is None


@pytest.mark.verifies("SRS-INP-001")
def test_high_throughput_jpeg_2000_is_decoded(data: Path) -> None:
    image = io.read(data / "dicom" / "pydicom_data" / "HTJ2K_08_RGB.dcm").image
    assert (image.pixels.shape, image.origin.decoder) == ((1, 480, 640, 3), "pylibjpeg")


@pytest.mark.verifies("SRS-INP-001")
def test_no_decoder_names_the_transfer_syntax(tmp_path: Path) -> None:
    code, text = code_of(tmp_path, relabelled("1.2.840.10008.1.2.4.102"))
    assert code == "E-INPUT-NO-DECODER"
    assert "MPEG-4" in text
    code, text = code_of(tmp_path, relabelled(JPEG).replace(JPEG.encode(), b"1.2.840.10008.1.2.4.39"))
    assert code == "E-INPUT-NO-DECODER"
    assert "4.39" not in text
    assert code_of(tmp_path, relabelled(JPEG, b"\xff\xd8" + bytes(80)))[0] == "E-INPUT-NOT-DECODED"


@pytest.mark.verifies("SRS-INP-001")
def test_without_pixel_data(tmp_path: Path) -> None:
    data = samples.ultrasound(lambda dataset: dataset.__delattr__("PixelData"))
    assert code_of(tmp_path, data)[0] == "E-INPUT-NO-PIXELS"


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize("keyword", ["Rows", "BitsAllocated", "PhotometricInterpretation", "PixelRepresentation"])
def test_without_an_attribute_that_the_samples_need(keyword: str, tmp_path: Path) -> None:
    data = samples.ultrasound(lambda dataset: dataset.__delattr__(keyword))
    assert code_of(tmp_path, data)[0] == "E-INPUT-BROKEN"


@pytest.mark.verifies("SRS-INP-001")
def test_a_broken_sequence(tmp_path: Path) -> None:
    data = samples.ultrasound()
    at = data.index(b"\x18\x00\x11\x60SQ")  # Sequence of Ultrasound Regions
    broken = data[: at + 8] + b"\xf0\xff\xff\x0f" + data[at + 12 :]
    assert code_of(tmp_path, broken)[0] in {"E-INPUT-BROKEN", "E-INPUT-NO-PIXELS", "E-INPUT-TRUNCATED"}


@pytest.mark.verifies("SRS-INP-001")
def test_sequences_in_sequences_do_not_exhaust_the_stack(tmp_path: Path) -> None:
    head = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
    assert code_of(tmp_path, bytes(128) + b"DICM" + head * 20_000)[0].startswith("E-INPUT-")


def _region(**values: Any) -> Callable[[Any], None]:  # noqa: ANN401
    def change(dataset: Any) -> None:  # noqa: ANN401
        for keyword, value in values.items():
            setattr(dataset if keyword == "PixelSpacing" else dataset.SequenceOfUltrasoundRegions[0], keyword, value)

    return change


def _second_region(delta: float) -> Callable[[Any], None]:
    def change(dataset: Any) -> None:  # noqa: ANN401
        other = deepcopy(dataset.SequenceOfUltrasoundRegions[0])
        other.PhysicalDeltaX = delta
        dataset.SequenceOfUltrasoundRegions.append(other)

    return change


@pytest.mark.verifies("SRS-INP-004")
@pytest.mark.parametrize(
    ("change", "spacing"),
    [
        (None, (0.08, 0.08)),
        (_region(PhysicalDeltaX=-0.02), (0.08, 0.2)),  # a delta has a direction
        (_region(PhysicalDeltaX=0.0), None),
        (_region(PhysicalDeltaY=float("nan")), None),
        (_region(PhysicalUnitsXDirection=4), None),  # seconds: an M-mode
        (_region(RegionSpatialFormat=3), None),
        (_region(PixelSpacing=["0.08", "0.08"]), (0.08, 0.08)),
        (_region(PixelSpacing=["1.0", "1.0"]), None),  # contradicts the region
        (_region(PixelSpacing=["0.082", "0.082"]), None),  # by one part in forty
        (_region(PhysicalDeltaX=0.0, PixelSpacing=["0.08", "0.08"]), None),  # one statement is none
        (_second_region(0.008), (0.08, 0.08)),
        (_second_region(0.016), None),
        (lambda dataset: dataset.__delattr__("SequenceOfUltrasoundRegions"), None),
    ],
)
@pytest.mark.verifies("SRS-INP-004", rc=("RC-012",))
def test_millimetres_only_where_stated_and_agreed(
    change: Callable[[Any], None] | None, spacing: tuple[float, float] | None, tmp_path: Path
) -> None:
    assert image_of(tmp_path, samples.ultrasound(change)).spacing_mm == pytest.approx(spacing)


@pytest.mark.verifies("SRS-INP-004")
@pytest.mark.parametrize("steps", [["0", "0"], ["-1", "1"], ["1e400", "1"]])
@pytest.mark.verifies("SRS-INP-004", rc=("RC-012",))
def test_a_pixel_spacing_that_is_none(steps: list[str], tmp_path: Path) -> None:
    def change(dataset: Any) -> None:  # noqa: ANN401
        del dataset.SequenceOfUltrasoundRegions
        dataset.add_new(0x00280030, "DS", steps)

    assert image_of(tmp_path, samples.ultrasound(change)).spacing_mm is None


@pytest.mark.verifies("SRS-INP-008")
def test_identities_leave_apart(tmp_path: Path) -> None:
    def change(dataset: Any) -> None:  # noqa: ANN401
        dataset.PatientName = "Doe^Jane"
        dataset.PatientID = "4711"
        dataset.PatientBirthDate = "19700101"
        dataset.add_new(0x00080060, "LO", "Doe Jane 19700101")  # free text where a code belongs

    reading = io.read(samples.put(tmp_path, samples.ultrasound(change)))
    assert reading.identity.values["PatientName"] == "Doe^Jane"
    assert reading.identity.values["PatientID"] == "4711"
    assert reading.identity.values["StudyInstanceUID"] == reading.dataset.StudyInstanceUID
    shown = repr(reading.image)
    for value in reading.identity.values.values():
        assert len(value) < 4 or value not in shown
    assert reading.image.origin.modality == "not a code"


@pytest.mark.verifies("SRS-INP-005")
@pytest.mark.parametrize("photometric", ["RGB", "YBR_FULL"])
def test_grey_in_three_samples(photometric: str, tmp_path: Path) -> None:
    levels = samples.frame()
    chroma = levels if photometric == "RGB" else np.full_like(levels, 128)
    pixels = np.stack([levels, chroma, chroma], axis=-1)
    data = samples.ultrasound(lambda dataset: samples.with_samples(dataset, pixels, photometric))
    assert (io.grey(image_of(tmp_path, data)) == levels).all()
    pixels[7, 7, 1] ^= 1
    data = samples.ultrasound(lambda dataset: samples.with_samples(dataset, pixels, photometric))
    with pytest.raises(InputError, match="not one frame of 8-bit grey"):
        io.grey(image_of(tmp_path, data))


@pytest.mark.verifies("SRS-INP-005")
def test_grey_in_a_colour_jpeg(tmp_path: Path) -> None:
    frame = samples.picture(kind="JPEG", mode="RGB", quality=95)

    def change(dataset: Any) -> None:  # noqa: ANN401
        samples.with_samples(dataset, np.stack([samples.frame()] * 3, axis=-1), "YBR_FULL_422")
        dataset.PixelData = encapsulate([frame])
        dataset["PixelData"].is_undefined_length = True
        dataset.file_meta.TransferSyntaxUID = JPEG

    image = image_of(tmp_path, samples.ultrasound(change))
    assert image.origin.lossy is True
    assert image.origin.decoder in {"gdcm", "pillow"}
    assert np.abs(io.grey(image).astype(int) - samples.frame()).mean() < 4


@pytest.mark.verifies("SRS-INP-005")
def test_the_colour_file_of_the_demonstration(tmp_path: Path) -> None:
    path = get_testdata_file("examples_rgb_color.dcm")
    assert path is not None
    image = io.read(Path(path)).image
    assert (image.origin.modality, image.origin.photometric) == ("US", "RGB")
    assert image.pixels.shape == (1, 240, 320, 3)
    with pytest.raises(InputError):
        io.grey(image)


@pytest.mark.verifies("SRS-INP-006")
@pytest.mark.parametrize("keyword", ["PatientID", "Modality", "PixelSpacing"])
def test_a_sequence_where_text_belongs_is_refused_and_not_written_out(tmp_path: Path, keyword: str) -> None:
    def nest(dataset: Any) -> None:  # noqa: ANN401
        inner = Dataset()
        for _ in range(40):
            outer = Dataset()
            outer.ReferencedStudySequence = [inner]
            inner = outer
        dataset[keyword] = DataElement(tag_for_keyword(keyword), "SQ", Sequence([inner]))

    path = tmp_path / "nested.dcm"
    path.write_bytes(samples.ultrasound(nest))
    with pytest.raises(InputError) as caught:
        io.read(path)
    assert caught.value.code == "E-INPUT-BROKEN"
    assert io.expand(path)[0].problem is None

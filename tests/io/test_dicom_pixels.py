# SPDX-License-Identifier: Apache-2.0
"""Pixel data are bounded by the header to the byte, and by each compressed frame's own header, before decoding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate, encapsulate_extended

from radiomicnet_md.io import decoding, dicom_pixels, source
from radiomicnet_md.io.source import UnreadableError

pytestmark = pytest.mark.verifies("SRS-INP-006", "SRS-INP-001")

LEVELS: NDArray[np.uint8] = np.arange(2 * 4 * 6, dtype=np.uint8).reshape(2, 4, 6)
UNKNOWN = "1.2.840.10008.1.2.4.39"


def made(pixels: NDArray[Any] = LEVELS, syntax: str = uid.ExplicitVRLittleEndian, **changes: Any) -> Any:  # noqa: ANN401
    """A data set of frames (frames, rows, columns) or (frames, rows, columns, samples); ``None`` takes a field away."""
    dataset = Dataset()
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = pixels.shape[:3]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 3 else pixels.shape[3]
    dataset.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 3 else "RGB"
    if pixels.ndim == 4:
        dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit, dataset.PixelRepresentation = dataset.BitsStored - 1, 0
    dataset.PixelData = pixels.tobytes()
    dataset["PixelData"].VR = "OW"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    return dataset


def packed(frames: list[bytes], syntax: str = uid.JPEGLSLossless, **changes: Any) -> Any:  # noqa: ANN401
    dataset = made(syntax=syntax, **{"NumberOfFrames": len(frames), **changes})
    dataset.PixelData = encapsulate(frames)
    dataset["PixelData"].is_undefined_length = True
    return dataset


def refusal(read: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(UnreadableError) as caught:
        read()
    return caught.value.code, str(caught.value)


def jpeg(rows: int, columns: int, before: bytes = b"", marker: int = 0xC0) -> bytes:
    """The head of a JPEG stream with ``before`` between its start and its size."""
    size = b"\x00\x0b\x08" + rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    return b"\xff\xd8" + before + bytes((0xFF, marker)) + size + bytes(4)


def j2k(rows: int, columns: int, offset: tuple[int, int] = (0, 0), before: bytes = b"") -> bytes:
    """The head of a JPEG 2000 stream of an image area that begins at ``offset`` (down, across)."""
    down, across = offset
    numbers = (columns + across, rows + down, across, down)
    return before + b"\xff\x4f\xff\x51" + bytes(4) + b"".join(one.to_bytes(4, "big") for one in numbers) + bytes(20)


# --------------------------------------------------------------------------------------------- decoding


def test_native_samples_come_in_four_axes_and_in_the_order_of_this_machine() -> None:
    array, name = dicom_pixels.decode(made(), b"")
    assert name == "pydicom"
    assert array.shape == (2, 4, 6, 1)
    assert (array[..., 0] == LEVELS).all()
    words = (LEVELS.astype(np.uint16) * 257 + 1).astype(">u2")
    turned, _ = dicom_pixels.decode(made(words, uid.ExplicitVRBigEndian), b"")
    assert turned.dtype == np.dtype("=u2")
    assert turned.dtype.isnative
    assert (turned[..., 0] == words).all()
    colour = np.stack([LEVELS, LEVELS + 1, LEVELS + 2], axis=-1).astype(np.uint8)
    assert (dicom_pixels.decode(made(colour), b"")[0] == colour).all()


def test_samples_are_as_they_are_stored() -> None:
    """No colour is turned into another: what the file says is what the gate judges."""
    colour = np.stack([LEVELS, LEVELS + 100, LEVELS + 50], axis=-1).astype(np.uint8)
    dataset = made(colour, PhotometricInterpretation="YBR_FULL")
    assert (dicom_pixels.decode(dataset, b"")[0] == colour).all()
    assert (dicom_pixels.native_frame(dataset, 1)[0] == colour[1]).all()


def test_one_native_frame() -> None:
    for index in (0, 1):
        frame = dicom_pixels.native_frame(made(), index)
        assert frame.shape == (1, 4, 6, 1)
        assert frame.dtype == np.uint8
        assert (frame[0, :, :, 0] == LEVELS[index]).all()
    words = LEVELS.astype(">u2")
    frame = dicom_pixels.native_frame(made(words, uid.ExplicitVRBigEndian), 1)
    assert frame.dtype.isnative
    assert (frame[0, :, :, 0] == words[1]).all()


def test_frames_and_samples_that_are_not_stated_are_one() -> None:
    dataset = made(LEVELS[:1], NumberOfFrames=None)
    assert dicom_pixels.decode(dataset, b"")[0].shape == (1, 4, 6, 1)
    assert dicom_pixels.extents(made(SamplesPerPixel=None)) == (4, 6, 1)
    assert dicom_pixels.extents(made(SamplesPerPixel=3)) == (4, 6, 3)
    assert refusal(lambda: dicom_pixels.decode(made(NumberOfFrames=3), b""))[0] == "E-INPUT-TRUNCATED"


@pytest.mark.parametrize(
    ("frames", "rows", "columns", "samples"), [(3, 4, 6, 1), (2, 5, 6, 1), (2, 4, 7, 1), (2, 4, 6, 2)]
)
def test_each_extent_counts_for_the_bound(
    frames: int, rows: int, columns: int, samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MAX_SAMPLES", LEVELS.size)
    assert dicom_pixels.decode(made(), b"")[0].size == LEVELS.size
    claimed = made(NumberOfFrames=frames, Rows=rows, Columns=columns, SamplesPerPixel=samples)
    assert refusal(lambda: dicom_pixels.decode(claimed, b""))[0] == "E-INPUT-TOO-LARGE"


def test_a_stream_of_more_frames_than_are_announced_is_bounded_by_what_it_holds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []
    monkeypatch.setattr(decoding, "decode", lambda data: asked.append(data) or (LEVELS[..., None], "gdcm"))
    dataset = packed([jpeg(4, 6)] * 2)
    monkeypatch.setattr(source, "MAX_SAMPLES", 48)
    assert dicom_pixels.decode(dataset, b"the file")[1] == "gdcm"
    dataset.PixelData = encapsulate([jpeg(4, 6)] * 3)
    dataset["PixelData"].is_undefined_length = True
    assert refusal(lambda: dicom_pixels.decode(dataset, b"the file"))[0] == "E-INPUT-TOO-LARGE"
    assert asked == [b"the file"]


def test_run_length_data_are_read_here_and_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "decode", lambda _: pytest.fail("run lengths are no other process's business"))
    dataset = made()
    dataset.compress(uid.RLELossless, generate_instance_uid=False)
    array, name = dicom_pixels.decode(dataset, b"")
    assert (name, array.shape) == ("pydicom", (2, 4, 6, 1))
    assert (array[..., 0] == LEVELS).all()
    monkeypatch.setattr(source, "MAX_SAMPLES", 47)
    dataset.NumberOfFrames = 1
    assert refusal(lambda: dicom_pixels.decode(dataset, b""))[0] == "E-INPUT-TOO-LARGE"


@pytest.mark.parametrize(
    ("size", "bound"), [((5, 6, 1), 59), ((4, 7, 1), 55), ((4, 6, 2), 95)], ids=["rows", "columns", "samples"]
)
def test_each_extent_counts_for_the_bound_of_the_frames_that_are_there(
    size: tuple[int, int, int], bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns, samples = size
    monkeypatch.setattr(decoding, "decode", lambda _: (LEVELS[..., None], "gdcm"))
    one, two = (
        packed([jpeg(rows, columns)] * 2, NumberOfFrames=1, Rows=rows, Columns=columns, SamplesPerPixel=samples)
        for _ in range(2)
    )
    monkeypatch.setattr(source, "MAX_SAMPLES", bound + 1)
    assert dicom_pixels.decode(one, b"")[1] == "gdcm"
    monkeypatch.setattr(source, "MAX_SAMPLES", bound)
    assert refusal(lambda: dicom_pixels.decode(two, b""))[0] == "E-INPUT-TOO-LARGE"


def test_what_another_process_says_is_what_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    words = (LEVELS[..., None].astype(">u2"), "gdcm")
    monkeypatch.setattr(decoding, "decode", lambda data: words if data == b"the file" else None)
    array, name = dicom_pixels.decode(packed([jpeg(4, 6)] * 2), b"the file")
    assert (name, array.dtype.isnative) == ("gdcm", True)
    assert (array == words[0]).all()
    code, text = refusal(lambda: dicom_pixels.decode(packed([jpeg(4, 6)] * 2), b"another"))
    assert code == "E-INPUT-NOT-DECODED"
    assert "JPEG-LS Lossless" in text

    def slow(_: bytes) -> None:
        raise TimeoutError

    monkeypatch.setattr(decoding, "decode", slow)
    assert refusal(lambda: dicom_pixels.decode(packed([jpeg(4, 6)] * 2), b""))[0] == dicom_pixels.SLOW


def test_frames_of_another_size_are_told_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "decode", lambda _: pytest.fail("decoded"))
    code, text = refusal(lambda: dicom_pixels.decode(packed([jpeg(4, 6), jpeg(40, 60)]), b""))
    assert code == "E-INPUT-BROKEN"
    assert "40 x 60 pixels, the header 4 x 6" in text


# --------------------------------------------------------------------------------------------- decoders


def test_a_syntax_that_dicom_does_not_define_is_not_written_out() -> None:
    code, text = refusal(lambda: dicom_pixels.decoder_of(made(syntax=UNKNOWN)))
    assert code == "E-INPUT-NO-DECODER"
    assert UNKNOWN not in text
    assert "a transfer syntax that DICOM does not define" in text


def test_a_syntax_without_a_decoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    mpeg = "1.2.840.10008.1.2.4.102"
    code, text = refusal(lambda: dicom_pixels.decoder_of(made(syntax=mpeg)))
    assert code == "E-INPUT-NO-DECODER"
    assert f"({mpeg})" in text
    assert "MPEG-4" in text
    absent = type("Absent", (), {"is_available": False})()
    monkeypatch.setattr(dicom_pixels, "get_decoder", lambda _: absent)
    code, text = refusal(lambda: dicom_pixels.decoder_of(made(syntax=uid.JPEG2000)))
    assert code == "E-INPUT-NO-DECODER"
    assert uid.JPEG2000 in text


# --------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize(
    ("bits", "photometric", "samples", "bytes_"),
    [
        (8, "MONOCHROME2", 1, 30),
        (16, "MONOCHROME2", 1, 60),
        (1, "MONOCHROME2", 1, 4),  # 30 bits
        (8, "YBR_FULL_422", 3, 60),  # two thirds of 90
        (8, "YBR_FULL", 3, 90),
    ],
)
def test_native_data_are_as_long_as_the_header_says_to_the_byte(
    bits: int, photometric: str, samples: int, bytes_: int
) -> None:
    def length(held: int) -> None:
        dataset = made(BitsAllocated=bits, PhotometricInterpretation=photometric, PixelData=bytes(held))
        dicom_pixels.check_length(dataset, 1, 5, 6, samples)

    length(bytes_)
    length(bytes_ + 1)
    code, text = refusal(lambda: length(bytes_ - 1))
    assert code == "E-INPUT-TRUNCATED"
    assert f"holds {bytes_ - 1} of {bytes_} bytes" in text


@pytest.mark.parametrize("keyword", ["PixelData", "FloatPixelData", "DoubleFloatPixelData"])
def test_each_kind_of_pixel_data_has_its_length(keyword: str) -> None:
    dataset = made(PixelData=None)
    setattr(dataset, keyword, b"")
    assert refusal(lambda: dicom_pixels.check_length(dataset, 1, 4, 6, 1))[0] == "E-INPUT-TRUNCATED"
    setattr(dataset, keyword, bytes(24))
    dicom_pixels.check_length(dataset, 1, 4, 6, 1)
    setattr(dataset, keyword, bytes(47))
    assert refusal(lambda: dicom_pixels.check_length(dataset, 2, 4, 6, 1))[0] == "E-INPUT-TRUNCATED"


def test_pixel_data_without_a_value_are_of_no_bytes() -> None:
    dataset = made()
    dataset["PixelData"].value = None
    _, text = refusal(lambda: dicom_pixels.check_length(dataset, 1, 4, 6, 1))
    assert "holds 0 of 24 bytes" in text


# --------------------------------------------------------------------------------------------- compressed frames


@pytest.mark.parametrize(("bits", "container"), [(8, 1), (12, 2), (16, 2)])
def test_a_frame_is_at_most_twice_its_image_and_a_mebibyte(bits: int, container: int) -> None:
    most = 2 * 5 * 7 * 3 * container + 2**20
    fits, larger = (packed([bytes(length)], BitsAllocated=bits) for length in (most, most + 2))
    assert [len(frame) for frame in dicom_pixels.checked_frames(fits, 5, 7, 3)] == [most]
    assert refusal(lambda: list(dicom_pixels.checked_frames(larger, 5, 7, 3)))[0] == "E-INPUT-BROKEN"


def test_each_frame_must_claim_the_size_of_the_header_or_none() -> None:
    frames = [jpeg(4, 6), j2k(4, 6), bytes(16)]
    assert list(dicom_pixels.checked_frames(packed(frames), 4, 6, 1)) == [
        frame + b"\0" * (len(frame) % 2) for frame in frames
    ]
    for rows, columns in ((5, 6), (4, 7)):
        checked = dicom_pixels.checked_frames(packed(frames), rows, columns, 1)
        assert f"4 x 6 pixels, the header {rows} x {columns}" in refusal(lambda checked=checked: next(checked))[1]  # type: ignore[misc]


def test_frames_in_several_fragments_are_told_apart_by_the_offsets_or_by_their_number() -> None:
    dataset = packed([])
    frames = [jpeg(4, 6, b"\xff\xe1\x00\x08" + bytes(6)), jpeg(4, 6)]
    dataset.PixelData, table, lengths = encapsulate_extended([frame + b"\0" * (len(frame) % 2) for frame in frames])
    dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = table, lengths
    dataset.NumberOfFrames = 2
    assert len(list(dicom_pixels.checked_frames(dataset, 4, 6, 1))) == 2
    dataset.ExtendedOffsetTable = table[8:]  # a table of the second frame alone is believed
    dataset.ExtendedOffsetTableLengths = lengths[8:]
    assert [len(one) for one in dicom_pixels.checked_frames(dataset, 4, 6, 1)] == [len(frames[1]) + len(frames[1]) % 2]


@pytest.mark.parametrize("announced", [1, None])
def test_fragments_without_offsets_are_one_frame_where_one_is_announced(announced: int | None) -> None:
    stream = jpeg(4, 6) + bytes(400)
    dataset = packed([], NumberOfFrames=announced)
    dataset.PixelData = encapsulate([stream], fragments_per_frame=2, has_bot=False)
    assert [one.rstrip(b"\0") for one in dicom_pixels.checked_frames(dataset, 4, 6, 1)] == [stream.rstrip(b"\0")]


def test_fragments_without_offsets_are_a_frame_each_where_as_many_are_announced() -> None:
    dataset = packed([], NumberOfFrames=2)
    dataset.PixelData = encapsulate([jpeg(4, 6)] * 2, has_bot=False)
    assert len(list(dicom_pixels.checked_frames(dataset, 4, 6, 1))) == 2


# --------------------------------------------------------------------------------------------- sizes in streams


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2, 0xC3, 0xC9, 0xCF, 0xF7])
def test_the_size_in_each_frame_header_of_jpeg(marker: int) -> None:
    assert dicom_pixels.codestream_size(jpeg(0x0102, 0x0304, marker=marker)) == (0x0102, 0x0304)


@pytest.mark.parametrize(
    "before",
    [
        b"\xff",  # a fill byte
        b"\xff\xff\xff",
        b"\xff\x01",  # a marker alone
        b"\xff\xd0\xff\xd8",
        b"\xff\xe0\x00\x02",  # a segment of no content
        b"\xff\xe0\x00\x07abcde",
        b"\xff\xe0\x01\x02" + bytes(0x100),
        b"\xff\xc4\x00\x04ab\xff\xc8\x00\x02\xff\xcc\x00\x03c",  # tables, which have neighbours of frame headers
    ],
)
def test_what_stands_before_the_size_is_stepped_over(before: bytes) -> None:
    assert dicom_pixels.codestream_size(jpeg(0x0102, 0x0304, before)) == (0x0102, 0x0304)


def test_a_stream_that_ends_or_is_none_states_no_size() -> None:
    whole = jpeg(4, 6)
    assert dicom_pixels.codestream_size(whole[:12]) == (4, 6)
    for stream in (b"", whole[:11], whole[:2], b"\xff\xd9" + whole[2:], b"\xff\xd8\x00" + whole[3:], bytes(64)):
        assert dicom_pixels.codestream_size(stream) is None


def test_the_size_in_jpeg_2000_is_the_area_without_its_offset() -> None:
    assert dicom_pixels.codestream_size(j2k(0x01020304, 0x05060708)) == (0x01020304, 0x05060708)
    assert dicom_pixels.codestream_size(j2k(4, 6, (10, 20))) == (4, 6)
    assert dicom_pixels.codestream_size(j2k(4, 6, before=bytes(4092))) == (4, 6)
    assert dicom_pixels.codestream_size(j2k(4, 6, before=bytes(4093))) is None
    assert dicom_pixels.codestream_size(j2k(4, 6) + j2k(7, 8)) == (4, 6)
    assert dicom_pixels.codestream_size(jpeg(7, 8, b"\xff\xe0\x00\x40" + j2k(4, 6).ljust(62, b"\0"))) == (4, 6)

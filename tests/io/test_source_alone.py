# SPDX-License-Identifier: Apache-2.0
"""Formats are told by their first bytes, files are read when they are at rest, and grey is grey: each at its edge."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.image import Image, Origin
from radiomicnet_md.io import levels, source

HEADS = {
    b"\x89PNG\r\n\x1a\n": "png",
    b"\xff\xd8\xff": "jpeg",
    b"II*\0": "tiff",
    b"MM\0*": "tiff",
    b"II+\0": "tiff",
    b"MM\0+": "tiff",
    b"\x1f\x8b": "gzip",
    b"NRRD000": "nrrd",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"PK\x07\x08": "zip",
    b"ObjectType = Image": "mha",
    b" \n NDims=2": "mha",
    b"\x08\x00\x05\x00CS\x0a\x00": "dicom",  # (0008,0005) explicit
    b"\x02\x00\x00\x00UL\x04\x00": "dicom",  # (0002,0000) explicit
    b"\x00\x08\x00\x05CS\x00\x0a": "dicom",  # (0008,0005) explicit, big endian
    b"\x08\x00\x05\x00\x0a\x00\x00\x00": "dicom",  # (0008,0005) implicit, of ten bytes
    b"\x02\x00\x00\x00\x01\x00\x00\x00": "dicom",
    b"\x08\x00\x05\x00\x0a\x00\x00\x00ISO_IR 100": "dicom",
    b"\x08\x00\x05\x00\xff\x03\x00\x00": "dicom",  # of 1023 bytes
}
OTHERS = [
    b"",
    b"GIF89a",
    b"\x00\x08\x00\x05\x00\x00\x00\x0a",  # big endian and implicit does not exist
    b"\x10\x00\x10\x00PN\x04\x00",  # another group, though with a representation
    b"\x08\x00\x05\x00cs\x0a\xff",
    b"\x08\x00\x05\x00C1\x0a\xff",
    b"\x08\x00\x05\x0012\x0a\xff",
    b"\x08\x00\x05\x00\x00\x00\x00\x00",  # of no bytes
    b"\x08\x00\x05\x00\x00\x04\x00\x00",  # of 1024 bytes
    b"\x08\x00\x05\x00\x0a\x00\x00\x01",
    b"\x08\x00\x05\x00\x0a\x00\x01\x00",
    b"\x08\x00\x05\x00\x01\x00\x00\xff",
    b"\x00\x07\x00\x05CS\x00\x0a",
]
NIFTI = {"n+1": b"\x5c\x01\x00\x00", "ni1": b"\x00\x00\x01\x5c", "n+2": b"\x1c\x02\x00\x00", "ni2": b"\x00\x00\x02\x1c"}


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize("head", HEADS)
def test_a_format_is_told_by_its_first_bytes(head: bytes) -> None:
    """As PS3.5 7.1, PNG 5.2, JPEG B.1.1.2, TIFF 6.0, RFC 1952, APPNOTE 4.3, and NRRD and MetaImage say."""
    assert source.sniff(head + bytes(2000)) == HEADS[head]
    assert source.sniff(bytes(128) + b"DICM" + head) == "dicom"
    assert source.sniff(head + bytes(128 - len(head)) + b"DICM") == "dicom"


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize("version", NIFTI)
def test_nifti_is_told_by_size_and_magic_together(version: str) -> None:
    size, magic = NIFTI[version], version.encode() + b"\0"
    place = 344 if version.endswith("1") else 4
    whole = size + bytes(place - 4) + magic + bytes(400)
    assert source.sniff(whole) == "nifti"
    for broken in (size + bytes(800), bytes(place) + magic + bytes(800), size + bytes(place - 3) + magic + bytes(800)):
        with pytest.raises(InputError) as caught:
            source.sniff(broken)
        assert caught.value.code == "E-INPUT-NOT-AN-IMAGE"


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize("data", OTHERS)
def test_what_begins_otherwise_is_no_image(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        source.sniff(data + bytes(2000) if data else data)
    assert caught.value.code == "E-INPUT-NOT-AN-IMAGE"


@pytest.mark.verifies("SRS-INP-001")
def test_a_first_element_ends_within_the_file() -> None:
    """The element says how long it is; a file that is no longer than that is no data set."""
    element = b"\x08\x00\x05\x00\x0c\x00\x00\x00"
    assert source.sniff(element + bytes(5)) == "dicom"
    for short in (element + bytes(4), element, element[:6], element[:4] + b"C"):
        with pytest.raises(InputError):
            source.sniff(short)
    assert source.sniff(b" " * 58 + b"NDims=2") == "mha", "within the first 64 bytes"
    with pytest.raises(InputError):
        source.sniff(b" " * 59 + b"NDims=2")


@pytest.mark.verifies("SRS-INP-006", rc=("RC-013",))
def test_a_file_that_grows_between_listing_and_reading_is_read_later(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    listed = source.stamp_of(path.stat())
    assert source.load(path, listed) == source.load(path) == b"whole"
    for size, changed in ((listed[0] + 1, listed[1]), (listed[0], listed[1] - 1)):
        with pytest.raises(source.GrowingError) as caught:
            source.load(path, (size, changed))
        assert (caught.value.code, caught.value.exit_code) == ("E-INPUT-GROWING", ExitCode.RETRY)


@pytest.mark.verifies("SRS-INP-006")
def test_a_file_that_grows_while_it_is_read_is_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, real = tmp_path / "file", os.fstat
    path.write_bytes(b"half")

    def later(handle: int) -> os.stat_result:
        seen = real(handle)
        with path.open("ab") as file:
            file.write(b"more")
        return seen

    monkeypatch.setattr(os, "fstat", later)
    with pytest.raises(source.GrowingError):
        source.load(path)


@pytest.mark.verifies("SRS-INP-006")
def test_a_disk_that_fails_is_told_and_nothing_stays_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"whole")
    before = opened()

    def fails(_: int) -> os.stat_result:
        raise OSError(errno.EIO, "input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fstat", fails)
        with pytest.raises(InputError) as caught:
            source.load(path)
    assert caught.value.code == "E-INPUT-UNREADABLE"
    assert os.strerror(errno.EIO) in str(caught.value)
    source.load(path)
    assert opened() == before


def opened() -> int:
    """How many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.verifies("SRS-INP-006")
def test_no_more_is_read_than_one_byte_beyond_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 100)
    path = tmp_path / "file"
    path.write_bytes(bytes(10_000))
    asked: list[int] = []
    monkeypatch.setattr("builtins.open", counting(asked))
    with pytest.raises(InputError):
        source.load(path)
    assert asked == [101]


def counting(asked: list[int]) -> Callable[..., object]:
    """An ``open`` whose files note how many bytes were asked for."""
    real = open

    def noting(*words: object, **more: object) -> object:
        file = real(*words, **more)  # type: ignore[call-overload]

        class Noting:
            def __enter__(self) -> Self:
                return self

            def __exit__(self, *_: object) -> None:
                file.close()

            def read(self, size: int) -> bytes:
                asked.append(size)
                return bytes(file.read(size))

        return Noting()

    return noting


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize(
    ("build", "code"),
    [
        (source.broken, "E-INPUT-BROKEN"),
        (source.truncated, "E-INPUT-TRUNCATED"),
        (source.unsupported, "E-INPUT-UNSUPPORTED"),
        (source.too_large, "E-INPUT-TOO-LARGE"),
    ],
)
def test_a_failure_has_a_code_and_says_what_was_wrong(build: Callable[[str], InputError], code: str) -> None:
    made = build("There are three of four bytes.")
    assert made.code == code
    assert "three of four bytes" in str(made)


@pytest.mark.verifies("SRS-INP-001")
@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("gone", "E-INPUT-MISSING"),
        ("file/below", "E-INPUT-MISSING"),
        ("\0", "E-INPUT-MISSING"),
        ("folder", "E-INPUT-DIRECTORY"),
        ("pipe", "E-INPUT-NOT-A-FILE"),
        ("empty", "E-INPUT-EMPTY"),
        ("closed", "E-INPUT-PERMISSION"),
    ],
)
def test_what_cannot_be_read_has_a_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, code: str
) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for one in ("file", "closed"):
        (tmp_path / one).write_bytes(b"whole")
    (tmp_path / "empty").touch()
    real = os.open

    def locked(path: Path, flags: int) -> int:
        if path.name == "closed":  # the account of the tests may read everything
            raise PermissionError(errno.EACCES, "permission denied")
        return real(path, flags)

    monkeypatch.setattr(os, "open", locked)
    with pytest.raises(InputError) as caught:
        source.load(tmp_path / name)
    assert caught.value.code == code


# ------------------------------------------------------------------------------------------ grey

GREY = np.arange(12, dtype=np.uint8).reshape(1, 3, 4)
NEUTRAL = np.full_like(GREY, 128)


def image(*channels: np.ndarray, photometric: str = "RGB") -> Image:
    return Image(np.stack(channels, axis=-1), Origin("dicom", "0" * 64, photometric=photometric))


@pytest.mark.verifies("SRS-INP-005", rc=("RC-011",))
@pytest.mark.parametrize(
    ("channels", "photometric"),
    [
        ((GREY, GREY + 1, GREY), "RGB"),
        ((GREY, GREY, GREY + 1), "RGB"),
        ((GREY, NEUTRAL, GREY), "YBR_FULL"),
        ((GREY, GREY, NEUTRAL), "YBR_FULL_422"),
        ((GREY, GREY), "RGB"),
    ],
)
def test_a_channel_that_says_anything_else_is_colour(channels: tuple[np.ndarray, ...], photometric: str) -> None:
    given = image(*channels, photometric=photometric)
    assert levels.single_channel(given) is None
    with pytest.raises(InputError) as caught:
        levels.grey(given)
    assert caught.value.code == "E-INPUT-NOT-GREY"


@pytest.mark.verifies("SRS-INP-005")
def test_grey_is_one_frame_of_bytes() -> None:
    for good in (image(GREY), image(GREY, GREY, GREY), image(GREY, NEUTRAL, NEUTRAL, photometric="YBR_FULL")):
        assert np.array_equal(levels.grey(good), GREY[0])
    for wrong in (image(GREY.astype(np.uint16)), image(GREY.view(np.int8)), image(np.concatenate([GREY, GREY]))):
        with pytest.raises(InputError) as caught:
            levels.grey(wrong)
        assert caught.value.code == "E-INPUT-NOT-GREY"

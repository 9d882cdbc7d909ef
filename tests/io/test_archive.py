# SPDX-License-Identifier: Apache-2.0
"""A ZIP file gives its images from memory, or is refused whole: nothing is unpacked, nothing leads out of it."""

from __future__ import annotations

import stat
import struct
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from radiomicnet_md import io
from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.io import archive
from tests.io import samples

Change = Callable[[zipfile.ZipFile], None]


def pack(folder: Path, *members: tuple[str, bytes], change: Change | None = None) -> Path:
    """A ZIP file of members, deflated."""
    path = folder / "study.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, data in members:
            packed.writestr(name, data)
        if change:
            change(packed)
    return path


def refusal(path: Path) -> str:
    """The code with which a ZIP file is refused."""
    with pytest.raises(InputError) as caught:
        io.expand(path)
    assert caught.value.exit_code == ExitCode.INTENDED_USE
    return caught.value.code


@pytest.mark.verifies("SRS-INP-010")
def test_the_images_of_a_zip_file_in_order(tmp_path: Path) -> None:
    path = pack(
        tmp_path,
        ("b/IM0001", samples.ultrasound()),
        ("a.png", samples.picture()),
        ("c/broken.dcm", b"it claims to be one"),
        ("README.md", b"# words"),
        ("DICOMDIR", samples.ultrasound()),
        ("__MACOSX/a.png", b"\0"),
        ("inner.zip", b"PK\x03\x04" + bytes(40)),
    )
    inputs = io.expand(path)
    assert [item.member for item in inputs] == ["a.png", "b/IM0001", "c/broken.dcm"]
    assert [item.name for item in inputs] == ["a", "IM0001", "broken"]
    assert inputs[1].shown == f"{path}/b/IM0001"
    assert (io.read(inputs[0]).image.pixels[0, :, :, 0] == samples.frame()).all()
    assert io.read(inputs[1]).image.origin.file_sha256 == inputs[1].sha256()
    with pytest.raises(InputError) as caught:
        io.read(inputs[2])
    assert caught.value.code == "E-INPUT-NOT-AN-IMAGE"
    assert [item.name for item in tmp_path.iterdir()] == ["study.zip"]


def _named(name: str) -> Change:
    def add(packed: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("placeholder")
        info.filename = name
        packed.writestr(info, samples.picture())

    return add


def _kind(mode: int) -> Change:
    def add(packed: zipfile.ZipFile) -> None:
        info = zipfile.ZipInfo("special.png")
        info.external_attr = mode << 16
        packed.writestr(info, "/etc/hostname")

    return add


def _twice(packed: zipfile.ZipFile) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed.writestr("a.png", samples.picture())


def _rare(packed: zipfile.ZipFile) -> None:
    packed.writestr("rare.png", samples.picture(), compress_type=zipfile.ZIP_LZMA)


@pytest.mark.verifies("SRS-INP-010")
@pytest.mark.parametrize(
    "change",
    [
        *map(_named, ["../out.png", "/etc/out.png", "a/../../out.png", "a\\..\\out.png", "C:out.png", "a//b.png"]),
        *map(_named, ["line\nbreak.png", "turn\u202egnp.exe"]),
        *map(_kind, [stat.S_IFLNK | 0o777, stat.S_IFIFO | 0o600, stat.S_IFCHR | 0o600]),
        _twice,
        _rare,
    ],
)
@pytest.mark.verifies("SRS-INP-010", rc=("RC-013",))
def test_a_hostile_zip_file_is_refused_whole(change: Change, tmp_path: Path) -> None:
    path = pack(tmp_path, ("a.png", samples.picture()), change=change)
    assert refusal(path) == "E-INPUT-ARCHIVE-UNSAFE"
    with pytest.raises(InputError):
        io.read(io.Input(path, "a.png"))
    assert [item.name for item in tmp_path.iterdir()] == ["study.zip"]


@pytest.mark.verifies("SRS-INP-010")
def test_an_encrypted_member(tmp_path: Path) -> None:
    path = pack(tmp_path, ("a.png", samples.picture()))
    data = bytearray(path.read_bytes())
    for head, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(head) + at] |= 1
    path.write_bytes(data)
    assert refusal(path) == "E-INPUT-ARCHIVE-UNSAFE"


@pytest.mark.verifies("SRS-INP-010", "SRS-INP-006")
def test_bounds_hold_before_anything_is_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = pack(tmp_path, *((f"{number}.png", bytes(2**20)) for number in range(8)))
    assert path.stat().st_size < 2**14
    for name, bound in (("MAX_MEMBERS", 7), ("MAX_FILE_BYTES", 2**20 - 1), ("MAX_TOTAL_BYTES", 2**23 - 1)):
        with monkeypatch.context() as patched:
            patched.setattr(archive, name, bound)
            assert refusal(path) == "E-INPUT-TOO-LARGE"
    assert len(io.expand(path)) == 8


@pytest.mark.verifies("SRS-INP-010", "SRS-INP-006")
def test_members_that_share_bytes(tmp_path: Path) -> None:
    """One stream, named by many entries of the directory: each is small, all together are not."""
    path = pack(tmp_path, ("a.png", bytes(2**20)))
    data = path.read_bytes()
    start, count = data.index(b"PK\x01\x02"), 400
    end = data.index(b"PK\x05\x06")
    entry = data[start:end]
    entries = b"".join(entry.replace(b"a.png", f"{number:05d}".encode()) for number in range(count))
    tail = bytearray(data[end:])
    struct.pack_into("<HHLL", tail, 8, count, count, len(entries), start)
    path.write_bytes(data[:start] + entries + tail)
    assert len(zipfile.ZipFile(path).infolist()) == count
    assert refusal(path) == "E-INPUT-ARCHIVE-UNSAFE"


@pytest.mark.verifies("SRS-INP-010", "SRS-INP-001")
def test_a_member_that_is_not_what_the_directory_says(tmp_path: Path) -> None:
    path = pack(tmp_path, ("a.png", samples.picture()), ("b.png", samples.picture()))
    whole = path.read_bytes()
    at = whole.index(b"PK\x01\x02")
    lying = bytearray(whole)
    struct.pack_into("<L", lying, at + 24, 10)  # the inflated size of the first
    for data in (bytes(lying), whole[:60] + bytes(20) + whole[80:]):
        path.write_bytes(data)
        with pytest.raises(InputError) as caught:
            io.read(io.Input(path, "a.png"))
        assert caught.value.code == "E-INPUT-ARCHIVE"
    for data in (whole[:-30], whole[:100], b"PK\x03\x04" + bytes(100)):
        path.write_bytes(data)
        assert refusal(path) == "E-INPUT-ARCHIVE"
    path.write_bytes(whole)
    with pytest.raises(InputError) as caught:
        io.read(io.Input(path, "absent.png"))
    assert caught.value.code == "E-INPUT-ARCHIVE"


@pytest.mark.verifies("SRS-INP-010")
def test_an_archive_without_an_image_and_one_with_an_empty_member(tmp_path: Path) -> None:
    assert refusal(pack(tmp_path, ("README.md", b"# words"))) == "E-INPUT-NO-IMAGES"
    (item,) = io.expand(pack(tmp_path, ("a.png", b"")))
    with pytest.raises(InputError) as caught:
        io.read(item)
    assert caught.value.code == "E-INPUT-EMPTY"


@pytest.mark.verifies("SRS-INP-010")
def test_no_change_to_an_archive_leads_out_of_the_types(tmp_path: Path) -> None:
    whole = pack(tmp_path, ("a.png", samples.picture()), ("b", samples.ultrasound())).read_bytes()
    path = tmp_path / "changed.zip"
    for at in [*range(40), *range(len(whole) - 200, len(whole))]:
        for byte in (0, 0xFF, whole[at] ^ 0x40):
            path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
            with suppress(InputError):
                for item in io.expand(path):
                    io.read(item)

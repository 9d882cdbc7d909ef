# SPDX-License-Identifier: Apache-2.0
"""A ZIP file stands for the files in it; they are read in memory, within bounds, and never unpacked.

Rules of this module:

- An archive is taken whole or refused whole: one name that would leave a folder, one link, one member twice, one
  encrypted member, one that holds more than the bounds, and none of it is read.
- The directory claims sizes, and reading stops there: a member that inflates to more is damaged.
- Members may not share bytes (all of them together are no larger than the file), so that a small file stays small work.
- A ZIP file in a ZIP file is a file like any other that is no image.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from radiomicnet_md.io.source import MAX_FILE_BYTES, GrowingError, Stamp, UnreadableError, empty, stamp_of, too_large

MAX_MEMBERS = 5000
MAX_TOTAL_BYTES = 2**32
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1


def members(path: Path) -> tuple[str, ...]:
    """The names of an archive's files, in order.

    Raises:
        UnreadableError: E-INPUT-ARCHIVE, -ARCHIVE-UNSAFE, -TOO-LARGE.
    """
    with _opened(path) as archive:
        return tuple(sorted(item.filename for item in archive.infolist() if not item.is_dir()))


def load(path: Path, member: str, stamp: Stamp | None = None) -> bytes:
    """The bytes of one member.

    Raises:
        UnreadableError: E-INPUT-ARCHIVE, -ARCHIVE-UNSAFE, -TOO-LARGE, -MISSING, -EMPTY.
        GrowingError: E-INPUT-GROWING.
    """
    with _opened(path, stamp) as archive:
        try:
            item = archive.getinfo(member)
        except KeyError:
            raise _damaged("The ZIP file does not hold this member any more.") from None
        with archive.open(item) as stream:
            data = stream.read(item.file_size)
            if len(data) < item.file_size or stream.read(1):
                raise _damaged("A member of the ZIP file has another size than its directory says.")
    if not data:
        raise empty()
    return data


def head(path: Path, member: str, size: int) -> bytes:
    """The first bytes of a member, none where they cannot be read."""
    try:
        with _opened(path) as archive, archive.open(member) as stream:
            return stream.read(size)
    except (UnreadableError, KeyError):
        return b""


@contextmanager
def _opened(path: Path, stamp: Stamp | None = None) -> Iterator[zipfile.ZipFile]:
    """The archive, its directory checked; whatever is wrong with it comes out typed."""
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            now = stamp_of(path.stat())
            if stamp not in (None, now):
                raise GrowingError(
                    "E-INPUT-GROWING",
                    "The ZIP file changed while it was read; it is still arriving.",
                    remedy="Wait until the transfer is complete, and give it again.",
                )
            _check(archive, now[0])
            yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, LookupError):
        raise _damaged("The ZIP file contradicts its format.") from None
    except OSError:
        raise UnreadableError(
            "E-INPUT-UNREADABLE",
            "The ZIP file could not be read.",
            remedy="Check that the file is there, and that this account may read it.",
        ) from None


def _check(archive: zipfile.ZipFile, size: int) -> None:
    items = archive.infolist()
    if len(items) > MAX_MEMBERS:
        raise too_large(f"The ZIP file holds {len(items)} members, more than {MAX_MEMBERS}.")
    if max((item.file_size for item in items), default=0) > MAX_FILE_BYTES:
        raise too_large(f"The ZIP file holds a member of more than {MAX_FILE_BYTES} bytes.")
    if sum(item.file_size for item in items) > MAX_TOTAL_BYTES:
        raise too_large(f"The ZIP file holds more than {MAX_TOTAL_BYTES} bytes in all.")
    if sum(item.compress_size for item in items) > size:
        raise _unsafe("its members share bytes")
    if len({item.filename for item in items}) < len(items):
        raise _unsafe("it holds a name twice")
    for item in items:
        parts = item.filename.rstrip("/").split("/")
        kind = stat.S_IFMT(item.external_attr >> 16)
        if not {"", ".", ".."}.isdisjoint(parts) or "\\" in item.filename or ":" in item.filename:
            raise _unsafe("a name in it leads out of its folder")
        if not item.filename.isprintable() or kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
            raise _unsafe("it holds a link, a device or an unprintable name")
        if item.flag_bits & _ENCRYPTED or item.compress_type not in _METHODS:
            raise _unsafe("a member is encrypted or of a rare compression")


def _unsafe(what: str) -> UnreadableError:
    return UnreadableError(
        "E-INPUT-ARCHIVE-UNSAFE",
        f"The ZIP file is not read: {what}.",
        remedy="Pack the images again with a common program, or give them as a folder.",
    )


def _damaged(what: str) -> UnreadableError:
    return UnreadableError("E-INPUT-ARCHIVE", what, remedy="Copy or transfer the ZIP file again.")

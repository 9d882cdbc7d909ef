# SPDX-License-Identifier: Apache-2.0
"""The archive of a backup, written from front to end, with a list of digests that grows with it.

Rules of this module:

- What was listed and has gone when it is read has moved, and its folder is looked at again.
- A link, or what is neither file nor folder, is refused: it would be missing when it is needed.
- Locks, and what is not whole yet, belong to processes and are left out; the log's database is copied apart.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO, TextIO, cast

from radiomicnet_md.backup import form
from radiomicnet_md.errors import ConfigurationError

_LEFT_OUT = re.compile(r"audit\.db.*|.*\.lock|\..*\.(part|gone)|.*\.new")


class Hashed:
    """Writes to a file and keeps the digest of what it wrote."""

    def __init__(self, file: BinaryIO) -> None:
        """Write to this file."""
        self._file, self.sha256 = file, hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write; return how many bytes that were."""
        self.sha256.update(data)
        return self._file.write(data)

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._file.tell()


class _Read:
    """Reads from a file and keeps the digest of what it read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.sha256 = file, hashlib.sha256()

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        self.sha256.update(data)
        return data


class Archive:
    """The archive, written from front to end, and the list that grows with it."""

    def __init__(self, stream: Hashed, listed: TextIO) -> None:
        """Write the archive to one stream and the list to another."""
        self._tar = tarfile.TarFile(fileobj=cast("IO[bytes]", stream), mode="w", format=tarfile.PAX_FORMAT)
        self._listed = listed
        self.files = 0

    def put(self, name: str, path: Path, length: int | None = None) -> bool:
        """Add a file, or its first bytes; False where it has gone."""
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return False
        with os.fdopen(handle, "rb") as file:
            about = os.fstat(handle)
            self._add(name, file, about.st_size if length is None else length, about.st_mtime)
        return True

    def put_bytes(self, name: str, data: bytes) -> None:
        """Add a file that is not on the disk."""
        self._add(name, io.BytesIO(data), len(data), 0)

    def put_tree(self, name: str, folder: Path) -> None:
        """Add what is below a folder; a folder in which something has moved is looked at again."""
        seen: set[str] = set()
        moved = True
        while moved:
            moved = False
            for entry in listing(folder):
                if entry.name in seen:
                    continue
                seen.add(entry.name)
                if entry.is_dir():
                    self.put_tree(f"{name}/{entry.name}", Path(entry.path))
                else:
                    moved |= not self.put(f"{name}/{entry.name}", Path(entry.path))

    def put_files(self, name: str, folder: Path) -> None:
        """Add the files of a folder alone."""
        for entry in listing(folder):
            if entry.is_file():
                self.put(f"{name}/{entry.name}", Path(entry.path))

    def close(self, listed: Path) -> None:
        """Add the list, and end."""
        with listed.open("rb") as file:
            self._tar.addfile(_member(form.LIST, listed.stat().st_size, 0), file)
        self._tar.close()

    def _add(self, name: str, file: BinaryIO, size: int, mtime: float) -> None:
        form.checked(name)
        source = _Read(file)
        self._tar.addfile(_member(name, size, mtime), cast("IO[bytes]", source))
        self._listed.write(form.line(source.sha256.hexdigest(), name))
        self.files += 1


def _member(name: str, size: int, mtime: float) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.size, made.mtime, made.mode = size, int(mtime), 0o600
    return made


def listing(folder: Path) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder and belongs into a backup, by name; nothing where the folder has gone."""
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return
    for entry in entries:
        if _LEFT_OUT.fullmatch(entry.name):
            continue
        if not (entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False)):
            raise ConfigurationError(
                "E-BACKUP-LINK",
                "In the home lies a link, or something that is neither file nor folder; it would not be in the backup.",
                remedy="Put the files themselves there; to keep a home on another disk, move all of it.",
            )
        yield entry

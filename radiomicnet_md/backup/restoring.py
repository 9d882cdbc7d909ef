# SPDX-License-Identifier: Apache-2.0
"""A backup becomes a home where there is none, after every byte of it was looked at.

Rules of this module:

- The digest over the whole backup is checked before anything of it is read as what it claims to be; after that every
  file is held against the list.
- The home gets its name by one renaming, when everything is on the disk. A place that is taken stays as it is.
- An anchor that lies at the place is of a log that went on: it stays, and judges. One of another log is refused.
- The anchor comes first: a home without one would not be opened, an anchor without a home waits for the next try.
"""

from __future__ import annotations

import filecmp
import hashlib
import os
import tarfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO

from radiomicnet_md.backup import form
from radiomicnet_md.errors import ConfigurationError, IntegrityError, UsageError
from radiomicnet_md.home import FOLDERS, Home, anchor_beside, open_home
from radiomicnet_md_audit import anchor, canonical, checkpoint
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.testimony import beside as outside_of


@dataclass(frozen=True, slots=True)
class Restored:
    """A home that was made of a backup, and whether the anchor is the one that lay there."""

    home: Home
    files: int
    anchor_kept: bool


def restore(file: Path, folder: Path) -> Restored:
    """Make a home of a backup.

    Raises :class:`IntegrityError` ``E-BACKUP-DAMAGED``, :class:`UsageError` ``E-BACKUP-FOREIGN`` and
    ``E-RESTORE-OCCUPIED``, :class:`ConfigurationError` ``E-BACKUP-NEWER``, ``E-RESTORE-ANCHOR``, ``E-RESTORE-WRITE``
    and what opening a home raises; then there is none.
    """
    folder = folder.absolute()
    if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
        raise _occupied()
    with form.typed("E-BACKUP-READ", "The backup cannot be read"):
        stream = file.open("rb")
    with stream, form.typed("E-RESTORE-WRITE", "The home cannot be restored"):
        _check_whole(stream)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with form.beside(folder) as aside:
            files = _unpack(stream, aside)
            made = _looked_at(aside)
            kept = _refuse_other_anchor(folder, made.origin)
            _place(aside, folder)
    return Restored(open_home(folder), files, kept)


def _check_whole(stream: BinaryIO) -> None:
    """Raise unless this is a backup and ends with the digest of all that comes before; ends at its beginning."""
    if stream.read(len(form.HEAD)) != form.HEAD.encode():
        raise UsageError(
            "E-BACKUP-FOREIGN",
            "This file is no backup of a home.",
            remedy="Name a file that `radiomicnet-md backup` has written.",
        )
    left = stream.seek(0, os.SEEK_END) - form.END_BYTES
    stream.seek(0)
    digest = hashlib.sha256()
    while left > 0 and (chunk := stream.read(min(left, form.CHUNK))):
        digest.update(chunk)
        left -= len(chunk)
    found = form.END.fullmatch(stream.read())
    if left or found is None or found[1].decode() != digest.hexdigest():
        raise form.damaged("Its last line is not the digest of what comes before.")
    stream.seek(0)


def _unpack(stream: BinaryIO, aside: Path) -> int:
    """Write every file of the archive below a folder and compare them with the list; return how many there were."""
    for name in ("", *FOLDERS):
        (aside / form.HOME / name).mkdir(mode=0o700)
    files, listed = 0, aside / "listed"
    try:
        with tarfile.open(fileobj=stream, mode="r|") as archive, listed.open("x", encoding="utf-8") as seen:
            for member in archive:
                source = archive.extractfile(member) if member.isreg() else None
                if source is None:
                    raise form.damaged("It holds something that is no file.")
                name = form.checked(member.name)
                digest = _write(source, aside, name, member.mtime)
                if name != form.LIST:
                    seen.write(form.line(digest, name))
                    files += 1
    except (tarfile.TarError, FileExistsError, ValueError) as error:
        raise form.damaged("Its archive cannot be read.") from error
    if not (aside / form.LIST).exists() or not filecmp.cmp(listed, aside / form.LIST, shallow=False):
        raise form.damaged("A file is not the one of the list.")
    for path, _, _ in os.walk(aside / form.HOME):
        sync_folder(Path(path))
    return files


def _write(source: IO[bytes], aside: Path, name: str, mtime: float) -> str:
    """Write one file, private from the moment it exists; return its digest when it is on the disk."""
    target = aside
    for part in Path(name).parts[:-1]:
        target /= part
        target.mkdir(mode=0o700, exist_ok=True)
    target /= Path(name).name
    digest = hashlib.sha256()
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as file:
        while chunk := source.read(form.CHUNK):
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    os.utime(target, (mtime, mtime))  # what waits is sent in the order in which it came
    return digest.hexdigest()


def _looked_at(aside: Path) -> Home:
    """The home that was unpacked, of the log that the head names."""
    try:
        said = canonical.loads((aside / form.HEAD).read_bytes())
    except (FileNotFoundError, IntegrityError):
        said = None
    match said:
        case {"format": int(number)} if number > form.FORMAT:
            raise ConfigurationError(
                "E-BACKUP-NEWER",
                f"This backup has format {number}; this version knows formats up to {form.FORMAT}.",
                remedy="Use the version of RadiomicNet-MD that made it, or a later one.",
            )
        case {"format": 1, "origin": str(origin), "made_utc": str(), **more} if not more:
            made = open_home(aside / form.HOME)
            if made.origin == origin and (aside / form.ANCHOR).is_file():
                return made
    raise form.damaged("Its head and its home do not belong together.")


def _refuse_other_anchor(folder: Path, origin: str) -> bool:
    """Whether an anchor lies at the place; :class:`ConfigurationError` where it is not one of this log."""
    try:
        first = anchor.mapped(anchor_beside(folder))[: 1 << 18].partition(b"\n")[0]
        head, _ = checkpoint.parse_unverified(anchor.parse_line(first).note)
    except FileNotFoundError:
        return False
    except IntegrityError:
        head = None
    if head is None or head.origin != origin:
        raise ConfigurationError(
            "E-RESTORE-ANCHOR",
            "Where the anchor of this home belongs lies one of another log, or something that is no anchor.",
            remedy=f"Name another folder with --home, or move {anchor_beside(folder)} away.",
        )
    return True


def _place(aside: Path, folder: Path) -> None:
    """Give anchor and home their names; what has one of them already stays."""
    where = anchor_beside(folder)
    for name, place in ((form.ANCHOR, where), (form.OUTSIDE, outside_of(where))):
        if (aside / name).exists():
            with suppress(FileExistsError):
                place.hardlink_to(aside / name)
    sync_folder(folder.parent)
    try:
        (aside / form.HOME).rename(folder)  # over an empty folder, and over nothing else
    except OSError as error:
        if folder.exists():
            raise _occupied() from error
        raise
    sync_folder(folder.parent)


def _occupied() -> UsageError:
    return UsageError(
        "E-RESTORE-OCCUPIED",
        "The place of the home is taken by something else; it was not touched.",
        remedy="Name a new folder with --home, or move what is there away.",
    )

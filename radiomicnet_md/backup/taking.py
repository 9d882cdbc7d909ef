# SPDX-License-Identifier: Apache-2.0
"""A backup is of one moment of the log, and holds every file that the log names at that moment.

Rules of this module:

- Cases go on being decided. What moves is read in the direction in which it moves: inbox, then outbox, then the log,
  then staging, then what was published. So a file that moves is in the backup at least once, and nothing waits to be
  sent without its record.
- Anchor and what others said are read before the log: what leads the log means that it was set back.
- Keys and people do not change meanwhile, and nobody is erased.
- The log is read without its keys; nobody has to give a passphrase.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md import keyring, vault
from radiomicnet_md.backup import form
from radiomicnet_md.backup.archive import Archive, Hashed, listing
from radiomicnet_md.errors import ConfigurationError, UsageError
from radiomicnet_md.home import Home
from radiomicnet_md.people import place
from radiomicnet_md_audit import canonical, clock
from radiomicnet_md_audit.anchor import AnchorFile
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.store import on_server
from radiomicnet_md_audit.testimony import OutsideFile
from radiomicnet_md_audit.testimony import beside as outside_of

_BOXES = ("inbox", "outbox")
_STEADY = ("keys", "people")  # change under locks alone
_MOVING = "staging"
_LOG = "audit.db"


@dataclass(frozen=True, slots=True)
class Taken:
    """A backup that is on the disk."""

    file: Path
    sha256: str  # of the archive, as its last line says
    entries: int  # of the log
    files: int
    length: int


def take(home: Home, out: Path, audit_db: str | None = None) -> Taken:
    """Write a new file with everything of a home, its anchor and what others said of its log.

    Raises :class:`UsageError` ``E-BACKUP-EXISTS`` and ``E-BACKUP-PLACE``, :class:`ConfigurationError`
    ``E-BACKUP-SERVER``, ``E-BACKUP-LINK`` and ``E-BACKUP-WRITE``, and what the log raises; then there is no file.
    """
    out = out.absolute()
    _refuse(home, out, audit_db)
    with form.typed("E-BACKUP-WRITE", "The backup cannot be written"), form.beside(out) as aside:
        part = aside / "whole"
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            stream = Hashed(file)
            with (aside / form.LIST).open("x", encoding="utf-8") as listed:
                archive = Archive(stream, listed)
                entries = _fill(archive, home, audit_db, aside)
            archive.close(aside / form.LIST)
            digest = stream.sha256.hexdigest()
            file.write(form.end(digest))
            file.flush()
            os.fsync(file.fileno())
        try:
            out.hardlink_to(part)  # unlike renaming, it takes nobody's place
        except FileExistsError:
            raise _exists() from None
        sync_folder(out.parent)
        return Taken(out, digest, entries, archive.files, out.stat().st_size)


def _refuse(home: Home, out: Path, audit_db: str | None) -> None:
    if os.path.lexists(out):
        raise _exists()
    if out.resolve().is_relative_to(home.folder.resolve()):
        raise UsageError(
            "E-BACKUP-PLACE",
            "The backup would lie in the home that it is of.",
            remedy="Name a file outside the home, on another disk if there is one.",
        )
    if audit_db is not None and on_server(audit_db):
        raise ConfigurationError(
            "E-BACKUP-SERVER",
            "A database server keeps the log of this home, and a backup of the home without its log is none.",
            remedy="Copy the anchor, then pg_dump --format=custom of the database, then the home (see operate.md).",
        )


def _exists() -> UsageError:
    return UsageError(
        "E-BACKUP-EXISTS", "There is already something by the name of the backup.", remedy="Name a new file with --to."
    )


def _fill(archive: Archive, home: Home, audit_db: str | None, aside: Path) -> int:
    """Put everything into the archive, in the order of the rules; return the number of entries of the log."""
    folder = home.folder
    archive.put_bytes(form.HEAD, canonical.dumps(form.head(home.origin, clock.now().text())))
    with home.reading_ledger(audit_db) as ledger, vault.sharing(folder):
        archive.put(form.ANCHOR, home.anchor, AnchorFile(home.anchor).extent())
        said = outside_of(home.anchor)
        if said.exists():
            archive.put_bytes(form.OUTSIDE, OutsideFile(said).read())
        for name in _BOXES:
            archive.put_tree(f"{form.HOME}/{name}", folder / name)
        with keyring.alone(folder / "keys"), place.alone(folder):
            entries = ledger.copy(aside / _LOG)
            for path in sorted(aside.glob(f"{_LOG}*")):
                archive.put(f"{form.HOME}/{path.name}", path)
            for name in _STEADY:
                archive.put_tree(f"{form.HOME}/{name}", folder / name)
            archive.put_files(form.HOME, folder)
        others = {entry.name for entry in listing(folder) if entry.is_dir()} - {*_BOXES, *_STEADY, _MOVING}
        for name in (_MOVING, *sorted(others)):
            archive.put_tree(f"{form.HOME}/{name}", folder / name)
    return entries

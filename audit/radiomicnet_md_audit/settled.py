# SPDX-License-Identifier: Apache-2.0
"""A database file that nobody has written to since it was closed still has the digest it was closed with.

Reading rows cannot see every byte of an SQLite file: freed and unallocated space holds old bytes that mean nothing.
A change there changes no record, but it is a change of the file, and is found by comparing digests. Rules:

- When a writer closes the log and no other writer is in the way, it folds the write-ahead log into the file and writes
  ``<database>.settled``: tree size, file length and SHA-256, as canonical JSON.
- While the tree is larger than the noted size (the log is in use, or its last writer was killed) the digest says
  nothing, and :func:`check` says so. The next orderly close makes it current.
- The digest is unsigned: it tells of accidents and careless hands. Whoever can rewrite it can rewrite meaningless bytes
  unnoticed, and nothing else: rows, tree and checkpoints are verified from what they say.
- The shared-memory file (``-shm``) is rebuilt by SQLite and holds nothing. A write-ahead log (``-wal``) that a killed
  writer left carries checksums; what a change cuts off from it is missed by the anchor.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.sqlite_store import SQLiteStore


class State(Enum):
    """What the noted digest says about the file."""

    SAME = "same"
    CHANGED = "changed"
    OUTDATED = "outdated"
    ABSENT = "absent"


@dataclass(frozen=True)
class Settled:
    """The database file as its last writer left it: length in bytes, digest in hex, and the tree size then."""

    length: int
    sha256: str
    size: int

    def to_json(self) -> bytes:
        """Return the note; ``check`` is the digest of the rest, so that a changed size is no outdated one."""
        check = hashlib.sha256(canonical.dumps(asdict(self))).hexdigest()
        return canonical.dumps({**asdict(self), "check": check})


def write(store: SQLiteStore) -> None:
    """Note the digest of the database file, unless the noted one is current or another process uses the log."""
    if not store.fold_wal():
        return
    with store.write() as transaction:  # while this is held, nobody gives the file new content
        size = transaction.size()
        noted = _noted(store.path)
        if _in_use(store.path) or (isinstance(noted, Settled) and noted.size >= size):
            return
        note(store.path, size)


def note(path: Path, size: int) -> None:
    """Note the digest of a database file that nobody else writes to."""
    _replace(_note_path(path), _digest(path, size).to_json())


def check(path: Path, size: int) -> State:
    """Compare the database file with its noted digest; ``size`` is the present size of the tree."""
    noted = _noted(path)
    if noted is None:
        return State.ABSENT
    if isinstance(noted, IntegrityError) or noted.size > size:
        return State.CHANGED
    if noted.size < size:
        return State.OUTDATED
    same = _digest(path, size) == noted
    # A writer that came in between has changed the file, the note or the write-ahead log.
    if _in_use(path) or _noted(path) != noted:
        return State.OUTDATED
    return State.SAME if same else State.CHANGED


def differs(path: Path) -> bool:
    """Say whether a file that nobody uses is not the one that was noted, without opening it as a database."""
    noted = _noted(path)
    return isinstance(noted, Settled) and not _in_use(path) and _digest(path, noted.size) != noted


def _note_path(path: Path) -> Path:
    return path.with_name(path.name + ".settled")


def _in_use(path: Path) -> bool:
    wal = path.with_name(path.name + "-wal")
    return wal.exists() and wal.stat().st_size > 0


def _noted(path: Path) -> Settled | IntegrityError | None:
    try:
        data = _note_path(path).read_bytes()
        document = canonical.loads(data)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(error) from None
    except IntegrityError as error:
        return error
    match document:
        case {"length": int(length), "sha256": str(sha256), "size": int(size)}:
            noted = Settled(length, sha256, size)
            if noted.to_json() == data:
                return noted
    return IntegrityError("E-SETTLED-FORM", "The note of the file's digest is damaged.", remedy="See the findings.")


def _digest(path: Path, size: int) -> Settled:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return Settled(file.tell(), sha256, size)
    except OSError as error:
        raise _unreadable(error) from None


def _unreadable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-SETTLED-READ",
        f"The log's database file, or the note of its digest, cannot be read ({error.strerror}).",
        remedy="Check the disk and the permissions of the home.",
    )


def _replace(path: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        raise ConfigurationError(
            "E-SETTLED-WRITE",
            f"The digest of the closed log cannot be noted ({error.strerror}).",
            remedy="Check the home's permissions and the free space. The log itself is complete.",
        ) from None

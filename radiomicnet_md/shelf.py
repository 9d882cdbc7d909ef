# SPDX-License-Identifier: Apache-2.0
"""What a record names by its digest is kept with it, or neither is.

Rules of this module:

- An artefact is the very bytes its digest is over, in a file named by that digest.
- Artefacts wait in ``staging/<record id>`` until the record is in the log, and move to their place by
  renaming. After a crash, whoever opens the home next settles what was left: published when the record is
  in the log, removed when it is not.
- A staging folder is locked while its process lives, so that nobody settles the work of another. It is made
  and locked, or settled, under one lock of the whole home, so that nobody meets a folder before its lock.
- What lies in ``staging`` and is no folder was not put there by this device, and is left alone.
- Salts of identity commitments are kept sealed, in the vault, bound to their record.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.private import write_private
from radiomicnet_md_audit import seal

_SALT = "salt"
_LOCK = "staging.lock"  # beside the folder, for everything inside it is taken for an attempt
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class Staged:
    """The files of one attempt, until its record decides about them."""

    home: Path
    record_id: str
    lock: int  # descriptor of the staging folder, locked

    @property
    def folder(self) -> Path:
        """Where they wait."""
        return self.home / "staging" / self.record_id

    def keep(self, data: bytes) -> str:
        """Put bytes aside; returns their sha256."""
        digest = hashlib.sha256(data).hexdigest()
        self._write(digest, data)
        return digest

    def keep_salt(self, salt: bytes, vault_key: bytes) -> None:
        """Put the salt of this record's commitments aside, sealed."""
        self._write(_SALT, seal.close(vault_key, salt, self.record_id.encode()))

    def publish(self) -> None:
        """Move everything to its place; for a record that is in the log.

        Raises :class:`ConfigurationError` ``E-HOME-WRITE``; what was not moved waits for the next opening.
        """
        try:
            publish(self.home, self.record_id)
        finally:
            os.close(self.lock)

    def discard(self) -> None:
        """Remove everything; for a record that is not in the log."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)

    def leave(self) -> None:
        """Leave everything to the next opening; for a record of which nobody can say now whether it is in the log."""
        os.close(self.lock)

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        if path.exists():
            return
        try:
            write_private(path, data)
        except OSError as error:
            raise _full(error) from error


def stage(home: Path, record_id: str) -> Staged:
    """An empty, locked staging folder; :class:`ConfigurationError` ``E-HOME-WRITE`` where none can be made."""
    folder = home / "staging" / record_id
    with _alone(home):
        folder.mkdir(mode=0o700)
        lock = os.open(folder, _FOLDER)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return Staged(home, record_id, lock)


def publish(home: Path, record_id: str) -> None:
    """Rename the staged files of a record to their places; raises :class:`ConfigurationError` ``E-HOME-WRITE``."""
    folder = home / "staging" / record_id
    try:
        for path in sorted(folder.iterdir()):
            target = home / "vault" / record_id if path.name == _SALT else artefact(home, path.name)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            path.replace(target)
        folder.rmdir()
    except OSError as error:
        raise _full(error) from error


def settle(home: Path, recorded: Callable[[str], bool]) -> None:
    """Finish or undo what processes that are gone have left in staging; ``recorded`` asks the log.

    What ``recorded`` raises ends it, with the folder it was asked about untouched. Raises
    :class:`ConfigurationError` ``E-HOME-WRITE`` where files can be neither moved nor removed.
    """
    with _alone(home):
        for folder in sorted((home / "staging").iterdir()):
            if not _left_behind(folder):
                continue
            if recorded(folder.name):
                publish(home, folder.name)
            else:
                shutil.rmtree(folder)


def artefact(home: Path, digest: str) -> Path:
    """The place of the artefact with this sha256, whether it is there or not."""
    return home / "artefacts" / digest[:2] / digest


def fetch(home: Path, digest: str) -> bytes | None:
    """The artefact's bytes, None when it is not kept here; :class:`IntegrityError` when it was changed."""
    try:
        data = artefact(home, digest).read_bytes()
    except FileNotFoundError:
        return None
    if hashlib.sha256(data).hexdigest() != digest:
        raise IntegrityError(
            "E-ARTEFACT-CHANGED",
            f"The artefact {digest[:16]}… does not hash to its name.",
            remedy="Restore the artefacts of this home from a backup.",
        )
    return data


def claims(home: Path, predicate: Mapping[str, Any]) -> list[str]:
    """What can be said here of the bytes that a decision names; :class:`IntegrityError` when they were changed."""
    outputs = predicate.get("outputs")
    if not outputs:
        return []
    if all(fetch(home, outputs[name]) is not None for name in ("mask_sha256", "contributions_sha256")):
        return ["mask and contributions are kept in this home, byte for byte as recorded"]
    return ["mask or contributions are not kept in this home (any more)"]


def array_from(data: bytes) -> NDArray[Any]:
    """The array that :func:`radiomicnet_md.image.array_bytes` wrote."""
    head, _, samples = data.partition(b"\n")
    kind, *shape = head.decode().split(" ")
    return np.frombuffer(samples, dtype=np.dtype(kind)).reshape([int(extent) for extent in shape]).copy()


def _left_behind(folder: Path) -> bool:
    """Whether this is a staging folder whose process is gone; for who holds the home's staging lock."""
    try:
        lock = os.open(folder, _FOLDER)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Its process may have removed it and let go since it was opened.
        return folder.exists()
    except BlockingIOError:
        return False
    finally:
        os.close(lock)


@contextmanager
def _alone(home: Path) -> Iterator[None]:
    """Nobody else stages or settles in this home meanwhile; the disk's own errors come out typed."""
    try:
        lock = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)
    except OSError as error:
        raise _full(error) from error


def _full(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-HOME-WRITE",
        f"The home cannot take the files of a record: {error.strerror}.",
        remedy="Free space on the disk of the home, and check that this user may write there.",
    )

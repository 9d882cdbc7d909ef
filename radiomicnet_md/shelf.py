# SPDX-License-Identifier: Apache-2.0
"""What a record names by its digest is kept with it, or neither is.

Rules of this module:

- An artefact is the very bytes its digest is over, in a file named by that digest.
- An attempt begins with its intent, on the disk in ``staging/<record id>`` before anything of it is done.
- Artefacts wait beside the intent until the record is in the log, and move to their place by renaming. After a
  crash, whoever opens the home next settles what was left: published when the log holds the attempt's own
  record; else removed, once the log holds that it was interrupted.
- A staging folder is locked while its process lives, so that nobody settles the work of another. It is made
  and locked, or settled, under one lock of the whole home, so that nobody meets a folder before its lock.
- What lies in ``staging`` and is no folder named by a record was not put there by this device, and is left alone.
- What identifies a person waits sealed, as the ``vault`` keeps it. From the first file that a process puts aside until
  it lets go, nothing in the home is erased.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import vault
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.image import Frame, Image, Origin
from radiomicnet_md.private import write_private
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.statement import RECORD_ID

_INTENT = "intent"
_SALT = "salt"  # as versions up to 0.3 staged it
_IDENTITY = "identity-"  # then the name of the person's folder
_LOCK = "staging.lock"  # beside the folder, for everything inside it is taken for an attempt
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


@dataclass(slots=True)
class Staged:
    """The files of one attempt, until its record decides about them."""

    home: Path
    record_id: str
    lock: int  # descriptor of the staging folder, locked
    sharing: int | None = None  # descriptor that keeps erasures away, from the first file on

    @property
    def folder(self) -> Path:
        """Where they wait."""
        return self.home / "staging" / self.record_id

    def keep(self, data: bytes) -> str:
        """Put bytes aside; returns their sha256."""
        self._share()
        digest = hashlib.sha256(data).hexdigest()
        self._write(digest, data)
        return digest

    def keep_identity(self, salt: bytes, values: Mapping[str, str], vault_key: bytes) -> None:
        """Put the salt of this record's commitments, and what they commit to, aside for the vault, sealed."""
        self._share()
        folder, blob = vault.shut(self.home, self.folder, self.record_id, salt, values, vault_key)
        self._write(f"{_IDENTITY}{folder}", blob)

    def publish(self) -> None:
        """Move everything to its place; for a record that is in the log.

        Raises :class:`ConfigurationError` ``E-HOME-WRITE``; what was not moved waits for the next opening.
        """
        try:
            publish(self.home, self.record_id)
        finally:
            self.leave()

    def discard(self) -> None:
        """Remove everything but the intent, which the next opening records; for a record that is not in the log."""
        with suppress(OSError):
            for path in self.folder.iterdir():
                if path.name != _INTENT:
                    path.unlink()
        self.leave()

    def leave(self) -> None:
        """Leave everything to the next opening; for a record of which nobody can say now whether it is in the log."""
        os.close(self.lock)
        if self.sharing is not None:
            os.close(self.sharing)

    def _share(self) -> None:
        if self.sharing is None:
            self.sharing = vault.share(self.home)

    def _write(self, name: str, data: bytes) -> None:
        path = self.folder / name
        if path.exists():
            return
        try:
            write_private(path, data)
        except OSError as error:
            raise vault.cannot_take(error) from error


def stage(home: Path, record_id: str, intent: bytes) -> Staged:
    """A locked staging folder with the intent in it, both on the disk.

    Raises :class:`ConfigurationError` ``E-HOME-WRITE`` where that cannot be made; then nothing was begun.
    """
    folder = home / "staging" / record_id
    with _alone(home):
        folder.mkdir(mode=0o700)
        lock = os.open(folder, _FOLDER)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        write_private(folder / _INTENT, intent)
        os.fsync(lock)  # a file is safe when the folder that names it is, and so up to one that was there before
        sync_folder(folder.parent)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)
        raise vault.cannot_take(error) from error
    return Staged(home, record_id, lock)


def publish(home: Path, record_id: str) -> None:
    """Rename the staged files of a record to their places; raises :class:`ConfigurationError` ``E-HOME-WRITE``."""
    folder = home / "staging" / record_id
    try:
        for path in sorted(folder.iterdir()):
            if path.name == _INTENT:
                continue
            target = _place(home, record_id, path.name)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            path.replace(target)
        (folder / _INTENT).unlink(missing_ok=True)
        folder.rmdir()
    except OSError as error:
        raise vault.cannot_take(error) from error


def settle(home: Path, finished: Callable[[str, bytes], bool]) -> None:
    """Finish or undo what processes that are gone have left in staging.

    ``finished`` is given a record id and the bytes of its intent (none where the crash came before them). It says
    whether the log holds the attempt's own record, and returns False only when the log holds that it was interrupted.
    What it raises ends this, with the folder it was asked about untouched. Raises :class:`ConfigurationError`
    ``E-HOME-WRITE`` where files can be neither moved nor removed.
    """
    with _alone(home):
        for folder in sorted((home / "staging").iterdir()):
            if not RECORD_ID.fullmatch(folder.name) or not _left_behind(folder):
                continue
            intent = folder / _INTENT
            if finished(folder.name, intent.read_bytes() if intent.is_file() else b""):
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


def kept_image(home: Path, about: Mapping[str, Any]) -> Image | None:
    """The image as it was decoded, from the samples kept with a record whose part ``input`` is ``about``.

    None where none are kept (any more); :class:`IntegrityError` where they were changed.
    """
    data = fetch(home, about["pixels_sha256"]) if "pixels_sha256" in about else None
    return None if data is None else as_recorded(about, array_from(data))


def as_recorded(about: Mapping[str, Any], pixels: NDArray[Any]) -> Image:
    """Samples (frames, rows, columns, samples) with the origin and the spacing of the record."""
    said = {name: about[name] for name in Origin.__dataclass_fields__ if name != "frame"}
    frame = about.get("frame")  # records before 0.4 know no frames and no declared spacing
    origin = Origin(**said, frame=None if frame is None else Frame(**frame))
    if about["spacing_mm"] is None:
        return Image(pixels, origin, None)
    down, across = map(float.fromhex, about["spacing_mm"])
    return Image(pixels, origin, (down, across), bool(about.get("spacing_declared")))


def _place(home: Path, record_id: str, name: str) -> Path:
    """Where a staged file belongs."""
    if name == _SALT:
        return vault.place(home, None, record_id)
    if name.startswith(_IDENTITY):
        return vault.place(home, name.removeprefix(_IDENTITY), record_id)
    return artefact(home, name)


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
        raise vault.cannot_take(error) from error

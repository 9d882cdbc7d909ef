# SPDX-License-Identifier: Apache-2.0
"""Cosigns a log's checkpoints, and never two that contradict each other.

Source: c2sp.org/tlog-witness (``add-checkpoint``). Rules of this module:

- Each answer is a value with the status that the specification gives; checks come in the order of :data:`STATUSES`.
- Only one submission of a log is looked at at a time, on this machine: reading the last state, checking, writing the
  new one and signing happen under one file lock, whatever number of threads and processes serve.
- The state of a log is its last checkpoint, with its trusted signatures and the cosignature, in a file of its own. It
  is written under another name, synced, renamed, and the folder synced, before the cosignature leaves this module. A
  state that does not hold the witness's own signature is refused, not taken for an empty one.
- The time of a cosignature never runs backwards: with a clock behind its own last word the witness signs nothing.
- One verifying signature of a trusted key is asked of a checkpoint, and no bad one. Extension lines are refused.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from radiomicnet_md_audit import clock, merkle, proof
from radiomicnet_md_audit.checkpoint import Checkpoint, open_any, parse_unverified
from radiomicnet_md_audit.cosignature import Cosigner, cosign, cosigned_at
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, IntegrityError
from radiomicnet_md_audit.note import LARGEST_NOTE, Note, NoteKey, Signature, parse
from radiomicnet_md_audit.sign import SigningKey

PATH = "/add-checkpoint"
TEXT = "text/plain; charset=utf-8"
SIZE = "text/x.tlog.size"
LARGEST_REQUEST = LARGEST_NOTE + 4096  # a note, and before it 63 lines of 45 bytes and the old size

# What each status means, in the order in which a submission is checked.
STATUSES = {
    HTTPStatus.BAD_REQUEST: "malformed, or the old size is above the checkpoint's",
    HTTPStatus.NOT_FOUND: "no log of this origin is witnessed here",
    HTTPStatus.FORBIDDEN: "no trusted key signed the checkpoint, or a signature by one is bad",
    HTTPStatus.CONFLICT: "the old size is not that of the last cosigned checkpoint, or the same size has another root",
    HTTPStatus.UNPROCESSABLE_ENTITY: "the consistency proof does not hold",
    HTTPStatus.OK: "cosigned",
}

_LOCK_SECONDS = 10.0
_LOCK_PAUSE = 0.02


@dataclass(frozen=True)
class Answer:
    """What the witness says to one submission."""

    status: HTTPStatus
    body: str
    content_type: str = TEXT


@dataclass(frozen=True)
class Witness:
    """Cosigns as ``name`` for the logs whose keys it was given by origin; its memory is the folder ``state``."""

    name: str
    key: SigningKey
    logs: Mapping[str, Sequence[NoteKey]]
    state: Path
    clock: Callable[[], clock.Instant] = clock.now

    @property
    def cosigner(self) -> Cosigner:
        """The public key to give to those who rely on this witness."""
        return Cosigner(self.name, self.key.public)

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer one submission, the body of ``add-checkpoint``.

        Raises :class:`BusyError` when another submission holds the log's state for 10 s, :class:`IntegrityError`
        ``E-WITNESS-STATE`` or ``E-WITNESS-CLOCK``, and :class:`ConfigurationError` when the state cannot be written.
        Nothing is cosigned then.
        """
        try:
            submitted = proof.parse_consistency(body.decode("utf-8"))
            head, _ = parse_unverified(submitted.note)
        except UnicodeDecodeError:
            return Answer(HTTPStatus.BAD_REQUEST, "The request is not UTF-8 text.\n")
        except IntegrityError as problem:
            return Answer(HTTPStatus.BAD_REQUEST, f"{problem}\n")
        keys = self.logs.get(head.origin)
        if keys is None:
            return Answer(HTTPStatus.NOT_FOUND, "No log of this origin is witnessed here.\n")
        if not _signed(submitted.note, keys, head.origin):
            return Answer(HTTPStatus.FORBIDDEN, "The checkpoint is not signed by a key trusted for this origin.\n")
        if submitted.old_size > head.size:
            return Answer(HTTPStatus.BAD_REQUEST, "The old size is above the checkpoint's.\n")
        with _locked(self._file(head.origin, "lock")):
            return self._advance(submitted, head)

    def last(self, origin: str) -> tuple[Checkpoint, int]:
        """Return the last checkpoint cosigned for a log and its time; the empty tree and 0 where there is none.

        Raises :class:`IntegrityError` ``E-WITNESS-STATE`` for a state file that this witness did not write.
        """
        try:
            note = self._file(origin, "checkpoint").read_text("utf-8")
        except FileNotFoundError:
            return Checkpoint(origin, 0, merkle.EMPTY_ROOT), 0
        except UnicodeDecodeError:
            raise _bad_state() from None
        except OSError as error:
            raise _unusable(error) from None
        try:
            head, _ = parse_unverified(note)
            seconds = cosigned_at(note, self.cosigner)
        except IntegrityError:
            raise _bad_state() from None
        if head.origin != origin:
            raise _bad_state()
        return head, seconds

    def _advance(self, submitted: proof.Consistency, head: Checkpoint) -> Answer:
        """Check a signed submission against the last state, and take the step; the lock is held."""
        last, before = self.last(head.origin)
        conflict = Answer(HTTPStatus.CONFLICT, f"{last.size}\n", SIZE)
        if submitted.old_size != last.size:
            return conflict
        if not submitted.path and head.size == last.size and head.root != last.root:
            return conflict
        try:
            merkle.verify_consistency(last.size, head.size, submitted.path, last.root, head.root)
        except IntegrityError as problem:
            return Answer(HTTPStatus.UNPROCESSABLE_ENTITY, f"{problem}\n")
        seconds = self.clock().posix_seconds()
        if seconds < before:
            raise _clock_behind()
        line = cosign(head, self.name, self.key, seconds)
        kept = _by_trusted_keys(submitted.note, self.logs[head.origin])
        _replace(self._file(head.origin, "checkpoint"), str(Note(str(head), (*kept, line))))
        return Answer(HTTPStatus.OK, f"{line}\n")

    def _file(self, origin: str, kind: str) -> Path:
        """Name a file of a log; an origin may hold slashes and dots, its hash does not."""
        return self.state / f"{hashlib.sha256(origin.encode()).hexdigest()}.{kind}"


def _signed(note: str, keys: Sequence[NoteKey], origin: str) -> bool:
    """Say whether one of the keys signed the note and none of them signed it badly."""
    try:
        open_any(note, keys, origin)
    except IntegrityError:
        return False
    return True


def _by_trusted_keys(note: str, keys: Sequence[NoteKey]) -> tuple[Signature, ...]:
    """Return one line a trusted key: what a log signed is kept as evidence, what others add is not."""
    trusted = {(key.name, key.id) for key in keys}
    lines = {(line.name, line.id): line for line in parse(note).signatures}
    return tuple(line for identity, line in lines.items() if identity in trusted)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold a lock file; the state itself cannot be locked, because each step replaces it."""
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise _unusable(error) from None
    try:
        _take(handle)
        yield
    finally:
        os.close(handle)


def _take(handle: int) -> None:
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise _busy() from None
            time.sleep(_LOCK_PAUSE)
        else:
            return


def _replace(path: Path, note: str) -> None:
    """Put the note in the place of the old one, and return when that is on the disk."""
    part = path.with_suffix(".part")  # one writer at a time, so one name; what a crash left there is overwritten
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(note.encode())
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        raise _unusable(error) from None


def _unusable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-WITNESS-WRITE",
        f"The witness's state cannot be read or written ({error.strerror}).",
        remedy="Check the state folder, its permissions and the free space; nothing is cosigned without it.",
    )


def _busy() -> BusyError:
    return BusyError(
        "E-WITNESS-BUSY",
        f"Another submission held this log's state for {_LOCK_SECONDS:.0f} seconds.",
        remedy="Try again; if it stays busy, look for a witness process that hangs while it writes.",
    )


def _bad_state() -> IntegrityError:
    return IntegrityError(
        "E-WITNESS-STATE",
        "The witness's state of a log is not a checkpoint that this witness cosigned.",
        remedy="Serve with the key and name that wrote it, or restore the newest backup of the state folder.",
    )


def _clock_behind() -> IntegrityError:
    return IntegrityError(
        "E-WITNESS-CLOCK",
        "The clock is behind the time of the witness's last cosignature; nothing is cosigned.",
        remedy="Set the clock right. If it once ran ahead, wait, or begin a new witness with a new key.",
    )

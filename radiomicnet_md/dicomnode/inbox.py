# SPDX-License-Identifier: Apache-2.0
"""An instance that was acknowledged waits here, whatever happens to the process, until its request is done.

Rules of this module:

- A file is on the disk, name and all, before :meth:`Inbox.take` returns; half a file never has a name that is read.
- An entry's name is its request id. It follows from the release and the data set, so that an instance that is sent
  again, because its acknowledgement was lost, is the same request, and the log has one terminal record of it.
- A study is complete when no instance of it came for some seconds. After a restart the wait begins anew.
- How often a decision of an entry was begun stands in its file's name; after :data:`MOST_ATTEMPTS` it is set aside.
- One process at a time uses an inbox.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from radiomicnet_md.errors import BusyError, ConfigurationError
from radiomicnet_md.intent import derived_id
from radiomicnet_md.private import write_private
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.statement import RECORD_ID

MOST_WAITING = 10_000
MOST_ATTEMPTS = 5
FREE_BYTES = 1 << 28  # left on the disk for keys, log and the case at hand
_NAME = re.compile(rf"({RECORD_ID.pattern})-([0-9a-f]{{16}})-(\d)\.dcm")


class NoRoomError(Exception):
    """The inbox takes nothing more at present."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An instance that waits."""

    request_id: str
    study: str  # first 16 digits of the SHA-256 of its Study Instance UID
    attempts: int  # how often a decision of it was begun

    @property
    def name(self) -> str:
        """The file's name."""
        return f"{self.request_id}-{self.study}-{self.attempts}.dcm"


def request_id(manifest_sha256: str, body: bytes) -> str:
    """The request of a data set (encoded, without group 0002) to a release."""
    return derived_id(f"radiomicnet-md inbox\n{manifest_sha256}\n".encode() + hashlib.sha256(body).digest())


class Inbox:
    """The folder ``inbox`` of a home; safe for several threads of one process."""

    def __init__(self, home: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Lock it and find what an earlier process left.

        Raises :class:`BusyError` ``E-LISTEN-BUSY`` while another process has it, :class:`ConfigurationError`
        ``E-HOME-WRITE`` where it cannot be used.
        """
        self.folder = home / "inbox"
        self._clock, self._turn = clock, threading.Lock()
        try:
            self.folder.mkdir(mode=0o700, exist_ok=True)
            (self.folder / "failed").mkdir(mode=0o700, exist_ok=True)
            self._lock = locked(self.folder, "E-LISTEN-BUSY", "Another process listens for this home.")
            for part in self.folder.glob(".*.part"):
                part.unlink()
            files = sorted(self.folder.glob("*.dcm"), key=lambda path: path.stat().st_mtime_ns)
        except OSError as error:
            raise cannot_use(error) from error
        found = [match for path in files if (match := _NAME.fullmatch(path.name))]
        self._entries = {match[1]: Entry(match[1], match[2], int(match[3])) for match in found}
        self._latest = {entry.study: clock() for entry in self._entries.values()}

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, so that another process can have it afterwards."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of it."""
        os.close(self._lock)

    def __len__(self) -> int:
        """How many instances wait."""
        return len(self._entries)

    def take(self, identity: str, study_uid: str, data: bytes) -> bool:
        """Keep a file under its request; False where it waits already. It is on the disk on return.

        Raises :class:`NoRoomError` when too many wait or the disk is full.
        """
        study = hashlib.sha256(study_uid.encode()).hexdigest()[:16]
        entry, part = Entry(identity, study, 0), self.folder / f".{secrets.token_hex(8)}.part"
        with self._turn:
            self._latest[study] = self._clock()
            if identity in self._entries:
                return False
            if len(self._entries) >= MOST_WAITING:
                raise NoRoomError
        try:
            if shutil.disk_usage(self.folder).free < FREE_BYTES + len(data):
                raise NoRoomError
            write_private(part, data)
            with self._turn:
                if identity in self._entries:  # it came twice at the same moment
                    return False
                part.replace(self.folder / entry.name)
                sync_folder(self.folder)
                self._entries[identity] = entry
        except OSError as error:
            raise NoRoomError from error
        finally:
            part.unlink(missing_ok=True)
        return True

    def due(self, quiet_s: float) -> list[Entry]:
        """The instances of complete studies in the order in which they came, those that were begun before last."""
        with self._turn:
            before = self._clock() - quiet_s
            complete = [entry for entry in self._entries.values() if self._latest[entry.study] <= before]
        return sorted(complete, key=lambda entry: entry.attempts)

    def path(self, entry: Entry) -> Path:
        """The entry's file."""
        return self.folder / entry.name

    def begin(self, entry: Entry) -> Entry:
        """The entry with one attempt more, on the disk."""
        return self._renamed(entry, replace(entry, attempts=entry.attempts + 1))

    def give_back(self, entry: Entry) -> None:
        """An attempt that was not the entry's fault does not count."""
        self._renamed(entry, replace(entry, attempts=entry.attempts - 1))

    def drop(self, entry: Entry) -> None:
        """Forget an entry whose request is done."""
        self._leave(entry, lambda path: path.unlink())

    def set_aside(self, entry: Entry) -> None:
        """Keep an entry's file in ``failed/`` for people to look at; it is not tried again."""
        self._leave(entry, lambda path: path.replace(self.folder / "failed" / f"{entry.request_id}.dcm"))

    def _renamed(self, entry: Entry, other: Entry) -> Entry:
        with self._turn:
            try:
                self.path(entry).replace(self.path(other))
                sync_folder(self.folder)
            except OSError as error:
                raise cannot_use(error) from error
            self._entries[entry.request_id] = other
        return other

    def _leave(self, entry: Entry, how: Callable[[Path], object]) -> None:
        with self._turn:
            try:
                how(self.path(entry))
                sync_folder(self.folder)
            except OSError as error:
                raise cannot_use(error) from error
            del self._entries[entry.request_id]
            if all(other.study != entry.study for other in self._entries.values()):
                del self._latest[entry.study]


def locked(folder: Path, code: str, who: str) -> int:
    """A descriptor that keeps other processes away until it is closed; :class:`BusyError` where one has it."""
    lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise BusyError(code, who, remedy="Wait until it has ended, or end it.") from None
    return lock


def cannot_use(error: OSError) -> ConfigurationError:
    """What to say when a folder of the home cannot be used."""
    return ConfigurationError(
        "E-HOME-WRITE",
        f"Inbox or outbox of the home cannot be written: {error.strerror}.",
        remedy="Check the home's permissions and free space.",
    )

# SPDX-License-Identifier: Apache-2.0
"""A second place remembers every checkpoint, so that a log cannot be set back unnoticed.

Rules of this module:

- The anchor is a file outside the home to which one line per checkpoint is appended and synced, before the
  receipt of that record is given out. Nothing in it is ever rewritten: it works on a file that only root may shorten.
- A line is canonical JSON: ``checkpoint`` (the note), ``place`` (``same-machine``), ``time_utc`` of the entry that
  the checkpoint was made for. A line follows from the log alone, so the unfinished last line that a crash leaves
  is a prefix of the line to write, and is completed, not removed.
- The log commits first and the anchor follows. An anchor that lags is caught up; an anchor that leads proves that
  the log was set back, and the log refuses to work.
- An anchor on the same machine stops nobody who may write both files. Copy it elsewhere; a copy serves as well.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.checkpoint import parse_unverified
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

SAME_MACHINE = "same-machine"
_LONGEST_LINE = 256 * 1024

AnchorText: TypeAlias = bytes | mmap.mmap


@dataclass(frozen=True)
class Anchored:
    """One line of an anchor; ``size`` is that of its checkpoint."""

    size: int
    note: str
    time_utc: str
    place: str = SAME_MACHINE

    def line(self) -> bytes:
        """Return the line with its newline."""
        return canonical.dumps({"checkpoint": self.note, "place": self.place, "time_utc": self.time_utc}) + b"\n"


def parse_line(line: bytes) -> Anchored:
    """Read one line, without its newline; raise :class:`IntegrityError` for any other form."""
    match canonical.loads(line):
        case {"checkpoint": str(note), "place": str(place), "time_utc": str(time_utc), **more} if not more:
            checkpoint, _ = parse_unverified(note)
            return Anchored(checkpoint.size, note, time_utc, place)
    raise _broken("A line of the anchor is not checkpoint, place and time.")


def parse(text: bytes) -> Iterator[Anchored]:
    """Yield the lines of a whole anchor; raise :class:`IntegrityError` on the first bad one.

    Sizes must grow. A file that does not end in a newline is refused: a crash can leave one, and the next
    start of the log completes it.
    """
    if not text.endswith(b"\n"):
        raise _broken("The anchor is empty or its last line is unfinished.")
    before = 0
    for line in text[:-1].split(b"\n"):
        anchored = parse_line(line)
        if anchored.size <= before:
            raise _broken("The anchor's checkpoints do not grow.")
        before = anchored.size
        yield anchored


def mapped(path: Path) -> AnchorText:
    """Return an anchor, which may be larger than memory: the system reads of it what is looked at.

    Raises ``OSError`` when it cannot be read. A file that somebody shortens meanwhile ends the process.
    """
    with path.open("rb") as file:
        try:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # a pipe cannot be mapped, and an empty file neither
            return file.read()


class AnchorFile:
    """The anchor of a log that runs on this machine."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is opened at every use, so that a replaced file is noticed."""
        self.path = path

    def create(self) -> None:
        """Make an empty anchor; raise :class:`ConfigurationError` when one with lines in it is there."""
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT, 0o600)
            occupied = os.fstat(handle).st_size > 0
            os.close(handle)
        except OSError as error:
            raise _unwritable(error) from None
        if occupied:
            raise ConfigurationError(
                "E-ANCHOR-EXISTS",
                "An anchor of an earlier log is already there.",
                remedy="Keep it: it proves what the earlier log held. Move it away, or name another anchor.",
            )

    def read(self) -> AnchorText:
        """Return all of it; raise :class:`IntegrityError` ``E-ANCHOR-MISSING`` when it is gone."""
        try:
            return mapped(self.path)
        except FileNotFoundError:
            raise _missing() from None
        except OSError as error:
            raise _unwritable(error) from None

    def last(self) -> Anchored | None:
        """Return the last whole line, or None where there is none; raise as :meth:`read` does."""
        with self._locked(os.O_RDONLY) as file:
            return _tail(file)[0]

    def extent(self) -> int:
        """Return its length at a moment at which nobody writes to it; what it held then never changes."""
        with self._locked(os.O_RDONLY) as file:
            return os.fstat(file).st_size

    def catch_up(self, size: int, expected: Callable[[int], Anchored | None]) -> None:
        """Append the lines after the last one up to ``size``, and return when they are on the disk.

        ``expected(n)`` gives the line of size ``n`` from the log, or None where the log has no such size. Another
        writer may have gone beyond ``size`` already. The last line that is there must be the one the log would
        write; raises :class:`IntegrityError` ``E-ANCHOR-LEADS`` or ``E-ANCHOR-DIFFERS`` when it is not.
        """
        with self._locked() as file:
            last, unfinished = _tail(file)
            anchored = 0
            if last is not None:
                anchored, in_log = last.size, expected(last.size)
                if in_log is None:
                    raise _leads()
                if in_log != last:
                    raise _differs()
            lines = (expected(n) for n in range(anchored + 1, size + 1))
            missing = b"".join(line.line() for line in lines if line is not None)
            # A crash leaves a prefix of what was being written. When the log did not keep that commit, the
            # prefix outlives it and is more than the log can explain.
            if not missing.startswith(unfinished):
                raise _leads() if not missing else _differs()
            _write_all(file, missing[len(unfinished) :])

    @contextmanager
    def _locked(self, access: int = os.O_RDWR | os.O_APPEND) -> Iterator[int]:
        try:
            handle = os.open(self.path, access)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield handle
            finally:
                os.close(handle)  # a network file system may tell only here that it could not write
        except FileNotFoundError:
            raise _missing() from None
        except OSError as error:
            raise _unwritable(error) from None


def _tail(handle: int) -> tuple[Anchored | None, bytes]:
    """Return the last whole line and the unfinished bytes after it."""
    end = os.fstat(handle).st_size
    start = max(0, end - 2 * _LONGEST_LINE)
    whole, newline, unfinished = os.pread(handle, end - start, start).rpartition(b"\n")
    if not newline:
        return None, unfinished
    return parse_line(whole.rpartition(b"\n")[2]), unfinished


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
    os.fsync(handle)


def _unwritable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-ANCHOR-WRITE",
        f"The anchor cannot be written ({error.strerror}).",
        remedy="Check the anchor's folder, its permissions and the free space; no result is given without it.",
    )


def _missing() -> IntegrityError:
    return IntegrityError(
        "E-ANCHOR-MISSING",
        "The anchor of this log is gone.",
        remedy="Put the anchor file back from a backup; a missing anchor may hide that the log was set back.",
    )


def _broken(message: str) -> IntegrityError:
    return IntegrityError(
        "E-ANCHOR-FORM", message, remedy="Compare the anchor with its copies; it is only ever appended to."
    )


def _leads() -> IntegrityError:
    return IntegrityError(
        "E-ANCHOR-LEADS",
        "The anchor knows more entries than the log: the log was set back or entries were cut off.",
        remedy="Restore the newest backup of the log; do not write to it until the missing entries are back.",
    )


def _differs() -> IntegrityError:
    return IntegrityError(
        "E-ANCHOR-DIFFERS",
        "The anchor's last checkpoint is not the one in the log: the log was rewritten.",
        remedy="Keep both files as they are and compare them with earlier exports.",
    )

# SPDX-License-Identifier: Apache-2.0
"""What somebody outside said about a checkpoint is kept beside the log, a line a statement, and never rewritten.

Rules of this module:

- The file is ``<anchor>.outside``. A line is canonical JSON: ``checkpoint`` (a note with a witness's line), or
  ``checkpoint``, ``nonce`` and ``response`` (an RFC 3161 time stamp of exactly that note).
- A line is appended and synced under a lock. What a crash left of a line is dropped at the next append; it was not
  acknowledged, and can be asked for again. A whole line is never changed or removed.
- Nothing here is believed: a line is worth what its signatures are worth, wherever the file was kept. A copy
  serves as well, and so does a cosigned checkpoint by itself.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.checkpoint import parse_unverified
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError

_START = b'{"checkpoint":"'
_NONCE = re.compile(r"0|[1-9a-f][0-9a-f]{0,39}")
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class Stamping:
    """What a time-stamping authority answered (DER), and the nonce that it was asked with."""

    nonce: int
    response: bytes


@dataclass(frozen=True)
class Vouched:
    """One statement: a checkpoint note with what a witness added to it, or with a time stamp of it."""

    note: str
    stamping: Stamping | None = None

    def line(self) -> bytes:
        """Return the line with its newline."""
        document = {"checkpoint": self.note}
        if self.stamping is not None:
            document |= {"nonce": f"{self.stamping.nonce:x}", "response": b64encode(self.stamping.response)}
        return canonical.dumps(document) + b"\n"


def parse_line(line: bytes) -> Vouched:
    """Read one line, without its newline; raise :class:`IntegrityError` for any other form. Nothing is verified."""
    match canonical.loads(line):
        case {"checkpoint": str(note), **more} if not more:
            parse_unverified(note)
            return Vouched(note)
        case {"checkpoint": str(note), "nonce": str(nonce), "response": str(response), **more} if (
            not more and _NONCE.fullmatch(nonce)
        ):
            parse_unverified(note)
            return Vouched(note, Stamping(int(nonce, 16), b64decode(response)))
    raise IntegrityError(
        "E-OUTSIDE-FORM",
        "A line of the file of outside statements is no statement.",
        remedy="Compare the file with its copies; it is only ever appended to.",
    )


def split(text: bytes) -> list[bytes]:
    """Return the lines of a file of statements; the beginning of one that a crash left at its end is none."""
    *lines, last = text.split(b"\n")
    return lines if _unfinished(last) else [*lines, last]


def of_copy(data: bytes) -> bytes:
    """Return a file of statements as it is, and for a checkpoint note by itself the line that holds it."""
    try:
        note = data.decode("utf-8")
        parse_unverified(note)
    except (UnicodeDecodeError, IntegrityError):
        return data
    return Vouched(note).line()


def beside(anchor: Path) -> Path:
    """Return where the statements about a log are kept: beside its anchor."""
    return anchor.with_name(anchor.name + ".outside")


class OutsideFile:
    """The statements about a log that runs on this machine."""

    def __init__(self, path: Path) -> None:
        """Name the file; it appears with the first statement."""
        self.path = path

    def read(self) -> bytes:
        """Return all of it; nothing where nobody has said anything yet."""
        try:
            return self.path.read_bytes()
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise _unusable(error) from None

    def append(self, testimony: Vouched) -> None:
        """Add a statement, and return when it is on the disk."""
        with self._locked() as handle:
            try:
                data = testimony.line()
                end, last = _last_line(handle)
                if not _unfinished(last):
                    data = b"\n" + data
                elif last:
                    os.ftruncate(handle, end)
                while data:
                    data = data[os.write(handle, data) :]
                os.fsync(handle)
                sync_folder(self.path.parent)
            except OSError as error:
                raise _unusable(error) from None

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise _unusable(error) from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield handle
        finally:
            os.close(handle)


def _unfinished(last: bytes) -> bool:
    """Say whether what follows the last newline is nothing, or the beginning of a line and no more."""
    try:
        parse_line(last)
    except IntegrityError:
        return last.startswith(_START) or _START.startswith(last)
    return False


def _last_line(handle: int) -> tuple[int, bytes]:
    """Return where the last whole line ends, and what follows it."""
    start = end = os.fstat(handle).st_size
    last = b""
    while start:
        block = min(start, _BLOCK)
        start -= block
        before, newline, after = os.pread(handle, block, start).rpartition(b"\n")
        last = after + last
        if newline:
            return start + len(before) + 1, last
    return end - len(last), last


def _unusable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-OUTSIDE-WRITE",
        f"The file of outside statements cannot be read or written ({error.strerror}).",
        remedy="Check the anchor's folder, its permissions and the free space. The log itself is not affected.",
    )

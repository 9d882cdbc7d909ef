# SPDX-License-Identifier: Apache-2.0
"""What has to be sent waits here until its destination has taken it, whatever happens to the process.

Rules of this module:

- A job is a folder, named by the id that the record of its sending will have: whole on the disk, or not there.
- One job is for one destination. Putting the same files of a record for the same destination again while they wait
  adds nothing; afterwards they are sent again, which no archive minds, for their UIDs are the same.
- A full outbox takes nothing (``E-OUTBOX-FULL``); whoever asks has to ask again.
- The job goes when the log holds the record of its sending; what a destination refuses for good is set aside.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md.dicomnode.inbox import FREE_BYTES, cannot_use
from radiomicnet_md.errors import BusyError
from radiomicnet_md.intent import new_id
from radiomicnet_md.private import write_private
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.disk import sync_folder
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.statement import RECORD_ID

MOST_WAITING = 2_000  # jobs
_ABOUT = "job.json"
_DIGEST = re.compile(r"[0-9a-f]{64}\.dcm")


@dataclass(frozen=True, slots=True)
class Job:
    """Files for one destination."""

    folder: Path
    destination: str
    of: str | None  # the record of the decision they come from, where they come from one

    @property
    def id(self) -> str:
        """The record id of its sending."""
        return self.folder.name

    @property
    def files(self) -> list[Path]:
        """The objects, each named by the SHA-256 of its bytes."""
        return sorted(path for path in self.folder.iterdir() if _DIGEST.fullmatch(path.name))


class Outbox:
    """The folder ``outbox`` of a home."""

    def __init__(self, home: Path) -> None:
        """Make it where there is none; :class:`ConfigurationError` ``E-HOME-WRITE`` where that fails."""
        self.folder = home / "outbox"
        try:
            for folder in (self.folder, self.folder / "failed"):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise cannot_use(error) from error

    def jobs(self) -> list[Job]:
        """What waits, oldest first."""
        found = []
        for path in self._folders():
            with suppress(FileNotFoundError):  # it was done with meanwhile
                found.append((path.stat().st_mtime_ns, path.name, path))
        return [job for _, _, path in sorted(found) if (job := _job(path)) is not None]

    def refuse_full(self) -> None:
        """Raise :class:`BusyError` ``E-OUTBOX-FULL`` where it takes nothing more."""
        waiting = len(self._folders())
        if waiting >= MOST_WAITING or shutil.disk_usage(self.folder).free < FREE_BYTES:
            raise BusyError(
                "E-OUTBOX-FULL",
                f"The outbox takes nothing more: {waiting} jobs wait, or the disk is full.",
                remedy="Check the archive that does not take them, and free space; then try again.",
            )

    def _folders(self) -> list[Path]:
        try:
            return [path for path in self.folder.iterdir() if RECORD_ID.fullmatch(path.name)]
        except OSError as error:
            raise cannot_use(error) from error

    def put(self, destination: str, files: Iterable[Path], of: str | None = None) -> Job:
        """Keep copies of these files until ``destination`` has them; on the disk on return.

        Raises :class:`BusyError` ``E-OUTBOX-FULL``, :class:`ConfigurationError` ``E-HOME-WRITE``.
        """
        for job in self.jobs() if of is not None else ():
            if (job.destination, job.of) == (destination, of):
                return job
        self.refuse_full()
        folder = self.folder / new_id()
        part = folder.with_name(f".{folder.name}.part")
        try:
            part.mkdir(mode=0o700)
            for path in files:
                data = path.read_bytes()
                beside = part / f"{hashlib.sha256(data).hexdigest()}.dcm"
                if not beside.exists():
                    write_private(beside, data)
            write_private(part / _ABOUT, canonical.dumps({"destination": destination, "of": of}))
            sync_folder(part)
            part.replace(folder)
            sync_folder(self.folder)
        except OSError as error:
            shutil.rmtree(part, ignore_errors=True)
            raise cannot_use(error) from error
        return Job(folder, destination, of)

    def drop(self, job: Job) -> None:
        """Forget a job that is done."""
        gone = job.folder.with_name(f".{job.id}.gone")  # first out of sight: half a job must not be sent again
        try:
            job.folder.replace(gone)
            shutil.rmtree(gone)
        except OSError as error:
            raise cannot_use(error) from error

    def set_aside(self, job: Job) -> None:
        """Keep a job that its destination refuses in ``failed/`` for people to look at."""
        try:
            job.folder.replace(self.folder / "failed" / job.id)
        except OSError as error:
            raise cannot_use(error) from error

    def sweep(self) -> None:
        """Remove what a crash left half made or half removed; for who alone uses the outbox."""
        for pattern in (".*.part", ".*.gone"):
            for folder in self.folder.glob(pattern):
                shutil.rmtree(folder, ignore_errors=True)


def _job(folder: Path) -> Job | None:
    try:
        said = canonical.loads((folder / _ABOUT).read_bytes())
    except (OSError, IntegrityError):
        return None
    match said:
        case {"destination": str(destination), "of": None | str() as of, **more} if not more:
            return Job(folder, destination, of)
    return None

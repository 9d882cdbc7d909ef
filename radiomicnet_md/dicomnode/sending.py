# SPDX-License-Identifier: Apache-2.0
"""The outbox is emptied: each job once, again after a growing wait while its archive is down, and on the record.

Rules of this module:

- The log takes a record of each sending (``sending:1``) before its job goes: to which destination, by which protocol,
  and the digests of the objects, whose names hold nobody's identity.
- A destination that fails is left alone for a while that doubles up to :data:`LONGEST_WAIT_S`; others are not held up.
- One process at a time sends; what it sends twice because it was killed in between has the same UIDs.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from radiomicnet_md.delivery import record_of
from radiomicnet_md.dicomnode.inbox import locked
from radiomicnet_md.dicomnode.outbox import Job, Outbox
from radiomicnet_md.dicomnode.peers import LaterError, Peer, RefusedError, named
from radiomicnet_md.errors import BusyError, ConfigurationError, ExitCode, InputError
from radiomicnet_md.opening import open_keeper
from radiomicnet_md_audit.statement import SENDING, build

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md_audit.ledger import Ledger

FIRST_WAIT_S, LONGEST_WAIT_S = 1.0, 300.0
_LOOK_S = 0.2  # how often the outbox is looked at


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of a job."""

    job: Job
    peer: Peer
    why: str | None = None  # None: taken; else what the archive refused it for
    gone: bool = True  # False: it is tried again

    def line(self) -> dict[str, Any]:
        """The JSON object for the command line."""
        status = "sent" if self.why is None else "refused" if self.gone else "waiting"
        return {"status": status, "destination": self.peer.name, "of": self.job.of, "job": self.job.id, "why": self.why}


class Sender:
    """A thread that sends what waits; what it did is recorded by the thread that has the log, in :meth:`settle`."""

    def __init__(self, outbox: Outbox, settings: Settings, ae_title: str) -> None:
        """Take the outbox.

        Raises :class:`BusyError` ``E-SEND-BUSY`` while another process has it.
        """
        self._outbox, self._settings, self._ae_title = outbox, settings, ae_title
        self._lock = locked(outbox.folder, "E-SEND-BUSY", "Another process sends what is in this home's outbox.")
        outbox.sweep()
        self._told: queue.SimpleQueue[Sent] = queue.SimpleQueue()
        self._taken: set[str] = set()  # sent, and not recorded yet
        self._waits: dict[str, tuple[float, float]] = {}  # by destination: not before, and for how long
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sender", daemon=True)

    def __enter__(self) -> Self:
        """Begin to send."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the outbox."""
        self.end()
        os.close(self._lock)

    def end(self) -> None:
        """Send nothing after the job at hand; :meth:`settle` still says what became of it."""
        self._stop.set()
        self._thread.join()

    def settle(self, ledger: Ledger, operator: str, stamps: tuple[str, ...], tell: Callable[[Sent], None]) -> None:
        """Record what was sent since the last call, and let it go."""
        while not self._told.empty():
            sent = self._told.get()
            if sent.why is None:
                record(ledger, sent, operator, stamps)
                self._outbox.drop(sent.job)
            elif sent.gone:
                self._outbox.set_aside(sent.job)
            tell(sent)
            if sent.gone:
                self._taken.discard(sent.job.id)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            with suppress(ConfigurationError):  # a folder that cannot be read now; whoever writes there says so
                for job in self._outbox.jobs():
                    if not self._stop.is_set() and self._may_send(job):
                        self._send(job)

    def _may_send(self, job: Job) -> bool:
        not_before, _ = self._waits.get(job.destination, (0.0, 0.0))
        return job.id not in self._taken and not_before <= time.monotonic()

    def _send(self, job: Job) -> None:
        try:
            peer = named(self._settings, job.destination, self._ae_title)
        except ConfigurationError:
            return  # it was configured when the job was made, and may be again
        why, gone = None, True
        try:
            peer.send(job.files)
            self._waits.pop(job.destination, None)
        except RefusedError as error:
            why = str(error)
        except Exception as error:  # noqa: BLE001 -- whatever failed, the job stays and is tried again
            why, gone = str(error) if isinstance(error, LaterError) else type(error).__name__, False
            wait = min(2 * self._waits.get(job.destination, (0.0, FIRST_WAIT_S / 2))[1], LONGEST_WAIT_S)
            self._waits[job.destination] = (time.monotonic() + wait, wait)
        if gone:
            self._taken.add(job.id)
        self._told.put(Sent(job, peer, why, gone))


def record(ledger: Ledger, sent: Sent, operator: str, stamps: tuple[str, ...]) -> None:
    """Put the sending into the log, once."""
    job = sent.job
    if ledger.holds(job.id):
        return
    digests = {f"object-{number}": path.stem for number, path in enumerate(job.files, 1)}
    predicate: dict[str, object] = {
        "record_id": job.id,
        "of": job.of,
        "destination": job.destination,
        "protocol": sent.peer.protocol,
        "operator": operator,
        "stamps": list(stamps),
    }
    ledger.append(build(SENDING, digests, predicate))


@dataclass(frozen=True, slots=True)
class Errand:
    """What is to be sent, and for how long that may take."""

    sources: Sequence[Path]  # files, and folders of them; none: what waits in the outbox
    wait_s: float
    record: str | None = None  # the beginning of an id: objects of no other record


def send(settings: Settings, name: str, errand: Errand, tell: Callable[[Sent], None]) -> ExitCode:
    """Put DICOM files into the outbox and wait until they are sent; without sources, what waits there already.

    3 where the archive refused some for good. Raises :class:`BusyError` ``E-SEND-WAITING`` where it had not taken all
    in time: they stay in the outbox. :class:`ConfigurationError` ``E-DESTINATION``; :class:`InputError`
    ``E-SEND-NOTHING``; the outbox's own.
    """
    peer, outbox = named(settings, name), Outbox(settings.home)
    jobs = [outbox.put(name, files, of) for of, files in _gathered(errand)]
    waiting = {job.id: job for job in jobs or outbox.jobs() if job.destination == name}
    if (errand.sources or errand.record) and not jobs:
        raise InputError(
            "E-SEND-NOTHING",
            "There is no DICOM file to send.",
            remedy="Name a folder with *.dcm files, and with --record the folder that the record's objects went to.",
        )
    failed, until = False, time.monotonic() + errand.wait_s

    def told(sent: Sent) -> None:
        nonlocal failed
        failed = failed or (sent.why is not None and sent.gone)
        tell(sent)

    with open_keeper(settings) as keeper, Sender(outbox, settings, peer.ae_title) as sender:
        while any(job.folder.exists() for job in waiting.values()) and time.monotonic() < until:
            time.sleep(_LOOK_S / 4)
            sender.settle(keeper.ledger, keeper.operator, keeper.home.stamps, told)
        sender.end()
        sender.settle(keeper.ledger, keeper.operator, keeper.home.stamps, told)
    left = sum(job.folder.exists() for job in waiting.values())
    if left:
        raise BusyError(
            "E-SEND-WAITING",
            f"{left} jobs wait in the outbox: {name} did not take them in {errand.wait_s:g} s.",
            remedy=f"They are kept. Try again: radiomicnet-md dicom send --to {name}",
        )
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _gathered(errand: Errand) -> Iterator[tuple[str | None, list[Path]]]:
    """The files to send, by the record that they belong to, as the note beside them says."""
    for source in errand.sources:
        files = [source] if source.is_file() else sorted(source.rglob("*.dcm"))
        for folder, inner in groupby(files, key=lambda path: path.parent):
            of = record_of(folder)
            if errand.record is None or (of or "").startswith(errand.record):
                yield of, list(inner)

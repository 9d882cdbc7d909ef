# SPDX-License-Identifier: Apache-2.0
"""Instances come in, are decided one by one, and their objects go out; killed at any point, it goes on where it was.

Rules of this module:

- A device that may not decide does not listen: senders keep what they have.
- An entry of the inbox goes when its request has its terminal record and its objects are in the outbox.
- What is wrong with the device or the site (disk, keys, release) stops the node and counts against no entry. An entry
  that stopped the process, or whose case met a defect, is tried :data:`~.inbox.MOST_ATTEMPTS` times; then it is refused
  with a record (``E-INBOX-ATTEMPTS``) and set aside.
- What it says, and the names of its files, hold ids of requests and records, and no identifier of an image: lines go
  into the journals of a machine.
- On SIGTERM the case at hand ends, and what waits stays on the disk.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md import io, standing
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import CASES_BETWEEN_TESTS, Answer, expanded, retested
from radiomicnet_md.dicomnode import tables
from radiomicnet_md.dicomnode.inbox import MOST_ATTEMPTS, Entry, Inbox
from radiomicnet_md.dicomnode.outbox import Outbox
from radiomicnet_md.dicomnode.peers import named
from radiomicnet_md.dicomnode.receiving import Place, Receiver
from radiomicnet_md.dicomnode.sending import Sender, Sent
from radiomicnet_md.engine.record import Reason
from radiomicnet_md.errors import (
    BusyError,
    ConfigurationError,
    DivergedError,
    ExitCode,
    IntegrityError,
    NotQualifiedError,
    Problem,
)
from radiomicnet_md.intent import derived_id
from radiomicnet_md.opening import open_desk

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.desk import Desk

_LOOK_S = 0.1  # how often inbox and outbox are looked at
_THE_CASE_S_OWN = (ExitCode.UNEXPECTED, ExitCode.INTENDED_USE, ExitCode.DIVERGED)


@dataclass(frozen=True, slots=True)
class Task:
    """What a node is to do with what it is sent."""

    out: Path
    destination: str | None = None
    study_timeout_s: float = tables.STUDY_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Ears:
    """Whom a node tells what happened."""

    ready: Callable[[int], None]  # it listens on this port
    decided: Callable[[Answer], None]
    sent: Callable[[Sent], None]


def stopped(answer: Answer) -> Problem:
    """What a case met that is wrong with the device or the site, in the case's words."""
    reason = answer.reason or Reason("E-UNEXPECTED", "A case ended without a reason.", "Report this as a defect.")
    kinds: dict[ExitCode, type[Problem]] = {
        ExitCode.INTEGRITY: IntegrityError,
        ExitCode.NOT_QUALIFIED: NotQualifiedError,
        ExitCode.RETRY: BusyError,
    }
    return kinds.get(answer.exit_code, ConfigurationError)(reason.code, reason.text, remedy=reason.remedy)


def listen(settings: Settings, place: Place, task: Task, ears: Ears, stop: threading.Event) -> ExitCode:
    """Be a node until ``stop`` is set; 3 where something was refused for good or set aside.

    Raises the desk's :class:`Problem` where this device may not decide or cannot go on, :class:`UsageError`
    ``E-LISTEN-ADDRESS``, :class:`BusyError` ``E-LISTEN-BUSY``.
    """
    place.check()
    if task.destination is not None:
        named(settings, task.destination)
    with open_desk(settings) as desk, Inbox(settings.home) as inbox:
        if isinstance(desk.engine, Problem):
            raise desk.engine
        outbox = Outbox(settings.home)
        with Sender(outbox, settings, place.ae_title) as sender:
            node = _Node(desk, inbox, outbox, task, ears)
            receiver = Receiver(place, inbox, (desk.maker.release or {})["manifest_sha256"], node.refuse_full)
            try:
                ears.ready(receiver.port)
                while not stop.wait(_LOOK_S):
                    sender.settle(desk.ledger, desk.operator, desk.maker.stamps, node.told)
                    node.work(stop)
            finally:
                receiver.stop()
            sender.end()
            sender.settle(desk.ledger, desk.operator, desk.maker.stamps, node.told)
        return ExitCode.SOME_FAILED if node.failed else ExitCode.OK


class _Node:
    """The part of a node that decides."""

    def __init__(self, desk: Desk, inbox: Inbox, outbox: Outbox, task: Task, ears: Ears) -> None:
        self.desk, self.inbox, self.outbox, self.task, self.ears = desk, inbox, outbox, task, ears
        self.decided, self.failed = 0, False

    def refuse_full(self) -> None:
        """Raise :class:`BusyError` where what is decided could not be sent on."""
        if self.task.destination is not None:
            self.outbox.refuse_full()

    def told(self, sent: Sent) -> None:
        """What was refused for good is a failure of this run."""
        self.failed = self.failed or (sent.why is not None and sent.gone)
        self.ears.sent(sent)

    def work(self, stop: threading.Event) -> None:
        """Decide what is due, until there is nothing more or the node is to stop."""
        for entry in self.inbox.due(self.task.study_timeout_s):
            if stop.is_set():
                return
            try:
                self.refuse_full()
            except BusyError:
                return
            if self.decided and self.decided % CASES_BETWEEN_TESTS == 0:
                self.desk = retested(self.desk)
                if isinstance(self.desk.engine, Problem):
                    raise self.desk.engine
            self._decide(entry)
            self.decided += 1

    def _decide(self, entry: Entry) -> None:
        if entry.attempts >= MOST_ATTEMPTS:
            self._give_up(entry)
            return
        entry = self.inbox.begin(entry)
        path = self.inbox.path(entry)
        reader, held = io.Reader(), False
        for item in expanded([path]):  # a loop is decided frame by frame
            target = Target(self.task.out, entry.request_id + item.frame_folder)
            try:
                answer = standing.answer_request(item, self.desk, target, _request(entry, item), reader)
            except DivergedError:
                return  # the next attempt may find the release that decided it
            except Problem:
                self.inbox.give_back(entry)
                raise
            if answer.status == "error" and answer.exit_code not in _THE_CASE_S_OWN:
                self.inbox.give_back(entry)
                raise stopped(answer)
            self.ears.decided(answer)
            if answer.status == "error":
                held = True
            else:
                self._send(answer)
        if not held:
            self.inbox.drop(entry)

    def _send(self, answer: Answer) -> None:
        objects = [Path(name) for name in answer.outputs if name.endswith(".dcm")]
        if self.task.destination is not None and objects:
            self.outbox.put(self.task.destination, objects, answer.record_id)

    def _give_up(self, entry: Entry) -> None:
        reason = Reason(
            "E-INBOX-ATTEMPTS",
            f"{MOST_ATTEMPTS} attempts at this instance ended without a decision; it is not tried again.",
            "Look at it in inbox/failed of the home, and at logs/errors.jsonl; report it as a defect.",
        )
        for item in expanded([self.inbox.path(entry)]):
            self.ears.decided(standing.refuse_request(item, self.desk, _request(entry, item), reason))
        self.inbox.set_aside(entry)
        self.failed = True


def _request(entry: Entry, item: io.Input) -> str:
    """The instance's request; of a loop one for each frame, the same however often it is asked."""
    if item.frame is None:
        return entry.request_id
    return derived_id(f"{entry.request_id} {item.frame.number}".encode())

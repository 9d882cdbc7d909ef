# SPDX-License-Identifier: Apache-2.0
"""Random honest histories of a log: whatever writers, readers, clocks and crashes do in turn, verification is silent.

Rules of this module:

- Nobody here means harm. A crash is a writer that ends at some point of an append and leaves its files as they are; the
  next one goes on from a copy of them, as after a kill. The machine's clock jumps, forward and back.
- Every verification, at any moment, of the log, of every export and with every copy of the anchor that somebody kept,
  must have no finding and be ok.
- Files lie in memory where there is such a place: what a disk may lose is for other tests.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from unittest import mock

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from radiomicnet_md_audit import anchor, export, sign, statement
from radiomicnet_md_audit.anchor import AnchorFile
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.store import Transaction
from radiomicnet_md_audit.stored import AS_CLOSED, verify_ledger
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, TRUSTED, Report
from tests.audit.sites import Site

IN_MEMORY = Path("/dev/shm")  # noqa: S108 -- named by the kernel, not by us
STEPS = 10
KINDS = (statement.DECISION, statement.REPLAY, statement.HOLD, statement.REPORT)
STATES = ("RESULT", "REFUSED", "ERROR")


class KilledError(BaseException):
    """The writer ends here."""


class FalseAlarmError(AssertionError):
    """Verification had a finding where nobody changed anything."""


class History(RuleBasedStateMachine):
    """One log, from its first entry on."""

    ended = 0  # how many histories came to their end, in this process

    def __init__(self) -> None:
        """Make the log."""
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="history-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
        self.numbers = count()
        self.time = datetime(2026, 1, 1, tzinfo=UTC)
        self.site = Site(self._folder())
        self.writers: list[Ledger] = []
        self.readers: list[Ledger] = []
        self.exports: list[Path] = []
        self.kept: list[bytes] = []  # copies of the anchor
        self.site.create().close()

    def clock(self) -> Instant:
        """The time of this machine, a moment later at each look."""
        self.time += timedelta(milliseconds=3)
        return Instant(self.time, next(self.numbers))

    @rule(hours=st.integers(-48, 48))
    def jump(self, hours: int) -> None:
        """Set the machine's clock."""
        self.time += timedelta(hours=hours)

    @rule()
    @precondition(lambda self: len(self.writers) < 2)
    def open(self) -> None:
        """Open the log to write, beside another writer or alone."""
        keys = self.site
        ledger = Ledger.open(keys.url, keys.engine, keys.log, keys.anchor, policy=keys.policy, clock=self.clock)
        self.writers.append(ledger)

    @rule(kind=st.sampled_from(KINDS), state=st.sampled_from(STATES), times=st.integers(1, 3), which=st.integers(0, 1))
    @precondition(lambda self: self.writers)
    def append(self, kind: str, state: str, times: int, which: int) -> None:
        """Add records."""
        ledger = self.writers[which % len(self.writers)]
        for _ in range(times):
            ledger.append({**self.site.draft(state=state), "predicateType": kind})

    @rule(role=st.sampled_from([Role.ENGINE, Role.LOG]), feared=st.booleans())
    @precondition(lambda self: not self.writers and not self.readers)
    def rotate(self, role: Role, feared: bool) -> None:  # noqa: FBT001 -- hypothesis names it
        """Put a new key in the place of another; whoever opens the log later knows of it."""
        self.open()
        ledger = self.writers[0]
        new = sign.from_seed(hashlib.sha256(b"%d" % next(self.numbers)).digest())
        ledger.change_key(role, new, ledger.size if feared else None)
        self.site.engine, self.site.log = (new, self.site.log) if role is Role.ENGINE else (self.site.engine, new)
        self.site.changed = ledger.declared
        self.close(0)

    @rule(which=st.integers(0, 1))
    @precondition(lambda self: self.writers)
    def close(self, which: int) -> None:
        """Close a writer as it should be."""
        self.writers.pop(which % len(self.writers)).close()

    @rule(which=st.integers(0, 1))
    @precondition(lambda self: self.writers)
    def abandon(self, which: int) -> None:
        """Let a writer go without its last words."""
        self.writers.pop(which % len(self.writers)).store.close()

    @rule()
    @precondition(lambda self: len(self.readers) < 2)
    def look(self) -> None:
        """Open the log to read, and leave it open."""
        self.readers.append(self.site.read())

    @rule()
    @precondition(lambda self: self.readers)
    def look_again(self) -> None:
        """Read all that is there by now, and go."""
        with self.readers.pop() as ledger:
            entries = [ledger.read(entry) for entry in ledger.entries()]
            if len(entries) != ledger.size:
                raise FalseAlarmError(len(entries))
            _silent(verify_ledger(ledger, None))

    @rule()
    def keep(self) -> None:
        """Carry a copy of the anchor to another place."""
        self.kept = [*self.kept[-1:], self.site.anchor.read_bytes()]

    @rule(which=st.integers(0, 3))
    def verify(self, which: int) -> None:
        """Verify the log as it is now, with its anchor, with a copy of it, or without."""
        texts = (None, self.site.anchor.read_bytes(), *self.kept)
        with self.site.read() as ledger:
            _silent(verify_ledger(ledger, texts[which % len(texts)]))

    @rule()
    @precondition(lambda self: self.writers and len(self.exports) < 2)
    def export(self) -> None:
        """Export the log after a record of it, and verify that elsewhere."""
        ledger = self.writers[0]
        ledger.append({**self.site.draft(), "predicateType": statement.EXPORT})
        folder = self.root / f"export-{next(self.numbers)}"
        export.write(ledger, folder, self.site.policy)
        self.exports.append(folder)
        self._verify_exports()

    @rule(part=st.floats(0, 1), point=st.sampled_from(["transaction", "commit", "anchor"]))
    def kill(self, part: float, point: str) -> None:
        """End a writer in the middle of an append, and everybody else with it; what is in the files remains."""
        if not self.writers:
            self.open()
        with suppress(KilledError), _killed(point, part):
            self.writers[0].append(self.site.draft())
        before, self.site.folder = self.site.folder, self._folder()
        for path in before.iterdir():
            if not path.name.endswith("-shm"):
                shutil.copy(path, self.site.folder)
        self._leave()
        shutil.rmtree(before)

    def teardown(self) -> None:
        """Go on once more, close everything, and verify all that is left."""
        try:
            self.open()
            self.append(statement.DECISION, "RESULT", 1, 0)
            while self.writers:
                self.close(0)
            self._verify_exports()
            with self.site.read() as ledger:
                for text in (self.site.anchor.read_bytes(), *self.kept):
                    last = verify_ledger(ledger, text)
                    sure = {claim.name for claim in last.claims if claim.ok}
                    if last.findings or sure != {CONSISTENT, ANCHORED, TRUSTED, AS_CLOSED}:
                        raise FalseAlarmError(last)
            History.ended += 1
        finally:
            self._leave()
            shutil.rmtree(self.root)

    def _folder(self) -> Path:
        folder = self.root / f"site-{next(self.numbers)}"
        folder.mkdir()
        return folder

    def _leave(self) -> None:
        for ledger in (*self.writers, *self.readers):
            ledger.store.close()
        self.writers.clear()
        self.readers.clear()

    def _verify_exports(self) -> None:
        for folder in self.exports:
            for text in (self.site.anchor.read_bytes(), *self.kept[:1]):
                _silent(verify_bundle(folder, self.site.policy, text))


def _silent(report: Report) -> None:
    if report.findings or not report.ok:
        raise FalseAlarmError(report)


def _killed(point: str, part: float) -> mock._patch:  # type: ignore[type-arg]
    """End the process, in effect: inside the transaction, after its commit, or within the anchor's line."""

    def dies(*_: object) -> None:
        raise KilledError

    def dies_within(handle: int, data: bytes) -> None:
        os.write(handle, data[: int(part * len(data))])
        raise KilledError

    if point == "transaction":
        return mock.patch.object(Transaction, "add", dies)
    if point == "commit":
        return mock.patch.object(AnchorFile, "catch_up", dies)
    return mock.patch.object(anchor, "_write_all", dies_within)


def run(histories: int, number: int) -> int:
    """Let so many random histories happen, always the same ones for one number; return how many came to their end."""
    before = History.ended
    machine = seed(number)(History)
    chosen = settings(
        max_examples=histories,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=chosen)
    return History.ended - before

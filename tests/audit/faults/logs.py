# SPDX-License-Identifier: Apache-2.0
"""A log in one file under faults: made, appended to, caught up with its anchor, closed, exported.

Rules of this module:

- A scenario prepares a folder once, acts in a child that meets a fault, and is judged by what lies there afterwards.
- The child goes on after a failure, as a device does: what one record met must not be met by the next.
- A record's output is written after its receipt, by who has the receipt, as the device does.
- Judged as its owner would find it: first by a reader who changes nothing, then by the next writer.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_audit import bundle, export, sign
from radiomicnet_md_audit.errors import ExitCode, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import AS_CLOSED
from radiomicnet_md_audit.verify import ANCHORED, TRUSTED
from tests.audit.faults.outcome import LOST, STUCK, UNLOGGED, UNTYPED, UNVERIFIED
from tests.audit.faults.tracer import End, Say
from tests.audit.sites import MASK, MASK_DIGEST, Site

COSIGNER = sign.generate_cosigner()
_FIRST_OF_THE_CHILD, _FIRST_AFTERWARDS = 1_000, 2_000

# What a fault of the disk may be answered with; 4 would call the log tampered with, and 1 is a defect.
_ANSWERS = (ExitCode.OK, ExitCode.CONFIGURATION, ExitCode.RETRY)


class Scenario(ABC):
    """Something that can be interrupted."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is called in the table."""

    @abstractmethod
    def prepare(self, folder: Path) -> None:
        """Make what is there before."""

    @abstractmethod
    def act(self, folder: Path, say: Say) -> None:
        """Do it; say ``acknowledged`` and the record's id for each receipt."""

    @abstractmethod
    def judge(self, folder: Path, end: End) -> dict[str, str]:
        """Return the ways in which the fault did harm, each with what was seen."""


@dataclass(frozen=True)
class Appending(Scenario):
    """A log of ``before`` records is opened, gets ``records`` more, and is closed."""

    before: int = 5
    records: int = 2
    cosigned: bool = False

    @property
    def name(self) -> str:
        return f"append {self.records} to {self.before}{' (cosigned)' if self.cosigned else ''}"

    def site(self, folder: Path, count: int = 0) -> Site:
        return Site(folder, cosigner=COSIGNER if self.cosigned else None, count=count)

    def prepare(self, folder: Path) -> None:
        site = self.site(folder)
        with site.create() as ledger:
            site.append(ledger, self.before)
        (folder / "out").mkdir()

    def act(self, folder: Path, say: Say) -> None:
        site = self.site(folder, _FIRST_OF_THE_CHILD)
        with site.open() as ledger:
            self.fill(site, ledger, say)

    def fill(self, site: Site, ledger: Ledger, say: Say) -> None:
        """Append the records, and go on after a failure."""
        for _ in range(self.records):
            try:
                (receipt,) = site.append(ledger)
            except Problem as problem:
                say("failed", problem.code, str(problem.exit_code))
                continue
            say("acknowledged", receipt.record_id)
            try:
                (site.folder / "out" / receipt.record_id).write_bytes(MASK)
            except OSError:
                say("door")  # whoever takes the output has a disk of their own

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        return judged(self.site(folder, _FIRST_AFTERWARDS), end)


@dataclass(frozen=True)
class Creating(Appending):
    """A log is made, and gets its first records."""

    before: int = 0
    records: int = 1

    @property
    def name(self) -> str:
        return f"create a log{' (cosigned)' if self.cosigned else ''}"

    def prepare(self, folder: Path) -> None:
        (folder / "out").mkdir()

    def act(self, folder: Path, say: Say) -> None:
        site = self.site(folder, _FIRST_OF_THE_CHILD)
        with site.create() as ledger:
            self.fill(site, ledger, say)

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        """A log whose genesis was not acknowledged may be there or not; then it is made again."""
        site = self.site(folder, _FIRST_AFTERWARDS)
        try:
            site.open().close()
        except Problem as problem:
            if end.of("acknowledged"):
                return {LOST: problem.code}
            try:
                site.create().close()
            except Problem as again:
                return {STUCK: f"{problem.code}, then {again.code}"}
        return judged(site, end)


@dataclass(frozen=True)
class CatchingUp(Appending):
    """The anchor ends within a line, some lines behind the log; the next writer makes it good."""

    before: int = 6
    records: int = 1

    @property
    def name(self) -> str:
        return "catch up with the log"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        anchor = self.site(folder).anchor
        lines = anchor.read_bytes().splitlines(keepends=True)
        anchor.write_bytes(b"".join(lines[:3]) + lines[3][:100])


@dataclass(frozen=True)
class Exporting(Appending):
    """A log is exported, with an artefact that a record names."""

    before: int = 3

    @property
    def name(self) -> str:
        return "export"

    def prepare(self, folder: Path) -> None:
        super().prepare(folder)
        artefact = folder / "artefacts" / MASK_DIGEST[:2] / MASK_DIGEST
        artefact.parent.mkdir(parents=True)
        artefact.write_bytes(MASK)
        site = self.site(folder, _FIRST_OF_THE_CHILD)
        with site.open() as ledger:
            ledger.append(site.draft(outputs={"mask_sha256": MASK_DIGEST}))

    def act(self, folder: Path, say: Say) -> None:
        site = self.site(folder)
        with site.open() as ledger:
            export.write(ledger, folder / "export", site.policy, folder / "artefacts")
            say("exported")

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        """An export is whole or not there; a failed one leaves nothing behind but what a killed process had begun."""
        site = self.site(folder, _FIRST_AFTERWARDS)
        wrong, whole = judged(site, end), folder / "export"
        begun = list(folder.glob(".export.*"))
        if begun and end.status >= 0:
            wrong[STUCK] = f"{begun[0].name} was left behind"
        if not whole.exists():
            if end.of("exported"):
                wrong[LOST] = "the export"
            with site.open() as ledger:
                export.write(ledger, whole, site.policy, folder / "artefacts")
        report = bundle.verify_bundle(whole, site.policy)
        if not report.ok:
            wrong[UNVERIFIED] = f"the export: {report.findings[:1]}"
        return wrong


def judged(site: Site, end: End) -> dict[str, str]:
    """Judge a log after whatever happened to its writer; appends one more record to it."""
    wrong = typed(end)
    try:
        before = site.verify()
        if not before.ok:
            wrong[UNVERIFIED] = f"as it was found: {before.findings[:1]}"
    except Problem as problem:
        wrong[UNVERIFIED] = f"as it was found: {problem.code}"
    try:
        with site.open() as ledger:
            held = {ledger.read(entry).record_id for entry in ledger.entries()}
            site.append(ledger)
            size = ledger.size
    except Problem as problem:
        return {**wrong, STUCK: problem.code}
    if lost := {identity for (identity,) in end.of("acknowledged")} - held:
        wrong[LOST] = ", ".join(sorted(lost))
    if loose := {path.name for path in (site.folder / "out").iterdir()} - held:
        wrong[UNLOGGED] = ", ".join(sorted(loose))
    after = site.verify()
    lines = len(site.anchor.read_bytes().splitlines())
    shown = {claim.name for claim in after.claims if claim.ok}
    if not after.ok or not shown >= {ANCHORED, TRUSTED, AS_CLOSED} or lines != size:
        wrong[UNVERIFIED] = f"after one more record: {after.findings[:1]}, {shown}, {lines} anchor lines of {size}"
    return wrong


def typed(end: End) -> dict[str, str]:
    """Every failure that was told has a code and an exit code that says what to do; nothing crashed."""
    for (text,) in end.of("crashed"):
        return {UNTYPED: text}
    for code, exit_code in end.of("failed"):
        if wrong := answered(code, int(exit_code)):
            return wrong
    if end.status >= 0 and end.status not in _ANSWERS:
        return {UNTYPED: f"exit code {end.status}"}
    return {}


def answered(code: str, exit_code: int) -> dict[str, str]:
    """Return what is wrong with an answer to a fault."""
    if re.fullmatch(r"E-[A-Z]+(-[A-Z0-9]+)*", code) and exit_code in _ANSWERS:
        return {}
    return {UNTYPED: f"{code} with exit code {exit_code}"}

# SPDX-License-Identifier: Apache-2.0
"""A home under faults: made, and used by a desk for a case from its file to the delivered folder.

Rules of this module:

- The engine is a stand-in and the pictures are a word each: what is between the file, the log and the folder is real.
- A killed ``init`` leaves a home that opens, or a place of which the next ``init`` says in type what is in its way.
- What a record names is kept with it: the artefacts of every record in the log are there after the next opening.
- Nothing visible lies in the output folder but files whose record is in the log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import keyring, opening, rekeying, shelf
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import RECORD, Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.errors import ConfigurationError, InputError, Problem
from radiomicnet_md.review import pictures
from radiomicnet_md_audit import seal, sign
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.audit.faults.logs import Scenario, typed
from tests.audit.faults.outcome import LOST, STUCK, UNLOGGED, UNVERIFIED
from tests.audit.faults.tracer import End, Say

# A home that can never be finished is refused by these, each with what to do about it.
_IN_THE_WAY = ("E-HOME-ABSENT", "E-HOME-OCCUPIED", "E-HOME-UNUSABLE")


@contextmanager
def light() -> Iterator[None]:
    """Inside, no release is opened, passphrases cost nothing, and pictures are words: the rest is the product's."""

    def no_release(*_: object) -> None:
        raise ConfigurationError("E-RELEASE-NONE", "No release is used here.", remedy="None.")

    with pytest.MonkeyPatch.context() as patched:
        for name in ("SCRYPT_N", "SCRYPT_R", "SCRYPT_P"):  # the cost of a passphrase is no matter of faults
            patched.setattr(sign, name, 2)
        patched.setattr(seal, "_stretch", lambda passphrase, salt: hashlib.sha256(salt + passphrase).digest())
        patched.setattr(opening, "verified_release", no_release)
        patched.setattr(pictures, "overlay", lambda *_: desks.PICTURE)
        patched.setattr(pictures, "why", lambda *_: b"why")
        for name in (homes.PASSPHRASE_FILE, "RADIOMICNET_MD_HOME", "RADIOMICNET_MD_AUDIT_DB"):
            patched.delenv(name, raising=False)
        yield


@contextmanager
def desk_of(folder: Path) -> Iterator[Desk]:
    """The desk as any command opens it, with the stand-in in the place of the engine."""
    with opening.open_desk(Settings(home=folder)) as desk:
        yield replace(desk, engine=desks.FakeEngine(), maker=desks.MAKER)


@dataclass(frozen=True)
class Initialising(Scenario):
    """A home is made: keys, vault, log and anchor."""

    @property
    def name(self) -> str:
        return "init"

    def prepare(self, folder: Path) -> None:
        """Nothing is there before."""

    def act(self, folder: Path, say: Say) -> None:
        homes.create(folder / "home")
        say("acknowledged", "home")

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        home, wrong = folder / "home", typed(end)
        if end.status > 0 and (left := sorted(path.name for path in folder.iterdir())):
            wrong[STUCK] = f"left behind: {', '.join(left)}"
        try:
            homes.open_home(home)
        except Problem as problem:
            if end.of("acknowledged"):
                wrong[LOST] = problem.code
            if problem.code not in _IN_THE_WAY:
                wrong[STUCK] = problem.code
            return wrong | self._again(folder)
        with desk_of(home) as desk:
            if not verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok:
                wrong[UNVERIFIED] = "the log of the new home"
        return wrong

    def _again(self, folder: Path) -> dict[str, str]:
        """What is in the way is said; without it, a home can be made at the same place."""
        home = folder / "home"
        for _ in range(2):
            try:
                homes.create(home)
            except Problem as problem:
                if problem.code not in _IN_THE_WAY or not any(folder.iterdir()):
                    return {STUCK: problem.code}
                (folder / "aside").mkdir()
                for path in (home, homes.anchor_beside(home)):
                    if path.exists():
                        path.rename(folder / "aside" / path.name)
            else:
                return {}
        return {STUCK: "init is refused where nothing is in its way"}


@dataclass(frozen=True)
class Deciding(Scenario):
    """A desk opens its home, decides a case, and closes; ``earlier`` results of the same file may lie there."""

    earlier: bool = False
    refused: bool = False

    @property
    def name(self) -> str:
        return "desk: a refusal" if self.refused else f"desk: a case{' again' if self.earlier else ''}"

    def prepare(self, folder: Path) -> None:
        homes.create(folder / "home")
        desks.write_images(folder / "in", "scan.png", "next.png")
        if self.earlier:
            with desk_of(folder / "home") as desk:
                segment_file(folder / "in" / "scan.png", desk, Target(folder / "out", "scan"))

    def act(self, folder: Path, say: Say) -> None:
        with desk_of(folder / "home") as desk:
            engine = Refusing() if self.refused else desk.engine
            answer = segment_file(
                folder / "in" / "scan.png", replace(desk, engine=engine), Target(folder / "out", "scan")
            )
            say("acknowledged", answer.record_id)
            if answer.status == "error" and answer.reason is not None:
                say("failed", answer.reason.code, str(int(answer.exit_code)))

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        wrong = typed(end)
        try:
            with desk_of(folder / "home") as desk:
                wrong |= _kept(desk, end) | _released(desk, folder / "out")
                answer = segment_file(folder / "in" / "next.png", desk, Target(folder / "out", "next"))
                if answer.status != "accepted":
                    wrong[STUCK] = str(answer.reason)
                report = verify_ledger(desk.ledger, desk.ledger.anchor_text())
        except Problem as problem:
            return wrong | {STUCK: problem.code}
        if not report.ok:
            wrong[UNVERIFIED] = str(report.findings[:1])
        return wrong


@dataclass(frozen=True)
class Rekeying(Deciding):
    """A key of the home is replaced; what a crash leaves of that is settled at the next opening."""

    role: Role = Role.ENGINE

    @property
    def name(self) -> str:
        return f"replace the {self.role} key"

    def act(self, folder: Path, say: Say) -> None:
        home = homes.open_home(folder / "home")
        say("acknowledged", rekeying.replace_key(home, self.role, home.passphrase()).record_id)

    def judge(self, folder: Path, end: End) -> dict[str, str]:
        wrong = super().judge(folder, end)
        if left := keyring.waiting(folder / "home" / "keys"):
            wrong[STUCK] = f"keys wait: {left}"
        return wrong


class Refusing(desks.FakeEngine):
    """Decides no case."""

    def decide(self, *_: object) -> NoReturn:
        raise InputError("E-SCREEN-NOTHING", "Nothing is plausible here.", remedy="Look at the image.")


def _kept(desk: Desk, end: End) -> dict[str, str]:
    """Every acknowledged record is in the log, and what records name is in the home."""
    said = [desk.ledger.read(entry).predicate for entry in desk.ledger.entries(1)]
    if lost := {identity for (identity,) in end.of("acknowledged")} - {one["record_id"] for one in said}:
        return {LOST: ", ".join(lost)}
    named = [value for one in said for value in (one.get("outputs") or {}).values() if isinstance(value, str)]
    if gone := [digest for digest in named if shelf.fetch(desk.home.folder, digest) is None]:
        return {LOST: f"artefacts {gone}"}
    if left := list((desk.home.folder / "staging").iterdir()):
        return {STUCK: f"{len(left)} attempts are not settled"}
    return {}


def _released(desk: Desk, out: Path) -> dict[str, str]:
    """Every folder that somebody reads names a record of the log."""
    held = {desk.ledger.read(entry).record_id for entry in desk.ledger.entries(1)}
    for folder in [path for path in out.glob("*") if not path.name.startswith(".")]:
        note = folder / RECORD
        if not note.is_file() or json.loads(note.read_bytes())["record_id"] not in held:
            return {UNLOGGED: folder.name}
    return {}

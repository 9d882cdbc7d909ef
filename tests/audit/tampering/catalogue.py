# SPDX-License-Identifier: Apache-2.0
"""The catalogue of attacks, read from ``catalogue.yaml``, and what running one of them shows.

Rules of this module:

- A case is data: who changes what, the steps of it, and all that the product's own doors must then say: exit code,
  every claim by its name, every code of a finding or of a refusal, no more and no less.
- *D*, detected: verification with the reader's policy (and the anchor, where ``anchor`` says so) ends as stated.
- *R*, refused: a step fails as ``refused`` says, and the log is as it was; or the door to write ends as stated.
- *A*, with an anchor kept elsewhere: without it verification ends with 0 and no finding, with it as stated.
- *N*, beyond this evidence: verification ends with 0, and its words or ``audit/FORMAT.md`` section 12 say why.
"""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy
import yaml

from radiomicnet_md_audit.bundle import COMPLETE
from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.evidence import STAMPED, WITNESSED
from radiomicnet_md_audit.stored import AS_CLOSED
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, SIGNED, TRUSTED, UNCOMPROMISED
from tests.audit.tampering import (
    anchors,
    exports,
    files,
    guards,
    notes,
    records,
    rotations,
    rows,
    signatures,
    spellings,
    testimonies,
)
from tests.audit.tampering.attacks import ATTACKS
from tests.audit.tampering.scene import Outcome, Scene

FILE = Path(__file__).with_name("catalogue.yaml")
FORMAT = Path(__file__).resolve().parents[3] / "audit" / "FORMAT.md"
MODULES = (anchors, exports, files, guards, notes, records, rotations, rows, signatures, spellings, testimonies)

CLAIMS = {
    "consistent": CONSISTENT,
    "anchored": ANCHORED,
    "trusted": TRUSTED,
    "file": AS_CLOSED,
    "complete": COMPLETE,
    "uncompromised": UNCOMPROMISED,
    "signed": SIGNED,
    "witnessed": WITNESSED,
    "stamped": STAMPED,
}
BY = ("outsider", "administrator", "engine key", "log key", "both keys")
STORES = ("sqlite", "postgresql", "export")
VERDICTS = {
    "D": "detected offline",
    "R": "refused at run time",
    "A": "detected with an anchor kept elsewhere",
    "N": "beyond what this evidence can show, and said so",
}


@dataclass(frozen=True, kw_only=True)
class Case:
    """One attack, and what must come of it; see the rules of this module."""

    id: str
    title: str
    changes: str
    by: str
    stores: list[str]
    does: list[dict[str, dict[str, Any]]]
    verdict: str
    exit: int = 0
    codes: list[str] = field(default_factory=list)
    fails: list[str] = field(default_factory=list)
    unchecked: list[str] = field(default_factory=list)
    holds: list[str] = field(default_factory=list)  # claims that are unchecked in most cases
    report: bool = True  # whether the door comes as far as claims
    refused: str | None = None
    limit: str | None = None
    anchor: bool = False
    policy: str | None = None
    door: str = "verify"

    def __post_init__(self) -> None:
        """Refuse a case that could not fail, or that does not say what its verdict needs."""
        whole = {
            "D": self.exit != 0 and self.codes,
            "R": bool(self.refused) != (self.exit != 0 and bool(self.codes)),
            "A": self.exit == 4 and self.fails == ["anchored"],
            "N": self.exit == 0 and not self.codes and self.limit,
        }
        known = (
            self.by in BY
            and set(self.stores) <= set(STORES)
            and {*self.fails, *self.unchecked, *self.holds} <= set(CLAIMS)
        )
        if not (whole[self.verdict] and known and self.stores and self.does):
            raise ValueError(self.id)


def stated(case: Case | None, store: str, *, fails: bool, anchored: bool) -> dict[str, bool | None]:
    """Return every claim that a door makes, by name, and what it must say of it: without a case, on any sound log.

    ``fails``: whether what the case says to fail does so already; ``anchored``: whether an anchor is given.
    """
    failing, unchecked, holds = ([], [], []) if case is None else (case.fails, case.unchecked, case.holds)
    names = ["consistent", "anchored", "trusted", "complete" if store == "export" else "file", "witnessed", "stamped"]
    names += ["uncompromised"] if "uncompromised" in unchecked else []  # said only where a key was revoked
    names += ["signed"] if "signed" in (*failing, *holds) else []  # said only where there are people
    said: dict[str, bool | None] = dict.fromkeys(names, True) | dict.fromkeys(("witnessed", "stamped"))
    if store == "export" and not anchored:
        said["anchored"] = None
    if store == "postgresql":
        said["file"] = None
    said |= dict.fromkeys(unchecked) | dict.fromkeys(holds, True) | (dict.fromkeys(failing, False) if fails else {})
    return {CLAIMS[name]: said[name] for name in names}


def load() -> list[Case]:
    """Return the cases; raise where one is not of the form."""
    return [Case(**item) for item in yaml.safe_load(FILE.read_text("utf-8"))]


def run(case: Case, store: str, scene: Scene) -> list[str]:
    """Do what the case does, and return every difference between what must come of it and what came."""
    before = scene.entries()
    try:
        for step in case.does:
            ((name, given),) = step.items()
            ATTACKS[name](scene, **given)
    except (Problem, sqlite3.Error, sqlalchemy.exc.SQLAlchemyError, psycopg.Error) as error:
        said = f"{type(error).__name__} {getattr(error, 'code', '')} {error} {error.__cause__}"
        if case.refused is None or not re.search(case.refused, said):
            return [f"a step failed: {said}"]
        wrong = ["the log is not as it was"] if scene.entries() != before else []
        return wrong + _unsound(case, store, scene)
    if case.refused is not None:
        return ["nothing refused it"]
    wrong = _unsound(case, store, scene) if case.verdict == "A" else []
    anchored = case.anchor or case.verdict == "A"
    said = _ask(case, store, scene, anchor=anchored)
    claims = stated(case, store, fails=True, anchored=anchored) if case.report else {}
    wrong += _unlike(said, case.exit, claims, case.codes)
    if case.limit is not None and case.limit not in said.words + _what_it_cannot():
        wrong.append(f"nothing says {case.limit!r}: {said.words}")
    return wrong


def _ask(case: Case, store: str, scene: Scene, *, anchor: bool) -> Outcome:
    kept = scene.kept if anchor else None
    if case.door == "write":
        return scene.audit("export", str(scene.folder / "written"))
    if store == "export":
        return scene.verify_export(kept, None if case.policy is None else scene.folder / case.policy)
    return scene.verify(kept)


def _unsound(case: Case, store: str, scene: Scene) -> list[str]:
    """Verify without an anchor from elsewhere: nothing must be wrong, as far as can be seen."""
    claims = stated(case, store, fails=False, anchored=False)
    return _unlike(_ask(case, store, scene, anchor=False), 0, claims, [])


def _unlike(said: Outcome, code: int, claims: dict[str, bool | None], codes: list[str]) -> list[str]:
    pairs = ((said.exit, code), (said.claims, claims), (sorted(said.codes), sorted(codes)))
    return [f"{found}, not {stated}" for found, stated in pairs if found != stated]


def _what_it_cannot() -> str:
    text = FORMAT.read_text("utf-8").partition("\n## 12.")[2]
    return " ".join(text.partition("\n## ")[0].split())

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
from radiomicnet_md_audit.stored import AS_CLOSED
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, TRUSTED
from tests.audit.tampering import anchors, exports, files, guards, notes, records, rows, spellings
from tests.audit.tampering.attacks import ATTACKS
from tests.audit.tampering.scene import Outcome, Scene

FILE = Path(__file__).with_name("catalogue.yaml")
FORMAT = Path(__file__).resolve().parents[3] / "audit" / "FORMAT.md"
MODULES = (anchors, exports, files, guards, notes, records, rows, spellings)

CLAIMS = {
    "consistent": CONSISTENT,
    "anchored": ANCHORED,
    "trusted": TRUSTED,
    "file": AS_CLOSED,
    "complete": COMPLETE,
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
        known = self.by in BY and set(self.stores) <= set(STORES) and {*self.fails, *self.unchecked} <= set(CLAIMS)
        if not (whole[self.verdict] and known and self.stores and self.does):
            raise ValueError(self.id)

    def claims(self, store: str, *, anchored: bool) -> dict[str, bool | None]:
        """Every claim that a door makes, by name, and what it must say of it."""
        if not self.report:
            return {}
        names = ("consistent", "anchored", "trusted", "complete" if store == "export" else "file")
        stated: dict[str, bool | None] = dict.fromkeys(names, True)
        if store == "export" and not anchored:
            stated["anchored"] = None
        if store == "postgresql":
            stated["file"] = None
        stated |= dict.fromkeys(self.unchecked) | dict.fromkeys(self.fails, False)
        return {CLAIMS[name]: stated[name] for name in names}


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
        return wrong + _unlike(_ask(case, store, scene, anchor=False), 0, _sound(case, store, anchored=False), [])
    if case.refused is not None:
        return ["nothing refused it"]
    if case.verdict == "A":
        first = _unlike(_ask(case, store, scene, anchor=False), 0, _sound(case, store, anchored=False), [])
        said = _ask(case, store, scene, anchor=True)
        return first + _unlike(said, case.exit, case.claims(store, anchored=True), case.codes)
    said = _ask(case, store, scene, anchor=case.anchor)
    wrong = _unlike(said, case.exit, case.claims(store, anchored=case.anchor), case.codes)
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


def _sound(case: Case, store: str, *, anchored: bool) -> dict[str, bool | None]:
    """The claims of a log with which nothing is wrong, as far as can be seen."""
    return Case(**{**vars(case), "fails": [], "verdict": "N", "exit": 0, "codes": [], "limit": "-"}).claims(
        store, anchored=anchored
    )


def _unlike(said: Outcome, code: int, claims: dict[str, bool | None], codes: list[str]) -> list[str]:
    pairs = ((said.exit, code), (said.claims, claims), (sorted(said.codes), sorted(codes)))
    return [f"{found}, not {stated}" for found, stated in pairs if found != stated]


def _what_it_cannot() -> str:
    text = FORMAT.read_text("utf-8").partition("\n## 12.")[2]
    return " ".join(text.partition("\n## ")[0].split())

# SPDX-License-Identifier: Apache-2.0
"""What every request shares: a home with its log open, who has signed in, and what the log was read into.

Rules of this module:

- The log is written in one turn after the other. Who reads waits for nobody.
- A record is given out only with its proof, and a person only as the log has them now.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from radiomicnet_md import people
from radiomicnet_md.errors import Problem
from radiomicnet_md.privacy.history import erased
from radiomicnet_md.review import proven
from radiomicnet_md.web.books import Books
from radiomicnet_md.web.sessions import Rate, Sessions
from radiomicnet_md_audit.errors import RecordError
from radiomicnet_md_audit.statement import DECISION, KEY_EVENT, RECORD_ID

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings
    from radiomicnet_md.privacy.history import Past
    from radiomicnet_md.privacy.people import Keeper
    from radiomicnet_md_audit.ledger import Entry
    from radiomicnet_md_audit.verify import Report

MOST_FAILURES = 10  # a minute and address: who guesses waits
MOST_REQUESTS = 600  # a minute and person


@dataclass(frozen=True, slots=True)
class Opened:
    """A record that was verified, with what the log says about it elsewhere."""

    entry: Entry
    statement: Mapping[str, Any]
    proof: proven.Proof
    past: Past | None  # where it was erased

    @property
    def predicate(self) -> Mapping[str, Any]:
        """What it says."""
        said: Mapping[str, Any] = self.statement["predicate"]
        return said

    @property
    def record_id(self) -> str:
        """Its id."""
        return str(self.predicate["record_id"])

    @property
    def is_decision(self) -> bool:
        """Whether it is one."""
        return bool(self.statement["predicateType"] == DECISION)

    @property
    def is_result(self) -> bool:
        """Whether it is a decision with a mask."""
        return self.is_decision and self.predicate["state"] == "RESULT"


@dataclass(slots=True)
class House:
    """One home, served."""

    keeper: Keeper
    settings: Settings
    reference: Mapping[str, Any]  # of the release in force: its manifest's digest and its ranges; empty without one
    sessions: Sessions = field(default_factory=Sessions)
    writing: threading.Lock = field(default_factory=threading.Lock)
    verifying: threading.Lock = field(default_factory=threading.Lock)
    report: Report | None = None  # the latest verification of the whole log
    failures: Rate = field(default_factory=lambda: Rate(MOST_FAILURES, 60.0))
    requests: Rate = field(default_factory=lambda: Rate(MOST_REQUESTS, 60.0))
    books: Books = field(init=False)
    _looked: int = field(init=False)  # entries that were looked at for changes of keys

    def __post_init__(self) -> None:
        """Open the books."""
        self.books = Books(self.keeper.ledger)
        self._looked = self.keeper.ledger.size

    def keys_changed(self) -> bool:
        """Whether the log's keys were changed since it was opened here: what comes after would seem not to verify."""
        ledger = self.keeper.ledger
        size = ledger.size
        if size > self._looked and not any(True for _ in ledger.events(KEY_EVENT, start=self._looked)):
            self._looked = size
        return size > self._looked

    def person(self, user: str) -> people.Person | None:
        """Someone as the log has them now."""
        return people.roster(self.keeper.ledger).get(user)

    def open(self, record_id: str) -> Opened:
        """A record by its whole id.

        Raises :class:`RecordError` ``E-RECORD-UNKNOWN``, and :class:`IntegrityError` where it does not verify.
        """
        if not re.fullmatch(RECORD_ID, record_id):
            raise RecordError(
                "E-RECORD-UNKNOWN", "No record of this log has this id.", remedy="Choose one from the worklist."
            )
        entry = self.keeper.ledger.find(record_id)
        statement, proof = proven.prove(self.keeper.ledger, entry)
        return Opened(entry, statement, proof, erased(self.keeper.ledger).get(record_id))


def ranges(settings: Settings) -> dict[str, Any]:
    """The release in force: the digest of its manifest, and the range of each global value in its reference.

    Empty where no release verifies: then a value is shown without a range.
    """
    from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys

    try:
        release = open_release(settings.release or default_folder(), keys=trusted_keys(*settings.release_keys))
    except Problem:
        return {}
    known = json.loads(release.files["acceptance.json"]).get("reference")
    if known is None:
        return {}
    ends = zip(known["values"], known["low"], known["high"], strict=True)
    values = {name: (float.fromhex(low), float.fromhex(high)) for name, low, high in ends}
    return {"manifest_sha256": release.manifest_sha256, "values": values}

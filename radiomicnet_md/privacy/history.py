# SPDX-License-Identifier: Apache-2.0
"""What was erased, and which legal holds stand, as the log alone says it; nothing else is asked, and no key is needed.

Rules of this module:

- A record is believed after its signature was checked.
- The later record wins: a hold stands from its placing to its release, and what was erased stays erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from radiomicnet_md_audit.statement import ERASURE, HOLD

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.statement import Statement


@dataclass(frozen=True, slots=True)
class Past:
    """When a decision was erased, and by which record."""

    record_id: str
    time_utc: str

    def claims(self) -> list[str]:
        """What a page about the erased decision says of it."""
        gone = "samples, mask, contributions and the values behind the commitments are not kept any more"
        return [f"erased on {self.time_utc[:10]} by record {self.record_id}: {gone}"]


@dataclass(frozen=True, slots=True)
class Hold:
    """A legal hold that stands."""

    id: str  # of the record that placed it
    subject: str | None  # the id of the person it covers, None for everything
    why: str
    time_utc: str
    operator: str

    def covers(self, subject: str) -> bool:
        """Whether it forbids to erase this subject."""
        return self.subject in (None, subject)


def erased(ledger: Ledger) -> dict[str, Past]:
    """Every decision that was erased, by its record id; of several erasures the first."""
    found: dict[str, Past] = {}
    for said in _statements(ledger, ERASURE):
        about: dict[str, Any] = said.predicate
        for record_id in about["records"]:
            found.setdefault(record_id, Past(said.record_id, said.log.time_utc))
    return found


def standing(ledger: Ledger) -> list[Hold]:
    """The holds that were placed and not released, in the order of the log."""
    holds: dict[str, Hold] = {}
    for said in _statements(ledger, HOLD):
        about: dict[str, Any] = said.predicate
        if about["action"] == "place":
            hold = Hold(said.record_id, about["subject"], about["why"], said.log.time_utc, about["operator"])
            holds[hold.id] = hold
        else:
            holds.pop(about["hold"], None)
    return list(holds.values())


def _statements(ledger: Ledger, kind: str) -> Iterator[Statement]:
    """The verified records of one predicate type, in the order of the log."""
    return map(ledger.read, ledger.events(kind))

# SPDX-License-Identifier: Apache-2.0
"""Whether this very installation is qualified, as its log says it: newest first, compared whole, signed by a person.

Rules of this module:

- What counts is a record of the verdict PASS about what runs now (code, environment, release and every dependency),
  with a signature of the meaning ``qualify`` on it. Installation (iq) and operation (oq) both have to count.
- The newest record about this installation that did not pass stands against every older one. One that passed and is
  not signed yet neither adds nor takes away.
- A record that another installation was taken into the home (``installation:1``) ends every qualification before it,
  and names the packages that the home is held to until the next one counts.
- It reads, and changes nothing. A record of another form is none; a signature that does not hold raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from radiomicnet_md import people
from radiomicnet_md.engine import installation
from radiomicnet_md.errors import NotQualifiedError
from radiomicnet_md_audit import installed, qualification
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import QUALIFYING
from radiomicnet_md_audit.installed import Taken
from radiomicnet_md_audit.qualification import Installation, Qualification
from radiomicnet_md_audit.statement import INSTALLATION, QUALIFICATION

if TYPE_CHECKING:
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.ledger import Ledger

NEEDED: Final = {"iq": "installation (iq)", "oq": "operation (oq)"}
_NONE: Final = "there is no record of it"
REMEDY: Final = (
    "Run `radiomicnet-md qualify iq --out DIR` and `radiomicnet-md qualify oq --out DIR`, read the reports, and let "
    "someone of the role qa sign each: radiomicnet-md sign ID --meaning qualify"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an installation stands: the records that qualify it, by kind, or what it lacks."""

    records: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=dict)  # what those records froze, or the one that took it in

    @property
    def qualified(self) -> bool:
        """Whether nothing is lacking."""
        return not self.lacks

    def refusal(self) -> NotQualifiedError:
        """Why a clinical home decides nothing."""
        return NotQualifiedError(
            "E-NOT-QUALIFIED",
            f"This is a clinical home, and this installation is not qualified here: {'; '.join(self.lacks)}.",
            remedy=REMEDY,
        )


def present(release: Release) -> Installation:
    """What runs now."""
    named = {"id": release.id, "version": release.version, "manifest_sha256": release.manifest_sha256}
    return Installation(installation.code(), installation.environment(), named, installation.record_digests())


def standing(ledger: Ledger, release: Release) -> Standing:
    """How what runs now stands in this log.

    Raises :class:`IntegrityError` where a signature on a qualification does not hold.
    """
    taken = taken_in(ledger)
    known = list(_records(ledger, 0 if taken is None else taken.index))
    now = present(release) if known else None
    records, lacks = {}, []
    for kind, title in NEEDED.items():
        of_kind = [(record_id, one) for record_id, one in reversed(known) if one.kind == kind]
        record_id, lack = _counting(ledger, of_kind, now) if of_kind and now else (None, _NONE)
        if record_id is not None:
            records[kind] = record_id
        else:
            since = (
                f" since another installation was taken in by {taken.record_id[:8]}" if taken and not of_kind else ""
            )
            lacks.append(f"{title}: {lack}{since}")
    if now is not None and not lacks:
        return Standing(records, (), now.installed)
    return Standing(records, tuple(lacks), {} if taken is None else taken.said.now.installed)


@dataclass(frozen=True, slots=True)
class TakenIn:
    """The newest record of an installation that was taken into the home."""

    index: int
    record_id: str
    said: Taken


def taken_in(ledger: Ledger) -> TakenIn | None:
    """What was taken into this home last, if anything was; raises where the engine's signature does not hold."""
    found = None
    for entry in ledger.events(INSTALLATION):
        said = ledger.read(entry)
        with suppress(IntegrityError):  # verification reports it
            found = TakenIn(entry.index, said.record_id, installed.parse(said))
    return found


def frozen(home: Home, stands: Standing) -> Mapping[str, str]:
    """The digests that this installation is held to: as qualified, else as taken in, else as the home was made."""
    return stands.installed or home.installed


def _records(ledger: Ledger, start: int) -> Iterator[tuple[str, Qualification]]:
    for entry in ledger.events(QUALIFICATION, start=start):
        said = ledger.read(entry)
        try:
            yield said.record_id, qualification.parse(said)
        except IntegrityError:  # verification reports it
            continue


def _counting(
    ledger: Ledger, newest_first: list[tuple[str, Qualification]], now: Installation
) -> tuple[str | None, str]:
    """The record of one kind that counts, or why none does; there is at least one."""
    other = ", ".join(newest_first[0][1].installation.differs(now))
    lack = f"since record {newest_first[0][0][:8]}, changed: {other}"
    for record_id, one in newest_first:
        if one.installation.differs(now):
            continue
        if one.verdict != "PASS":
            return None, f"record {record_id[:8]} says {one.verdict}"
        if any(signed.meaning in QUALIFYING for signed in people.signatures(ledger, record_id)):
            return record_id, ""
        lack = f"record {record_id[:8]} is not signed"
    return None, lack

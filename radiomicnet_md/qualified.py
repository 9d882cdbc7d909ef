# SPDX-License-Identifier: Apache-2.0
"""Whether this very installation is qualified, as its log says it: newest first, compared whole, signed by a person.

Rules of this module:

- What counts is a record of the verdict PASS about what runs now (code, environment, release and every dependency),
  with a signature of the meaning ``qualify`` on it. Installation (iq) and operation (oq) both have to count.
- The newest record about this installation that did not pass stands against every older one. One that passed and is
  not signed yet neither adds nor takes away.
- It reads, and changes nothing. A record of another form is none; a signature that does not hold raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from radiomicnet_md import people
from radiomicnet_md.engine import installation
from radiomicnet_md.errors import NotQualifiedError
from radiomicnet_md_audit import qualification
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import QUALIFYING
from radiomicnet_md_audit.qualification import Installation, Qualification
from radiomicnet_md_audit.statement import QUALIFICATION

if TYPE_CHECKING:
    from radiomicnet_md.engine.release import Release
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.ledger import Ledger

NEEDED: Final = {"iq": "installation (iq)", "oq": "operation (oq)"}
REMEDY: Final = (
    "Run `radiomicnet-md qualify iq --out DIR` and `radiomicnet-md qualify oq --out DIR`, read the reports, and let "
    "someone of the role qa sign each: radiomicnet-md sign ID --meaning qualify"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """How an installation stands: the records that qualify it, by kind, or what it lacks."""

    records: Mapping[str, str] = field(default_factory=dict)
    lacks: tuple[str, ...] = ()
    installed: Mapping[str, str] = field(default_factory=dict)  # what those records froze

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
    known = list(_records(ledger))
    now = present(release) if known else None
    records, lacks = {}, []
    for kind, title in NEEDED.items():
        of_kind = [(record_id, one) for record_id, one in reversed(known) if one.kind == kind]
        record_id, lack = _counting(ledger, of_kind, now) if now else (None, "there is no record of it")
        if record_id is not None:
            records[kind] = record_id
        else:
            lacks.append(f"{title}: {lack}")
    installed = now.installed if now is not None and not lacks else {}
    return Standing(records, tuple(lacks), installed)


def frozen(home: Home, stands: Standing) -> Mapping[str, str]:
    """The digests that this installation is held against: those of its qualification, else those of its home."""
    return stands.installed or home.installed


def _records(ledger: Ledger) -> Iterator[tuple[str, Qualification]]:
    for entry in ledger.events(QUALIFICATION):
        said = ledger.read(entry)
        try:
            yield said.record_id, qualification.parse(said)
        except IntegrityError:  # verification reports it
            continue


def _counting(
    ledger: Ledger, newest_first: list[tuple[str, Qualification]], now: Installation
) -> tuple[str | None, str]:
    """The record of one kind that counts, or why none does."""
    lack = "there is no record of it"
    if newest_first:
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

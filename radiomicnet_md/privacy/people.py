# SPDX-License-Identifier: Apache-2.0
"""From a record, a patient id or an age to the people it means; nobody finds them without the home's passphrase.

Rules of this module:

- It reads, and changes nothing.
- A patient id alone is enough where one issuer uses it; where it could mean two people, the issuer is asked for.
- A record made by a version up to 0.3 is found by its commitment: the salt is in the vault, and the log says the rest.
- What a log says is believed after its signature was checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

from radiomicnet_md import shelf, vault
from radiomicnet_md.desk import commitments
from radiomicnet_md.errors import IntegrityError, UsageError
from radiomicnet_md.home import Home
from radiomicnet_md.image import Identity
from radiomicnet_md.vault import Subject
from radiomicnet_md_audit import clock
from radiomicnet_md_audit.errors import RecordError
from radiomicnet_md_audit.export import digests
from radiomicnet_md_audit.statement import DECISION

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Ledger

_PATIENT, _ISSUER = "PatientID", "IssuerOfPatientID"


@dataclass(frozen=True, slots=True)
class Keeper:
    """Who keeps a home: its log, the key of its vault, the account that asks, and how what a crash left is settled."""

    home: Home
    ledger: Ledger
    vault_key: bytes
    operator: str
    settle: Callable[[], None]


def of_record(keeper: Keeper, prefix: str) -> Subject:
    """The person that a decision is about; ``prefix`` begins its id.

    Raises :class:`RecordError` where no or several records have such an id, :class:`UsageError`
    ``E-SUBJECT-RECORD`` for a record that is no decision.
    """
    said = keeper.ledger.read(keeper.ledger.find(prefix))
    if said.predicate_type != DECISION:
        raise UsageError(
            "E-SUBJECT-RECORD",
            "Only a decision is about a person; this record is none.",
            remedy="List the decisions: radiomicnet-md audit list",
        )
    return vault.subject_of(keeper.home.folder, said.record_id, keeper.vault_key)


def of_patient(keeper: Keeper, patient_id: str, issuer: str | None = None) -> list[Subject]:
    """Everyone whom this home knows by a DICOM PatientID; ``issuer`` "" means files that name none.

    More than one where records of versions up to 0.3, each on its own, are about the patient. Raises
    :class:`UsageError` ``E-SUBJECT-UNKNOWN``, and ``E-SUBJECT-AMBIGUOUS`` where the id alone could mean two people.
    """
    found = [*_by_folder(keeper, patient_id), *_by_commitment(keeper, patient_id, issuer)]
    if issuer is not None:
        found = [(subject, by) for subject, by in found if by == issuer]
    if not found:
        raise UsageError(
            "E-SUBJECT-UNKNOWN",
            "The vault of this home knows nobody by this patient id and issuer.",
            remedy="Check both as the DICOM file spells them, or name one of the person's records.",
        )
    issuers = {by for _, by in found}
    if len(issuers) > 1 or None in issuers:
        raise UsageError(
            "E-SUBJECT-AMBIGUOUS",
            "Several issuers use this patient id, or it is not known which one does.",
            remedy="Add --issuer as the DICOM file spells it (IssuerOfPatientID); --issuer '' for files without one.",
        )
    return [subject for subject, _ in found]


def opened(keeper: Keeper, subject: Subject) -> Iterator[str]:
    """The records that are proven to be about a person: the sealed values give the commitments that the log holds.

    Raises :class:`IntegrityError` ``E-VAULT-DIFFERS`` where they do not.
    """
    for record_id in subject.records:
        kept = vault.unshut(keeper.home.folder, subject, record_id, keeper.vault_key)
        named = {} if kept is None else commitments(Identity(kept.values), kept.salt)
        if named and named != _committed(keeper.ledger, record_id):
            raise IntegrityError(
                "E-VAULT-DIFFERS",
                f"What the vault says of record {record_id} is not what the log committed to.",
                remedy="Restore the vault of this home from a backup.",
            )
        yield record_id


def unseen_since(keeper: Keeper, days: int, erased: Mapping[str, Any]) -> list[Subject]:
    """Everyone of whom something is kept here and whose newest decision is more than ``days`` days old."""
    moment = keeper.ledger.writer.clock()
    before = clock.Instant(moment.utc - timedelta(days=days), moment.monotonic_ns).text()
    subjects = list(vault.subjects(keeper.home.folder, keeper.vault_key))
    folders = {record_id: number for number, subject in enumerate(subjects) for record_id in subject.records}
    salted = set(vault.alone_standing(keeper.home.folder))
    recent: set[int] = set()
    lone: list[Subject] = []
    for entry in keeper.ledger.entries():
        said = keeper.ledger.read(entry)
        if said.predicate_type != DECISION:
            continue
        if said.record_id in folders:
            if said.log.time_utc >= before:
                recent.add(folders[said.record_id])
        elif said.log.time_utc < before and (
            said.record_id in salted or (said.record_id not in erased and artefacts(keeper, said.predicate))
        ):
            lone.append(vault.itself(said.record_id))
    return [subject for number, subject in enumerate(subjects) if number not in recent] + lone


def artefacts(keeper: Keeper, predicate: Mapping[str, Any]) -> set[str]:
    """The digests that a record names and whose files are kept in this home."""
    return {digest for digest in digests(predicate) if shelf.artefact(keeper.home.folder, digest).exists()}


def _by_folder(keeper: Keeper, patient_id: str) -> Iterator[tuple[Subject, str | None]]:
    for subject in vault.subjects(keeper.home.folder, keeper.vault_key):
        person = dict(subject.person.values)
        if person.get(_PATIENT) == patient_id:
            yield subject, person[_ISSUER]


def _by_commitment(keeper: Keeper, patient_id: str, issuer: str | None) -> Iterator[tuple[Subject, str | None]]:
    """Records of versions up to 0.3; with them the issuer, None where there is one that only a right guess opens."""
    for record_id in vault.alone_standing(keeper.home.folder):
        subject = vault.itself(record_id)
        kept = vault.unshut(keeper.home.folder, subject, record_id, keeper.vault_key)
        if kept is None:
            continue
        said = _committed(keeper.ledger, record_id)
        guess = commitments(Identity({_PATIENT: patient_id, _ISSUER: issuer or ""}), kept.salt)
        if said.get(_PATIENT) != guess[_PATIENT]:
            continue
        if _ISSUER not in said:
            yield subject, ""
        else:
            yield subject, issuer if said[_ISSUER] == guess[_ISSUER] else None


def _committed(ledger: Ledger, record_id: str) -> dict[str, str]:
    """The commitments of a record; none where the log does not hold it."""
    try:
        predicate: dict[str, Any] = ledger.read(ledger.find(record_id)).predicate
    except RecordError:
        return {}
    return cast("dict[str, str]", (predicate["input"] or {}).get("commitments", {}))

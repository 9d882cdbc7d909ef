# SPDX-License-Identifier: Apache-2.0
"""A person's signature on one decision or qualification: who, when, meaning what, having seen what; it fits no other.

Rules of this module:

- It is a record of its own (``signature:1``). The engine signs the entry as it signs every other; inside it the person
  signs, with a key that only their passphrase opens, the DSSE PAE of the canonical bytes of all that it says, the
  names of the log and of this very record included.
- What is signed is one record: its id, its place and the SHA-256 of its envelope. It stands before the signature, is
  not younger than it, and is a decision (a result or a refusal) or a qualification whose verdict is PASS.
- The meaning is one of a closed list, which is another for each of the two; a rejection and an override have a reason.
- A qualification is signed by somebody who may ``qualify``; to ``sign`` decisions is another right.
- Whoever is named in the decision as its operator neither approves nor overrides it.
- The person's state is that of the log before this entry: enabled, not locked, of these roles, with this key.

Sources: 21 CFR 11.50 (name, time, meaning), 11.70 (linked to its record), 11.100 and 11.200 (of one individual).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, NoReturn

from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.persons import Person
from radiomicnet_md_audit.sign import Signer
from radiomicnet_md_audit.statement import DECISION, QUALIFICATION, RECORD_ID, TERMINAL_STATES, Statement

SIGNATURE_TYPE: Final = "application/vnd.radiomicnet-md.signature+json"
MEANINGS: Final = ("approve", "reject", "override")  # of a decision
QUALIFYING: Final = ("qualify",)  # of a qualification
NEED_REASON: Final = ("reject", "override")
NOT_BY_AUTHOR: Final = ("approve", "override")
LONGEST_REASON: Final = 1000  # characters
MOST_SHOWN: Final = 64

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SIGNED = ("record_id", "signed", "user", "name", "roles", "keyid", "meaning", "reason", "time_utc", "shown")


class Signed(NamedTuple):
    """A record that was signed: its id, its place in the log, and the SHA-256 of its envelope in hex."""

    record_id: str
    log_index: int
    envelope_sha256: str


class Subject(NamedTuple):
    """The same as the log has it, with what decides whether it may be signed."""

    signed: Signed
    operator: str
    time_utc: str
    meanings: tuple[str, ...] = MEANINGS  # that a signature on it can have


@dataclass(frozen=True)
class Signature:
    """What a signature says; ``shown`` are pairs of a name and a SHA-256 in hex, sorted."""

    record_id: str  # of the signature's own record
    signed: Signed
    user: str
    name: str
    roles: tuple[str, ...]
    keyid: str
    meaning: str
    reason: str | None
    time_utc: str
    shown: tuple[tuple[str, str], ...]

    def document(self) -> dict[str, object]:
        """Return what it says as plain values, as they stand in the record."""
        return {
            "record_id": self.record_id,
            "signed": self.signed._asdict(),
            "user": self.user,
            "name": self.name,
            "roles": list(self.roles),
            "keyid": self.keyid,
            "meaning": self.meaning,
            "reason": self.reason,
            "time_utc": self.time_utc,
            "shown": [{"name": name, "sha256": digest} for name, digest in self.shown],
        }

    def predicate(self, origin: str, key: Signer) -> dict[str, object]:
        """Return what a ``signature:1`` record says, signed by the person's key."""
        said = self.document()
        return {**said, "signature": b64encode(key.sign(_message(origin, said)))}


def subject(index: int, envelope_sha256: str, said: Statement) -> Subject | None:
    """Return a record as something to sign; None for what nobody signs: an error, a failed qualification, the rest."""
    operator = said.predicate.get("operator")
    if said.predicate_type == DECISION and said.predicate.get("state") in TERMINAL_STATES:
        meanings: tuple[str, ...] = MEANINGS
    elif said.predicate_type == QUALIFICATION and said.predicate.get("verdict") == "PASS":
        meanings = QUALIFYING
    else:
        return None
    signed = Signed(said.record_id, index, envelope_sha256)
    return Subject(signed, operator if isinstance(operator, str) else "", said.log.time_utc, meanings)


def right(meaning: str) -> str:
    """Return what somebody has to be allowed to do, to give a signature of this meaning."""
    return "qualify" if meaning in QUALIFYING else "sign"


def parse(said: Statement) -> Signature:
    """Return what a ``signature:1`` record says; raise :class:`IntegrityError` ``E-SIG-FORM`` for another form."""
    match said.predicate:
        case {
            "record_id": str(record_id),
            "log": dict(),
            "operator": str(),
            "stamps": list(),
            "signed": {"record_id": str(signed), "log_index": int(index), "envelope_sha256": str(digest), **other},
            "user": str(user),
            "name": str(name),
            "roles": list(roles),
            "keyid": str(keyid),
            "meaning": str(meaning),
            "reason": str() | None as reason,
            "time_utc": str(time),
            "shown": list(shown),
            "signature": str(),
            **more,
        } if not more and not other and type(index) is int and all(isinstance(role, str) for role in roles):
            about, pairs = Signed(signed, index, digest), tuple(map(_pair, shown))
            held = tuple(map(str, roles))
            found = Signature(record_id, about, user, name, held, keyid, meaning, reason, time, pairs)
            _check_form(found, said)
            return found
    return _fail("E-SIG-FORM", "A record of a signature has another form.")


def check(said: Statement, person: Person | None, about: Subject | None, origin: str) -> Signature:
    """Return the signature that a record holds, if it holds.

    ``person`` is who has its user's id before this entry, ``about`` the entry at the place that it names: None where
    there is none, it comes later, or is nothing to sign. Raises :class:`IntegrityError` with a code ``E-SIG-…``.
    """
    signature = parse(said)
    key = check_person(signature, person).key
    try:
        key.verify(b64decode(str(said.predicate["signature"])), _message(origin, said.predicate))
    except IntegrityError:
        _fail("E-SIG-SIGNATURE", "A person's signature does not hold: what it says, or the signature, was changed.")
    check_subject(signature, about)
    return signature


def check_person(signature: Signature, person: Person | None) -> Person:
    """Return the person if they may sign as the signature says, else raise :class:`IntegrityError` ``E-SIG-PERSON``."""
    if person is None:
        _fail("E-SIG-PERSON", "A signature names a person who was not there.")
    if not person.may(right(signature.meaning)):
        _fail("E-SIG-PERSON", "A signature is of a person who was disabled, locked, or had no right to sign then.")
    if (person.name, person.roles, person.key.keyid) != (signature.name, signature.roles, signature.keyid):
        _fail("E-SIG-PERSON", "A signature names another name, other roles or another key than the person had then.")
    return person


def check_subject(signature: Signature, about: Subject | None) -> None:
    """Raise ``E-SIG-SUBJECT``, ``E-SIG-AUTHOR`` or ``E-SIG-TIME`` unless the record may be signed so."""
    if about is None or about.signed != signature.signed or signature.meaning not in about.meanings:
        _fail("E-SIG-SUBJECT", "A signature is not about a record, at the place that it names, that may be signed so.")
    if signature.meaning in NOT_BY_AUTHOR and is_author(signature.user, about):
        _fail("E-SIG-AUTHOR", "Who made a decision has approved or overridden it.")
    if signature.time_utc < about.time_utc:
        _fail("E-SIG-TIME", "A signature is older than the record that it is about: a clock was set back.")


def is_author(user: str, about: Subject) -> bool:
    """Say whether this person is named in the decision as who made it; an account ``uid:N`` names no person."""
    return about.operator.casefold() == user


def is_reason(meaning: str, reason: str | None) -> bool:
    """Say whether a signature of this meaning can have this reason: one printable line, or none for an approval."""
    if reason is None:
        return meaning not in NEED_REASON
    return 0 < len(reason) <= LONGEST_REASON and reason.isprintable() and reason == reason.strip()


def is_shown(shown: tuple[tuple[str, str], ...]) -> bool:
    """Say whether these can be what was shown: 1 to 64 names, each once and in order, with their digests."""
    names = [name for name, _ in shown]
    fit = all(_NAME.fullmatch(name) and _SHA256.fullmatch(digest) for name, digest in shown)
    return 0 < len(shown) <= MOST_SHOWN and fit and names == sorted(set(names))


def _check_form(signature: Signature, said: Statement) -> None:
    signed = signature.signed
    about = said.document["subject"] == [{"name": "record", "digest": {"sha256": signed.envelope_sha256}}]
    well = RECORD_ID.fullmatch(signed.record_id) and signed.log_index > 0 and _TIME.fullmatch(signature.time_utc)
    if not (about and well and is_shown(signature.shown)):
        _fail("E-SIG-FORM", "A record of a signature has another form.")
    if signature.meaning not in MEANINGS + QUALIFYING or not is_reason(signature.meaning, signature.reason):
        _fail("E-SIG-MEANING", "A signature has no meaning of the list, or none of the reasons that its meaning needs.")


def _pair(item: object) -> tuple[str, str]:
    match item:
        case {"name": str(name), "sha256": str(digest), **more} if not more:
            return name, digest
    return _fail("E-SIG-FORM", "A record of a signature has another form.")


def _message(origin: str, said: Mapping[str, object]) -> bytes:
    signed = {"origin": origin, **{name: said[name] for name in _SIGNED}}
    return dsse.pae(SIGNATURE_TYPE, canonical.dumps(signed))


def _fail(code: str, message: str) -> NoReturn:
    raise IntegrityError(
        code,
        message,
        remedy="Count this signature as none, and compare the log with earlier exports.",
    )

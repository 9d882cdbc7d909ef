# SPDX-License-Identifier: Apache-2.0
"""A person signs one record with their own key, and everything that could make the signature void is asked before.

Rules of this module:

- What is checked and what is signed are the same: nobody is changed in between (see ``place``).
- The person is asked for in the log anew: who was disabled, or got a new key, since they entered signs nothing.
- A clock that is behind the record's time signs nothing.
- A reason stays in the log for ever, and so names no patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NoReturn

from radiomicnet_md import vault
from radiomicnet_md.errors import UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md.people import reading
from radiomicnet_md.people.entering import Identity, entered
from radiomicnet_md.people.place import Place, alone
from radiomicnet_md.privacy.history import erased
from radiomicnet_md.privacy.holds import checked_reason
from radiomicnet_md_audit import esignature
from radiomicnet_md_audit.esignature import NEED_REASON, NOT_BY_AUTHOR, QUALIFYING, Signature, Subject
from radiomicnet_md_audit.statement import SIGNATURE, build

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.persons import Person


class SigningError(UsageError):
    """Nobody may sign this so."""


def sign(  # noqa: PLR0913 -- who signs what, meaning what, having seen what
    place: Place,
    who: Identity | tuple[str, str],
    record_id: str,
    meaning: str,
    reason: str | None,
    shown: Mapping[str, str],
) -> tuple[Signature, Receipt]:
    """Sign a decision or a qualification; ``who`` is a person who has entered, or their id and passphrase.

    ``record_id`` begins the record's id, ``shown`` has the SHA-256 in hex of everything that was displayed, by name.
    Returns the signature and the receipt of its record. Raises :class:`SignInError`, :class:`SigningError` with a code
    ``E-SIGN-…``, :class:`UsageError` ``E-REASON…``, and what the log raises.
    """
    with alone(place.home.folder):
        if isinstance(who, Identity):
            return _signed(place, who, record_id, meaning, reason, shown)
        with entered(place, *who) as identity:
            return _signed(place, identity, record_id, meaning, reason, shown)


def _signed(  # noqa: PLR0913 -- as for sign
    place: Place, who: Identity, record_id: str, meaning: str, reason: str | None, shown: Mapping[str, str]
) -> tuple[Signature, Receipt]:
    ledger = place.ledger
    person = _may_sign(place, who, meaning)
    about = _subject(place, record_id)
    signature = Signature(
        record_id=new_id(),
        signed=about.signed,
        user=person.id,
        name=person.name,
        roles=person.roles,
        keyid=person.key.keyid,
        meaning=meaning,
        reason=_reason(place, about, meaning, reason),
        time_utc=ledger.writer.clock().text(),
        shown=tuple(sorted(shown.items())),
    )
    _check(signature, about)
    said = signature.predicate(ledger.origin, who.key) | {
        "operator": place.operator,
        "stamps": list(place.home.stamps),
    }
    return signature, ledger.append(build(SIGNATURE, {"record": about.signed.envelope_sha256}, said))


def _may_sign(place: Place, who: Identity, meaning: str) -> Person:
    person = reading.roster(place.ledger).get(who.id)
    if person is None or person.key != who.public or not person.enabled or person.locked:
        _refuse("E-SIGN-RIGHT", "This person was changed, locked or disabled in the meantime.", "Sign in again.")
    if person.must_change:
        _refuse(
            "E-SIGN-PASSPHRASE",
            "Somebody else has set this person's passphrase; it has to be changed by the person before they sign.",
            f"radiomicnet-md users passphrase {who.id}",
        )
    if not person.may(esignature.right(meaning)):
        asked = "someone of the role qa" if meaning in QUALIFYING else "a reviewer"
        _refuse("E-SIGN-RIGHT", "None of this person's roles may sign this.", f"Ask {asked}, or an administrator.")
    return person


def _subject(place: Place, record_id: str) -> Subject:
    entry = place.ledger.find(record_id)
    about = reading.subject(place.ledger, entry)
    if about is None:
        _refuse(
            "E-SIGN-DECISION",
            "Only a decision that ended as a result or a refusal is signed, or a qualification that passed.",
            "List the decisions: radiomicnet-md audit list; of all kinds: radiomicnet-md audit list --all",
        )
    if about.signed.record_id in erased(place.ledger):
        _refuse("E-SIGN-ERASED", "What this decision was about is erased: nobody can look at it any more.", "None.")
    return about


def _reason(place: Place, about: Subject, meaning: str, reason: str | None) -> str | None:
    if meaning not in about.meanings:
        of = "qualification" if about.meanings == QUALIFYING else "decision"
        listed = f"A signature on a {of} means one of: {', '.join(about.meanings)}."
        _refuse("E-SIGN-MEANING", listed, "Choose one; none is assumed.")
    if reason is None:
        if meaning in NEED_REASON:
            _refuse("E-SIGN-REASON", f"To {meaning} takes a reason.", "Say it with --reason, without naming a person.")
        return None
    subject = vault.subject_of(place.home.folder, about.signed.record_id, place.vault_key)
    return checked_reason(place, [subject], reason)


def _check(signature: Signature, about: Subject) -> None:
    if signature.meaning in NOT_BY_AUTHOR and esignature.is_author(signature.user, about):
        _refuse(
            "E-SIGN-AUTHOR",
            "Who made a decision neither approves nor overrides it.",
            "Let another reviewer sign, or reject it.",
        )
    if signature.time_utc < about.time_utc:
        _refuse(
            "E-SIGN-TIME",
            "This machine's clock is behind the time of the record; nothing was signed.",
            "Set the clock, and find out why it was wrong.",
        )
    if not esignature.is_shown(signature.shown):
        _refuse(
            "E-SIGN-SHOWN",
            "A signature names what was displayed: 1 to 64 names, each with its SHA-256.",
            "Look at the decision first.",
        )


def _refuse(code: str, message: str, remedy: str) -> NoReturn:
    raise SigningError(code, message, remedy=remedy)

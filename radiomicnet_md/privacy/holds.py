# SPDX-License-Identifier: Apache-2.0
"""While a legal hold stands, nothing it covers is erased.

Rules of this module:

- Placing and releasing are records (``hold:1``). The id of the record that places a hold is the id of the hold. Which
  stand, the log alone says (``history``).
- A hold covers one person, by the random id of the subject, or everything. It names nobody.
- Several may cover the same; each has to be released by itself.
- A hold is not placed while an erasure is under way, nor the other way round.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from radiomicnet_md import vault
from radiomicnet_md.errors import UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md.privacy.history import standing
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.vault import Subject
from radiomicnet_md_audit.statement import HOLD, build

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.ledger import Ledger

LONGEST_REASON = 1000  # characters

_NAMING = ("PatientID", "OtherPatientIDs", "PatientName", "PatientBirthDate", "AccessionNumber")
_PARTS = re.compile(r"[\s^=\\,;]+")
_SHORTEST_PART = 3  # characters: a shorter part of a name is also a part of many words


class Sealed(Protocol):
    """A home with the key of its vault."""

    @property
    def home(self) -> Home:
        """The home."""

    @property
    def vault_key(self) -> bytes:
        """The key of its vault."""


class HeldError(UsageError):
    """A legal hold covers what should be erased."""


def place(keeper: Keeper, subject: Subject | None, why: str) -> Receipt:
    """Record a hold on a person, or on everything.

    Raises what :func:`checked_reason` and the log raise, and :class:`UsageError` ``E-SUBJECT-UNKNOWN`` where the person
    was erased since the look-up.
    """
    why = checked_reason(keeper, [] if subject is None else [subject], why)
    with vault.sharing(keeper.home.folder):
        if subject is None:
            return _append(keeper, ("log", keeper.ledger.origin), {"action": "place", "subject": None, "why": why})
        found = vault.again(keeper.home.folder, subject, keeper.vault_key)
        if found is None:
            raise UsageError(
                "E-SUBJECT-UNKNOWN",
                "What the vault knew of this person was erased in the meantime.",
                remedy="List what was: radiomicnet-md audit list",
            )
        return _append(keeper, ("subject", found.id), {"action": "place", "subject": found.id, "why": why})


def release(keeper: Keeper, prefix: str, why: str) -> Receipt:
    """Record that a hold stands no more; ``prefix`` begins its id. :class:`UsageError` ``E-HOLD-UNKNOWN``."""
    why = checked_reason(keeper, [], why)
    with vault.sharing(keeper.home.folder):
        hold = keeper.ledger.read(keeper.ledger.find(prefix)).record_id
        if hold not in {one.id for one in standing(keeper.ledger)}:
            raise UsageError(
                "E-HOLD-UNKNOWN",
                "This record is no hold that stands.",
                remedy="List those that do: radiomicnet-md audit hold list",
            )
        return _append(keeper, ("hold", hold), {"action": "release", "hold": hold, "why": why})


def refuse_held(ledger: Ledger, subject: str) -> None:
    """Raise :class:`HeldError` ``E-HOLD`` where a standing hold covers the subject."""
    covering = [hold.id for hold in standing(ledger) if hold.covers(subject)]
    if covering:
        raise HeldError(
            "E-HOLD",
            f"A legal hold forbids to erase this ({', '.join(covering)}); nothing was erased.",
            remedy="When it is lifted: radiomicnet-md audit hold release ID --reason TEXT",
        )


def checked_reason(keeper: Sealed, subjects: Sequence[Subject], why: str) -> str:
    """The reason as it goes into the log: one to 1,000 characters, and none of them names the person.

    Raises :class:`UsageError` ``E-REASON``, and ``E-REASON-IDENTITY`` where it holds what the vault keeps sealed: the
    log cannot be erased.
    """
    why = why.strip()
    if not 0 < len(why) <= LONGEST_REASON or not why.isprintable():
        raise UsageError(
            "E-REASON",
            f"A reason has 1 to {LONGEST_REASON} printable characters, in one line.",
            remedy="Say with --reason on whose or which ground this is done.",
        )
    for subject in subjects:
        for record_id in subject.records:
            kept = vault.unshut(keeper.home.folder, subject, record_id, keeper.vault_key)
            if kept is not None and _names(why, (kept.values.get(keyword, "") for keyword in _NAMING)):
                raise UsageError(
                    "E-REASON-IDENTITY",
                    "The reason holds something that identifies the person, and a reason stays in the log for ever.",
                    remedy="Refer to the request by a number of your own, not to the person.",
                )
    return why


def _names(why: str, values: Iterable[str]) -> bool:
    parts = {part for value in values for part in (value, *_PARTS.split(value)) if len(part) >= _SHORTEST_PART}
    return any(re.search(rf"(?<!\w){re.escape(part)}(?!\w)", why, re.IGNORECASE) for part in parts)


def _append(keeper: Keeper, subject: tuple[str, str], about: dict[str, object]) -> Receipt:
    """Append a record about something that has a name alone: the digest is of that name."""
    made: dict[str, object] = {
        "record_id": new_id(),
        "operator": keeper.operator,
        "stamps": list(keeper.home.stamps),
    }
    name, identity = subject
    return keeper.ledger.append(build(HOLD, {name: hashlib.sha256(identity.encode()).hexdigest()}, made | about))

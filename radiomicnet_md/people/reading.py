# SPDX-License-Identifier: Apache-2.0
"""Who is there and who signed what, as the log alone says it; asked again, only what is new in the log is read.

Rules of this module:

- A record is believed after its signatures were checked: the engine's, and those of the people it names.
- A signature is held against the decision when somebody asks for that decision's. One that does not hold raises: a page
  that left it out would look like one that nobody has signed.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from radiomicnet_md_audit import esignature
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.esignature import Signature
from radiomicnet_md_audit.persons import People, Person
from radiomicnet_md_audit.statement import SIGN_IN, SIGNATURE, USER

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Entry, Ledger


@dataclass(slots=True)
class _Read:
    """What the first ``size`` entries say; of a signature its place, and its person as they were before it."""

    size: int = 0
    people: People = field(default_factory=People)
    signed: dict[str, list[tuple[int, Person | None]]] = field(default_factory=dict)


_LOCK = threading.Lock()
_KNOWN: WeakKeyDictionary[Ledger, _Read] = WeakKeyDictionary()


def roster(ledger: Ledger) -> Mapping[str, Person]:
    """Everyone whom the log knows, by id; the disabled too.

    Raises :class:`IntegrityError` where a record of a person does not hold or does not follow.
    """
    return dict(_read(ledger).people.roster)


def people(ledger: Ledger) -> People:
    """The same with what it takes to check a change; a copy."""
    return _read(ledger).people.copy()


def signatures(ledger: Ledger, record_id: str) -> list[Signature]:
    """The signatures on a decision, in the order of the log; ``record_id`` is the whole id.

    Raises :class:`IntegrityError` where one of them does not hold.
    """
    claimed = tuple(_read(ledger).signed.get(record_id, ()))
    if not claimed:
        return []
    entry = ledger.find(record_id)
    about = subject(ledger, entry)
    found = []
    for index, person in claimed:
        (one,) = ledger.entries(index, index + 1)
        found.append(esignature.check(ledger.read(one), person, about if index > entry.index else None, ledger.origin))
    return found


def subject(ledger: Ledger, entry: Entry) -> esignature.Subject | None:
    """An entry as something to sign; None for what nobody signs."""
    digest = hashlib.sha256(entry.envelope).hexdigest()
    return esignature.subject(entry.index, digest, ledger.read(entry))


def _read(ledger: Ledger) -> _Read:
    """Follow the log to its present end."""
    with _LOCK:
        size = ledger.size
        known = _KNOWN.get(ledger)
        if known is None or known.size > size:
            known = _KNOWN[ledger] = _Read()
        if known.size < size:
            for entry in ledger.events(USER, SIGN_IN, SIGNATURE, start=known.size):
                known.size = entry.index  # where this one does not hold, it is asked again
                _follow(known, ledger, entry)
                known.size = entry.index + 1
            known.size = max(known.size, size)
        return known


def _follow(known: _Read, ledger: Ledger, entry: Entry) -> None:
    said = ledger.read(entry)
    if said.predicate_type != SIGNATURE:
        known.people.take(said, entry.index, ledger.origin)
        return
    try:
        one = esignature.parse(said)
    except IntegrityError:  # it names no decision, and so is a signature on none; verification reports it
        return
    known.signed.setdefault(one.signed.record_id, []).append((entry.index, known.people.roster.get(one.user)))

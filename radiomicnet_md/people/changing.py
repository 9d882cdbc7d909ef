# SPDX-License-Identifier: Apache-2.0
"""People are added and changed by records in the log, which an administrator's own key signs.

Rules of this module:

- ``by`` is who makes the change, with their key open; None is whoever holds the keys of the log, and is refused while
  there is an administrator (see ``persons``).
- A person's first passphrase, and any that somebody else sets, is for one use: to set their own. Each comes with a new
  key, so that who knew the former passphrase can sign nothing more, whatever copies they kept.
- The sealed key is on the disk before the record, and the former one is wiped after it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from radiomicnet_md.errors import IntegrityError, UsageError
from radiomicnet_md.intent import new_id
from radiomicnet_md.people import keys, reading, rules
from radiomicnet_md.people.entering import Identity
from radiomicnet_md.people.place import Place, alone
from radiomicnet_md_audit import persons
from radiomicnet_md_audit.persons import Change, Person
from radiomicnet_md_audit.roles import ROLES, may
from radiomicnet_md_audit.statement import USER, build

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt
    from radiomicnet_md_audit.sign import SigningKey


def add(  # noqa: PLR0913 -- who, as what, by whom
    place: Place, by: Identity | None, user_id: str, name: str, roles: Collection[str], passphrase: str
) -> Receipt:
    """Add a person with a first passphrase, which they have to change.

    Raises :class:`UsageError` ``E-USER-ID``, ``E-USER-EXISTS``, ``E-USER-ROLES``, ``E-USER-PASSPHRASE``,
    ``E-USER-RIGHT``, and what the log raises.
    """
    name = name.strip()
    if not persons.is_named(user_id, name):
        raise UsageError(
            "E-USER-ID",
            "An id has 2 to 32 of a-z, 0-9, '.', '_' and '-'; a printed name 1 to 100 printable characters.",
            remedy="Take the id that this person has elsewhere in the house, and the name as it should be printed.",
        )
    rules.check(passphrase, user_id, name)
    held = _roles(roles)
    with alone(place.home.folder):
        if user_id in reading.roster(place.ledger):
            raise UsageError(
                "E-USER-EXISTS",
                "There is a person of this id, perhaps disabled; an id is given once.",
                remedy="List them: radiomicnet-md users list",
            )
        _check_right(place, by)
        key = keys.make(place.home.folder, user_id, passphrase)
        person = Person(user_id, name, held, enabled=True, must_change=True, key=key.public)
        return _record(place, Change("added", person, None if by is None else by.id), by, key)


def disable(place: Place, by: Identity | None, user_id: str) -> Receipt:
    """Let a person do nothing any more; raises :class:`UsageError` ``E-USER-…`` and what the log raises."""
    return _changed(place, by, user_id, "disabled", enabled=False)


def enable(place: Place, by: Identity | None, user_id: str) -> Receipt:
    """Let a disabled person do again what they did; raises as :func:`disable`."""
    return _changed(place, by, user_id, "enabled", enabled=True)


def set_roles(place: Place, by: Identity | None, user_id: str, roles: Collection[str]) -> Receipt:
    """Give a person these roles and no other; raises as :func:`disable`."""
    return _changed(place, by, user_id, "roles", roles=_roles(roles))


def unlock(place: Place, by: Identity | None, user_id: str) -> Receipt:
    """Let a locked person try again; raises as :func:`disable`."""
    return _changed(place, by, user_id, "unlocked", failures=0)


def set_passphrase(place: Place, by: Identity | None, user_id: str, passphrase: str) -> Receipt:
    """Give a person a new passphrase and with it a new key; set by somebody else, it is for one use.

    Raises :class:`UsageError` ``E-USER-PASSPHRASE`` and as :func:`disable`.
    """
    with alone(place.home.folder):
        before = _known(place, user_id)
        _check_right(place, by, None if by is None or by.id != user_id else before)
        rules.check(passphrase, user_id, before.name)
        key = keys.make(place.home.folder, user_id, passphrase)
        after = replace(before, key=key.public, must_change=by is None or by.id != user_id)
        receipt = _record(place, Change("passphrase", after, None if by is None else by.id), by, key)
        keys.keep_only(place.home.folder, user_id, key.public.keyid)
        return receipt


def _changed(place: Place, by: Identity | None, user_id: str, what: str, **parts: object) -> Receipt:
    with alone(place.home.folder):
        before = _known(place, user_id)
        _check_right(place, by)
        after = replace(before, **parts)  # type: ignore[arg-type]
        if after == before or (what == "unlocked" and not before.locked):
            raise UsageError(
                "E-USER-SAME",
                "This person is so already; nothing was recorded.",
                remedy="See them: radiomicnet-md users list",
            )
        return _record(place, Change(what, after, None if by is None else by.id), by, None)


def _known(place: Place, user_id: str) -> Person:
    person = reading.roster(place.ledger).get(user_id)
    if person is None:
        raise UsageError("E-USER-UNKNOWN", "Nobody has this id.", remedy="List who is there: radiomicnet-md users list")
    return person


def _roles(roles: Collection[str]) -> tuple[str, ...]:
    held = tuple(role for role in ROLES if role in roles)
    if not held or set(roles) - set(ROLES):
        raise UsageError(
            "E-USER-ROLES",
            f"A person has one or more of the roles {', '.join(ROLES)}.",
            remedy="Name each with --role.",
        )
    return held


def _check_right(place: Place, by: Identity | None, own: Person | None = None) -> None:
    """Raise ``E-USER-RIGHT`` unless this one may change people, or ``own``: change their own passphrase."""
    people = reading.people(place.ledger)
    if by is None:
        if people.could():
            raise UsageError(
                "E-USER-RIGHT",
                "There is an administrator, and people are changed by one.",
                remedy="Name the administrator with --by.",
            )
        return
    person = people.roster.get(by.id)
    there = person is not None and person.key == by.public and person.enabled and not person.locked
    if person is None or not there or (own is None and not person.may("users")):
        why = "their passphrase was set by somebody else and has to be changed first"
        if person is None or not there or not may(person.roles, "users"):
            why = "they are no administrator"
        raise UsageError(
            "E-USER-RIGHT",
            f"This person may not change people: {why}.",
            remedy="Ask an administrator; a passphrase is changed with: radiomicnet-md users passphrase ID",
        )


def _record(place: Place, change: Change, by: Identity | None, key: SigningKey | None) -> Receipt:
    try:
        reading.people(place.ledger).check(change)
    except IntegrityError as problem:
        raise UsageError("E-USER-CHANGE", str(problem), remedy="See who is there: radiomicnet-md users list") from None
    about = {"operator": place.operator, "stamps": list(place.home.stamps)}
    signed = change.predicate(place.ledger.origin, new_id(), None if by is None else by.key, key)
    return place.ledger.append(build(USER, {"key": change.after.key.keyid}, {**signed, **about}))

# SPDX-License-Identifier: Apache-2.0
"""Who may do what is what the log says: each change of a person is a record, and follows from those before it.

Rules of this module:

- A ``user:1`` record names one change and the whole state of the person after it. It is signed by whoever made the
  change with a key of their own (DSSE's PAE of its canonical bytes, name of the log and record id included), and by
  the person's new key where there is one. Only an administrator changes others.
- Nobody in particular (``by`` is null: whoever holds the keys of the log) may change people only while the log has no
  administrator who could: at the beginning, or when the last one was lost. The record says so for ever.
- A passphrase that somebody else has set comes with a new key, and has to be changed by the person, which makes
  another key, before that key signs anything but this change. No key comes back, and none is of two persons.
- A ``sign-in:1`` record is a failed attempt, the one that locks, or the success that ends a row of failures. A locked
  person does nothing until an administrator's record. Order in the log decides, never a clock.
- What is refused leaves the state as it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, NoReturn

from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.roles import ROLES, may
from radiomicnet_md_audit.sign import Signer, VerifyingKey
from radiomicnet_md_audit.statement import SIGN_IN, USER, Statement

USER_TYPE: Final = "application/vnd.radiomicnet-md.user+json"
MOST_FAILURES: Final = 5  # in a row: the fifth locks
LONGEST_NAME: Final = 100  # characters

USER_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,31}")
CHANGES: Final = ("added", "disabled", "enabled", "roles", "passphrase", "unlocked")
OUTCOMES: Final = ("failed", "locked", "succeeded")
_SIGNED = ("record_id", "change", "user", "name", "roles", "enabled", "must_change", "ed25519", "by")


@dataclass(frozen=True)
class Person:
    """A person as the log knows them; ``failures`` counts attempts to sign in since the last success."""

    id: str
    name: str
    roles: tuple[str, ...]
    enabled: bool
    must_change: bool  # the passphrase, which somebody else has set
    key: VerifyingKey
    failures: int = 0

    @property
    def locked(self) -> bool:
        """Whether so many attempts failed that an administrator has to unlock."""
        return self.failures >= MOST_FAILURES

    def may(self, action: str) -> bool:
        """Say whether the person may do this now: enabled, not locked, the passphrase their own, and of such a role."""
        return self.enabled and not self.locked and not self.must_change and may(self.roles, action)


@dataclass(frozen=True)
class Change:
    """One change of a person: ``after`` is the whole state after it, ``by`` the id of who makes it, or None."""

    what: str  # one of CHANGES
    after: Person
    by: str | None

    @property
    def new_key(self) -> bool:
        """Whether the key is another one than before."""
        return self.what in ("added", "passphrase")

    def predicate(self, origin: str, record_id: str, by: Signer | None, key: Signer | None) -> dict[str, object]:
        """Return what a ``user:1`` record says, signed by who makes the change and by the new key, where there are."""
        said: dict[str, object] = {
            "record_id": record_id,
            "change": self.what,
            "user": self.after.id,
            "name": self.after.name,
            "roles": list(self.after.roles),
            "enabled": self.after.enabled,
            "must_change": self.after.must_change,
            "ed25519": self.after.key.raw.hex(),
            "by": self.by,
        }
        message = _message(origin, said)
        approvals = {
            name: None if one is None else b64encode(one.sign(message)) for name, one in (("by", by), ("key", key))
        }
        return {**said, "approvals": approvals}


@dataclass
class People:
    """Everyone whom a log knows, as far as it was read."""

    _known: dict[str, Person] = field(default_factory=dict)
    _keys: set[bytes] = field(default_factory=set)
    unsigned: list[int] = field(default_factory=list)  # entries of changes by nobody in particular

    @property
    def roster(self) -> Mapping[str, Person]:
        """Everyone by id, the disabled too; a view that follows."""
        return MappingProxyType(self._known)

    def copy(self) -> People:
        """Return another one of the same state."""
        return People(dict(self._known), set(self._keys), list(self.unsigned))

    def take(self, said: Statement, index: int, origin: str) -> None:
        """Follow the entry at ``index``; records of other types change nothing.

        Raises :class:`IntegrityError` ``E-USER-CHANGE`` or ``E-SIGN-IN-RECORD`` for one of another form, or that does
        not follow from the state before it.
        """
        if said.predicate_type == USER:
            change = _change(said)
            after = self.check(change)
            self._check_approvals(change, said, origin)
            self._known[after.id] = after
            self._keys.add(change.after.key.raw)
            if change.by is None:
                self.unsigned.append(index)
        elif said.predicate_type == SIGN_IN:
            self._signed_in(said)

    def check(self, change: Change) -> Person:
        """Return the person as the change leaves them; its signatures are not looked at.

        Raises :class:`IntegrityError` ``E-USER-CHANGE`` where it may not follow.
        """
        after, before = change.after, self._known.get(change.after.id)
        if (before is None) is not (change.what == "added"):
            _fail("A person is changed who was not added, or added a second time.")
        expected = replace(after, enabled=True, must_change=True) if before is None else _expected(before, change)
        if replace(after, failures=expected.failures) != expected:
            _fail("A change of a person changes something else than it says.")
        if change.new_key and after.key.raw in self._keys:
            _fail("A change of a person brings back a key that the log has known before.")
        self._check_by(change)
        return expected

    def could(self) -> bool:
        """Say whether there is an administrator who could change people: enabled and not locked."""
        return any(one.enabled and not one.locked and may(one.roles, "users") for one in self._known.values())

    def _check_by(self, change: Change) -> None:
        if change.by is None:
            if self.could():
                _fail("A change of a person is signed by nobody, though there was an administrator.")
            return
        who = self._known.get(change.by)
        if who is None or not who.enabled or who.locked:
            _fail("A change of a person is made by somebody who was not there, disabled or locked.")
        own = change.what == "passphrase" and change.by == change.after.id
        if not own and not who.may("users"):
            _fail("A change of a person is made by somebody who may not make it.")

    def _check_approvals(self, change: Change, said: Statement, origin: str) -> None:
        message = _message(origin, said.predicate)
        by = None if change.by is None else self._known[change.by].key
        key = change.after.key if change.new_key else None
        match said.predicate["approvals"]:
            case {"by": str() | None as first, "key": str() | None as second, **more} if not more:
                try:
                    for public, text in ((by, first), (key, second)):
                        if public is not None and text is not None:
                            public.verify(b64decode(text), message)
                        elif public is not None or text is not None:
                            _unsigned()
                except IntegrityError:
                    _unsigned()
                return
        _unsigned()

    def _signed_in(self, said: Statement) -> None:
        match said.predicate:
            case {
                "record_id": str(),
                "log": dict(),
                "operator": str(),
                "stamps": list(),
                "user": str() | None as user,
                "outcome": "failed" | "locked" | "succeeded" as outcome,
                **more,
            } if not more:
                self._attempted(user, outcome)
            case _:
                _fail("A record of a sign-in has another form.", "E-SIGN-IN-RECORD")

    def _attempted(self, user: str | None, outcome: str) -> None:
        if user is None:
            if outcome != "failed":
                _fail("Somebody unknown signed in or was locked.", "E-SIGN-IN-RECORD")
            return
        person = self._known.get(user)
        if person is None:
            _fail("A sign-in is of a person who was not there.", "E-SIGN-IN-RECORD")
        failures = 0 if outcome == "succeeded" else person.failures + 1
        if outcome == "succeeded" and (person.locked or not person.enabled or not person.failures):
            _fail("A locked or disabled person signed in, or a success ended no failures.", "E-SIGN-IN-RECORD")
        if (outcome == "locked") != (failures == MOST_FAILURES):
            _fail("A person was locked by another attempt than the fifth in a row.", "E-SIGN-IN-RECORD")
        self._known[user] = replace(person, failures=failures)


def outcome(person: Person) -> str:
    """Return how a failure of this person is recorded."""
    return "locked" if person.failures + 1 == MOST_FAILURES else "failed"


def _expected(before: Person, change: Change) -> Person:
    """Return the state that a change has to name, given the one before it."""
    after = change.after
    match change.what:
        case "disabled" if before.enabled:
            return replace(before, enabled=False)
        case "enabled" if not before.enabled:
            return replace(before, enabled=True)
        case "roles" if before.roles != after.roles:
            return replace(before, roles=after.roles)
        case "passphrase":
            return replace(before, key=after.key, must_change=change.by != after.id)
        case "unlocked" if before.locked:
            return replace(before, failures=0)
    return _fail("A change of a person changes nothing.")


def _change(said: Statement) -> Change:
    match said.predicate:
        case {
            "record_id": str(),
            "log": dict(),
            "operator": str(),
            "stamps": list(),
            "change": str(what),
            "user": str(user),
            "name": str(name),
            "roles": list(roles),
            "enabled": bool(enabled),
            "must_change": bool(must_change),
            "ed25519": str(raw),
            "by": str() | None as by,
            "approvals": dict(),
            **more,
        } if not more and what in CHANGES and is_named(user, name) and is_roles(roles):
            return Change(what, Person(user, name, tuple(roles), enabled, must_change, _key(raw)), by)
    return _fail("A record of a change of a person has another form.")


def is_named(user: str, name: str) -> bool:
    """Say whether these can be the id and the printed name of a person."""
    printed = 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()
    return USER_ID.fullmatch(user) is not None and printed


def is_roles(roles: object) -> bool:
    """Say whether this is a list of roles as a record has it: known ones, each once, in the order of the table."""
    return isinstance(roles, list | tuple) and bool(roles) and [role for role in ROLES if role in roles] == list(roles)


def _key(raw: str) -> VerifyingKey:
    try:
        key = VerifyingKey(bytes.fromhex(raw))
    except ValueError:
        _fail("A person's public key is no text of hexadecimal digits.")
    if key.raw.hex() != raw:
        _fail("A person's public key has another form.")
    return key


def _message(origin: str, said: Mapping[str, object]) -> bytes:
    signed = {"origin": origin, **{name: said[name] for name in _SIGNED}}
    return dsse.pae(USER_TYPE, canonical.dumps(signed))


def _unsigned() -> NoReturn:
    _fail("A change of a person is not signed by who makes it, or by the new key.")


def _fail(message: str, code: str = "E-USER-CHANGE") -> NoReturn:
    raise IntegrityError(
        code,
        message,
        remedy="Keep the log as it is and compare it with earlier exports; trust no later signature of this person.",
    )

# SPDX-License-Identifier: Apache-2.0
"""Who gives an id and its passphrase becomes that person until they leave; every failure is counted in the log.

Rules of this module:

- An unknown id, a wrong passphrase, a locked and a disabled person get one answer, in the time of one stretching of a
  passphrase and one record. The record of an unknown id does not hold it: it may be a passphrase in the wrong field.
- A locked or disabled person's passphrase is not tried: nobody learns from the answer that it was right.
- The fifth failure in a row locks; no time and no restart unlocks, only an administrator's record.
- Attempts in one home come one after the other (see ``place``), whoever makes them.
"""

from __future__ import annotations

import hashlib
from types import TracebackType
from typing import NoReturn, Self

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.intent import new_id
from radiomicnet_md.people import keys, reading
from radiomicnet_md.people.place import Place, alone
from radiomicnet_md_audit.persons import Person, outcome
from radiomicnet_md_audit.sign import SigningKey, VerifyingKey
from radiomicnet_md_audit.statement import SIGN_IN, build


class SignInError(ConfigurationError):
    """Id and passphrase do not open a key that may be used."""


class Identity:
    """A person who has given their passphrase; holds their key until :meth:`close`, or the end of a ``with`` block."""

    def __init__(self, person: Person, key: SigningKey) -> None:
        """Use :func:`enter`."""
        self.id, self.name, self.roles = person.id, person.name, person.roles
        self.public: VerifyingKey = key.public
        self._key: SigningKey | None = key

    @property
    def key(self) -> SigningKey:
        """The private key; raises :class:`SignInError` ``E-SIGN-IN`` after :meth:`close`."""
        if self._key is None:
            _refuse()
        return self._key

    def close(self) -> None:
        """Let the key go."""
        self._key = None

    def __enter__(self) -> Self:
        """Use it in a ``with`` block, so that it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Name the person and nothing secret."""
        return f"Identity({self.id})"


def enter(place: Place, user_id: str, passphrase: str) -> Identity:
    """The person of this id, if the passphrase opens their key and they are neither locked nor disabled.

    Raises :class:`SignInError` ``E-SIGN-IN`` otherwise, after the failure is in the log; what the log raises, where it
    cannot be written: nobody enters uncounted.
    """
    with alone(place.home.folder):
        return entered(place, user_id, passphrase)


def entered(place: Place, user_id: str, passphrase: str) -> Identity:
    """The same, for who is alone in the home already."""
    person = reading.roster(place.ledger).get(user_id)
    usable = person is not None and person.enabled and not person.locked
    public = person.key if person is not None and usable else None
    key = keys.open_(place.home.folder, user_id, public, passphrase)
    if person is None or key is None:
        _note(place, person, "failed" if person is None else outcome(person))
        _refuse()
    if person.failures:
        _note(place, person, "succeeded")
    return Identity(person, key)


def _note(place: Place, person: Person | None, what: str) -> None:
    user = None if person is None else person.id
    about: dict[str, object] = {
        "record_id": new_id(),
        "operator": place.operator,
        "stamps": list(place.home.stamps),
        "user": user,
        "outcome": what,
    }
    name, text = ("log", place.ledger.origin) if user is None else ("user", user)
    place.ledger.append(build(SIGN_IN, {name: hashlib.sha256(text.encode()).hexdigest()}, about))


def _refuse() -> NoReturn:
    raise SignInError(
        "E-SIGN-IN",
        "This id and passphrase open no key here, or the person is locked (after 5 failures in a row) or disabled.",
        remedy="Try again with care; an administrator sees the state (users list) and can unlock (users unlock ID).",
    )

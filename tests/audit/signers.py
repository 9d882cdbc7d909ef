# SPDX-License-Identifier: Apache-2.0
"""People with keys from published seeds, who are added to a log and sign in it, rightly or not."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from radiomicnet_md_audit import sign, statement
from radiomicnet_md_audit.appending import Receipt
from radiomicnet_md_audit.esignature import Signature, Signed
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.persons import Change, Person

ABOUT: dict[str, object] = {"operator": "uid:0", "stamps": []}
LATER = "2099-01-01T00:00:00.000000Z"  # after any decision of a test's log
SHOWN = (("overlay.png", "5" * 64),)


def key(seed: int) -> sign.SigningKey:
    return sign.from_seed(seed.to_bytes(2, "big") * 16)


def person(user: str, seed: int, *roles: str, **more: Any) -> Person:  # noqa: ANN401
    given = {"enabled": True, "must_change": True, **more}
    return Person(user, f"{user.title()} Example", roles or ("reviewer",), key=key(seed).public, **given)


def identity(number: int) -> str:
    """A record id that no other record of a test has."""
    return statement.record_id((1 << 100 | number).to_bytes(16, "big"))


def changed(  # noqa: PLR0913 -- the parts of a change, each of them needed by somebody who forges one
    origin: str, number: int, what: str, after: Person, by: str | None, by_key: int | None, new_key: int | None = None
) -> dict[str, object]:
    """The statement of a change of a person."""
    keys = [None if seed is None else key(seed) for seed in (by_key, new_key)]
    predicate = Change(what, after, by).predicate(origin, identity(number), *keys)
    return statement.build(statement.USER, {"key": after.key.keyid}, {**predicate, **ABOUT})


def attempted(number: int, user: str | None, outcome: str) -> dict[str, object]:
    """The statement of an attempt to sign in."""
    predicate = {"record_id": identity(number), "user": user, "outcome": outcome, **ABOUT}
    return statement.build(statement.SIGN_IN, {"user": "6" * 64}, predicate)


def signature(number: int, who: Person, signed: Signed, **more: Any) -> Signature:  # noqa: ANN401
    """What a person says of a decision."""
    said = Signature(
        identity(number), signed, who.id, who.name, who.roles, who.key.keyid, "approve", None, LATER, SHOWN
    )
    return replace(said, **more)


def put_down(origin: str, said: Signature, seed: int) -> dict[str, object]:
    """The statement of a signature by this key."""
    predicate = {**said.predicate(origin, key(seed)), **ABOUT}
    return statement.build(statement.SIGNATURE, {"record": said.signed.envelope_sha256}, predicate)


def signed(receipt: Receipt) -> Signed:
    """A decision that is in the log, as a signature names it."""
    return Signed(receipt.record_id, receipt.index, receipt.envelope_sha256)


@dataclass
class Signers:
    """Adds people to a log and lets them sign."""

    ledger: Ledger
    count: int = 0
    people: dict[str, Person] = field(default_factory=dict)
    seeds: dict[str, int] = field(default_factory=dict)

    def next(self) -> int:
        """A number for a record or a key."""
        self.count += 1
        return self.count

    def change(self, what: str, after: Person, by: str | None) -> Receipt:
        """Record a change of a person by somebody with the key they have; a new key is the next number's."""
        new = self.next() if what in ("added", "passphrase") else None
        after = after if new is None else replace(after, key=key(new).public)
        by_key = None if by is None else self.seeds[by]
        document = changed(self.ledger.origin, self.next(), what, after, by, by_key, new)
        receipt = self.ledger.append(document)
        self.people[after.id] = after
        self.seeds[after.id] = self.seeds[after.id] if new is None else new
        return receipt

    def add(self, user: str, *roles: str, by: str | None = None) -> Person:
        """Add a person who has changed their first passphrase."""
        self.change("added", person(user, 0, *roles), by)
        self.change("passphrase", replace(self.people[user], must_change=False), user)
        return self.people[user]

    def attempt(self, user: str | None, outcome: str) -> Receipt:
        """Record an attempt to sign in."""
        return self.ledger.append(attempted(self.next(), user, outcome))

    def sign(self, user: str, receipt: Receipt, **more: Any) -> Receipt:  # noqa: ANN401
        """Let a person sign a decision."""
        said = signature(self.next(), self.people[user], signed(receipt), **more)
        return self.ledger.append(put_down(self.ledger.origin, said, self.seeds[user]))

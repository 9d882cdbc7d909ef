# SPDX-License-Identifier: Apache-2.0
"""A key of the log takes the place of another by a record in the log, and by both their signatures.

Rules of this module:

- A change concerns one role: the engine's key (records), the log's (checkpoints), or its cosigner's. There is one key
  of each role at a time. The entry that tells of the change is still judged by the keys before it; from the next size
  on the new key is valid and the old one is not.
- Both keys sign what is changed (DSSE's PAE of its canonical bytes, name of the log and record id included): the old
  one agrees, the new one is in the hands of who names it. A key that the log has known before does not come back.
- A revocation is a change that tells since which size the old key may have been in other hands. What it signed from
  there on stays in the log, and verification says that it proves nothing by itself.
- Sizes decide, never clocks.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, Protocol, TypeAlias

from radiomicnet_md_audit import canonical, dsse, policy
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.sign import CosigningPublicKey, VerifyingKey
from radiomicnet_md_audit.statement import KEY_EVENT, Statement

CHANGE_TYPE = "application/vnd.radiomicnet-md.key-change+json"

Key: TypeAlias = VerifyingKey | NoteKey
# How base64 writes a text depends on where it stands, modulo 3; the digits that its neighbours share are cut off.
_TYPE = f'"{KEY_EVENT}"'.encode()
_MARKS = tuple(base64.b64encode(bytes(shift) + _TYPE)[4:-4] for shift in range(3))
_SIGNED = ("record_id", "role", "retires", "introduces", "compromised_from_size")


class Role(StrEnum):
    """What a key is for."""

    ENGINE = "engine"
    LOG = "log"
    COSIGNER = "cosigner"


class Signs(Protocol):
    """A private key of any kind."""

    def sign(self, message: bytes) -> bytes:
        """Return a signature."""


@dataclass(frozen=True)
class Change:
    """A key that takes the place of another; ``compromised_from`` is a tree size, or None where nothing is feared."""

    role: Role
    retires: Key
    introduces: Key
    compromised_from: int | None = None

    @property
    def introduces_sha256(self) -> str:
        """SHA-256 of the new key's raw public bytes."""
        key = self.introduces
        return key.key.keyid if isinstance(key, NoteKey) else key.keyid

    def predicate(self, origin: str, record_id: str, old: Signs, new: Signs) -> dict[str, object]:
        """Return what a ``key-event:1`` record says, signed by the private halves of both keys."""
        said: dict[str, object] = {
            "record_id": record_id,
            "role": self.role.value,
            "retires": _named(self.retires),
            "introduces": _named(self.introduces),
            "compromised_from_size": self.compromised_from,
        }
        message = _message(origin, said)
        return {**said, "approvals": {"old": b64encode(old.sign(message)), "new": b64encode(new.sign(message))}}


def current(keys: Policy, role: Role, size: int) -> Key:
    """Return the key of a role that is valid at a size; raise ``IntegrityError`` where there is none."""
    if role is Role.ENGINE:
        found: list[Key] = list(keys.engine_keys_at(size).values())
    else:
        kind = VerifyingKey if role is Role.LOG else CosigningPublicKey
        found = [key for key in keys.log_keys_at(size) if isinstance(key.key, kind)]
    if len(found) != 1:
        _fail(f"The log has no one {role} key at this size.")
    return found[0]


def applied(keys: Policy, said: Statement, size: int) -> Policy:
    """Return a log's keys after the entry that makes the tree of ``size``, a ``key-event:1``.

    Raises :class:`IntegrityError` ``E-KEY-EVENT`` for another form, a key that is not the one in force, that was known
    before, or that has not agreed.
    """
    change = _parsed(said, keys.origin)
    check(change, keys, size)
    _check_approvals(change, said, keys.origin)
    return keys.changed(change.retires, change.introduces, size + 1, change.compromised_from)


def check(change: Change, keys: Policy, size: int) -> None:
    """Raise :class:`IntegrityError` ``E-KEY-EVENT`` unless the change is possible at this size."""
    if change.retires != current(keys, change.role, size):
        _fail("A change of keys retires a key that was not in force.")
    if any(change.introduces == known for known, _ in (*keys.engine_keys, *keys.log_keys)):
        _fail("A change of keys brings back a key that the log has known before.")
    if change.compromised_from is not None and not 1 <= change.compromised_from <= size:
        _fail("A key was revoked from a size that the log did not have.")


def may_be_change(envelope: bytes) -> bool:
    """Say whether an envelope could hold a record of this module's, without decoding it; few others look like one."""
    first, second, third = _MARKS
    return first in envelope or second in envelope or third in envelope


def _parsed(said: Statement, origin: str) -> Change:
    match said.predicate:
        case {
            "record_id": str(),
            "log": dict(),
            "role": "engine" | "log" | "cosigner" as role,
            "retires": retires,
            "introduces": introduces,
            "compromised_from_size": int() | None as since,
            "approvals": dict(),
            **more,
        } if not more and not isinstance(since, bool):
            return Change(Role(role), _key(role, retires, origin), _key(role, introduces, origin), since)
    return _fail("A record of a change of keys has another form.")


def _key(role: str, named: object, origin: str) -> Key:
    if role == Role.ENGINE:
        return policy.engine_key(named)
    key = policy.log_key(named, origin)
    if isinstance(key.key, VerifyingKey) is not (role == Role.LOG):
        _fail("A change of keys names a key of another kind than its role has.")
    return key


def _check_approvals(change: Change, said: Statement, origin: str) -> None:
    message = _message(origin, said.predicate)
    match said.predicate["approvals"]:
        case {"old": str(old), "new": str(new), **more} if not more:
            for key, text in ((change.retires, old), (change.introduces, new)):
                public = key.key if isinstance(key, NoteKey) else key
                try:
                    public.verify(b64decode(text), message)
                except IntegrityError:
                    _fail("A change of keys is not signed by both the old key and the new one.")
            return
    _fail("A change of keys is not signed by both the old key and the new one.")


def _message(origin: str, said: Mapping[str, object]) -> bytes:
    signed = {"origin": origin, **{name: said[name] for name in _SIGNED}}
    return dsse.pae(CHANGE_TYPE, canonical.dumps(signed))


def _named(key: Key) -> object:
    return key.vkey() if isinstance(key, NoteKey) else {"keyid": key.keyid, "ed25519": key.raw.hex()}


def _fail(message: str) -> NoReturn:
    raise IntegrityError(
        "E-KEY-EVENT",
        message,
        remedy="Keep the log as it is and compare it with earlier exports; trust no key that it names from there on.",
    )

# SPDX-License-Identifier: Apache-2.0
"""Every attack is a function of a scene, known by ``<module>.<function>``, and the catalogue names it so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from radiomicnet_md_audit import canonical, dsse, statement
from radiomicnet_md_audit.sign import SigningKey

Attack: TypeAlias = Callable[..., None]
Execute: TypeAlias = Callable[..., list[tuple[Any, ...]]]

ATTACKS: dict[str, Attack] = {}


def attack(function: Attack) -> Attack:
    """Make a function known to the catalogue."""
    ATTACKS[f"{function.__module__.rpartition('.')[2]}.{function.__name__}"] = function
    return function


def document(envelope: bytes) -> dict[str, Any]:
    """What a record says, to be changed."""
    value = canonical.loads(dsse.parse_unverified(envelope).payload)
    if not isinstance(value, dict):
        raise TypeError(value)
    return value


def sealed(said: dict[str, Any], key: SigningKey) -> bytes:
    """A record, signed."""
    return dsse.seal(canonical.dumps(said), dsse.STATEMENT_TYPE, key)


def altered(envelope: bytes, key: SigningKey | None, **changes: object) -> bytes:
    """The same record with other members of its predicate; its old signature stays where there is no key.

    ``log`` is changed member by member, everything else as a whole.
    """
    said, parts = document(envelope), dsse.parse_unverified(envelope)
    log = changes.pop("log", {})
    said["predicate"] |= changes
    if isinstance(log, dict):
        said["predicate"]["log"] |= log
    if key is not None:
        return sealed(said, key)
    return dsse.encode(dsse.Unverified(canonical.dumps(said), parts.payload_type, parts.keyid, parts.signature))


def log_part(envelope: bytes) -> statement.LogPart:
    """What the log added to a record."""
    return statement.parse(dsse.parse_unverified(envelope).payload).log

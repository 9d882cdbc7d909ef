# SPDX-License-Identifier: Apache-2.0
"""Who begins a case says so on the disk first, so that a case without an end is not a case that never was.

Rules of this module:

- An intent holds ids, the time and the release; no file name, nothing of a file, and nobody's identity.
- It has one byte form, canonical JSON. Where a crash cut it short, the record says that it was not readable.
- The record of an interrupted attempt is made by whoever opens the home next. It names no release as its own,
  for none decided; which one the attempt was begun with stands in its part ``intent``.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeGuard

from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Maker, Outcome, Reason
from radiomicnet_md_audit import canonical, clock, statement
from radiomicnet_md_audit.errors import IntegrityError

INTERRUPTED = "E-INTERRUPTED"

_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Intent:
    """What is known of an attempt before anything of it is done."""

    record_id: str
    request_id: str
    time_utc: str
    release: Mapping[str, str] | None  # id and version; None where no release verified

    @classmethod
    def new(cls, maker: Maker, request_id: str | None = None) -> Intent:
        """The intent of an attempt that begins now, at a request of its own unless it is at one that is known."""
        release = None if maker.release is None else {name: maker.release[name] for name in ("id", "version")}
        return cls(new_id(), request_id or new_id(), clock.now().text(), release)

    def to_bytes(self) -> bytes:
        """The canonical bytes; :func:`parse` reads them back."""
        return canonical.dumps(asdict(self))


def parse(record_id: str, data: bytes) -> Intent | None:
    """The intent of this record; None for every other byte string."""
    try:
        document = canonical.loads(data)
    except IntegrityError:
        return None
    match document:
        case {
            "record_id": str(identity),
            "request_id": str(request),
            "time_utc": str(time),
            "release": release,
            **more,
        }:
            known = not more and identity == record_id and statement.RECORD_ID.fullmatch(request)
            if known and _TIME.fullmatch(time) and _is_release(release):
                return Intent(identity, request, time, release)
    return None


def _is_release(value: object) -> TypeGuard[Mapping[str, str] | None]:
    match value:
        case None:
            return True
        case {"id": str(), "version": str(), **more}:
            return not more
    return False


def interrupted(record_id: str, data: bytes, maker: Maker) -> dict[str, Any]:
    """The predicate for an attempt that left this intent and no record; ``maker`` is who found it.

    Where the intent cannot be read, the request gets a new id, and ``intent`` is null.
    """
    intent = parse(record_id, data)
    begun = "" if intent is None else f", begun at {intent.time_utc},"
    reason = Reason(
        INTERRUPTED,
        f"This case{begun} ended before its record was in the log.",
        "Nothing of it was given out. Send the image again.",
    )
    case = Case(record_id, new_id() if intent is None else intent.request_id, Outcome.ERROR, reason=reason)
    about = None if intent is None else {"time_utc": intent.time_utc, "release": intent.release}
    return {**record.describe(case, replace(maker, release=None)), "intent": about}


def is_interruption(predicate: Mapping[str, Any]) -> bool:
    """Whether a decision's predicate is one that :func:`interrupted` made."""
    return (predicate.get("reason") or {}).get("code") == INTERRUPTED


def derived_id(of: bytes) -> str:
    """The id of a request that follows from what it is about: the same for the same bytes."""
    return statement.record_id(hashlib.sha256(of).digest()[:16])


def new_id() -> str:
    """A record or request id: 128 random bits."""
    return statement.record_id(secrets.token_bytes(16))

# SPDX-License-Identifier: Apache-2.0
"""What a record says in general: about what (subjects), of which type, by whom, as the how-manieth.

Source: in-toto attestation framework, Statement v1. Rules of this module:

- A statement has the keys ``_type``, ``subject``, ``predicateType``, ``predicate`` and no other.
- Every predicate has a ``record_id`` of its own: 16 random bytes as 26 characters of Crockford's base32, lower case.
- The ledger, and only the ledger, adds ``predicate["log"]``: origin, producer, counter, time_utc, monotonic_ns.
  Origin and record id make a record worthless in another log or a second time in this one.
- What a *decision* says is the device's business; here only the parts that every record shares are checked.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn, cast

from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.errors import IntegrityError

STATEMENT_V1 = "https://in-toto.io/Statement/v1"
DECISION = "urn:radiomicnet-md:decision:1"
GENESIS = "urn:radiomicnet-md:genesis:1"
REPLAY = "urn:radiomicnet-md:replay:1"
EXPORT = "urn:radiomicnet-md:export:1"
REPORT = "urn:radiomicnet-md:report:1"
KEY_EVENT = "urn:radiomicnet-md:key-event:1"
HOLD = "urn:radiomicnet-md:hold:1"
ERASURE = "urn:radiomicnet-md:erasure:1"
MIGRATION = "urn:radiomicnet-md:migration:1"
USER = "urn:radiomicnet-md:user:1"
SIGN_IN = "urn:radiomicnet-md:sign-in:1"
SIGNATURE = "urn:radiomicnet-md:signature:1"
SENDING = "urn:radiomicnet-md:sending:1"
UNSEALING = "urn:radiomicnet-md:unsealing:1"
QUALIFICATION = "urn:radiomicnet-md:qualification:1"
INSTALLATION = "urn:radiomicnet-md:installation:1"

# What checks of other entries need of a decision.
_BRIEF = ("request_id", "state", "operator")

# A request ends with one of these; an ERROR ends an attempt, and another may follow.
TERMINAL_STATES = ("RESULT", "REFUSED")

RECORD_ID = re.compile(r"[0-7][0-9a-hjkmnp-tv-z]{25}")
_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_TO_PYTHON = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")


@dataclass(frozen=True)
class LogPart:
    """What the ledger adds to a predicate."""

    origin: str
    producer: str
    counter: int
    time_utc: str
    monotonic_ns: int


@dataclass(frozen=True)
class Statement:
    """A checked statement; ``document`` is the whole of it."""

    document: dict[str, object]
    predicate_type: str
    predicate: dict[str, object]
    record_id: str
    log: LogPart

    @property
    def terminal_request(self) -> str | None:
        """The request that this record ends, if it is a decision that ends one."""
        return terminal_request(self.document)

    @property
    def brief(self) -> dict[str, object]:
        """The document; of a decision, what checks against other entries need of it."""
        if event(self.document) is not None:
            return self.document
        needed = {name: value for name, value in self.predicate.items() if name in _BRIEF}
        return {"predicateType": self.predicate_type, "predicate": needed}


def record_id(random: bytes) -> str:
    """Return the record id of 16 random bytes."""
    bits = int.from_bytes(random, "big")
    return "".join(_ALPHABET[bits >> shift & 31] for shift in range(125, -1, -5))


def number(identity: str) -> int:
    """Return the 128 random bits of a record id as a number; the inverse of :func:`record_id`."""
    return int(identity.translate(_TO_PYTHON), 32)


def build(predicate_type: str, subjects: dict[str, str], predicate: dict[str, object]) -> dict[str, object]:
    """Return a statement about ``subjects`` (name to SHA-256 hex), ready for ``Ledger.append``."""
    subject = [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects.items()]
    return {"_type": STATEMENT_V1, "subject": subject, "predicateType": predicate_type, "predicate": predicate}


def check_draft(document: dict[str, object]) -> str:
    """Return the record id of a statement that the ledger has not completed yet; raise when it has no such form."""
    predicate = _checked(document)
    if "log" in predicate:
        _fail("A statement already holds the part that the log adds.")
    return cast("str", predicate["record_id"])


def terminal_request(document: dict[str, object]) -> str | None:
    """Return the request id of a decision in a terminal state, else None."""
    predicate = cast("dict[str, object]", document["predicate"])
    request = predicate.get("request_id")
    if document["predicateType"] == DECISION and predicate.get("state") in TERMINAL_STATES and isinstance(request, str):
        return request
    return None


def event(document: dict[str, object]) -> str | None:
    """Return the type of a statement that is no decision, else None."""
    kind = cast("str", document["predicateType"])
    return None if kind == DECISION else kind


def parse(payload: bytes) -> Statement:
    """Read a record's payload; raise :class:`IntegrityError` unless it has the form that all records share."""
    document = canonical.loads(payload)
    predicate = _checked(document)
    match predicate.get("log"):
        case {
            "origin": str(origin),
            "producer": str(producer),
            "counter": int(counter),
            "time_utc": str(time_utc),
            "monotonic_ns": int(monotonic_ns),
            **more,
        } if (
            not more and counter >= 0 and _TIME.fullmatch(time_utc) and bool not in (type(counter), type(monotonic_ns))
        ):
            log = LogPart(origin, producer, counter, time_utc, monotonic_ns)
        case _:
            _fail("A record's log part is missing or has another form.")
    whole = cast("dict[str, object]", document)
    return Statement(whole, cast("str", whole["predicateType"]), predicate, cast("str", predicate["record_id"]), log)


def _checked(document: object) -> dict[str, object]:
    match document:
        case {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [_, *_] as subjects,
            "predicateType": str(),
            "predicate": {"record_id": str(identity)} as predicate,
            **more,
        } if not more and RECORD_ID.fullmatch(identity) and all(_is_subject(item) for item in subjects):
            return cast("dict[str, object]", predicate)
    return _fail("A record is not an in-toto Statement v1 with a record id.")


def _is_subject(item: object) -> bool:
    match item:
        case {"name": str(name), "digest": {"sha256": str(digest), **other}, **more}:
            return bool(name) and not other and not more and _SHA256.fullmatch(digest) is not None
    return False


def _fail(message: str) -> NoReturn:
    raise IntegrityError(
        "E-STATEMENT-FORM",
        message,
        remedy="Compare with FORMAT.md; a record of another format belongs to another version or was changed.",
    )

# SPDX-License-Identifier: Apache-2.0
"""What a kind of record is called in the vocabulary that DICOM and FHIR share.

Source: DICOM PS3.16 CID 400 (audit event), 401 and 403 (event type), 402 (role), and PS3.15 A.5.1.2; FHIR R4 takes
its codes from there. Rules of this module:

- A standard code is used where its definition fits. No standard code says "a device decided": a decision, a replay
  and every kind that is not in the table are events of a code of our own in DICOM, where ``Application Activity`` means
  start and stop (PS3.15 A.5.3.1), and ``Application Activity`` in FHIR, which has no such restriction.
- An outcome that is not in the table is 0: "use if status otherwise unknown" (PS3.15 A.5.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass

from radiomicnet_md_audit.outside.rows import Logged

PRODUCT = "RadiomicNet-MD"
OWN_SCHEME = "99RMNMD"  # DICOM: a private coding scheme's name begins with 99 (PS3.16 section 8.2)


@dataclass(frozen=True)
class Code:
    """A code of PS3.16 (scheme ``DCM``) or of our own."""

    value: str
    meaning: str
    scheme: str = "DCM"


@dataclass(frozen=True)
class Event:
    """A kind of event: its id, its type if it has one, the action (C, R, U, D, E), and what happened in words."""

    id: Code
    type: Code | None
    action: str
    words: str


@dataclass(frozen=True)
class Part:
    """What a subject is to the event: role (PS3.15 A.5.1.2.2) and stage of life (A.5.1.2.3; None: not said)."""

    role: str
    stage: str | None


ACTIVITY = Code("110100", "Application Activity")
ALERT = Code("110113", "Security Alert")
APPLICATION = Code("110150", "Application")
LAUNCHER = Code("110151", "Application Launcher")

_EVENTS = {
    "genesis": Event(ALERT, Code("110134", "Audit Recording Started"), "E", "The audit log was begun."),
    "key-event": Event(ALERT, Code("110129", "Security Configuration"), "E", "The keys of the audit log changed."),
    "export": Event(Code("110101", "Audit Log Used"), None, "R", "The audit log was exported."),
    "report": Event(Code("110101", "Audit Log Used"), None, "R", "The records of the audit log were given out."),
    "decision": Event(
        Code("decision", "Decision on an image", OWN_SCHEME), None, "E", "An image was put to the device."
    ),
    "replay": Event(
        Code("replay", "Replay of a decision", OWN_SCHEME), None, "E", "A decision was made again to compare."
    ),
}

_OUTCOMES = {
    "RESULT": "0",
    "REFUSED": "4",
    "ERROR": "8",
    "IDENTICAL": "0",
    "INPUT MISSING": "4",
    "ENVIRONMENT DIFFERS": "4",
    "FIRST DIVERGENCE": "8",
}

REPORT, SECURITY_RESOURCE = "3", "13"
CREATED, VERIFIED, USED, EXPORTED = "1", "4", "6", "10"

_PARTS = {
    ("decision", "input"): Part(REPORT, USED),
    ("decision", "mask"): Part(REPORT, CREATED),
    ("decision", "contributions"): Part(REPORT, CREATED),
    ("replay", "record"): Part(SECURITY_RESOURCE, VERIFIED),
    ("export", "checkpoint"): Part(SECURITY_RESOURCE, EXPORTED),
    ("report", "report"): Part(REPORT, EXPORTED),
}


def event(record: Logged) -> Event:
    """What kind of event a record is of."""
    other = Event(Code(record.kind, "Record of the audit log", OWN_SCHEME), None, "E", "A record was added to the log.")
    return _EVENTS.get(record.kind, other)


def outcome(record: Logged) -> tuple[str, str | None]:
    """The outcome's code (0, 4 or 8), and the outcome in the record's words where it has some."""
    said = record.texts()
    state = said.get("state") or said.get("replay_verdict")
    words = [said[column] for column in ("reason_code", "reason_text", "replay_text") if said.get(column)]
    return _OUTCOMES.get(state or "", "0"), None if state is None else ": ".join([state, *words])


def part(record: Logged, subject: str) -> Part:
    """What a subject of a record is to its event."""
    return _PARTS.get((record.kind, subject), Part(SECURITY_RESOURCE, None))

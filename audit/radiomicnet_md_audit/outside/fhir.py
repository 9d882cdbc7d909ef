# SPDX-License-Identifier: Apache-2.0
"""One AuditEvent a record, and a Provenance for what it brought forth, in a FHIR R4 (4.0.1) Bundle.

Source: hl7.org/fhir/R4 (auditevent, provenance, bundle). Rules of this module:

- Both resources carry log index, record id and the envelope's SHA-256 as ``meta.tag``, so that a server finds them by
  ``_tag``; the AuditEvent repeats them, with all columns, as details of its first entity.
- What has no resource (files, accounts, keys) is a logical reference: an identifier in a system of our own.
- There is no ``Provenance.signature``. The record's signature covers the record, not this resource.
- FHIR text has no control characters and is never blank: those become U+FFFD, blank text is left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from radiomicnet_md_audit.outside import events
from radiomicnet_md_audit.outside.events import Code
from radiomicnet_md_audit.outside.rows import Logged

OWN = "urn:radiomicnet-md:"  # of our own identifier and code systems
_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_HL7 = "http://terminology.hl7.org/CodeSystem/"

_ROLES = {events.REPORT: "Report", events.SECURITY_RESOURCE: "Security Resource"}
_STAGES = {
    events.CREATED: "Origination / Creation",
    events.VERIFIED: "Verification",
    events.USED: "Access / Use",
    events.EXPORTED: "Export",
}
_CONTROL = re.compile(r"[^\t\n\r\x20-\uffff\U00010000-\U0010ffff]")


def bundle(records: Iterable[Logged]) -> Iterator[bytes]:
    """Yield a Bundle of type ``collection``, an entry a line."""
    yield b'{"resourceType": "Bundle", "type": "collection"'
    before, after = b', "entry": [\n', b"}\n"
    for record in records:
        for resource in (audit_event(record), provenance(record)):
            if resource is not None:
                name = f"{OWN}{record.said.log.origin}:{record.said.record_id}:{resource['resourceType']}"
                entry = {"fullUrl": f"urn:uuid:{uuid5(NAMESPACE_URL, name)}", "resource": resource}
                yield before + json.dumps(entry).encode("ascii")
                before, after = b",\n", b"\n]}\n"
    yield after


def audit_event(record: Logged) -> dict[str, Any]:
    """The AuditEvent of a record."""
    event = events.event(record)
    code, words = events.outcome(record)
    own = Code(record.kind, event.words, events.OWN_SCHEME)
    resource: dict[str, Any] = _whole(
        {
            "resourceType": "AuditEvent",
            "id": record.said.record_id,
            "meta": {"tag": _tags(record)},
            "type": _coding(event.id if event.id.scheme == "DCM" else events.ACTIVITY),
            "subtype": [_coding(one) for one in (event.type, own) if one is not None],
            "action": event.action,
            "recorded": record.said.log.time_utc,
            "outcome": code,
            "outcomeDesc": _string(words),
            "agent": _agents(record),
            "source": {
                "site": record.said.log.origin,
                "observer": {"identifier": _identifier("log", record.said.log.origin)},
                "type": [_hl7("security-source-type", "4", "Application Server")],
            },
            "entity": [_log_entity(record, event.words), *_subject_entities(record)],
        }
    )
    return resource


def provenance(record: Logged) -> dict[str, Any] | None:
    """The Provenance of what a decision brought forth; None for a record that brought nothing forth."""
    made = [_file(*one) for one in record.subjects if _stage(record, one[0]) == events.CREATED]
    if not made:
        return None
    used = [_file(*one) for one in record.subjects if _stage(record, one[0]) == events.USED]
    *asking, device = [agent["who"] for agent in _agents(record)]
    assembler = {
        "type": {"coding": [_hl7("provenance-participant-type", "assembler", "Assembler")]},
        "who": device,
        "onBehalfOf": asking[0] if asking else None,
    }
    resource: dict[str, Any] = _whole(
        {
            "resourceType": "Provenance",
            "id": record.said.record_id,
            "meta": {"tag": _tags(record)},
            "target": made,
            "recorded": record.said.log.time_utc,
            "activity": {"coding": [_hl7("v3-DataOperation", "CREATE", "create")]},
            "agent": [assembler],
            "entity": [{"role": "source", "what": one} for one in used],
        }
    )
    return resource


def _tags(record: Logged) -> list[dict[str, str]]:
    tags = {
        "log-index": str(record.index),
        "record-id": record.said.record_id,
        "envelope-sha256": record.envelope_sha256,
    }
    return [{"system": OWN + name, "code": value} for name, value in tags.items()]


def _agents(record: Logged) -> list[dict[str, Any]]:
    """Who asked, where the record says it, and, last, the device."""
    said = record.texts()
    version = _string(said.get("code_version"))
    device = {
        "type": {"coding": [_coding(events.APPLICATION)]},
        "who": {
            "type": "Device",
            "identifier": _identifier("engine-key", record.said.log.producer),
            "display": events.PRODUCT if version is None else f"{events.PRODUCT} {version}",
        },
        "requestor": False,
    }
    operator = _string(said.get("operator"))
    if operator is None:
        return [device]
    asking = {
        "type": {"coding": [_coding(events.LAUNCHER)]},
        "who": {"identifier": _identifier("account", operator)},
        "requestor": True,
    }
    return [asking, device]


def _log_entity(record: Logged, words: str) -> dict[str, Any]:
    details = ((column, _string(value)) for column, value in record.texts().items())
    return {
        "what": {"identifier": _identifier("record-id", record.said.record_id)},
        "type": _hl7("audit-entity-type", "2", "System Object"),
        "role": _role(events.SECURITY_RESOURCE),
        "name": "Record of the audit log",
        "description": words,
        "detail": [{"type": column, "valueString": value} for column, value in details if value is not None],
    }


def _subject_entities(record: Logged) -> Iterator[dict[str, Any]]:
    for name, digest in record.subjects:
        stage = _stage(record, name)
        yield {
            "what": _file(name, digest),
            "type": _hl7("audit-entity-type", "2", "System Object"),
            "role": _role(events.part(record, name).role),
            "lifecycle": None if stage is None else _hl7("dicom-audit-lifecycle", stage, _STAGES[stage]),
            "name": _string(name),
        }


def _stage(record: Logged, subject: str) -> str | None:
    return events.part(record, subject).stage


def _role(role: str) -> dict[str, str]:
    return _hl7("object-role", role, _ROLES[role])


def _file(name: str, digest: str) -> dict[str, Any]:
    return {"identifier": _identifier("sha256", digest), "display": _string(name)}


def _identifier(system: str, value: str) -> dict[str, str]:
    return {"system": OWN + system, "value": value}


def _coding(code: Code) -> dict[str, str]:
    return {"system": _DCM if code.scheme == "DCM" else f"{OWN}kind", "code": code.value, "display": code.meaning}


def _hl7(system: str, code: str, display: str) -> dict[str, str]:
    return {"system": _HL7 + system, "code": code, "display": display}


def _string(text: str | None) -> str | None:
    """A FHIR string, or None where there would be nothing to see in it."""
    clean = _CONTROL.sub("\ufffd", text or "")
    return clean if clean.strip() else None


def _whole(element: Any) -> Any:  # noqa: ANN401 -- JSON has no narrower type
    """The element without nulls and empty lists, which FHIR's JSON does not know."""
    if isinstance(element, dict):
        whole = {name: _whole(value) for name, value in element.items()}
        return {name: value for name, value in whole.items() if value is not None and value != []}
    return [_whole(one) for one in element] if isinstance(element, list) else element

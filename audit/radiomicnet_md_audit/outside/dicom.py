# SPDX-License-Identifier: Apache-2.0
"""One AuditMessage a record, as DICOM's audit trail message format has it, and one message a line.

Source: DICOM PS3.15 A.5.1 (schema), A.5.2 (conventions), A.5.3.2 (Audit Log Used), A.5.3.11 (Security Alert). Rules of
this module:

- The first participant object is always the log itself, in the form that A.5.3.2 and A.5.3.11 ask for. Its details
  carry all columns, log index and envelope digest among them, each in base64 of its UTF-8 bytes, so that no text of a
  record can be taken for markup and every value comes back exactly.
- The other objects are the files and records that this one is about, by their SHA-256.
- XML has no control characters: outside the details they become U+FFFD, and line breaks in text become spaces.
- A line is ASCII and a whole XML document: ready to be the text of a syslog message (PS3.15 A.6 and A.7).
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from radiomicnet_md_audit.outside import events
from radiomicnet_md_audit.outside.events import Code
from radiomicnet_md_audit.outside.rows import Logged

_URI = Code("12", "URI", "RFC-3881")  # PS3.15 A.5.1.2.4; the scheme as in table A.5.3.6-1
_DIGEST = Code("sha256", "SHA-256", events.OWN_SCHEME)
_SYSTEM_OBJECT = "2"
_NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def messages(records: Iterable[Logged]) -> Iterator[bytes]:
    """Yield one message a line."""
    for record in records:
        yield tostring(message(record)) + b"\n"


def message(record: Logged) -> Element:
    """The AuditMessage of a record."""
    root = Element("AuditMessage")
    _event(root, record)
    _participants(root, record)
    source = SubElement(root, "AuditSourceIdentification", AuditSourceID=record.said.log.origin)
    SubElement(source, "AuditSourceTypeCode", {"csd-code": "4"})
    _log_object(root, record)
    for name, digest in record.subjects:
        part = events.part(record, name)
        _object(root, digest, _DIGEST, name, part)
    return root


def log_uri(origin: str) -> str:
    """The log's name as a URI."""
    return f"urn:radiomicnet-md:log:{quote(origin, safe='')}"


def _event(root: Element, record: Logged) -> None:
    event = events.event(record)
    code, words = events.outcome(record)
    identification = SubElement(
        root,
        "EventIdentification",
        EventActionCode=event.action,
        EventDateTime=record.said.log.time_utc,
        EventOutcomeIndicator=code,
    )
    _coded(identification, "EventID", event.id)
    if event.type is not None:
        _coded(identification, "EventTypeCode", event.type)
    if words is not None:
        SubElement(identification, "EventOutcomeDescription").text = _text(words)


def _participants(root: Element, record: Logged) -> None:
    """Who asked, where the record says it, and the device, known by its key."""
    operator = record.texts().get("operator")
    if operator is not None:
        asking = SubElement(root, "ActiveParticipant", UserID=_clean(operator), UserIsRequestor="true")
        _coded(asking, "RoleIDCode", events.LAUNCHER)
    device = SubElement(
        root, "ActiveParticipant", UserID=record.said.log.producer, UserName=events.PRODUCT, UserIsRequestor="false"
    )
    _coded(device, "RoleIDCode", events.APPLICATION)


def _log_object(root: Element, record: Logged) -> None:
    part = events.Part(events.SECURITY_RESOURCE, None)
    log = _object(root, log_uri(record.said.log.origin), _URI, "Security Audit Log", part)
    event = events.event(record)
    described = {"Alert Description": event.words} if event.id == events.ALERT else {}
    for name, value in {**described, **record.texts()}.items():
        encoded = b64encode(value.encode("utf-8")).decode("ascii")
        SubElement(log, "ParticipantObjectDetail", type=name, value=encoded)


def _object(root: Element, identity: str, id_type: Code, name: str, part: events.Part) -> Element:
    stage = {} if part.stage is None else {"ParticipantObjectDataLifeCycle": part.stage}
    found = SubElement(
        root,
        "ParticipantObjectIdentification",
        {
            "ParticipantObjectID": identity,
            "ParticipantObjectTypeCode": _SYSTEM_OBJECT,
            "ParticipantObjectTypeCodeRole": part.role,
            **stage,
        },
    )
    _coded(found, "ParticipantObjectIDTypeCode", id_type)
    SubElement(found, "ParticipantObjectName").text = _text(name)
    return found


def _coded(parent: Element, name: str, code: Code) -> None:
    SubElement(parent, name, {"csd-code": code.value, "codeSystemName": code.scheme, "originalText": code.meaning})


def _clean(text: str) -> str:
    return _NO_XML.sub("\ufffd", text)


def _text(text: str) -> str:
    return " ".join(_clean(text).split())

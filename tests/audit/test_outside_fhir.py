# SPDX-License-Identifier: Apache-2.0
"""The Bundle is FHIR R4, checked against rules written down from the specification, and names its records."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from radiomicnet_md_audit import outside, statement
from radiomicnet_md_audit.outside import Form
from radiomicnet_md_audit.outside.rows import Logged
from tests.audit import outside_log
from tests.audit.sites import Site

DCM = "http://dicom.nema.org/resources/ontology/DCM"
HL7 = "http://terminology.hl7.org/CodeSystem/"
OWN = "urn:radiomicnet-md:"

# Primitive types: hl7.org/fhir/R4/datatypes.html, the regular expressions of its table; white space is XML's.
PRIMITIVES = {
    "string": r"[ \r\n\t\S]+",
    "uri": r"\S+",
    "id": r"[A-Za-z0-9\-.]{1,64}",
    "code": r"[^\s]+(\s[^\s]+)*",
    "instant": r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d+)?Z",
}
# Bindings of strength "required", where any other code is wrong: hl7.org/fhir/R4/valueset-….html.
REQUIRED = {
    "audit-event-action": set("CRUDE"),
    "audit-event-outcome": {"0", "4", "8", "12"},
    "provenance-entity-role": {"derivation", "revision", "quotation", "source", "removal"},
    "bundle-type": {"document", "message", "transaction", "transaction-response", "batch", "batch-response", "history"}
    | {"searchset", "collection"},
}
# Bindings of strength "extensible": a code of one of these systems must be in the set.
EXTENSIBLE = {
    "audit-event-type": {DCM: {str(code) for code in range(110100, 110115)}},
    "audit-event-sub-type": {DCM: {str(code) for code in range(110120, 110143)}},
    "participation-role-type": {DCM: {str(code) for code in range(110150, 110156)}},
    "audit-source-type": {HL7 + "security-source-type": set("123456789")},
    "audit-entity-type": {HL7 + "audit-entity-type": set("1234")},
    "object-role": {HL7 + "object-role": {str(code) for code in range(1, 27)}},
    "object-lifecycle-events": {HL7 + "dicom-audit-lifecycle": {str(code) for code in range(1, 16)}},
    "provenance-agent-type": {
        HL7 + "provenance-participant-type": {"enterer", "performer", "author", "verifier", "legal", "attester"}
        | {"informant", "custodian", "assembler", "composer"}
    },
    "provenance-activity-type": {HL7 + "v3-DataOperation": {"CREATE", "DELETE", "UPDATE", "APPEND", "NULLIFY"}},
}
# Structures: element -> (least, most, type, binding); "*" is no limit. hl7.org/fhir/R4/auditevent.html,
# provenance.html, bundle.html, references.html, datatypes.html; elements that are not listed here are not expected.
RULES: dict[str, dict[str, tuple[int, int | str, str, str]]] = {
    "Bundle": {
        "resourceType": (1, 1, "code", ""),
        "type": (1, 1, "code", "bundle-type"),
        "entry": (0, "*", "Bundle.entry", ""),
    },
    "Bundle.entry": {"fullUrl": (0, 1, "uri", ""), "resource": (0, 1, "Resource", "")},
    "Meta": {"tag": (0, "*", "Coding", "")},
    "Coding": {"system": (0, 1, "uri", ""), "code": (0, 1, "code", ""), "display": (0, 1, "string", "")},
    "CodeableConcept": {"coding": (0, "*", "Coding", ""), "text": (0, 1, "string", "")},
    "Identifier": {"system": (0, 1, "uri", ""), "value": (0, 1, "string", "")},
    "Reference": {
        "type": (0, 1, "uri", ""),
        "identifier": (0, 1, "Identifier", ""),
        "display": (0, 1, "string", ""),
    },
    "AuditEvent": {
        "resourceType": (1, 1, "code", ""),
        "id": (0, 1, "id", ""),
        "meta": (0, 1, "Meta", ""),
        "type": (1, 1, "Coding", "audit-event-type"),
        "subtype": (0, "*", "Coding", "audit-event-sub-type"),
        "action": (0, 1, "code", "audit-event-action"),
        "recorded": (1, 1, "instant", ""),
        "outcome": (0, 1, "code", "audit-event-outcome"),
        "outcomeDesc": (0, 1, "string", ""),
        "agent": (1, "*", "AuditEvent.agent", ""),
        "source": (1, 1, "AuditEvent.source", ""),
        "entity": (0, "*", "AuditEvent.entity", ""),
    },
    "AuditEvent.agent": {
        "type": (0, 1, "CodeableConcept", "participation-role-type"),
        "who": (0, 1, "Reference", ""),
        "requestor": (1, 1, "boolean", ""),
    },
    "AuditEvent.source": {
        "site": (0, 1, "string", ""),
        "observer": (1, 1, "Reference", ""),
        "type": (0, "*", "Coding", "audit-source-type"),
    },
    "AuditEvent.entity": {
        "what": (0, 1, "Reference", ""),
        "type": (0, 1, "Coding", "audit-entity-type"),
        "role": (0, 1, "Coding", "object-role"),
        "lifecycle": (0, 1, "Coding", "object-lifecycle-events"),
        "name": (0, 1, "string", ""),  # sev-1: a name or a query; there are no queries here
        "description": (0, 1, "string", ""),
        "detail": (0, "*", "AuditEvent.entity.detail", ""),
    },
    "AuditEvent.entity.detail": {"type": (1, 1, "string", ""), "valueString": (1, 1, "string", "")},
    "Provenance": {
        "resourceType": (1, 1, "code", ""),
        "id": (0, 1, "id", ""),
        "meta": (0, 1, "Meta", ""),
        "target": (1, "*", "Reference", ""),
        "recorded": (1, 1, "instant", ""),
        "activity": (0, 1, "CodeableConcept", "provenance-activity-type"),
        "agent": (1, "*", "Provenance.agent", ""),
        "entity": (0, "*", "Provenance.entity", ""),
    },
    "Provenance.agent": {
        "type": (0, 1, "CodeableConcept", "provenance-agent-type"),
        "who": (1, 1, "Reference", ""),
        "onBehalfOf": (0, 1, "Reference", ""),
    },
    "Provenance.entity": {"role": (1, 1, "code", "provenance-entity-role"), "what": (1, 1, "Reference", "")},
}
RESOURCES = {"AuditEvent", "Provenance"}


def check(value: Any, kind: str, binding: str = "") -> None:  # noqa: ANN401 -- any JSON
    """Fail where a value is not of a type of the tables above."""
    if kind == "Resource":
        kind = value["resourceType"]
        assert kind in RESOURCES
    if kind == "boolean":
        assert isinstance(value, bool)
        return
    if kind in PRIMITIVES:
        assert isinstance(value, str)
        assert re.fullmatch(PRIMITIVES[kind], value, re.ASCII), (kind, value)
        assert kind != "string" or not re.search(r"[^\t\n\r\x20-\U0010ffff]", value)
        assert not binding or value in REQUIRED[binding], (binding, value)
        return
    assert isinstance(value, dict)
    assert value, f"{kind}: an element has a value or children (ele-1)"
    assert set(value) <= set(RULES[kind]), (kind, set(value) - set(RULES[kind]))
    for name, (least, most, inner, bound) in RULES[kind].items():
        if most == "*" and name in value:
            assert isinstance(value[name], list)
            assert value[name], f"{kind}.{name}: JSON has no empty lists"
        found = value[name] if most == "*" and name in value else [value[name]] if name in value else []
        assert len(found) >= least, f"{kind}.{name} is required"
        for one in found:
            check(one, inner, bound)
    if kind == "Coding" and binding:
        check_coding(value, binding)
    for coding in value.get("coding", []) if kind == "CodeableConcept" and binding else []:
        check_coding(coding, binding)


def check_coding(coding: dict[str, str], binding: str) -> None:
    systems = EXTENSIBLE[binding]
    assert coding["system"] in systems or coding["system"].startswith(OWN), (binding, coding)
    assert coding["code"] in systems.get(coding["system"], {coding["code"]}), (binding, coding)


def bundle(*records: Logged) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(b"".join(outside.write(Form.FHIR, records)))
    return document


def resources(document: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in document.get("entry", [])]
    return [resource for resource in found if resource["resourceType"] == kind]


def place(resource: dict[str, Any]) -> tuple[int, str, str]:
    tags = {tag["system"].removeprefix(OWN): tag["code"] for tag in resource["meta"]["tag"]}
    return int(tags["log-index"]), tags["record-id"], tags["envelope-sha256"]


@pytest.fixture
def records(tmp_path: Path) -> list[Logged]:
    site = Site(tmp_path)
    outside_log.fill(site)
    with site.read() as ledger:
        return [*outside_log.read(ledger), outside_log.key_event()]


@pytest.mark.verifies("SRS-OUT-011")
def test_the_bundle_follows_the_rules_of_r4(records: list[Logged]) -> None:
    document = bundle(*records)
    check(document, "Bundle")
    assert document["type"] == "collection"
    urls = [entry["fullUrl"] for entry in document["entry"]]
    assert len(set(urls)) == len(urls) == len(records) + 1  # bdl-7; one decision brought something forth
    assert all(
        re.fullmatch(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", url)
        for url in urls
    )
    check(bundle(), "Bundle")


@pytest.mark.verifies("SRS-OUT-011")
@given(outside_log.foreign_records())
def test_whatever_a_record_holds_the_rules_are_kept(record: Logged) -> None:
    document = bundle(record)
    check(document, "Bundle")
    (event,) = resources(document, "AuditEvent")
    assert place(event) == (record.index, record.said.record_id, record.envelope_sha256)


@pytest.mark.verifies("SRS-OUT-011")
def test_every_resource_names_its_record(records: list[Logged]) -> None:
    document = bundle(*records)
    expected = [(record.index, record.said.record_id, record.envelope_sha256) for record in records]
    assert [place(event) for event in resources(document, "AuditEvent")] == expected
    assert [place(one) for one in resources(document, "Provenance")] == expected[1:2]
    for event, record in zip(resources(document, "AuditEvent"), records, strict=True):
        details = {one["type"]: one["valueString"] for one in event["entity"][0]["detail"]}
        assert details == record.texts()  # no control characters in these


@pytest.mark.verifies("SRS-OUT-011")
def test_kinds_and_outcomes_have_their_codes(records: list[Logged]) -> None:
    events = resources(bundle(*records), "AuditEvent")
    said = [
        (event["type"]["code"], event["subtype"][-1]["code"], event["action"], event["outcome"]) for event in events
    ]
    assert said == [
        ("110113", "genesis", "E", "0"),
        ("110100", "decision", "E", "0"),
        ("110100", "decision", "E", "4"),
        ("110100", "decision", "E", "8"),
        ("110100", "replay", "E", "8"),
        ("110101", "export", "R", "0"),
        ("110113", "key-event", "E", "0"),
    ]
    assert [event["subtype"][0]["code"] for event in (events[0], events[-1])] == ["110134", "110129"]
    assert events[2]["outcomeDesc"] == f"REFUSED: E-INPUT-SMALL: {outside_log.REASON['text']}"
    asking, device = events[1]["agent"]
    assert (asking["requestor"], asking["who"]["identifier"]["value"]) == (True, "pacs:breast-us")
    assert (device["requestor"], device["who"]["display"]) == (False, "RadiomicNet-MD 0.3.0")
    assert [agent["requestor"] for agent in events[0]["agent"]] == [False]  # nobody is named in a genesis


@pytest.mark.verifies("SRS-OUT-011")
def test_provenance_leads_from_the_outputs_to_the_input(records: list[Logged]) -> None:
    (one,) = resources(bundle(*records), "Provenance")
    targets = {target["display"]: target["identifier"]["value"] for target in one["target"]}
    assert targets == {"mask": "3" * 64, "contributions": "4" * 64}
    assert [(entity["role"], entity["what"]["identifier"]["value"]) for entity in one["entity"]] == [
        ("source", "e" * 64)
    ]
    assert one["agent"][0]["onBehalfOf"]["identifier"]["value"] == "pacs:breast-us"
    assert "signature" not in one


@pytest.mark.verifies("SRS-OUT-011")
def test_the_rules_refuse_what_is_wrong(records: list[Logged]) -> None:
    """Each required element taken away, each code and each form changed, is seen by the check used above."""

    def breaks(where: str, path: list[str | int], value: object) -> None:
        document = bundle(*records)
        place: Any = resources(document, where)[0]
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value
        with pytest.raises(AssertionError):
            check(document, "Bundle")

    for name in ("type", "recorded", "agent", "source"):
        breaks("AuditEvent", [name], None)
    for name in ("target", "recorded", "agent"):
        breaks("Provenance", [name], None)
    breaks("AuditEvent", ["source", "observer"], None)
    breaks("AuditEvent", ["agent", 0, "requestor"], None)
    breaks("AuditEvent", ["entity", 0, "detail", 0, "valueString"], None)
    breaks("Provenance", ["entity", 0, "role"], "input")
    breaks("Provenance", ["agent", 0, "who"], None)
    breaks("AuditEvent", ["action"], "X")
    breaks("AuditEvent", ["outcome"], "1")
    breaks("AuditEvent", ["type", "code"], "110999")
    breaks("AuditEvent", ["entity", 0, "role", "code"], "27")
    breaks("AuditEvent", ["recorded"], "2026-01-02 03:04:05Z")
    breaks("AuditEvent", ["outcomeDesc"], " \x00")
    breaks("AuditEvent", ["entity"], [])
    breaks("AuditEvent", ["patient"], "somebody")


@pytest.mark.verifies("SRS-OUT-011")
def test_a_blank_text_is_left_out_and_a_control_character_replaced() -> None:
    record = outside_log.by_hand(statement.DECISION, {" \n": "0" * 64}, operator="\x00 a", request_id=" ", state="")
    event = resources(bundle(record), "AuditEvent")[0]
    assert event["agent"][0]["who"]["identifier"]["value"] == "\ufffd a"
    assert "name" not in event["entity"][1]
    assert not {"request_id", "state"} & {one["type"] for one in event["entity"][0]["detail"]}

# SPDX-License-Identifier: Apache-2.0
"""Each message is an AuditMessage of DICOM PS3.15 A.5, checked against its schema's structure, and names its record."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote
from xml.etree.ElementTree import Element, ParseError, SubElement, fromstring, tostring

import pytest
from hypothesis import given
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr.codedict import codes

from radiomicnet_md_audit import outside, statement
from radiomicnet_md_audit.outside import Form
from radiomicnet_md_audit.outside.rows import Logged
from tests.audit import outside_log
from tests.audit.sites import Site

ANY = r"[\s\S]*"
BOOLEAN = r"true|false|0|1"
BASE64 = r"([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"
DATE_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"  # A.5.2.5: with the time zone


def numbers(last: int) -> str:
    return "|".join(str(number) for number in range(1, last + 1))


@dataclass(frozen=True)
class Shape:
    """An element: attributes (an optional one ends in ``?``) and children in order with least and most."""

    attributes: dict[str, str] = field(default_factory=dict)
    children: tuple[tuple[str, int, int], ...] = ()
    text: bool = False


MANY = 10**6
CODED = Shape({"csd-code": r"\S+", "codeSystemName": r"\S+", "displayName?": ANY, "originalText": r"\S[\s\S]*"})
# PS3.15 A.5.1.1, the schema in RELAX NG compact form, definition by definition.
SCHEMA = {
    "AuditMessage": Shape(  # message
        children=(
            ("EventIdentification", 1, 1),
            ("ActiveParticipant", 1, MANY),
            ("AuditSourceIdentification", 1, 1),
            ("ParticipantObjectIdentification", 0, MANY),
        )
    ),
    "EventIdentification": Shape(  # EventIdentificationContents
        {"EventActionCode?": "[CRUDE]", "EventDateTime": DATE_TIME, "EventOutcomeIndicator": "0|4|8|12"},
        (("EventID", 1, 1), ("EventTypeCode", 0, MANY), ("EventOutcomeDescription", 0, 1)),
    ),
    "EventID": CODED,
    "EventTypeCode": CODED,
    "EventOutcomeDescription": Shape(text=True),
    "AuditSourceIdentification": Shape(  # AuditSourceIdentificationContents
        {"AuditEnterpriseSiteID?": ANY, "AuditSourceID": r"\S+"}, (("AuditSourceTypeCode", 0, MANY),)
    ),
    "AuditSourceTypeCode": Shape({"csd-code": numbers(9)}),  # AuditSourceTypeCodeContent without a scheme
    "ActiveParticipant": Shape(  # ActiveParticipantContents
        {
            "UserID": ANY,
            "AlternativeUserID?": ANY,
            "UserName?": ANY,
            "UserIsRequestor": BOOLEAN,
            "NetworkAccessPointID?": ANY,
            "NetworkAccessPointTypeCode?": numbers(5),
        },
        (("RoleIDCode", 0, MANY), ("MediaIdentifier", 0, 1)),
    ),
    "RoleIDCode": CODED,
    "ParticipantObjectIdentification": Shape(  # ParticipantObjectIdentificationContents; no query is written here
        {
            "ParticipantObjectID": r"\S+",
            "ParticipantObjectTypeCode?": numbers(4),
            "ParticipantObjectTypeCodeRole?": numbers(26),
            "ParticipantObjectDataLifeCycle?": numbers(15),
            "ParticipantObjectSensitivity?": ANY,
        },
        (
            ("ParticipantObjectIDTypeCode", 1, 1),
            ("ParticipantObjectName", 1, 1),
            ("ParticipantObjectDetail", 0, MANY),
            ("ParticipantObjectDescription", 0, MANY),
        ),
    ),
    "ParticipantObjectIDTypeCode": CODED,
    "ParticipantObjectName": Shape(text=True),
    "ParticipantObjectDetail": Shape({"type": ANY, "value": BASE64}),  # ValuePair
}


def check(element: Element) -> None:
    """Fail where an element does not have the structure of the schema."""
    shape = SCHEMA[element.tag]
    known = {name.rstrip("?"): form for name, form in shape.attributes.items()}
    assert set(element.attrib) <= set(known), (element.tag, element.attrib)
    assert {name for name in shape.attributes if not name.endswith("?")} <= set(element.attrib), element.tag
    for name, value in element.attrib.items():
        assert re.fullmatch(known[name], value), (element.tag, name, value)
    tags = [child.tag for child in element]
    order = [name for name, _, _ in shape.children]
    assert set(tags) <= set(order), (element.tag, tags)
    assert tags == sorted(tags, key=order.index), (element.tag, tags)
    for name, least, most in shape.children:
        assert least <= tags.count(name) <= most, (element.tag, name)
    assert shape.text or not (element.text or "").strip()
    for child in element:
        check(child)
    if element.tag == "AuditMessage":  # A.5.2, table A.5.2-1: at most one requestor
        assert sum(one.get("UserIsRequestor") == "true" for one in element.iter("ActiveParticipant")) <= 1


def parsed(line: str | bytes) -> Element:
    return fromstring(line)  # noqa: S314 -- what this test has just written


def messages(*records: Logged) -> list[Element]:
    file = b"".join(outside.write(Form.DICOM, records))
    lines = file.decode("ascii").splitlines()
    assert file.endswith(b"\n")
    assert len(lines) == len(records)
    return [parsed(line) for line in lines]


def details(message: Element) -> dict[str, str]:
    (log,) = [one for one in message.iter("ParticipantObjectIdentification") if len(one) > 2]
    pairs = [(one.attrib["type"], one.attrib["value"]) for one in log.iter("ParticipantObjectDetail")]
    assert len(dict(pairs)) == len(pairs)
    return {name: b64decode(value, validate=True).decode("utf-8") for name, value in pairs}


def codes_of(message: Element, tag: str) -> list[tuple[str, str]]:
    return [(one.attrib["codeSystemName"], one.attrib["csd-code"]) for one in message.iter(tag)]


@pytest.fixture
def records(tmp_path: Path) -> list[Logged]:
    site = Site(tmp_path)
    outside_log.fill(site)
    with site.read() as ledger:
        return [*outside_log.read(ledger), outside_log.key_event()]


@pytest.mark.verifies("SRS-OUT-012")
def test_every_message_has_the_structure_of_a_5_1(records: list[Logged]) -> None:
    for message in messages(*records):
        check(message)


@pytest.mark.verifies("SRS-OUT-012")
@given(outside_log.foreign_records())
def test_whatever_a_record_holds_it_is_one_line_of_the_schema_and_comes_back(record: Logged) -> None:
    (message,) = messages(record)
    check(message)
    said = details(message)
    said.pop("Alert Description", None)
    assert said == record.texts()


@pytest.mark.verifies("SRS-OUT-012")
def test_every_message_names_its_record(records: list[Logged]) -> None:
    for message, record in zip(messages(*records), records, strict=True):
        said = details(message)
        place = (int(said["log_index"]), said["record_id"], said["envelope_sha256"])
        assert place == (record.index, record.said.record_id, record.envelope_sha256)
        assert message.find("EventIdentification").get("EventDateTime") == record.said.log.time_utc  # type: ignore[union-attr]
        objects = [one.get("ParticipantObjectID") for one in message.iter("ParticipantObjectIdentification")]
        assert objects[1:] == [digest for _, digest in record.subjects]


@pytest.mark.verifies("SRS-OUT-012")
def test_standard_events_follow_their_tables(records: list[Logged]) -> None:
    """A.5.3.11 (Security Alert) for genesis and keys, A.5.3.2 (Audit Log Used) for exports."""
    made = messages(*records)
    for message, kind in ((made[0], "110134"), (made[-1], "110129")):
        assert codes_of(message, "EventID") == [("DCM", "110113")]
        assert codes_of(message, "EventTypeCode") == [("DCM", kind)]
        assert message[0].get("EventActionCode") == "E"
        assert details(message)["Alert Description"]
    used = made[5]
    assert codes_of(used, "EventID") == [("DCM", "110101")]
    assert used[0].get("EventActionCode") == "R"
    assert [one.get("UserID") for one in used.iter("ActiveParticipant")] == [
        "pacs:breast-us",
        records[5].said.log.producer,
    ]
    for message in (made[0], made[-1], used):
        log = next(message.iter("ParticipantObjectIdentification"))
        assert (log.get("ParticipantObjectTypeCode"), log.get("ParticipantObjectTypeCodeRole")) == ("2", "13")
        assert codes_of(message, "ParticipantObjectIDTypeCode")[0][1] == "12"
        assert unquote(log.get("ParticipantObjectID") or "") == "urn:radiomicnet-md:log:example.org/tests/log"
        assert log.findtext("ParticipantObjectName") == "Security Audit Log"


@pytest.mark.verifies("SRS-OUT-012")
def test_decisions_and_replays_have_codes_of_our_own_and_their_outcomes(records: list[Logged]) -> None:
    made = messages(*records)[1:5]
    own = ["decision", "decision", "decision", "replay"]
    assert [codes_of(message, "EventID") for message in made] == [[("99RMNMD", kind)] for kind in own]
    assert [message[0].get("EventOutcomeIndicator") for message in made] == ["0", "4", "8", "8"]
    told = made[1][0].findtext("EventOutcomeDescription")
    assert told == f"REFUSED: E-INPUT-SMALL: {outside_log.REASON['text']}"
    stages = [one.get("ParticipantObjectDataLifeCycle") for one in made[0].iter("ParticipantObjectIdentification")]
    assert stages == [None, "6", "1", "1"]


@pytest.mark.verifies("SRS-OUT-012")
def test_standard_codes_are_those_of_ps3_16(records: list[Logged]) -> None:
    """Every DCM code and its meaning, against pydicom's copy of the context groups 400 to 403."""
    groups = {"EventID": 400, "EventTypeCode": 403, "RoleIDCode": 402}
    seen = set()
    for message in messages(*records):
        for tag, group in groups.items():
            known = {getattr(codes.DCM, word) for word in cid_concepts[group]["DCM"]}
            meanings = {code.value: code.meaning for code in known}
            for one in message.iter(tag):
                if one.get("codeSystemName") == "DCM":
                    assert one.get("originalText") == meanings[one.attrib["csd-code"]]
                    seen.add(one.get("csd-code"))
    assert seen == {"110113", "110134", "110129", "110101", "110150", "110151"}


@pytest.mark.verifies("SRS-OUT-012")
def test_text_cannot_become_markup() -> None:
    text = '"/><Evil a="1">&amp;]]>\n\x00\u2028'
    record = outside_log.by_hand(statement.DECISION, {text: "0" * 64}, operator=text, state=text)
    (message,) = messages(record)
    check(message)
    assert not list(message.iter("Evil"))
    assert details(message)["operator"] == text
    assert next(message.iter("ActiveParticipant")).get("UserID") == text.replace("\x00", "\ufffd")


@pytest.mark.verifies("SRS-OUT-012")
def test_the_structure_check_refuses_what_is_wrong(records: list[Logged]) -> None:
    """Each required attribute or element taken away, and anything unknown, is seen by the check used above."""
    refused = 0
    line = tostring(messages(records[1])[0])
    whole = parsed(line)
    for place, element in enumerate(whole.iter()):
        shape = SCHEMA[element.tag]
        for name in [name for name in shape.attributes if not name.endswith("?")]:
            broken = parsed(line)
            del list(broken.iter())[place].attrib[name]
            with pytest.raises(AssertionError):
                check(broken)
            refused += 1
        for name, least, _ in shape.children:
            broken = parsed(line)
            parent = list(broken.iter())[place]
            for child in parent.findall(name):
                parent.remove(child)
            if least:
                with pytest.raises(AssertionError):
                    check(broken)
                refused += 1
        broken = parsed(line)
        SubElement(list(broken.iter())[place], "ParticipantObjectQuery").text = b64encode(b"?").decode()
        with pytest.raises(AssertionError):
            check(broken)
    assert refused > 50
    whole[0], whole[1] = whole[1], whole[0]
    with pytest.raises(AssertionError):
        check(whole)
    with pytest.raises(ParseError):
        parsed(line[:-1])

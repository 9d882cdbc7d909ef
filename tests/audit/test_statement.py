# SPDX-License-Identifier: Apache-2.0
"""A record has the parts that all records share, each of its type, and no other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import canonical, statement
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.statement import LogPart

pytestmark = pytest.mark.verifies("SRS-REC-006")

LOG = {
    "origin": "example.org/log",
    "producer": "1" * 64,
    "counter": 0,
    "time_utc": "2026-01-01T00:00:00.000000Z",
    "monotonic_ns": -5,
}
IDENTITY = statement.record_id(bytes(range(16)))


def document(**predicate: object) -> dict[str, Any]:
    return statement.build(statement.DECISION, {"a": "0" * 64}, {"record_id": IDENTITY, "log": LOG, **predicate})


def test_a_record_says_what_was_written() -> None:
    said = statement.parse(canonical.dumps(document(request_id="r", state="RESULT")))
    assert said.document == document(request_id="r", state="RESULT")
    assert (said.predicate_type, said.record_id, said.terminal_request) == (statement.DECISION, IDENTITY, "r")
    assert said.log == LogPart("example.org/log", "1" * 64, 0, "2026-01-01T00:00:00.000000Z", -5)


@pytest.mark.parametrize(
    "log",
    [
        None,
        [],
        {},
        *({key: value for key, value in LOG.items() if key != missing} for missing in LOG),
        {**LOG, "more": 1},
        *({**LOG, key: other} for key in LOG for other in (None, [], {}, True)),
        *({**LOG, key: 5} for key in ("origin", "producer", "time_utc")),
        *({**LOG, key: "5"} for key in ("counter", "monotonic_ns")),
        {**LOG, "counter": -1},
        {**LOG, "time_utc": "2026-01-01T00:00:00Z"},
        {**LOG, "time_utc": "2026-01-01T00:00:00.000000+00:00"},
        {**LOG, "time_utc": "2026-01-01T00:00:00.000000Z "},
        {**LOG, "time_utc": "\N{FULLWIDTH DIGIT TWO}026-01-01T00:00:00.000000Z"},
    ],
)
def test_another_form_of_log_part_is_refused(log: object) -> None:
    with pytest.raises(IntegrityError) as caught:
        statement.parse(canonical.dumps(document(log=log)))
    assert caught.value.code == "E-STATEMENT-FORM"


SUBJECT = {"name": "a", "digest": {"sha256": "0" * 64}}


@pytest.mark.parametrize(
    "change",
    [
        {"subject": {"0": SUBJECT}},
        {"subject": ["a"]},
        {"subject": [SUBJECT, None]},
        {"subject": [{**SUBJECT, "name": 5}]},
        {"subject": [{**SUBJECT, "more": 5}]},
        {"subject": [{**SUBJECT, "digest": "0" * 64}]},
        {"subject": [{**SUBJECT, "digest": {"sha256": 5}}]},
        {"subject": [{**SUBJECT, "digest": {"sha256": "A" * 64}}]},
        {"predicateType": None},
        {"predicateType": 5},
        {"predicate": "a"},
        {"predicate": {"record_id": 5, "log": LOG}},
        {"predicate": {"record_id": IDENTITY.upper(), "log": LOG}},
        {"predicate": {"record_id": IDENTITY + "0", "log": LOG}},
    ],
)
def test_another_form_of_record_is_refused(change: dict[str, object]) -> None:
    for read in (lambda it: statement.parse(canonical.dumps(it)), statement.check_draft):
        with pytest.raises(IntegrityError) as caught:
            read({**document(), **change})
        assert caught.value.code == "E-STATEMENT-FORM"


@pytest.mark.parametrize(
    ("kind", "predicate", "request_id"),
    [
        (statement.DECISION, {"state": "RESULT", "request_id": "r"}, "r"),
        (statement.DECISION, {"state": "REFUSED", "request_id": "r"}, "r"),
        (statement.DECISION, {"state": "ERROR", "request_id": "r"}, None),
        (statement.DECISION, {"request_id": "r"}, None),
        (statement.DECISION, {"state": "RESULT"}, None),
        (statement.DECISION, {"state": "RESULT", "request_id": 5}, None),
        (statement.REPLAY, {"state": "RESULT", "request_id": "r"}, None),
    ],
)
def test_a_decision_in_a_terminal_state_ends_its_request(
    kind: str, predicate: dict[str, object], request_id: str | None
) -> None:
    assert statement.terminal_request({**document(**predicate), "predicateType": kind}) == request_id


def test_whatever_is_no_decision_is_an_event() -> None:
    assert statement.event(document()) is None
    for kind in (statement.GENESIS, statement.REPLAY, statement.KEY_EVENT, "another"):
        assert statement.event({**document(), "predicateType": kind}) == kind


@given(st.binary(min_size=16, max_size=16))
def test_a_record_id_is_its_random_bits(random: bytes) -> None:
    identity = statement.record_id(random)
    assert statement.number(identity) == int.from_bytes(random, "big")
    assert statement.RECORD_ID.fullmatch(identity)


@pytest.mark.verifies("SRS-LOG-015")
def test_what_a_checker_hands_on_of_a_decision_answers_as_the_whole_and_of_an_event_is_the_whole() -> None:
    said = document(request_id="request-1", state="RESULT", operator="uid:7", radiomics={"energy": 1})
    whole = statement.parse(canonical.dumps(said))
    assert whole.brief == {
        "predicateType": statement.DECISION,
        "predicate": {"request_id": "request-1", "state": "RESULT", "operator": "uid:7"},
    }
    assert statement.terminal_request(whole.brief) == whole.terminal_request == "request-1"
    assert statement.event(whole.brief) is None
    other = statement.parse(canonical.dumps({**said, "predicateType": statement.ERASURE}))
    assert other.brief == other.document

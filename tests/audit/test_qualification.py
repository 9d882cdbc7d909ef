# SPDX-License-Identifier: Apache-2.0
"""A record of a qualification is read as it was written, and any other form or verdict is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md_audit import qualification, statement
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.qualification import VERDICTS, Installation, Qualification, parse, verdict
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit import signers
from tests.audit.signers import ABOUT
from tests.audit.sites import Site
from tests.audit.test_persons import said

pytestmark = pytest.mark.verifies("SRS-QUA-001")

SEEN = Installation(
    {"version": "1.2.3", "sha256": "1" * 64},
    {"sha256": "2" * 64, "python": "3.11.2"},
    {"id": "example", "version": "1.0.0", "manifest_sha256": "3" * 64},
    {"numpy": "4" * 64, "torch": "5" * 64},
)
TIME = "2026-01-02T03:04:05.678901Z"
FILES = (("report.html", "6" * 64), ("report.json", "7" * 64))
GOOD = Qualification("iq", TIME, "PLT-001", "8" * 64, SEEN, 3, {"IQ-004": "NOT APPLICABLE"}, FILES)


def document(one: Qualification = GOOD, subject: str = "7" * 64) -> dict[str, Any]:
    predicate = {**one.predicate(), "record_id": signers.identity(1), **ABOUT}
    return statement.build(statement.QUALIFICATION, {"report": subject}, predicate)


def record(one: Qualification = GOOD, subject: str = "7" * 64, **changes: object) -> Statement:
    return said(document(one, subject), **changes)


@pytest.mark.parametrize(
    "one",
    [
        GOOD,
        replace(GOOD, kind="oq", platform="not listed: Plan 9"),
        replace(GOOD, kind="pq", not_passed={}),
        replace(GOOD, not_passed={"IQ-001": "FAIL", "IQ-002": "INCONCLUSIVE"}),
        replace(GOOD, passed=0),
        replace(GOOD, installation=replace(SEEN, installed={})),
    ],
)
def test_an_honest_record_is_read_as_it_was_written(one: Qualification) -> None:
    assert parse(record(one)) == one


@given(
    st.integers(0, 30),
    st.dictionaries(st.from_regex(r"\A[A-Z]{2}-[0-9]{3}\Z"), st.sampled_from(VERDICTS[1:]), max_size=20),
)
def test_the_verdict_follows_from_the_counts(passed: int, left: dict[str, str]) -> None:
    found = verdict(passed, left)
    assert (found == "FAIL") == ("FAIL" in left.values())
    assert (found == "PASS") == (passed > 0 and set(left.values()) <= {"NOT APPLICABLE"})
    assert found in VERDICTS[:3]


@pytest.mark.parametrize("told", ["FAIL", "INCONCLUSIVE", "PASSED", ""])
def test_no_record_says_another_verdict(told: str) -> None:
    _refused(record(verdict=told))


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "dq"},
        {"kind": None},
        {"began_utc": "2026-01-02"},
        {"began_utc": 1},
        {"platform": None},
        {"protocol_sha256": "8" * 63},
        {"code": {"version": "1"}},
        {"code": {"version": "1", "sha256": "x" * 64}},
        {"code": {"version": "1", "sha256": "1" * 64, "more": 1}},
        {"environment": {}},
        {"environment": {"sha256": "2" * 65}},
        {"release": {"id": "example", "version": "1.0.0"}},
        {"release": {"id": "example", "version": "1.0.0", "manifest_sha256": ""}},
        {"installed": None},
        {"installed": {"numpy": "short"}},
        {"installed": {"numpy": None}},
        {"passed": -1, "verdict": "INCONCLUSIVE"},
        {"passed": True},
        {"passed": "3"},
        {"not_passed": []},
        {"not_passed": {"IQ-004": "PASS"}},
        {"not_passed": {"IQ-004": "SKIPPED"}},
        {"not_passed": {"anything": "NOT APPLICABLE"}},
        {"not_passed": {f"IQ-{number:03d}": "NOT APPLICABLE" for number in range(257)}},
        {"files": []},
        {"files": [{"name": "report.html", "sha256": "6" * 64}]},  # no report.json
        {"files": [{"name": "report.json", "sha256": "6" * 64}]},  # not the subject
        {"files": [{"name": "report.json"}]},
        {"files": [{"name": "report.json", "sha256": "7" * 64, "size": 1}]},
        {"files": [{"name": "report.json", "sha256": "7" * 64}, {"name": "report.html", "sha256": "6" * 64}]},
        {"operator": None},
        {"stamps": None},
        {"more": 1},
    ],
    ids="-".join,
)
def test_any_other_form_is_refused(changes: dict[str, Any]) -> None:
    _refused(record(**changes))


def test_the_subject_is_the_signed_report() -> None:
    _refused(record(subject="9" * 64))
    for name in ("kind", "files", "installed", "not_passed", "release"):
        less = document()
        del less["predicate"][name]
        _refused(said(less))


def _refused(one: Statement) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse(one)
    assert caught.value.code == "E-QUALIFICATION-FORM"


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"code": {"version": "1.2.3", "sha256": "0" * 64}}, ("code",)),
        ({"environment": {"sha256": "0" * 64}}, ("environment",)),
        ({"release": {**SEEN.release, "manifest_sha256": "0" * 64}}, ("release",)),
        ({"installed": {"numpy": "4" * 64}}, ("installed packages",)),
        ({"environment": {"sha256": "2" * 64, "python": "the same in other words"}}, ()),
    ],
)
def test_what_differs_is_named_by_its_digest(part: dict[str, Any], named: tuple[str, ...]) -> None:
    assert SEEN.differs(replace(SEEN, **part)) == named
    assert SEEN.differs(SEEN) == ()


def test_verification_of_a_log_finds_a_record_of_another_form(site: Site) -> None:
    with site.open() as ledger:
        ledger.append(document())
        assert verify_ledger(ledger, None).ok
        ledger.append(
            {**document(), "predicate": {**document()["predicate"], "record_id": signers.identity(2), "x": 1}}
        )
        report = verify_ledger(ledger, None)
    assert not report.ok
    assert [finding.code for finding in report.findings] == ["E-QUALIFICATION-FORM"]
    assert qualification.REPORT == "report.json"

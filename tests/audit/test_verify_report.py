# SPDX-License-Identifier: Apache-2.0
"""A report says ok only for a log that was shown to be consistent, and hides no finding."""

from __future__ import annotations

from dataclasses import replace

import pytest

from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.examine import Wrong
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, STRUCTURE, Claim, Finding, Findings, Report, Walk

pytestmark = pytest.mark.verifies("SRS-LOG-004")


def test_many_findings_are_counted() -> None:
    for count in (99, 100, 101, 150):
        findings = Findings()
        for index in range(count):
            findings.add(index, "E-X", "text")
        assert (findings.count, len(findings.kept)) == (count, min(count, 100))
    walk = Walk(None, None)
    for index in range(103):
        walk.consistency.add(index, "E-X", "text")
    walk.trust.add(None, "E-Y", "text")
    assert len(walk.findings()) == 102
    assert walk.findings()[-1] == Finding(None, "E-MORE", "3 more findings are not listed.")
    assert walk.findings()[-2] == Finding(None, "E-Y", "text")


def test_the_findings_of_others_are_told_after_ones_own() -> None:
    walk, more = Walk(None, None), Findings()
    for index in range(101):
        more.add(index, "E-X", "text")
    walk.trust.add(7, "E-Y", "text")
    told = walk.findings(more, Findings())
    assert (len(told), told[0], told[1].code) == (102, Finding(7, "E-Y", "text"), "E-X")
    assert told[-1] == Finding(None, "E-MORE", "1 more findings are not listed.")


def test_a_failed_check_is_noted_as_it_speaks() -> None:
    findings = Findings()
    findings.add_problem(3, IntegrityError("E-X", "text", remedy="none"))
    findings.add_all(None, [Wrong("E-Y", "one"), Wrong.of(IntegrityError("E-Z", "two", remedy="none"))])
    assert findings.kept == [Finding(3, "E-X", "text"), Finding(None, "E-Y", "one"), Finding(None, "E-Z", "two")]


GOOD, UNCHECKED, BAD = (
    Claim(CONSISTENT, ok=True, text=""),
    Claim(ANCHORED, ok=None, text=""),
    Claim("x", ok=False, text=""),
)


@pytest.mark.parametrize(
    ("claims", "findings", "ok", "sound"),
    [
        ((GOOD,), (), True, True),
        ((GOOD, UNCHECKED), (), True, True),
        ((GOOD, BAD), (), False, False),
        ((GOOD,), (Finding(1, "E-X", "text"),), False, False),
        ((UNCHECKED,), (), False, True),
        ((replace(GOOD, ok=None),), (), False, True),
        ((replace(GOOD, name=STRUCTURE),), (), False, True),
        ((), (), False, True),
    ],
)
def test_a_report_is_ok_when_the_log_is_consistent_and_nothing_failed(
    claims: tuple[Claim, ...], findings: tuple[Finding, ...], *, ok: bool, sound: bool
) -> None:
    report = Report(6, "00", claims, findings)
    assert (report.ok, report.sound) == (ok, sound)
    assert report.document() == {
        "ok": ok,
        "size": 6,
        "root": "00",
        "claims": [{"name": claim.name, "ok": claim.ok, "text": claim.text} for claim in claims],
        "findings": [{"index": one.index, "code": one.code, "text": one.text} for one in findings],
    }

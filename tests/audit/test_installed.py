# SPDX-License-Identifier: Apache-2.0
"""A record of a changed installation is read as it was written, and any other form is a finding."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from radiomicnet_md_audit import statement
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.installed import PARTS, Taken, parse
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit import signers
from tests.audit.signers import ABOUT
from tests.audit.sites import Site
from tests.audit.test_persons import said
from tests.audit.test_qualification import SEEN

pytestmark = pytest.mark.verifies("SRS-OPR-004")

BEFORE = {name: getattr(SEEN, name) for name in PARTS}
GOOD = Taken(BEFORE, replace(SEEN, code={"version": "1.2.4", "sha256": "9" * 64}), "change request 12")


def document(one: Taken = GOOD, subject: str = "3" * 64) -> dict[str, Any]:
    predicate = {**one.predicate(), "record_id": signers.identity(1), **ABOUT}
    return statement.build(statement.INSTALLATION, {"release": subject}, predicate)


def record(one: Taken = GOOD, **changes: object) -> Statement:
    return said(document(one), **changes)


@pytest.mark.parametrize("before", [BEFORE, {}, {"release": SEEN.release}, {"installed": {}}])
def test_an_honest_record_is_read_as_it_was_written(before: dict[str, Any]) -> None:
    assert parse(record(replace(GOOD, before=before))) == replace(GOOD, before=before)


@pytest.mark.parametrize(
    "changes",
    [
        {"from": None},
        {"from": {"platform": {}}},
        {"from": {"code": "1"}},
        {"from": {"code": {"version": 1}}},
        {"code": {"version": "1"}},
        {"code": {"version": "1", "sha256": "x" * 64}},
        {"code": {"version": "1", "sha256": "1" * 64, "more": 1}},
        {"environment": {}},
        {"release": {"id": "example", "version": "1.0.0", "manifest_sha256": "4" * 64}},  # not the subject
        {"release": {"id": "example", "version": "1.0.0"}},
        {"installed": {"numpy": "short"}},
        {"installed": None},
        {"why": ""},
        {"why": None},
        {"operator": None},
        {"stamps": None},
        {"more": 1},
    ],
    ids="-".join,
)
def test_any_other_form_is_refused_and_found_by_verification(changes: dict[str, Any], site: Site) -> None:
    with pytest.raises(IntegrityError) as caught:
        parse(record(**changes))
    assert caught.value.code == "E-INSTALLATION-FORM"
    wrong = document()
    wrong["predicate"].update(changes)
    with site.open() as ledger:
        ledger.append(wrong)
        report = verify_ledger(ledger, None)
        assert "E-INSTALLATION-FORM" in {found.code for found in report.findings}


def test_a_log_with_an_honest_record_verifies(site: Site) -> None:
    with site.open() as ledger:
        ledger.append(document())
        assert verify_ledger(ledger, None).ok

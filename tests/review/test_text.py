# SPDX-License-Identifier: Apache-2.0
"""The page of a record prints every term, adds up as printed, and shows nobody's name."""

from __future__ import annotations

import json
import re

import pytest

from radiomicnet_md.decision import Decision, Region
from radiomicnet_md.review import text
from radiomicnet_md.review.names import label, short
from tests.review.conftest import Pages

SUM_LINE = re.compile(
    r"^  (?P<name>.{27}) (?P<measured>.{9}) .{11} [+\N{MINUS SIGN} ]+\d+\.\d{3} +(?P<value>[+-]\d+)(?: |$)"
)
"""A line of a sum: name, measured value, bar, decimal, exact integer."""


def printed_sum(page: str) -> dict[str, int]:
    """The exact integers of the one sum on a page, by printed name."""
    found = [match for line in page.splitlines() if (match := SUM_LINE.match(line))]
    return {match["name"].strip(): int(match["value"]) for match in found}


def region(decision: Decision) -> Region:
    """The region whose sum the page shows."""
    shown = decision.chosen[0] if decision.chosen else decision.runner_up
    assert shown is not None
    return shown


@pytest.mark.verifies("SRS-ENG-005", "SRS-REC-003")
@pytest.mark.parametrize("name", ["found", "rejected"])
def test_every_term_is_printed_and_the_printed_terms_make_the_printed_sum(
    name: str, pages: Pages, request: pytest.FixtureRequest
) -> None:
    decision: Decision = request.getfixturevalue(name)
    printed = printed_sum(text.show(pages.result(decision), pages.proof))
    total = printed.pop("sum")
    shown = region(decision)
    for key, value in shown.terms.items():
        assert printed.pop(short(label(key), 27), 0) == value
    assert printed == {"intercept": shown.intercept}
    assert sum(shown.terms.values()) + printed["intercept"] == total == shown.score


@pytest.mark.verifies("SRS-REC-003")
def test_a_term_of_zero_is_named_and_every_term_has_the_value_it_was_read_at(pages: Pages, found: Decision) -> None:
    page = text.show(pages.result(found), pages.proof)
    silent = [key for key, value in found.chosen[0].terms.items() if value == 0]
    assert silent
    assert f"  zero          {', '.join(map(label, silent))}" in page
    area = found.chosen[0].values["area"] / (16 << 12)
    assert re.search(rf"^  area +{100 * area:.1f} %", page, re.MULTILINE)


@pytest.mark.verifies("SRS-ENG-004")
def test_the_evidence_of_every_name_is_printed_and_sums_to_the_logit(pages: Pages, found: Decision) -> None:
    statement = pages.result(found)
    page = text.show(statement, pages.proof)
    for name in found.names:
        assert re.search(rf"^  {re.escape(label(name))} +\S+ +\S+ +\S+$", page, re.MULTILINE)
    unit = 1 << 18
    zones = statement["predicate"]["pixels"]["integrals"].values()
    last = next(line for line in page.splitlines() if line.startswith("  logit "))
    shown = [float(cell.replace("\N{MINUS SIGN}", "-")) for cell in last.split()[1:]]
    assert shown == pytest.approx([sum(zone.values()) / unit for zone in zones], abs=0.051)
    assert sum(shown) == pytest.approx(found.logit.sum() / unit, abs=0.2)


@pytest.mark.verifies("SRS-REC-004")
def test_the_first_line_is_the_state_and_the_stamps(pages: Pages, found: Decision) -> None:
    for statement in (pages.result(found), pages.refused(), pages.failed()):
        first = text.show(statement, pages.proof).splitlines()[0]
        assert first.startswith(statement["predicate"]["state"])
        assert first.endswith("unqualified demonstration · untrusted-key")


@pytest.mark.verifies("SRS-REC-005", "SRS-CLI-004")
def test_a_refusal_says_why_and_what_to_do_on_half_a_screen(pages: Pages) -> None:
    page = text.show(pages.refused(), pages.proof)
    assert "The image is in colour." in page
    assert "Send it in grey.  [E-INPUT-COLOUR]" in page
    assert re.search(r"^  NO channels +differ +equal$", page, re.MULTILINE)
    assert len(page.splitlines()) <= 38


@pytest.mark.verifies("SRS-REC-005")
def test_an_error_before_anything_was_read_has_a_page_too(pages: Pages) -> None:
    page = text.show(pages.failed(), pages.proof)
    assert page.startswith("ERROR")
    assert "The file is empty." in page


@pytest.mark.verifies("SRS-REC-003")
def test_no_lesion_found_is_an_answer_with_its_reason(pages: Pages, rejected: Decision, nothing: Decision) -> None:
    assert "no lesion found: the best sum is \N{MINUS SIGN}0.500" in text.show(pages.result(rejected), pages.proof)
    assert "no lesion found: no candidate region" in text.show(pages.result(nothing), pages.proof)


@pytest.mark.verifies("SRS-LOG-002", "SRS-REC-003")
def test_the_page_names_signer_leaf_root_and_claims(pages: Pages, found: Decision) -> None:
    page = text.show(pages.result(found), pages.proof)
    for part in ("7" * 64, "6" * 64, "5" * 64, "9" * 64, "signed tree of 7 entries", *pages.proof.claims):
        assert part in page


@pytest.mark.verifies("SRS-INP-008")
def test_identities_appear_by_keyword_alone(pages: Pages, found: Decision) -> None:
    page = text.show(pages.result(found), pages.proof)
    assert "PatientID, PatientName (salted commitments only)" in page
    assert "a" * 16 not in page


@pytest.mark.verifies("SRS-CLI-004")
def test_nothing_in_a_record_can_command_the_terminal(pages: Pages) -> None:
    statement = pages.refused(text="bad \x1b[2J\x07 \u202eevil", remedy="x\r\ny")
    page = text.show(statement, pages.proof)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f\u202e]", page)


@pytest.mark.verifies("SRS-CLI-004")
def test_colour_changes_no_character_and_stays_off_unless_asked_for(pages: Pages, found: Decision) -> None:
    statement = pages.result(found)
    plain = text.show(statement, pages.proof)
    assert "\x1b" not in plain
    coloured = text.show(statement, pages.proof, colour=True)
    assert coloured != plain
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.verifies("SRS-CLI-004")
def test_eighty_columns_hold_every_line(pages: Pages, found: Decision, rejected: Decision, nothing: Decision) -> None:
    statements = [pages.result(found), pages.result(rejected), pages.result(nothing), pages.refused(), pages.failed()]
    for statement in statements:
        assert max(map(len, text.show(statement, pages.proof).splitlines())) <= 80


@pytest.mark.verifies("SRS-REC-006")
def test_a_record_that_went_through_json_gives_the_same_page(pages: Pages, found: Decision) -> None:
    statement = pages.result(found)
    assert text.show(json.loads(json.dumps(statement)), pages.proof) == text.show(statement, pages.proof)

# SPDX-License-Identifier: Apache-2.0
"""Twenty-eight ways in which a trace can be broken, each with its own function, message and remedy.

Rules of this module:

- A rule is a pure function from the graph to the places where it is broken; the table ``RULES`` is what the
  command runs and what ``docs/reference/trace-rules.md`` lists.
- Each rule has a seeded fault in ``tests/traceability`` that it alone reports.
- What judges outcomes stays silent where no results are given: T07, T08, T13, T16, T19, T20, T24, T26, half of T22.
"""

from __future__ import annotations

from radiomicnet_md_traceability import rules_items as items
from radiomicnet_md_traceability import rules_results as results
from radiomicnet_md_traceability import rules_risk as risk
from radiomicnet_md_traceability import rules_soup as soup
from radiomicnet_md_traceability.findings import Finding, Rule
from radiomicnet_md_traceability.graph import Graph


def run(graph: Graph) -> tuple[Finding, ...]:
    """All findings, in the order of the rules."""
    return tuple(
        Finding(rule.id, where, message, rule.remedy) for rule in RULES for where, message in rule.broken(graph)
    )


_MAKE_DOCS = "run `python -m radiomicnet_md_traceability docs`"

RULES = (
    Rule("T01", "every item is valid against its JSON Schema", "correct the item's fields", items.schema),
    Rule("T02", "an id is used once", "give one of the two items a new id; ids are never reused", items.duplicate),
    Rule(
        "T03", "every link and every mark ends at an item", "correct the id or write the missing item", items.dangling
    ),
    Rule(
        "T04",
        "every requirement has a parent, every test a requirement",
        "name what stands above; mark a test with literal ids",
        items.orphan,
    ),
    Rule(
        "T05",
        "every need and system requirement has a child",
        "write the requirement below, or drop it",
        items.childless,
    ),
    Rule(
        "T06",
        "every software requirement has a test at its level",
        'mark a test with @pytest.mark.verifies("SRS-…")',
        items.untested,
    ),
    Rule(
        "T07",
        "every test ran and none failed",
        "mend the cause, or bring what is absent (a program, RADIOMICNET_MD_DATA), then run `make test`",
        results.not_passed,
    ),
    Rule("T08", "results are of this source, these items, packages and weights", "run `make test`", results.stale),
    Rule("T09", "a reviewed link is as it was reviewed", "have both ends reviewed again", items.suspect),
    Rule("T10", 'a requirement has one "shall" and no vague word', "split it, or say what is measured", items.wording),
    Rule("T11", "every hazard has a control and a rated residual risk", "add what is missing", risk.uncontrolled),
    Rule(
        "T12",
        "a control has a requirement, code and a test, and links stand on both sides",
        "name what carries it out, on both sides",
        risk.hollow,
    ),
    Rule(
        "T13",
        "no control can be broken unnoticed",
        "write the test that turns red, then run `trace mutate`",
        risk.survived,
    ),
    Rule(
        "T14",
        "a control is attacked by a test of its own",
        'mark the test that breaks it with rc=("RC-…",)',
        risk.same_tests,
    ),
    Rule(
        "T15",
        "SOUP items, dependencies, lock file and environment agree",
        "run `make setup`, or review the new version and change item and lock",
        soup.unequal,
    ),
    Rule(
        "T16",
        "anomalies were reviewed in the last 90 days, vulnerabilities in the last 30",
        "review them again and write the day",
        soup.outdated,
    ),
    Rule("T17", "an anomaly that stays has its risk rated", "name the hazards and say why it may stay", risk.unrated),
    Rule(
        "T18",
        "every clause has evidence or somebody who supplies it",
        "link the items or pages, or say what the manufacturer supplies",
        items.clause,
    ),
    Rule(
        "T19",
        "results name their surroundings, and verdicts follow from them",
        "commit, then run `make test`; record what is measured with the fixture `evidence`",
        results.incomplete,
    ),
    Rule("T20", "a listed platform was tested", "run the tests there, or no longer list it", results.platform),
    Rule(
        "T21",
        "the instructions for use say what labelling demands, and define each measure they name",
        "write it in docs/regulatory/ifu.md",
        items.labelling,
    ),
    Rule(
        "T22",
        "acceptance was fixed beforehand and is met by enough cases",
        "restore the object; judge again with enough cases",
        results.acceptance_objects,
    ),
    Rule("T23", "a design's code is there and all code has a design", "name the module in a design item", items.design),
    Rule(
        "T24",
        "a test that is skipped or expected to fail has a deviation",
        "remove the skip, or write the deviation",
        results.deviated,
    ),
    Rule("T25", "generated pages are what the items say", _MAKE_DOCS, soup.drifted),
    Rule(
        "T26",
        "an independent tool comes to the same trace",
        "run lobster-report again; find out which of the two is wrong",
        results.second_opinion,
    ),
    Rule("T27", "nobody reviews what they wrote", "have somebody else review it", items.self_approved),
    Rule(
        "T28", "a review is signed with a key that was valid", "have it signed again with a valid key", items.unsigned
    ),
)

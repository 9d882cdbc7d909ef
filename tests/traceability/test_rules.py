# SPDX-License-Identifier: Apache-2.0
"""For each rule a seeded fault that it alone reports; a rule that cannot turn red is no rule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from radiomicnet_md_traceability import command, graph, rules, soup
from tests.traceability.faults import (
    BAD_ACTUAL,
    FAULTS,
    NODEID,
    SOUP,
    accepted,
    lobster,
    mutated,
    passed,
    review,
    vulnerabilities,
)  # fmt: skip

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-001")


def found(tree: Tree) -> set[str]:
    return {finding.rule for finding in rules.run(graph.build(tree.root))}


def test_the_clean_tree_has_no_finding(tree: Tree) -> None:
    assert rules.run(graph.build(tree.root)) == ()


@pytest.mark.verifies("SRS-TRC-002", "SRS-TRC-003")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_reported_by_its_rule(tree: Tree, fault: str) -> None:
    expected, seed = FAULTS[fault]
    seed(tree)
    assert found(tree) == {expected}


def test_every_rule_has_a_fault_that_turns_it_red() -> None:
    assert {expected for expected, _ in FAULTS.values()} == {f"T{number:02}" for number in range(1, 29)}
    assert [rule.id for rule in rules.RULES] == [f"T{number:02}" for number in range(1, 29)]


@pytest.mark.verifies("SRS-TRC-003", rc=("RC-024",))
def test_a_review_of_anomalies_is_old_after_90_days(tree: Tree) -> None:
    for reviewed, expected in (("2026-08-25", set()), ("2026-08-24", {"T16"})):  # the tests ran on 2026-11-23
        tree.item(SOUP, lambda item, day=reviewed: item["anomalies"].update(reviewed=day))
        command.write_pages(tree.root)
        assert found(tree) == expected


def test_what_is_in_order_has_no_finding(tree: Tree) -> None:
    review(tree)
    accepted(tree)
    lobster(tree, "SRS-ABC-001")
    vulnerabilities(tree)
    mutated(tree)
    passed(tree, actual=[{**BAD_ACTUAL, "value": 1}])
    assert rules.run(graph.build(tree.root)) == ()


@pytest.mark.verifies("SRS-TRC-003")
@pytest.mark.verifies("SRS-TRC-003", rc=("RC-024",))
def test_a_version_that_is_not_installed_is_reported(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soup, "installed", lambda _: None)
    assert found(tree) == {"T15"}


@pytest.mark.verifies("SRS-TRC-003")
def test_a_training_tool_may_be_absent_but_not_of_another_version(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.item(SOUP, lambda item: item.update(scope="training"))
    command.write_pages(tree.root)
    monkeypatch.setattr(soup, "installed", lambda _: None)
    assert found(tree) == set()
    monkeypatch.setattr(soup, "installed", lambda _: "0.1")
    assert found(tree) == {"T15"}


def test_an_absent_part_is_tolerated_only_beside_a_passing_test(tree: Tree) -> None:
    tree.outcomes((NODEID, "skipped", "absent: data"))
    assert found(tree) == set()
    tree.outcomes((NODEID, "skipped", "not today"))
    assert found(tree) == {"T24"}


def test_a_deviation_excuses_the_skip_that_it_names(tree: Tree) -> None:
    tree.outcomes((NODEID, "skipped", "not today"))
    deviation = {
        "id": "DEV-001",
        "title": "Not today",
        "tests": [NODEID],
        "rationale": "It is Monday today.",
        "hazards": [],
    }
    tree.write("traceability/risks/deviations.yaml", yaml.safe_dump(deviation))
    assert found(tree) == set()
    deviation["tests"] = ["tests/test_part.py::test_gone"]
    tree.write("traceability/risks/deviations.yaml", yaml.safe_dump(deviation))
    assert found(tree) == {"T03", "T24"}


def test_a_test_of_the_repository_needs_a_requirement_too(tree: Tree) -> None:
    tree.write("tests/house/test_source.py", "def test_lines(): pass\n")
    tree.outcomes((NODEID, "passed", ""), ("tests/house/test_source.py::test_lines", "passed", ""))
    assert found(tree) == {"T04"}


def test_without_results_the_structure_alone_is_judged(tree: Tree) -> None:
    tree.outcomes((NODEID, "failed", "assert 0"))
    assert rules.run(graph.build(tree.root, structure=True)) == ()
    (tree.root / ".results" / "latest.jsonl").unlink()
    assert found(tree) == set()


@pytest.mark.verifies("SRS-TRC-001", rc=("RC-024",))
def test_check_prints_a_json_line_a_finding_and_ends_with_3(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(tree.root, json=True) == 0
    tree.outcomes((NODEID, "failed", "assert 0"))
    capsys.readouterr()
    assert command.check(tree.root, json=True) == 3
    *findings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(finding["rule"], finding["where"]) for finding in findings] == [("T07", NODEID)]
    assert (summary["ok"], summary["findings"], summary["requirements"]) == (False, 1, 1)


def test_check_says_where_what_and_what_to_do(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("SOUP.md", "all is well\n")
    assert command.check(tree.root) == 3
    out = capsys.readouterr().out
    assert "T25" in out
    assert "SOUP.md: is not what" in out
    assert "-> run `python -m radiomicnet_md_traceability docs`" in out

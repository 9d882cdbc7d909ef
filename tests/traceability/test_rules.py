# SPDX-License-Identifier: Apache-2.0
"""For each rule a seeded fault that it alone reports; a rule that cannot turn red is no rule."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_traceability import command, graph, rules, soup

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-001")

NODEID = "tests/test_part.py::test_holds"
HEAD = "import pytest\n\n"
GOOD = '@pytest.mark.verifies("SRS-ABC-001")\ndef test_holds():\n    assert True\n'
NEED, SYSTEM, SOFTWARE = "requirements/need.yaml", "requirements/system.yaml", "requirements/software.yaml"
HAZARD, CONTROL, SOUP = "risks/hazards.yaml", "risks/controls.yaml", "soup/pyyaml.yaml"


def _unused_need(tree: Tree) -> None:
    tree.write(
        "traceability/requirements/more.yaml",
        "id: UN-ABC-002\ntitle: Alone\ntext: Nobody answers this.\nrationale: It was forgotten.\n",
    )


def _second_requirement(tree: Tree, code: str) -> None:
    text = (tree.root / "traceability" / SOFTWARE).read_text(encoding="utf-8")
    text = (
        text.replace("SRS-ABC-001", "SRS-ABC-002")
        .replace("- RC-001", "[]")
        .replace("risk_controls:\n", "risk_controls: ")
    )
    tree.write("traceability/requirements/more.yaml", text)
    tree.write("tests/test_part.py", HEAD + GOOD + code)


def _stale_soup(tree: Tree, version: str) -> None:
    tree.item(SOUP, lambda item: item.update(version=version))
    command.write_soup(tree.root)


def _relock(tree: Tree, lock: str) -> None:
    tree.write("requirements/lock-py311.txt", lock)
    command.write_soup(tree.root)


FAULTS: dict[str, tuple[set[str], Callable[[Tree], object]]] = {
    "unknown field": ({"T01"}, lambda tree: tree.item(NEED, lambda item: item.update(colour="red"))),
    "wrong type": ({"T01"}, lambda tree: tree.item(HAZARD, lambda item: item["initial"].update(severity="high"))),
    "item in the wrong folder": ({"T01"}, lambda tree: tree.write("traceability/soup/x.yaml", "id: UN-ABC-009\n")),
    "no YAML": ({"T01"}, lambda tree: tree.write("traceability/risks/x.yaml", "a: [\n")),
    "object tag": (
        {"T01"},
        lambda tree: tree.write("traceability/risks/x.yaml", "!!python/object/apply:os.getcwd []\n"),
    ),
    "id used twice": (
        {"T02"},
        lambda tree: tree.write(
            "traceability/requirements/zz.yaml", (tree.root / "traceability" / NEED).read_text(encoding="utf-8")
        ),
    ),
    "dangling link": ({"T03"}, lambda tree: tree.item(SYSTEM, lambda item: item["parents"].append("UN-ABC-404"))),
    "orphan requirement": ({"T04", "T05"}, lambda tree: tree.item(SOFTWARE, lambda item: item.update(parents=[]))),
    "childless need": ({"T05"}, _unused_need),
    "untested requirement": ({"T06"}, lambda tree: _second_requirement(tree, "")),
    "unknown id in a mark": (
        {"T07"},
        lambda tree: tree.write("tests/test_part.py", HEAD + GOOD.replace('001")', '001", "SRS-ABC-404")')),
    ),
    "test without a mark": (
        {"T08", "T19"},
        lambda tree: tree.write("tests/test_part.py", HEAD + GOOD + "\n\ndef test_stray():\n    pass\n"),
    ),
    "mark that cannot be read": (
        {"T08", "T19"},
        lambda tree: tree.write(
            "tests/test_part.py", HEAD + GOOD + "\n\n@pytest.mark.verifies(*IDS)\ndef test_stray():\n    pass\n"
        ),
    ),
    "two shalls": (
        {"T09"},
        lambda tree: tree.item(SOFTWARE, lambda item: item.update(text="It shall do one and shall do two.")),
    ),
    "no shall": ({"T09"}, lambda tree: tree.item(SYSTEM, lambda item: item.update(text="It does something."))),
    "vague word": (
        {"T09"},
        lambda tree: tree.item(SOFTWARE, lambda item: item.update(text="The part shall be user-friendly.")),
    ),
    "hazard without control": ({"T10", "T12"}, lambda tree: tree.item(HAZARD, lambda item: item.update(controls=[]))),
    "residual risk not rated": ({"T10"}, lambda tree: tree.item(HAZARD, lambda item: item.pop("residual"))),
    "control without code": ({"T11"}, lambda tree: tree.item(CONTROL, lambda item: item.update(code=[]))),
    "control with code that is gone": (
        {"T11"},
        lambda tree: tree.write("part.py", "class Part:\n    def two(self):\n        return 1\n"),
    ),
    "control without requirement": (
        {"T11", "T12"},
        lambda tree: tree.item(CONTROL, lambda item: item.update(implements=[])),
    ),
    "control without test": ({"T06", "T11"}, lambda tree: tree.write("tests/test_part.py", HEAD)),
    "link on one side": ({"T12"}, lambda tree: tree.item(SOFTWARE, lambda item: item.update(risk_controls=[]))),
    "dependency without item": (
        {"T13"},
        lambda tree: tree.write("audit/pyproject.toml", '[project]\ndependencies = ["new-thing>=1"]\n'),
    ),
    "item without dependency": ({"T13"}, lambda tree: tree.write("pyproject.toml", "[project]\ndependencies = []\n")),
    "other version in the item": ({"T14", "T15"}, lambda tree: _stale_soup(tree, "0.1")),
    "other version in the lock": ({"T14"}, lambda tree: _relock(tree, "pyyaml==0.1\n")),
    "not in the lock": ({"T14"}, lambda tree: _relock(tree, "other==1.0\n")),
    "SOUP.md changed": ({"T16"}, lambda tree: tree.write("SOUP.md", "all is well\n")),
    "SOUP.md missing": ({"T16"}, lambda tree: (tree.root / "SOUP.md").unlink()),
    "test failed": ({"T17"}, lambda tree: tree.outcomes((NODEID, "failed", "assert 0"))),
    "test failed for one parameter": (
        {"T17"},
        lambda tree: tree.outcomes((f"{NODEID}[1]", "passed", ""), (f"{NODEID}[2]", "failed", "")),
    ),
    "test skipped": ({"T18"}, lambda tree: tree.outcomes((NODEID, "skipped", "later"))),
    "only test skipped for an absent part": (
        {"T18"},
        lambda tree: tree.outcomes((NODEID, "skipped", "absent: data")),
    ),
    "test not run": ({"T19"}, lambda tree: tree.outcomes()),
}


def found(tree: Tree) -> set[str]:
    return {finding.rule for finding in rules.run(graph.build(tree.root))}


def test_the_clean_tree_has_no_finding(tree: Tree) -> None:
    assert rules.run(graph.build(tree.root)) == ()


@pytest.mark.verifies("SRS-TRC-002", "SRS-TRC-003")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_seeded_fault_is_reported_by_its_rule(tree: Tree, fault: str) -> None:
    expected, seed = FAULTS[fault]
    seed(tree)
    assert found(tree) == expected


def test_every_rule_has_a_fault_that_turns_it_red() -> None:
    assert set().union(*(expected for expected, _ in FAULTS.values())) == {rule.id for rule in rules.RULES}


@pytest.mark.verifies("SRS-TRC-003")
def test_a_version_that_is_not_installed_is_reported(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soup, "installed", lambda _: None)
    assert found(tree) == {"T15"}


@pytest.mark.verifies("SRS-TRC-003")
def test_a_training_tool_may_be_absent_but_not_of_another_version(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tree.item(SOUP, lambda item: item.update(scope="training"))
    command.write_soup(tree.root)
    monkeypatch.setattr(soup, "installed", lambda _: None)
    assert found(tree) == set()
    monkeypatch.setattr(soup, "installed", lambda _: "0.1")
    assert found(tree) == {"T15"}


def test_an_absent_part_is_tolerated_only_beside_a_passing_test(tree: Tree) -> None:
    more = '\n\n@pytest.mark.verifies("SRS-ABC-001")\ndef test_with_data():\n    pass\n'
    tree.write("tests/test_part.py", HEAD + GOOD + more)
    other = "tests/test_part.py::test_with_data"
    tree.outcomes((NODEID, "passed", ""), (other, "skipped", "absent: data"))
    assert found(tree) == set()
    tree.outcomes((NODEID, "passed", ""), (other, "skipped", "not today"))
    assert found(tree) == {"T18"}


def test_a_test_of_the_repository_needs_a_requirement_too(tree: Tree) -> None:
    tree.write("tests/house/test_source.py", "def test_lines(): pass\n")
    tree.outcomes((NODEID, "passed", ""), ("tests/house/test_source.py::test_lines", "passed", ""))
    assert found(tree) == {"T08"}


def test_without_results_the_structure_alone_is_judged(tree: Tree) -> None:
    tree.outcomes((NODEID, "failed", "assert 0"))
    assert rules.run(graph.build(tree.root, structure=True)) == ()
    (tree.root / ".results" / "latest.jsonl").unlink()
    assert found(tree) == set()


def test_check_prints_a_json_line_a_finding_and_ends_with_3(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.check(tree.root, json=True) == 0
    tree.outcomes((NODEID, "failed", "assert 0"))
    capsys.readouterr()
    assert command.check(tree.root, json=True) == 3
    *findings, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [(finding["rule"], finding["where"]) for finding in findings] == [("T17", NODEID)]
    assert (summary["ok"], summary["findings"], summary["requirements"]) == (False, 1, 1)


def test_check_says_where_what_and_what_to_do(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.write("SOUP.md", "all is well\n")
    assert command.check(tree.root) == 3
    out = capsys.readouterr().out
    assert "T16" in out
    assert "SOUP.md: is not what" in out
    assert "-> run `python -m radiomicnet_md_traceability soup --write`" in out

# SPDX-License-Identifier: Apache-2.0
"""None of the causes for which a notified body's published letter rejected a real file can occur here unnoticed.

Each test seeds one cause in the small checkout and names the rule that fails, or the refusal of the bundle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import command, environment, evidence, graph, mutants, results, rules
from tests.traceability.faults import ATTACK, BAD_ACTUAL, HEAD, NODEID, SOFTWARE, accepted, mutated, passed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-011", rc=("RC-024",))

INSTRUCTIONS = "docs/regulatory/ifu.md"
WARNING = "# Instructions\n\nBeware of the part.\n"


def found(tree: Tree) -> set[str]:
    return {finding.rule for finding in rules.run(graph.build(tree.root))}


def test_missing_execution_artefacts(tree: Tree) -> None:
    """Requirement, test and mark are all there, and the test never ran."""
    tree.results([tree.line(ATTACK)])
    assert found(tree) == {"T07"}
    (tree.root / results.LATEST).unlink()
    with pytest.raises(ConfigurationError) as caught:
        evidence.build(graph.build(tree.root), sign.from_seed(bytes(32)))
    assert caught.value.code == "E-EVIDENCE-RESULTS"


@pytest.mark.parametrize("field", environment.MANDATORY)
def test_missing_test_environment(tree: Tree, field: str) -> None:
    tree.results([tree.line(), tree.line(ATTACK)], **{field: ""})
    assert "T19" in found(tree)


def test_results_that_do_not_match_the_criteria(tree: Tree) -> None:
    """The test is said to have passed; what it measured says otherwise, or nothing was measured at all."""
    passed(tree, actual=[BAD_ACTUAL])
    assert found(tree) == {"T19"}
    mark = '@pytest.mark.verifies("SRS-ABC-001", expected="one")\n'
    tree.write("tests/test_part.py", f"{HEAD}{mark}def test_holds(): pass\n")
    passed(tree)
    assert found(tree) == {"T19"}


def test_an_acceptance_that_was_missed_and_called_met(tree: Tree) -> None:
    accepted(tree, value=0.49)
    assert found(tree) == {"T22"}


def _attack(tree: Tree, marks: str) -> None:
    """The test that attacks the control is now one that only sees whether a port answers."""
    tree.write("tests/test_attack.py", f"{HEAD}{marks}def test_breaks():\n    assert connect().status == 200\n")
    tree.results([tree.line(), tree.line(ATTACK), tree.line("tests/test_port.py::test_answers")])
    command.write_pages(tree.root)


def _requirement_of_the_port(tree: Tree) -> None:
    text = (tree.root / "traceability" / SOFTWARE).read_text(encoding="utf-8")
    text = text.replace("SRS-ABC-001", "SRS-PRT-001").replace("risk_controls:\n- RC-001", "risk_controls: []")
    tree.write("traceability/requirements/port.yaml", text)
    mark = '@pytest.mark.verifies("SRS-PRT-001")\n'
    tree.write("tests/test_port.py", f"{HEAD}{mark}def test_answers():\n    assert connect().status == 200\n")


def test_a_control_tested_at_the_transport_layer_of_another_requirement(tree: Tree) -> None:
    _requirement_of_the_port(tree)
    _attack(tree, '@pytest.mark.verifies("SRS-PRT-001", rc=("RC-001",))\n')
    assert found(tree) == {"T14"}


def test_a_control_tested_at_another_level_than_its_requirement(tree: Tree) -> None:
    _requirement_of_the_port(tree)
    _attack(tree, '@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",), level="system")\n')
    assert found(tree) == {"T14"}


def test_a_control_whose_test_stays_green_when_it_is_switched_off(tree: Tree) -> None:
    """The test has the right requirement and level, and looks at the port all the same: only breaking shows that."""
    _requirement_of_the_port(tree)
    _attack(tree, '@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",))\n')
    assert found(tree) == set()
    mutated(tree, mutants.SURVIVED)
    assert found(tree) == {"T13"}


def test_unverified_labelling(tree: Tree) -> None:
    tree.write(INSTRUCTIONS, "# Instructions\n\nTake care.\n")
    assert found(tree) == {"T21"}


@pytest.mark.parametrize(
    ("sentence", "sound"),
    [
        ("Its Dice is 0.7 (n = 113).", False),
        ("Its **Dice** is twice the overlap over the sum of both areas; it is 0.7.", True),
        ("Sensitivity: 0.9.", False),
        ("The bound is {{lower_bound}}.", False),
        ("The bound is <LOWER BOUND>.", False),
        ("The bound is TBD.", False),
        ("The bound is 0.65.", True),
    ],
)
def test_undefined_metrics(tree: Tree, sentence: str, *, sound: bool) -> None:
    tree.write(INSTRUCTIONS, f"{WARNING}\n{sentence}\n")
    assert found(tree) == (set() if sound else {"T21"})


def test_each_cause_blocks_the_gate(tree: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.results([tree.line(NODEID, actual=[BAD_ACTUAL]), tree.line(ATTACK)])
    assert command.check(tree.root) == 3
    assert "T19" in capsys.readouterr().out


def test_the_project_defines_each_measure_of_its_instructions(root: Path) -> None:
    assert not [one for one in rules.run(graph.build(root, structure=True)) if one.rule == "T21"]

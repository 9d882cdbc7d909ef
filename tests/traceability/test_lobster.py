# SPDX-License-Identifier: Apache-2.0
"""LOBSTER, a tool of others, judges the same trace; where the two disagree, one of them is wrong.

It runs as a program of its own, from the folder that ``make judges`` fills.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_traceability import graph, lobster, rules
from tests.traceability.faults import FAULTS

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-012")


@pytest.fixture
def judged(require: Callable[[str], Path], tmp_path: Path) -> Callable[[graph.Graph], int]:
    """Judge a graph: the exit code of ``lobster-ci-report``; the report lies where T26 reads it."""
    programs = require("lobster")
    environment = {**os.environ, "PYTHONPATH": str(programs.parent)}

    def judge(seen: graph.Graph, report: Path | None = None) -> int:
        folder = tmp_path / "lobster"
        folder.mkdir(exist_ok=True)
        for name, text in lobster.render(seen).items():
            (folder / name).write_text(text, encoding="utf-8")
        out = report or seen.root / lobster.REPORT
        out.parent.mkdir(exist_ok=True)
        for words in (
            ["lobster-report", "--lobster-config=lobster.conf", f"--out={out}"],
            ["lobster-ci-report", str(out)],
        ):
            run = subprocess.run(
                [sys.executable, str(programs / words[0]), *words[1:]],
                cwd=folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            assert "Traceback" not in run.stderr, run.stderr
        return run.returncode

    return judge


def found(tree: Tree) -> set[str]:
    return {finding.rule for finding in rules.run(graph.build(tree.root))}


def test_on_the_clean_tree_both_find_nothing(tree: Tree, judged: Callable[[graph.Graph], int]) -> None:
    assert judged(graph.build(tree.root)) == 0
    assert found(tree) == set()


@pytest.mark.parametrize("gap", ["untested requirement", "unknown id in a mark"])
def test_a_gap_is_one_for_both(tree: Tree, judged: Callable[[graph.Graph], int], gap: str) -> None:
    rule, seed = FAULTS[gap]
    seed(tree)
    assert judged(graph.build(tree.root)) != 0
    assert found(tree) == {rule}  # and not T26: they agree on what is tested


def test_whoever_changes_the_trace_afterwards_disagrees_with_the_report(
    tree: Tree, judged: Callable[[graph.Graph], int]
) -> None:
    FAULTS["untested requirement"][1](tree)
    judged(graph.build(tree.root))
    mark = '\n\n@pytest.mark.verifies("SRS-ABC-002")\ndef test_two():\n    assert True\n'
    file = tree.root / "tests/test_part.py"
    file.write_text(file.read_text(encoding="utf-8") + mark, encoding="utf-8")
    assert "T26" in found(tree)


def test_on_this_project_both_find_every_requirement_tested(
    root: Path, tmp_path: Path, judged: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = graph.build(root, structure=True)
    report = tmp_path / "lobster.json"
    assert judged(seen, report) == 0
    monkeypatch.setattr(lobster, "REPORT", report)
    assert list(lobster.disagreements(seen)) == []

# SPDX-License-Identifier: Apache-2.0
"""The doors of the trace: the project's own items, the matrix, and the checkout it is asked about."""

from __future__ import annotations

import argparse
import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability import command, graph, load, matrix, results, rules, verify

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-001")


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    command.arguments(parser)
    return parser.parse_args(words)


@pytest.mark.verifies("SRS-TRC-002", "SRS-TRC-003")
def test_the_project_itself_has_no_finding(root: Path) -> None:
    assert rules.run(graph.build(root, structure=True)) == ()


def test_the_rules_are_documented_as_they_are(root: Path) -> None:
    page = (root / "docs" / "reference" / "trace-rules.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (T\d\d) \| (.+?) \| (.+?) \|$", page, flags=re.MULTILINE)
    assert rows == [(rule.id, rule.demand, rule.remedy) for rule in rules.RULES]


def test_the_formats_of_the_matrix_hold_the_same_rows(tree: Tree) -> None:
    seen = graph.build(tree.root)
    (row,) = json.loads(matrix.render(seen, "json"))
    assert row == {
        "needs": ["UN-ABC-001"],
        "system": ["SYS-ABC-001"],
        "id": "SRS-ABC-001",
        "title": "A software requirement",
        "risk_controls": ["RC-001"],
        "hazards": ["HAZ-001"],
        "tests": ["tests/test_attack.py::test_breaks", "tests/test_part.py::test_holds"],
        "outcome": "PASS",
    }
    _, cells = csv.reader(matrix.render(seen, "csv").splitlines())
    assert cells[2:] == ["SRS-ABC-001", "A software requirement", "RC-001", "HAZ-001", "2", "PASS"]
    assert f"| {' | '.join(cells)} |" in matrix.render(seen, "markdown")
    assert "".join(f"<td>{cell}</td>" for cell in cells) in matrix.render(seen, "html")


def test_the_current_checkout_is_judged(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tree.root)
    assert command.run(parse("check")) == 0
    (tree.root / "SOUP.md").unlink()
    assert command.run(parse("check", "--structure")) == 3


def test_the_matrix_is_written_to_a_file(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tree.root)
    out = tmp_path / "matrix.html"
    assert command.run(parse("matrix", "--format", "html", "--out", str(out))) == 0
    assert "SRS-ABC-001" in out.read_text(encoding="utf-8")


@pytest.mark.verifies("SRS-TRC-007")
def test_the_files_for_lobster_go_into_a_folder(tree: Tree, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tree.root)
    assert command.run(parse("matrix", "--format", "lobster", "--out", str(tmp_path / "l"))) == 0
    assert {file.name for file in (tmp_path / "l").iterdir()} == {
        "lobster.conf",
        "requirements.lobster",
        "tests.lobster",
    }
    tests = json.loads((tmp_path / "l" / "tests.lobster").read_text(encoding="utf-8"))["data"]
    assert [(test["name"], test["refs"], test["status"]) for test in tests] == [
        ("tests/test_attack.py::test_breaks", ["req SRS-ABC-001"], "ok"),
        ("tests/test_part.py::test_holds", ["req SRS-ABC-001"], "ok"),
    ]


def test_outside_a_checkout_the_reason_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "folder", lambda: tmp_path / "items")
    with pytest.raises(ConfigurationError, match="checkout") as caught:
        command.run(parse("check"))
    assert caught.value.code == "E-TRACE-ROOT"


def test_damaged_results_are_a_typed_error(tree: Tree) -> None:
    tree.write(str(results.LATEST), "no JSON\n")
    with pytest.raises(ConfigurationError) as caught:
        graph.build(tree.root)
    assert caught.value.code == "E-TRACE-RESULTS"


def test_the_trace_runs_without_the_device(root: Path) -> None:
    blocked = "import sys; sys.modules['torch'] = sys.modules['radiomicnet_md'] = None; "
    program = "import runpy; sys.argv = ['trace', '--json', 'trace', 'check', '--structure']; "
    start = "runpy.run_module('radiomicnet_md_traceability', run_name='__main__')"
    run = subprocess.run(
        [sys.executable, "-c", blocked + program + start], cwd=root, capture_output=True, text=True, check=False
    )
    assert json.loads(run.stdout.splitlines()[-1])["requirements"] >= 65, run.stderr


def test_each_code_of_the_trace_stands_on_a_page(root: Path) -> None:
    source = "".join(file.read_text(encoding="utf-8") for file in (root / "traceability").rglob("*.py"))
    page = (root / "docs" / "reference" / "exit-codes.md").read_text(encoding="utf-8")
    codes = set(re.findall(r"E-(?:TRACE|EVIDENCE)-[A-Z]+(?:-[A-Z]+)*", source))
    assert len(codes) >= 8
    assert {code for code in codes if f"`{code}`" not in page} == set()
    refusals = {int(code) for code in re.findall(r'"V(\d\d)"', Path(str(verify.__file__)).read_text(encoding="utf-8"))}
    how_to = (root / "docs" / "how-to" / "build-the-evidence.md").read_text(encoding="utf-8")
    told = [range(int(first), int(last) + 1) for first, last in re.findall(r"V(\d\d) to V(\d\d)", how_to)]
    assert {code for code in refusals if not any(code in some for some in told)} == set()

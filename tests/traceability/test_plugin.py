# SPDX-License-Identifier: Apache-2.0
"""The test plugin writes what happened, refuses ids that nobody has, and turns absence into failure on demand."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_traceability import environment, verdict

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-001")

SOURCE = """\
import pytest

pytestmark = pytest.mark.verifies("SRS-ABC-001")

@pytest.fixture
def broken():
    yield
    raise RuntimeError("torn down badly")

def test_good(): pass
def test_bad(): assert False, "so be it"
def test_later(): pytest.skip("not today")
def test_data(data): pass
def test_teardown(broken): pass
@pytest.mark.parametrize("n", [1, 2])
def test_many(n): pass
"""


def run(tree: Tree, root: Path, *words: str, require: str = "") -> subprocess.CompletedProcess[str]:
    """Run pytest in the small checkout, with the project's own plugin."""
    shutil.copy(root / "tests" / "conftest.py", tree.root / "tests" / "conftest.py")
    tree.write(
        "pytest.ini",
        "[pytest]\naddopts = -p radiomicnet_md_traceability.plugin\nmarkers =\n    verifies(*ids): requirements\n",
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RADIOMICNET_MD_")}
    environment["RADIOMICNET_MD_REQUIRE"] = require
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--trace-results=.results/new.jsonl", *words],
        cwd=tree.root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_the_results_name_every_test_with_its_worst_outcome(tree: Tree, root: Path, words: tuple[str, ...]) -> None:
    tree.write("tests/test_part.py", SOURCE)
    assert run(tree, root, *words).returncode == 1
    head, *lines = map(json.loads, (tree.root / ".results" / "new.jsonl").read_text(encoding="utf-8").splitlines())
    assert head["tests"] == len(lines) == 8  # one of them is the small checkout's own
    assert {line["nodeid"].partition("::")[2]: (line["outcome"], line["reason"]) for line in lines} == {
        "test_breaks": ("passed", ""),
        "test_bad": ("failed", "tests/test_part.py:11: AssertionError"),
        "test_data": ("skipped", "absent: data"),
        "test_good": ("passed", ""),
        "test_later": ("skipped", "not today"),
        "test_many[1]": ("passed", ""),
        "test_many[2]": ("passed", ""),
        "test_teardown": ("error", "tests/test_part.py:8: RuntimeError"),
    }
    assert {tuple(line["ids"]) for line in lines} == {("SRS-ABC-001",)}


def test_an_id_nobody_has_ends_the_collection(tree: Tree, root: Path) -> None:
    tree.write("tests/test_part.py", SOURCE.replace("SRS-ABC-001", "SRS-ABC-404"))
    finished = run(tree, root)
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert "SRS-ABC-404, but no requirement has this id" in finished.stderr
    assert not (tree.root / ".results" / "new.jsonl").exists()


def test_what_is_required_must_not_be_absent(tree: Tree, root: Path) -> None:
    tree.write("tests/test_part.py", SOURCE)
    assert "RADIOMICNET_MD_REQUIRE names data, which is not here" in run(tree, root, require="data").stdout


def test_an_interrupted_run_leaves_the_former_results(tree: Tree, root: Path) -> None:
    tree.write("tests/test_part.py", SOURCE.replace('assert False, "so be it"', "raise KeyboardInterrupt"))
    tree.write(".results/new.jsonl", "the former\n")
    assert run(tree, root).returncode == pytest.ExitCode.INTERRUPTED
    assert (tree.root / ".results" / "new.jsonl").read_text(encoding="utf-8") == "the former\n"


MEASURED = """\
import pytest

@pytest.mark.verifies("SRS-ABC-001", level="unit", objective="One is one", expected="1 at most")
def test_measures(evidence, tmp_path):
    (tmp_path / "made.txt").write_bytes(b"made")
    evidence.file(tmp_path / "made.txt")
    evidence.actual("one", {value}, "1", "<= 1")
"""


@pytest.mark.verifies("SRS-TRC-005")
@pytest.mark.parametrize("words", [(), ("-n", "2")], ids=["one process", "two workers"])
def test_what_is_measured_stands_in_the_results(tree: Tree, root: Path, words: tuple[str, ...]) -> None:
    tree.write("tests/test_part.py", MEASURED.replace("{value}", "1"))
    assert run(tree, root, *words).returncode == 0
    head, _, line = map(json.loads, (tree.root / ".results" / "new.jsonl").read_text(encoding="utf-8").splitlines())
    assert line["actual"] == [{"name": "one", "value": 1, "unit": "1", "criterion": "<= 1"}]
    assert line["files"] == [{"name": "made.txt", "bytes": 4, "sha256": hashlib.sha256(b"made").hexdigest()}]
    assert (line["level"], line["objective"], line["expected"]) == ("unit", "One is one", "1 at most")
    assert set(environment.MANDATORY) <= head.keys()
    assert head["stamps"].keys() == {"SRS-ABC-001"}


@pytest.mark.verifies("SRS-TRC-005")
def test_a_value_beyond_its_criterion_fails_the_test(tree: Tree, root: Path) -> None:
    tree.write("tests/test_part.py", MEASURED.replace("{value}", "2"))
    assert "one is 2 1, demanded is <= 1" in run(tree, root).stdout


@pytest.mark.verifies("SRS-TRC-005")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        ('rc=("RC-404",)', "RC-404, but no risk control has this id"),
        ('level="galaxy"', "a level is one of unit, integration, system"),
        ('colour="red"', "a mark knows expected, level, objective, rc, not colour"),
    ],
)
def test_a_mark_that_says_nothing_ends_the_collection(tree: Tree, root: Path, words: str, message: str) -> None:
    tree.write("tests/test_part.py", SOURCE + f'@pytest.mark.verifies("SRS-ABC-001", {words})\ndef test_x(): pass\n')
    finished = run(tree, root)
    assert finished.returncode == pytest.ExitCode.USAGE_ERROR
    assert message in finished.stderr


@pytest.mark.verifies("SRS-TRC-005")
def test_two_tests_have_two_objectives(tree: Tree, root: Path) -> None:
    mark = '@pytest.mark.verifies("SRS-ABC-001", objective="The same")\n'
    tree.write("tests/test_part.py", f"{SOURCE}{mark}def test_x(): pass\n{mark}def test_y(): pass\n")
    assert "has the objective of tests/test_part.py::test_x" in run(tree, root).stderr


@pytest.mark.verifies("SRS-TRC-005")
@pytest.mark.parametrize(
    ("value", "criterion", "holds"),
    [
        (1, "<= 1", True), (1.1, "<= 1", False), (2, "> 1", True), (1, "> 1", False), (3, "== 3", True),
        (1e-13, "<= 1e-12", True), ("RESULT", "is RESULT", True), ("ERROR", "is RESULT", False),
        (float("nan"), "<= 1", False), (float("inf"), ">= 1", False), (True, "<= 1", False), (1, "about 1", False),
    ],
)  # fmt: skip
def test_a_verdict_follows_from_value_and_criterion(value: object, criterion: str, holds: bool) -> None:  # noqa: FBT001
    assert verdict.holds(value, criterion) is holds

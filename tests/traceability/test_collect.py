# SPDX-License-Identifier: Apache-2.0
"""What is collected from the source is what pytest would collect and Python would define."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from radiomicnet_md_traceability import collect

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-001")

SOURCE = """\
import pytest
pytestmark = [pytest.mark.slow, pytest.mark.verifies("SRS-AAA-001")]

def test_plain(): pass

@pytest.mark.verifies("SRS-AAA-002", "SRS-AAA-001")
async def test_marked(): pass

def helper(): pass

@pytest.mark.verifies("SRS-AAA-003")
class TestGroup:
    @pytest.mark.verifies("SRS-AAA-004")
    def test_inner(self): pass
    def other(self): pass

TestMachine = Machine.TestCase
"""


def test_marks_of_module_class_and_function_add_up(tree: Tree) -> None:
    tree.write("tests/deep/test_marks.py", SOURCE)
    (tree.root / "tests" / "test_part.py").unlink()
    (tree.root / "tests" / "test_attack.py").unlink()
    file = "tests/deep/test_marks.py"
    assert {test.nodeid: test.ids for test in collect.tests(tree.root)} == {
        f"{file}::TestGroup::test_inner": ("SRS-AAA-001", "SRS-AAA-003", "SRS-AAA-004"),
        f"{file}::TestMachine::runTest": ("SRS-AAA-001",),
        f"{file}::test_marked": ("SRS-AAA-001", "SRS-AAA-002"),
        f"{file}::test_plain": ("SRS-AAA-001",),
    }


def test_the_collected_tests_are_those_of_pytest(root: Path) -> None:
    ours = {test.nodeid for test in collect.tests(root) if test.nodeid.startswith("tests/traceability/")}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/traceability"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ours == {line.partition("[")[0] for line in run.stdout.splitlines() if "::" in line}


@pytest.mark.parametrize(
    ("symbol", "exists"),
    [
        ("part:Part", True),
        ("part:Part.one", True),
        ("part:Part.two", False),
        ("part:LIMIT", True),
        ("part:TYPED", True),
        ("part:missing", False),
        ("nowhere:Part", False),
        ("part:LIMIT.one", False),
    ],
)
def test_symbols_are_found_in_the_source(tree: Tree, symbol: str, exists: bool) -> None:  # noqa: FBT001
    tree.write("audit/part.py", "class Part:\n    def one(self): pass\nLIMIT = 1\nTYPED: int = 2\n")
    (tree.root / "part.py").unlink()
    assert collect.symbol_exists(tree.root, symbol) is exists

# SPDX-License-Identifier: Apache-2.0
"""Mutants are the edits that are meant, a fork judges them, and what is said of survivors is about code still there."""

from __future__ import annotations

import ast
import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.audit import evidence_page
from tests.mutation import __main__ as campaign
from tests.mutation import operators, survivors
from tests.mutation.__main__ import PAGE
from tests.mutation.groups import GROUPS
from tests.mutation.judging import Outcome

pytestmark = pytest.mark.verifies("SRS-TRC-016")

# A statement of a function, and what stands in its place in one mutant each.
EDITS = {
    "return a + 1": ["return a - 1", "return a + 2"],
    "return a <= b": ["return a < b"],
    "return a not in b": ["return a in b"],
    "return -a": ["return a"],
    "return not a": ["return a"],
    "return a and (b)": ["return a or (b)", "return (b)", "return a"],
    "return a if b else 'x'": ["return a", "return 'x'", "return a if b else 'XXxXX'", "return a if b else 'X'"],
    "return f(a, k=b)": ["return f(None, k=b)", "return f(k=b)", "return f(a, k=None)", "return f(a, )"],
    "return f(x for x in a if x)": ["return f(None)", "return f(x for x in a if True)"],
    "return a.find(b)": ["return a.rfind(b)", "return a.find(None)"],
    "a = b": ["a = None"],
    "a = None": ['a = ""'],
    "a += b": ["a -= b", "a = b"],
    "f(a)": ["pass", "f(None)"],
    "yield a": ["yield from ()"],
    "if a: f(b)": ["if a: pass", "if a: f(None)"],
    "if a: return b": ["if False: return b"],
    "while a: break": ["while False: break", "while a: return"],
    'raise E("E-X", "a sentence of words")': [
        "pass",
        *(f'raise E({code}"a sentence of words")' for code in ("None, ", "", '"XXE-XXX", ', '"e-x", ')),
    ],
    "return lambda: a": ["return lambda: None"],
    "return len(a)": [],
    'return f"{a + 1}"': [],
}


@pytest.mark.parametrize("statement", EDITS)
def test_each_operator_makes_the_mutants_that_it_says(statement: str) -> None:
    source = f"def function(a, b=1, c: int = 2):\n    '''A text.'''\n    {statement}\n"
    made, sentences = operators.mutants(source)
    assert sorted(one.change for one in made) == sorted(f"{statement} → {other}" for other in EDITS[statement])
    assert {one.function for one in made} <= {"function"}
    assert (sentences > 0) == ("sentence" in statement)


def test_cases_and_lambdas_of_tables_are_changed_too() -> None:
    source = (
        "class A:\n    @property\n    def p(self):\n        match self.x:\n            case int(n) if n:\n"
        "                return n\n            case [a, *rest]:\n                return rest\n"
        "            case str():\n                return ()\nT = [lambda x: x.y, 3]\n"
    )
    made = {one.change: one.function for one in operators.mutants(source)[0]}
    assert made == {
        "case int(n) if n: → case _ if False:": "A.p",
        "case int(n) if n: → case int(n) if True:": "A.p",
        "case int(n) if n: → case n if n:": "A.p",
        "case [a, *rest]: → case _ if False:": "A.p",
        "case [a, *rest]: → case [*rest]:": "A.p",
        "case str(): → case _ if False:": "A.p",
        "case str(): → case object():": "A.p",
        "T = [lambda x: x.y, 3] → T = [lambda x: None, 3]": "T",
    }


TOY = """
def above(a, b):
    if a < 0:
        raise ValueError
    while b > 9:
        b -= 9
    return a > b

def untouched(a):
    return a + 1
"""
TOY_TESTS = """
import pytest
from toy import above

def test_above():
    assert above(2, 1)
    assert not above(1, 2)
    assert above(3, 11)

def test_below():
    with pytest.raises(ValueError):
        above(-1, 1)
"""
JUDGE = """
import dataclasses, json, sys, pytest
from tests.mutation import judging, operators
sys.path.insert(0, sys.argv[1])
file = sys.argv[1] + "/toy.py"
campaign = judging.Campaign(file, operators.mutants(open(file).read())[0])
words = ["-q", "--no-header", "-p", "no:cacheprovider", "-c", sys.argv[1] + "/pytest.ini", sys.argv[1]]
code = pytest.main(words, plugins=[campaign])
print(json.dumps([int(code), dataclasses.asdict(campaign.outcome)]))
"""


def judged(folder: Path, root: Path) -> tuple[int, dict[str, object]]:
    (folder / "pytest.ini").write_text("[pytest]\n")
    run = subprocess.run(
        [sys.executable, "-c", JUDGE, str(folder)], cwd=root, capture_output=True, text=True, check=False
    )
    code, outcome = json.loads(run.stdout.splitlines()[-1])
    return code, outcome


def test_a_fork_judges_each_mutant(tmp_path: Path, root: Path) -> None:
    """`untouched` is reached by no test; the edges of `above` stay open, and a loop without end is late."""
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(TOY_TESTS)
    code, outcome = judged(tmp_path, root)
    assert code == 0
    assert {tuple(one) for one in outcome["survivors"]} == {  # type: ignore[attr-defined]
        ("above", "if a < 0: → if a <= 0:"),
        ("above", "if a < 0: → if a < 1:"),
        ("above", "while b > 9: → while b >= 9:"),
        ("above", "while b > 9: → while b > 10:"),
        ("above", "b -= 9 → b -= 10"),
        ("above", "return a > b → return a >= b"),
        ("untouched", "return a + 1 → return a - 1"),
        ("untouched", "return a + 1 → return a + 2"),
    }
    assert outcome["late"] == 1, "b += 9"
    assert outcome["killed"] == 3, "no failure, no loop, b = 9"


def test_tests_that_are_red_already_judge_nothing(tmp_path: Path, root: Path) -> None:
    (tmp_path / "toy.py").write_text(TOY)
    (tmp_path / "test_toy.py").write_text(f"{TOY_TESTS}\n\ndef test_red():\n    assert above(1, 2)\n")
    code, outcome = judged(tmp_path, root)
    assert code == 2
    assert outcome["killed"] == 0


def functions(path: Path) -> dict[str, str]:
    """The lines of each function by its name, joined as a mutant's are."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    found = {}
    for outer in ast.parse(source).body:
        inside = outer.body if isinstance(outer, ast.ClassDef) else [outer]
        for one in inside:
            within = f"{outer.name}." if isinstance(outer, ast.ClassDef) else ""
            name = ast.unparse(one.targets[0]) if isinstance(one, ast.Assign) else getattr(one, "name", "")
            text = " ".join(line.strip() for line in lines[one.lineno - 1 : one.end_lineno])
            found[within + name] = f"{found.get(within + name, '')} {text}"
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_explained_is_still_there(group: str) -> None:
    for module, function, change in survivors.known(group):
        spec = importlib.util.find_spec(module)
        assert spec is not None
        source = functions(Path(str(spec.origin)))
        assert change.partition(" → ")[0] in source[function], (module, function, change)
        assert module in GROUPS[group]


@pytest.mark.parametrize("group", sorted(GROUPS.keys() - {"audit"}))  # whose table is of an earlier mutator
def test_the_page_tells_of_a_group_that_enough_was_noticed_and_the_rest_explained(group: str) -> None:
    page = PAGE.read_text("utf-8")
    assert "new text" in evidence_page.replaced(page, group, "new text")
    rows = campaign.read(campaign.block(page, group))
    assert [*rows] == [*GROUPS[group], "all"]
    for name, (mutants, killed, late, survived, explained, _) in rows.items():
        assert mutants == killed + late + survived, name
        assert survived == explained, name
    assert campaign.share(rows["all"]) >= campaign.ENOUGH
    assert campaign.table(campaign.block(page, group), group, {}, {}) == campaign.block(page, group)


def test_a_run_of_one_module_replaces_its_row_and_the_sum() -> None:
    first, second, *_ = GROUPS["metrics"]
    former = campaign.table("", "metrics", {first: Outcome(killed=8, survivors=[("f", "a → b")] * 2)}, {})
    now = Outcome(killed=5, late=1, sentences=3, survivors=[("f", "a → b")])
    both = campaign.table(former, "metrics", {second: now}, {(second, "f", "a → b"): "It is the same."})
    assert campaign.read(both) == {first: (10, 8, 0, 2, 0, 0), second: (7, 5, 1, 1, 1, 3), "all": (17, 13, 1, 3, 1, 3)}
    again = campaign.table(both, "metrics", {first: Outcome(killed=1)}, {})
    assert campaign.read(again)["all"] == (8, 6, 1, 1, 1, 3)
    assert "| all | 8 | 6 | 1 | 1 | 1 | 87.5 | 3 |" in again

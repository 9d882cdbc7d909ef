# SPDX-License-Identifier: Apache-2.0
"""A small project with three controls: a test with teeth, one without, and every way in which a kill is none."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from radiomicnet_md_audit.errors import ConfigurationError, ExitCode
from radiomicnet_md_traceability import command, graph, mutants, mutating

if TYPE_CHECKING:
    from tests.traceability.conftest import Tree

pytestmark = pytest.mark.verifies("SRS-TRC-014")

PRODUCT = """\
from radiomicnet_md_audit.errors import IntegrityError

LIMIT = 10


def sized(n):
    if n > LIMIT:
        raise IntegrityError("E-SIZE", "too large", remedy="Give less.")
    return n


def stamped(text):
    return text + " (demonstration)"


def table():
    return {"a": 1}
"""
TESTS = """\
import pytest
import device
from radiomicnet_md_audit.errors import IntegrityError


@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",))
def test_the_largest_is_taken_and_one_more_is_refused():
    assert device.sized(device.LIMIT) == 10
    with pytest.raises(IntegrityError):
        device.sized(11)


@pytest.mark.verifies("SRS-ABC-001", rc=("RC-002",))
def test_it_answers():
    device.stamped("a")


@pytest.mark.verifies("SRS-ABC-001", rc=("RC-003",))
def test_the_first_row():
    assert device.table()["a"] == 1
"""
SIZED: tuple[dict[str, Any], ...] = (
    {"return": "n"},
    {"replace": ["if n > LIMIT:", "if False:"]},
    {"replace": ["n > LIMIT", "n > LIMIT + 1"]},
    {"swallow": "IntegrityError", "give": "n"},
    {"log": "IntegrityError"},
)
TOOTHLESS: tuple[dict[str, Any], ...] = ({"return": "text"},) * 5
TABLE: tuple[dict[str, Any], ...] = (
    {"return": "{'a': 2}"},
    {"return": "{}"},  # the test crashes, and says nothing of it
    {"replace": ["no such text", ""]},
    {"return": "__import__('os')._exit(1)"},
    {"return": "{'a': 3}"},
)


def breaks(symbol: str, how: tuple[dict[str, Any], ...]) -> list[dict[str, Any]]:
    return [{"way": way, "symbol": f"device:{symbol}", **one} for way, one in zip(mutants.WAYS, how, strict=True)]


@pytest.fixture
def project(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """The small checkout with a device in it, entered."""
    file = tree.root / "traceability" / "risks" / "controls.yaml"
    control = yaml.safe_load(file.read_text(encoding="utf-8"))
    parts = {"RC-001": ("sized", SIZED), "RC-002": ("stamped", TOOTHLESS), "RC-003": ("table", TABLE)}
    file.write_text(yaml.safe_dump([{**control, "id": id_, "breaks": breaks(*part)} for id_, part in parts.items()]))
    tree.write("device.py", PRODUCT)
    (tree.root / "tests" / "test_attack.py").unlink()
    tree.write("tests/test_device.py", TESTS)
    tree.write(
        "pytest.ini",
        "[pytest]\naddopts = -p radiomicnet_md_traceability.plugin\nmarkers =\n    verifies(*ids, rc): requirements\n",
    )
    monkeypatch.chdir(tree.root)
    return tree


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    command.arguments(parser)
    return parser.parse_args(words)


def mutate(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """The exit code, and what became of each mutant by name."""
    code = command.run(parse("--json", "mutate", *words))
    return code, {line["name"]: line for line in map(json.loads, capsys.readouterr().out.splitlines())}


def fates(tree: Tree) -> dict[str, str]:
    return {fate.name: fate.fate for fate in mutants.fates(tree.root)}


def test_teeth_kill_and_whatever_is_no_kill_is_told(project: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = mutate(capsys)
    assert code == ExitCode.SOME_FAILED
    assert [found[f"RC-001:{way}"]["fate"] for way in mutants.WAYS] == ["killed"] * 5
    killer = "tests/test_device.py::test_the_largest_is_taken_and_one_more_is_refused"
    assert {found[f"RC-001:{way}"]["by"] for way in mutants.WAYS} == {killer}
    assert [found[f"RC-002:{way}"]["fate"] for way in mutants.WAYS] == ["survived"] * 5
    assert [found[f"RC-003:{way}"]["fate"] for way in mutants.WAYS] == ["killed", "error", "error", "error", "killed"]
    assert "KeyError" in found["RC-003:always_accept"]["reason"]
    assert "stands 0 times" in found["RC-003:wrong_threshold"]["reason"]
    assert "the process ended" in found["RC-003:exception_swallowed"]["reason"]
    assert fates(project) == {name: line["fate"] for name, line in found.items()}


def test_controls_that_are_all_killed_end_with_0_and_the_others_keep_their_fates(
    project: Tree, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutate(capsys, "--only", "RC-002")[0] == ExitCode.SOME_FAILED
    project.write(
        "docs/reference/risk-controls.md",
        "# Before\n<!-- mutants: begin -->\nformer rows\n<!-- mutants: end -->\nafter",
    )
    assert command.run(parse("mutate", "--only", "RC-001", "--write")) == ExitCode.OK
    out = capsys.readouterr().out
    assert "killed   RC-001:absent  tests/test_device.py::test_the_largest" in out
    assert "trace mutate: 1 controls, 5 mutants: 5 killed, 0 survived, 0 error" in out
    assert {fate for name, fate in fates(project).items() if name.startswith("RC-002")} == {"survived"}
    page = (project.root / "docs" / "reference" / "risk-controls.md").read_text(encoding="utf-8")
    assert page.startswith("# Before\n<!-- mutants: begin -->\n| Control |")
    assert "| RC-002 | absent | `device:stamped` | survived |" in page
    assert page.endswith("<!-- mutants: end -->\nafter")
    assert "| RC-001 | wrong threshold | `device:sized` | killed | `test_device.py::test_the_largest" in page
    assert "former rows" not in page


SHARED = """\
from pathlib import Path


def made(name):
    with Path(name).open("a") as file:
        file.write("x")
    return device.sized(11 if Path("broken").exists() else 10)


@pytest.fixture(scope="session")
def home():
    return made("homes")


@pytest.fixture(scope="session")
def server():
    yield made("servers")
    Path("ended").open("a").write("x")


@pytest.mark.usefixtures("server")
@pytest.mark.verifies("SRS-ABC-001", rc=("RC-001",))
def test_what_is_shared_is_whole(home):
    assert home == 10
"""


def test_what_tests_share_is_made_once_unless_it_has_an_end(project: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("tests/test_device.py", f"{TESTS}\n\n{SHARED}")
    assert mutate(capsys, "--only", "RC-001")[0] == ExitCode.OK
    made = {name: len((project.root / name).read_text()) for name in ("homes", "servers", "ended")}
    assert made["homes"] == 1
    assert made["servers"] == made["ended"] > 0
    (project.root / "broken").touch()
    _, found = mutate(capsys, "--only", "RC-001")
    assert {line["fate"] for line in found.values()} == {"error"}
    assert all("not green while nothing is broken" in line["reason"] for line in found.values())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("== 10", "== 11"), "not green while nothing is broken"),
        (lambda text: text.replace("    assert device.sized", "    pytest.skip()\n    assert device"), "no test ran"),
        (lambda text: f"import nothing_of_this_name\n{text}", "no test ran"),
        (lambda text: text.replace('rc=("RC-001",)', 'rc=("RC-002",)'), "no test ran"),
        (
            lambda text: text.replace("    assert device.sized", "    raise RuntimeError\n    assert device.sized"),
            "RuntimeError",
        ),
    ],
    ids=["red already", "skipped", "not collected", "not there", "crashes already"],
)  # fmt: skip
def test_tests_that_judge_nothing_kill_nothing(
    project: Tree, capsys: pytest.CaptureFixture[str], change: Any, reason: str  # noqa: ANN401
) -> None:  # fmt: skip
    project.write("tests/test_device.py", change(TESTS))
    code, found = mutate(capsys, "--only", "RC-001")
    assert code == ExitCode.SOME_FAILED
    assert {line["fate"] for line in found.values()} == {"error"}
    assert all(reason in line["reason"] for line in found.values())


def test_a_run_that_cannot_begin_is_told_and_writes_nothing(project: Tree, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("tests/conftest.py", "raise SystemExit(4)\n")
    with pytest.raises(ConfigurationError) as caught:
        mutate(capsys, "--only", "RC-001")
    assert caught.value.code == "E-TRACE-MUTATE"
    assert not (project.root / mutants.FILE).exists()


@pytest.mark.usefixtures("project")
def test_a_control_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(mutating.UnknownControlError) as caught:
        mutate(capsys, "--only", "RC-404")
    assert (caught.value.code, caught.value.exit_code) == ("E-TRACE-CONTROL", ExitCode.USAGE)


def test_a_page_without_a_place_for_the_table_is_left_alone(project: Tree) -> None:
    project.write("docs/reference/risk-controls.md", "# A page\n")
    with pytest.raises(ConfigurationError) as caught:
        mutating.write_page(graph.build(project.root, structure=True), [])
    assert caught.value.code == "E-TRACE-PAGE"
    assert (project.root / mutating.PAGE).read_text(encoding="utf-8") == "# A page\n"


def test_damaged_fates_are_a_typed_error(project: Tree) -> None:
    for text in ("no JSON", "[]", '{"format": 0, "controls": {}}', '{"format": 1}', '{"format": 1, "controls": []}'):
        project.write(str(mutants.FILE), text)
        with pytest.raises(ConfigurationError) as caught:
            mutants.read(project.root)
        assert caught.value.code == "E-TRACE-MUTANTS"


def test_a_second_break_of_a_way_has_a_name_of_its_own_and_one_that_cannot_be_has_none(project: Tree) -> None:
    item = graph.build(project.root, structure=True).items.by_id["RC-001"]
    first, *rest = item.values["breaks"]
    without = {"way": rest.pop()["way"], "not_applicable": "Nothing is raised there."}
    found = mutants.of(replace(item, values={**item.values, "breaks": [first, first, *rest, without]}))
    assert [mutant.name.partition(":")[2] for mutant in found] == ["absent", "absent:2", *mutants.WAYS[1:4]]


@pytest.mark.parametrize(("name", "code"), [("RC-001:absent", 1), ("RC-001:gone", pytest.ExitCode.USAGE_ERROR)])
def test_one_mutant_can_be_looked_at_by_hand(project: Tree, name: str, code: int) -> None:
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    words = ["-q", "-p", "radiomicnet_md_traceability.mutating_plugin", f"--break={name}", "tests/test_device.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=project.root, env=own, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert "DID NOT RAISE" in done.stdout or "RC-001:gone is no mutant" in done.stderr

# SPDX-License-Identifier: Apache-2.0
"""The tests of operation pass on a program that works and fail on one that does not; results are kept and believed."""

from __future__ import annotations

import inspect
import json
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import canonical, dsse, sign
from radiomicnet_md_audit.qualification import Installation
from radiomicnet_md_traceability import load
from radiomicnet_md_validation.oq import catalogue
from radiomicnet_md_validation.qualification import oq
from radiomicnet_md_validation.qualification.checks import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, About, Result
from tests.validation import standin

pytestmark = pytest.mark.verifies("SRS-QUA-005")

KEY = sign.from_seed(bytes([7]) * 32)
NOW = Installation(
    {"version": "1", "sha256": "1" * 64},
    {"sha256": "2" * 64},
    {"id": "r", "version": "1", "manifest_sha256": "3" * 64},
    {"numpy": "4" * 64},
)
# What rests on the engine or the release itself is tested with the real program alone.
REAL = {"OQ-001", "OQ-002", "OQ-004"}


def test_each_test_is_listed_once_and_names_requirements_that_exist() -> None:
    tests = catalogue.every()
    assert len(tests) >= 15
    assert len({one.id for one in tests}) == len(tests)
    assert len({one.objective for one in tests}) == len(tests)
    known = load.requirement_ids(load.folder())
    assert all(set(one.requirements) <= known and one.requirements for one in tests)
    assert all(one.expected for one in tests)


def test_no_test_is_left_out_of_the_list() -> None:
    folder = Path(inspect.getfile(catalogue)).parent
    assert {path.stem for path in folder.glob("test_*.py")} == set(catalogue.MODULES)
    for name in catalogue.MODULES:
        module = import_module(f"radiomicnet_md_validation.oq.{name}")
        found = {key for key, value in vars(module).items() if key.startswith("test_") and inspect.isfunction(value)}
        assert found == {key for key, value in vars(module).items() if catalogue.of(value) is not None}


def _run(how: str, wanted: set[str]) -> dict[str, Result]:
    """The results of these tests on a stand-in."""
    program = shlex.join([sys.executable, str(Path(standin.__file__)), how])
    skip = sorted({one.id for one in oq.protocol()} - wanted)
    return {one.id: one for one in oq._ran(skip, None, program)}


@pytest.fixture(scope="module")
def broken() -> dict[str, Result]:
    """Of a program with a fault for each of these tests."""
    return _run("broken", set(standin.FAULTS))


@pytest.fixture(scope="module")
def whole() -> dict[str, Result]:
    """Of the same program without the faults."""
    return _run("whole", set(standin.FAULTS) - REAL)


@pytest.mark.parametrize("test", sorted(standin.FAULTS))
def test_a_broken_program_fails_the_test_made_for_it(broken: Mapping[str, Result], test: str) -> None:
    found = broken[test]
    assert found.verdict == FAIL, found.actual
    assert standin.FAULTS[test] in found.actual


def test_the_same_program_without_the_faults_passes(whole: Mapping[str, Result]) -> None:
    left = {id_: (one.verdict, one.actual) for id_, one in whole.items() if one.verdict != PASS}
    assert left == {}
    assert set(whole) == set(standin.FAULTS) - REAL


class Runs:
    """Stands in for the process of the tests: each call gives what it is told to, and is counted."""

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.verdicts: dict[str, str] = {}
        self.stop_after: int | None = None

    def __call__(self, skip: list[str], database: str | None, program: str) -> Iterator[Result]:
        del database, program
        for number, about in enumerate(one for one in oq.protocol() if one.id not in skip):
            if number == self.stop_after:
                return
            self.ran.append(about.id)
            yield _result(about, self.verdicts.get(about.id, PASS))


def _result(about: About, verdict: str) -> Result:
    return Result(about.id, about.requirements, about.objective, about.expected, "seen", verdict)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Runs:
    made = Runs()
    monkeypatch.setattr(oq, "_ran", made)
    return made


@pytest.mark.verifies("SRS-QUA-006")
def test_a_second_call_goes_on_where_the_first_was_stopped(runs: Runs, tmp_path: Path) -> None:
    results = oq.kept(tmp_path, KEY, NOW, None)
    runs.stop_after = 5
    first = list(oq.run(results))
    assert [one.verdict for one in first].count(INCONCLUSIVE) == len(oq.protocol()) - 5
    runs.stop_after, before = None, list(runs.ran)
    second = list(oq.run(oq.kept(tmp_path, KEY, NOW, None)))
    assert runs.ran[5:] == [one.id for one in oq.protocol() if one.id not in before]
    assert {one.verdict for one in second} == {PASS}
    assert sorted(one.id for one in second) == [one.id for one in oq.protocol()]
    runs.ran.clear()
    assert len(list(oq.run(oq.kept(tmp_path, KEY, NOW, None)))) == len(oq.protocol())
    assert runs.ran == []


@pytest.mark.verifies("SRS-QUA-006")
@pytest.mark.parametrize("other", ["code", "environment", "release", "installed", "database", "key"])
def test_a_result_of_another_installation_is_run_again(runs: Runs, tmp_path: Path, other: str) -> None:
    list(oq.run(oq.kept(tmp_path, KEY, NOW, None)))
    runs.ran.clear()
    parts: dict[str, Any] = {
        "code": {"version": "1", "sha256": "9" * 64},
        "environment": {"sha256": "9" * 64},
        "release": {"id": "r", "version": "1", "manifest_sha256": "9" * 64},
        "installed": {"numpy": "9" * 64},
    }
    now = replace(NOW, **{other: parts[other]}) if other in parts else NOW
    key = sign.from_seed(bytes([8]) * 32) if other == "key" else KEY
    database = "postgresql+psycopg://site" if other == "database" else None
    list(oq.run(oq.kept(tmp_path, key, now, database)))
    assert len(runs.ran) == len(oq.protocol())


@pytest.mark.verifies("SRS-QUA-006")
def test_a_result_that_was_changed_by_hand_is_run_again(runs: Runs, tmp_path: Path) -> None:
    runs.verdicts = {"OQ-010": FAIL}
    results = oq.kept(tmp_path, KEY, NOW, None)
    list(oq.run(results))
    runs.ran.clear()
    path = results.folder / "OQ-010.json"
    said: Any = canonical.loads(dsse.parse_unverified(path.read_bytes()).payload)
    said["result"]["verdict"] = PASS
    forged = replace(dsse.parse_unverified(path.read_bytes()), payload=canonical.dumps(said))
    path.write_bytes(dsse.encode(forged))
    (results.folder / "OQ-011.json").write_bytes((results.folder / "OQ-012.json").read_bytes())
    (results.folder / "OQ-013.json").write_text(json.dumps({"verdict": "PASS"}))
    found = {one.id: one for one in oq.run(results)}
    assert runs.ran == ["OQ-010", "OQ-011", "OQ-013"]
    assert found["OQ-010"].verdict == FAIL


def test_what_does_not_apply_and_what_saw_nothing_are_no_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "test_here.py").write_text(
        "import pytest\n"
        "from radiomicnet_md_validation.oq.catalogue import about\n"
        "def of(number):\n"
        "    return about(f'OQ-90{number}', 'SRS-QUA-005', objective='o', expected='e')\n"
        "@of(1)\ndef test_passes(seen):\n    seen('this')\n"
        "@of(2)\ndef test_sees_nothing():\n    pass\n"
        "@of(3)\ndef test_does_not_apply(seen):\n    pytest.skip('no server is named')\n"
        "@of(4)\ndef test_fails(seen):\n    seen('that')\n    assert 1 == 2\n"
        "@pytest.fixture\ndef bad():\n    raise OSError('no home')\n"
        "@of(5)\ndef test_cannot_begin(bad):\n    pass\n"
        "@pytest.fixture\ndef late():\n    yield\n    raise OSError('left behind')\n"
        "@of(6)\ndef test_cannot_end(seen, late):\n    seen('it')\n"
        "def test_nobody_knows():\n    raise OSError\n"
        "@of(7)\ndef test_is_killed():\n    import os\n    os._exit(1)\n"
    )
    monkeypatch.setattr(oq, "_FOLDER", tmp_path)
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k nothing")  # nothing of the tester's settings has a say
    found = {one.id: one for one in oq._ran([], None, "")}
    verdicts = {id_: one.verdict for id_, one in found.items()}
    assert verdicts == {
        "OQ-901": PASS,
        "OQ-902": INCONCLUSIVE,
        "OQ-903": NOT_APPLICABLE,
        "OQ-904": FAIL,
        "OQ-905": FAIL,
        "OQ-906": FAIL,
    }
    assert found["OQ-903"].actual.endswith("no server is named")
    assert found["OQ-904"].actual.startswith("that; ")
    assert "left behind" in found["OQ-906"].actual


@pytest.mark.verifies("SRS-QUA-005", rc=("RC-040",))
def test_a_test_that_never_ended_is_inconclusive(runs: Runs, tmp_path: Path) -> None:
    runs.stop_after = 0
    found = list(oq.run(oq.kept(tmp_path, KEY, NOW, None)))
    assert {one.verdict for one in found} == {INCONCLUSIVE}
    assert len(found) == len(oq.protocol())
    assert not (tmp_path / "results").exists()

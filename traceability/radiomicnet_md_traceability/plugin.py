# SPDX-License-Identifier: Apache-2.0
"""A test says which requirement it decides, and what it found is written down with all that it rested on.

Rules of this module, a plugin of pytest:

- ``@pytest.mark.verifies("SRS-…", rc=("RC-…",), level="system", objective="…", expected="…")``: ids alone are needed.
  An id that no item has, a word that no mark knows and an objective that two tests share end the collection: a typing
  error must not look like evidence.
- The fixture ``evidence`` takes what was measured, with unit and criterion, and the files that a test leaves.
- ``--trace-results=FILE`` (given by ``make test`` and by nothing else) writes one JSON line a test. Only a run that
  came to its end replaces the file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_traceability import collect, environment, load, stamp, verdict

_WORDS = frozenset({"rc", "level", "objective", "expected"})
_LEVELS = ("unit", "integration", "system")


class Evidence:
    """What one test found; the trace check computes its verdict again from these values."""

    def __init__(self, properties: list[tuple[str, Any]]) -> None:
        """Add to ``properties`` of the test."""
        self._properties = properties

    def actual(self, name: str, value: float | str, unit: str, criterion: str) -> None:
        """Record a measured value; fail the test where it does not meet its criterion (:mod:`verdict`)."""
        self._properties.append(("actual", {"name": name, "value": value, "unit": unit, "criterion": criterion}))
        if not verdict.holds(value, criterion):
            pytest.fail(f"{name} is {value} {unit}, demanded is {criterion}", pytrace=False)

    def file(self, path: Path) -> None:
        """Record name, size and SHA-256 of a file that the test made."""
        content = path.read_bytes()
        seen = {"name": path.name, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        self._properties.append(("file", seen))


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Take what the test measures (``actual``) and makes (``file``)."""
    return Evidence(request.node.user_properties)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--trace-results``."""
    parser.addoption("--trace-results", metavar="FILE", type=Path, help="write outcomes for the trace check to FILE")


def pytest_configure(config: pytest.Config) -> None:
    """Write results where they are asked for; with xdist the workers report to one writer."""
    target: Path | None = config.getoption("trace_results")
    if target is not None and not hasattr(config, "workerinput"):
        config.pluginmanager.register(ResultWriter(target, config.rootpath), "trace-results")


def pytest_collection_modifyitems(config: pytest.Config, items: Iterable[pytest.Item]) -> None:
    """Refuse marks that name nothing."""
    known = load.requirement_ids(config.rootpath / "traceability")
    controls = load.ids(config.rootpath / "traceability" / "risks", "RC-")
    objectives: dict[str, str] = {}
    for item in items:
        marks = list(item.iter_markers("verifies"))
        ids = sorted({id_ for mark in marks for id_ in mark.args})
        attacked = sorted({id_ for mark in marks for id_ in mark.kwargs.get("rc", ())})
        for wrong, what in ((set(ids) - known, "requirement"), (set(attacked) - controls, "risk control")):
            if wrong:
                message = f"{item.nodeid} verifies {', '.join(sorted(wrong))}, but no {what} has this id"
                raise pytest.UsageError(message)
        for mark in marks:
            _check_words(item.nodeid, mark, objectives)
        item.user_properties.append(("verifies", ids))


def _check_words(nodeid: str, mark: pytest.Mark, objectives: dict[str, str]) -> None:
    unknown = mark.kwargs.keys() - _WORDS
    if unknown:
        message = f"{nodeid}: a mark knows {', '.join(sorted(_WORDS))}, not {', '.join(sorted(unknown))}"
        raise pytest.UsageError(message)
    if mark.kwargs.get("level", "unit") not in _LEVELS:
        message = f"{nodeid}: a level is one of {', '.join(_LEVELS)}"
        raise pytest.UsageError(message)
    test = nodeid.partition("[")[0]
    if "objective" in mark.kwargs and objectives.setdefault(mark.kwargs["objective"], test) != test:
        message = f"{nodeid} has the objective of {objectives[mark.kwargs['objective']]}"
        raise pytest.UsageError(message)


class ResultWriter:
    """Collects one line a test and writes them when the session ends."""

    def __init__(self, target: Path, root: Path) -> None:
        """Look at the surroundings before the first test, as they are judged."""
        self._target = target
        self._lines: dict[str, dict[str, Any]] = {}
        self._started = datetime.now(UTC)
        self._head = environment.describe(root)
        self._tests = {test.nodeid: test for test in collect.tests(root)}
        items = load.load(root / "traceability")
        self._head["stamps"] = {item.id: stamp.of(item) for item in items.of("software")}
        self._measures = {item.id: str(item.values.get("measure", "")) for item in items.of("software")}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, call and tear-down report apart; the worst of the three is the test's outcome."""
        properties = list(report.user_properties)
        known: dict[str, Any] = dict(properties)
        line = self._lines.setdefault(report.nodeid, self._line(report.nodeid, list(known.get("verifies", []))))
        line["seconds"] = round(line["seconds"] + report.duration, 3)
        line["actual"] = [value for name, value in properties if name == "actual"]
        line["files"] = [value for name, value in properties if name == "file"]
        outcome = _outcome(report)
        if outcome in {"failed", "error"} or (outcome != "passed" and line["outcome"] == "passed"):
            line["outcome"], line["reason"] = outcome, _reason(report)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        """Replace the file, unless the run was interrupted or broken: half a run is no result."""
        if exitstatus not in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}:
            return
        head = {"run": self._started.strftime("%Y-%m-%dT%H:%M:%SZ"), "tests": len(self._lines), **self._head}
        self._target.parent.mkdir(parents=True, exist_ok=True)
        beside = self._target.with_suffix(".part")
        rows = [head, *(self._lines[nodeid] for nodeid in sorted(self._lines))]
        beside.write_text("".join(json.dumps(row, sort_keys=True) + "\n" for row in rows), encoding="utf-8")
        beside.replace(self._target)

    def _line(self, nodeid: str, ids: Sequence[str]) -> dict[str, Any]:
        test = self._tests.get(nodeid.partition("[")[0], collect.BoundTest(nodeid, ()))
        return {
            "nodeid": nodeid,
            "ids": list(ids),
            "rc": list(test.controls),
            "level": test.level,
            "objective": test.objective,
            "expected": test.expected or " ".join(filter(None, (self._measures.get(id_) for id_ in ids))),
            "source_sha256": test.source_sha256,
            "outcome": "passed",
            "reason": "",
            "seconds": 0.0,
            "actual": [],
            "files": [],
        }


def _outcome(report: pytest.TestReport) -> str:
    if report.outcome == "skipped" and hasattr(report, "wasxfail"):
        return "xfailed"
    return "error" if report.outcome == "failed" and report.when != "call" else report.outcome


def _reason(report: pytest.TestReport) -> str:
    if hasattr(report, "wasxfail"):
        return str(report.wasxfail)
    if report.outcome == "skipped" and isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(report.longrepr).strip().rpartition("\n")[2][:200]

# SPDX-License-Identifier: Apache-2.0
"""Runs the tests of operation under pytest and writes each result, as it ends, as a line of JSON.

Rules of this module:

- A result goes to the file descriptor that was given, once, when everything about the test has ended.
- The verdict is FAIL when anything about the test failed, its fixtures included; NOT APPLICABLE when the test skipped
  itself and said why; INCONCLUSIVE when it ended without having seen anything.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator

import pytest

from radiomicnet_md_validation.oq import catalogue
from radiomicnet_md_validation.qualification.checks import FAIL, INCONCLUSIVE, NOT_APPLICABLE, PASS, ended

_SEEN = pytest.StashKey[list[str]]()
_WRONG = pytest.StashKey[list[tuple[str, str]]]()
_LONGEST = 2000  # characters of what was seen

Seen = Callable[[str], None]


def pytest_addoption(parser: pytest.Parser) -> None:
    """What the tests are told from outside."""
    group = parser.getgroup("operational qualification")
    group.addoption("--oq-results", type=int, default=1, help="file descriptor for the results")
    group.addoption("--oq-skip", default="", help="ids of tests that have ended before, with commas between")
    group.addoption("--oq-database", default="", help="address of an empty, prepared database on a server")
    group.addoption("--oq-program", default="", help="what to start in the place of this interpreter's program")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run what is in the catalogue and has not ended before, in the order of the ids."""
    done = set(config.getoption("--oq-skip").split(","))
    found = [(one.id, item) for item in items if (one := catalogue.of(getattr(item, "function", None))) is not None]
    items[:] = [item for id_, item in sorted(found, key=lambda pair: pair[0]) if id_ not in done]


@pytest.fixture
def seen(request: pytest.FixtureRequest) -> Seen:
    """``seen("exit code 0")`` says what was observed."""
    saw: list[str] = request.node.stash.setdefault(_SEEN, [])
    return saw.append


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Keep what failed or was skipped, and tell the result after the last phase."""
    report = yield
    wrong = item.stash.setdefault(_WRONG, [])
    if report.failed:
        wrong.append((FAIL, _reason(report)))
    elif report.skipped:
        wrong.append((NOT_APPLICABLE, str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""))
    if report.when == "teardown":
        _tell(item)
    return report


def _tell(item: pytest.Item) -> None:
    about = catalogue.of(getattr(item, "function", None))
    if about is None:
        return
    saw = item.stash.get(_SEEN, [])
    wrong = item.stash[_WRONG]
    if wrong:
        verdict = FAIL if any(verdict == FAIL for verdict, _ in wrong) else NOT_APPLICABLE
        actual = "; ".join([*saw, *(text for _, text in wrong)])
    else:
        verdict, actual = (PASS, "; ".join(saw)) if saw else (INCONCLUSIVE, "the test saw nothing")
    line = json.dumps(ended(about, verdict, actual[:_LONGEST]).document()) + "\n"
    os.write(item.config.getoption("--oq-results"), line.encode())


def _reason(report: pytest.TestReport) -> str:
    """The last line of what failed that says what."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message) if crash is not None else str(report.longrepr)
    return " ".join(text.split())

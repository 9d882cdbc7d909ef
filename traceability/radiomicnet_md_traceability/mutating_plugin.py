# SPDX-License-Identifier: Apache-2.0
"""Runs the tests that attack a control once as it is, and once for each of its mutants, each time in a forked child.

Rules of this module, a plugin of pytest that ``trace mutate`` loads (:mod:`mutating`):

- All attacking tests are collected once, in one warm process that runs none of them. A child breaks one control, runs
  the tests whose mark names it with ``rc=`` and says what became of them.
- What tests share for a whole session is made once, in that process, before anything is broken: a home's keys alone
  take longer than most tests. What has to be ended again (a server) is each child's own.
- A child kills its mutant by a test that failed in its own body: on an assertion, on an exception that did not come, or
  on a typed error of the project that should not have. Whatever else goes wrong is an error.
- Tests that are not green while nothing is broken judge nothing: every mutant of their control is then an error.
- ``--break=RC-001:absent`` breaks a control and runs the tests that pytest was asked for, to look at one by hand.
"""

from __future__ import annotations

import gc
import importlib
import inspect
import json
import os
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_traceability import breaking, load, mutants
from radiomicnet_md_traceability.mutants import Fate, Mutant

LONGEST = 300  # seconds that the tests of a control may take as it is; broken, five times as long as they took
_LEAST = 60  # and no less than these seconds
_TOGETHER = 2
_OWN = "radiomicnet_md"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer ``--break`` and ``--mutants``."""
    parser.addoption("--break", metavar="MUTANT", dest="break_", help="break this control, such as RC-001:absent")
    parser.addoption("--mutants", metavar="FOLDER", type=Path, help="judge the mutants that FOLDER/asked.json lists")


def pytest_configure(config: pytest.Config) -> None:
    """Judge mutants, or break one control, where this is asked for."""
    folder, name = config.getoption("mutants"), config.getoption("break_")
    if folder is not None:
        config.pluginmanager.register(Campaign(folder), "mutants")
    if name is not None:
        controls = load.load(config.rootpath / "traceability").of("control")
        known = {mutant.name: mutant for control in controls for mutant in mutants.of(control)}
        if name not in known:
            message = f"{name} is no mutant; there are {', '.join(known)}"
            raise pytest.UsageError(message)
        config.pluginmanager.register(_Broken(known[name]), "broken")


class _Broken:
    """Breaks one control for the whole session."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def pytest_collection_finish(self) -> None:
        breaking.apply(self._mutant.how)


class Campaign:
    """The session of ``trace mutate``: the parent forks, a child judges.

    ``folder/asked.json`` is a list of ``[name, how]``; a line of JSON a fate goes to ``folder/fates``.
    """

    def __init__(self, folder: Path) -> None:
        """Take the list of mutants."""
        asked = json.loads((folder / "asked.json").read_text(encoding="utf-8"))
        self._folder = folder
        self._mutants = [Mutant(name, how) for name, how in asked]
        self._child: _Child | None = None

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the tests that attack one of the controls."""
        wanted = {mutant.control for mutant in self._mutants}
        items[:] = [item for item in items if attacked(item) & wanted]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        """Fork; in a child, set what is to be run and let pytest run it."""
        _share(session)
        controls = dict.fromkeys(mutant.control for mutant in self._mutants)
        healthy = [Mutant(control, {}) for control in controls]
        for jobs in (healthy, self._mutants):
            running: dict[int, str] = {}
            for job in jobs:
                if len(running) == _TOGETHER:
                    self._reap(running)
                if self._spoilt(job):
                    continue
                pid = os.fork()
                if not pid:
                    self._child = _Child(job, self._folder)
                    self._child.prepare(session)
                    return None  # pytest goes on, as in any session
                running[pid] = job.name
            while running:
                self._reap(running)
            if jobs is healthy:
                self._warm()
        return True

    def _reap(self, running: dict[int, str]) -> None:
        pid, status = os.wait()
        name = running.pop(pid)
        file = self._folder / f"{name}.json"
        if not file.is_file():
            late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
            reason = "no end in time" if late else f"the process ended with status {status}"
            file.write_text(json.dumps([name, mutants.ERROR, "", reason, 0.0]), encoding="utf-8")
        if ":" in name:
            self._tell(file)

    def _spoilt(self, job: Mutant) -> bool:
        """Whether the tests of this mutant's control are not green as it is; then its fate is told."""
        if not job.how:
            return False
        healthy = Fate(*json.loads((self._folder / f"{job.control}.json").read_text(encoding="utf-8")))
        if healthy.fate == mutants.SURVIVED:
            return False
        reason = f"its tests are not green while nothing is broken: {healthy.by} {healthy.reason}"
        file = self._folder / f"{job.name}.json"
        file.write_text(json.dumps([job.name, mutants.ERROR, "", reason, 0.0]), encoding="utf-8")
        self._tell(file)
        return True

    def _tell(self, file: Path) -> None:
        with (self._folder / "fates").open("a", encoding="utf-8") as fates:
            fates.write(f"{file.read_text(encoding='utf-8')}\n")

    def _warm(self) -> None:
        """Import what the tests imported of the project while they ran, so that no child has to."""
        for file in self._folder.glob("*.seen"):
            for name in json.loads(file.read_text(encoding="utf-8"))["modules"]:
                with suppress(ImportError):
                    importlib.import_module(name)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Note, in a child, what a test came to."""
        report = yield
        if self._child is not None:
            self._child.note(item, call, report)
        return report

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End a child at once: what the parent registered for its own end is none of its business."""
        if self._child is not None:
            self._child.end()


class _Child:
    """One mutant, or one control as it is, before the tests that attack it."""

    def __init__(self, mutant: Mutant, folder: Path) -> None:
        self._mutant, self._folder = mutant, folder
        self._began = time.monotonic()
        self._fate, self._by, self._reason = mutants.ERROR, "", "no test ran"
        self._seconds: dict[str, float] = {}

    def prepare(self, session: pytest.Session) -> None:
        """Break the control and leave the tests that attack it, those first that take the least time."""
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        limit, self._session = LONGEST, session
        session.items = [item for item in session.items if self._mutant.control in attacked(item)]
        if self._mutant.how:
            seen = json.loads((self._folder / f"{self._mutant.control}.seen").read_text(encoding="utf-8"))
            session.items.sort(key=lambda item: seen["seconds"].get(item.nodeid, 0.0))
            limit = max(_LEAST, 5 * int(sum(seen["seconds"].values())))
            try:
                breaking.apply(self._mutant.how)
            except breaking.BreakError as error:
                self._reason = str(error)
                session.items = []
        signal.alarm(limit)

    def note(self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
        """Weigh one report: a kill ends the session, an error outweighs what passed."""
        self._seconds[item.nodeid] = self._seconds.get(item.nodeid, 0.0) + report.duration
        failure = None if call.excinfo is None else call.excinfo.value
        if report.failed and failure is not None:
            killed = report.when == "call" and _tells(failure)
            self._fate, self._by = mutants.KILLED if killed else mutants.ERROR, item.nodeid
            self._reason = f"{report.when}: {type(failure).__name__}: {failure}".splitlines()[0][:300]
            if killed:
                self._session.shouldstop = "killed"
        elif report.when == "call" and report.passed and not self._by:
            self._fate, self._reason = mutants.SURVIVED, ""

    def end(self) -> None:
        """Write what became of the mutant, and stop."""
        seconds = round(time.monotonic() - self._began, 2)
        line = [self._mutant.name, self._fate, self._by, self._reason, seconds]
        if not self._mutant.how:
            seen = {"modules": [name for name in sys.modules if name.startswith(_OWN)], "seconds": self._seconds}
            (self._folder / f"{self._mutant.name}.seen").write_text(json.dumps(seen), encoding="utf-8")
        (self._folder / f"{self._mutant.name}.json").write_text(json.dumps(line), encoding="utf-8")
        os._exit(0)


def _share(session: pytest.Session) -> None:
    """Make the session's fixtures that need no end; one that fails does so again, from the cache, in its tests."""
    # pytest has no public way to make a fixture before the first test that asks for it.
    session._setupstate.setup(session)  # type: ignore[arg-type]  # noqa: SLF001
    for item in session.items:
        known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # noqa: SLF001
        for name, (*_, made) in known.items():
            if made.scope != "session" or inspect.isgeneratorfunction(made.func):
                continue
            with suppress(Exception, pytest.skip.Exception, pytest.fail.Exception):
                item._request.getfixturevalue(name)  # type: ignore[attr-defined]  # noqa: SLF001
    gc.collect()
    gc.freeze()  # or the first collection of each child copies the pages of all that is here


def attacked(item: pytest.Item) -> set[str]:
    """The controls that a test's marks name."""
    return {id_ for mark in item.iter_markers("verifies") for id_ in mark.kwargs.get("rc", ())}


def _tells(failure: BaseException) -> bool:
    """Whether a test has spoken: an assertion, an exception that did not come, or one of ours that should not have."""
    if isinstance(failure, BaseExceptionGroup):
        told: Sequence[BaseException] = failure.exceptions
        return any(_tells(one) for one in told)
    return isinstance(failure, AssertionError | Problem | pytest.fail.Exception)

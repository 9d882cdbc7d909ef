# SPDX-License-Identifier: Apache-2.0
"""Runs tests against each mutant of one module, in forks of a process that has imported and collected them once.

Rules of this module, a plugin of pytest:

- A function is given the code of its changed source, so whoever holds the function holds the mutant; the checkout stays
  as it is. No test ran in the process that forks, so each mutant meets tests that have seen nothing.
- A first child runs all tests as they are: they must be green. It notes which functions each test reaches and how long
  it takes. A mutant meets the tests that reach its function, the quick ones first; what no test reaches has survived.
- Tests are quick: properties have few examples and always the same, and what takes longer than :data:`LONGEST` or asks
  for a program is left out. A mutant that only such a test would find counts as survived.
- A mutant is killed by a test that fails in any way, or by tests that do not end in time.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import signal
import sys
import threading
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, FunctionType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutation.operators import Mutant

EXAMPLES = 30
LONGEST = 1.0  # seconds of processor time of one test
CHILDREN = 2
_ROOM = 4 << 30  # bytes that a mutant may take beyond what was there
_KILLED, _BROKEN = 1, 2
_LATE = {signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL}


@dataclass
class Outcome:
    """What became of the mutants of one module; ``sentences`` were not made, ``left_out`` are tests that take long."""

    killed: int = 0
    late: int = 0
    sentences: int = 0
    survivors: list[tuple[str, str]] = field(default_factory=list)  # function, change
    left_out: list[str] = field(default_factory=list)

    @property
    def mutants(self) -> int:
        return self.killed + self.late + len(self.survivors)


class Campaign:
    """The session of one module: the parent forks, a child judges."""

    def __init__(self, file: str, mutants: Sequence[Mutant]) -> None:
        self.outcome = Outcome()
        self._file, self._mutants = file, mutants
        self._seconds: dict[str, float] = {}
        self._reached: dict[str, set[str]] = defaultdict(set)  # tests by function
        self._child = False

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items[:] = [item for item in items if "require" not in getattr(item, "fixturenames", ())]
        _few_examples(items)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool | None:
        basetemp = session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined] # one for all children
        if not self._healthy(basetemp / "seen.json"):
            return None
        holders = _holders(self._file)
        items = {item.nodeid: item for item in session.items}
        running: dict[int, Mutant] = {}
        for mutant in self._mutants:
            reaching = sorted(self._reached[mutant.codes[0][0].co_qualname], key=self._seconds.__getitem__)
            if not reaching:
                self.outcome.survivors.append((mutant.function, mutant.change))
                continue
            if len(running) == CHILDREN:
                self._reap(running)
            sys.__stdout__.flush()
            pid = os.fork()
            if not pid:
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                _limited(3 * sum(self._seconds[name] for name in reaching) + 1)
                for original, changed in mutant.codes:
                    for function in holders[original.co_qualname, original.co_firstlineno]:
                        function.__code__ = changed
                session.items, self._child = [items[name] for name in reaching], True
                return None  # pytest goes on, as in any session
            running[pid] = mutant
        while running:
            self._reap(running)
        return True

    def _healthy(self, file: Path) -> bool:
        """Let a child run all tests as they are, and read what it saw; false in that child."""
        pid = os.fork()
        if not pid:
            self._child, self._watch = True, _Watch(self._file, file)
            return False
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
            pytest.exit("the tests are not green while nothing is changed", returncode=_BROKEN)
        seen = json.loads(file.read_text("utf-8"))
        self._seconds = {name: seconds for name, (seconds, _) in seen.items()}
        self.outcome.left_out = [name for name, seconds in self._seconds.items() if seconds > LONGEST]
        for name, (seconds, functions) in seen.items():
            for function in functions if seconds <= LONGEST else ():
                self._reached[function].add(name)
        return True

    def _reap(self, running: dict[int, Mutant]) -> None:
        pid, status = os.wait()
        mutant, code = running.pop(pid), os.waitstatus_to_exitcode(status)
        if code == 0:
            self.outcome.survivors.append((mutant.function, mutant.change))
        elif -code in _LATE:
            self.outcome.late += 1
        else:
            self.outcome.killed += 1

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        if self._watching:
            self._watch.begin(nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self._child and report.failed:
            if self._watching:
                sys.__stderr__.write(f"{report.nodeid}: {report.longreprtext[-2000:]}\n")
            os._exit(_KILLED)

    def pytest_runtest_logfinish(self) -> None:
        if self._watching:
            self._watch.end()

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """End a child at once: what the parent registered for its own end is none of its business."""
        if self._watching:
            self._watch.write()
        if self._child:
            os._exit(0)

    @property
    def _watching(self) -> bool:
        return hasattr(self, "_watch")


class _Watch:
    """Which functions of a file each test reaches, and the processor time that it takes."""

    def __init__(self, file: str, out: Path) -> None:
        self._file, self._out = file, out
        self._seen: dict[str, tuple[float, list[str]]] = {}
        self._functions: set[str] = set()

    def begin(self, nodeid: str) -> None:
        self._nodeid, self._functions, self._began = nodeid, set(), _spent()
        threading.setprofile(self._called)
        sys.setprofile(self._called)

    def end(self) -> None:
        sys.setprofile(None)
        threading.setprofile(None)  # type: ignore[arg-type]
        self._seen[self._nodeid] = _spent() - self._began, sorted(self._functions)

    def write(self) -> None:
        self._out.write_text(json.dumps(self._seen), "utf-8")

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code.co_filename == self._file:
            self._functions.add(frame.f_code.co_qualname.partition(".<locals>")[0])


def _spent() -> float:
    """The processor time of this process and of the programs that it has started and seen ending, in seconds."""
    return sum(os.times()[:4])


def _holders(file: str) -> dict[tuple[str, int], list[FunctionType]]:
    """All functions of a file that anybody holds, by name and first line."""
    found = defaultdict(list)
    for one in gc.get_objects():
        if isinstance(one, FunctionType) and one.__code__.co_filename == file:
            found[one.__code__.co_qualname, one.__code__.co_firstlineno].append(one)
    return found


def _limited(seconds: float) -> None:
    """Give this process so much processor time, ten times as long by the clock, and memory with an end."""
    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + _ROOM, used + _ROOM))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(10 * (int(seconds) + 1))


def _few_examples(items: Iterable[pytest.Item]) -> None:
    for item in items:
        law: Any = getattr(item, "obj", None)
        if getattr(law, "is_hypothesis_test", False):
            law = getattr(law, "__func__", law)
            asked = law._hypothesis_internal_use_settings
            law._hypothesis_internal_use_settings = settings(
                max_examples=min(asked.max_examples, EXAMPLES),
                derandomize=True,
                database=None,
                deadline=None,
                phases=(Phase.explicit, Phase.generate),
                suppress_health_check=list(HealthCheck),
            )

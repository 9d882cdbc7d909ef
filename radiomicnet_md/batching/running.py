# SPDX-License-Identifier: Apache-2.0
"""The rows of a batch are dealt to processes, and their answers written down as they come.

Rules of this module:

- A process opens the home for itself; the log gives each its turn.
- Not more than two rows a process wait at a time, however long the batch is.
- When a process dies, the rows at hand are given out again, one at a time, so that the one that kills is known. After
  :data:`MOST_ATTEMPTS` it is refused with a record (``E-BATCH-ATTEMPTS``).
- A line is in the file before it is told.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from radiomicnet_md import io, standing
from radiomicnet_md.batching.planning import LINES, Plan, Row
from radiomicnet_md.config import Settings
from radiomicnet_md.desk import CASES_BETWEEN_TESTS, Answer, Desk, retested
from radiomicnet_md.engine.record import Reason
from radiomicnet_md.errors import ConfigurationError, ExitCode, Problem
from radiomicnet_md.opening import open_desk

MOST_ATTEMPTS = 3
_NAMES = ("record_id", "log_index", "input_sha256", "mask_sha256", "contributions_sha256")


@dataclass(frozen=True, slots=True)
class Told:
    """The answer of one row."""

    line: dict[str, Any]  # of the interface contract, with the row's number
    exit_code: ExitCode
    regions: int | None

    @property
    def row(self) -> int:
        """Its number."""
        return int(self.line["row"])

    @classmethod
    def of(cls, row: Row, answer: Answer) -> Told:
        """The answer as it is written down."""
        line = {**answer.line(), "outputs": list(answer.outputs), "flags": list(answer.flags)}
        return cls({"row": row.number, **line}, answer.exit_code, answer.regions)

    @classmethod
    def stopped(cls, row: Row, problem: Problem) -> Told:
        """What to say of a row that ended without an answer: its record could not be written, or says otherwise."""
        reason = {"code": problem.code, "text": str(problem), "remedy": problem.remedy}
        line = {"row": row.number, "status": "error", "input": row.item.shown, "reason": reason}
        return cls({**dict.fromkeys(_NAMES), **line, "outputs": [], "flags": []}, problem.exit_code, None)


@dataclass
class _Bench:
    """What one process works with."""

    desk: Desk
    plan: Plan
    reader: io.Reader = field(default_factory=io.Reader)
    decided: int = 0


_BENCH: dict[str, _Bench] = {}  # of this process; a worker has one, and its parent none


def run(plan: Plan, settings: Settings, passphrase: bytes, jobs: int, stop: threading.Event) -> Iterator[Told]:
    """Decide what is not decided yet and tell every row, the earlier ones first.

    Ends early where ``stop`` is set, with the rows at hand. Raises the :class:`Problem` that bars this device.
    """
    done = dict(_before(plan))
    yield from done.values()
    dealer = _Dealer(plan, settings, passphrase, jobs)
    with (plan.out / LINES).open("a", encoding="utf-8") as file:
        for told in dealer.deal([row for row in plan.rows if row.number not in done], stop):
            kept = {**told.line, "exit_code": told.exit_code, "regions": told.regions}
            file.write(json.dumps(kept) + "\n")
            file.flush()
            os.fsync(file.fileno())
            yield told


def _before(plan: Plan) -> Iterator[tuple[int, Told]]:
    """Rows that an earlier run of this batch has answered, and whose files are still there; the last line counts."""
    found: dict[int, Told] = {}
    try:
        lines = (plan.out / LINES).read_bytes().splitlines()
    except FileNotFoundError:
        return
    for text in lines:
        try:
            said = json.loads(text)
            code, regions = ExitCode(said.pop("exit_code")), said.pop("regions")
            told = Told({**said, "flags": list(said["flags"])}, code, regions)
            found[told.row] = told
        except (ValueError, KeyError, TypeError):
            continue  # a line that a crash cut short: its row is asked for again
    for number, told in sorted(found.items()):
        whole = told.line["status"] != "error" and all(Path(name).exists() for name in told.line["outputs"])
        if whole and number <= len(plan.rows):
            yield number, told


class _Dealer:
    """Gives rows to processes, and begins new processes where some have died."""

    def __init__(self, plan: Plan, settings: Settings, passphrase: bytes, jobs: int) -> None:
        self._jobs = jobs
        self._given = (settings, passphrase, replace(plan, rows=()))  # a process is told each row when it is its turn
        self._attempts: dict[int, int] = {}

    def deal(self, rows: Sequence[Row], stop: threading.Event) -> Iterator[Told]:
        """The answers, as they come."""
        waiting, at_hand = list(reversed(rows)), list[Row]()
        while (waiting or at_hand) and not stop.is_set():
            suspects, at_hand = at_hand, []
            for row in suspects:  # one of these was at hand when a process died
                yield from self._alone(row)
            yield from self._together(waiting, at_hand, stop)

    def _pool(self, jobs: int) -> ProcessPoolExecutor:
        spawning = multiprocessing.get_context("spawn")
        threads = max(1, (os.cpu_count() or 1) // self._jobs)
        return ProcessPoolExecutor(jobs, mp_context=spawning, initializer=_begin, initargs=(*self._given, threads))

    def _together(self, waiting: list[Row], at_hand: list[Row], stop: threading.Event) -> Iterator[Told]:
        """Answers of many processes; where one dies, ``at_hand`` has the rows that it may have been."""
        futures: dict[Future[Told], Row] = {}
        with self._pool(self._jobs) as pool:
            while (waiting and not stop.is_set()) or futures:
                while waiting and len(futures) < 2 * self._jobs and not stop.is_set():
                    row = waiting.pop()
                    try:
                        futures[pool.submit(_decide, row)] = row
                    except BrokenProcessPool:
                        waiting.append(row)
                        break
                for future in wait(futures, return_when=FIRST_COMPLETED).done:
                    row = futures.pop(future)
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        at_hand.append(row)
                if at_hand and not futures:
                    return

    def _alone(self, row: Row) -> Iterator[Told]:
        """The answer of a row in a process of its own."""
        while True:
            with self._pool(1) as pool:
                try:
                    if self._attempts.get(row.number, 0) >= MOST_ATTEMPTS:
                        yield pool.submit(_give_up, row).result()
                    else:
                        yield pool.submit(_decide, row).result()
                except BrokenProcessPool:
                    self._attempts[row.number] = self._attempts.get(row.number, 0) + 1
                    if self._attempts[row.number] > MOST_ATTEMPTS:
                        raise ConfigurationError(
                            "E-BATCH-PROCESS",
                            "The processes of this batch die before they decide anything.",
                            remedy="Look for what ends them (memory, limits of the system), then go on with --resume.",
                        ) from None
                else:
                    return


def _begin(settings: Settings, passphrase: bytes, plan: Plan, threads: int) -> None:
    """Open the home in a new process; it stays open for as long as the process lives."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    stack = ExitStack()
    _BENCH["here"] = _Bench(stack.enter_context(open_desk(settings, passphrase)), plan)


def _decide(row: Row) -> Told:
    bench = _BENCH["here"]
    if bench.decided and bench.decided % CASES_BETWEEN_TESTS == 0:
        bench.desk = retested(bench.desk)
    bench.decided += 1
    plan = bench.plan
    try:
        answer = standing.answer_request(row.item, bench.desk, plan.target(row), plan.request(row), bench.reader)
    except Problem as problem:
        return Told.stopped(row, problem)
    return Told.of(row, answer)


def _give_up(row: Row) -> Told:
    bench = _BENCH["here"]
    reason = Reason(
        "E-BATCH-ATTEMPTS",
        f"{MOST_ATTEMPTS} attempts at this case ended the process; it is not tried again.",
        "Look at the file, and at logs/errors.jsonl of the home; report it as a defect.",
    )
    return Told.of(row, standing.refuse_request(row.item, bench.desk, bench.plan.request(row), reason))

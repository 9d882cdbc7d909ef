# SPDX-License-Identifier: Apache-2.0
"""The processes of one machine, each with the home open for itself; the log gives each its turn.

Rules of this module:

- Not more than two rows a process wait at a time, however long the batch is.
- When a process dies, the rows at hand are given out again, one at a time, so that the one that kills is known. After
  :data:`MOST_ATTEMPTS` it is refused with a record (``E-BATCH-ATTEMPTS``).
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace

from radiomicnet_md.batching import deciding
from radiomicnet_md.batching.deciding import MOST_ATTEMPTS
from radiomicnet_md.batching.planning import Plan, Row
from radiomicnet_md.batching.telling import Told
from radiomicnet_md.config import Settings
from radiomicnet_md.errors import ConfigurationError


class Pool:
    """Gives rows to processes, and begins new processes where some have died."""

    def __init__(self, settings: Settings, passphrase: bytes, jobs: int) -> None:
        """``jobs`` processes that decide by these settings."""
        self._jobs = jobs
        self._given = (settings, passphrase)
        self._attempts: dict[int, int] = {}

    def deal(self, plan: Plan, rows: Sequence[Row], stop: threading.Event) -> Iterator[Told]:
        """The answers, as they come."""
        plan = replace(plan, rows=())  # a process is told each row when it is its turn
        waiting, at_hand = list(reversed(rows)), list[Row]()
        while (waiting or at_hand) and not stop.is_set():
            suspects, at_hand = at_hand, []
            for row in suspects:  # one of these was at hand when a process died
                yield from self._alone(plan, row)
            yield from self._together(plan, waiting, at_hand, stop)

    def _pool(self, jobs: int) -> ProcessPoolExecutor:
        spawning = multiprocessing.get_context("spawn")
        threads = max(1, (os.cpu_count() or 1) // self._jobs)
        return ProcessPoolExecutor(
            jobs, mp_context=spawning, initializer=deciding.begin, initargs=(*self._given, threads)
        )

    def _together(self, plan: Plan, waiting: list[Row], at_hand: list[Row], stop: threading.Event) -> Iterator[Told]:
        """Answers of many processes; where one dies, ``at_hand`` has the rows that it may have been."""
        futures: dict[Future[Told], Row] = {}
        with self._pool(self._jobs) as pool:
            while (waiting and not stop.is_set()) or futures:
                while waiting and len(futures) < 2 * self._jobs and not stop.is_set():
                    row = waiting.pop()
                    try:
                        futures[pool.submit(deciding.decide, plan, row)] = row
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

    def _alone(self, plan: Plan, row: Row) -> Iterator[Told]:
        """The answer of a row in a process of its own."""
        while True:
            with self._pool(1) as pool:
                try:
                    if self._attempts.get(row.number, 0) >= MOST_ATTEMPTS:
                        yield pool.submit(deciding.give_up, plan, row).result()
                    else:
                        yield pool.submit(deciding.decide, plan, row).result()
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

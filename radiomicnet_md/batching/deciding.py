# SPDX-License-Identifier: Apache-2.0
"""What a process that decides rows works with: one open home, for as long as the process lives.

Rules of this module:

- Its functions are called in the process that has the bench, in one thread: by a pool, or by a worker of a cluster.
- A row comes with its plan, for a worker serves one batch after another.
- What goes wrong with a row is its answer. Nothing is raised that another process could not read.
"""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.util import Finalize
from typing import Any

from radiomicnet_md import io, standing
from radiomicnet_md.batching.planning import NOTE, Plan, Row
from radiomicnet_md.batching.telling import Told
from radiomicnet_md.config import Settings
from radiomicnet_md.desk import CASES_BETWEEN_TESTS, Desk, retested
from radiomicnet_md.engine.record import Reason
from radiomicnet_md.errors import ConfigurationError, Problem
from radiomicnet_md.opening import open_desk

MOST_ATTEMPTS = 3


@dataclass
class _Bench:
    """What one process works with."""

    desk: Desk
    reader: io.Reader = field(default_factory=io.Reader)
    decided: int = 0


_BENCH: dict[str, _Bench] = {}  # of this process; one that decides has one, any other none


def begin(settings: Settings, passphrase: bytes, threads: int) -> None:
    """Open the home in a new process."""
    for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, str(threads))
    stack = ExitStack()
    _BENCH["here"] = _Bench(stack.enter_context(open_desk(settings, passphrase)))
    Finalize(None, stack.close, exitpriority=1)


def decide(plan: Plan, row: Row) -> Told:
    """The answer of a row: decided now, or what the log says that it was."""
    bench = _BENCH["here"]
    if bench.decided and bench.decided % CASES_BETWEEN_TESTS == 0:
        bench.desk = retested(bench.desk)
    bench.decided += 1
    try:
        _refuse_unshared(plan)
        answer = standing.answer_request(row.item, bench.desk, plan.target(row), plan.request(row), bench.reader)
    except Problem as problem:
        return Told.stopped(row, problem)
    return Told.of(row, answer)


def give_up(plan: Plan, row: Row) -> Told:
    """The answer of a row that has ended too many processes: refused on the record, and not looked at again."""
    reason = Reason(
        "E-BATCH-ATTEMPTS",
        f"{MOST_ATTEMPTS} attempts at this case ended the process; it is not tried again.",
        "Look at the file, and at logs/errors.jsonl of the home; report it as a defect.",
    )
    try:
        return Told.of(row, standing.refuse_request(row.item, _BENCH["here"].desk, plan.request(row), reason))
    except Problem as problem:
        return Told.stopped(row, problem)


def about() -> dict[str, Any]:
    """Who decides in this process: host, release, code and environment, as its records name them."""
    made = _BENCH["here"].desk.maker
    return {
        "host": socket.gethostname(),
        "process": os.getpid(),
        "release": made.release,
        "code": made.code,
        "environment": made.environment,
    }


def served() -> str:
    """As :func:`serving`, of the desk of this process."""
    return serving(_BENCH["here"].desk)


def serving(desk: Desk) -> str:
    """What a worker has and a row asks for: one log, one release, one program."""
    release = (desk.maker.release or {}).get("manifest_sha256", "none")
    return f"radiomicnet-md {desk.home.origin} {release[:16]} {desk.maker.code['sha256'][:16]}"


def _refuse_unshared(plan: Plan) -> None:
    """A process that does not see the batch's folder would decide, and deliver where nobody looks."""
    if not (plan.out / NOTE).is_file():
        raise ConfigurationError(
            "E-BATCH-UNSHARED",
            "The process that was given this case does not see the folder of the batch.",
            remedy="Mount the folders of images and of results at the same path on every host.",
        )

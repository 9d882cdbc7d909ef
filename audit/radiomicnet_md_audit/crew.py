# SPDX-License-Identifier: Apache-2.0
"""Lets every core of this machine look at entries, in the order in which they are taken back.

Rules of this module:

- :func:`examine` depends on its arguments alone. Parsing holds the interpreter's lock, so it runs in processes of their
  own; a thread for each of them waits. They are started by name, not forked: a program with threads may verify.
- The first entries are looked at here. A small log is done before another process could have started.
- A process is given entries and keys, and gives back what was found; of a decision it gives back what later checks
  need. It reads nothing else, writes nothing, and ends with the pipe that it reads from.
- What passes between them are plain values (``marshal``), which never run anything when they are read.
- A process that dies is a failure of the verification, never a finding about the log and never passed over.
"""

from __future__ import annotations

import marshal
import os
import signal
import struct
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import IO, Any, BinaryIO, Self, TypeAlias

from radiomicnet_md_audit.errors import BusyError
from radiomicnet_md_audit.examine import Ring, Seen, Task, Wrong, examine
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.sign import VerifyingKey
from radiomicnet_md_audit.statement import LogPart, Statement

AT_HOME = 512  # entries that are looked at here before another process is started
_MOST_PROCESSES = 8  # what feeds them reads and hashes about eight times as fast as one of them checks

_LENGTH = ">Q"
_Pair: TypeAlias = tuple[str, str]

_START = (
    "import sys; sys.path[:] = sys.argv[1:]; from radiomicnet_md_audit import crew; "
    "crew.serve(sys.stdin.buffer, sys.stdout.buffer)"
)


class Crew:
    """Looks at groups of entries; used as a context, which ends the processes that it started."""

    def __init__(self, trusted: Ring | None) -> None:
        """Hold entries against the reader's keys, where there are some (see :func:`examine`)."""
        self._trusted = trusted
        self._processes = min(_MOST_PROCESSES, _cores())
        self._given = 0
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._threads: ThreadPoolExecutor | None = None
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        """Begin; no process is started yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started; what was not looked at by then never is."""
        if self._threads is not None:
            self._threads.shutdown(cancel_futures=True)
        self._ends.close()

    def look(self, group: Sequence[Task]) -> Future[list[Seen]]:
        """Have the entries of a group looked at."""
        self._given += len(group)
        if self._given > AT_HOME and self._threads is None and self._processes > 1:
            self._start()
        if self._threads is not None:
            return self._threads.submit(self._elsewhere, group)
        done: Future[list[Seen]] = Future()
        done.set_result([examine(task, self._trusted) for task in group])
        return done

    def _start(self) -> None:
        for _ in range(self._processes):
            worker = _Worker(self._trusted)
            self._ends.callback(worker.end)
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._processes)

    def _elsewhere(self, group: Sequence[Task]) -> list[Seen]:
        worker = self._idle.get()
        try:
            return worker.look(group)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, and the keys that it knows by their number."""

    def __init__(self, trusted: Ring | None) -> None:
        self._rings: list[Ring | None] = [None]
        self._process = subprocess.Popen(  # noqa: S603 -- this interpreter, and a text of this module
            [sys.executable, "-I", "-c", _START, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._ask(_keys(trusted))

    def look(self, group: Sequence[Task]) -> list[Seen]:
        news = [ring for ring in dict.fromkeys(task.declared for task in group) if ring not in self._rings]
        self._rings += news
        rows = [
            (task.index, task.envelope, task.note, task.root, self._rings.index(task.declared), _pair(task.wrong))
            for task in group
        ]
        found = self._ask(([_keys(ring) for ring in news], rows))
        return [_seen(task, *one) for task, one in zip(group, found, strict=True)]

    def end(self) -> None:
        """Close the process's pipes, so that it comes to its end, and wait for that."""
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        self._process.wait()

    def _ask(self, question: Any) -> Any:  # noqa: ANN401 -- what `serve` writes
        try:
            _write(self._process.stdin, question)
            return _read(self._process.stdout)
        except (OSError, EOFError):
            raise BusyError(
                "E-VERIFY-PROCESS",
                "A process that checked signatures ended before its work was done; nothing is known of the rest.",
                remedy="Verify again; where it happens again, look whether the machine is short of memory.",
            ) from None


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Look at the entries that come from ``source`` until it ends; write what was found of them to ``sink``."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a user's interrupt ends this process by the end of its pipe
    trusted = _ring(_read(source))
    _write(sink, None)
    rings: list[Ring | None] = [None]
    with suppress(EOFError):
        while True:
            news, rows = _read(source)
            rings += map(_ring, news)
            _write(sink, [_found(examine(_task(row, rings), trusted)) for row in rows])


def _task(row: Any, rings: Sequence[Ring | None]) -> Task:  # noqa: ANN401 -- what `_Worker.look` makes
    index, envelope, note, root, ring, wrong = row
    return Task(index, envelope, note, [], root, rings[ring], None if wrong is None else Wrong(*wrong))


def _found(seen: Seen) -> tuple[object, ...]:
    """Return what was found as plain values; of a decision, what checks against other entries need."""
    said = seen.said
    told = None if said is None else (said.brief, said.record_id, *vars(said.log).values())
    wrongs = [[_pair(one) for one in some] for some in (seen.record, seen.checkpoint, seen.trust)]
    return told, seen.keyid, seen.fits, wrongs


def _seen(task: Task, told: Any, keyid: str | None, fits: bool, wrongs: list[list[_Pair]]) -> Seen:  # noqa: ANN401, FBT001
    """Return what `_found` says of a task."""
    said = None
    if told is not None:
        document, identity, *log = told
        said = Statement(document, document["predicateType"], document["predicate"], identity, LogPart(*log))
    return Seen(task, said, keyid, fits, *([Wrong(*one) for one in some] for some in wrongs))


def _pair(wrong: Wrong | None) -> _Pair | None:
    return None if wrong is None else (wrong.code, wrong.text)


def _keys(ring: Ring | None) -> object:
    """Return a ring's keys as plain values."""
    if ring is None:
        return None
    log = [(key.vkey(), span.start, span.stop) for key, span in ring.policy.log_keys]
    return ring.policy.origin, log, [(key.raw, span.start, span.stop) for key, span in ring.policy.engine_keys]


def _ring(keys: Any) -> Ring | None:  # noqa: ANN401 -- what `_keys` returns
    if keys is None:
        return None
    origin, log, engine = keys
    log_keys = tuple((NoteKey.from_vkey(vkey), Span(*edges)) for vkey, *edges in log)
    return Ring(Policy(origin, log_keys, tuple((VerifyingKey(raw), Span(*edges)) for raw, *edges in engine)))


def _write(pipe: IO[bytes] | None, value: Any) -> None:  # noqa: ANN401 -- whatever marshal writes
    if pipe is not None:
        data = marshal.dumps(value)
        pipe.write(struct.pack(_LENGTH, len(data)) + data)
        pipe.flush()


def _read(pipe: IO[bytes] | None) -> Any:  # noqa: ANN401 -- each end knows what the other writes
    if pipe is None or len(head := pipe.read(struct.calcsize(_LENGTH))) < struct.calcsize(_LENGTH):
        raise EOFError
    return marshal.loads(pipe.read(*struct.unpack(_LENGTH, head)))  # noqa: S302 -- of this program's own process


def _cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

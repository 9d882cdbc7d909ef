# SPDX-License-Identifier: Apache-2.0
"""A log on a PostgreSQL server whose connection is cut, whose server is killed, and whose disk fails, mid-commit.

Rules of this module:

- A proxy counts the messages between the client and the server, so that a fault happens at the same one each time.
- In the server's own process of a session, calls are counted and struck as in ``tracer``.
- After each fault the server is started where it does not run, and the log is judged by a ledger that is opened anew.
- A record whose commit was under way may be in the log or not; one that was acknowledged is.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.faults.logs import answered
from tests.audit.faults.outcome import LOST, STUCK, UNTYPED, UNVERIFIED, Outcome, spread
from tests.audit.faults.tracer import KILL
from tests.audit.postgresql import Cluster, Proxy, ServerSite

PART = "server"

_GUIDE = Path(__file__).parents[3] / "docs" / "how-to" / "log-on-postgresql.md"
_MESSAGES = 80  # more than an opening and two appends have
# Calls of the server's own process, how many of each two appends make at most, and what may happen to them.
_CALLS = {
    "pwrite64": (4, (KILL, "EIO", "ENOSPC")),
    "fdatasync": (4, (KILL, "EIO")),
    "sendto": (20, (KILL,)),
    "recvfrom": (20, (KILL,)),
}


@dataclass
class _Client:
    """A writer, what it was told, and what went wrong."""

    site: ServerSite
    acknowledged: list[str] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)

    def open_and_write(self) -> None:
        """Open the log, and write."""
        try:
            with self.site.open() as ledger:
                self.write(ledger)
        except Problem as problem:
            self._note(problem)

    def write(self, ledger: Ledger) -> None:
        """Append two records, and go on after a failure."""
        for _ in range(2):
            try:
                self.acknowledged += [receipt.record_id for receipt in self.site.append(ledger)]
            except Problem as problem:
                self._note(problem)

    def _note(self, problem: Problem) -> None:
        self.codes.append(problem.code)
        self.wrong |= answered(problem.code, problem.exit_code)


class Server:
    """A cluster with one log, and what may happen to it."""

    def __init__(self, cluster: Cluster, place: Path) -> None:
        """Make the log."""
        self.cluster = cluster
        self._site = ServerSite(place, port=cluster.port, name=cluster.database())
        with self._site.create() as ledger:
            self._site.append(ledger, 5)

    def cut(self, fault: str, message: int, act: Callable[[], None] | None, *, torn: bool) -> Outcome | None:
        """Cut a client's connection at a message, after ``act``; None where it had fewer messages."""
        proxy = Proxy(self.cluster.port)
        client = self._client(proxy.port)
        proxy.arm(message, act, torn=torn)
        with _untyped(client.wrong):
            client.open_and_write()
        struck = proxy.disarm()
        proxy.close()
        return self._judged(client, "message", fault, f"message {message}") if struck else None

    def strike(self, call: str, fault: str, number: int) -> Outcome | None:
        """Put a fault into a call of the server process that serves a client; None where it made fewer."""
        client = self._client(self.cluster.port)
        how = f"signal={fault}" if fault == KILL else f"error={fault}"
        with tempfile.NamedTemporaryFile("r", encoding="utf-8", errors="replace") as trace:
            with _untyped(client.wrong), client.site.open() as ledger:
                command = [
                    "strace",
                    "-o",
                    trace.name,
                    "-e",
                    f"trace={call}",
                    "-e",
                    f"inject={call}:{how}:when={number}",
                ]
                with subprocess.Popen([*command, "-p", self._process()], stderr=subprocess.PIPE, text=True) as tracer:
                    if tracer.stderr is None or "attached" not in (first := tracer.stderr.readline()):
                        raise RuntimeError(first)
                    client.write(ledger)
                    tracer.send_signal(signal.SIGINT)  # it lets go of a process that lives
            text = trace.read()  # also where the server was gone when the log was closed
        if "(INJECTED)" not in text and f"killed by {KILL}" not in text:
            return None
        return self._judged(client, call, fault, f"server process, call {number}")

    def _client(self, port: int) -> _Client:
        self._site.count += 100
        return _Client(ServerSite(self._site.folder, count=self._site.count, port=port, name=self._site.name))

    def _process(self) -> str:
        """The process that serves the one session of the log's database."""
        ((process,),) = self.cluster.administrate(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{self._site.name}' AND usename = 'device'"  # noqa: S608
        )
        return str(process)

    def _judged(self, client: _Client, call: str, fault: str, where: str) -> Outcome:
        self.cluster.recover()
        wrong = dict(client.wrong)
        try:
            with self._site.open() as ledger:
                held = {ledger.read(entry).record_id for entry in ledger.entries()}
                self._site.count += 100
                self._site.append(ledger)
                size = ledger.size
        except Problem as problem:
            wrong[STUCK] = problem.code
        else:
            if lost := set(client.acknowledged) - held:
                wrong[LOST] = ", ".join(sorted(lost))
            report, lines = self._site.verify(), len(self._site.anchor.read_bytes().splitlines())
            if not report.ok or report.findings or lines != size:
                wrong[UNVERIFIED] = f"{report.findings[:1]}, {lines} anchor lines of {size}"
        return Outcome(PART, "append 2", call, fault, where, wrong, tuple(client.codes))


class _untyped:  # noqa: N801 -- used like a function
    """Note an exception without a type as what is wrong."""

    def __init__(self, wrong: dict[str, str]) -> None:
        self._wrong = wrong

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: object) -> bool:
        if isinstance(error, Exception) and not isinstance(error, RuntimeError):
            self._wrong[UNTYPED] = repr(error)
            return True
        return False


def outcomes(count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Every point on a server of the campaign's own; nothing where PostgreSQL is not installed."""
    binary = max(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), default=None)
    if binary is None:
        return
    cluster = Cluster(Path(binary).parent, _GUIDE)
    with tempfile.TemporaryDirectory(prefix="faults-") as place:
        try:
            yield from points(Server(cluster, Path(place)), count, chance)
        finally:
            cluster.remove()


def points(server: Server, count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Cut, tear, kill and abort at each message; strike each call of the server's process; or some of these."""
    ways = {
        "cut": (None, False),
        "cut within": (None, True),
        "server SIGKILL": (server.cluster.kill, False),
        "server aborted": (server.cluster.abort, False),
    }

    def cut(fault: str, message: int) -> Outcome | None:
        act, torn = ways[fault]
        return server.cut(fault, message, act, torn=torn)

    every: list[Callable[[], Outcome | None]] = [
        lambda fault=fault, message=message: cut(fault, message)  # type: ignore[misc]
        for fault in ways
        for message in range(_MESSAGES)
    ]
    if shutil.which("strace"):
        every += [
            lambda call=call, fault=fault, number=number: server.strike(call, fault, number)  # type: ignore[misc]
            for call, (times, faults) in _CALLS.items()
            for fault in faults
            for number in range(1, times + 1)
        ]
    yield from (outcome for point in spread(every, count, chance) if (outcome := point()) is not None)

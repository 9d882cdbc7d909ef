# SPDX-License-Identifier: Apache-2.0
"""The processes of many machines, by Dask: a scheduler that knows who is there, and workers that were tested first.

Rules of this module:

- Whoever reaches a scheduler can have its workers run anything, with the keys of their homes. So it is spoken to in the
  clear on this machine alone, and elsewhere over TLS, where each side shows a certificate.
- A row goes to workers of this batch's log, release and program, and to no other. Dask may run it twice, when it takes
  a worker for dead that is not: the log lets one of the two end the request, and the other gives that answer out again.
- Not more than two rows a worker are given out at a time, however long the batch is.
- A row that was at hand whenever workers died is tried again with nothing beside it; one that still ends them is
  refused with a record (``E-BATCH-ATTEMPTS``).
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from distributed import Client, KilledWorker, wait
from distributed.security import Security

from radiomicnet_md.batching import deciding
from radiomicnet_md.batching.planning import Plan, Row
from radiomicnet_md.batching.telling import Told
from radiomicnet_md.config import Tls
from radiomicnet_md.errors import BusyError, ConfigurationError, UsageError

_CONNECT, _APPEAR, _ALL_GONE = 10.0, 30.0, 300.0  # seconds for the scheduler, the first worker, and another worker
GONE = (OSError, TimeoutError, asyncio.CancelledError, futures.CancelledError)  # how Dask says that nobody is there
_GLANCE = 2.0  # seconds between two looks at who is there
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_GO_ON = "Look at the scheduler and its workers, then go on with --resume."


def is_local(address: str) -> bool:
    """Whether a scheduler's address is on this machine.

    Raises :class:`UsageError` ``E-CLUSTER-ADDRESS`` for what is no address, or would be spoken to in the clear.
    """
    try:
        parts = urlsplit(address)
        local, port = parts.hostname in _LOOPBACK, parts.port
    except ValueError:
        parts, local, port = urlsplit(""), False, None
    if port is None or parts.path or not (parts.scheme == "tls" or (parts.scheme == "tcp" and local)):
        raise UsageError(
            "E-CLUSTER-ADDRESS",
            "This is no address of a scheduler, or one that would be spoken to in the clear.",
            remedy="Name it as tls://HOST:PORT; tcp://127.0.0.1:PORT is for a scheduler on this machine alone.",
        )
    return local


def security(address: str, tls: Tls | None) -> Security:
    """How to speak to this scheduler; raises as :func:`is_local`, and ``E-CLUSTER-TLS`` where files are missing."""
    is_local(address)
    if not address.startswith("tls:"):
        return Security(require_encryption=False)  # type: ignore[no-untyped-call]
    files = () if tls is None else (tls.ca_file, tls.certificate_file, tls.key_file)
    if tls is None or not all(path.is_file() for path in files):
        raise ConfigurationError(
            "E-CLUSTER-TLS",
            "There is no certificate for this cluster.",
            remedy="Name certificate_file, key_file and ca_file under cluster: in config.yaml.",
        )
    ca, certificate, key = map(str, files)
    roles = {f"tls_{role}_{part}": path for role in ("client", "worker") for part, path in _parts(certificate, key)}
    return Security(require_encryption=True, tls_ca_file=ca, **roles)  # type: ignore[no-untyped-call]


def _parts(certificate: str, key: str) -> tuple[tuple[str, str], ...]:
    return (("cert", certificate), ("key", key))


@contextmanager
def connected(address: str, tls: Tls | None, resource: str) -> Iterator[Cluster]:
    """The cluster at this address, with at least one worker that serves ``resource`` (:func:`deciding.serving`).

    Raises :class:`ConfigurationError` ``E-CLUSTER-ABSENT`` where no scheduler answers, :class:`BusyError`
    ``E-CLUSTER-WORKERS`` where nobody serves the resource.
    """
    secured = security(address, tls)
    try:
        client: Any = Client(address, security=secured, timeout=_CONNECT)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError) as error:
        raise absent() from error
    with client:
        cluster = Cluster(client, resource)
        cluster.await_workers(_APPEAR)
        yield cluster


def absent() -> ConfigurationError:
    """No scheduler answers."""
    return ConfigurationError(
        "E-CLUSTER-ABSENT",
        "No scheduler answers at this address, or it does not accept this certificate.",
        remedy="Start it (dask scheduler), and check address, port, and the certificates of both sides.",
    )


class Cluster:
    """Gives rows to the workers of one scheduler."""

    def __init__(self, client: Any, resource: str) -> None:  # noqa: ANN401 -- Dask's have no types
        """Rows go to workers with ``resource``."""
        self._client, self._resource = client, resource
        self._places, self._seen = 0, -_GLANCE

    @property
    def dashboard(self) -> str:
        """Where the scheduler shows what it does."""
        return str(self._client.dashboard_link)

    def await_workers(self, seconds: float) -> None:
        """Wait for the first that serves; ``E-CLUSTER-WORKERS`` where there is none in time."""
        end = time.monotonic() + seconds
        while not self.places():
            if time.monotonic() > end:
                others = len(self._workers())
                raise BusyError(
                    "E-CLUSTER-WORKERS",
                    f"No worker serves this log, release and program ({others} of others are connected).",
                    remedy="Start workers with this home's keys and log: radiomicnet-md worker ADDRESS",
                )
            time.sleep(_GLANCE / 4)

    def places(self) -> int:
        """How many workers serve, as of a moment ago."""
        now = time.monotonic()
        if now - self._seen >= _GLANCE or not self._places:
            workers = self._workers().values()
            self._places = sum(1 for worker in workers if self._resource in worker["resources"])
            self._seen = now
        return self._places

    def about(self) -> list[dict[str, Any]]:
        """What each worker that serves says of itself."""
        serving = [name for name, worker in self._workers().items() if self._resource in worker["resources"]]
        try:
            return list(self._client.run(deciding.about, workers=serving).values())
        except GONE as error:
            raise lost() from error

    def deal(self, plan: Plan, rows: Sequence[Row], stop: threading.Event) -> Iterator[Told]:
        """The answers, as they come.

        Raises :class:`BusyError` ``E-CLUSTER-LOST`` where the scheduler goes away, ``E-CLUSTER-WORKERS`` where all
        workers do and none comes back.
        """
        plan = replace(plan, rows=(), out=plan.out.absolute())
        there = [replace(row, item=replace(row.item, path=row.item.path.absolute())) for row in rows]
        suspects: list[Row] = []
        yield from self._together(plan, there, suspects, stop)
        for row in suspects:
            if stop.is_set():
                return
            alone: list[Row] = []
            yield from self._together(plan, [row], alone, stop)
            if alone:
                yield from self._given_up(plan, row, stop)

    def _given_up(self, plan: Plan, row: Row, stop: threading.Event) -> Iterator[Told]:
        again: list[Row] = []
        yield from self._together(plan, [row], again, stop, deciding.give_up)
        if again:
            raise ConfigurationError(
                "E-BATCH-PROCESS",
                "The processes of this batch die before they decide anything.",
                remedy="Look for what ends them (memory, limits of the system), then go on with --resume.",
            )

    def _together(
        self,
        plan: Plan,
        rows: Sequence[Row],
        suspects: list[Row],
        stop: threading.Event,
        ask: Callable[[Plan, Row], Told] = deciding.decide,
    ) -> Iterator[Told]:
        """Answers of many workers; ``suspects`` gets the rows that were at hand too often when workers died."""
        waiting, asked = list(reversed(rows)), dict[Any, Row]()  # Dask's futures have no types
        while (waiting and not stop.is_set()) or asked:
            while waiting and len(asked) < 2 * max(self.places(), 1) and not stop.is_set():
                row = waiting.pop()
                asked[self._client.submit(ask, plan, row, pure=False, resources={self._resource: 1})] = row
            for future in self._ended(asked):
                row = asked.pop(future)
                try:
                    yield future.result()
                except KilledWorker:
                    suspects.append(row)
                except GONE as error:
                    raise lost() from error

    def _ended(self, asked: Mapping[Any, Row]) -> Sequence[Any]:
        """Those of the rows that have their answers, as soon as there is one."""
        until = time.monotonic() + _ALL_GONE
        while True:
            with suppress(*GONE):
                wait(list(asked), timeout=_GLANCE, return_when="FIRST_COMPLETED")  # type: ignore[no-untyped-call]
            ended = [future for future in asked if future.done()]
            if ended:
                return ended
            if self._client.status not in ("running", "connecting"):
                raise lost()
            if self.places():
                until = time.monotonic() + _ALL_GONE
            elif time.monotonic() > until:
                self.await_workers(0)

    def _workers(self) -> dict[str, Any]:
        try:
            return dict(self._client.scheduler_info(n_workers=-1).get("workers", {}))
        except GONE as error:
            raise lost() from error


def lost() -> BusyError:
    """The scheduler has gone away."""
    return BusyError(
        "E-CLUSTER-LOST", "The connection to the scheduler was lost. What is decided is in the log.", remedy=_GO_ON
    )

# SPDX-License-Identifier: Apache-2.0
"""Processes of this machine that decide for a cluster.

Rules of this module:

- A process takes work when its home is open, its release verified and its known answers given, and not before.
- One process decides one row at a time. One that dies is begun again by its nanny, which is Dask's.
- Dask's own environment for its processes is taken back: its setting of the allocator gives memory back to the system
  after each use, and has a case take half as long again; and threads are counted out as for a pool
  (:func:`deciding.begin`).
- Where hosts share the work they share the log: a copy of a home with a log of its own would be a second history.
"""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from typing import Any

from distributed import Nanny, Worker
from distributed.core import Status

from radiomicnet_md.batching import deciding
from radiomicnet_md.batching.cluster import GONE, absent, is_local, lost, security
from radiomicnet_md.config import Settings
from radiomicnet_md.errors import ConfigurationError, Problem
from radiomicnet_md_audit.store import on_server

_GLANCE = 0.2  # seconds between two looks at whether to stop


class DecidingWorker(Worker):
    """Dask's worker around an open home: everything that touches the home happens in its one thread."""

    def __init__(self, *given: Any, settings: Settings, passphrase: bytes, threads: int, **more: Any) -> None:  # noqa: ANN401
        """Open the home; raises what bars it."""
        thread = ThreadPoolExecutor(1)
        thread.submit(deciding.begin, settings, passphrase, threads).result()
        resource = thread.submit(deciding.served).result()
        super().__init__(*given, **{**more, "nthreads": 1, "executor": thread, "resources": {resource: 1}})


def work(  # noqa: PLR0913 -- whose home, for whom, how many, until when, and who is told
    settings: Settings, passphrase: bytes, address: str, jobs: int, stop: threading.Event, ready: Callable[[], None]
) -> None:
    """Decide for the scheduler at ``address`` in ``jobs`` processes until ``stop`` is set; ``ready`` is called once.

    Raises :class:`UsageError` and :class:`ConfigurationError` for an address that cannot be used
    (``E-CLUSTER-ADDRESS``, ``-TLS``, ``-ABSENT``) or a log that others do not share (``E-CLUSTER-LOG``), and
    :class:`BusyError` ``E-CLUSTER-LOST`` when the scheduler has gone away.
    """
    if not is_local(address) and not (settings.audit_db and on_server(settings.audit_db)):
        raise ConfigurationError(
            "E-CLUSTER-LOG",
            "Workers of several hosts need one log, and this home's is a file of this host.",
            remedy="Keep the log on PostgreSQL (docs/how-to/log-on-postgresql.md) and name it with --audit-db.",
        )
    secured = security(address, settings.cluster)
    given = {
        "settings": settings,
        "passphrase": passphrase,
        "threads": max(1, (os.cpu_count() or 1) // jobs),
        "memory_limit": 0,  # the system's limits hold; Dask's would end a process in the middle of a case
        "security": secured,
        "silence_logs": logging.CRITICAL,
    }
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # its lines may name files, and files patients
    with tempfile.TemporaryDirectory(prefix="radiomicnet-md-worker-") as place:
        asyncio.run(_work(address, {**given, "local_directory": place}, jobs, stop, ready))


async def _work(
    address: str, given: dict[str, Any], jobs: int, stop: threading.Event, ready: Callable[[], None]
) -> None:
    async with AsyncExitStack() as stack:
        nannies = [Nanny(address, worker_class=DecidingWorker, **given) for _ in range(jobs)]
        for nanny in nannies:
            nanny.env, nanny.pre_spawn_env = {}, {}
        try:
            for nanny in nannies:
                await stack.enter_async_context(nanny)
        except (OSError, TimeoutError) as error:
            raise absent() from error
        except RuntimeError as error:  # Dask's word for whatever went wrong in the process that it began
            if isinstance(error.__cause__, Problem):
                raise error.__cause__ from None
            if isinstance(error.__cause__, GONE):
                raise lost() from error
            raise
        ready()
        while not stop.is_set():
            if any(nanny.status in (Status.closing, Status.closed, Status.failed) for nanny in nannies):
                raise lost()
            await asyncio.sleep(_GLANCE)

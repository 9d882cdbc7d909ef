# SPDX-License-Identifier: Apache-2.0
"""What many writers and a long log cost: eight writers on PostgreSQL, and appends to a log that is long already.

``python -P benchmarks/log_writers.py [--long N]``. Each figure has its other side in the same run: eight
processes that insert as many bytes into a bare table of the same server, and appends to a log of a thousand records.
The server is one of the tests' own, on the loopback address.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import psycopg

from benchmarks.log import ORIGIN, draft, timed
from radiomicnet_md_audit import sign
from radiomicnet_md_audit.appending import append
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.postgresql import Cluster, ServerSite

ROOT = Path(__file__).resolve().parents[1]
WRITERS, EACH = 8, 50
SHORT = 1000
SAMPLE = 300
TABLE = "CREATE TABLE bare (idx bigserial PRIMARY KEY, envelope bytea NOT NULL)"
INSERT = "INSERT INTO bare (envelope) VALUES (%s)"


def together(work: Callable[[], None]) -> float:
    """Return the seconds that all writers took, each a process, from when all of them were ready."""
    ready, go = os.pipe(), os.pipe()
    children = []
    for _ in range(WRITERS):
        child = os.fork()
        if child == 0:
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            work()
            os._exit(0)
        children.append(child)
    waited = 0
    while waited < WRITERS:
        waited += len(os.read(ready[0], WRITERS))
    start = time.perf_counter()
    os.write(go[1], b"x" * WRITERS)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise RuntimeError
    return time.perf_counter() - start


def on_server(folder: Path) -> tuple[float, float]:
    """Return records per second of eight writers: signed and logged, and the same bytes inserted bare."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), key=str)
    cluster = Cluster(binaries, ROOT / "docs" / "how-to" / "log-on-postgresql.md")
    try:
        name = cluster.database()
        site = ServerSite(folder, cosigner=sign.generate_cosigner(), port=cluster.port, name=name)
        site.create().close()
        cluster.administrate(TABLE, database="postgres")

        def log() -> None:
            with site.open() as ledger:
                for _ in range(EACH):
                    ledger.append(draft())

        def bare() -> None:
            with cluster.session("postgres", "postgres") as session:
                for _ in range(EACH):
                    session.execute(INSERT, (psycopg.Binary(os.urandom(5000)),))

        logged, inserted = together(log), together(bare)
    finally:
        cluster.remove()
    return WRITERS * EACH / logged, WRITERS * EACH / inserted


def growth(folder: Path, records: int) -> tuple[float, float]:
    """Return the median milliseconds of an append to a log of a thousand records, and to one of so many."""
    engine, log = sign.generate(), sign.generate()
    url = f"sqlite:///{folder / 'audit.db'}"
    with Ledger.create(url, ORIGIN, engine, log, None) as ledger:
        medians = []
        for size in (SHORT, records):
            while ledger.size < size:  # many in one transaction, for nobody waits for each of these
                with ledger.store.write() as transaction:
                    for _ in range(min(SHORT, size - transaction.size())):
                        keys = ledger.declared.log_keys_at(transaction.size())
                        append(transaction, draft(), ledger.writer, ORIGIN, keys)
            medians.append(statistics.median(timed(partial(ledger.append, draft())) for _ in range(SAMPLE)))
    return medians[0], medians[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--long", type=int, default=100_000, help="records of the long log (100,000)")
    long = parser.parse_args().long
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        short_ms, long_ms = growth(Path(folder), long)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        logged, bare = on_server(Path(folder))
    print("| what | figure |\n|---|---|")
    print(f"| {WRITERS} writers on PostgreSQL, records/s, both signatures on each checkpoint | {logged:,.0f} |")
    print(f"| {WRITERS} writers of bare inserts of as many bytes, rows/s | {bare:,.0f} |")
    print(f"| ratio | {bare / logged:.1f} |")
    print(f"| append to a log of {SHORT:,} / {long:,} records, median | {short_ms:.2f} / {long_ms:.2f} ms |")
    print(f"| ratio | {long_ms / short_ms:.2f} |")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""A log of a million records, made and then verified: what it takes, in which memory, and what an append to it costs.

``python -P benchmarks/log_million.py [--records N] [--keep FOLDER]``; the machine should be idle for the second half.
``--keep`` makes the log there, or takes the one that was made there before: making it takes a quarter of an hour.

Rules of this module:

- The log is an ordinary one: Ed25519 and ML-DSA-44 on every checkpoint, records of the size of a decision. Only how it
  is made is not: many records a transaction and no anchor, for nobody waits for each of them.
- What verification takes is measured on the whole log, and not multiplied. Beside it stands what the bare signatures
  would take on all cores, from the newest of its records in the same run.
- An append is measured on this log and on one of a thousand records, in turns.
"""

from __future__ import annotations

import argparse
import os
import resource
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

from benchmarks.log import CORES, ORIGIN, Timing, bare_signatures, draft, timed, verification
from radiomicnet_md_audit import canonical, checkpoint, clock, dsse, merkle, sign, statement
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger

AT_ONCE = 2000  # records in a transaction
SHORT = 1000
SAMPLE = 200
SECRET = b"a benchmark has no secrets"


@contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """The log in a folder, made with its keys where there is none."""
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'audit.db'}"
    paths = [folder / name for name in ("engine.pem", "log.pem", "cosigner.pem")]
    if not paths[0].exists():
        made = (sign.generate(), sign.generate(), sign.generate_cosigner())
        for path, key in zip(paths, made, strict=True):
            sign.save_private(key, path, SECRET)
        Ledger.create(url, ORIGIN, made[0], made[1], None, cosigner=made[2]).close()
    engine, log = (sign.load_private(path, SECRET) for path in paths[:2])
    with Ledger.open(url, engine, log, None, cosigner=sign.load_cosigner(paths[2], SECRET)) as ledger:
        yield ledger


def grow(ledger: Ledger, size: int) -> None:
    """Make the log this long, many records in a transaction."""
    if ledger.store.path is None:
        raise ValueError
    with sqlite3.connect(ledger.store.path, isolation_level=None) as file:
        file.execute("PRAGMA synchronous=OFF")
        while (start := ledger.size) < size:
            with ledger.store.read() as transaction:
                edge = merkle.Frontier(start, transaction.nodes_at(merkle.peaks(start)))
                counter = transaction.next_counter(ledger.writer.engine_key.public.keyid)
            made = [_entry(ledger, edge, counter + n) for n in range(min(AT_ONCE, size - start))]
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)", [row for row, _, _ in made])
            file.executemany("INSERT INTO node VALUES (?, ?, ?)", [node for _, nodes, _ in made for node in nodes])
            file.executemany("INSERT INTO checkpoint VALUES (?, ?)", [note for _, _, note in made])
            file.execute("COMMIT")
    file.close()


def _entry(ledger: Ledger, edge: merkle.Frontier, counter: int) -> tuple[Any, Any, Any]:
    """The next entry's rows."""
    writer, document, index, moment = ledger.writer, draft(), edge.size, clock.now()
    predicate = cast("dict[str, Any]", document["predicate"])
    keyid = writer.engine_key.public.keyid
    log = statement.LogPart(ORIGIN, keyid, counter, moment.text(), moment.monotonic_ns)
    payload = canonical.dumps({**document, "predicate": {**predicate, "log": asdict(log)}})
    envelope = dsse.seal(payload, dsse.STATEMENT_TYPE, writer.engine_key)
    nodes = [(node.level, node.index, node.hash) for node in edge.append(merkle.leaf_hash(envelope))]
    note = checkpoint.issue(Checkpoint(ORIGIN, edge.size, edge.root()), writer.log_keys, moment.posix_seconds())
    row = (index, envelope, predicate["record_id"], predicate["request_id"], keyid, counter)
    return row, nodes, (index + 1, note)


class Memory:
    """The most that this process and those it started held at one moment, MiB, looked at ten times a second."""

    def __init__(self) -> None:
        """Begin to look."""
        self.most = 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def stop(self) -> float:
        """Return the most."""
        self._over.set()
        self._thread.join()
        return self.most

    def _look(self) -> None:
        page = resource.getpagesize() / 2**20
        while not self._over.wait(0.1):
            held = 0.0
            for status in Path("/proc").glob("[0-9]*/stat"):
                try:
                    fields = status.read_text().rpartition(")")[2].split()
                except OSError:  # it ended in between
                    continue
                if os.getpid() in (int(status.parent.name), int(fields[1])):
                    held += int(fields[21]) * page
            self.most = max(self.most, held)


def measure(folder: Path, records: int) -> list[tuple[str, str]]:
    """Return the rows of the table."""
    with opened(folder) as ledger:
        start = time.perf_counter()
        grow(ledger, records)
        print(f"made in {time.perf_counter() - start:,.0f} s", flush=True)
        with tempfile.TemporaryDirectory(dir=folder) as small, opened(Path(small)) as short:
            grow(short, SHORT)
            times: dict[str, list[float]] = {"long": [], "short": []}
            for _ in range(SAMPLE):
                for name, one in (("long", ledger), ("short", short)):
                    times[name].append(timed(partial(one.append, draft())))
        policy = ledger.declared
    long_ms, short_ms = statistics.median(times["long"]), statistics.median(times["short"])
    url = f"sqlite:///{folder / 'audit.db'}"
    with Ledger.open(url, None, None, None, policy=policy) as reader:
        bare = bare_signatures(reader, policy, 1000)
        memory = Memory()
        structure = verification(lambda: verify_ledger(reader, None, signatures=False), full=False)
        for_structure = memory.stop()
        memory = Memory()
        whole = verification(lambda: verify_ledger(reader, None))
        for_whole = memory.stop()
    floor = Timing(bare / CORES * whole.entries, bare * whole.entries, whole.entries)
    return [
        ("records; both signatures on each checkpoint", f"{whole.entries:,}"),
        ("verify the database", f"{whole.wall:,.0f} s"),
        ("the bare signatures on all cores", f"{floor.wall:,.0f} s"),
        ("ratio", f"{whole.wall / floor.wall:.2f}"),
        ("most memory of all its processes together", f"{for_whole:,.0f} MiB"),
        ("verify the database's structure only", f"{structure.wall:,.0f} s"),
        ("most memory", f"{for_structure:,.0f} MiB"),
        (f"append, median, to a log of {SHORT:,} / to this one", f"{short_ms:.2f} / {long_ms:.2f} ms"),
        ("ratio", f"{long_ms / short_ms:.2f}"),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=10**6, help="length of the log (1,000,000)")
    parser.add_argument("--keep", type=Path, help="where to make the log, and leave it")
    given = parser.parse_args()
    if given.keep is not None:
        rows = measure(given.keep, given.records)
    else:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
            rows = measure(Path(folder), given.records)
    print("| what | figure |\n|---|---:|")
    for name, figure in rows:
        print(f"| {name} | {figure} |")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What a signed, anchored append costs beside a bare insert of the same bytes, and how fast a log verifies.

``python benchmarks/log.py [--records N]``. Both sides write to one folder in turns, so that a busy disk slows both.
The bare insert is one row a commit into SQLite with the same journal and the same synchronous setting.
"""

from __future__ import annotations

import argparse
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from radiomicnet_md_audit import export, sign, statement
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger

ORIGIN = "example.org/benchmark"
INSERT = "INSERT INTO entry (envelope) VALUES (?)"


def draft() -> dict[str, object]:
    """A record of about the size of a decision: 3.5 kB before signing."""
    values = {f"feature_{n:02d}": (n / 7).hex() for n in range(60)}
    predicate = {
        "record_id": statement.record_id(secrets.token_bytes(16)),
        "state": "RESULT",
        "request_id": secrets.token_hex(16),
        "radiomics": values,
        "digests": [secrets.token_hex(32) for _ in range(14)],
    }
    return statement.build(statement.DECISION, {"input": secrets.token_hex(32)}, predicate)


def timed(work: Callable[[], object]) -> float:
    """Return the milliseconds that ``work`` took."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1000


def bare_database(path: Path) -> sqlite3.Connection:
    """Return a database that keeps bytes and promises nothing but durability."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE entry (idx INTEGER PRIMARY KEY, envelope BLOB NOT NULL)")
    return connection


def measure(folder: Path, records: int, cosigner: sign.CosigningKey | None) -> list[tuple[str, str]]:
    """Return the rows of the table for one kind of log."""
    folder.mkdir()
    engine, log = sign.generate(), sign.generate()
    bare = bare_database(folder / "bare.db")
    url = f"sqlite:///{folder / 'audit.db'}"
    appended, inserted = [], []
    with Ledger.create(url, ORIGIN, engine, log, folder / "anchor", cosigner=cosigner) as ledger:
        for _ in range(records):
            document = draft()
            appended.append(timed(lambda document=document: ledger.append(document)))  # type: ignore[misc]
            envelope = next(ledger.entries(ledger.size - 1)).envelope
            inserted.append(timed(lambda envelope=envelope: bare.execute(INSERT, (envelope,))))  # type: ignore[misc]
        export.write(ledger, folder / "export")
        policy, anchor = ledger.declared, ledger.anchor_text()
    bare.close()
    with Ledger.open(url, None, None, None, policy=policy) as reader:
        stored = timed(lambda: verify_ledger(reader, anchor))
    offline = timed(lambda: verify_bundle(folder / "export", policy, anchor))
    ratio = statistics.median(appended) / statistics.median(inserted)
    size = (folder / "audit.db").stat().st_size / records
    return [
        ("append, p50 / p99", f"{_at(appended, 50):.2f} / {_at(appended, 99):.2f} ms"),
        ("bare insert of the same bytes, p50 / p99", f"{_at(inserted, 50):.2f} / {_at(inserted, 99):.2f} ms"),
        ("ratio of the medians", f"{ratio:.1f}"),
        ("database, per record", f"{size / 1024:.1f} KiB"),
        ("verify the database", f"{records / stored * 1000:,.0f} records/s"),
        ("verify the export offline", f"{records / offline * 1000:,.0f} records/s"),
    ]


def _at(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100)[percent - 1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1000, help="records to append (1000)")
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        plain = measure(Path(folder, "plain"), records, None)
        cosigned = measure(Path(folder, "cosigned"), records, sign.generate_cosigner())
    print(f"| {records} records | Ed25519 | and ML-DSA-44 |\n|---|---|---|")
    for (name, one), (_, other) in zip(plain, cosigned, strict=True):
        print(f"| {name} | {one} | {other} |")


if __name__ == "__main__":
    main()

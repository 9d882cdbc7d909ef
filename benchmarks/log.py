# SPDX-License-Identifier: Apache-2.0
"""What a signed, anchored append costs beside a bare insert of the same bytes, and how fast a log verifies.

``python benchmarks/log.py [--records N]``. Both sides write to one folder in turns, so that a busy disk slows both.
The bare insert is one row a commit into SQLite with the same journal and the same synchronous setting. Verification is
given in records per second of wall time, and in CPU time as a multiple of what checking the same signatures costs by
itself in the same run: the multiple hardly depends on what else the machine does. What the bare signatures would take
on all cores is the floor of every full verification. A million records are not made here;
their times are the measured ones times their number, which is how they grow (nothing in a verification looks back).
"""

from __future__ import annotations

import argparse
import os
import resource
import secrets
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from radiomicnet_md_audit import checkpoint, dsse, export, proof, sign, statement
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import Report

ORIGIN = "example.org/benchmark"
MILLION = 10**6
CORES = len(os.sched_getaffinity(0))
INSERT = "INSERT INTO entry (envelope) VALUES (?)"


def draft() -> dict[str, object]:
    """A record of about the size of a decision: 3.5 kB before signing."""
    values = {f"feature_{n:02d}": (n / 7).hex() for n in range(60)}
    predicate: dict[str, object] = {
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


@dataclass(frozen=True)
class Timing:
    """Seconds of a verification by the clock and by the processor, and the entries that it was of."""

    wall: float
    cpu: float
    entries: int

    def rate(self) -> str:
        """Return entries per second, and what a million would take."""
        seconds = self.wall / self.entries * MILLION
        return f"{self.entries / self.wall:,.0f} records/s ({seconds:,.0f} s for 10⁶)"


def verification(work: Callable[[], Report], *, full: bool = True) -> Timing:
    """Time a verification; it must find nothing, and only a full one is ok."""
    wall, cpu = time.perf_counter(), sum(os.times()[:4])  # its own processes' time too: they have ended by then
    report = work()
    timing = Timing(time.perf_counter() - wall, sum(os.times()[:4]) - cpu, report.size)
    if not report.sound or report.ok is not full:
        raise RuntimeError(report)
    return timing


def bare_signatures(ledger: Ledger, policy: Policy, sample: int) -> float:
    """Return the CPU seconds that the signatures of an entry and its checkpoint take alone, over the newest entries."""
    with ledger.store.read() as transaction:
        size = transaction.size()
        envelopes = [row.envelope for row in transaction.rows(size - sample, size)]
        notes = transaction.notes(size - sample + 1, size + 1)
    key = policy.engine_keys[0][0]
    checks: list[Callable[[], None]] = []
    for envelope in envelopes:
        parts = dsse.parse_unverified(envelope)
        checks.append(partial(key.verify, parts.signature, dsse.pae(parts.payload_type, parts.payload)))
    for head, note in map(checkpoint.parse_unverified, notes.values()):
        for line, (note_key, _) in zip(note.signatures, policy.log_keys, strict=True):
            signature = line.signature
            text = str(head).encode()
            if isinstance(note_key.key, sign.CosigningPublicKey):
                seconds, signature = int.from_bytes(signature[:8], "big"), signature[8:]
                text = checkpoint.cosigned_message(note_key.name, seconds, head)
            checks.append(partial(note_key.key.verify, signature, text))
    start = time.process_time()
    for check in checks:
        check()
    return (time.process_time() - start) / sample


def proof_bytes(cosigner: sign.CosigningKey | None) -> int:
    """Return the size of the proof that an entry is among a million: twenty hashes and the checkpoint."""
    note = checkpoint.issue(Checkpoint(ORIGIN, MILLION, bytes(32)), LogKeys(sign.generate(), cosigner), 0)
    return len(str(proof.Inclusion(MILLION - 2**19, (bytes(32),) * 20, note)).encode())


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
        bare_cpu = bare_signatures(reader, policy, min(records, 300))
        stored = verification(lambda: verify_ledger(reader, anchor))
        structure = verification(lambda: verify_ledger(reader, None, signatures=False), full=False)
    offline = verification(lambda: verify_bundle(folder / "export", policy, anchor))
    ratio = statistics.median(appended) / statistics.median(inserted)
    size = (folder / "audit.db").stat().st_size / records
    tenth = max(1, records // 10)
    growth = statistics.median(appended[-tenth:]) / statistics.median(appended[:tenth])
    return [
        ("append, p50 / p99", f"{_at(appended, 50):.2f} / {_at(appended, 99):.2f} ms"),
        ("bare insert of the same bytes, p50 / p99", f"{_at(inserted, 50):.2f} / {_at(inserted, 99):.2f} ms"),
        ("ratio of the medians", f"{ratio:.1f}"),
        ("append in the last tenth against the first", f"{growth:.2f}"),
        ("database, per record", f"{size / 1024:.1f} KiB"),
        ("the bare signatures on all cores", Timing(bare_cpu / CORES, bare_cpu, 1).rate()),
        ("verify the database", stored.rate()),
        ("its CPU time against that of the bare signatures", f"{stored.cpu / stored.entries / bare_cpu:.2f}"),
        ("verify the database's structure only", structure.rate()),
        ("its CPU time against that of the bare signatures", f"{structure.cpu / structure.entries / bare_cpu:.2f}"),
        ("verify the export offline", offline.rate()),
        ("its CPU time against that of the bare signatures", f"{offline.cpu / offline.entries / bare_cpu:.2f}"),
        ("inclusion proof among 10⁶", f"{proof_bytes(cosigner):,} bytes"),
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
    own, other = (resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(f"\nlargest memory: {own:,.0f} MiB, and {other:,.0f} MiB in each of {CORES} processes that check signatures")


if __name__ == "__main__":
    main()

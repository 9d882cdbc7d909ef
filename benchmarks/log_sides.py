# SPDX-License-Identifier: Apache-2.0
"""The logs that ``log_peers.py`` holds beside each other: ours, a chain of hashes, and rows in a database.

Rules of this module:

- Every side keeps the same bytes, one commit an entry, and returns from it when they are on the disk: SQLite with a
  write-ahead log and ``synchronous=FULL``, as ours has it; PostgreSQL with ``fsync`` and ``synchronous_commit`` on.
- A side that cannot do something has no such number. A verification that finds something raises.
- A chain is what is usually meant by one: the hash of each row covers the row and the hash before it.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

import psycopg

from benchmarks.log import INSERT as SQLITE_INSERT
from benchmarks.log import ORIGIN, bare_database, timed, verification
from radiomicnet_md_audit import proof, sign, statement
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit.postgresql import Cluster

ROOT = Path(__file__).resolve().parents[1]
TABLE = "CREATE TABLE entry (idx bigserial PRIMARY KEY, envelope bytea NOT NULL)"
INSERT = "INSERT INTO entry (envelope) VALUES (%s)"


class Ours:
    """This project's log with its anchor; ``cosigned`` puts ML-DSA-44 beside Ed25519 on every checkpoint."""

    file_table = "entry"

    def __init__(self, folder: Path, *, cosigned: bool) -> None:
        """Make the log."""
        folder.mkdir()
        self.path = folder / "audit.db"
        self.url = f"sqlite:///{self.path}"
        cosigner = sign.generate_cosigner() if cosigned else None
        self.ledger = Ledger.create(
            self.url, ORIGIN, sign.generate(), sign.generate(), folder / "anchor", cosigner=cosigner
        )

    def append(self, documents: Sequence[dict[str, object]]) -> list[float]:
        """Milliseconds of each."""
        return [timed(partial(self.ledger.append, document)) for document in documents]

    def newest(self, count: int) -> list[bytes]:
        """The last entries."""
        return [entry.envelope for entry in self.ledger.entries(self.ledger.size - count)]

    def verify(self) -> float:
        """Seconds for every signature, hash and column, with the anchor, as ``audit verify`` does it."""
        with Ledger.open(self.url, None, None, None, policy=self.ledger.declared) as reader:
            return verification(lambda: verify_ledger(reader, self.ledger.anchor_text())).wall

    def prove(self, indices: Sequence[int]) -> list[float]:
        """Milliseconds for a proof, written and read again, and its check up to the checkpoint's signatures."""
        entries = {index: next(self.ledger.entries(index, index + 1)).envelope for index in indices}
        keys = self.ledger.declared.log_keys_at(self.ledger.size)

        def one(index: int) -> None:
            proof.parse_inclusion(self.ledger.inclusion(index)).verify(entries[index], keys, ORIGIN)

        return [timed(partial(one, index)) for index in indices]

    def close(self) -> None:
        """Let the database go."""
        self.ledger.close()


class Chain:
    """Each row with the SHA-256 of the hash before it and of itself."""

    file_table = "entry"
    prove = None

    def __init__(self, folder: Path) -> None:
        """Make the database."""
        self.path = folder / "chain.db"
        self._file = bare_database(self.path)
        self._file.execute("ALTER TABLE entry ADD COLUMN hash BLOB")

    def append(self, envelopes: Sequence[bytes]) -> list[float]:
        """Milliseconds of each."""
        return [timed(partial(self._append, envelope)) for envelope in envelopes]

    def verify(self) -> float:
        """Seconds; raises :class:`ValueError` where a hash is not that of its row."""
        return timed(self._walk) / 1000

    def close(self) -> None:
        """Let the database go."""
        self._file.close()

    def _append(self, envelope: bytes) -> None:
        self._file.execute("BEGIN IMMEDIATE")
        last = self._file.execute("SELECT hash FROM entry ORDER BY idx DESC LIMIT 1").fetchone()
        link = hashlib.sha256((last[0] if last else b"") + envelope).digest()
        self._file.execute("INSERT INTO entry (envelope, hash) VALUES (?, ?)", (envelope, link))
        self._file.execute("COMMIT")

    def _walk(self) -> None:
        before = b""
        for envelope, link in self._file.execute("SELECT envelope, hash FROM entry ORDER BY idx"):
            before = hashlib.sha256(before + envelope).digest()
            if before != link:
                raise ValueError(self.path)


class BareSQLite:
    """A row an entry, and nothing else."""

    prove = verify = None
    path: ClassVar[None] = None

    def __init__(self, folder: Path) -> None:
        """Make the database."""
        self._file = bare_database(folder / "bare.db")

    def append(self, envelopes: Sequence[bytes]) -> list[float]:
        """Milliseconds of each."""
        return [timed(partial(self._file.execute, SQLITE_INSERT, (envelope,))) for envelope in envelopes]

    def close(self) -> None:
        """Let the database go."""
        self._file.close()


class BarePostgreSQL:
    """The same on a server of its own, over the loopback address."""

    prove = verify = None
    path: ClassVar[None] = None

    def __init__(self, cluster: Cluster) -> None:
        """Make the table; raise :class:`RuntimeError` where the server would not wait for the disk."""
        self._session = cluster.session("postgres", "postgres")
        for setting in ("fsync", "synchronous_commit"):
            if self._session.execute(f"SHOW {setting}").fetchone() != ("on",):
                raise RuntimeError(setting)
        self._session.execute(TABLE)

    def append(self, envelopes: Sequence[bytes]) -> list[float]:
        """Milliseconds of each."""
        return [timed(partial(self._session.execute, INSERT, (psycopg.Binary(one),))) for one in envelopes]

    def close(self) -> None:
        """End the session."""
        self._session.close()


@contextmanager
def server() -> Iterator[Cluster]:
    """A PostgreSQL server; raises :class:`ModuleNotFoundError` where none is installed."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        raise ModuleNotFoundError("not installed")
    cluster = Cluster(binaries[-1], ROOT / "docs" / "how-to" / "log-on-postgresql.md")
    try:
        yield cluster
    finally:
        cluster.remove()


def another(document: dict[str, object]) -> dict[str, object]:
    """The same record under an identity of its own."""
    predicate = document["predicate"]
    if not isinstance(predicate, dict):
        raise TypeError(predicate)
    own = {name: statement.record_id(secrets.token_bytes(16)) for name in ("record_id", "request_id")}
    return {**document, "predicate": {**predicate, **own}}


def spoil(path: Path, table: str) -> None:
    """Change one byte of an entry in the middle of a closed log's file, as who administers the machine can."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
        (entry,) = {"envelope", "entry"} & set(columns)
        guards = file.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        ((row, held),) = file.execute(
            f"SELECT rowid, {entry} FROM {table} LIMIT 1 OFFSET (SELECT count(*) / 2 FROM {table})"  # noqa: S608 -- ours
        )
        changed = bytearray(held)
        changed[len(changed) // 2] ^= 1
        for name, _ in guards:
            file.execute(f"DROP TRIGGER {name}")
        file.execute(f"UPDATE {table} SET {entry} = ? WHERE rowid = ?", (bytes(changed), row))  # noqa: S608 -- ours
        for _, sql in guards:
            file.execute(sql)

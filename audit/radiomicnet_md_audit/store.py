# SPDX-License-Identifier: Apache-2.0
"""The only file that speaks SQL to a database; it can add rows and read rows.

Rules of this module:

- Three STRICT tables: ``entry`` (the signed bytes, and four columns derived from them to look entries up by),
  ``node`` (the tree's complete nodes) and ``checkpoint`` (one signed note per size). One transaction adds to all.
- The database refuses UPDATE and DELETE by trigger, a gap or a repeated key by trigger (``INSERT OR REPLACE`` deletes
  without firing a delete trigger elsewhere), and this program's own connections refuse every action that is not
  on a short list. None of this stops an administrator; what they change is found by verification.
- Write-ahead log, ``synchronous=FULL``: a commit that returned survives power loss. A writer waits 10 seconds.
- SQLite's errors become :class:`Problem`; a file that SQLite finds malformed is an integrity failure.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.failures import problem
from radiomicnet_md_audit.merkle import HASH_BYTES, Node
from radiomicnet_md_audit.schema import APPLICATION_ID, SCHEMA, SCHEMA_VERSION, TABLES

_OLDEST_SQLITE = (3, 37)  # STRICT tables

_T = TypeVar("_T")

WAIT_MS = 10_000

_entry = sa.table("entry", *(sa.column(c) for c in ("idx", "envelope", "record_id", "request", "producer", "counter")))
_node = sa.table("node", sa.column("level"), sa.column("idx"), sa.column("hash"))
_checkpoint = sa.table("checkpoint", sa.column("size"), sa.column("note"))

# Statements are built once: building one costs as much as running it.
_ROWS = sa.select(*_entry.c)
_ROW = _ROWS.where(_entry.c.idx == sa.bindparam("index"))
_ROW_RANGE = _ROWS.where(_entry.c.idx.between(sa.bindparam("first"), sa.bindparam("last"))).order_by(_entry.c.idx)
_ROW_OF_REQUEST = _ROWS.where(_entry.c.request == sa.bindparam("request"))
_ROWS_OF_PREFIX = (
    _ROWS.where(_entry.c.record_id >= sa.bindparam("low"), _entry.c.record_id < sa.bindparam("high"))
    .order_by(_entry.c.record_id)
    .limit(2)
)
_LAST_INDEX = sa.select(sa.func.max(_entry.c.idx))
_LAST_COUNTER = sa.select(sa.func.max(_entry.c.counter)).where(_entry.c.producer == sa.bindparam("producer"))
_NODE = sa.select(_node.c.hash).where(_node.c.level == sa.bindparam("level"), _node.c.idx == sa.bindparam("index"))
_NODE_COUNT = sa.select(sa.func.count()).select_from(_node)
_NOTE = sa.select(_checkpoint.c.note).where(_checkpoint.c.size == sa.bindparam("size"))
_NOTE_RANGE = sa.select(*_checkpoint.c).where(_checkpoint.c.size.between(sa.bindparam("first"), sa.bindparam("last")))
_NOTE_COUNT = sa.select(sa.func.count()).select_from(_checkpoint)
_ADD_ROW, _ADD_NODE, _ADD_NOTE = sa.insert(_entry), sa.insert(_node), sa.insert(_checkpoint)

_ALLOWED_ACTIONS = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_TRANSACTION, sqlite3.SQLITE_FUNCTION)
_ALLOWED_PRAGMAS = {
    ("integrity_check", None),
    ("journal_mode", None),
    ("user_version", None),
    ("application_id", None),
    ("read_uncommitted", None),  # SQLAlchemy asks for the isolation level once
    ("wal_checkpoint", "TRUNCATE"),
    ("busy_timeout", "0"),
}


@dataclass(frozen=True)
class Row:
    """An entry as stored: its exact envelope, and what was derived from it to find it again."""

    index: int
    envelope: bytes
    record_id: str
    request: str | None
    producer: str
    counter: int


class Transaction:
    """One view of the log; rows are added through it only where the store began it for writing."""

    def __init__(self, connection: sa.Connection) -> None:
        """Work on this connection."""
        self._connection = connection

    def size(self) -> int:
        """Return the number of entries."""
        last = self._value(_LAST_INDEX, int)
        return 0 if last is None else last + 1

    def row(self, index: int) -> Row | None:
        """Return the entry at ``index``."""
        return self._row(_ROW, index=index)

    def rows(self, start: int, stop: int) -> list[Row]:
        """Return the entries from ``start`` to before ``stop``, in order."""
        return self._rows(_ROW_RANGE, first=start, last=stop - 1)

    def by_record(self, prefix: str) -> list[Row]:
        """Return at most two entries whose record id starts with ``prefix``."""
        return self._rows(_ROWS_OF_PREFIX, low=prefix, high=prefix + "\x7f")

    def by_request(self, request: str) -> Row | None:
        """Return the entry that ended this request."""
        return self._row(_ROW_OF_REQUEST, request=request)

    def next_counter(self, producer: str) -> int:
        """Return the number of this producer's next record, counted from 0."""
        last = self._value(_LAST_COUNTER, int, producer=producer)
        return 0 if last is None else last + 1

    def node(self, level: int, index: int) -> bytes:
        """Return the hash of a complete node; raise :class:`IntegrityError` when it is not there."""
        value = self._value(_NODE, bytes, level=level, index=index)
        if value is None or len(value) != HASH_BYTES:
            _corrupt()
        return value

    def node_count(self) -> int:
        """Return the number of nodes."""
        return self._value(_NODE_COUNT, int) or 0

    def note(self, size: int) -> str:
        """Return the checkpoint of ``size``; raise :class:`IntegrityError` when it is not there."""
        value = self._value(_NOTE, str, size=size)
        if value is None:
            _corrupt()
        return value

    def notes(self, start: int, stop: int) -> dict[int, str]:
        """Return the checkpoints of sizes ``start`` to before ``stop``."""
        found = self._connection.execute(_NOTE_RANGE, {"first": start, "last": stop - 1})
        return {_typed(row[0], int): _typed(row[1], str) for row in found}

    def checkpoint_count(self) -> int:
        """Return the number of checkpoints."""
        return self._value(_NOTE_COUNT, int) or 0

    def add(self, row: Row, nodes: Sequence[Node], note: str) -> None:
        """Add an entry, the nodes that it completes and the checkpoint of the new size."""
        self._connection.execute(
            _ADD_ROW,
            {
                "idx": row.index,
                "envelope": row.envelope,
                "record_id": row.record_id,
                "request": row.request,
                "producer": row.producer,
                "counter": row.counter,
            },
        )
        self._connection.execute(_ADD_NODE, [{"level": n.level, "idx": n.index, "hash": n.hash} for n in nodes])
        self._connection.execute(_ADD_NOTE, {"size": row.index + 1, "note": note})

    def damage(self) -> list[str]:
        """Return what SQLite itself and the expected schema find wrong with the file; empty when nothing."""
        found = [str(row[0]) for row in self._connection.exec_driver_sql("PRAGMA integrity_check")]
        messages = [] if found == ["ok"] else found[:5]
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid"
        stored = [tuple(row) for row in self._connection.exec_driver_sql(query)]
        if stored != _EXPECTED_SCHEMA:
            messages.append("The tables and triggers are not those that this version creates.")
        return messages

    def _value(self, query: sa.Select[Any], kind: type[_T], **values: object) -> _T | None:
        value = self._connection.execute(query, values).scalar()
        return None if value is None else _typed(value, kind)

    def _row(self, query: sa.Select[Any], **values: object) -> Row | None:
        row = self._connection.execute(query, values).first()
        return None if row is None else _as_row(row)

    def _rows(self, query: sa.Select[Any], **values: object) -> list[Row]:
        return [_as_row(row) for row in self._connection.execute(query, values)]


class Store:
    """A log's database file."""

    def __init__(self, path: Path, engine: sa.Engine) -> None:
        """Use :meth:`create` or :meth:`open`."""
        self.path = path
        self._engine = engine

    @classmethod
    @contextmanager
    def create(cls, url: str) -> Iterator[Transaction]:
        """Make a database; yield the transaction that creates its tables, so that nothing half-made remains."""
        path = database_path(url)
        with _translated():
            _create_file(path)
            engine = _engine(path, guarded=False)
            try:
                with engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA journal_mode=WAL")
                    with _transaction(connection, "BEGIN IMMEDIATE"):
                        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
                            raise ConfigurationError(
                                "E-STORE-EXISTS",
                                "There is already a database where the log should be made.",
                                remedy="Use the log that is there, or name another place.",
                            )
                        for sql in SCHEMA:
                            connection.exec_driver_sql(sql)
                        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
                        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
                        yield Transaction(connection)
            finally:
                engine.dispose()

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a database; raise when it is missing, of a newer version, or no log at all."""
        path = database_path(url)
        if not path.is_file():
            raise ConfigurationError(
                "E-STORE-MISSING",
                "There is no log at the given place.",
                remedy="Run `radiomicnet-md init`, or name the home that has one.",
            )
        store = cls(path, _engine(path, guarded=True))
        with store.read() as transaction:
            _check_header(transaction)
        return store

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Yield one consistent view of the log."""
        with _translated(), self._engine.connect() as connection, _transaction(connection, "BEGIN"):
            yield Transaction(connection)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Yield the only writer there is; what it added is durable when the block is left without an error."""
        with _translated(), self._engine.connect() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
            yield Transaction(connection)

    def fold_wal(self) -> bool:
        """Move the write-ahead log into the database file; say whether nobody was in the way."""
        with _translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
            connection.invalidate()  # its time-out must not come back from the pool
        return busy == 0

    def close(self) -> None:
        """Let the file go."""
        self._engine.dispose()


def _connect(path: Path, *, guarded: bool) -> sqlite3.Connection:
    """Open an existing file; ``guarded`` limits the connection to adding and reading."""
    # A URI, because a path may hold any character, and because mode=rw does not create a missing file.
    uri = path.absolute().as_uri() + "?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_MS / 1000, check_same_thread=False)
    for pragma in ("synchronous=FULL", "recursive_triggers=ON", "trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003 -- the API is positional
    if guarded:
        connection.set_authorizer(_authorize)
    return connection


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow reading, inserting into the three tables and a few PRAGMAs; deny everything else."""
    if action == sqlite3.SQLITE_PRAGMA:
        allowed = (first, second) in _ALLOWED_PRAGMAS
    elif action == sqlite3.SQLITE_INSERT:
        allowed = first in TABLES
    else:
        allowed = action in _ALLOWED_ACTIONS
    return sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY


def _engine(path: Path, *, guarded: bool) -> sa.Engine:
    return sa.create_engine(
        "sqlite+pysqlite://",
        creator=lambda: _connect(path, guarded=guarded),
        poolclass=sa.QueuePool,
        isolation_level="AUTOCOMMIT",
    )


@contextmanager
def _transaction(connection: sa.Connection, begin: str) -> Iterator[None]:
    connection.exec_driver_sql(begin)
    try:
        yield
        connection.exec_driver_sql("COMMIT")
    except BaseException:
        # A full disk or an I/O error may have ended the transaction already.
        raw = connection.connection.driver_connection
        if isinstance(raw, sqlite3.Connection) and raw.in_transaction:
            raw.rollback()
        raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise problem(error.orig) from error
    except sqlite3.Error as error:
        raise problem(error) from error
    except UnicodeDecodeError as error:  # a damaged schema, quoted in SQLite's message, need not be UTF-8
        raise problem(None) from error


def _corrupt() -> NoReturn:
    raise problem(None)


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        _corrupt()
    return value


def _as_row(row: Sequence[Any]) -> Row:
    request = None if row[3] is None else _typed(row[3], str)
    return Row(
        _typed(row[0], int),
        _typed(row[1], bytes),
        _typed(row[2], str),
        request,
        _typed(row[4], str),
        _typed(row[5], int),
    )


def _check_header(transaction: Transaction) -> None:
    connection = transaction._connection  # noqa: SLF001 -- the same module
    read = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _HEADER}
    if read == _HEADER:
        return
    version = read["user_version"]
    if isinstance(version, int) and version > SCHEMA_VERSION and read == {**_HEADER, "user_version": version}:
        raise ConfigurationError(
            "E-STORE-NEWER",
            "The log was made by a newer version of this program.",
            remedy="Use that version or a newer one; this one leaves the log as it is.",
        )
    _corrupt()


_HEADER: dict[str, object] = {
    "application_id": APPLICATION_ID,
    "user_version": SCHEMA_VERSION,
    "journal_mode": "wal",
}


def _expected_schema() -> list[tuple[object, ...]]:
    """Return what SQLite itself lists for this schema, in the order of creation."""
    with sqlite3.connect(":memory:") as memory:
        for sql in SCHEMA:
            memory.execute(sql)
        return memory.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY rowid").fetchall()


_EXPECTED_SCHEMA = _expected_schema()


def database_path(url: str) -> Path:
    """Return the file that a URL names; raise :class:`ConfigurationError` for another kind of address."""
    scheme, separator, rest = url.partition(":///")
    if scheme == "sqlite" and separator and rest:
        if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
            raise ConfigurationError(
                "E-STORE-SQLITE",
                "The SQLite library of this Python is older than 3.37.",
                remedy="Use a Python built with a newer SQLite.",
            )
        return Path(rest)
    raise ConfigurationError(
        "E-STORE-URL",
        "The log's address is not of a kind that this version can use.",
        remedy="Use `sqlite:///` and a path; PostgreSQL comes with a later version.",
    )


def _create_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigurationError(
            "E-STORE-CREATE",
            f"The log's file cannot be made ({error.strerror}).",
            remedy="Check that the folder is there and may be written.",
        ) from None

# SPDX-License-Identifier: Apache-2.0
"""A log in a database of either kind: rows are added and rows are read.

Rules of this module:

- Four tables: ``entry`` (the signed bytes, and four columns derived from them to look entries up by), ``node`` (the
  tree's complete nodes), ``checkpoint`` (one signed note per size) and ``event`` (which entries are no decisions, and
  of which type they are). One transaction adds to all.
- A log of an older version is read as it is; :meth:`Store.upgrade` makes it one of this version.
- The statements are here and are the same for every database. What each does on its own (guards against change, the
  turns of several writers, durability, failures) is in ``sqlite_store`` and ``postgresql_store``.
- A writer waits 10 seconds for its turn. A value of another type than was stored is an integrity failure.
- No guard stops an administrator; what they change is found by verification.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import sqlalchemy as sa

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.failures import problem
from radiomicnet_md_audit.merkle import HASH_BYTES, Node

_T = TypeVar("_T")

WAIT_MS = 10_000

_entry = sa.table("entry", *(sa.column(c) for c in ("idx", "envelope", "record_id", "request", "producer", "counter")))
_node = sa.table("node", sa.column("level"), sa.column("idx"), sa.column("hash"))
_checkpoint = sa.table("checkpoint", sa.column("size"), sa.column("note"))
_event = sa.table("event", sa.column("idx"), sa.column("kind"))

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
_NODE_RANGE = (
    sa.select(_node.c.hash)
    .where(_node.c.level == sa.bindparam("level"), _node.c.idx.between(sa.bindparam("first"), sa.bindparam("last")))
    .order_by(_node.c.idx)
)
_NODE_COUNT = sa.select(sa.func.count()).select_from(_node)
_NOTE = sa.select(_checkpoint.c.note).where(_checkpoint.c.size == sa.bindparam("size"))
_NOTE_RANGE = sa.select(*_checkpoint.c).where(_checkpoint.c.size.between(sa.bindparam("first"), sa.bindparam("last")))
_NOTE_COUNT = sa.select(sa.func.count()).select_from(_checkpoint)
_KIND_RANGE = sa.select(*_event.c).where(_event.c.idx.between(sa.bindparam("first"), sa.bindparam("last")))
_KIND_COUNT = sa.select(sa.func.count()).select_from(_event)
_EVENTS = sa.select(_event.c.idx).where(_event.c.kind.in_(sa.bindparam("kinds", expanding=True))).order_by(_event.c.idx)
_ADD_ROW, _ADD_NODE, _ADD_NOTE = sa.insert(_entry), sa.insert(_node), sa.insert(_checkpoint)
_ADD_EVENT = sa.insert(_event)


@dataclass(frozen=True)
class Row:
    """An entry as stored: its exact envelope, and what was derived from it to find it again."""

    index: int
    envelope: bytes
    record_id: str
    request: str | None
    producer: str
    counter: int


class Transaction(ABC):
    """One view of the log; rows are added through it only where the store began it for writing."""

    def __init__(self, connection: sa.Connection, version: int) -> None:
        """Work on this connection, in a database of this version."""
        self._connection = connection
        self.version = version

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

    def nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        """Return the hashes of complete nodes in a row; raise :class:`IntegrityError` when one is not there."""
        found = self._connection.execute(_NODE_RANGE, {"level": level, "first": start, "last": stop - 1})
        return _hashes(found.scalars().all(), stop - start)

    def nodes_at(self, places: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the hashes of the nodes at these levels and indices, falling levels, in one query.

        Raises :class:`IntegrityError` when one is not there.
        """
        if not places:
            return []
        values = {f"l{n}": level for n, (level, _) in enumerate(places)}
        values |= {f"i{n}": index for n, (_, index) in enumerate(places)}
        return _hashes(self._connection.execute(_nodes_at(len(places)), values).scalars().all(), len(places))

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
        return {_typed(row[0], int): _typed(row[1], str) for row in found.all()}

    def checkpoint_count(self) -> int:
        """Return the number of checkpoints."""
        return self._value(_NOTE_COUNT, int) or 0

    def events(self, kinds: Sequence[str]) -> list[int]:
        """Return the indices of the entries of these types, in order; not for decisions, nor before version 2."""
        return [_typed(index, int) for index in self._connection.execute(_EVENTS, {"kinds": kinds}).scalars()]

    def kinds(self, start: int, stop: int) -> dict[int, str]:
        """Return the types of the entries from ``start`` to before ``stop`` that are no decisions, by index."""
        found = self._connection.execute(_KIND_RANGE, {"first": start, "last": stop - 1})
        return {_typed(row[0], int): _typed(row[1], str) for row in found}

    def event_count(self) -> int:
        """Return the number of entries that are listed as no decisions."""
        return self._value(_KIND_COUNT, int) or 0

    def add(self, row: Row, kind: str | None, nodes: Sequence[Node], note: str) -> None:
        """Add an entry, its type where it is no decision, the nodes that it completes and the new size's checkpoint."""
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
        if kind is not None:
            self.add_event(row.index, kind)

    def add_event(self, index: int, kind: str) -> None:
        """List an entry as one that is no decision."""
        self._connection.execute(_ADD_EVENT, {"idx": index, "kind": kind})

    @abstractmethod
    def damage(self) -> list[str]:
        """Return what the database itself and the expected schema find wrong; empty when nothing."""

    def _value(self, query: sa.Select[Any], kind: type[_T], **values: object) -> _T | None:
        value = self._connection.execute(query, values).scalar()
        return None if value is None else _typed(value, kind)

    def _row(self, query: sa.Select[Any], **values: object) -> Row | None:
        row = self._connection.execute(query, values).first()
        return None if row is None else _as_row(row)

    def _rows(self, query: sa.Select[Any], **values: object) -> list[Row]:
        return [_as_row(row) for row in self._connection.execute(query, values).all()]


class Store(ABC):
    """A log's database."""

    def __init__(self, engine: sa.Engine, path: Path | None) -> None:
        """Use :meth:`create` or :meth:`open`; ``path`` is the database file, or None where a server keeps the log."""
        self.path = path
        self._engine = engine

    @property
    @abstractmethod
    def version(self) -> int:
        """The version of the database, as it was found or made."""

    @staticmethod
    def create(url: str) -> AbstractContextManager[Transaction]:
        """Make a log; give the transaction that its first entry is added in, so that nothing half-made remains.

        Raises :class:`ConfigurationError` when something is in the way or the address is of no known kind.
        """
        return _kind(url).make(url)

    @staticmethod
    def open(url: str) -> Store:
        """Open a log; raise :class:`ConfigurationError` when it is missing, newer, or lacks what makes it safe.

        Raises :class:`IntegrityError` where a database is there and is no log.
        """
        return _kind(url).reach(url)

    @classmethod
    @abstractmethod
    def make(cls, url: str) -> AbstractContextManager[Transaction]:
        """Do what :meth:`create` says, in this kind of database."""

    @classmethod
    @abstractmethod
    def reach(cls, url: str) -> Store:
        """Do what :meth:`open` says, in this kind of database."""

    @abstractmethod
    def read(self) -> AbstractContextManager[Transaction]:
        """Give one consistent view of the log."""

    @abstractmethod
    def write(self) -> AbstractContextManager[Transaction]:
        """Give the only writer there is; what it added is durable when the block is left without an error."""

    @abstractmethod
    def upgrade(self) -> AbstractContextManager[Transaction]:
        """Give the only writer there is, in a database that this has made one of this version, in one transaction.

        Raises :class:`ConfigurationError` where only an administrator can do that.
        """

    @abstractmethod
    def unrefused(self) -> list[str]:
        """Return the changes of rows that the database itself lets pass; each is tried, and taken back at once."""

    def close(self) -> None:
        """Let the database go."""
        self._engine.dispose()


def let_pass(connection: sa.Connection) -> list[str]:
    """Return which changes a session could make in its transaction; none is left in it."""
    passed = []
    for table, column in (("entry", "envelope"), ("node", "hash"), ("checkpoint", "note"), ("event", "kind")):
        for sql in (f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"):  # noqa: S608 -- names of here
            connection.exec_driver_sql("SAVEPOINT attempt")
            with suppress(sa.exc.DBAPIError):
                connection.exec_driver_sql(sql)
                passed.append(sql)
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT attempt")
    return passed


def on_server(url: str) -> bool:
    """Say whether an address names a log that a database server keeps, and no file."""
    return url.startswith("postgresql+psycopg://")


def database_path(url: str) -> Path:
    """Return the file that a URL names; raise :class:`ConfigurationError` for another kind of address."""
    scheme, separator, rest = url.partition(":///")
    if scheme == "sqlite" and separator and rest:
        return Path(rest)
    raise ConfigurationError(
        "E-STORE-URL",
        "The log's address does not name a database of a kind that can be used here.",
        remedy="Use `sqlite:///` and a path, or `postgresql+psycopg://` and a server's log that was made there before.",
    )


def _kind(url: str) -> type[Store]:
    if not on_server(url):
        from radiomicnet_md_audit.sqlite_store import SQLiteStore

        return SQLiteStore
    try:
        from radiomicnet_md_audit.postgresql_store import PostgreSQLStore
    except ImportError as error:  # the driver is an extra, and needs a library of PostgreSQL's
        raise ConfigurationError(
            "E-STORE-DRIVER",
            "The driver for PostgreSQL is not installed.",
            remedy="Install it: pip install 'radiomicnet-md-audit[postgresql]'.",
        ) from error
    return PostgreSQLStore


def _corrupt() -> NoReturn:
    raise problem(None)


def _typed(value: object, kind: type[_T]) -> _T:
    if type(value) is not kind:
        _corrupt()
    return value


@cache
def _nodes_at(count: int) -> sa.Select[Any]:
    """Return the query for so many nodes, built once for each number; there are at most as many as levels."""
    level, index = _node.c.level, _node.c.idx
    places = [(level == sa.bindparam(f"l{n}")) & (index == sa.bindparam(f"i{n}")) for n in range(count)]
    return sa.select(_node.c.hash).where(sa.or_(*places)).order_by(level.desc())


def _hashes(values: Sequence[object], count: int) -> list[bytes]:
    hashes = [_typed(value, bytes) for value in values]
    if len(hashes) != count or any(len(value) != HASH_BYTES for value in hashes):
        _corrupt()
    return hashes


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

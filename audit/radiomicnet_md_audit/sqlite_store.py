# SPDX-License-Identifier: Apache-2.0
"""A log in one SQLite file: one writer at a time, nothing but adding and reading, and a commit survives power loss.

Rules of this module:

- The database refuses UPDATE and DELETE by trigger, a gap or a repeated key by trigger (``INSERT OR REPLACE`` deletes
  without firing a delete trigger elsewhere), and this program's own connections refuse every action that is not
  on a short list.
- Write-ahead log, ``synchronous=FULL``: a commit that returned survives power loss. BEGIN IMMEDIATE takes the turn.
- A log that was closed and lies where nobody may write is read as it is; nothing is made beside it.
- SQLite's errors become :class:`Problem`; a file that SQLite finds malformed is an integrity failure.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import sqlalchemy as sa

from radiomicnet_md_audit import upgrading
from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.failures import busy, problem
from radiomicnet_md_audit.mounts import network_type
from radiomicnet_md_audit.schema import APPLICATION_ID, SCHEMA_VERSION, STEPS, TABLES, statements
from radiomicnet_md_audit.store import WAIT_MS, Store, Transaction, database_path, let_pass

_OLDEST_SQLITE = (3, 37)  # STRICT tables

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


class SQLiteTransaction(Transaction):
    """One view of the log in a file."""

    def check_header(self, path: Path) -> None:
        """Raise when the file is of a newer version or no log."""
        read = {name: self._connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in _HEADER}
        if read == {**_HEADER, "journal_mode": "delete"} and _at_rest(path) and _is_wal(path):
            read = _HEADER
        if read == _HEADER and self.version in range(1, SCHEMA_VERSION + 1):
            return
        if read == _HEADER and self.version > SCHEMA_VERSION:
            raise ConfigurationError(
                "E-STORE-NEWER",
                "The log was made by a newer version of this program.",
                remedy="Use that version or a newer one; this one leaves the log as it is.",
            )
        raise problem(None)

    def damage(self) -> list[str]:
        """Return what SQLite itself and the expected schema find wrong with the file; empty when nothing."""
        found = [str(row[0]) for row in self._connection.exec_driver_sql("PRAGMA integrity_check")]
        messages = [] if found == ["ok"] else found[:5]
        query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name"
        stored = [tuple(row) for row in self._connection.exec_driver_sql(query)]
        if stored != _expected_schema(self.version):
            messages.append("The tables and triggers are not those that this version creates.")
        return messages

    def copy(self, path: Path) -> None:
        """Write this view into a new file, page by page; others may write to the log meanwhile."""
        _create_file(path)
        raw = self._connection.connection.driver_connection
        # Nobody else knows the file, and its place may be one where locks do not work.
        uri = path.absolute().as_uri() + "?mode=rw&nolock=1"
        try:
            with closing(sqlite3.connect(uri, uri=True, isolation_level=None)) as other:
                other.execute("PRAGMA journal_mode=OFF")
                raw.backup(other)  # type: ignore[union-attr]
        except sqlite3.Error as error:
            raise ConfigurationError(
                "E-STORE-COPY",
                f"The log cannot be copied ({error}).",
                remedy="Check the disk that the copy goes to, its free space and permissions. The log was only read.",
            ) from error


class SQLiteStore(Store):
    """A log's database file."""

    path: Path
    _in_doubt = False  # whether a commit failed of which the write-ahead log may hold every byte

    @classmethod
    @contextmanager
    def make(cls, url: str) -> Iterator[Transaction]:
        """Make a database; yield the transaction that creates its tables, so that nothing half-made remains."""
        path = _file(url)
        with _translated():
            _create_file(path)
            engine = _engine(path, guarded=False)
            try:
                with engine.connect() as connection:
                    _ask_for_wal(connection)
                    with _transaction(connection, "BEGIN IMMEDIATE"):
                        if connection.exec_driver_sql("SELECT count(*) FROM sqlite_master").scalar():
                            raise ConfigurationError(
                                "E-STORE-EXISTS",
                                "There is already a database where the log should be made.",
                                remedy="Use the log that is there, or name another place.",
                            )
                        for sql in statements():
                            connection.exec_driver_sql(sql)
                        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
                        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
                        yield SQLiteTransaction(connection, SCHEMA_VERSION)
            finally:
                engine.dispose()

    @classmethod
    def reach(cls, url: str) -> SQLiteStore:
        """Open a database; raise when it is missing, of a newer version, or no log at all."""
        path = _file(url)
        if not path.is_file():
            raise ConfigurationError(
                "E-STORE-MISSING",
                "There is no log at the given place.",
                remedy="Run `radiomicnet-md init`, or name the home that has one.",
            )
        store = cls(_engine(path, guarded=True), path)
        with store.read() as transaction:
            transaction.check_header(path)
        return store

    @contextmanager
    def read(self) -> Iterator[SQLiteTransaction]:
        """Yield one consistent view of the log."""
        with self._begun("BEGIN") as connection:
            yield SQLiteTransaction(connection, _version(connection))

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Yield the only writer there is; what it added is durable when the block is left without an error."""
        begun = False
        try:
            with self._begun("BEGIN IMMEDIATE") as connection:
                begun = True
                yield SQLiteTransaction(connection, _version(connection))
        except ConfigurationError as failure:
            self._in_doubt = begun and isinstance(failure.__cause__, sa.exc.DBAPIError)
            raise

    @contextmanager
    def _begun(self, begin: str) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction, after making sure of what became of a commit that failed.

        A commit that the disk took and could not sync is not in the log, until a crash lets recovery take it up. It is
        voided before anybody is told that the log does not hold it.
        """
        if self._in_doubt:
            if not self.fold_wal():
                raise busy()
            self._in_doubt = False
        with _translated(), self._engine.connect() as connection, _transaction(connection, begin):
            yield connection

    @property
    def version(self) -> int:
        """The version of the file."""
        with self.read() as transaction:
            return transaction.version

    @contextmanager
    def upgrade(self) -> Iterator[Transaction]:
        """Yield the only writer there is, after making the tables that an older file lacks."""
        engine = _engine(self.path, guarded=False)
        try:
            with _translated(), engine.connect() as connection, _transaction(connection, "BEGIN IMMEDIATE"):
                # Another writer may have come first; then not a byte of the file is changed.
                for version in range(_version(connection) + 1, SCHEMA_VERSION + 1):
                    step = STEPS[version - 1]
                    for sql in step.tables:
                        connection.exec_driver_sql(sql)
                    upgrading.fill(SQLiteTransaction(connection, version), version)
                    for sql in step.triggers:
                        connection.exec_driver_sql(sql)
                    connection.exec_driver_sql(f"PRAGMA user_version={version}")
                yield SQLiteTransaction(connection, SCHEMA_VERSION)
        finally:
            engine.dispose()

    def unrefused(self) -> list[str]:
        """Return the changes that the file's triggers let pass, tried without this program's own guard."""
        engine = _engine(self.path, guarded=False)
        try:
            with _translated(), engine.connect() as connection:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
                try:
                    return let_pass(connection)
                finally:
                    connection.exec_driver_sql("ROLLBACK")
        finally:
            engine.dispose()

    def fold_wal(self) -> bool:
        """Move the write-ahead log into the database file; say whether nobody was in the way."""
        with _translated(), self._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA busy_timeout=0")
            busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar()
            connection.invalidate()  # its time-out must not come back from the pool
        return busy == 0


def _connect(path: Path, *, guarded: bool) -> sqlite3.Connection:
    """Open an existing file; ``guarded`` limits the connection to adding and reading."""
    # A URI, because a path may hold any character, and because mode=rw does not create a missing file.
    uri = path.absolute().as_uri() + ("?mode=ro&immutable=1" if _at_rest(path) else "?mode=rw")
    connection = sqlite3.connect(uri, uri=True, timeout=WAIT_MS / 1000, check_same_thread=False)
    for pragma in ("synchronous=FULL", "recursive_triggers=ON", "trusted_schema=OFF", "cell_size_check=ON"):
        connection.execute(f"PRAGMA {pragma}")
    if sys.version_info >= (3, 12):
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, True)  # noqa: FBT003 -- the API is positional
    if guarded:
        connection.set_authorizer(_authorize)
    return connection


def _ask_for_wal(connection: sa.Connection) -> None:
    """Switch a new file to a write-ahead log; a failure shows only when the answer is read, or is another mode."""
    if connection.exec_driver_sql("PRAGMA journal_mode=WAL").scalar() != "wal":
        raise ConfigurationError(
            "E-STORE-WAL",
            "The disk does not take a log with write-ahead logging.",
            remedy="Check the disk and its free space, and keep the log on a local one. Nothing was made.",
        )


def _at_rest(path: Path) -> bool:
    """Whether the log was closed and its folder cannot be written, so that nobody changes it while it is read.

    SQLite would else want to make the files beside it by which processes share a log, and could not.
    """
    by_effect = os.access in os.supports_effective_ids
    writable = os.access(path.parent, os.W_OK, effective_ids=by_effect)
    return not writable and not path.with_name(path.name + "-wal").exists()


def _is_wal(path: Path) -> bool:
    """Whether a file's header says so (sqlite.org/fileformat2.html, 1.3.3); of a file at rest SQLite does not."""
    with path.open("rb") as file:
        file.seek(18)
        return file.read(2) == b"\x02\x02"


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Allow reading, inserting into the tables and a few PRAGMAs; deny everything else."""
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


_HEADER: dict[str, object] = {"application_id": APPLICATION_ID, "journal_mode": "wal"}


def _version(connection: sa.Connection) -> int:
    version = connection.exec_driver_sql("PRAGMA user_version").scalar()
    return version if isinstance(version, int) else 0


@cache
def _expected_schema(version: int) -> list[tuple[object, ...]]:
    """Return what SQLite itself lists for this version's schema."""
    with sqlite3.connect(":memory:") as memory:
        for sql in statements(version):
            memory.execute(sql)
        return memory.execute("SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def _file(url: str) -> Path:
    path = database_path(url)
    if sqlite3.sqlite_version_info < _OLDEST_SQLITE:
        raise ConfigurationError(
            "E-STORE-SQLITE",
            "The SQLite library of this Python is older than 3.37.",
            remedy="Use a Python built with a newer SQLite.",
        )
    kind = network_type(path)
    if kind is not None:
        raise ConfigurationError(
            "E-STORE-NETWORK",
            f"The log's file lies on a network file system ({kind}), where SQLite's locks and its log are not safe.",
            remedy="Keep it on a disk of this machine, or let a PostgreSQL server keep it; to read one, copy it first.",
        )
    return path


def _create_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise ConfigurationError(
            "E-STORE-CREATE",
            f"The log's file cannot be made ({error.strerror}).",
            remedy="Check that the folder is there and may be written.",
        ) from None

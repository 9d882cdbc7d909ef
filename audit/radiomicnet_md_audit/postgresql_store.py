# SPDX-License-Identifier: Apache-2.0
"""A log on a PostgreSQL server: several writers, on several machines, add to one history in turns.

Rules of this module:

- A session is refused that could do more than add and read (a superuser, the owner, who may become one), whose commits
  do not wait for the disk (``synchronous_commit``, ``fsync``), or whose server is older than 13.
- A writer's turn is an advisory lock that ends with its transaction. Whoever waits longer than 10 seconds gives up;
  who holds it and says nothing for 60 seconds is put out by the server, so that a machine that died stops nobody.
- A commit counts when the server answers COMMIT with COMMIT. An aborted transaction would answer ROLLBACK and no error.
- A connection that failed is not used again, and its server ends what was begun on it. When it broke while a commit was
  under way, nobody here knows whether that commit holds: the failure says so, and the log tells.
- The server's errors become :class:`Problem` by SQLSTATE; see ``postgresql_schema`` for the guards in the database.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg
import sqlalchemy as sa

from radiomicnet_md_audit import store
from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.postgresql_failures import problem, unreachable
from radiomicnet_md_audit.postgresql_schema import CATALOG, MARK, OVERREACH, PATH, expected
from radiomicnet_md_audit.schema import SCHEMA_VERSION
from radiomicnet_md_audit.store import Store, Transaction

_OLDEST_SERVER = 130_000
_WAITS_FOR_DISK = ("on", "remote_apply")  # the others are lower than the default, where the server has a standby
_SILENCE_MS = 60_000
# A network that swallows everything, and says nothing, is given up by the client's kernel (libpq's names and units).
_NETWORK = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}

# Any two numbers, the same in every program that writes: "RMNA", and the kind of lock. A database has one log.
_TURN = f"SELECT pg_advisory_xact_lock({0x524D4E41}, 1)"
_READ, _WRITE = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"

# What was read here is set for the session, so that a reloaded configuration does not lower it behind our back.
_SESSION = """
SELECT set_config('search_path', %s, false), set_config('lock_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', current_setting('synchronous_commit'), false)
"""
_SERVER = """
SELECT current_setting('server_version_num')::int, current_setting('server_encoding'), current_setting('fsync'),
    current_setting('synchronous_commit')
"""
_MARKED = """
SELECT obj_description(oid, 'pg_namespace'), has_schema_privilege(oid, 'USAGE')
FROM pg_namespace WHERE nspname = 'radiomicnet_log'
"""


class PostgreSQLTransaction(Transaction):
    """One view of the log on a server."""

    def check_schema(self) -> int:
        """Return the schema's version.

        Raises where there is no log's schema, a newer version's, or a session that may do more than it needs.
        """
        found = self._connection.exec_driver_sql(_MARKED).first()
        if found is None:
            raise _missing("The database was not prepared for a log.")
        if self._connection.exec_driver_sql(OVERREACH).scalar():
            raise ConfigurationError(
                "E-STORE-ROLE",
                "The database role may do more than add records and read them.",
                remedy="Connect as a role whose only membership is radiomicnet_log_writer or radiomicnet_log_reader.",
            )
        comment, usable = found
        if not usable:
            raise problem(psycopg.errors.InsufficientPrivilege())
        version = (comment or "").removeprefix(MARK)
        if comment != MARK + version or not version.isdecimal():
            raise problem(None)
        if int(version) > SCHEMA_VERSION:
            raise ConfigurationError(
                "E-STORE-NEWER",
                "The log was made by a newer version of this program.",
                remedy="Use that version or a newer one; this one leaves the log as it is.",
            )
        return int(version)

    def check_begun(self) -> None:
        """Raise where the tables are there and no entry is."""
        if not self.size():
            raise _missing("The database is prepared, and no log was made in it.")

    def damage(self) -> list[str]:
        """Return what in schema, guards and grants is not as this version makes it; the server checks its own pages."""
        found = {str(line) for line in self._connection.exec_driver_sql(CATALOG).scalars()}
        wanted = expected(self.version)
        surplus = [f"The database has, and should not have: {_short(line)}" for line in sorted(found - wanted)]
        missing = [f"The database should have, and has not: {_short(line)}" for line in sorted(wanted - found)]
        return (missing + surplus)[:5]


class PostgreSQLStore(Store):
    """A log's database on a server."""

    _version = 0  # until the schema was looked at

    @classmethod
    @contextmanager
    def make(cls, url: str) -> Iterator[Transaction]:
        """Yield the transaction that adds the first entry to tables that an administrator has made."""
        opened = cls._connected(url)
        try:
            if opened.version < SCHEMA_VERSION:
                opened.upgrade()
            with opened.write() as transaction:
                if transaction.size():
                    raise ConfigurationError(
                        "E-STORE-EXISTS",
                        "There is already a log in this database.",
                        remedy="Use the log that is there, or have another database prepared.",
                    )
                yield transaction
        finally:
            opened.close()

    @classmethod
    def reach(cls, url: str) -> PostgreSQLStore:
        """Open a log; raise when server, session or schema are not what they must be, or no entry is there."""
        opened = cls._connected(url)
        try:
            with opened.read() as transaction:
                transaction.check_begun()
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def read(self) -> Iterator[PostgreSQLTransaction]:
        """Yield one consistent view of the log."""
        with self._transaction(_READ) as transaction:
            yield transaction

    @contextmanager
    def write(self) -> Iterator[PostgreSQLTransaction]:
        """Yield the only writer there is; what it added is durable when the block is left without an error."""
        with self._transaction(_WRITE, _TURN) as transaction:
            yield transaction

    @property
    def version(self) -> int:
        """The version of the schema, as it was found."""
        return self._version

    def upgrade(self) -> NoReturn:
        """Raise: the device's role may not make tables."""
        command = f"python -m radiomicnet_md_audit.postgresql_schema --from {self._version}"
        raise ConfigurationError(
            "E-STORE-OLDER",
            f"The log's tables are of version {self._version}; this program writes to version {SCHEMA_VERSION}.",
            remedy=f"Have the administrator run what `{command}` prints. Reading and verifying work as it is.",
        )

    def unrefused(self) -> list[str]:
        """Return the changes that server and role let pass."""
        with self._connection() as connection, _translated():
            try:
                connection.exec_driver_sql(_WRITE)
                return store.let_pass(connection)
            finally:
                connection.invalidate()  # ends the session, and with it the transaction

    @classmethod
    def _connected(cls, url: str) -> PostgreSQLStore:
        opened = cls(_engine(url), None)
        try:
            with opened.read() as transaction:
                opened._version = transaction.check_schema()
        except BaseException:
            opened.close()
            raise
        return opened

    @contextmanager
    def _transaction(self, *begin: str) -> Iterator[PostgreSQLTransaction]:
        with self._connection() as connection, _translated():
            try:
                for sql in begin:
                    connection.exec_driver_sql(sql)
                yield PostgreSQLTransaction(connection, self._version)
                _commit(connection)
            except BaseException:
                connection.invalidate()
                raise

    def _connection(self) -> sa.Connection:
        try:
            return self._engine.connect()
        except sa.exc.DBAPIError as error:
            raise unreachable(error.orig) from error
        except psycopg.Error as error:  # while the session was set up
            raise unreachable(error) from error


def _engine(url: str) -> sa.Engine:
    try:
        # Pinged before use: a server that was restarted since is no failure of what comes next.
        engine = sa.create_engine(
            url,
            isolation_level="AUTOCOMMIT",
            pool_pre_ping=True,
            use_native_hstore=False,
            client_encoding="utf8",
            connect_args={**_NETWORK, "autocommit": True},
        )
    except (sa.exc.ArgumentError, ValueError) as error:
        raise ConfigurationError(
            "E-STORE-URL",
            "The log's address cannot be read.",
            remedy="Write it as postgresql+psycopg://ROLE@HOST:PORT/DATABASE.",
        ) from error
    sa.event.listen(engine, "connect", _prepare)
    return engine


def _prepare(connection: psycopg.Connection[tuple[object, ...]], _: object) -> None:
    """Set a new session up, or refuse it."""
    settings = (PATH, f"{store.WAIT_MS}ms", f"{_SILENCE_MS}ms")
    connection.execute(_SESSION, settings)
    version, encoding, fsync, synchronous = connection.execute(_SERVER).fetchone() or (0, "", "", "")
    if not isinstance(version, int) or version < _OLDEST_SERVER:
        raise ConfigurationError(
            "E-STORE-SERVER",
            "The PostgreSQL server is older than 13.",
            remedy="Use a server of version 13 or later.",
        )
    if encoding != "UTF8":
        raise ConfigurationError(
            "E-STORE-ENCODING",
            f"The database keeps text as {encoding}, and a record may hold any character.",
            remedy="Have the database made with ENCODING 'UTF8'.",
        )
    if fsync != "on" or synchronous not in _WAITS_FOR_DISK:
        raise ConfigurationError(
            "E-STORE-DURABILITY",
            f"The server does not wait for its disk (fsync {fsync}, synchronous_commit {synchronous}).",
            remedy="Set fsync and synchronous_commit to on for this database and role.",
        )


def _commit(connection: sa.Connection) -> None:
    session = connection.connection.driver_connection
    if not isinstance(session, psycopg.Connection):
        raise TypeError(session)
    if session.execute("COMMIT").statusmessage != "COMMIT":
        raise problem(None)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise problem(error.orig) from error
    except psycopg.Error as error:
        raise problem(error) from error


def _short(line: str) -> str:
    return " ".join(line.split())[:120]


def _missing(message: str) -> ConfigurationError:
    return ConfigurationError(
        "E-STORE-MISSING",
        message,
        remedy="Have the database prepared (docs/how-to/log-on-postgresql.md), then run `radiomicnet-md init`.",
    )

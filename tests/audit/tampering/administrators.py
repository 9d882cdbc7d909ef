# SPDX-License-Identifier: Apache-2.0
"""Both databases without their guards, which are back, and look untouched, when the administrator leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from radiomicnet_md_audit.postgresql_schema import PATH
from tests.audit.tampering.attacks import Execute
from tests.audit.tampering.scene import Scene


@contextmanager
def without_guards(scene: Scene) -> Iterator[Execute]:
    """Give a function that runs SQL past the triggers; ``?`` marks a value. The file's digest is noted anew."""
    with (_sqlite if scene.server is None else _postgresql)(scene) as execute:
        yield execute
    scene.settle()


@contextmanager
def _sqlite(scene: Scene) -> Iterator[Execute]:
    """Drop the triggers of the file, and make them again."""
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as connection:
        query = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
        guards = connection.execute(query).fetchall()
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        yield lambda sql, *values: connection.execute(sql, values).fetchall()
        for _, sql in guards:
            connection.execute(sql)


@contextmanager
def _postgresql(scene: Scene) -> Iterator[Execute]:
    """Disable the triggers of the tables, and enable them as they were."""
    with superuser(scene) as execute:
        found = execute(
            "SELECT relname, tgname FROM pg_trigger JOIN pg_class ON tgrelid = pg_class.oid"
            " WHERE relnamespace = 'radiomicnet_log'::regnamespace AND NOT tgisinternal"
        )
        for table, name in found:
            execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        yield execute
        for table, name in found:
            execute(f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {name}")


@contextmanager
def superuser(scene: Scene, role: str = "postgres") -> Iterator[Execute]:
    """A session on the server, as a superuser or in another role; ``?`` marks a value, as in SQLite."""
    if scene.server is None:
        raise ValueError("this attack needs a server")
    cluster, name = scene.server
    with cluster.session(role, name) as connection:
        connection.execute(f"SET search_path = {PATH}")

        def execute(sql: str, *values: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(sql.replace("?", "%s"), values or None)
            return cursor.fetchall() if cursor.description else []

        yield execute

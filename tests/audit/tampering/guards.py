# SPDX-License-Identifier: Apache-2.0
"""The guards of both databases: tried by whoever the catalogue says, and taken away for good."""

from __future__ import annotations

import sqlite3
from contextlib import closing

from radiomicnet_md_audit.store import Store
from tests.audit.tampering.administrators import superuser
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import Scene


@attack
def through_the_product(scene: Scene, sql: str) -> None:
    """Run SQL on the connection that the product itself uses to write."""
    store = Store.open(scene.url)
    try:
        with store.write() as transaction:
            transaction._connection.exec_driver_sql(sql)
    finally:
        store.close()


@attack
def through_a_shell(scene: Scene, statements: list[str]) -> None:
    """Run SQL on the file as any program can, and leave no digest behind that would tell."""
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    scene.settle()


@attack
def rewritten_schema(scene: Scene) -> None:
    """Write the schema's own table, so that a guard is there by name and does nothing."""
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, 'raise(ABORT, ''append-only'')', '1')"
            " WHERE name = 'entry_no_update'"
        )
    with closing(sqlite3.connect(scene.database, isolation_level=None)) as connection:
        connection.execute("UPDATE entry SET counter = 77 WHERE idx = 3")
    scene.settle()


@attack
def on_the_server(scene: Scene, role: str, statements: list[str]) -> None:
    """Run SQL on the server as this role."""
    with superuser(scene, role) as execute:
        for statement in statements:
            execute(statement)

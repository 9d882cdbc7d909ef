# SPDX-License-Identifier: Apache-2.0
"""The tables of a log in SQLite and their append-only triggers, as text that ``sqlite_store`` executes and compares.

Rules of this module:

- Tables are STRICT; an entry, a node and a checkpoint are added in order, without gap.
- UPDATE and DELETE are refused. ``INSERT OR REPLACE`` deletes without firing a delete trigger unless the connection
  asks for it, so a repeated key is refused before the insert.
"""

from __future__ import annotations

from collections.abc import Iterator

SCHEMA_VERSION = 1
APPLICATION_ID = 0x524D4E41  # "RMNA": `file` and SQLite's own tools can tell the log from another database

_TABLES = (
    """CREATE TABLE entry (
    idx INTEGER PRIMARY KEY,
    envelope BLOB NOT NULL,
    record_id TEXT NOT NULL UNIQUE,
    request TEXT UNIQUE,
    producer TEXT NOT NULL,
    counter INTEGER NOT NULL,
    UNIQUE (producer, counter)
) STRICT""",
    """CREATE TABLE node (
    level INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID""",
    """CREATE TABLE checkpoint (
    size INTEGER PRIMARY KEY,
    note TEXT NOT NULL
) STRICT""",
)
_ORDER = {
    "entry": """NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry)
    OR EXISTS (SELECT 1 FROM entry WHERE record_id = NEW.record_id OR request = NEW.request)
    OR EXISTS (SELECT 1 FROM entry WHERE producer = NEW.producer AND counter = NEW.counter)""",
    "node": "NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM node WHERE level = NEW.level)",
    "checkpoint": "NEW.size IS NOT (SELECT coalesce(max(size) + 1, 1) FROM checkpoint)",
}


def _triggers(table: str) -> Iterator[str]:
    yield (
        f"CREATE TRIGGER {table}_in_order BEFORE INSERT ON {table} WHEN {_ORDER[table]}\n"
        f"BEGIN SELECT raise(ABORT, 'append-only: out of order or repeated'); END"
    )
    for action in ("UPDATE", "DELETE"):
        yield (
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}\n"
            f"BEGIN SELECT raise(ABORT, 'append-only'); END"
        )


TABLES = frozenset(_ORDER)
SCHEMA = (*_TABLES, *(sql for table in _ORDER for sql in _triggers(table)))

# SPDX-License-Identifier: Apache-2.0
"""The tables of a log in SQLite and their append-only triggers, as text that ``sqlite_store`` executes and compares.

Rules of this module:

- Tables are STRICT; an entry, a node and a checkpoint are added in order, without gap. An event is added for the newest
  entry alone.
- UPDATE and DELETE are refused. ``INSERT OR REPLACE`` deletes without firing a delete trigger unless the connection
  asks for it, so a repeated key is refused before the insert.
- A version is the one before it and a step; what a step adds is never changed later. Version 2 lists the entries that
  are no decisions, so that keys, holds and erasures are found without reading every entry.
"""

from __future__ import annotations

from typing import NamedTuple

APPLICATION_ID = 0x524D4E41  # "RMNA": `file` and SQLite's own tools can tell the log from another database

_ORDER = {
    "entry": """NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entry)
    OR EXISTS (SELECT 1 FROM entry WHERE record_id = NEW.record_id OR request = NEW.request)
    OR EXISTS (SELECT 1 FROM entry WHERE producer = NEW.producer AND counter = NEW.counter)""",
    "node": "NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM node WHERE level = NEW.level)",
    "checkpoint": "NEW.size IS NOT (SELECT coalesce(max(size) + 1, 1) FROM checkpoint)",
    "event": """NEW.idx IS NOT (SELECT max(idx) FROM entry)
    OR EXISTS (SELECT 1 FROM event WHERE idx = NEW.idx)""",
}


class Step(NamedTuple):
    """What one version adds to the one before it; rows of new tables are filled in before their triggers exist."""

    tables: tuple[str, ...]
    triggers: tuple[str, ...]


def _triggers(*tables: str) -> tuple[str, ...]:
    texts: list[str] = []
    for table in tables:
        texts.append(
            f"CREATE TRIGGER {table}_in_order BEFORE INSERT ON {table} WHEN {_ORDER[table]}\n"
            f"BEGIN SELECT raise(ABORT, 'append-only: out of order or repeated'); END"
        )
        texts += (
            f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table}\n"
            f"BEGIN SELECT raise(ABORT, 'append-only'); END"
            for action in ("UPDATE", "DELETE")
        )
    return tuple(texts)


STEPS = (
    Step(
        (
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
        ),
        _triggers("entry", "node", "checkpoint"),
    ),
    Step(
        (
            """CREATE TABLE event (
    idx INTEGER PRIMARY KEY,
    kind TEXT NOT NULL
) STRICT""",
        ),
        _triggers("event"),
    ),
)
SCHEMA_VERSION = len(STEPS)
TABLES = frozenset(_ORDER)


def statements(version: int = SCHEMA_VERSION) -> tuple[str, ...]:
    """Return the SQL that makes a database of this version, in order."""
    return tuple(sql for step in STEPS[:version] for sql in (*step.tables, *step.triggers))

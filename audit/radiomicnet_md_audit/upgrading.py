# SPDX-License-Identifier: Apache-2.0
"""A log that an older version made goes on under this one, and says so in a record.

Rules of this module:

- Entries, nodes and checkpoints stay as they are, and so does every proof. What a newer database holds beside them is
  taken from them.
- What the database's version is by the log's own word (its genesis, or the newest migration record) is what the last
  writer made it. Where the database is newer than that word, the next writer adds a migration record.
"""

from __future__ import annotations

import hashlib
import secrets

from radiomicnet_md_audit import dsse, statement
from radiomicnet_md_audit.store import Transaction

_PAGE = 256
WITH_EVENTS = 2
NAME = "schema"  # the member of a genesis or migration that tells the database's version


def fill(transaction: Transaction, version: int) -> None:
    """Put into the tables that came with a version what the entries say; raise ``IntegrityError`` for a damaged one."""
    if version == WITH_EVENTS:
        _events(transaction)


def noted(transaction: Transaction) -> int:
    """Return the version that the log says it has."""
    if transaction.version < WITH_EVENTS:
        return 1
    events = transaction.events((statement.GENESIS, statement.MIGRATION))
    row = transaction.row(events[-1]) if events else None
    return 1 if row is None else told(statement.parse(dsse.parse_unverified(row.envelope).payload)) or 1


def told(said: statement.Statement) -> int | None:
    """Return the version that a genesis or migration record tells of; 1 in a genesis made before there was another."""
    if said.predicate_type not in (statement.GENESIS, statement.MIGRATION):
        return None
    version = said.predicate.get(NAME, 1)
    return version if type(version) is int else None


def migration(old: int, new: int) -> dict[str, object]:
    """Return the record that tells of a database that became one of a newer version."""
    identity = statement.record_id(secrets.token_bytes(16))
    predicate: dict[str, object] = {"record_id": identity, "from": old, NAME: new}
    subject = {"schema": hashlib.sha256(f"radiomicnet-md-log schema {new}".encode()).hexdigest()}
    return statement.build(statement.MIGRATION, subject, predicate)


def _events(transaction: Transaction) -> None:
    size = transaction.size()
    for start in range(0, size, _PAGE):
        for row in transaction.rows(start, min(start + _PAGE, size)):
            kind = statement.event(statement.parse(dsse.parse_unverified(row.envelope).payload).document)
            if kind is not None:
                transaction.add_event(row.index, kind)

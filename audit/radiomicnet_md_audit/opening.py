# SPDX-License-Identifier: Apache-2.0
"""What must hold of a log before it is used, and what brings it up to date.

Rules of this module:

- The keys that a log names are those of its genesis, followed through its records of their changes.
- Who writes must have exactly the keys in force, and finds nothing that does not hold. Who only reads may look at a
  broken log, and verify it: changes of keys are followed as far as they hold.
- An older log is brought to this version by its next writer, with a record of it.
"""

from __future__ import annotations

from radiomicnet_md_audit import dsse, keychange, settled, statement, upgrading
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.appending import Writer, append, bad_head
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.schema import SCHEMA_VERSION
from radiomicnet_md_audit.store import Store, Transaction, database_path, on_server


def opened(url: str) -> Store:
    """Open a log's database; raise what the store raises, or that the file is not the one that was closed."""
    try:
        return Store.open(url)
    except ConfigurationError:
        # A changed byte of the file's header can look like a log of another version.
        if not on_server(url) and settled.differs(database_path(url)):
            raise IntegrityError(
                "E-STORE-CHANGED",
                "The log's database file is not the one that was closed last.",
                remedy="Keep the file as it is and restore the log from a backup; verify the backup.",
            ) from None
        raise


def changes(transaction: Transaction) -> list[int]:
    """Return the indices of the records of changes of keys."""
    return transaction.events((statement.KEY_EVENT,)) if transaction.version >= upgrading.WITH_EVENTS else []


def declared_keys(transaction: Transaction, *, writing: bool) -> Policy:
    """Return the keys that the log names, by size; raise :class:`IntegrityError` where its genesis does not hold.

    A writer is not given keys of a log whose changes of keys do not hold, either.
    """
    declared = _genesis_keys(transaction)
    try:
        for index in changes(transaction):
            row = transaction.row(index)
            if row is None:
                bad_head()
            opened = dsse.open_(row.envelope, declared.engine_keys_at(index + 1), dsse.STATEMENT_TYPE)
            declared = keychange.applied(declared, statement.parse(opened.payload), index + 1)
    except IntegrityError:
        if writing:
            raise
    return declared


def _genesis_keys(transaction: Transaction) -> Policy:
    """Return the keys of the genesis, after checking that its genesis is signed by the key it names."""
    row = transaction.row(0)
    if row is None:
        bad_head()
    payload = dsse.parse_unverified(row.envelope).payload
    declared = policies.from_genesis(statement.parse(payload))
    dsse.open_(row.envelope, declared.engine_keys_at(1), dsse.STATEMENT_TYPE)
    return declared


def check_origin(trusted: Policy | None, declared: Policy) -> None:
    """Raise :class:`IntegrityError` where log and policy are of different names."""
    if trusted is not None and trusted.origin != declared.origin:
        raise IntegrityError(
            "E-ORIGIN",
            "The log is not the one that the policy is about.",
            remedy="Check that home and policy belong to the same site.",
        )


def check_writer(writer: Writer, declared: Policy, size: int) -> None:
    """Raise where the writer's keys are not those in force for the entry after ``size`` others."""
    known = writer.engine_key.public.keyid in declared.engine_keys_at(size + 1)
    if not known or writer.log_keys.public(declared.origin) != declared.log_keys_at(size + 1):
        raise ConfigurationError(
            "E-KEY-FOREIGN",
            "The given keys are not those that the log has now.",
            remedy="Use the keys of this log's own home; copy them again where they were changed.",
        )


def upgraded(store: Store, writer: Writer, declared: Policy, size: int) -> int:
    """Bring an older log to this version, with a record of it; return the size."""
    with store.read() as transaction:
        version, noted = transaction.version, upgrading.noted(transaction)
    if noted == SCHEMA_VERSION:
        return size
    with store.upgrade() if version < SCHEMA_VERSION else store.write() as transaction:
        noted = upgrading.noted(transaction)
        if noted < SCHEMA_VERSION:  # no other writer came first
            keys = declared.log_keys_at(transaction.size())
            append(transaction, upgrading.migration(noted, SCHEMA_VERSION), writer, declared.origin, keys)
        return transaction.size()

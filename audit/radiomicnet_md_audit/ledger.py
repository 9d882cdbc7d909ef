# SPDX-License-Identifier: Apache-2.0
"""A record that was given a receipt is signed, in the tree, under a signed checkpoint, on the disk and anchored.

Rules of this module:

- One append is one transaction (see ``appending``). After its commit the anchor line is written and synced, and only
  then the receipt is given. A crash at any point leaves a log that verifies; a record without receipt may be in it.
- A log is made with its first entry, the genesis, in the same transaction as its tables. The genesis names the
  log (origin) and its keys. A policy, if given, must agree with it.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from radiomicnet_md_audit import clock, dsse, merkle, proof, settled, statement, upgrading
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored, AnchorFile
from radiomicnet_md_audit.appending import Receipt, Writer, append, ask_again, bad_head, checked_edge
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError, Problem
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.schema import SCHEMA_VERSION
from radiomicnet_md_audit.sign import CosigningKey, SigningKey
from radiomicnet_md_audit.sqlite_store import SQLiteStore
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.store import Store, Transaction, database_path, on_server

_PAGE = 256


@dataclass(frozen=True)
class Entry:
    """The exact signed bytes at a place in the log."""

    index: int
    envelope: bytes


class Ledger:
    """An append-only log in a database."""

    def __init__(
        self, store: Store, declared: Policy, trusted: Policy | None, writer: Writer | None, anchor: AnchorFile | None
    ) -> None:
        """Use :meth:`create` or :meth:`open`."""
        self.store = store
        self.declared = declared
        self.trusted = trusted
        self._writer = writer
        self._anchor = anchor
        self._written: dict[int, Anchored] = {}  # the anchor lines of this ledger's last two appends

    @classmethod
    def create(  # noqa: PLR0913 -- the parts of a log, each of them needed
        cls,
        url: str,
        origin: str,
        engine_key: SigningKey,
        log_key: SigningKey,
        anchor: Path | None,
        *,
        cosigner: CosigningKey | None = None,
        clock: Callable[[], clock.Instant] = clock.now,
    ) -> Ledger:
        """Make a log with its genesis entry, and return it opened.

        ``origin`` names the log for ever (``example.org/site/log``); ``anchor`` is a file outside the home.
        ``cosigner`` adds an ML-DSA-44 cosignature to every checkpoint. Raises :class:`ConfigurationError` when
        something is in the way or cannot be written.
        """
        writer = Writer(engine_key, LogKeys(log_key, cosigner), clock)
        keys = writer.log_keys.public(origin)
        identity = statement.record_id(secrets.token_bytes(16))
        predicate = {
            "record_id": identity,
            **policies.genesis_predicate(origin, keys, engine_key.public),
            upgrading.NAME: SCHEMA_VERSION,
        }
        subject = {origin: hashlib.sha256(keys[0].vkey().encode()).hexdigest()}
        if anchor is not None:
            AnchorFile(anchor).create()
        with Store.create(url) as transaction:
            append(transaction, statement.build(statement.GENESIS, subject, predicate), writer, origin, ())
        return cls.open(url, engine_key, log_key, anchor, cosigner=cosigner, clock=clock)

    @classmethod
    def open(  # noqa: PLR0913 -- as for create
        cls,
        url: str,
        engine_key: SigningKey | None,
        log_key: SigningKey | None,
        anchor: Path | None,
        *,
        cosigner: CosigningKey | None = None,
        policy: Policy | None = None,
        clock: Callable[[], clock.Instant] = clock.now,
    ) -> Ledger:
        """Open a log; with both keys it can be appended to, without them read and verified.

        Raises :class:`IntegrityError` when the genesis does not hold and, for a writer, when the head does not hold or
        the anchor contradicts it; :class:`ConfigurationError` for a wrong key or a log of a newer version.
        """
        writer = None
        if engine_key is not None and log_key is not None:
            writer = Writer(engine_key, LogKeys(log_key, cosigner), clock)
        store = _opened(url)
        try:
            with store.read() as transaction:
                declared = _genesis_policy(transaction)
                _check_origin(policy, declared)
                size = transaction.size()
                if writer is not None:  # who only reads may look at a broken log, and verify it
                    checked_edge(transaction, size, declared.log_keys_at(size), declared.origin)
            ledger = cls(store, declared, policy, writer, None if anchor is None else AnchorFile(anchor))
            if writer is not None:
                _check_writer(writer, declared, size)
                ledger._anchor_up_to(_upgraded(store, writer, declared, size))
        except BaseException:
            store.close()
            raise
        return ledger

    def __enter__(self) -> Self:
        """Use the ledger in a ``with`` block, so that it is closed."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the ledger."""
        self.close()

    def close(self) -> None:
        """Let the database go; where this ledger could write to a file, note its digest (see ``settled``)."""
        if self._writer is not None and isinstance(self.store, SQLiteStore):
            # Receipts are out already; without the note, verification says that it is outdated.
            with suppress(Problem):
                settled.write(self.store)
        self.store.close()

    @property
    def writer(self) -> Writer:
        """The keys; raises :class:`ConfigurationError` where the log was opened without them."""
        if self._writer is None:
            raise ConfigurationError(
                "E-LEDGER-READING",
                "The log was opened without its keys and can only be read.",
                remedy="Open it with the engine's and the log's key.",
            )
        return self._writer

    @property
    def origin(self) -> str:
        """The name of the log."""
        return self.declared.origin

    @property
    def size(self) -> int:
        """The number of entries, the genesis included."""
        with self.store.read() as transaction:
            return transaction.size()

    def append(self, document: dict[str, object]) -> Receipt:
        """Complete, sign and store a statement; return its receipt when it is durable and anchored.

        Raises :class:`BusyError` when another writer holds the log for 10 seconds, :class:`RecordError` for a repeated
        record or request, :class:`ConfigurationError` when the log or the anchor cannot be written, and
        :class:`IntegrityError` when the log's head does not hold.
        """
        writer = self.writer
        with self.store.write() as transaction:
            keys = self.declared.log_keys_at(transaction.size())
            receipt = append(transaction, document, writer, self.origin, keys)
        self._written = {
            **{size: line for size, line in self._written.items() if size == receipt.index},
            receipt.size: Anchored(receipt.size, receipt.checkpoint, receipt.time_utc),
        }
        self._anchor_up_to(receipt.size)
        return receipt

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield the entries from ``start`` to before ``stop`` (the present end), in order."""
        end = self.size if stop is None else min(stop, self.size)
        for page in range(max(start, 0), end, _PAGE):
            with self.store.read() as transaction:
                rows = transaction.rows(page, min(page + _PAGE, end))
            yield from (Entry(row.index, row.envelope) for row in rows)

    def events(self, *predicate_types: str) -> Iterator[Entry]:
        """Yield the entries of these types, none of them that of decisions, in order."""
        with self.store.read() as transaction:
            listed = transaction.version >= upgrading.WITH_EVENTS
            indices = transaction.events(predicate_types) if listed else range(transaction.size())
        for index in indices:
            for entry in self.entries(index, index + 1):
                if listed or self.read(entry).predicate_type in predicate_types:
                    yield entry

    def find(self, record_id: str) -> Entry:
        """Return the entry with this record id or unambiguous beginning of one.

        Raises :class:`RecordError` ``E-RECORD-UNKNOWN`` or ``E-RECORD-AMBIGUOUS``.
        """
        with self.store.read() as transaction:
            rows = transaction.by_record(record_id.lower()) if record_id.isascii() and record_id.isalnum() else []
        if len(rows) > 1:
            ask_again("E-RECORD-AMBIGUOUS", "Several records have an id that begins like this.")
        if not rows:
            ask_again("E-RECORD-UNKNOWN", "No record of this log has an id that begins like this.")
        return Entry(rows[0].index, rows[0].envelope)

    def find_request(self, request_id: str) -> Entry | None:
        """Return the record that ended a request, if one did."""
        with self.store.read() as transaction:
            row = transaction.by_request(request_id)
        return None if row is None else Entry(row.index, row.envelope)

    def read(self, entry: Entry) -> Statement:
        """Return what an entry says, after checking its signature; raise :class:`IntegrityError` if it is bad."""
        keys = (self.trusted or self.declared).engine_keys_at(entry.index + 1)
        return statement.parse(dsse.open_(entry.envelope, keys, dsse.STATEMENT_TYPE).payload)

    def latest_checkpoint(self) -> str:
        """Return the newest signed checkpoint."""
        with self.store.read() as transaction:
            return transaction.note(transaction.size())

    def inclusion(self, index: int) -> str:
        """Return the C2SP tlog-proof that the entry at ``index`` is under the newest checkpoint."""
        with self.store.read() as transaction:
            size = transaction.size()
            path = merkle.inclusion(transaction.node, index, size)
            return str(proof.Inclusion(index, tuple(path), transaction.note(size)))

    def consistency(self, old_size: int) -> str:
        """Return the proof, as in C2SP tlog-witness, that the log of ``old_size`` is a prefix of the present one."""
        with self.store.read() as transaction:
            size = transaction.size()
            path = merkle.consistency(transaction.node, old_size, size)
            return str(proof.Consistency(old_size, tuple(path), transaction.note(size)))

    def anchor_text(self) -> bytes | None:
        """Return the whole anchor, or None where the log has none."""
        return None if self._anchor is None else self._anchor.read()

    def _anchor_up_to(self, size: int) -> None:
        if self._anchor is not None:
            self._anchor.catch_up(size, self._anchored)

    def _anchored(self, size: int) -> Anchored | None:
        if size in self._written:
            return self._written[size]
        with self.store.read() as transaction:
            row = transaction.row(size - 1)
            if row is None:
                return None
            note = transaction.note(size)
        payload = dsse.parse_unverified(row.envelope).payload
        return Anchored(size, note, statement.parse(payload).log.time_utc)


def _upgraded(store: Store, writer: Writer, declared: Policy, size: int) -> int:
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


def _opened(url: str) -> Store:
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


def _genesis_policy(transaction: Transaction) -> Policy:
    """Return what the log says about itself, after checking that its genesis is signed by the key it names."""
    row = transaction.row(0)
    if row is None:
        bad_head()
    payload = dsse.parse_unverified(row.envelope).payload
    declared = policies.from_genesis(statement.parse(payload))
    dsse.open_(row.envelope, declared.engine_keys_at(1), dsse.STATEMENT_TYPE)
    return declared


def _check_origin(trusted: Policy | None, declared: Policy) -> None:
    if trusted is not None and trusted.origin != declared.origin:
        raise IntegrityError(
            "E-ORIGIN",
            "The log is not the one that the policy is about.",
            remedy="Check that home and policy belong to the same site.",
        )


def _check_writer(writer: Writer, declared: Policy, size: int) -> None:
    known = writer.engine_key.public.keyid in declared.engine_keys_at(size + 1)
    if not known or writer.log_keys.public(declared.origin) != declared.log_keys_at(size + 1):
        raise ConfigurationError(
            "E-KEY-FOREIGN",
            "The given keys are not those that the log was made with.",
            remedy="Use the keys of this log's own home.",
        )

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
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from radiomicnet_md_audit import (
    checkpoint,
    clock,
    dsse,
    keychange,
    merkle,
    opening,
    proof,
    settled,
    statement,
    upgrading,
)
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored, AnchorFile, AnchorText
from radiomicnet_md_audit.appending import Receipt, Writer, append, ask_again, checked_edge
from radiomicnet_md_audit.checkpoint import LogKeys
from radiomicnet_md_audit.errors import ConfigurationError, Problem
from radiomicnet_md_audit.keychange import Change, Role
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.schema import SCHEMA_VERSION
from radiomicnet_md_audit.sign import CosigningKey, Signer
from radiomicnet_md_audit.sqlite_store import SQLiteStore
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.store import Store, Transaction
from radiomicnet_md_audit.testimony import OutsideFile, beside

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
        self._size = -1  # of the log when this ledger last wrote to it, with the keys that it had then
        self._changes: list[int] | None = None

    @classmethod
    def create(  # noqa: PLR0913 -- the parts of a log, each of them needed
        cls,
        url: str,
        origin: str,
        engine_key: Signer,
        log_key: Signer,
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
        engine_key: Signer | None,
        log_key: Signer | None,
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
        store = opening.opened(url)
        try:
            with store.read() as transaction:
                declared = opening.declared_keys(transaction, writing=writer is not None)
                opening.check_origin(policy, declared)
                size = transaction.size()
                if writer is not None:
                    checked_edge(transaction, size, declared.log_keys_at(size), declared.origin)
                    opening.check_writer(writer, declared, size)
            ledger = cls(store, declared, policy, writer, None if anchor is None else AnchorFile(anchor))
            if writer is not None:
                ledger._anchor_up_to(opening.upgraded(store, writer, declared, size))
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
        with self.store.write() as transaction:
            size = transaction.size()
            if size != self._size:  # somebody else has written, or this is the first
                self._catch_up(transaction)
            receipt = append(transaction, document, self.writer, self.origin, self.declared.log_keys_at(size))
        self._size = receipt.size
        self._written = {
            **{size: line for size, line in self._written.items() if size == receipt.index},
            receipt.size: Anchored(receipt.size, receipt.checkpoint, receipt.time_utc),
        }
        self._anchor_up_to(receipt.size)
        return receipt

    def change_key(self, role: Role, key: Signer | CosigningKey, compromised_from: int | None = None) -> Receipt:
        """Record that ``key`` takes the place of the present one; return the receipt of that record.

        The next append uses the new key. ``compromised_from`` is the size from which the old one may have been in other
        hands. Raises as :meth:`append` does, and :class:`IntegrityError` ``E-KEY-EVENT`` where the log has no key of
        this role, has known the new one before, or never had that size.
        """
        writer, size = self.writer, self.size + 1
        public: keychange.Key = NoteKey(self.origin, key.public)
        if role is Role.ENGINE and not isinstance(key, CosigningKey):
            public = key.public
        change = Change(role, keychange.current(self.declared, role, size), public, compromised_from)
        keychange.check(change, self.declared, size)
        identity = statement.record_id(secrets.token_bytes(16))
        predicate = change.predicate(self.origin, identity, writer.key(role), key)
        receipt = self.append(statement.build(statement.KEY_EVENT, {"key": change.introduces_sha256}, predicate))
        self.declared = self.declared.changed(change.retires, public, receipt.size + 1, compromised_from)
        if self.trusted is not None:  # who holds the keys trusts what they have just agreed to
            self.trusted = self.trusted.changed(change.retires, public, receipt.size + 1, compromised_from)
        self._writer, self._changes = writer.with_key(role, key), None
        return receipt

    def entries(self, start: int = 0, stop: int | None = None) -> Iterator[Entry]:
        """Yield the entries from ``start`` to before ``stop`` (the present end), in order."""
        end = self.size if stop is None else min(stop, self.size)
        for page in range(max(start, 0), end, _PAGE):
            with self.store.read() as transaction:
                rows = transaction.rows(page, min(page + _PAGE, end))
            yield from (Entry(row.index, row.envelope) for row in rows)

    def events(self, *predicate_types: str, start: int = 0) -> Iterator[Entry]:
        """Yield the entries of these types, none of them that of decisions, from ``start`` on, in order."""
        with self.store.read() as transaction:
            listed = transaction.version >= upgrading.WITH_EVENTS
            indices = transaction.events(predicate_types) if listed else range(transaction.size())
        for index in indices[bisect_left(indices, start) :]:
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

    def holds(self, record_id: str) -> bool:
        """Say whether a record is in the log; for who has its keys, and was not told what became of an append.

        Asked in a writer's turn, when no append is under way: a server may go on with a commit whose client is gone.
        """
        with self.store.write() as transaction:
            return any(row.record_id == record_id for row in transaction.by_record(record_id))

    def find_request(self, request_id: str) -> Entry | None:
        """Return the record that ended a request, if one did."""
        with self.store.read() as transaction:
            row = transaction.by_request(request_id)
        return None if row is None else Entry(row.index, row.envelope)

    def read(self, entry: Entry) -> Statement:
        """Return what an entry says, after checking its signature; raise :class:`IntegrityError` if it is bad."""
        keys = (self.trusted or self.declared).engine_keys_at(entry.index + 1)
        return statement.parse(dsse.open_(entry.envelope, keys, dsse.STATEMENT_TYPE).payload)

    def receipt(self, entry: Entry) -> Receipt:
        """Return again what was given for this entry when it was appended.

        Raises :class:`IntegrityError` where its signature, or the checkpoint of that moment, is bad.
        """
        said = self.read(entry)
        with self.store.read() as transaction:
            note = transaction.note(entry.index + 1)
        keys = (self.trusted or self.declared).log_keys_at(entry.index + 1)
        head = checkpoint.open_(note, keys, self.origin)
        return Receipt(
            record_id=said.record_id,
            index=entry.index,
            size=head.size,
            root=head.root.hex(),
            leaf_sha256=merkle.leaf_hash(entry.envelope).hex(),
            envelope_sha256=hashlib.sha256(entry.envelope).hexdigest(),
            checkpoint=note,
            keyid=said.log.producer,
            time_utc=said.log.time_utc,
        )

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

    def copy(self, path: Path) -> int:
        """Write the log as it is now into a new database file, with the note of its digest; return its size.

        Others may write meanwhile. Raises :class:`ConfigurationError` ``E-STORE-COPY``, and ``E-STORE-NO-FILE`` where
        a server keeps the log.
        """
        if not isinstance(self.store, SQLiteStore):
            raise ConfigurationError(
                "E-STORE-NO-FILE",
                "A database server keeps this log; there is no file to copy.",
                remedy="Let the server's own tools copy it: pg_dump --format=custom, of the whole database at once.",
            )
        with self.store.read() as transaction:
            size = transaction.size()
            transaction.copy(path)
        settled.note(path, size)
        return size

    def anchor_text(self) -> AnchorText | None:
        """Return the whole anchor, or None where the log has none."""
        return None if self._anchor is None else self._anchor.read()

    @property
    def outside(self) -> OutsideFile | None:
        """The file of what others said about this log, or None where it has no anchor to lie beside."""
        return None if self._anchor is None else OutsideFile(beside(self._anchor.path))

    def _catch_up(self, transaction: Transaction) -> None:
        """Follow the log's keys to its present end; raise where this ledger's are not in force any more."""
        changes = opening.changes(transaction)
        if changes != self._changes:
            self.declared = opening.declared_keys(transaction, writing=True)
            self._changes = changes
        opening.check_writer(self.writer, self.declared, transaction.size())

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

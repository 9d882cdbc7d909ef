# SPDX-License-Identifier: Apache-2.0
"""One record becomes the newest entry of a log, inside a transaction that somebody else began and will end.

Rules of this module:

- Read the head, check it, add origin, producer and counter, sign the record, hash it into the tree, sign a checkpoint,
  store all three.
- The head is checked before every append: a checkpoint that does not belong to the stored tree stops the log.
- Record ids never repeat, a request ends at most once, and counters of a producer (an engine key) have no gap.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import NoReturn, cast

from radiomicnet_md_audit import canonical, checkpoint, clock, dsse, merkle, statement
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError, RecordError
from radiomicnet_md_audit.keychange import Role
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.sign import CosigningKey, Signer
from radiomicnet_md_audit.store import Row, Transaction


@dataclass(frozen=True)
class Receipt:
    """Proof for the caller that a record is in the log; digests and root in hex, ``size`` after this record."""

    record_id: str
    index: int
    size: int
    root: str
    leaf_sha256: str
    envelope_sha256: str
    checkpoint: str
    keyid: str
    time_utc: str


@dataclass(frozen=True)
class Writer:
    """What it takes to append: the engine's key signs records, the log's keys sign checkpoints."""

    engine_key: Signer
    log_keys: LogKeys
    clock: Callable[[], clock.Instant] = clock.now

    def key(self, role: Role) -> Signer | CosigningKey:
        """Return the key of a role; raise ``KeyError`` where this writer has no cosigner."""
        keys = {Role.ENGINE: self.engine_key, Role.LOG: self.log_keys.signer, Role.COSIGNER: self.log_keys.cosigner}
        key = keys[role]
        if key is None:
            raise KeyError(role)
        return key

    def with_key(self, role: Role, key: Signer | CosigningKey) -> Writer:
        """Return a writer with another key for this role."""
        if isinstance(key, CosigningKey):
            return replace(self, log_keys=replace(self.log_keys, cosigner=key))
        if role is Role.ENGINE:
            return replace(self, engine_key=key)
        return replace(self, log_keys=replace(self.log_keys, signer=key))


def append(
    transaction: Transaction, document: dict[str, object], writer: Writer, origin: str, keys: tuple[NoteKey, ...]
) -> Receipt:
    """Add a statement as the newest entry; ``keys`` are those that must have signed the checkpoint before it."""
    size = transaction.size()
    edge = checked_edge(transaction, size, keys, origin)
    identity = statement.check_draft(document)
    request = statement.terminal_request(document)
    _refuse_repeated(transaction, identity, request)
    moment = writer.clock()
    keyid = writer.engine_key.public.keyid
    log = statement.LogPart(origin, keyid, transaction.next_counter(keyid), moment.text(), moment.monotonic_ns)
    payload = canonical.dumps(_completed(document, log))
    envelope = dsse.seal(payload, dsse.STATEMENT_TYPE, writer.engine_key)
    if len(envelope) > dsse.LARGEST_ENTRY:
        raise ConfigurationError(
            "E-RECORD-LARGE",
            f"A record of {len(envelope)} bytes is larger than the {dsse.LARGEST_ENTRY} that an entry may have.",
            remedy="Keep maps and lists as artefacts and put their digests into the record.",
        )
    leaf = merkle.leaf_hash(envelope)
    nodes = edge.append(leaf)
    head = Checkpoint(origin, edge.size, edge.root())
    note = checkpoint.issue(head, writer.log_keys, moment.posix_seconds())
    row = Row(size, envelope, identity, request, keyid, log.counter)
    transaction.add(row, statement.event(document), nodes, note)
    return Receipt(
        record_id=identity,
        index=size,
        size=head.size,
        root=head.root.hex(),
        leaf_sha256=leaf.hex(),
        envelope_sha256=hashlib.sha256(envelope).hexdigest(),
        checkpoint=note,
        keyid=keyid,
        time_utc=log.time_utc,
    )


def checked_edge(transaction: Transaction, size: int, keys: tuple[NoteKey, ...], origin: str) -> merkle.Frontier:
    """Return the tree's right edge after checking that the newest checkpoint is signed and is about this tree."""
    edge = merkle.Frontier(size, transaction.nodes_at(merkle.peaks(size)))
    if size == 0:
        return edge
    head = checkpoint.open_(transaction.note(size), keys, origin)
    if (head.size, head.root) != (size, edge.root()):
        bad_head()
    return edge


def _refuse_repeated(transaction: Transaction, identity: str, request: str | None) -> None:
    if any(row.record_id == identity for row in transaction.by_record(identity)):
        ask_again("E-RECORD-REPEATED", "A record with this id is already in the log.")
    if request is not None and transaction.by_request(request) is not None:
        ask_again("E-REQUEST-DONE", "This request already has its one terminal record.")


def _completed(document: dict[str, object], log: statement.LogPart) -> dict[str, object]:
    predicate = cast("dict[str, object]", document["predicate"])
    return {**document, "predicate": {**predicate, "log": asdict(log)}}


def ask_again(code: str, message: str) -> NoReturn:
    """Raise for a record that is not there, or must not be there a second time."""
    raise RecordError(code, message, remedy="List the records with `radiomicnet-md audit list`.")


def bad_head() -> NoReturn:
    """Raise for a checkpoint that is not of the stored tree."""
    raise IntegrityError(
        "E-LOG-HEAD",
        "The log's newest checkpoint does not belong to the tree that is stored.",
        remedy="Run `radiomicnet-md audit verify`, keep the file as it is, and restore the log from a backup.",
    )

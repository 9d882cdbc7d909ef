# SPDX-License-Identifier: Apache-2.0
"""The database holds what its entries say, all of it, and nothing else.

Rules of this module:

- The walk over entries and checkpoints is that of ``verify``; here the columns and nodes that are stored a second time
  are held against what the entries give, SQLite checks its file, and the schema must be the one that was created.
- Everything is read in one transaction: a writer may go on meanwhile.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

from radiomicnet_md_audit import settled, statement, upgrading
from radiomicnet_md_audit.anchor import AnchorText
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.evidence import Evidence
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.merkle import Node
from radiomicnet_md_audit.statement import Statement
from radiomicnet_md_audit.store import Row, Transaction
from radiomicnet_md_audit.verify import COPY, Claim, Findings, Report, Walk

AS_CLOSED = "database file as it was closed"
_PAGE = 1024


def verify_ledger(
    ledger: Ledger,
    anchor: AnchorText | None,
    *,
    signatures: bool = True,
    anchor_is_copy: bool = False,
    outside: bytes = b"",
) -> Report:
    """Verify a whole log; ``anchor`` is the anchor's text: ``ledger.anchor_text()``, or a copy kept elsewhere.

    What others said is read from the file beside the log's anchor; ``outside`` is a copy of it kept elsewhere. The
    trusted keys, and whom else to believe, are those of the policy that the ledger was opened with. Without
    ``signatures`` the report says so and is never ok (see ``verify``). Does not raise for what it finds.
    """
    walk = Walk(
        ledger.trusted, anchor, signatures=signatures, anchor_is=COPY if anchor_is_copy else _own_anchor(ledger)
    )
    evidence = Evidence(ledger.trusted)
    # Read before the log: what is said about a size that the log does not have yet is no rollback.
    evidence.hear(b"" if ledger.outside is None else ledger.outside.read())
    evidence.hear(outside)
    database = Findings()
    size = 0
    try:
        with ledger.store.read() as transaction:
            size = transaction.size()
            _rows(transaction, size, walk, evidence, database)
            _counts(transaction, size, database)
            for text in transaction.damage():
                database.add(None, "E-STORE-CORRUPT", text)
        _leads(walk)
    except IntegrityError as problem:
        database.add_problem(walk.tree.size, problem)
    file = Findings()
    as_closed = _as_closed(ledger.store.path, size, file)
    consistent, *others = walk.claims()
    if database.count and consistent.ok:
        consistent = Claim(consistent.name, ok=False, text="The database does not hold what its entries say.")
    claims = (consistent, *others, as_closed, *evidence.claims(walk.tree.size))
    findings = walk.findings(database, file, *evidence.findings())
    return Report(walk.tree.size, walk.tree.root().hex(), claims, findings)


def _own_anchor(ledger: Ledger) -> str:
    where = "on this machine, and a server keeps the log" if ledger.store.path is None else "on the same machine"
    return f"the log's own, {where}"


def _rows(transaction: Transaction, size: int, walk: Walk, evidence: Evidence, database: Findings) -> None:
    rows: deque[Row] = deque()  # those that were read and are being looked at
    kinds: dict[int, str] = {}  # of those rows that are listed as no decisions
    listed = transaction.version >= upgrading.WITH_EVENTS

    def entries() -> Iterator[tuple[bytes, str]]:
        for start in range(0, size, _PAGE):
            stop = min(start + _PAGE, size)
            page, notes = transaction.rows(start, stop), transaction.notes(start + 1, stop + 1)
            if [row.index for row in page] != list(range(start, stop)):
                database.add(start, "E-LOG-GAP", "Entries are missing between others.")
                return
            rows.extend(page)
            if listed:
                kinds.update(transaction.kinds(start, stop))
            yield from ((row.envelope, notes.get(row.index + 1, "")) for row in page)

    made: list[Node] = []
    events, noted = 0, 1
    for seen in walk.feed_all(entries()):
        row = rows.popleft()
        kind = kinds.pop(row.index, None)
        events += kind is not None
        if seen.said is not None:
            noted = upgrading.told(seen.said) or noted
            _columns(row, kind if listed else statement.event(seen.said.document), seen.said, database)
        evidence.grown(seen.task.index + 1, seen.task.root)
        made.extend(seen.task.nodes)
        if len(made) >= _PAGE:
            _nodes(transaction, made, database)
            made.clear()
    _nodes(transaction, made, database)
    if transaction.version < noted:
        database.add(None, "E-STORE-CORRUPT", "The database is of an older version than its log says.")
    if listed and transaction.event_count() != events:
        database.add(None, "E-STORE-ROWS", "There are more rows of events than the entries make.")


def _columns(row: Row, kind: str | None, said: Statement, database: Findings) -> None:
    derived = (said.record_id, said.terminal_request, said.log.producer, said.log.counter)
    stored = (row.record_id, row.request, row.producer, row.counter)
    if derived != stored or statement.event(said.document) != kind:
        database.add(row.index, "E-STORE-COLUMN", "A column differs from the signed record that it was taken from.")


def _nodes(transaction: Transaction, made: Sequence[Node], database: Findings) -> None:
    """Hold the nodes that some entries in a row complete against the stored ones, level by level."""
    levels: dict[int, list[Node]] = {}
    for node in made:
        levels.setdefault(node.level, []).append(node)
    wrong: set[int] = set()
    for level, nodes in levels.items():
        stored = transaction.nodes(level, nodes[0].index, nodes[-1].index + 1)
        # A node is complete by the last entry below it.
        wrong |= {(n.index + 1 << level) - 1 for n, other in zip(nodes, stored, strict=True) if n.hash != other}
    for index in sorted(wrong):
        database.add(index, "E-STORE-NODE", "A stored node of the tree is not the hash of the entries below it.")


def _counts(transaction: Transaction, size: int, database: Findings) -> None:
    expected = sum(size >> level for level in range(size.bit_length()))
    if transaction.node_count() != expected or transaction.checkpoint_count() != size:
        database.add(None, "E-STORE-ROWS", "There are more or fewer nodes or checkpoints than the entries make.")


def _leads(walk: Walk) -> None:
    """An anchor that knows more entries than the log: the log was set back."""
    if walk.anchor_goes_on() is not None:
        text = "The anchor knows more entries than the log: the log was set back or entries were cut off."
        walk.anchoring.add(walk.tree.size, "E-ANCHOR-LEADS", text)


def _as_closed(path: Path | None, size: int, file: Findings) -> Claim:
    if path is None:
        return Claim(AS_CLOSED, ok=None, text="A database server keeps the log; no file of it is here.")
    texts = {
        settled.State.SAME: "Not a byte of the file has changed since a writer closed it.",
        settled.State.OUTDATED: "The log is in use, or its last writer was killed; the next orderly close notes it.",
        settled.State.ABSENT: "No digest of the closed file was noted here.",
    }
    state = settled.check(path, size)
    if state is not settled.State.CHANGED:
        return Claim(AS_CLOSED, ok=True if state is settled.State.SAME else None, text=texts[state])
    text = "The file, or the note of its digest, is not what the last writer left."
    file.add(None, "E-STORE-CHANGED", text)
    return Claim(AS_CLOSED, ok=False, text=text)

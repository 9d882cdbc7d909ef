# SPDX-License-Identifier: Apache-2.0
"""What one entry and its checkpoint say by themselves, given whose signatures and which root they should have.

Rules of this module:

- :func:`examine` depends on its arguments alone, so that entries can be looked at in any order and in processes.
- An envelope, its payload and its checkpoint are each parsed once.
- Nothing here raises for what an entry holds; what is wrong is listed, in the order of the checks.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from radiomicnet_md_audit import checkpoint, dsse, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.merkle import Node
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.sign import VerifyingKey
from radiomicnet_md_audit.statement import Statement


class KeysAt(NamedTuple):
    """The keys that are valid at one size: those of engines by id, and those that sign the checkpoint."""

    engine: dict[str, VerifyingKey]
    log: tuple[NoteKey, ...]


class Ring:
    """A policy's keys by size; they are picked once for each stretch of sizes between two changes."""

    def __init__(self, policy: Policy) -> None:
        """Serve the keys of this policy."""
        self.policy = policy
        spans = (*(span for _, span in policy.engine_keys), *(span for _, span in policy.log_keys))
        self._changes = sorted({edge for span in spans for edge in (span.start, span.stop) if edge is not None})
        self._picked: dict[int, KeysAt] = {}

    def at(self, size: int) -> KeysAt:
        """Return the keys that are valid at this size."""
        stretch = bisect_right(self._changes, size)
        keys = self._picked.get(stretch)
        if keys is None:
            keys = self._picked[stretch] = KeysAt(self.policy.engine_keys_at(size), self.policy.log_keys_at(size))
        return keys


class Wrong(NamedTuple):
    """Something that does not hold."""

    code: str
    text: str

    @classmethod
    def of(cls, problem: IntegrityError) -> Self:
        """Say what a failed check said."""
        return cls(problem.code, str(problem))


@dataclass(slots=True)
class Task:
    """An entry at its place: the nodes that it completes, the root that its checkpoint has to name, the keys there.

    ``declared`` has the keys that the log names, if it does; ``wrong`` is what was found when they were followed here.
    """

    index: int
    envelope: bytes
    note: str
    nodes: list[Node]
    root: bytes
    declared: Ring | None
    wrong: Wrong | None = None


@dataclass(slots=True)
class Seen:
    """What was found at an entry: what it says, if all of it holds, and by which key it says to be signed."""

    task: Task
    said: Statement | None = None
    keyid: str | None = None
    fits: bool = True  # False where a signed checkpoint is about another tree
    record: list[Wrong] = field(default_factory=list)
    checkpoint: list[Wrong] = field(default_factory=list)
    trust: list[Wrong] = field(default_factory=list)


def examine(task: Task, trusted: Ring | None) -> Seen:
    """Check form and signature of the entry, the signatures of its checkpoint, and both against the reader's keys.

    ``trusted`` has the keys of the reader's policy, where there is one. Signatures are checked with those that the log
    names, and with the reader's where it names none.
    """
    seen = Seen(task)
    if task.wrong is not None:
        seen.record.append(task.wrong)
    known = task.declared or trusted
    if len(task.envelope) > dsse.LARGEST_ENTRY:
        seen.record.append(Wrong("E-RECORD-LARGE", f"The entry is larger than {dsse.LARGEST_ENTRY} bytes."))
    try:
        parts = dsse.parse_unverified(task.envelope)
    except IntegrityError as problem:
        seen.record.append(Wrong.of(problem))
        if trusted is not None:
            seen.trust.append(Wrong.of(problem))
    else:
        seen.keyid = parts.keyid
        _record(parts, known, seen)
        if trusted is not None:
            _trusted(task.declared, trusted, seen)
    _checkpoint(known, seen)
    return seen


def _record(parts: dsse.Unverified, known: Ring | None, seen: Seen) -> None:
    try:
        said = statement.parse(parts.payload)
        if seen.task.index == 0:
            policies.from_genesis(said)
        dsse.check(parts, _ring(known).at(seen.task.index + 1).engine, dsse.STATEMENT_TYPE)
    except IntegrityError as problem:
        seen.record.append(Wrong.of(problem))
    else:
        seen.said = said


def _checkpoint(known: Ring | None, seen: Seen) -> None:
    size, note = seen.task.index + 1, seen.task.note
    try:
        ring = _ring(known)
        keys = ring.at(size).log
        head, lines = checkpoint.opened(note, keys, ring.policy.origin)
    except IntegrityError as problem:
        seen.checkpoint.append(Wrong.of(problem))
        return
    if lines != keys:
        text = "A checkpoint holds signatures that are not the log's, or holds them in another order."
        seen.checkpoint.append(Wrong("E-CHECKPOINT-LINES", text))
    seen.fits = head.size == size and head.root == seen.task.root


def _trusted(declared: Ring | None, trusted: Ring, seen: Seen) -> None:
    """Hold the keys against the policy; signatures by keys that the log itself names are checked already."""
    size = seen.task.index + 1
    keys = trusted.at(size)
    if seen.keyid not in keys.engine:
        text = "The policy does not trust the record's key at this size; a change of keys takes a newer policy."
        seen.trust.append(Wrong("E-KEY-UNTRUSTED", text))
    checked = () if declared is None else declared.at(size).log
    if not keys.log or not all(key in checked for key in keys.log):
        try:
            checkpoint.open_(seen.task.note, keys.log, trusted.policy.origin)
        except IntegrityError as problem:
            seen.trust.append(Wrong.of(problem))


def _ring(known: Ring | None) -> Ring:
    if known is None:
        raise IntegrityError(
            "E-GENESIS",
            "The log's keys are not known, because its first entry does not hold.",
            remedy="Verify with a policy, and compare the first entry with earlier exports.",
        )
    return known

# SPDX-License-Identifier: Apache-2.0
"""From records, checkpoints and public keys alone, says what is proven and what is not.

Rules of this module:

- Three claims, never one green word: *internally consistent* (every record, node and checkpoint follows from the
  others and is signed by the keys that the log names), *consistent with the anchor* (the log was not set back or
  rewritten since), *signed by trusted keys* (those of the reader's own policy).
- A claim that was not checked says so (``ok`` is None). A report is ok when at least one claim holds and none fails.
- :class:`Walk` reads a log once, from its first entry to its last, in constant memory but for ids it has seen;
  it takes bytes from anywhere and does no input or output.
- One cause gives one finding: after the first checkpoint that does not fit its tree, later ones are not reported.
"""

from __future__ import annotations

from dataclasses import dataclass

from radiomicnet_md_audit import checkpoint, dsse, merkle, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored, parse_line
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NoteKey
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.statement import Statement

MOST_FINDINGS = 100
_LONGEST_LINE = 256 * 1024

CONSISTENT = "internally consistent"
ANCHORED = "consistent with the anchor"
TRUSTED = "signed by trusted keys"


@dataclass(frozen=True)
class Claim:
    """Something that was to be shown: ``ok`` is True, False, or None where it was not checked."""

    name: str
    ok: bool | None
    text: str


@dataclass(frozen=True)
class Finding:
    """Something that does not hold, and the entry that it was seen at."""

    index: int | None
    code: str
    text: str


@dataclass(frozen=True)
class Report:
    """What a verification has shown; ``root`` is the tree root over ``size`` entries, in hex."""

    size: int
    root: str
    claims: tuple[Claim, ...]
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether something was shown and nothing failed."""
        return not self.findings and any(c.ok for c in self.claims) and not any(c.ok is False for c in self.claims)

    def document(self) -> dict[str, object]:
        """Return the report as plain values for JSON."""
        return {
            "ok": self.ok,
            "size": self.size,
            "root": self.root,
            "claims": [{"name": claim.name, "ok": claim.ok, "text": claim.text} for claim in self.claims],
            "findings": [{"index": one.index, "code": one.code, "text": one.text} for one in self.findings],
        }


class Findings:
    """A list of findings that keeps the first ones and counts the rest."""

    def __init__(self) -> None:
        """Begin with none."""
        self.kept: list[Finding] = []
        self.count = 0

    def add(self, index: int | None, code: str, text: str) -> None:
        """Note one finding."""
        self.count += 1
        if self.count <= MOST_FINDINGS:
            self.kept.append(Finding(index, code, text))

    def add_problem(self, index: int | None, problem: IntegrityError) -> None:
        """Note a failed check."""
        self.add(index, problem.code, str(problem))


class Walk:
    """Checks a log entry by entry; feed it every entry with its checkpoint, in order, then ask for claims."""

    def __init__(self, policy: Policy | None, anchor: bytes | None) -> None:
        """Check against this policy and this anchor, where they are given."""
        self.tree = merkle.Frontier()
        self.consistency = Findings()
        self.trust = Findings()
        self.anchoring = Findings()
        self.declared: Policy | None = None
        self._policy = policy
        self._anchor = anchor
        self._anchor_position = 0
        self._anchor_last: Anchored | None = None
        self._anchor_open = anchor is not None
        self._root_differs = False
        self._record_ids: set[str] = set()
        self._requests: set[str] = set()
        self._counters: dict[str, int] = {}

    def feed(self, envelope: bytes, note: str) -> tuple[Statement | None, list[merkle.Node]]:
        """Check the next entry and its checkpoint; return what it says, if it says it properly, and its nodes."""
        index = self.tree.size
        said = self._entry(index, envelope)
        nodes = self.tree.append(merkle.leaf_hash(envelope))
        self._checkpoint(index, note)
        self._trusted(index, envelope, note)
        if self._anchor_open:
            self._anchored(index, said, note)
        return said, nodes

    def claims(self) -> tuple[Claim, ...]:
        """Return the three claims after the last entry."""
        if self.tree.size == 0:
            self.consistency.add(None, "E-LOG-EMPTY", "There is no entry at all; nothing was verified.")
        return (self._consistency_claim(), self._anchor_claim(), self._trust_claim())

    def findings(self) -> tuple[Finding, ...]:
        """Return everything found, up to the limit."""
        lists = (self.consistency, self.anchoring, self.trust)
        kept = [finding for one in lists for finding in one.kept]
        hidden = sum(one.count for one in lists) - len(kept)
        if hidden:
            kept.append(Finding(None, "E-MORE", f"{hidden} more findings are not listed."))
        return tuple(kept)

    def _entry(self, index: int, envelope: bytes) -> Statement | None:
        try:
            said = statement.parse(dsse.parse_unverified(envelope).payload)
            if index == 0:
                self.declared = policies.from_genesis(said)
            keys = self._keys().engine_keys_at(index + 1)
            opened = dsse.open_(envelope, keys, dsse.STATEMENT_TYPE)
        except IntegrityError as problem:
            self.consistency.add_problem(index, problem)
            return None
        self._once(index, said, opened.keyid)
        return said

    def _once(self, index: int, said: Statement, keyid: str) -> None:
        """Check that the record belongs here, and nowhere and never again."""
        if said.log.origin != self._keys().origin:
            self.consistency.add(index, "E-ORIGIN", "The record was made for another log.")
        if said.log.producer != keyid:
            self.consistency.add(index, "E-PRODUCER", "The record names another producer than the key that signed it.")
        if said.log.counter != self._counters.get(said.log.producer, 0):
            self.consistency.add(index, "E-COUNTER", "The producer's counter has a gap or a repetition.")
        self._counters[said.log.producer] = said.log.counter + 1
        if said.record_id in self._record_ids:
            self.consistency.add(index, "E-RECORD-REPEATED", "The record's id was used before: a replayed record.")
        self._record_ids.add(said.record_id)
        if said.terminal_request in self._requests:
            self.consistency.add(index, "E-REQUEST-REPEATED", "The request already had its terminal record.")
        if said.terminal_request is not None:
            self._requests.add(said.terminal_request)
        if index and said.predicate_type == statement.GENESIS:
            self.consistency.add(index, "E-GENESIS", "A second genesis stands inside the log.")

    def _checkpoint(self, index: int, note: str) -> None:
        try:
            keys = self._keys().log_keys_at(index + 1)
            head = checkpoint.open_(note, keys, self._keys().origin)
            _, parsed = checkpoint.parse_unverified(note)
        except IntegrityError as problem:
            self.consistency.add_problem(index, problem)
            return
        if len(parsed.signatures) != len(keys):
            self.consistency.add(index, "E-CHECKPOINT-LINES", "A checkpoint holds signatures that are not the log's.")
        fits = head.size == index + 1 and head.root == self.tree.root()
        if not fits and not self._root_differs:
            self._root_differs = True
            text = "The checkpoint is not that of the entries up to here: one of them was changed, moved or removed."
            self.consistency.add(index, "E-CHECKPOINT-ROOT", text)

    def _trusted(self, index: int, envelope: bytes, note: str) -> None:
        """Hold the keys against the policy; signatures by keys that the log itself names are checked already."""
        if self._policy is None:
            return
        size = index + 1
        try:
            keyid = dsse.parse_unverified(envelope).keyid
            if keyid not in self._policy.engine_keys_at(size):
                self.trust.add(index, "E-KEY-UNTRUSTED", "The record's key is not trusted by the policy at this size.")
            trusted = self._policy.log_keys_at(size)
            if not trusted or not set(trusted) <= set(self._declared_log_keys(size)):
                checkpoint.open_(note, trusted, self._policy.origin)
        except IntegrityError as problem:
            self.trust.add_problem(index, problem)

    def _declared_log_keys(self, size: int) -> tuple[NoteKey, ...]:
        return () if self.declared is None else self.declared.log_keys_at(size)

    def _anchored(self, index: int, said: Statement | None, note: str) -> None:
        """Hold the anchor's next line against the one that the log would write for this entry."""
        anchor = self._anchor or b""
        rest = anchor[self._anchor_position : self._anchor_position + _LONGEST_LINE]
        expected = b"" if said is None else Anchored(index + 1, note, said.log.time_utc).line()
        if said is not None and rest.startswith(expected):
            self._anchor_position += len(expected)
            self._anchor_last = Anchored(index + 1, note, said.log.time_utc)
            return
        self._anchor_open = False
        # What a crash leaves unfinished is the beginning of the next line; an anchor may lag behind its log.
        if not expected.startswith(rest):
            text = "The anchor holds another checkpoint here than the log: one of the two was changed or set back."
            self.anchoring.add(index, "E-ANCHOR-DIFFERS", text)

    def anchor_goes_on(self) -> Anchored | None:
        """Return the anchor's line after the last entry of this log, if it has one."""
        if not self._anchor_open or self._anchor is None:
            return None
        line, newline, _ = self._anchor[self._anchor_position :].partition(b"\n")
        return parse_line(line) if newline else None

    def _keys(self) -> Policy:
        """Return the keys to check signatures with: those the log names, else those the reader trusts."""
        known = self.declared or self._policy
        if known is None:
            raise IntegrityError(
                "E-GENESIS",
                "The log's keys are not known, because its first entry does not hold.",
                remedy="Verify with a policy, and compare the first entry with earlier exports.",
            )
        return known

    def _consistency_claim(self) -> Claim:
        if self.consistency.count:
            return Claim(CONSISTENT, ok=False, text=f"{self.consistency.count} findings in {self.tree.size} entries.")
        text = f"{self.tree.size} entries, their signatures, counters, tree and checkpoints follow from each other."
        return Claim(CONSISTENT, ok=True, text=text)

    def _anchor_claim(self) -> Claim:
        if self._anchor is None:
            return Claim(ANCHORED, ok=None, text="No anchor was given: a log set back as a whole would not be seen.")
        if not self.anchoring.count and self._anchor_last is None:
            self.anchoring.add(None, "E-ANCHOR-EMPTY", "The anchor holds no checkpoint of this log.")
        if self.anchoring.count or self._anchor_last is None:
            return Claim(ANCHORED, ok=False, text=self.anchoring.kept[0].text)
        last = self._anchor_last
        text = f"Consistent with the anchor of {last.time_utc}, which covers {last.size} of {self.tree.size} entries"
        return Claim(ANCHORED, ok=True, text=f"{text}; it was written on the same machine.")

    def _trust_claim(self) -> Claim:
        if self._policy is None:
            return Claim(TRUSTED, ok=None, text="No policy was given: the log vouches for its own keys.")
        if self.trust.count:
            return Claim(TRUSTED, ok=False, text=f"{self.trust.count} signatures are not by keys of the policy.")
        if self.consistency.count:
            return Claim(TRUSTED, ok=False, text="Not shown, because signatures or the tree do not hold.")
        return Claim(TRUSTED, ok=True, text="Every record and checkpoint is signed by keys that the policy trusts.")

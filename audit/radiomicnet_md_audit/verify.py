# SPDX-License-Identifier: Apache-2.0
"""From records, checkpoints and public keys alone, says what is proven and what is not.

Rules of this module:

- Three claims, never one green word: *internally consistent* (every record, node and checkpoint follows from the
  others and is signed by the keys that the log names), *consistent with the anchor* (the log was not set back or
  rewritten since), *signed by trusted keys* (those of the reader's own policy).
- A claim that was not checked says so (``ok`` is None). A report is ok when the log is consistent and nothing fails.
- A walk without signatures makes a claim of another name and never a report that is ok: the tree holds, but what the
  entries say and who signed them was not looked at.
- :class:`Walk` reads a log once, from its first entry to its last. It keeps 16 bytes of every record id and request,
  and a few hundred entries that other processes look at; it takes bytes from anywhere and does no input or output.
- The log's keys are followed through its records of their changes, in order; each entry is judged by those at its size.
- One cause gives one finding: after the first checkpoint that does not fit its tree, later ones are not reported.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from radiomicnet_md_audit import clock, dsse, keychange, merkle, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored, AnchorText, parse_line
from radiomicnet_md_audit.attested import Attested
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.crew import Crew
from radiomicnet_md_audit.errors import IntegrityError, Problem
from radiomicnet_md_audit.examine import Ring, Seen, Task, Wrong, examine
from radiomicnet_md_audit.ids import Ids
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.statement import Statement

MOST_FINDINGS = 100
_LONGEST_LINE = 256 * 1024

STRUCTURE = "entries, tree and checkpoints fit together"
CONSISTENT = "internally consistent"
ANCHORED = "consistent with the anchor"
TRUSTED = "signed by trusted keys"
UNCOMPROMISED = "signed while no key was in other hands"
SIGNED = "electronic signatures"

COPY = "a copy that you gave"

# Entries are looked at in groups, a few groups ahead of the one whose findings are taken.
_GROUP = 32
_GROUPS_AHEAD = 16


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
        """Whether the log was shown to be consistent, signatures included, and nothing failed."""
        return self.sound and any(claim.ok and claim.name == CONSISTENT for claim in self.claims)

    @property
    def sound(self) -> bool:
        """Whether nothing failed of what was checked; only the claims tell what that was."""
        return not self.findings and not any(claim.ok is False for claim in self.claims)

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

    def add_all(self, index: int | None, wrongs: Iterable[Wrong]) -> None:
        """Note what was wrong at one entry."""
        for code, text in wrongs:
            self.add(index, code, text)

    def add_problem(self, index: int | None, problem: IntegrityError) -> None:
        """Note a failed check."""
        self.add(index, problem.code, str(problem))


class Walk:
    """Checks a log entry by entry; feed it every entry with its checkpoint, in order, then ask for claims."""

    def __init__(
        self, policy: Policy | None, anchor: AnchorText | None, *, signatures: bool = True, anchor_is: str = COPY
    ) -> None:
        """Check against this policy and this anchor, where they are given; ``anchor_is`` tells where it was kept.

        Without ``signatures``, entries are hashed into the tree and checkpoints compared with it; what entries say and
        who signed is checked for the first and the last of them alone.
        """
        self.tree = merkle.Frontier()
        self.consistency = Findings()
        self.trust = Findings()
        self.anchoring = Findings()
        self.signing = Findings()
        self.declared: Policy | None = None
        self._signatures = signatures
        self._policy = policy
        self._declared_ring: Ring | None = None
        self._policy_ring = None if policy is None else Ring(policy)
        self._anchor = anchor
        self._anchor_is = anchor_is
        self._anchor_position = 0
        self._anchor_last: Anchored | None = None
        self._anchor_open = anchor is not None and signatures
        self._root_differs = False
        self._records = Ids()
        self._requests = Ids()
        self._counters: dict[str, int] = {}
        self._moments: dict[str, tuple[str, int]] = {}
        self._set_back: tuple[int, int] | None = None  # how often the clock was, and first before which entry
        self._last: Task | None = None
        self._attested = Attested()

    def feed(self, envelope: bytes, note: str) -> tuple[Statement | None, list[merkle.Node]]:
        """Check the next entry and its checkpoint; return what it says, if it says it properly, and its nodes."""
        seen = self._take(self._look(self._grow(envelope, note)))
        return seen.said, seen.task.nodes

    def feed_all(self, entries: Iterable[tuple[bytes, str]]) -> Iterator[Seen]:
        """Check entries and their checkpoints on all cores, and yield what was seen of each, in order.

        ``entries`` is read a few hundred entries ahead of what is yielded. What it raises is raised here, after the
        entries before it.
        """
        tasks = (self._grow(envelope, note) for envelope, note in entries)
        if not self._signatures:
            yield from (self._take(self._look(task)) for task in tasks)
            return
        with Crew(self._policy_ring) as crew:
            waiting: deque[Future[list[Seen]]] = deque()
            failed: Problem | OSError | None = None
            while failed is None:
                group, failed = _group(tasks)
                if not group:
                    break
                waiting.append(crew.look(group))
                if len(waiting) > _GROUPS_AHEAD:
                    yield from map(self._take, waiting.popleft().result())
            for future in waiting:
                yield from map(self._take, future.result())
            if failed is not None:
                raise failed

    def claims(self) -> tuple[Claim, ...]:
        """Return the claims after the last entry: the three, after a fourth where signatures were not checked."""
        if self.tree.size == 0:
            self.consistency.add(None, "E-LOG-EMPTY", "There is no entry at all; nothing was verified.")
        if self._signatures:
            more = (*self._compromise_claim(), *self._signature_claim())
            return (self._consistency_claim(), self._anchor_claim(), self._trust_claim(), *more)
        if self._last is not None:
            last = examine(self._last, self._policy_ring)
            self.consistency.add_all(self._last.index, (*last.record, *last.checkpoint))
            self.trust.add_all(self._last.index, last.trust)
        unchecked = [Claim(name, ok=None, text=_UNCHECKED) for name in (CONSISTENT, ANCHORED, TRUSTED)]
        if self.trust.count:
            unchecked[-1] = self._trust_claim()
        return (self._structure_claim(), *unchecked)

    def findings(self, *others: Findings) -> tuple[Finding, ...]:
        """Return everything found here and in others' lists, each up to the limit."""
        lists = (self.consistency, self.anchoring, self.trust, self.signing, *others)
        kept = [finding for one in lists for finding in one.kept]
        hidden = sum(one.count for one in lists) - len(kept)
        if hidden:
            kept.append(Finding(None, "E-MORE", f"{hidden} more findings are not listed."))
        return tuple(kept)

    def _grow(self, envelope: bytes, note: str) -> Task:
        """Take the next entry into the tree; the first one names the keys for all that follow."""
        index = self.tree.size
        if index == 0:
            try:
                self.declared = policies.from_genesis(statement.parse(dsse.parse_unverified(envelope).payload))
                self._declared_ring = Ring(self.declared)
            except IntegrityError:
                pass  # looking at the entry finds it again, and notes it
        nodes = self.tree.append(merkle.leaf_hash(envelope))
        task = Task(index, envelope, note, nodes, self.tree.root(), self._declared_ring)
        if index and keychange.may_be_change(envelope):
            self._follow(task)
        return task

    def _follow(self, task: Task) -> None:
        """Take a change of the log's keys over, for the entries after this one."""
        try:
            said = statement.parse(dsse.parse_unverified(task.envelope).payload)
            if self.declared is not None and said.predicate_type == statement.KEY_EVENT:
                self.declared = keychange.applied(self.declared, said, task.index + 1)
                self._declared_ring = Ring(self.declared)
        except IntegrityError as problem:
            task.wrong = Wrong.of(problem)

    def _look(self, task: Task) -> Seen:
        if self._signatures or task.index == 0 or task.wrong is not None:
            return examine(task, self._policy_ring)
        self._last = task
        origin = self.declared.origin if self.declared is not None else ""
        head = Checkpoint(origin, task.index + 1, task.root)
        return Seen(task, fits=task.note.startswith(f"{head}\n— "))

    def _take(self, seen: Seen) -> Seen:
        """Note what was found at the next entry, and check what only the entries before it can tell."""
        task = seen.task
        self.consistency.add_all(task.index, seen.record)
        if seen.said is not None:
            self._once(task.index, seen.said, seen.keyid)
        if self._signatures:
            self._attest(task, seen.said)
        self.consistency.add_all(task.index, seen.checkpoint)
        self.trust.add_all(task.index, seen.trust)
        if not seen.fits and not self._root_differs:
            self._root_differs = True
            text = "The checkpoint is not that of the entries up to here: one of them was changed, moved or removed."
            self.consistency.add(task.index, "E-CHECKPOINT-ROOT", text)
        if self._anchor_open:
            self._anchored(task.index, seen.said, task.note)
        return seen

    def _once(self, index: int, said: Statement, keyid: str | None) -> None:
        """Check that the record belongs here, and nowhere and never again."""
        known = self.declared or self._policy
        if known is not None and said.log.origin != known.origin:
            self.consistency.add(index, "E-ORIGIN", "The record was made for another log.")
        if said.log.producer != keyid:
            self.consistency.add(index, "E-PRODUCER", "The record names another producer than the key that signed it.")
        if said.log.counter != self._counters.get(said.log.producer, 0):
            self.consistency.add(index, "E-COUNTER", "The producer's counter has a gap or a repetition.")
        self._counters[said.log.producer] = said.log.counter + 1
        moment = (said.log.time_utc, said.log.monotonic_ns)
        if clock.was_set_back(self._moments.get(said.log.producer, moment), moment):
            times, first = self._set_back or (0, index)
            self._set_back = (times + 1, first)
        self._moments[said.log.producer] = moment
        if not self._records.add(statement.number(said.record_id)):
            self.consistency.add(index, "E-RECORD-REPEATED", "The record's id was used before: a replayed record.")
        if said.terminal_request is not None:
            # Two requests with one such digest would take 2**64 attempts to make, and would be a false alarm.
            request = int.from_bytes(hashlib.sha256(said.terminal_request.encode()).digest()[:16], "big")
            if not self._requests.add(request):
                self.consistency.add(index, "E-REQUEST-REPEATED", "The request already had its terminal record.")
        if index and said.predicate_type == statement.GENESIS:
            self.consistency.add(index, "E-GENESIS", "A second genesis stands inside the log.")

    def _anchored(self, index: int, said: Statement | None, note: str) -> None:
        """Hold the anchor's next line against the one that the log would write for this entry."""
        anchor, position = self._anchor or b"", self._anchor_position
        expected = b""
        if said is not None:
            line = Anchored(index + 1, note, said.log.time_utc)
            expected = line.line()
            if anchor[position : position + len(expected)] == expected:
                self._anchor_position += len(expected)
                self._anchor_last = line
                return
        self._anchor_open = False
        rest = anchor[position : position + _LONGEST_LINE]
        # What a crash leaves unfinished is the beginning of the next line; an anchor may lag behind its log.
        if not expected.startswith(rest):
            text = "The anchor holds another checkpoint here than the log: one of the two was changed or set back."
            self.anchoring.add(index, "E-ANCHOR-DIFFERS", text)

    def _attest(self, task: Task, said: Statement | None) -> None:
        """Hold a person's signature, or a change of a person, against what the log says before it."""
        known = self.declared or self._policy
        problem = self._attested.take(task.envelope, said, known.origin if known is not None else "")
        if problem is not None:
            self.signing.add_problem(task.index, problem)

    @property
    def anchored(self) -> Anchored | None:
        """The anchor's line of the newest entry that it and this log share."""
        return self._anchor_last

    def anchor_goes_on(self) -> Anchored | None:
        """Return the anchor's line after the last entry of this log, if it has one."""
        if not self._anchor_open or self._anchor is None:
            return None
        end = self._anchor.find(b"\n", self._anchor_position)
        return parse_line(self._anchor[self._anchor_position : end]) if end >= 0 else None

    def _structure_claim(self) -> Claim:
        if self.consistency.count:
            return Claim(STRUCTURE, ok=False, text=f"{self.consistency.count} findings in {self.tree.size} entries.")
        text = f"{self.tree.size} entries make the trees that the checkpoints name, and the last checkpoint is signed."
        return Claim(STRUCTURE, ok=True, text=text)

    def _consistency_claim(self) -> Claim:
        if self.consistency.count:
            return Claim(CONSISTENT, ok=False, text=f"{self.consistency.count} findings in {self.tree.size} entries.")
        text = f"{self.tree.size} entries, their signatures, counters, tree and checkpoints follow from each other."
        if self._set_back:  # no failure: the order of records is that of their index, whatever a clock says
            text += f" The clock was set back {self._set_back[0]} times, first before entry {self._set_back[1]}."
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
        return Claim(ANCHORED, ok=True, text=f"{text}; it is {self._anchor_is}.")

    def _trust_claim(self) -> Claim:
        if self._policy is None:
            return Claim(TRUSTED, ok=None, text="No policy was given: the log vouches for its own keys.")
        if self.trust.count:
            return Claim(TRUSTED, ok=False, text=f"{self.trust.count} signatures are not by keys of the policy.")
        if self.consistency.count:
            return Claim(TRUSTED, ok=False, text="Not shown, because signatures or the tree do not hold.")
        return Claim(TRUSTED, ok=True, text="Every record and checkpoint is signed by keys that the policy trusts.")

    def _compromise_claim(self) -> tuple[Claim, ...]:
        """Return what is left open by keys that were revoked; nothing where none was."""
        known = [keys.compromised() for keys in (self.declared, self._policy) if keys is not None]
        spans = sorted({(start, min(stop, self.tree.size + 1)) for start, stop in set().union(*known)})
        texts = [f"{start - 1} to {stop - 2}" for start, stop in spans if start < stop]
        if not texts:
            return ()
        text = f"Entries {', '.join(texts)} are signed by a key that may have been in other hands by then."
        return (Claim(UNCOMPROMISED, ok=None, text=f"{text} A witness of that time can show that they are genuine."),)

    def _signature_claim(self) -> tuple[Claim, ...]:
        """Return what people's signatures come to; nothing in a log without people."""
        found = self._attested.claim()
        return () if found is None else (Claim(SIGNED, *found),)


_UNCHECKED = "Not checked: only the first and the last entry were read and their signatures checked."


def _group(tasks: Iterator[Task]) -> tuple[list[Task], Problem | OSError | None]:
    """Return the next tasks, and what stopped them from coming."""
    group: list[Task] = []
    try:
        group.extend(islice(tasks, _GROUP))
    except (Problem, OSError) as problem:
        return group, problem
    return group, None

# SPDX-License-Identifier: Apache-2.0
"""Holds what witnesses and time-stamping authorities said against the log, and claims no more than they did.

Rules of this module:

- Two claims: *seen by a witness* and *time-stamped*. Each is True where the newest statement by somebody whom the
  reader's policy names is about this history, False where any statement contradicts it or does not verify, and None
  where there is nobody to believe or nothing was said.
- A statement counts for or against the log only with a signature of the log itself on its checkpoint, by a key that the
  policy trusts at that size: nobody can put words into a log's mouth.
- A checkpoint that the log signed and that nobody named in the policy vouches for proves nothing to its credit, and a
  fork or a rollback all the same.
- The walk over the entries tells size and root after each one; only sizes that somebody spoke of are kept.
- A copy from elsewhere may hold statements younger than an export. Clocks of different owners are taken to agree
  within five minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import ModuleType

from radiomicnet_md_audit import checkpoint, merkle, testimony
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.cosignature import cosigned_at
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.testimony import Stamping, Vouched
from radiomicnet_md_audit.verify import Claim, Findings

WITNESSED = "seen by a witness"
STAMPED = "time-stamped"
INSTALL = "pip install 'radiomicnet-md-audit[timestamp]'"

_CLOCKS_AGREE = timedelta(minutes=5)


@dataclass(frozen=True)
class _Said:
    """A statement that verifies; ``moment`` is None where nobody whom the policy names has made it."""

    head: Checkpoint
    code: str  # what its contradiction is called
    fact: str  # who said what of so many entries, as the beginning of a sentence
    moment: datetime | None = None

    @property
    def rank(self) -> tuple[int, datetime]:
        return self.head.size, self.moment or datetime.min.replace(tzinfo=UTC)


@dataclass
class _Track:
    """One of the two claims on its way."""

    name: str
    nothing: str  # what to say where no statement counts
    findings: Findings = field(default_factory=Findings)
    newest: _Said | None = None
    unnamed: list[int] = field(default_factory=list)  # sizes of checkpoints that agree and that nobody vouches for
    unread: int = 0  # time stamps, for want of the library
    younger: int = 0
    differs: bool = False

    def compare(self, said: _Said, root: bytes) -> None:
        """Note whether a statement is about this history."""
        if said.head.root != root:
            if not self.differs:  # one cause, one finding: what was said later differs too
                text = f"{said.fact}, in another history: the log was rewritten or forked since."
                self.findings.add(max(0, said.head.size - 1), f"E-{said.code}-DIFFERS", text)
            self.differs = True
        elif said.moment is None:
            self.unnamed.append(said.head.size)
        elif self.newest is None or said.rank > self.newest.rank:
            self.newest = said

    def claim(self, size: int) -> Claim:
        if self.findings.count:
            return Claim(self.name, ok=False, text=self.findings.kept[0].text)
        ok = None if self.newest is None else True
        parts = [self.nothing if self.newest is None else f"{self.newest.fact} of {size}, in this history."]
        if self.unnamed:
            largest = max(self.unnamed)
            parts.append(f"Checkpoints that nobody named vouches for agree: {len(self.unnamed)}, up to {largest}.")
        if self.unread:
            parts.append(f"Time stamps that cannot be read here: {self.unread}; {INSTALL}.")
        if self.younger:
            parts.append(f"Statements younger than this export, about more entries: {self.younger}.")
        return Claim(self.name, ok=ok, text=" ".join(parts))


class Evidence:
    """What others said about one log: ``hear`` them all, tell how the tree has ``grown``, then ask for ``claims``."""

    def __init__(self, policy: Policy | None) -> None:
        """Believe whom this policy names; nobody without one."""
        self._policy = policy
        nobody, no_authority = "The policy names no witness.", "The policy pins no time-stamping authority."
        if policy is not None and policy.witnesses:
            nobody = "No checkpoint is cosigned by a witness whom the policy names."
        if policy is not None and policy.timestamp_authorities:
            no_authority = "No checkpoint is stamped by an authority that the policy pins."
        self._witnessed, self._stamped = _Track(WITNESSED, nobody), _Track(STAMPED, no_authority)
        self._at: dict[int, list[tuple[_Track, _Said, bool]]] = {}
        self._heard: set[bytes] = set()

    def hear(self, text: bytes, *, younger: bool = False) -> None:
        """Take a file of statements, or one cosigned checkpoint; ``younger`` where it may be from after an export.

        Raises :class:`ConfigurationError` ``E-TIMESTAMP-PIN`` where the policy pins what is no authority.
        """
        if self._policy is None:
            return
        for line in testimony.split(testimony.of_copy(text)):
            if line in self._heard:
                continue
            self._heard.add(line)
            track = self._stamped if b'","nonce":"' in line else self._witnessed
            try:
                said = self._judged(testimony.parse_line(line), self._policy)
            except IntegrityError as problem:
                track.findings.add_problem(None, problem)
                continue
            for one in said:
                if one.head.size:
                    self._at.setdefault(one.head.size, []).append((track, one, younger))
                else:
                    track.compare(one, merkle.EMPTY_ROOT)

    def grown(self, size: int, root: bytes) -> None:
        """Compare what was said about this size with the tree's root."""
        for track, said, _ in self._at.pop(size, ()):
            track.compare(said, root)

    def claims(self, size: int, exported: datetime | None = None) -> tuple[Claim, Claim]:
        """Return the two claims after the last of ``size`` entries; ``exported`` is when an export was made."""
        leading: set[str] = set()
        for at in sorted(self._at, reverse=True):
            for track, said, younger in self._at[at]:
                if younger and exported and (said.moment is None or said.moment + _CLOCKS_AGREE > exported):
                    track.younger += 1
                elif track.name not in leading:  # one cause, one finding: the largest size tells most
                    leading.add(track.name)
                    text = f"{said.fact}, and it has {size}: the log was set back, or entries were cut off."
                    track.findings.add(size, f"E-{said.code}-LEADS", text)
        self._at.clear()
        return self._witnessed.claim(size), self._stamped.claim(size)

    def findings(self) -> tuple[Findings, ...]:
        """Return the lists of what was found."""
        return self._witnessed.findings, self._stamped.findings

    def _judged(self, one: Vouched, policy: Policy) -> list[_Said]:
        """Return what a line says, verified; raise :class:`IntegrityError` where it does not verify."""
        size = checkpoint.parse_unverified(one.note)[0].size
        head = checkpoint.open_any(one.note, policy.log_keys_at(max(1, size)), policy.origin)
        said = _cosigned(one.note, head, policy)
        if one.stamping is not None:
            said = self._stamps(one.note, one.stamping, head, policy)
        return said or [_Said(head, "CHECKPOINT", f"The log signed a checkpoint of {size} entries")]

    def _stamps(self, note: str, stamping: Stamping, head: Checkpoint, policy: Policy) -> list[_Said]:
        if not policy.timestamp_authorities:
            return []
        timestamp = _library()
        if timestamp is None:
            self._stamped.unread += 1
            return []
        stamp = timestamp.verify_any(stamping.response, note, stamping.nonce, policy.timestamp_authorities)
        if stamp is None:
            return []
        within = f" (within {stamp.accuracy.total_seconds():g} s)" if stamp.accuracy else ""
        fact = f"On {_text(stamp.time)}{within} a pinned authority stamped {head.size} entries"
        return [_Said(head, "TIMESTAMP", fact, stamp.time)]


def _cosigned(note: str, head: Checkpoint, policy: Policy) -> list[_Said]:
    said = []
    for witness in policy.witnesses:
        try:
            moment = datetime.fromtimestamp(cosigned_at(note, witness), UTC)
        except IntegrityError as problem:
            if problem.code != "E-COSIGNATURE-MISSING":
                raise
        except (OverflowError, ValueError, OSError):
            raise IntegrityError(
                "E-COSIGNATURE-FORM",
                "A cosignature's time is beyond every calendar.",
                remedy="Ask the witness's operator to set its clock right.",
            ) from None
        else:
            fact = f"On {_text(moment)} {witness.name} saw {head.size} entries"
            said.append(_Said(head, "WITNESS", fact, moment))
    return said


def _library() -> ModuleType | None:
    """Return the module that reads time stamps, where its library is installed."""
    try:
        from radiomicnet_md_audit import timestamp
    except ImportError:
        return None
    return timestamp


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")

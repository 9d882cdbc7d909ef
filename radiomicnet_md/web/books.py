# SPDX-License-Identifier: Apache-2.0
"""A log of a hundred thousand decisions is filtered, sorted and paged without reading it again.

Rules of this module:

- A line is shown only while the log holds the very bytes whose signature was checked when it was read: the bytes are
  fetched again and compared by SHA-256 each time somebody looks.
- The newest are read first, so that the first page is there at once; the page says how far back reading has come.
- A page goes on from the last line of the one before (a keyset): records that come meanwhile move nothing.
- A record that does not verify has a line, which says so and nothing else.
"""

from __future__ import annotations

import hashlib
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.review import text
from radiomicnet_md_audit import esignature
from radiomicnet_md_audit.statement import DECISION, SIGNATURE

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Entry, Ledger
    from radiomicnet_md_audit.statement import Statement

STATES = ("RESULT", "REFUSED", "ERROR", "UNVERIFIED")
SORTS = ("newest", "oldest", "state", "release", "flags")
_PAGE = 32  # entries read in one go, so that requests wait for a moment only
_PAUSE_S = 0.002
_REBUILD_S = 1.0  # columns are made anew at most this often while older entries come in


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to see; None asks nothing. Times are UTC, as the log writes them."""

    state: str | None = None
    release: str | None = None  # id@version
    flagged: bool | None = None
    signed: bool | None = None
    since: str | None = None  # inclusive; any beginning of a time
    until: str | None = None  # exclusive
    sort: str = "newest"
    after: tuple[int, int] | None = None  # sort value and index of the last line seen
    size: int = 50


@dataclass(frozen=True, slots=True)
class Page:
    """The places in the log of the lines on one page."""

    indices: tuple[int, ...]
    after: tuple[int, int] | None  # where the next page begins; None: there is none
    found: int
    read: int  # entries of the log that were looked at
    size: int  # entries of the log


@dataclass(frozen=True, slots=True)
class Line:
    """What the worklist shows of a decision, from a record whose signature was checked."""

    record_id: str
    time: str
    state: str
    answer: str
    flags: tuple[str, ...]
    release: str | None

    @classmethod
    def of(cls, said: Statement) -> Line:
        """Read it from a verified decision."""
        about: dict[str, Any] = said.predicate
        named = about["release"]
        return cls(
            said.record_id,
            said.log.time_utc,
            about["state"],
            text.answer(about),
            tuple(check["name"] for check in about["checks"] if not check["held"]),
            f"{named['id']}@{named['version']}" if named else None,
        )


@dataclass(slots=True)
class _Columns:
    index: NDArray[np.int64]
    state: NDArray[np.int64]
    release: NDArray[np.int64]
    flags: NDArray[np.int64]
    signed: NDArray[np.bool_]
    time: NDArray[np.str_]


@dataclass(slots=True)
class Books:
    """The lines of one log."""

    ledger: Ledger
    _rows: list[tuple[int, int, int, int, str, str]] = field(default_factory=list)
    _lines: dict[int, tuple[bytes, Line]] = field(default_factory=dict)  # digest of the envelope, line
    _releases: dict[str, int] = field(default_factory=dict)
    _signed: set[str] = field(default_factory=set)
    _low: int = -1  # every entry from here …
    _high: int = -1  # … to before here was read
    _made: _Columns | None = None
    _made_of: tuple[int, int] = (0, 0)
    _made_at: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def releases(self) -> list[str]:
        """The releases that decisions name, as far as they were read."""
        with self._lock:
            return sorted(self._releases)

    def start(self) -> None:
        """Read what is there in the background, newest first."""
        with self._lock:
            self._follow()
        threading.Thread(target=self._fill, name="books", daemon=True).start()

    def stop(self) -> None:
        """Let the background go."""
        self._stopped.set()

    def page(self, wanted: Wanted) -> Page:
        """The lines that are wanted."""
        with self._lock:
            size = self._follow()
            columns = self._columns()
            read = self._high - self._low
        chosen = _matching(columns, wanted, self._releases)
        value = _sort_value(columns, wanted.sort)[chosen]
        index = columns.index[chosen]
        forward = index if wanted.sort == "oldest" else -index
        order = np.lexsort((forward, value))
        if wanted.after is not None:
            last, place = wanted.after
            beyond = index > place if wanted.sort == "oldest" else index < place
            order = order[((value > last) | ((value == last) & beyond))[order]]
        shown = order[: wanted.size]
        more = len(order) > len(shown) > 0
        after = (int(value[shown[-1]]), int(index[shown[-1]])) if more else None
        return Page(tuple(index[shown].tolist()), after, int(chosen.sum()), read, size)

    def line(self, index: int) -> Line:
        """The line of the decision at this place, of the bytes that the log holds now.

        Raises :class:`IntegrityError` where they do not verify.
        """
        (entry,) = self.ledger.entries(index, index + 1)
        digest = hashlib.sha256(entry.envelope).digest()
        known = self._lines.get(index)
        return known[1] if known is not None and known[0] == digest else Line.of(self.ledger.read(entry))

    def _follow(self) -> int:
        """Read what was appended since; for who holds the lock."""
        size = self.ledger.size
        if self._high < 0:
            self._high = self._low = size
            self._note_signatures(0)
        if size > self._high:
            before, self._high = self._high, size
            for entry in self.ledger.entries(before, size):
                self._take(entry)
            self._note_signatures(before)
            self._made = None
        return size

    def _fill(self) -> None:
        while self._low > 0 and not self._stopped.is_set():
            start = max(0, self._low - _PAGE)
            entries = list(self.ledger.entries(start, self._low))
            with self._lock:
                for entry in reversed(entries):
                    self._take(entry)
                self._low = start
            time.sleep(_PAUSE_S)

    def _note_signatures(self, start: int) -> None:
        for entry in self.ledger.events(SIGNATURE, start=start):
            try:
                self._signed.add(esignature.parse(self.ledger.read(entry)).signed.record_id)
            except IntegrityError:  # whoever looks at the decision is told
                continue

    def _take(self, entry: Entry) -> None:
        try:
            said = self.ledger.read(entry)
        except IntegrityError:
            self._rows.append((entry.index, STATES.index("UNVERIFIED"), -1, 0, "", ""))
            return
        if said.predicate_type != DECISION:
            return
        line = Line.of(said)
        self._lines[entry.index] = (hashlib.sha256(entry.envelope).digest(), line)
        release = -1 if line.release is None else self._releases.setdefault(line.release, len(self._releases))
        flags = len(line.flags) if line.state == "RESULT" else 0
        self._rows.append((entry.index, STATES.index(line.state), release, flags, line.record_id, line.time))

    def _columns(self) -> _Columns:
        of = (len(self._rows), len(self._signed))
        now = time.monotonic()
        due = self._low == 0 or now - self._made_at > _REBUILD_S
        if self._made is None or (of != self._made_of and due):
            numbers = np.array([row[:4] for row in self._rows], dtype=np.int64).reshape(-1, 4)
            signed = np.array([row[4] in self._signed for row in self._rows], dtype=np.bool_)
            when = np.array([row[5] for row in self._rows], dtype="U27")
            self._made = _Columns(numbers[:, 0], numbers[:, 1], numbers[:, 2], numbers[:, 3], signed, when)
            self._made_of, self._made_at = of, now
        return self._made


def _matching(columns: _Columns, wanted: Wanted, releases: dict[str, int]) -> NDArray[np.bool_]:
    chosen = np.ones(len(columns.index), dtype=np.bool_)
    if wanted.state is not None:
        chosen &= columns.state == STATES.index(wanted.state)
    if wanted.release is not None:
        chosen &= columns.release == releases.get(wanted.release, -2)
    if wanted.flagged is not None:
        chosen &= (columns.flags > 0) == wanted.flagged
    if wanted.signed is not None:
        chosen &= columns.signed == wanted.signed
    if wanted.since is not None:
        chosen &= columns.time >= wanted.since
    if wanted.until is not None:
        chosen &= columns.time < wanted.until
    return chosen


def _sort_value(columns: _Columns, sort: str) -> NDArray[np.int64]:
    """What lines are in order of before their place in the log: flagged first, a release's own together."""
    if sort == "flags":
        return -columns.flags
    if sort in ("state", "release"):
        return columns.state if sort == "state" else columns.release
    return np.zeros(len(columns.index), dtype=np.int64)

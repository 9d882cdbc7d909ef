# SPDX-License-Identifier: Apache-2.0
"""A log whose machine's clock jumps: order comes from the index, and the jump stays visible in the records.

Rules of this module:

- A jump happens between two records. ``monotonic_ns`` goes on, unless the machine was started anew.
- A jump is visible where the two clocks disagree: what ``time_utc`` says passed is not what ``monotonic_ns`` counted.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.faults.logs import COSIGNER, answered
from tests.audit.faults.outcome import LOST, STUCK, UNTYPED, UNVERIFIED, Outcome, spread
from tests.audit.sites import Site

PART = "clock"

_START = datetime(2026, 3, 29, 0, 59, 58, tzinfo=UTC)  # two seconds before Europe's hour changes
_LEAP = datetime(2016, 12, 31, 23, 59, 59, 500_000, tzinfo=UTC)  # the last leap second; the system clock repeats one
_SECOND = timedelta(seconds=1)

# From when, and by how much more or less than the second that really passes.
JUMPS: dict[str, tuple[datetime, timedelta]] = {
    "none": (_START, timedelta()),
    "back a microsecond more than passed": (_START, -_SECOND - timedelta(microseconds=1)),
    "back a day": (_START, -timedelta(days=1)),
    "back to 1970": (_START, datetime(1970, 1, 1, tzinfo=UTC) - _START),
    "back before 1970": (_START, datetime(1969, 12, 31, tzinfo=UTC) - _START),
    "forward ten years": (_START, timedelta(days=3653)),
    "forward to the year 9999": (_START, datetime(9999, 12, 31, tzinfo=UTC) - _START),
    "forward an hour at the change of summer time": (_START, timedelta(hours=1)),
    "back an hour at the change of summer time": (_START, -timedelta(hours=1)),
    "a leap second": (_LEAP, -_SECOND),
    "stands still": (_START, -_SECOND),
}


@dataclass
class Clock:
    """Says what it is told to, and a second more at each look."""

    utc: datetime
    monotonic_ns: int = 10**12
    looks: list[Instant] = field(default_factory=list)

    def __call__(self) -> Instant:
        self.utc += _SECOND
        self.monotonic_ns += 10**9
        self.looks.append(Instant(self.utc, self.monotonic_ns))
        return self.looks[-1]


def disagreements(ledger: Ledger) -> list[int]:
    """Return the entries before which the clock jumped, as a reader can find them: by a tenth of a second or more."""
    said = [ledger.read(entry).log for entry in ledger.entries()]
    found = []
    for index, (one, next_) in enumerate(pairwise(said), 1):
        passed = datetime.fromisoformat(next_.time_utc) - datetime.fromisoformat(one.time_utc)
        counted = timedelta(microseconds=(next_.monotonic_ns - one.monotonic_ns) / 1_000)
        if abs(passed - counted) > timedelta(seconds=0.1):
            found.append(index)
    return found


def points() -> list[tuple[str, int, bool, bool]]:
    """Every jump, before each of four records, on a machine that goes on or starts anew, with either kind of keys."""
    return [
        (jump, at, anew, cosigned)
        for jump in JUMPS
        for at in range(1, 5)
        for anew in (False, True)
        for cosigned in (False, True)
    ]


def outcomes(count: int | None, chance: random.Random) -> Iterator[Outcome]:
    """Let the clock jump in logs of their own."""
    for point in spread(points(), count, chance):
        with tempfile.TemporaryDirectory(prefix="faults-") as place:
            yield _jumped(Path(place), *point)


def _jumped(place: Path, jump: str, at: int, anew: bool, cosigned: bool) -> Outcome:  # noqa: FBT001 -- parts of a point
    site = Site(place, cosigner=COSIGNER if cosigned else None)
    start, by = JUMPS[jump]
    clock = Clock(start - at * _SECOND)
    wrong: dict[str, str] = {}
    codes: list[str] = []
    taken: list[int] = []
    with Ledger.create(
        site.url, site.origin, site.engine, site.log, site.anchor, cosigner=site.cosigner, clock=clock
    ) as ledger:
        for number in range(1, 6):
            if number == at:
                clock.utc += by
                clock.monotonic_ns = 10**6 if anew else clock.monotonic_ns
            try:
                taken += [receipt.index for receipt in site.append(ledger)]
            except Problem as problem:
                codes.append(problem.code)
                wrong |= answered(problem.code, problem.exit_code)
            except Exception as error:  # noqa: BLE001 -- whatever it is: it has no type
                wrong[UNTYPED] = repr(error)
        wrong |= _seen(ledger, site, taken, jump, at, anew)
    return Outcome(PART, f"record {at}", "clock", jump + (", started anew" if anew else ""), "", wrong, tuple(codes))


def _seen(ledger: Ledger, site: Site, taken: Sequence[int], jump: str, at: int, anew: bool) -> dict[str, str]:  # noqa: FBT001, PLR0913
    if list(taken) != list(range(1, 6)):
        return {STUCK: f"indices {taken}"}
    expected = [] if by_a_tenth(jump) and not anew else [at]
    if disagreements(ledger) != expected:
        return {LOST: f"the jump shows at {disagreements(ledger)}"}
    report = site.verify()
    return {} if report.ok else {UNVERIFIED: str(report.findings[:1])}


def by_a_tenth(jump: str) -> bool:
    """Whether a jump is too small to be called one."""
    return abs(JUMPS[jump][1]) < timedelta(seconds=0.1)

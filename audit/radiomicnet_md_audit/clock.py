# SPDX-License-Identifier: Apache-2.0
"""What time it is, in the two ways a record needs: a date for people and a count that never runs backwards."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Instant:
    """A moment: ``utc`` may be set back by an administrator, ``monotonic_ns`` counts since this machine's start."""

    utc: datetime
    monotonic_ns: int

    def text(self) -> str:
        """Return the UTC time as ``2026-01-31T12:00:00.000000Z``, always of this length."""
        return self.utc.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    def posix_seconds(self) -> int:
        """Return the whole seconds since 1970-01-01 UTC; 0 for a clock that stands before it."""
        return max(0, int(self.utc.timestamp()))


def was_set_back(before: tuple[str, int], after: tuple[str, int]) -> bool:
    """Say whether UTC was set back between two records of one machine, each given by ``time_utc`` and ``monotonic_ns``.

    Where the machine was not started anew in between, that shows even when less was taken away than had passed; a
    second is allowed for the two clocks being read one after the other. A forward jump cannot be told from a sleep.
    """
    if after[1] < before[1]:
        return after[0] < before[0]
    passed = datetime.fromisoformat(after[0]) - datetime.fromisoformat(before[0])
    return passed.total_seconds() < (after[1] - before[1]) / 1e9 - 1


def now() -> Instant:
    """Return the present moment."""
    return Instant(datetime.now(UTC), time.monotonic_ns())

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


def now() -> Instant:
    """Return the present moment."""
    return Instant(datetime.now(UTC), time.monotonic_ns())

# SPDX-License-Identifier: Apache-2.0
"""What a fault did: was anything lost, released without a record, left unverifiable, or said without a type.

Rules of this module:

- A point is one fault at one place. It fails in named ways, and a point without a failure holds.
- ``spread`` takes some of many points evenly, so that a short run sees every part of a long one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TypeVar

T = TypeVar("T")

LOST = "acknowledged lost"
UNLOGGED = "unlogged released"
UNVERIFIED = "does not verify"
UNTYPED = "untyped error"
STUCK = "next append fails"
WAYS = (LOST, UNLOGGED, UNVERIFIED, UNTYPED, STUCK)


@dataclass
class Outcome:
    """What one fault at one place did; ``wrong`` has the ways in which it failed, with what was seen."""

    part: str  # of the campaign
    scenario: str
    call: str
    fault: str
    where: str
    wrong: dict[str, str] = field(default_factory=dict)
    codes: tuple[str, ...] = ()  # of the failures that the product told
    status: int = 0

    def document(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self)


def spread(points: Sequence[T], count: int | None, chance: random.Random) -> list[T]:
    """Take ``count`` points evenly from all, each from its own stretch; None takes all."""
    if count is None or count >= len(points):
        return list(points)
    step = len(points) / max(count, 1)
    return [points[int(step * (number + chance.random()))] for number in range(count)]

# SPDX-License-Identifier: Apache-2.0
"""The device decides in one state only, and every way into and out of it is a line of one table.

Rules of this module:

- An event that the table does not name for a state is a defect and raises ``KeyError``.
- DEGRADED has no way back within a process: whatever failed is looked at by a person first.
- A demonstration home decides while UNQUALIFIED, and every record and output it makes says so.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """What an installation has proven of itself on this platform."""

    UNQUALIFIED = "UNQUALIFIED"
    QUALIFIED = "QUALIFIED"
    READY = "READY"
    DEGRADED = "DEGRADED"


class Event(StrEnum):
    """What is found out about an installation."""

    QUALIFICATION_SIGNED = "installation and operational qualification are signed for this platform"
    ANSWERS_HELD = "the known-answer test gave the recorded digests"
    ANSWERS_FAILED = "the known-answer test gave other digests"
    SUMS_FAILED = "a decision's own sums did not hold"
    CHANGED = "code, dependencies, release, parameters or platform are not the verified ones"


TABLE: dict[tuple[State, Event], State] = {
    (State.UNQUALIFIED, Event.QUALIFICATION_SIGNED): State.QUALIFIED,
    (State.UNQUALIFIED, Event.ANSWERS_HELD): State.UNQUALIFIED,
    (State.UNQUALIFIED, Event.ANSWERS_FAILED): State.DEGRADED,
    (State.UNQUALIFIED, Event.SUMS_FAILED): State.DEGRADED,
    (State.UNQUALIFIED, Event.CHANGED): State.DEGRADED,
    (State.QUALIFIED, Event.ANSWERS_HELD): State.READY,
    (State.QUALIFIED, Event.ANSWERS_FAILED): State.DEGRADED,
    (State.QUALIFIED, Event.CHANGED): State.DEGRADED,
    (State.READY, Event.ANSWERS_HELD): State.READY,
    (State.READY, Event.ANSWERS_FAILED): State.DEGRADED,
    (State.READY, Event.SUMS_FAILED): State.DEGRADED,
    (State.READY, Event.CHANGED): State.DEGRADED,
}


def after(state: State, event: Event) -> State:
    """The state that follows; ``KeyError`` where the table has no such line."""
    return TABLE[state, event]


def may_decide(state: State, *, clinical: bool) -> bool:
    """Whether a case may be decided: READY, or UNQUALIFIED in a demonstration home."""
    return state is State.READY or (state is State.UNQUALIFIED and not clinical)

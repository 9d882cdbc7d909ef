# SPDX-License-Identifier: Apache-2.0
"""The table of states: every state is reached, and nothing leads out of DEGRADED."""

from __future__ import annotations

import pytest

from radiomicnet_md.engine.state import TABLE, Event, State, after, may_decide

pytestmark = pytest.mark.verifies("SRS-REL-004", "SRS-HOM-002")


def test_every_state_is_reached_and_degraded_has_no_way_back() -> None:
    assert set(TABLE.values()) == set(State)
    assert State.DEGRADED not in {state for state, _ in TABLE}


def test_wrong_answers_degrade_every_state_that_asks() -> None:
    asking = {state for state, event in TABLE if event is Event.ANSWERS_HELD}
    assert {after(state, Event.ANSWERS_FAILED) for state in asking} == {State.DEGRADED}
    with pytest.raises(KeyError):
        after(State.DEGRADED, Event.ANSWERS_HELD)


@pytest.mark.verifies("SRS-HOM-002", rc=("RC-020",))
def test_only_a_ready_device_decides_and_an_unqualified_one_in_a_demonstration() -> None:
    deciding = {
        (state, clinical) for state in State for clinical in (True, False) if may_decide(state, clinical=clinical)
    }
    assert deciding == {(State.READY, True), (State.READY, False), (State.UNQUALIFIED, False)}

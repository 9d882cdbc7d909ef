# SPDX-License-Identifier: Apache-2.0
"""Shapley values of the three groups of values: the axioms, and the shipped engine against the numpy reference."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md import phantom
from radiomicnet_md.engine import coalitions, contributions, reference
from radiomicnet_md.engine.coalitions import DENOMINATOR, GROUPS, USUAL
from radiomicnet_md.engine.release import default_folder, open_release
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.radiomics.definitions import PAPER

pytestmark = pytest.mark.verifies("SRS-ENG-010")

WORTH = st.lists(st.integers(-(2**40), 2**40), min_size=8, max_size=8).map(np.array)
PLAYERS = tuple(GROUPS)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine.load(open_release(default_folder()))


@given(WORTH)
def test_shares_and_the_worth_of_nobody_add_up_to_the_worth_of_all(worth: np.ndarray) -> None:
    assert sum(coalitions.shares(worth).values()) == DENOMINATOR * int(worth[-1])
    assert coalitions.shares(worth)[USUAL] == DENOMINATOR * int(worth[0])


@given(WORTH)
def test_a_share_is_the_mean_gain_over_all_orders_of_arrival(worth: np.ndarray) -> None:
    gained = dict.fromkeys(PLAYERS, 0)
    for order in permutations(range(len(PLAYERS))):
        present = 0
        for i in order:
            gained[PLAYERS[i]] += int(worth[present | 1 << i]) - int(worth[present])
            present |= 1 << i
    found = coalitions.shares(worth)
    assert {name: Fraction(found[name], DENOMINATOR) for name in PLAYERS} == {
        name: Fraction(total, 6) for name, total in gained.items()
    }


def test_the_groups_are_the_thirteen_values_each_once() -> None:
    assert sorted(i for places in GROUPS.values() for i in places) == list(range(len(PAPER)))
    measured, usual = np.arange(13.0), -np.arange(13.0)
    told = coalitions.told(measured, usual)
    assert np.array_equal(told[0], usual)
    assert np.array_equal(told[-1], measured)
    assert np.array_equal(told[1][list(GROUPS["GLCM"])], measured[list(GROUPS["GLCM"])])
    assert np.array_equal(told[1][list(GROUPS["LBP"])], usual[list(GROUPS["LBP"])])


def test_the_reference_gives_the_worth_of_every_coalition(engine: Engine) -> None:
    proposal = engine.propose(phantom.make(21, 96, 120).pixels)
    place = proposal.evidence.logit > 0
    rows, columns = place.shape
    worth = []
    for values in coalitions.told(proposal.measured.paper, engine._gating.mean):
        outputs = [
            reference.run(engine.program, engine.tensors, engine.spatial, view, engine.factors(values))["output"]
            for view in engine.preprocessing.views(proposal.measured.levels)
        ]
        inside = np.stack([output[:, :rows, :columns] for output in outputs]).astype(np.int16)
        inside[1:] = inside[1:, ..., ::-1].copy()
        worth.append(int(contributions.attribute(engine.head, inside, proposal.codes).logit[place].sum()))
    found = engine.shares(proposal, {"here": place})
    assert found == {"here": coalitions.shares(np.array(worth))}
    assert any(found["here"][name] for name in GROUPS)  # the gates do read the values


def test_a_decision_holds_the_shares_of_every_zone(engine: Engine) -> None:
    decision = engine.decide(phantom.make(21).pixels, None)
    assert list(decision.groups) == ["lesion", "border", "background"]
    total = sum(sum(shares.values()) for shares in decision.groups.values())
    assert total == DENOMINATOR * int(decision.logit.sum())


@pytest.mark.verifies("SRS-ENG-010")
def test_shares_that_do_not_add_up_are_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    proposal = engine.propose(phantom.make(21, 96, 120).pixels)
    monkeypatch.setattr(coalitions, "shares", lambda _: {USUAL: 1})
    with pytest.raises(IntegrityError, match="shares"):
        engine.shares(proposal, {"here": np.ones(proposal.evidence.logit.shape, dtype=np.bool_)})

# SPDX-License-Identifier: Apache-2.0
"""Shapley values, edits of the image and gradients: each equals the device run once more, or a case done by hand."""

from __future__ import annotations

import copy
from dataclasses import replace
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine import coalitions, decide, zones
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.engine.torch_engine import TorchEngine
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_training.augment import Batch
from radiomicnet_md_training.faithfulness import decoder, editing, gradients, shapley
from radiomicnet_md_training.faithfulness.look import Seen, Told, gates, look, usual_values
from tests.training.twins import headed, steady


@pytest.fixture(scope="module")
def parts(engine: Engine, seen: Seen) -> tuple[np.ndarray, np.ndarray, list[list[np.ndarray]]]:
    """A canvas, the device's own output for the measured and the usual values, and both sets of factors."""
    views = engine.preprocessing.views(seen.proposal.measured.levels)[:1]
    factors = [engine.factors(values) for values in (seen.proposal.measured.paper, usual_values(engine))]
    network = TorchEngine(engine.program, engine.tensors, engine.spatial)
    return views[0], np.concatenate([network.run(views, one)["output"] for one in factors]), factors


@pytest.mark.verifies("SRS-MOD-008")
@settings(max_examples=12)
@given(corners=st.tuples(st.integers(0, 95), st.integers(0, 95), st.integers(0, 95), st.integers(0, 95)))
def test_a_window_of_the_decoder_has_the_bits_of_the_whole(
    engine: Engine, parts: tuple[np.ndarray, np.ndarray, list[list[np.ndarray]]], corners: tuple[int, int, int, int]
) -> None:
    canvas, expected, factors = parts
    (top, bottom), (left, right) = sorted(corners[:2]), sorted(corners[2:])
    both = [np.stack(gate) for gate in zip(*factors, strict=True)]
    output = decoder.Decoder(engine, canvas, (top, left, bottom + 1, right + 1)).run(both)
    assert np.array_equal(output, expected[:, :, top : bottom + 1, left : right + 1])
    assert not np.array_equal(expected[0], expected[1])


@pytest.mark.verifies("SRS-MOD-008")
@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(1, 4))
def test_shapley_values_are_the_mean_gain_over_all_orders(seed: int, count: int) -> None:
    worth = np.random.default_rng(seed).integers(-(2**30), 2**30, 1 << count)
    game = shapley.Game(tuple("abcd"[:count]), worth, 9)
    gains = [Fraction(0)] * count
    orders = list(permutations(range(count)))
    for order in orders:
        present = 0
        for player in order:
            gains[player] += int(worth[present | 1 << player] - worth[present])
            present |= 1 << player
    assert list(game.values().values()) == [gain / len(orders) for gain in gains]
    assert game.incomplete() == 0
    assert sum(game.logits().values()) == pytest.approx(int(worth[-1] - worth[0]) / 9 / 2**LOGIT_BITS)


@pytest.mark.verifies("SRS-MOD-008")
def test_every_coalition_of_the_groups_is_worth_what_the_device_itself_says(engine: Engine, seen: Seen) -> None:
    place = seen.place
    assert place is not None
    game = shapley.play(engine, seen, place, coalitions.GROUPS)
    usual, own = usual_values(engine), seen.proposal.measured.paper
    for coalition in range(8):
        told = usual.copy()
        for i, places in enumerate(coalitions.GROUPS.values()):
            if coalition >> i & 1:
                told[list(places)] = own[list(places)]
        evidence = Told(engine, told).propose(seen.grey).evidence
        assert int(evidence.logit[place].sum()) == game.worth[coalition]
    assert len(set(game.worth.tolist())) == 8
    assert game.incomplete() == 0
    recorded = engine.shares(seen.proposal, {"here": place})["here"]
    assert {name: recorded[name] for name in coalitions.GROUPS} == {
        name: coalitions.DENOMINATOR * value for name, value in game.values().items()
    }


@pytest.mark.verifies("SRS-MOD-008")
def test_the_mirror_image_takes_part_where_the_device_looks_at_it(engine: Engine, seen: Seen) -> None:
    twin = copy.copy(engine)
    mirrored = not engine.preprocessing.mirrored
    twin.preprocessing = replace(engine.preprocessing, mirrored=mirrored)
    shares = {name: getattr(engine.head, name) for name in ("gate", "rest")}  # a view's share of the mean
    twin.head = replace(engine.head, **{name: t // 2 if mirrored else t * 2 for name, t in shares.items()})
    other = look(twin, seen.grey)
    place = seen.place
    assert place is not None
    few = {name: shapley.EACH[name] for name in PAPER[:2]}
    game = shapley.play(twin, other, place, few)  # refuses where the device says otherwise
    assert int(game.worth[-1]) == int(other.proposal.evidence.logit[place].sum())
    assert game.worth.tolist() != shapley.play(engine, seen, place, few).worth.tolist()


@pytest.mark.verifies("SRS-MOD-008")
def test_the_thirteen_are_players_each_and_a_decoder_that_differs_is_refused(
    engine: Engine, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sorted(i for places in coalitions.GROUPS.values() for i in places) == list(range(13))
    assert list(shapley.EACH) == list(PAPER)
    place = seen.place
    assert place is not None
    honest = decoder.Decoder.run
    monkeypatch.setattr(decoder.Decoder, "run", lambda self, factors: honest(self, factors) // 2)
    with pytest.raises(IntegrityError) as caught:
        shapley.play(engine, seen, place, {"one": (0,)})
    assert caught.value.code == "E-SHAPLEY"


@pytest.mark.verifies("SRS-MOD-008")
def test_a_value_that_the_gates_do_not_read_has_the_shapley_value_zero(engine: Engine, seen: Seen) -> None:
    twin = copy.copy(engine)
    weight = engine.tensors["stream.first.weight"].copy()
    weight[:, 4] = 0
    twin._gating = replace(engine._gating, tensors={**engine._gating.tensors, "stream.first.weight": weight})
    place = seen.place
    assert place is not None
    deaf = look(twin, seen.grey)
    values = shapley.play(twin, deaf, place, {name: shapley.EACH[name] for name in PAPER[3:6]}).values()
    assert values[PAPER[4]] == 0
    assert values[PAPER[3]] != 0


def one_voice(engine: Engine, name: str) -> Engine:
    """The engine with steady gates and one name alone that speaks: the higher its code, the more, at each scale."""
    twin = steady(engine)
    phi = np.zeros_like(engine.head.phi)
    phi[NAMED.index(name) :: len(NAMED), :-1] = [16 * np.arange(64) - 300, 500 - 16 * np.arange(64)]
    return headed(twin, phi=phi)


def opened(engine: Engine, name: str) -> np.ndarray:
    """The steady gates of a name (scales,), logits for each 2**-TABLE_BITS."""
    found = gates(engine, engine.propose(np.zeros((192, 192), dtype=np.uint8)))[:, 0, 0]
    return found[NAMED.index(name) :: len(NAMED)] / 2**LOGIT_BITS


@pytest.mark.verifies("SRS-MOD-008")
@pytest.mark.parametrize("name", ["firstorder_Mean", "glcm_JointEnergy"])
def test_where_one_name_speaks_alone_the_evidence_moves_by_what_was_foretold(
    engine: Engine, seen: Seen, truth: np.ndarray, name: str
) -> None:
    twin = one_voice(engine, name)
    gate = opened(twin, name)
    assert (gate > 0).all()
    place = editing.Place(twin, look(twin, seen.grey), truth)
    said = place.said(name)
    for target in (np.zeros(2), said + np.array([200, -300])):
        outcome = place.bring(name, target)
        assert outcome.claimed == pytest.approx(gate @ (target - said))
        assert outcome.nearer
        assert outcome.whole == outcome.own == pytest.approx(outcome.foretold)
        assert outcome.whole * outcome.claimed > 0
        assert abs(outcome.claimed - outcome.whole) < abs(outcome.claimed)


@pytest.mark.verifies("SRS-MOD-008")
def test_edits_stay_in_their_place_and_the_strongest_name_is_the_one_with_the_largest_contribution(
    engine: Engine, seen: Seen
) -> None:
    place = editing.lesion(engine, seen)
    assert place is not None
    top, half = place.strongest(), seen.place
    assert half is not None
    means = seen.proposal.evidence.contributions[:, half].mean(1)
    assert means[NAMED.index(top)] == means.max()
    outcome = place.bring(top, np.zeros(2))
    assert outcome.claimed == pytest.approx(-means.max() / 2**LOGIT_BITS)
    changed = np.flatnonzero((place._edited[outcome.edit][0].grey != seen.grey).any(0))
    box = seen.choice.chosen[0].box
    assert box[1] * 320 / 192 - 5 <= changed.min() <= changed.max() <= box[3] * 320 / 192 + 5


def chosen(seen: Seen, left: int, right: int) -> Seen:
    """The image with one chosen region, a block as wide as asked."""
    mask = np.zeros_like(seen.mask)
    mask[50:90, left:right] = True
    block = replace(seen.choice.chosen[0], pixels=mask, box=(50, left, 90, right))
    return replace(seen, choice=decide.Choice((block,), None, 1), mask=mask)


@pytest.mark.verifies("SRS-MOD-008")
def test_tissue_beside_the_lesion_holds_none_of_it(engine: Engine, seen: Seen) -> None:
    for left, side in ((20, slice(70, 110)), (130, slice(80, 120))):  # to the side where there is more room
        place = editing.beside(engine, chosen(seen, left, left + 40))
        assert place is not None
        expected = np.zeros_like(seen.mask)
        expected[50:90, side] = True
        assert np.array_equal(place._half, zones.half_grid(expected, *place._half.shape))
    assert editing.beside(engine, chosen(seen, 40, 150)) is None  # no room
    nothing = replace(seen, choice=decide.Choice((), None, 0))
    assert editing.beside(engine, nothing) is None
    assert editing.edits(engine, nothing, "x") == {}


@pytest.mark.verifies("SRS-MOD-008")
def test_the_other_name_is_another_and_the_same_every_time() -> None:
    drawn = {editing.other("glcm_Idm", str(key)) for key in range(200)}
    assert drawn == set(NAMED) - {"glcm_Idm"}
    assert editing.other("glcm_Idm", "x") == editing.other("glcm_Idm", "x")


class _Straight(nn.Module):
    """Evidence that weighs the thirteen values; no pixel takes part."""

    def __init__(self, weights: list[float]) -> None:
        super().__init__()
        self.weights = torch.tensor(weights)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> tuple[Tensor]:
        del codes
        return ((values * self.weights).sum(1)[:, None, None, None].expand(-1, 1, *image.shape[2:]) / 8,)


def batch(count: int) -> Batch:
    """Cases that differ in nothing but what is asked of the network."""
    return Batch(
        torch.zeros(count, 2, 8, 8),
        torch.ones(count, 1, 8, 8),
        torch.ones(count, 1, 8, 8),
        torch.arange(13.0 * count).reshape(count, 13) / 39,
        torch.zeros(count, 32, 4, 4, dtype=torch.uint8),
        torch.zeros(count),
    )


@pytest.mark.verifies("SRS-MOD-008")
def test_gradient_importances_of_a_weighted_sum_are_its_weights_in_percent() -> None:
    def loss(logits: Tensor, batch: Batch) -> Tensor:
        return ((logits - batch.masks) ** 2).mean()

    network = _Straight([0.0, -1.0, 3.0, *[0.0] * 10])
    found = gradients.importances(network.train(), [batch(3), batch(1)], loss)
    assert found == pytest.approx({name: {PAPER[1]: 25, PAPER[2]: 75}.get(name, 0) for name in PAPER})
    assert network.training
    silent = gradients.importances(_Straight([0.0] * 13), [batch(3)], lambda logits, _: (logits * 0).sum())
    assert set(silent.values()) == {0.0}


class _First(nn.Module):
    """Evidence that is the value at one place, another place for a batch of one."""

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> tuple[Tensor]:
        del codes
        place = 0 if len(values) == 1 else 1
        return (values[:, place, None, None, None].expand(-1, 1, *image.shape[2:]),)


@pytest.mark.verifies("SRS-MOD-008")
def test_every_case_weighs_the_same_in_the_gradient_importances_whatever_its_batch() -> None:
    found = gradients.importances(_First(), [batch(3), batch(1)], lambda logits, _: logits.mean())
    assert (found[PAPER[0]], found[PAPER[1]]) == pytest.approx((25, 75))

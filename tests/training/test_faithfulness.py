# SPDX-License-Identifier: Apache-2.0
"""What is said to explain a decision: each measurement finds what was planted, and counts what was broken."""

from __future__ import annotations

import copy
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md import phantom
from radiomicnet_md.decision import Region
from radiomicnet_md.engine import decide, record
from radiomicnet_md.engine.program import GATE_BITS, STREAM, TABLE_BITS
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md_training.dataset import Dataset
from radiomicnet_md_training.faithfulness import editing, page, pixel, regions, study
from radiomicnet_md_training.faithfulness.look import Case, Seen, cases, gates, look, spoken
from tests.training.twins import headed, steady

CONSTANT = 100_000  # 2**-TABLE_BITS, about 98 logits


@pytest.fixture(scope="module")
def plain(engine: Engine, seen: Seen) -> Engine:
    """The engine with gates that are shut or wide open; the first map's on about half of the pixels each."""
    middle = int(np.median(seen.proposal.outputs[:, 0])) + STREAM[1]
    wide = (2 << GATE_BITS) // len(seen.proposal.outputs)
    return headed(engine, gate=np.where(np.arange(len(engine.head.gate)) > middle, wide, 0))


@pytest.fixture(scope="module")
def padded(plain: Engine) -> Engine:
    """The same with a constant added to every table of the first name: it hides behind the gates."""
    phi = plain.head.phi.copy()
    phi[:: len(plain.head.names), :-1] += CONSTANT
    return headed(plain, phi=phi)


@pytest.mark.verifies("SRS-MOD-008")
def test_the_evidence_is_its_sum_and_one_altered_pixel_is_counted(engine: Engine, seen: Seen) -> None:
    assert pixel.unequal(engine, seen) == 0
    evidence = seen.proposal.evidence
    forged = evidence.contributions.copy()
    forged[3, 10, 20] += 1
    proposal = replace(seen.proposal, evidence=replace(evidence, contributions=forged))
    assert pixel.unequal(engine, replace(seen, proposal=proposal)) == 1


@pytest.mark.verifies("SRS-MOD-008")
def test_what_is_said_times_the_gates_is_what_is_contributed(engine: Engine, seen: Seen) -> None:
    said, opened = spoken(engine, seen.proposal), gates(engine, seen.proposal)
    each = (said * opened).reshape(-1, len(engine.head.names), *said.shape[1:])  # (scales, names, h2, w2)
    assert np.array_equal(each.sum(0), seen.proposal.evidence.contributions)
    assert opened.min() >= 0
    assert opened.max() <= 2 << GATE_BITS


@pytest.mark.verifies("SRS-MOD-008")
@pytest.mark.parametrize("scale", [0, 1])
def test_a_map_that_says_one_everywhere_contributes_its_gate(engine: Engine, seen: Seen, scale: int) -> None:
    m = 16 * scale + 3
    phi = np.zeros_like(engine.head.phi)
    phi[m] = 1
    alone = headed(engine, phi=phi).propose(seen.grey)
    assert np.array_equal(alone.evidence.contributions[3], gates(engine, seen.proposal)[m])
    assert np.array_equal(spoken(headed(engine, phi=phi), alone).sum((1, 2)) > 0, np.arange(len(phi)) == m)


@pytest.mark.verifies("SRS-MOD-008")
def test_certified_pixels_are_those_of_the_record(engine: Engine, lesion: Case, seen: Seen) -> None:
    decision = engine.decide(lesion.grey, None)
    counts = pixel.certified(engine, seen)
    assert (counts["certified"], counts["pixels"]) == (record.certified(decision), decision.logit.size)
    assert 0 < counts["band_pixels"] < counts["pixels"]
    near = np.abs(engine.head.bias + decision.contributions.sum(0))[pixel.band(seen)]
    for rho in (int(np.median(near)), int(near.max())):
        found = pixel.certified(headed(engine, rho=rho), seen)
        assert found["band_certified"] == int((near > rho).sum()) < counts["band_pixels"]


@pytest.mark.verifies("SRS-MOD-008")
def test_the_band_lies_three_pixels_to_either_side_and_not_along_the_images_border(seen: Seen) -> None:
    mask = np.zeros_like(seen.mask)
    mask[:, 100:120] = True  # reaches the upper and the lower border of the image
    found = pixel.band(replace(seen, mask=mask))
    columns = np.flatnonzero(found.any(0))
    assert found[:, columns].all()
    # 97, 98, 99 | 100, 101, 102 and 117, 118, 119 | 120, 121, 122, where at least half of a half-grid pixel lies within
    assert columns.tolist() == [48, 49, 50, 51, 58, 59, 60, 61]
    assert not pixel.band(replace(seen, mask=np.zeros_like(mask))).any()


@pytest.mark.verifies("SRS-MOD-008")
def test_the_centred_share_of_centred_tables_is_the_records(engine: Engine, lesion: Case, seen: Seen) -> None:
    numerator, denominator = record.named_share(engine.decide(lesion.grey, None))
    nothing = np.zeros(len(engine.head.phi), dtype=np.int64)
    assert pixel.centred_share(engine, seen, nothing) == numerator / denominator


@pytest.mark.verifies("SRS-MOD-008")
def test_a_constant_behind_a_gate_earns_no_share(plain: Engine, padded: Engine, lesion: Case) -> None:
    usual, found = pixel.usual(plain, [lesion]), pixel.usual(padded, [lesion])
    names = len(plain.head.names)
    assert (found.said - usual.said).tolist() == [0 if m % names else CONSTANT for m in range(len(usual.said))]
    decision = padded.decide(lesion.grey, None)
    numerator, denominator = record.named_share(decision)
    honest = pixel.centred_share(padded, look(padded, lesion.grey), found.said)
    assert numerator / denominator - honest > 0.2
    # It is the share of the device with tables that say the usual less.
    phi = padded.head.phi.copy()
    phi[:, :-1] -= found.said[:, None]
    centred = headed(padded, phi=phi).propose(lesion.grey).evidence.contributions.sum(0)
    assert honest == pixel.share(centred, decision.logit)


@pytest.mark.verifies("SRS-MOD-008")
def test_freezing_gates_that_do_not_vary_changes_nothing_and_others_do(
    engine: Engine, padded: Engine, lesion: Case, truth: np.ndarray
) -> None:
    still = steady(engine)
    looked = look(still, lesion.grey)
    usual = pixel.usual(still, [Case("other", lesion.grey[::-1].copy(), lesion.truth)])
    assert len(set(usual.gates.tolist())) == looked.proposal.outputs.shape[1] - 1
    for constant in (None, usual.gates):
        same = pixel.frozen(still, looked, constant, truth)
        assert (same["sign"], same["dice"]) == (1.0, 1.0)
        assert same["correlation"] == same["correlation_without_rest"] == pytest.approx(1)
        assert same["truth"] == same["truth_decided"]
    other = pixel.frozen(still, looked, usual.gates[::-1], truth)
    assert other["correlation"] < 0.999
    shut = pixel.frozen(still, looked, np.zeros(len(usual.gates)), truth)
    assert shut["sign"] == np.mean((looked.proposal.evidence.logit > 0) == (still.head.bias > 0))
    assert shut["correlation"] == 0
    moving = pixel.frozen(padded, look(padded, lesion.grey), None, truth)
    assert moving["correlation"] < 0.9


@pytest.mark.verifies("SRS-MOD-008")
def test_every_exchange_of_a_value_ends_as_the_record_foretells(engine: Engine, seen: Seen) -> None:
    found = regions.counterfactuals(seen, engine.regions)
    written = len(regions.recorded(seen))
    assert found.swaps == written * len(engine.regions.terms) * (written - 1 + 2)
    assert 0 < found.changed < found.swaps
    assert (found.wrong_score, found.wrong_choice) == (0, 0)


@pytest.mark.verifies("SRS-MOD-008")
def test_a_table_other_than_the_records_is_found_out(engine: Engine, seen: Seen) -> None:
    (region,) = seen.choice.chosen
    edges, scores = engine.regions.terms["solidity"]
    forged = scores.copy()
    forged[np.searchsorted(edges, region.values["solidity"], side="right")] += 1
    tables = replace(engine.regions, terms={**engine.regions.terms, "solidity": (edges, forged)})
    assert regions.counterfactuals(seen, tables).wrong_score > 0


class _Entangled(decide.Tables):
    """Tables whose sum is none: the second term depends on the first value too."""

    def read(self, values: np.ndarray) -> np.ndarray:
        terms = decide.Tables.read(self, values)
        terms[:, 1] += values[:, VALUE_NAMES.index("area")] // 8
        return terms


@pytest.mark.verifies("SRS-MOD-008")
def test_a_hidden_interaction_and_a_choice_that_does_not_follow_the_scores_are_found_out(
    engine: Engine, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    entangled = _Entangled(engine.regions.intercept, engine.regions.terms)
    levels, codes = seen.proposal.measured.levels, seen.proposal.codes[:16]
    own = replace(seen, choice=decide.choose(seen.proposal.evidence.logit, levels, codes, entangled))
    assert regions.counterfactuals(own, entangled).wrong_score > 0
    honest = decide.select
    monkeypatch.setattr(decide, "select", lambda scores, parents: honest(scores, parents)[1:])
    found = regions.counterfactuals(seen, engine.regions)
    assert found.wrong_score == 0
    assert found.wrong_choice > 0


@pytest.mark.verifies("SRS-MOD-008")
@settings(max_examples=60)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 12))
def test_the_choice_made_from_the_top_is_the_devices(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    parents = [int(random.integers(-1, i)) if i else -1 for i in range(count)]
    scores = random.integers(-3, 4, count).tolist()  # few values: many ties
    assert regions._best(scores, parents) == sorted(decide.select(scores, parents))


@pytest.mark.verifies("SRS-MOD-008")
def test_regions_of_a_record_are_found_among_the_candidates(seen: Seen) -> None:
    for number, region in regions.recorded(seen).items():
        assert isinstance(region, Region)
        assert dict(zip(VALUE_NAMES, seen.values[number].tolist(), strict=True)) == region.values
        assert np.array_equal(seen.found.tree.pixels(number), region.pixels)


@pytest.fixture(scope="module")
def found(engine: Engine, lesion: Case) -> dict[str, object]:
    """The measurements of a lesion and of a normal."""
    normal = phantom.make(3, 256, 320, lesion=False)
    return study.measure(engine, [lesion, Case("normal", normal.pixels, normal.truth)], [lesion], exact=0)


@pytest.mark.verifies("SRS-MOD-008")
def test_measurements_are_plain_repeatable_and_joined_as_if_made_at_once(
    engine: Engine, lesion: Case, found: dict[str, object]
) -> None:
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    normal = phantom.make(3, 256, 320, lesion=False)
    parts = [{**found, "cases": found["cases"][:1]}]
    parts += [study.measure(engine, [Case("normal", normal.pixels, normal.truth)], [lesion], exact=0)]
    joined = study.join(parts)
    assert joined == {**found, "training_images": 2}
    assert found["summary"]["lesions"] == 1
    assert found["summary"]["groups"]["cases"] == 1


@pytest.mark.verifies("SRS-MOD-008")
def test_the_page_prints_what_was_found_and_no_share_but_the_centred(found: dict[str, object]) -> None:
    text = page.page(found)
    assert text == page.page(json.loads(json.dumps(found)))
    assert "demonstration on public data, not clinical evidence" in text.lower()
    assert "Choices other than foretold: 0." in text
    assert all("centred share" in line for line in text.splitlines() if "share" in line)
    assert "| GLCM energy | none | none | 14.56 |" in text
    broken = copy.deepcopy(found)
    broken["summary"]["counterfactuals"]["wrong_choice"] = 7
    broken["summary"]["completeness"]["unequal"] = 5
    broken["gradients"] = {"glcm_JointEnergy": 12.5}
    text = page.page(broken)
    assert "Choices other than foretold: 7." in text
    assert "| 5 of 14784 |" in text
    assert "| GLCM energy | none | 12.50 | 14.56 |" in text


@pytest.mark.verifies("SRS-MOD-008")
def test_a_constant_behind_a_gate_raises_the_records_share_and_not_the_pages(
    padded: Engine, lesion: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "edits", lambda *_: {})  # they take the time and have no part in this
    measured = study.measure(padded, [lesion], [lesion], exact=0)
    numerator, denominator = record.named_share(padded.decide(lesion.grey, None))
    share = measured["cases"][0]["centred_share"]
    assert share < numerator / denominator - 0.2
    lines = [line for line in page.page(measured).splitlines() if "centred share" in line]
    assert any(f"{share:.3f}" in line for line in lines)
    assert not any(f"{numerator / denominator:.3f}" in line for line in lines)
    assert measured["off_centre"] == pytest.approx(CONSTANT / 2**TABLE_BITS, rel=0.05)  # the page says so


@pytest.mark.verifies("SRS-MOD-008")
def test_cases_come_from_the_open_data_set_on_the_working_grid(lesion: Case) -> None:
    images, masks = np.zeros((2, 2, 192, 192), dtype=np.uint8)
    images[1, :100, :192] = 7
    masks[1, 5, 5:8] = (127, 128, 255)
    data = Dataset(["a", "b"], ["a", "b"], ["x", "x"], [], images, masks, np.array([(192, 192), (100, 192)]))
    (case,) = cases(data, np.array([1]))
    assert case.name == "b"
    assert case.grey.shape == case.truth.shape == (100, 192)
    assert (case.grey == 7).all()
    assert case.truth[5, 4:9].tolist() == [0, 0, 1, 1, 0]

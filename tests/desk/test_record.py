# SPDX-License-Identifier: Apache-2.0
"""What stands in a record follows from the decision by sums that come out even."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from radiomicnet_md.decision import Check, Decision
from radiomicnet_md.engine import record
from radiomicnet_md.engine.record import Case, Outcome, Reason
from radiomicnet_md.engine.zones import zones
from radiomicnet_md.image import Image, Origin, array_sha256, mask_sha256
from radiomicnet_md.intent import new_id
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md_audit import canonical, dsse, sign
from radiomicnet_md_audit.dsse import LARGEST_ENTRY
from radiomicnet_md_audit.statement import check_draft
from tests import desks

LEVELS = arrays.arrays(np.uint8, st.tuples(st.integers(4, 40), st.integers(4, 40)))
RECORDED = Case(
    new_id(),
    new_id(),
    Outcome.RESULT,
    file_sha256="a" * 64,
    image=Image(np.zeros((1, 64, 64, 1), np.uint8), Origin("png", "a" * 64), (0.1, 0.2)),
    commitments={"PatientID": "b" * 64},
    checks=(Check("bits", "8", "8", held=True),),
)


def decided(levels: NDArray[np.uint8]) -> Decision:
    return desks.decision(levels, 60)


@pytest.mark.verifies("SRS-REC-003", "SRS-ENG-004")
@settings(max_examples=50, deadline=None)
@given(levels=LEVELS)
def test_the_three_zones_are_the_half_grid_and_their_integrals_are_the_logit(levels: NDArray[np.uint8]) -> None:
    decision = decided(levels)
    found = zones(decision.chosen, *decision.logit.shape)
    assert (sum(zone.astype(int) for zone in found.values()) == 1).all()
    for zone in found.values():
        assert sum(record.integrals(decision, zone).values()) == int(decision.logit[zone].sum())


@pytest.mark.verifies("SRS-REC-003")
@settings(max_examples=50, deadline=None)
@given(levels=LEVELS)
def test_the_named_share_is_covariance_over_variance(levels: NDArray[np.uint8]) -> None:
    decision = decided(levels)
    share, whole = record.named_share(decision)
    named, logit = decision.contributions.sum(axis=0).ravel(), decision.logit.ravel()
    count = logit.size
    assert whole == sum((int(a) - int(b)) ** 2 for i, a in enumerate(logit) for b in logit[i + 1 :])
    expected = np.cov(named, logit, bias=True)[0, 1] * count * count
    assert np.isclose(float(share), expected, rtol=1e-9, atol=1.0)
    rest, _ = record.named_share(replace(decision, contributions=decision.rest[None], names=("rest",)))
    if whole:
        assert Fraction(share, whole) + Fraction(rest, whole) == 1


@pytest.mark.verifies("SRS-REC-003")
@settings(max_examples=50, deadline=None)
@given(levels=LEVELS)
def test_no_rest_within_its_bound_changes_the_sign_of_a_certified_pixel(levels: NDArray[np.uint8]) -> None:
    decision = decided(levels)
    named = decision.bias + decision.contributions.sum(axis=0)
    safe = (np.sign(named - decision.rho) == np.sign(named + decision.rho)) & (np.abs(named) != decision.rho)
    assert record.certified(decision) == int(safe.sum())


@pytest.mark.verifies("SRS-REC-003")
def test_a_result_holds_every_part_and_the_values_of_the_case() -> None:
    levels = np.full((64, 64), 200, np.uint8)
    levels[20:40, 20:44] = 10
    decision = decided(levels)
    made = record.describe(replace(RECORDED, decision=decision), desks.MAKER)
    assert canonical.loads(canonical.dumps(made)) == made
    assert made["outputs"] == {
        "mask_sha256": mask_sha256(decision.mask),
        "contributions_sha256": array_sha256(decision.contributions),
        "mask_shape": [64, 64],
    }
    chosen = made["decision"]["chosen"][0]
    assert chosen["score"] == chosen["intercept"] + sum(chosen["terms"].values())
    assert made["decision"]["margin"] == decision.chosen[0].score + 8
    assert made["input"]["spacing_mm"] == [(0.1).hex(), (0.2).hex()]
    assert made["radiomics"]["lesions"][0]["values"] == {"firstorder_Mean": (1.5).hex()}
    assert made["checks"] == [{"name": "bits", "value": "8", "limit": "8", "held": True}]
    assert made["pixels"]["certified"]["of"] == decision.logit.size
    assert made["release"] == desks.MAKER.release
    assert made["code"] == desks.MAKER.code
    assert made["environment"] == desks.MAKER.environment
    assert made["configuration_sha256"] == desks.MAKER.configuration_sha256


@pytest.mark.verifies("SRS-REC-003", "SRS-REC-005")
@pytest.mark.parametrize("state", [Outcome.REFUSED, Outcome.ERROR])
def test_a_refusal_and_an_error_have_the_parts_of_a_result(state: Outcome) -> None:
    whole = record.describe(replace(RECORDED, decision=decided(np.zeros((64, 64), np.uint8))), desks.MAKER)
    reason = Reason("E-X", "Fact.", "Step.")
    made = record.describe(Case(new_id(), new_id(), state, reason=reason), replace(desks.MAKER, release=None))
    assert made.keys() == whole.keys()
    assert made["reason"] == {"code": "E-X", "text": "Fact.", "remedy": "Step."}
    assert made["input"] is made["decision"] is made["outputs"] is made["release"] is None


@pytest.mark.verifies("SRS-REC-003")
def test_a_statement_always_has_a_subject() -> None:
    nothing = record.describe(Case(new_id(), new_id(), Outcome.REFUSED), desks.MAKER)
    assert [item["name"] for item in record.statement(nothing)["subject"]] == ["request"]
    whole = record.describe(replace(RECORDED, decision=decided(np.zeros((64, 64), np.uint8))), desks.MAKER)
    statement = record.statement(whole)
    assert [item["name"] for item in statement["subject"]] == ["input", "mask", "contributions"]
    assert check_draft(statement) == RECORDED.record_id


@pytest.mark.verifies("SRS-REC-003")
def test_a_record_with_as_many_regions_as_may_be_fits_into_an_entry_of_the_log() -> None:
    decision = decided(np.zeros((64, 64), np.uint8))
    large = dict.fromkeys(
        (f"a name of a value that is rather long {n:03}" for n in range(107)), -1.0000000000000002e300
    )
    lesion = {"pixels": 10**7, "levels_sha256": "5" * 64, "values": large}
    most = record.MOST_REGIONS
    region = replace(decision.chosen[0], values=dict.fromkeys(decision.chosen[0].values, 10**9))
    decision = replace(decision, chosen=(region,) * most, lesions=(lesion,) * most, names=NAMED)
    decision = replace(decision, contributions=np.full((len(NAMED), *decision.logit.shape), 2**25, np.int64))
    made = record.describe(replace(RECORDED, decision=decision, checks=RECORDED.checks * 15), desks.MAKER)
    log = {"origin": "radiomicnet-md/0123456789abcdef", "producer": "6" * 64, "counter": 2**40, "monotonic_ns": 2**50}
    statement = record.statement({**made, "log": {**log, "time_utc": "2026-01-01T00:00:00.000000Z"}})
    envelope = dsse.seal(canonical.dumps(statement), dsse.STATEMENT_TYPE, sign.generate())
    assert len(envelope) <= LARGEST_ENTRY
    kept = {hashlib.sha256(data).hexdigest(): canonical.loads(data) for data in record.details(decision)}
    for place, short in enumerate(made["decision"]["chosen"]):
        if place >= record.DETAILED:
            full = kept[short["detail_sha256"]]
            assert full == {**made["decision"]["chosen"][0]}
            assert (short["score"], short["values"], short["terms"]) == (region.score, {}, {})
    assert made["radiomics"]["lesions"][-1]["detail_sha256"] in kept


@pytest.mark.verifies("SRS-ENG-006")
def test_no_lesion_is_an_answer_with_a_margin() -> None:
    decision = decided(np.full((64, 64), 200, np.uint8))
    made = record.describe(replace(RECORDED, decision=decision), desks.MAKER)
    assert made["decision"]["chosen"] == []
    assert made["decision"]["margin"] == 8
    assert zones(decision.chosen, *decision.logit.shape)["background"].all()


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.verifies("SRS-REC-006")
@settings(deadline=None)
@given(value=VALUES)
def test_plain_values_have_a_canonical_form(value: object) -> None:
    try:
        encoded = canonical.dumps(record.plain(value))
    except canonical.IntegrityError:
        assert "\\ud" in ascii(value)  # a lone surrogate has no UTF-8
        return
    assert canonical.dumps(record.plain(canonical.loads(encoded))) == encoded

# SPDX-License-Identifier: Apache-2.0
"""Candidates are those of the locked engine, measured by the device's own functions, and kept without a loss."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.engine import decide
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.radiomics import region, region_definitions
from radiomicnet_md_training import candidate, networks, proposals, recipe
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.proposals import NAMES, NETWORK_NAMES, Proposals
from radiomicnet_md_validation.metrics import dice

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "locked.yaml"


@pytest.fixture(scope="module")
def engine(prepared: Prepared) -> Engine:
    """An engine of a network that has learnt nothing, whose evidence is made steep so that it has candidates."""
    torch.manual_seed(3)
    network = networks.build("locked", {}, prepared).eval()
    with torch.no_grad():
        network.head.knots.mul_(4)
    return Engine(candidate.files(network, prepared, recipe.read(RECIPE)[0].measuring, candidate.NO_REGIONS))


@pytest.fixture(scope="module")
def found(engine: Engine, prepared: Prepared) -> list[Proposals]:
    """What it proposes in two lesions and a normal image."""
    return proposals.propose(engine, prepared.data, np.arange(6, 9), 4)


@pytest.mark.verifies("SRS-MOD-009")
def test_candidates_are_the_engines_own(engine: Engine, found: list[Proposals], prepared: Prepared) -> None:
    assert [(p.case, p.fold) for p in found] == [(6, 4), (7, 4), (8, 4)]
    assert all(len(p.dice) > 1 for p in found)
    for p in found:
        levels = prepared.data.levels(p.case)
        said = engine.propose(levels)
        evidence = decide.upsample(said.evidence.logit, *levels.shape)
        tree = decide.candidates(evidence).tree
        assert p.parents.tolist() == tree.parents.tolist()
        assert np.array_equal(p.fixed, evidence >= 0)
        assert all(np.array_equal(pixels, tree.pixels(i)) for i, pixels in enumerate(p.pixels))
        known = region.measure(tree, levels, said.codes[:16])
        assert np.array_equal(p.values[:, : len(region_definitions.VALUE_NAMES)], known)
        assert p.values.shape == (len(p.dice), len(NAMES))


@pytest.mark.verifies("SRS-MOD-004")
def test_each_candidate_is_scored_against_the_mask_by_the_kernel_of_the_results(
    found: list[Proposals], prepared: Prepared
) -> None:
    for p in found:
        rows, columns = prepared.data.sizes[p.case]
        assert np.array_equal(p.truth, prepared.data.masks[p.case, :rows, :columns] > 127)
        assert p.truth.any() == prepared.data.lesion[p.case]
        assert p.dice == pytest.approx([dice(pixels, p.truth) for pixels in p.pixels])
        assert 0 <= p.certified <= 1


@pytest.mark.verifies("SRS-MOD-009")
def test_values_of_the_network_stand_apart_from_named_ones(found: list[Proposals]) -> None:
    assert NAMES[-len(NETWORK_NAMES) :] == NETWORK_NAMES
    assert not set(NETWORK_NAMES) & set(NAMES[: -len(NETWORK_NAMES)])
    for p in found:
        rung, mean, _, highest = p.values[:, -len(NETWORK_NAMES) :].T
        assert (highest >= rung).all()
        assert (highest >= mean).all()
        for child, parent in enumerate(p.parents.tolist()):
            if parent >= 0:
                assert rung[child] > rung[parent]
                assert highest[child] <= highest[parent]


@st.composite
def made_up(draw: st.DrawFn, case: int) -> Proposals:
    """Proposals of any numbers, perhaps of no candidate; sides that are no multiple of eight."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    count, rows, columns = draw(st.tuples(st.integers(0, 4), st.integers(1, 11), st.integers(1, 11)))
    return Proposals(
        case,
        draw(st.integers(0, 9)),
        random.integers(-(2**40), 2**40, (count, len(NAMES))),
        np.arange(count) - 1,
        random.random(count),
        random.random((count, rows, columns)) < 0.5,
        random.random((rows, columns)) < 0.5,
        random.random((rows, columns)) < 0.5,
        random.random(),
        random.normal(),
    )


@pytest.mark.verifies("SRS-MOD-009")
@given(st.integers(0, 3).flatmap(lambda n: st.tuples(*(made_up(11 * case) for case in range(n)))))
def test_what_is_kept_is_given_back(tmp_path_factory: pytest.TempPathFactory, kept: tuple[Proposals, ...]) -> None:
    file = tmp_path_factory.getbasetemp() / "proposals.npz"
    proposals.save(file, list(reversed(kept)))
    assert not list(file.parent.glob("*.partial*"))
    read = proposals.load(file)
    assert len(read) == len(kept)
    for mine, given_back in zip(kept, read, strict=True):
        for field in dataclasses.fields(Proposals):
            a, b = getattr(mine, field.name), getattr(given_back, field.name)
            assert np.array_equal(a, b), field.name
            assert np.asarray(a).dtype == np.asarray(b).dtype, field.name

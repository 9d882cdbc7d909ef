# SPDX-License-Identifier: Apache-2.0
"""The region layer: candidates nest, a score is its terms, and the chosen set is the best there is."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, margin
from radiomicnet_md.engine import decide
from radiomicnet_md.radiomics.region import VALUE_NAMES


def field(seed: int, rows: int = 48, columns: int = 56) -> np.ndarray:
    """Smooth random evidence on the half grid, a few logits in range."""
    noise = np.random.default_rng(seed).standard_normal((rows, columns))
    smooth = ndimage.gaussian_filter(noise, 3)
    return np.asarray(np.rint(smooth / smooth.std() * 3 * 2**LOGIT_BITS), dtype=np.int64)


def tables(seed: int) -> decide.Tables:
    """Random tables over every value."""
    random = np.random.default_rng(seed)
    terms = {}
    for name in VALUE_NAMES:
        edges = np.unique(random.integers(-500, 4000, 6))
        terms[name] = (edges, random.integers(-(2**14), 2**14, edges.size + 1))
    return decide.Tables(-(2**SCORE_BITS) // 8, terms)


@pytest.mark.verifies("SRS-ENG-005")
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_candidates_are_disjoint_or_nested_and_parents_hold_their_children(seed: int) -> None:
    found = decide.candidates(decide.upsample(field(seed), 96, 112))
    for i, j in combinations(range(len(found)), 2):
        both = int((found[i].pixels & found[j].pixels).sum())
        assert both in {0, found[j].area}, "larger candidates stand first"
    for child in found:
        if child.parent is not None:
            assert found[child.parent].area > child.area
            assert bool((found[child.parent].pixels | ~child.pixels).all())


@pytest.mark.verifies("SRS-ENG-005")
def test_a_candidate_has_no_holes_and_is_connected() -> None:
    for candidate in decide.candidates(decide.upsample(field(4), 96, 111)):
        assert ndimage.label(candidate.pixels)[1] == 1
        assert np.array_equal(ndimage.binary_fill_holes(candidate.pixels), candidate.pixels)
        rows, columns = np.nonzero(candidate.pixels)
        assert candidate.box == (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert candidate.area == rows.size >= decide.SMALLEST


def _tree(parents: list[int | None]) -> list[set[int]]:
    ancestors: list[set[int]] = []
    for parent in parents:
        ancestors.append(set() if parent is None else ancestors[parent] | {parent})
    return ancestors


@pytest.mark.verifies("SRS-ENG-005")
@given(
    data=st.data(),
    scores=st.lists(st.integers(-5, 5), min_size=0, max_size=9),
)
def test_the_chosen_set_has_the_largest_sum_of_all_disjoint_sets(data: st.DataObject, scores: list[int]) -> None:
    parents = [data.draw(st.none() if i == 0 else st.none() | st.integers(0, i - 1)) for i in range(len(scores))]
    ancestors = _tree(parents)
    chosen = decide.select(scores, parents)
    assert all(scores[i] > 0 for i in chosen)
    assert all(i not in ancestors[j] for i in chosen for j in chosen)
    best = 0
    for size in range(len(scores) + 1):
        for group in combinations(range(len(scores)), size):
            if all(i not in ancestors[j] for i in group for j in group):
                best = max(best, sum(scores[i] for i in group))
    assert sum(scores[i] for i in chosen) == best


@pytest.mark.verifies("SRS-ENG-005")
def test_changing_one_value_changes_the_score_by_the_difference_of_its_entries() -> None:
    layer = tables(2)
    values = dict.fromkeys(VALUE_NAMES, 100)
    before = layer.read(values)
    for name in VALUE_NAMES:
        edges, scores = layer.terms[name]
        changed = layer.read({**values, name: int(edges[-1])})
        assert changed[name] == scores[-1]
        assert sum(changed.values()) - sum(before.values()) == int(scores[-1]) - before[name]


@pytest.mark.verifies("SRS-ENG-005", "SRS-ENG-006")
def test_scores_add_up_and_nothing_above_zero_means_no_lesion() -> None:
    random = np.random.default_rng(0)
    levels = random.integers(0, 256, (96, 112)).astype(np.uint8)
    codes = random.integers(0, 64, (16, 48, 56)).astype(np.uint8)
    layer = tables(7)
    choice = decide.choose(field(7), levels, codes, layer)
    assert choice.candidates > len(choice.chosen) > 0
    for one in (*choice.chosen, choice.runner_up):
        assert one is not None
        assert one.score == one.intercept + sum(one.terms.values())
    none = decide.choose(field(7), levels, codes, decide.Tables(-(2**30), layer.terms))
    assert none.chosen == ()
    assert none.runner_up is not None
    assert none.runner_up.score < 0
    flat = decide.choose(np.full((48, 56), -(20 << LOGIT_BITS), dtype=np.int64), levels, codes, layer)
    assert (flat.chosen, flat.runner_up, flat.candidates) == ((), None, 0)


@pytest.mark.verifies("SRS-ENG-008")
@given(value=st.integers(-(2**40), 2**40), rows=st.integers(1, 9), columns=st.integers(1, 9))
def test_upsampling_keeps_a_constant_and_scales_by_sixteen(value: int, rows: int, columns: int) -> None:
    out = decide.upsample(np.full((rows, columns), value, dtype=np.int64), 2 * rows, 2 * columns)
    assert out.shape == (2 * rows, 2 * columns)
    assert (out == 16 * value).all()


@pytest.mark.verifies("SRS-ENG-005")
@given(seed=st.integers(0, 10_000), shift=st.integers(-(2**16), 2**16))
@settings(max_examples=25, deadline=None)
def test_the_choice_is_never_behind_the_runner_up(seed: int, shift: int) -> None:
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (96, 112)).astype(np.uint8)
    codes = random.integers(0, 64, (16, 48, 56)).astype(np.uint8)
    layer = tables(seed)
    choice = decide.choose(field(seed), levels, codes, decide.Tables(layer.intercept + shift, layer.terms))
    beaten = margin(choice.chosen, choice.runner_up)
    assert (beaten is None) == (choice.runner_up is None)
    assert beaten is None or beaten >= 0

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
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from tests.radiomics import region_oracle


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


def direct(evidence: np.ndarray) -> list[tuple[int, int, tuple[int, ...], np.ndarray]]:
    """Area, threshold, box and pixels of every candidate, rung by rung; larger before smaller."""
    found: list[tuple[int, int, tuple[int, ...], np.ndarray]] = []
    for threshold in decide.LADDER:
        labels, _ = ndimage.label(ndimage.binary_fill_holes(evidence >= threshold * 2**decide.UPSAMPLED_BITS // 2))
        for label, (down, across) in enumerate(ndimage.find_objects(labels), start=1):
            pixels = labels == label
            if pixels.sum() >= decide.SMALLEST and not any(np.array_equal(pixels, known) for *_, known in found):
                found.append((int(pixels.sum()), threshold, (down.start, across.start, down.stop, across.stop), pixels))
    return sorted(found, key=lambda one: (-one[0], one[1], one[2]))


@pytest.mark.verifies("SRS-ENG-005", "SRS-RAD-010")
@given(seed=st.integers(0, 10_000), odd=st.booleans())
@settings(max_examples=10, deadline=None)
def test_candidates_are_the_filled_components_of_every_rung(seed: int, *, odd: bool) -> None:
    evidence = decide.upsample(field(seed), 96 - odd, 112 - odd)
    found, expected = decide.candidates(evidence), direct(evidence)
    assert len(found.tree) == len(expected)
    for i, (area, threshold, box, pixels) in enumerate(expected):
        assert np.array_equal(found.tree.pixels(i), pixels)
        assert (found.areas[i], decide.LADDER[found.rungs[i] - 1]) == (area, threshold)
        assert tuple(found.boxes[i].tolist()) == box


@pytest.mark.verifies("SRS-ENG-005")
@given(seed=st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_candidates_are_disjoint_or_nested_and_parents_hold_their_children(seed: int) -> None:
    found = decide.candidates(decide.upsample(field(seed), 96, 112))
    pixels = [found.tree.pixels(i) for i in range(len(found.tree))]
    for i, j in combinations(range(len(pixels)), 2):
        both = int((pixels[i] & pixels[j]).sum())
        assert both in {0, found.areas[j]}, "larger candidates stand first"
    for child, parent in enumerate(found.tree.parents.tolist()):
        if parent >= 0:
            assert found.areas[parent] > found.areas[child]
            assert bool((pixels[parent] | ~pixels[child]).all())


@pytest.mark.verifies("SRS-ENG-005")
def test_a_candidate_has_no_holes_and_is_connected() -> None:
    found = decide.candidates(decide.upsample(field(4), 96, 111))
    for i in range(len(found.tree)):
        pixels = found.tree.pixels(i)
        assert ndimage.label(pixels)[1] == 1
        assert np.array_equal(ndimage.binary_fill_holes(pixels), pixels)
        rows, columns = np.nonzero(pixels)
        assert found.boxes[i].tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
        assert found.areas[i] == rows.size >= decide.SMALLEST


def _tree(parents: list[int]) -> list[set[int]]:
    ancestors: list[set[int]] = []
    for parent in parents:
        ancestors.append(set() if parent < 0 else ancestors[parent] | {parent})
    return ancestors


@pytest.mark.verifies("SRS-ENG-005")
@given(
    data=st.data(),
    scores=st.lists(st.integers(-5, 5), min_size=0, max_size=9),
)
def test_the_chosen_set_has_the_largest_sum_of_all_disjoint_sets(data: st.DataObject, scores: list[int]) -> None:
    parents = [data.draw(st.integers(-1, i - 1)) for i in range(len(scores))]
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
    values = np.full((1, len(VALUE_NAMES)), 100)
    (before,) = layer.read(values)
    for k, name in enumerate(VALUE_NAMES):
        edges, scores = layer.terms[name]
        changed = values.copy()
        changed[0, k] = edges[-1]
        (after,) = layer.read(changed)
        assert after[k] == scores[-1]
        assert after.sum() - before.sum() == scores[-1] - before[k]


@pytest.mark.verifies("SRS-ENG-005")
def test_a_table_reads_the_value_of_its_name_and_no_other() -> None:
    layer = decide.Tables(0, {name: (np.array([50]), np.array([k, -k])) for k, name in enumerate(VALUE_NAMES[::-5])})
    values = np.random.default_rng(1).integers(0, 100, (7, len(VALUE_NAMES)))
    read = layer.read(values)
    for k, name in enumerate(layer.terms):
        assert read[:, k].tolist() == [k if value < 50 else -k for value in values[:, VALUE_NAMES.index(name)]]
    assert decide.Tables(3, {}).read(values).shape == (7, 0)


@pytest.mark.verifies("SRS-ENG-005", "SRS-RAD-010")
@given(seed=st.integers(0, 10_000))
@settings(max_examples=10, deadline=None)
def test_the_values_of_the_choice_are_those_of_each_region_alone(seed: int) -> None:
    random = np.random.default_rng(seed)
    levels = random.integers(0, 256, (95, 112)).astype(np.uint8)
    codes = random.integers(0, 65, (16, 48, 56)).astype(np.uint8)
    layer = tables(seed)
    choice = decide.choose(field(seed), levels, codes, layer)
    for one in (*choice.chosen, choice.runner_up):
        if one is not None:
            assert one.values == region_oracle.measure(one.pixels, levels, codes)
            assert one.box == region_oracle.box_of(one.pixels)
            assert one.area_px == one.pixels.sum()
            for name, term in one.terms.items():
                edges, scores = layer.terms[name]
                assert term == scores[sum(edge <= one.values[name] for edge in edges.tolist())]


@pytest.mark.verifies("SRS-ENG-005", "SRS-ENG-006")
@pytest.mark.verifies("SRS-ENG-006", rc=("RC-021",))
@pytest.mark.verifies("SRS-ENG-005", rc=("RC-015",))
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


@pytest.mark.verifies("SRS-ENG-006", rc=("RC-021",))
def test_no_region_is_chosen_that_does_not_speak_for_a_lesion() -> None:
    assert decide.select([0], [-1]) == []
    assert decide.select([-5, -3], [-1, -1]) == []
    assert decide.select([1, 0, -2], [-1, -1, 1]) == [0]


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

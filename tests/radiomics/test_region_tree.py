# SPDX-License-Identifier: Apache-2.0
"""Whatever the tree, a region's values are those that it has alone; and what is no tree is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from radiomicnet_md.errors import InputError
from radiomicnet_md.radiomics import region, region_definitions, region_more, region_tree
from radiomicnet_md.radiomics.region_tree import LONGEST, Tree
from tests import strategies
from tests.radiomics import region_oracle

pytestmark = pytest.mark.verifies("SRS-RAD-010")


def image(shape: tuple[int, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random levels and codes."""
    random = np.random.default_rng(seed)
    half = tuple((side + 1) // 2 for side in shape)
    return random.integers(0, 256, shape).astype(np.uint8), random.integers(0, 65, (16, *half)).astype(np.uint8)


def alone(owner: np.ndarray, parents: np.ndarray, index: int) -> np.ndarray:
    """The pixels of one region: those that bear it or a region whose chain of parents meets it."""
    held = []
    for label in range(parents.size):
        above = label
        while above > index:
            above = int(parents[above])
        held.append(above == index)
    return np.isin(owner, np.flatnonzero(held))


HOLED = np.full((9, 9), -1)
HOLED[0:9, 1:8] = 0
HOLED[2:6, 2:6] = 1
HOLED[3:5, 3:5] = -1
HOLED[3, 3] = 2


@given(nested=strategies.nested_regions(), seed=st.integers(0, 2**32))
@example(nested=(np.zeros((1, 1), dtype=np.int32), np.array([-1])), seed=0)
@example(nested=(np.full((2, 3), 1), np.array([-1, 0])), seed=0)
@example(nested=(HOLED, np.array([-1, 0, -1])), seed=0)
@settings(max_examples=120)
def test_each_value_of_each_region_is_the_one_that_it_has_alone(nested: tuple[Any, Any], seed: int) -> None:
    owner, parents = nested
    levels, codes = image(owner.shape, seed)
    tree = Tree(owner, parents)
    locked, further = region.measure(tree, levels, codes), region_more.measure(tree, levels, codes)
    assert locked.dtype == further.dtype == np.int64
    for index in range(len(tree)):
        inside = alone(owner, parents, index)
        assert np.array_equal(tree.pixels(index), inside)
        assert dict(zip(region_definitions.VALUE_NAMES, locked[index].tolist(), strict=True)) == region_oracle.measure(
            inside, levels, codes
        )
        assert dict(zip(region_more.MORE_NAMES, further[index].tolist(), strict=True)) == region_oracle.more(
            inside, levels, codes
        )
        assert tuple(region_tree.boxes(tree)[index].tolist()) == region_oracle.box_of(inside)


@given(nested=strategies.nested_regions(), seed=st.integers(0, 2**32))
def test_histograms_add_up_and_count_every_pixel(nested: tuple[Any, Any], seed: int) -> None:
    tree = Tree(*nested)
    levels, _ = image(tree.owner.shape, seed)
    histograms = region_tree.histograms(tree, levels)
    for index in range(len(tree)):
        assert np.array_equal(histograms[index], np.bincount(levels[tree.pixels(index)], minlength=256))


@given(nested=strategies.nested_regions())
def test_masks_make_the_tree_that_they_came_from(nested: tuple[Any, Any]) -> None:
    tree = Tree(*nested)
    assume(len(tree) > 0)
    masks = [tree.pixels(index) for index in range(len(tree))]
    again = Tree.of(masks)
    assert [again.pixels(index).tolist() for index in range(len(again))] == [mask.tolist() for mask in masks]


LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "Fortran": np.asfortranarray,
    "strided": lambda one: np.repeat(np.repeat(one, 2, -2), 3, -1)[..., ::2, ::3],
    "negative strides": lambda one: np.ascontiguousarray(one[..., ::-1, ::-1])[..., ::-1, ::-1],
    "wider labels": lambda one: one if one.dtype == np.uint8 else one.astype(np.int64),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
def test_memory_layout(layout: Callable[[np.ndarray], np.ndarray]) -> None:
    random = np.random.default_rng(3)
    owner = np.kron(random.integers(-1, 5, (9, 8)), np.ones((4, 5), dtype=np.int64)).astype(np.int32)
    parents = np.array([-1, 0, 0, 1, -1])
    levels, codes = image(owner.shape, 4)
    for module in (region, region_more):
        expected = module.measure(Tree(owner, parents), levels, codes)
        tree = Tree(layout(owner), np.repeat(parents, 2)[::2])
        assert np.array_equal(module.measure(tree, layout(levels), layout(codes)), expected)


def test_no_region_has_no_values() -> None:
    tree = Tree(np.full((4, 6), -1), np.zeros(0, dtype=np.int64))
    assert region.measure(tree, *image((4, 6), 0)).shape == (0, len(region_definitions.VALUES))
    assert region_more.measure(tree, *image((4, 6), 0)).shape == (0, len(region_more.MORE))


@pytest.mark.parametrize(
    ("owner", "parents"),
    [
        (np.zeros(4, dtype=int), [-1]),
        (np.zeros((0, 4), dtype=int), []),
        (np.zeros((2, 2), dtype=int), [[-1]]),
        (np.full((2, 2), 1), [-1]),
        (np.full((2, 2), -2), [-1]),
        (np.zeros((2, 2), dtype=int), [0]),
        (np.array([[0, 1]]), [1, -1]),
        (np.zeros((2, 2), dtype=int), [-2]),
        (np.zeros((2, 2), dtype=int), [-1, 0]),
        (np.zeros((1, LONGEST + 1), dtype=int), [-1]),
    ],
    ids=[
        "one dimension",
        "no pixel",
        "parents of two dimensions",
        "no such region",
        "label −2",
        "its own parent",
        "a child before its parent",
        "parent −2",
        "an empty region",
        "too long",
    ],
)
def test_what_is_no_tree_is_refused(owner: np.ndarray, parents: list[int]) -> None:
    with pytest.raises(InputError) as refused:
        Tree(owner, np.array(parents, dtype=np.int64))
    assert refused.value.code == "E-REGION-TREE"


def test_masks_that_do_not_nest_are_refused() -> None:
    left, right, low = (np.zeros((4, 4), dtype=bool) for _ in range(3))
    left[:, :2] = right[:, 2:] = low[2:] = True
    for masks in (
        [],
        [left, low],
        [left, left & low, left],
        [left, left & ~left],
        [left, right[:3]],
        [left & low, left],
    ):
        with pytest.raises(InputError) as refused:
            Tree.of(masks)
        assert refused.value.code == "E-REGION-TREE"
    assert Tree.of([left, right, left & low, left & low]).parents.tolist() == [-1, -1, 0, 2]

# SPDX-License-Identifier: Apache-2.0
"""Resampling by integer weights: exact sums, nothing gained or lost, the same size changes nothing."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.engine import resample
from radiomicnet_md.engine.kernels import grids
from tests.strategies import grey_levels

pytestmark = pytest.mark.verifies("SRS-ENG-008")

SIZES = st.integers(1, 40)
TARGETS = st.tuples(SIZES, SIZES)
MASKS = grey_levels(count=2).map(lambda image: image.astype(np.bool_))


def area_weights(source: int, target: int) -> NDArray[np.int64]:
    """Overlap of target cell i with source cell j in units of 1/target: (target, source), by the definition."""
    found = np.zeros((target, source), dtype=np.int64)
    for i in range(target):
        for j in range(source):
            ends = min(Fraction(i + 1, target), Fraction(j + 1, source)), max(Fraction(i, target), Fraction(j, source))
            found[i, j] = max(ends[0] - ends[1], 0) * source * target
    return found


def linear_weights(source: int, target: int) -> NDArray[np.int64]:
    """Centres of pixels are mapped on each other; between two centres the weights are the distances, times 2 target."""
    found = np.zeros((target, source), dtype=np.int64)
    for i in range(target):
        place = Fraction(2 * i + 1, 2 * target) * source - Fraction(1, 2)
        low = place.__floor__()
        for j, weight in ((low, 1 - (place - low)), (low + 1, place - low)):
            found[i, min(max(j, 0), source - 1)] += int(weight * 2 * target)
    return found


@given(SIZES, SIZES)
def test_an_area_mean_uses_every_pixel_equally(source: int, target: int) -> None:
    ones = np.eye(source, dtype=np.uint8)
    sums = np.array([grids.area_sums(row[None], 1, target)[0] for row in ones]).T
    assert np.array_equal(sums, area_weights(source, target))
    assert (sums.sum(axis=0) == target).all()
    assert (sums.sum(axis=1) == source).all()


@given(MASKS, TARGETS)
def test_a_mask_covers_what_half_of_its_interpolation_covers(mask: NDArray[np.bool_], target: tuple[int, int]) -> None:
    down, across = (linear_weights(*pair) for pair in zip(mask.shape, target, strict=True))
    total = down @ mask.astype(np.int64) @ across.T
    assert np.array_equal(resample.enlarge_mask(mask, *target), 2 * total >= 4 * target[0] * target[1])


@given(SIZES, SIZES, TARGETS, st.integers(0, 255))
def test_a_constant_image_stays_constant(rows: int, columns: int, target: tuple[int, int], value: int) -> None:
    assert (resample.shrink(np.full((rows, columns), value, dtype=np.uint8), *target) == value).all()


@given(grey_levels())
def test_the_same_size_changes_nothing(image: NDArray[np.uint8]) -> None:
    assert np.array_equal(resample.shrink(image, *image.shape), image)


@given(MASKS)
def test_a_mask_of_the_same_size_stays(mask: NDArray[np.bool_]) -> None:
    found = resample.enlarge_mask(mask, *mask.shape)
    assert found.dtype == np.uint8
    assert np.array_equal(found, mask)


@given(grey_levels(), TARGETS)
@pytest.mark.verifies("SRS-ENG-008", rc=("RC-009",))
def test_each_pixel_is_the_rounded_mean_of_its_area(image: NDArray[np.uint8], target: tuple[int, int]) -> None:
    found = resample.shrink(image, *target)
    rows, columns = image.shape
    down, across = area_weights(rows, target[0]), area_weights(columns, target[1])
    exact = down @ image.astype(np.int64) @ across.T
    assert np.array_equal(found, (2 * exact + rows * columns) // (2 * rows * columns))
    # rounding half up moves a pixel, and therefore the mean of all, by at most one half
    assert abs(found.mean() - image.mean()) <= 0.5 + 1e-9
    assert image.min() <= found.min()
    assert found.max() <= image.max()


@given(grey_levels(most=6), st.integers(1, 4))
def test_repeated_pixels_shrink_to_themselves(image: NDArray[np.uint8], factor: int) -> None:
    large = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
    assert np.array_equal(resample.shrink(large, *image.shape), image)


@given(st.tuples(st.integers(64, 4096), st.integers(64, 4096)), st.sampled_from([192, 384]))
def test_the_largest_sum_is_exact_in_double_precision(size: tuple[int, int], side: int) -> None:
    rows, columns = resample.fit(*size, side)
    assert size[0] * size[1] * 255 < 2**53
    assert 4 * rows * columns * size[0] * size[1] < 2**53


@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(1, 400))
def test_the_longer_side_fits(rows: int, columns: int, side: int) -> None:
    height, width = resample.fit(rows, columns, side)
    assert max(height, width) == side
    assert min(height, width) >= 1
    shorter, longer = sorted((rows, columns))
    assert min(height, width) == 1 or abs(Fraction(min(height, width)) - Fraction(shorter * side, longer)) <= Fraction(
        1, 2
    )
    assert resample.fit(columns, rows, side) == (width, height)


@given(MASKS, TARGETS)
def test_an_enlarged_mask_turns_with_the_mask(mask: NDArray[np.bool_], target: tuple[int, int]) -> None:
    rows, columns = target
    found = resample.enlarge_mask(mask, rows, columns)
    assert np.array_equal(resample.enlarge_mask(mask.T, columns, rows), found.T)
    assert np.array_equal(resample.enlarge_mask(mask[::-1, ::-1], rows, columns), found[::-1, ::-1])


def test_half_a_coverage_belongs_to_the_mask() -> None:
    mask = np.array([[True, False]])
    assert resample.enlarge_mask(mask, 1, 3).tolist() == [[1, 1, 0]]
    assert resample.enlarge_mask(mask, 1, 4).tolist() == [[1, 1, 0, 0]]


@given(SIZES, SIZES, TARGETS)
def test_empty_and_full_masks_stay(rows: int, columns: int, target: tuple[int, int]) -> None:
    assert not resample.enlarge_mask(np.zeros((rows, columns), dtype=np.bool_), *target).any()
    assert resample.enlarge_mask(np.ones((rows, columns), dtype=np.bool_), *target).all()


@given(MASKS, MASKS, TARGETS)
def test_a_larger_mask_stays_larger(one: NDArray[np.bool_], other: NDArray[np.bool_], target: tuple[int, int]) -> None:
    rows, columns = (min(a, b) for a, b in zip(one.shape, other.shape, strict=True))
    small = one[:rows, :columns] & other[:rows, :columns]
    assert (resample.enlarge_mask(small, *target) <= resample.enlarge_mask(one[:rows, :columns], *target)).all()

# SPDX-License-Identifier: Apache-2.0
"""Levels are PyRadiomics' levels, and what cannot become levels is refused."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError, Problem, UsageError
from radiomicnet_md.radiomics import levels

IMAGES = arrays.arrays(
    np.float64,
    arrays.array_shapes(min_dims=2, max_dims=3, max_side=6),
    elements=st.floats(-1000, 1000, width=32) | st.integers(-40, 40).map(lambda k: 25.0 * k),
)


def theirs(image: NDArray[np.float64], **settings_: float) -> NDArray[np.int64]:
    from radiomics import imageoperations

    return np.asarray(imageoperations.binImage(image, np.ones(image.shape, dtype=bool), **settings_)[0])


@pytest.mark.verifies("SRS-RAD-003")
@given(IMAGES, st.integers(1, 256))
def test_bin_count_is_that_of_pyradiomics(image: NDArray[np.float64], count: int) -> None:
    assume(np.ptp(image) == 0 or np.ptp(image) > 1e-9)  # what cannot be divided is tested below
    ours = levels.discretise(image, bin_count=count)
    assert np.array_equal(ours.array + 1, theirs(image, binCount=count))
    assert ours.count == count


@pytest.mark.verifies("SRS-RAD-003")
@given(IMAGES, st.sampled_from([8.0, 12.5, 25.0, 33.3, 1000.0]))
def test_bin_width_is_that_of_pyradiomics(image: NDArray[np.float64], width: float) -> None:
    ours = levels.discretise(image, bin_width=width)
    assert np.array_equal(ours.array + 1, theirs(image, binWidth=width))
    assert ours.array.min() in {0, 1}  # 1 where the width is no binary fraction and the minimum a multiple of it
    assert ours.count == ours.array.max() + 1


@pytest.mark.verifies("SRS-RAD-002")
@given(IMAGES, st.integers(-50, 50))
def test_a_shift_by_whole_bins_changes_nothing(image: NDArray[np.float64], bins: int) -> None:
    whole = np.round(image)
    moved = levels.discretise(whole + 16.0 * bins, bin_width=16.0)
    assert np.array_equal(moved.array, levels.discretise(whole, bin_width=16.0).array)


@pytest.mark.verifies("SRS-RAD-008")
@given(IMAGES, st.sampled_from([8.0, 12.5, 25.0, 33.25]), st.integers(0, 4), st.floats(0, 30, width=32))
def test_a_start_gives_ibsi_s_fixed_bin_size(image: NDArray[np.float64], width: float, below: int, rest: float) -> None:
    start = float(np.floor(image.min() - rest) - below * width)
    found = levels.discretise(image, bin_width=width, bin_start=start)
    exact = [math.floor((Fraction(x) - Fraction(start)) / Fraction(width)) for x in image.ravel().tolist()]
    assert found.array.ravel().tolist() == exact
    assert found.count == max(exact) + 1
    assert found.edges[0] == start


@pytest.mark.verifies("SRS-RAD-008")
@given(IMAGES)
def test_with_a_start_a_level_does_not_depend_on_the_region(image: NDArray[np.float64]) -> None:
    part = np.zeros(image.shape, dtype=np.bool_)
    part[0] = True
    whole = levels.discretise(image, bin_width=12.5, bin_start=-1000)
    assert np.array_equal(
        levels.discretise(image, part, bin_width=12.5, bin_start=-1000).array[part], whole.array[part]
    )


@pytest.mark.verifies("SRS-RAD-003")
@given(IMAGES, st.sampled_from([{"bin_count": 7}, {"bin_width": 33.3}, {"bin_width": 25.0, "bin_start": -1000.0}]))
def test_a_value_lies_between_the_edges_of_its_level(image: NDArray[np.float64], rule: dict[str, float]) -> None:
    assume(np.ptp(image) == 0 or np.ptp(image) > 1e-9)
    found = levels.discretise(image, **rule)  # type: ignore[arg-type]
    assert (found.edges[found.array] <= image).all()
    assert (image < found.edges[found.array + 1]).all()


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=50)
@given(IMAGES)
def test_only_the_region_takes_part(image: NDArray[np.float64]) -> None:
    region = np.zeros(image.shape, dtype=np.bool_)
    region[..., 0] = True
    spoilt = np.where(region, image, np.nan)
    found = levels.discretise(spoilt, region, bin_width=25.0)
    assert (found.array[~region] == levels.OUTSIDE).all()
    assert np.array_equal(found.array[region], levels.discretise(image[..., 0], bin_width=25.0).array.ravel())


@pytest.mark.verifies("SRS-RAD-003")
def test_a_flat_region_has_the_middle_level() -> None:
    assert levels.discretise(np.full((2, 2), 7.0), bin_count=32).array.tolist() == [[16, 16], [16, 16]]
    assert levels.discretise(np.full((2, 2), 7.0), bin_width=25.0).array.tolist() == [[0, 0], [0, 0]]


def refusal(image: NDArray[np.float64], **parameters: float) -> str:
    with pytest.raises(Problem) as raised:
        levels.discretise(image, **parameters)  # type: ignore[arg-type]
    assert raised.value.remedy
    return raised.value.code


@pytest.mark.verifies("SRS-RAD-004")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(value: float) -> None:
    assert refusal(np.array([[1.0, value]]), bin_count=16) == "E-LEVELS-NOT-FINITE"
    assert refusal(np.array([[1.0, value]]), bin_width=25.0) == "E-LEVELS-NOT-FINITE"


@pytest.mark.verifies("SRS-RAD-004")
def test_more_than_256_levels_are_refused() -> None:
    image = np.array([[0.0, 256.0]])
    assert levels.discretise(image - [0, 1], bin_width=1.0).count == 256
    assert refusal(image, bin_width=1.0) == "E-LEVELS-COUNT"
    assert refusal(image, bin_count=257) == "E-LEVELS-COUNT"
    assert refusal(np.array([[-1e308, 1e308]]), bin_width=1.0) == "E-LEVELS-COUNT"


@pytest.mark.verifies("SRS-RAD-004")
@pytest.mark.parametrize("width", [0.0, -1.0, np.nan, np.inf])
def test_a_width_is_positive(width: float) -> None:
    with pytest.raises(UsageError, match="positive"):
        levels.discretise(np.zeros((2, 2)), bin_width=width)


@pytest.mark.verifies("SRS-RAD-004")
def test_one_parameter_is_given() -> None:
    assert refusal(np.zeros((2, 2))) == "E-LEVELS-PARAMETER"
    assert refusal(np.zeros((2, 2)), bin_count=8, bin_width=1.0) == "E-LEVELS-PARAMETER"
    assert refusal(np.zeros((2, 2)), bin_count=0) == "E-LEVELS-COUNT"


@pytest.mark.verifies("SRS-RAD-004")
def test_a_start_goes_with_a_width_and_lies_below_every_value() -> None:
    image = np.array([[-3.0, 4.0]])
    assert levels.discretise(image, bin_width=2, bin_start=-3).array.tolist() == [[0, 3]]
    assert refusal(image, bin_width=2, bin_start=-2.5) == "E-LEVELS-START"
    assert refusal(image, bin_width=2, bin_start=-600) == "E-LEVELS-COUNT"
    assert refusal(image, bin_count=8, bin_start=-3) == "E-LEVELS-PARAMETER"
    for start in (np.nan, np.inf, -np.inf):
        assert refusal(image, bin_width=2, bin_start=start) == "E-LEVELS-PARAMETER"


@pytest.mark.verifies("SRS-RAD-004")
def test_a_range_that_double_precision_cannot_divide_is_refused() -> None:
    assert refusal(np.array([[1.0, np.nextafter(1.0, 2)]]), bin_count=64) == "E-LEVELS-RANGE"
    assert refusal(np.array([[1e17, 1e17]]), bin_width=1.0) == "E-LEVELS-RANGE"
    assert refusal(np.array([[-1.5e308, 1.5e308]]), bin_count=8) == "E-LEVELS-RANGE"


@pytest.mark.verifies("SRS-RAD-004")
def test_an_empty_region_is_refused() -> None:
    with pytest.raises(InputError, match="no pixel"):
        levels.discretise(np.zeros((2, 2)), np.zeros((2, 2), dtype=np.bool_), bin_count=8)

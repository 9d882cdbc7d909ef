# SPDX-License-Identifier: Apache-2.0
"""Moments equal exact rationals, scipy's and the laws of shift, scale and mirror."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from radiomicnet_md.radiomics import moments
from tests.radiomics import oracles
from tests.strategies import grey_levels

ANY_FLOAT = arrays.arrays(
    np.float64, arrays.array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.floats(-1e60, 1e60)
)


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels())
def test_whole_equals_exact_rationals(image: NDArray[np.uint8]) -> None:
    assert np.allclose(moments.whole(image), oracles.moments(image), rtol=1e-12, atol=1e-12)


@pytest.mark.verifies("SRS-RAD-001")
@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0, 10]], (5, 5, 0, 1)),
        ([[0, 0, 0, 10]], (2.5, np.sqrt(18.75), 2 / np.sqrt(3), 7 / 3)),
        ([[4, 4], [4, 4]], (4, 0, 0, 0)),
    ],
)
def test_digital_phantoms(values: list[list[int]], expected: tuple[float, ...]) -> None:
    assert np.allclose(moments.whole(np.array(values)), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=60)
@given(grey_levels(most=6), st.integers(0, 3))
def test_dense_equals_exact_rationals_window_by_window(image: NDArray[np.uint8], radius: int) -> None:
    found = moments.dense(image, radius)
    for row, column, window in oracles.everywhere(image, radius):
        assert np.allclose(found[:, row, column], oracles.moments(window), rtol=1e-12, atol=1e-12)


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize("seed", range(50))
def test_whole_equals_scipy(seed: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(seed)
    image = rng.gamma(2, 20, rng.integers(3, 60, 2)).astype(np.uint8)
    theirs = [image.mean(), image.std(), stats.skew(image, axis=None), stats.kurtosis(image, axis=None, fisher=False)]
    assert oracles.close(moments.whole(image), np.array(theirs))


@pytest.mark.verifies("SRS-RAD-004")
@settings(max_examples=40)
@given(ANY_FLOAT, st.integers(0, 2))
def test_every_value_is_finite(image: NDArray[np.float64], radius: int) -> None:
    assert np.isfinite(moments.dense(image, radius)).all()


@pytest.mark.verifies("SRS-RAD-004")
@given(st.floats(-1e60, 1e60), st.integers(1, 5), st.integers(1, 5))
def test_equal_floats_have_no_spread(value: float, rows: int, columns: int) -> None:
    assert moments.whole(np.full((rows, columns), value)).tolist() == [value + 0.0, 0.0, 0.0, 0.0]


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(), st.integers(-1000, 1000))
def test_a_shift_moves_the_mean_alone(image: NDArray[np.uint8], shift: int) -> None:
    plain, moved = moments.whole(image), moments.whole(image.astype(np.int64) + shift)
    assert np.allclose(moved - [shift, 0, 0, 0], plain, rtol=1e-9, atol=1e-9)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(), st.integers(0, 3))
def test_mirrored_and_turned_images(image: NDArray[np.uint8], radius: int) -> None:
    for turn in (np.fliplr, np.flipud, np.rot90):
        found = np.stack([turn(one) for one in moments.dense(image, radius)])
        assert np.allclose(moments.dense(turn(image), radius), found, rtol=1e-12, atol=1e-12)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels())
def test_a_window_that_covers_the_image_is_the_image(image: NDArray[np.uint8]) -> None:
    found = moments.dense(image, max(image.shape))
    assert np.array_equal(found, np.broadcast_to(moments.whole(image)[:, None, None], found.shape))


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(most=12), st.integers(0, 4), st.integers(1, 4))
def test_a_step_takes_a_subset(image: NDArray[np.uint8], radius: int, step: int) -> None:
    assert np.array_equal(moments.dense(image, radius, step=step), moments.dense(image, radius)[:, ::step, ::step])


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels())
def test_a_window_of_one(image: NDArray[np.uint8]) -> None:
    found = moments.dense(image, 0)
    assert np.array_equal(found[0], image)
    assert (found[1:] == 0).all()

# SPDX-License-Identifier: Apache-2.0
"""Windows that share their counting give what each gives alone; means are rounded once; ranks are counts."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm, lbp, moments, named_maps

SIDES = st.tuples(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9))
ANY_MAPS = arrays.arrays(np.float64, SIDES, elements=st.floats(-1e300, 1e300) | st.sampled_from([np.inf, -np.inf]))
IMAGE = np.random.default_rng(7).integers(0, 64, (43, 50)).astype(np.uint8)
IMAGE[20:35, 10:30] //= 16  # most pairs alike
IMAGE[5:20, 25:45] = 9


@pytest.mark.verifies("SRS-RAD-002")
@pytest.mark.parametrize(("radius", "step"), [(1, 1), (3, 2), (7, 2), (13, 2), (2, 3), (30, 1)])
def test_every_window_is_measured_as_if_it_were_alone(radius: int, step: int) -> None:
    codes = (IMAGE % lbp.CODES).astype(np.uint8)
    together = [
        glcm.dense(IMAGE, radius, step=step, distances=(1, 3)),
        lbp.dense(codes, radius, step=step),
        moments.dense(IMAGE, radius, step=step),
    ]
    for row, column in np.ndindex(*together[0].shape[1:]):
        rows = slice(max(row * step - radius, 0), row * step + radius + 1)
        columns = slice(max(column * step - radius, 0), column * step + radius + 1)
        alone = [glcm.whole(IMAGE[rows, columns], distances=(1, 3))]
        alone += [lbp.whole(codes[rows, columns]), moments.whole(IMAGE[rows, columns])]
        for maps, values in zip(together, alone, strict=True):
            assert np.array_equal(maps[:, row, column], values)


def window_of_floats(image: NDArray[np.float64], row: int, column: int, radius: int) -> NDArray[np.float64]:
    return image[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1]


@pytest.mark.verifies("SRS-RAD-002", "SRS-RAD-004")
@pytest.mark.parametrize("scale", [0.1, 1e-60, 1e60])
def test_flat_windows_of_floats_have_no_spread(scale: float) -> None:
    image = IMAGE * scale
    found = moments.dense(image, 2)
    for row, column in np.ndindex(*image.shape):
        assert np.array_equal(found[:, row, column], moments.whole(window_of_floats(image, row, column, 2)))
    assert found[:, 12, 35].tolist() == [image[12, 35], 0.0, 0.0, 0.0]


@pytest.mark.verifies("SRS-RAD-002")
@given(ANY_MAPS)
def test_means_are_those_of_exact_sums(maps: NDArray[np.float64]) -> None:
    finite = [one[np.isfinite(one)].tolist() for one in maps]
    expected = [math.fsum(values) / max(len(values), 1) for values in finite]
    assert named_maps.means(maps).tolist() == expected


@pytest.mark.verifies("SRS-RAD-002")
def test_a_mean_forgets_no_small_value() -> None:
    maps = np.array([[[1e300, 1.0, 5e-324, -1e300]], [[5e-324, 5e-324, np.inf, 0.0]]])
    assert named_maps.means(maps).tolist() == [0.25, math.fsum([5e-324, 5e-324]) / 3]


@pytest.mark.verifies("SRS-RAD-002")
@given(ANY_MAPS, st.integers(0, 255), st.integers(0, 2**32))
def test_a_rank_is_the_number_of_thresholds_below(maps: NDArray[np.float64], most: int, seed: int) -> None:
    pool = np.append(maps[np.isfinite(maps)], 0.0)  # thresholds that equal values, many of them twice
    thresholds = np.sort(np.random.default_rng(seed).choice(pool, (len(maps), most)), axis=1)
    expected = (maps[..., None] > thresholds[:, None, None, :]).sum(axis=-1)
    found = named_maps.ranks(maps, thresholds)
    assert found.dtype == np.uint8
    assert np.array_equal(found, expected)
    assert np.array_equal(named_maps.ranks(maps[:, ::2, ::3], thresholds), expected[:, ::2, ::3])

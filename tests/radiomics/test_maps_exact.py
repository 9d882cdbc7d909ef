# SPDX-License-Identifier: Apache-2.0
"""Every value of every dense map equals its definition, evaluated in whole numbers and fractions.

Limits: 1e-9 relative; below a floor of 1e-3 the limit is 1e-12, which covers what cancels to 0 (cluster shade, whose
floor grows with the third power of the levels; skewness; measures of correlation). MCC: 1e-8. Imc2 is a
root and compared by its square. (:func:`radiomicnet_md_validation.peers.difference`)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics.lesion_definitions import TEXTURE
from radiomicnet_md_validation import known_cases, peers
from tests.radiomics import exact_maps
from tests.strategies import dense_levels

pytestmark = pytest.mark.verifies("SRS-RAD-007")

PLACES = 8  # looked at in one image, spread over it; the reference takes its time


def check(
    levels: NDArray[Any], image: NDArray[Any], radius: int, distances: Sequence[int] = (1,), places: int = PLACES
) -> None:
    maps = radiomics.dense(levels, image=image, radius=radius, distances=distances, voxel_size=0.25)
    assert maps.shape == (len(TEXTURE), *levels.shape)
    assert np.isnan(maps[:, levels < 0]).all()
    every = list(exact_maps.everywhere(levels))
    for place in every[:: -(-len(every) // places)]:
        expected = exact_maps.measure(levels, image, place, radius, distances, voxel_size=0.25)
        assert expected.keys() == TEXTURE.keys()
        for name, found in zip(TEXTURE, maps[(slice(None), *place)], strict=True):
            apart = peers.difference(name, np.array(found), np.array(expected[name]), int(levels.max()) + 1)
            assert apart <= peers.limit(name), (name, place, found, expected[name])


@given(dense_levels(), st.integers(0, 2**32 - 1), st.sampled_from([1, 8]))
@settings(max_examples=60)
def test_any_small_image(drawn: tuple[Any, int, tuple[int, ...]], seed: int, steps: int) -> None:
    """Grey values are thousandths of nothing in particular: whole numbers or eighths, which a double holds exactly."""
    levels, radius, distances = drawn
    check(levels, np.random.default_rng(seed).integers(-500, 500, levels.shape) / steps, radius, distances)


@pytest.mark.parametrize("radius", [3, 4])
@pytest.mark.parametrize("shape", [(9, 10), (3, 9, 9)])
def test_large_windows(shape: tuple[int, ...], radius: int) -> None:
    rng = np.random.default_rng(radius)
    levels = rng.integers(0, 5, shape)
    levels[rng.random(shape) < 0.1] = -1
    check(levels, rng.integers(0, 4000, shape), radius, (1, 2, 3), places=4)


@pytest.mark.parametrize("count", [16, 64, 256])
def test_many_levels(count: int) -> None:
    rng = np.random.default_rng(count)
    levels = rng.permutation(np.resize(np.arange(count), 256)).reshape(16, 16)
    check(levels, levels * 3 - 100, 1, places=24)


@pytest.mark.parametrize(
    "levels",
    [
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[7, 7, 7], [7, 7, 7], [7, 7, 7]],
        [[0, 1, 0], [1, 0, 1], [0, 1, 0]],  # two levels, never equal along rows: MCC 1
        [[0, 0, 9], [0, 0, 9], [0, 0, 9]],
        [[6, 6, 1], [1, 1, 1], [1, 1, 1]],  # level times count is 14 for both: busyness has no denominator
        [[0, 0, 1], [1, 1, 0], [1, 1, 0]],  # independent levels along one angle: MCC and Imc2 0 there
        [[3, -1, -1, 7], [-1, -1, -1, -1], [-1, -1, -1, 7]],  # nothing touches
        [[3, -1, 3, 3], [-1, -1, -1, -1], [2, -1, 3, -1]],  # gaps in runs
        [[-1, -1, -1], [-1, 5, -1], [-1, -1, -1]],
        [[-1, 4, -1], [-1, 5, -1], [-1, -1, -1]],  # two different values: none lies between the percentiles
        [[[0, 1, 2], [3, 4, 5], [6, 7, 8]]],
    ],
    ids=str,
)
@pytest.mark.parametrize("distances", [(1,), (1, 2), (3,)])
def test_special_windows(levels: list[Any], distances: tuple[int, ...]) -> None:
    array = np.array(levels)
    check(array, array * 10, 1, distances, places=array.size)


@pytest.mark.parametrize(
    ("levels", "feature", "expected"),
    [
        ([[6, 6, 1], [1, 1, 1], [1, 1, 1]], "ngtdm_Busyness", 0),
        ([[1, 1, 1], [1, 1, 1], [1, 1, 2]], "firstorder_Skewness", 0),
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], "glcm_MCC", 0),
    ],
)
def test_where_pyradiomics_is_wrong(levels: list[list[int]], feature: str, expected: float) -> None:
    """The known cases at their smallest, each told by its window."""
    array = np.array(levels)
    image = np.full(array.shape, 0.9) if feature.startswith("firstorder") else array
    known = known_cases.which(feature, known_cases.Window(array, image, (1, 1), 1))
    assert known is not None
    assert radiomics.dense(array, [feature], image=image)[0, 1, 1] == expected

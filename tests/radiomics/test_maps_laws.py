# SPDX-License-Identifier: Apache-2.0
"""What must be true of the dense maps whatever their formulas: laws of place, of labels, of symmetry and of sums."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import levels as discretisation
from radiomicnet_md.radiomics.lesion_definitions import TEXTURE
from radiomicnet_md.radiomics.per_lesion import Undefined
from radiomicnet_md_validation import known_cases, peers
from tests.strategies import dense_levels

pytestmark = pytest.mark.verifies("SRS-RAD-007")

NAMES = tuple(TEXTURE)
Drawn = tuple[Any, int, tuple[int, ...]]

# Values that ask which voxels are equal, and not how much their levels differ.
_EQUALITY = {
    "glcm": "JointEnergy JointEntropy MaximumProbability MCC Imc1 Imc2",
    "glrlm": "ShortRunEmphasis LongRunEmphasis GrayLevelNonUniformity GrayLevelNonUniformityNormalized"
    " RunLengthNonUniformity RunLengthNonUniformityNormalized RunPercentage RunVariance RunEntropy",
    "glszm": "SmallAreaEmphasis LargeAreaEmphasis GrayLevelNonUniformity GrayLevelNonUniformityNormalized"
    " SizeZoneNonUniformity SizeZoneNonUniformityNormalized ZonePercentage ZoneVariance ZoneEntropy",
    "gldm": "SmallDependenceEmphasis LargeDependenceEmphasis GrayLevelNonUniformity DependenceNonUniformity"
    " DependenceNonUniformityNormalized DependenceVariance DependenceEntropy",
}
# Values that ask how much levels differ, and not how high they are.
_DIFFERENCES = {
    "glcm": "Contrast Correlation ClusterProminence ClusterShade ClusterTendency DifferenceAverage DifferenceEntropy"
    " DifferenceVariance Id Idm InverseVariance SumEntropy SumSquares",
    "glrlm": "GrayLevelVariance",
    "glszm": "GrayLevelVariance",
    "gldm": "GrayLevelVariance",
    "ngtdm": "Coarseness Complexity Contrast Strength",
}


def _flat(names: dict[str, str]) -> list[str]:
    return [f"{kind}_{name}" for kind, line in names.items() for name in line.split()]


EQUALITY = [*(name for name in NAMES if name.startswith("firstorder")), *_flat(_EQUALITY)]
DIFFERENCES = _flat(_DIFFERENCES)


def grey(levels: NDArray[Any]) -> NDArray[Any]:
    """Grey values that go with levels: any, but the same for the same levels and places."""
    return np.random.default_rng(int(np.abs(levels).sum())).integers(-300, 300, levels.shape) / 4


def assert_close(found: NDArray[Any], expected: NDArray[Any], names: tuple[str, ...] = NAMES) -> None:
    for name, one, other in zip(names, found, expected, strict=True):
        assert (peers.difference(name, one, other, 256) <= peers.limit(name)).all(), name


@given(dense_levels(most=5), st.data())
def test_only_the_window_counts(drawn: Drawn, data: st.DataObject) -> None:
    """What lies outside a window, and where the window lies, changes no bit in it."""
    levels, radius, distances = drawn
    place = data.draw(st.sampled_from(list(map(tuple, np.argwhere(levels >= 0)))))
    others = data.draw(st.sampled_from([0, 1, 2]))
    box = tuple(slice(max(at - radius, 0), at + radius + 1) for at in place)
    changed = np.random.default_rng(others).integers(-1, 9, levels.shape)
    changed[box] = levels[box]
    highest = max(int(levels.max()), int(changed.max()))  # it is part of Idn and Idmn: the same for both
    levels, changed = (_with_level(one, highest, box) for one in (levels, changed))
    image = grey(levels)
    elsewhere = np.where(_inside(levels.shape, box), image, 7.0)
    moved = [np.pad(one, [(0, 0)] * (levels.ndim - 2) + [(2, 1), (3, 0)], mode="wrap") for one in (changed, elsewhere)]
    one = radiomics.dense(levels, image=image, radius=radius, distances=distances)[(slice(None), *place)]
    two = radiomics.dense(changed, image=elsewhere, radius=radius, distances=distances)[(slice(None), *place)]
    assert np.array_equal(one, two, equal_nan=True)
    if all(radius <= at < side - radius for at, side in zip(place[-2:], levels.shape[-2:], strict=True)):
        there = (*place[:-2], place[-2] + 2, place[-1] + 3)
        three = radiomics.dense(moved[0], image=moved[1], radius=radius, distances=distances)[(slice(None), *there)]
        assert np.array_equal(one, three, equal_nan=True)


def _inside(shape: tuple[int, ...], box: tuple[slice, ...]) -> NDArray[np.bool_]:
    mask = np.zeros(shape, dtype=bool)
    mask[box] = True
    return mask


def _with_level(levels: NDArray[Any], highest: int, box: tuple[slice, ...]) -> NDArray[Any]:
    """The levels in a frame wide enough that no window changes, with the highest level in its corner."""
    framed = np.pad(levels, [(0, 0)] * (levels.ndim - 2) + [(0, 9), (0, 9)], constant_values=-1)
    framed[..., -1, -1] = highest
    assert not _inside(framed.shape, box)[..., -1, -1].any()
    return framed


@given(dense_levels(), st.lists(st.integers(0, 255), min_size=6, max_size=6, unique=True))
def test_monotone_relabelling(drawn: Drawn, labels: list[int]) -> None:
    """What asks only which levels are equal does not see their names."""
    levels, radius, distances = drawn
    named = np.where(levels < 0, -1, np.array(sorted(labels))[np.searchsorted(np.unique(levels[levels >= 0]), levels)])
    image = grey(levels)
    one, two = (
        radiomics.dense(array, EQUALITY, image=image, radius=radius, distances=distances) for array in (levels, named)
    )
    assert np.array_equal(one, two, equal_nan=True)


@given(dense_levels(), st.integers(1, 100))
def test_a_constant_added_to_all_levels(drawn: Drawn, constant: int) -> None:
    """What asks only for differences of levels does not see where they start."""
    levels, radius, distances = drawn
    low = np.where(levels < 0, -1, levels // 2)
    high = np.where(low < 0, -1, low + constant)
    one, two = (radiomics.dense(array, DIFFERENCES, radius=radius, distances=distances) for array in (low, high))
    assert_close(two, one, tuple(DIFFERENCES))


_PLANE: list[Callable[[NDArray[Any]], NDArray[Any]]] = [
    lambda array: array[..., ::-1],
    lambda array: array[..., ::-1, :],
    lambda array: array[..., ::-1, ::-1],
    lambda array: np.swapaxes(array, -1, -2),
    lambda array: np.rot90(array, axes=(-2, -1)),
    lambda array: np.rot90(array, 3, axes=(-2, -1)),
]


@given(dense_levels(), st.sampled_from(_PLANE))
def test_mirrors_and_quarter_turns(drawn: Drawn, turn: Callable[[NDArray[Any]], NDArray[Any]]) -> None:
    levels, radius, distances = drawn
    image = grey(levels)
    one = radiomics.dense(levels, image=image, radius=radius, distances=distances)
    two = radiomics.dense(turn(levels), image=turn(image), radius=radius, distances=distances)
    assert_close(two, np.stack([turn(map_) for map_ in one]))


@given(st.integers(0, 2**32 - 1), st.permutations([0, 1, 2]), st.lists(st.booleans(), min_size=3, max_size=3))
@settings(max_examples=40)
def test_all_symmetries_of_a_cube(seed: int, axes: list[int], flips: list[bool]) -> None:
    rng = np.random.default_rng(seed)
    levels, image = rng.integers(-1, 4, (4, 4, 4)), rng.integers(0, 99, (4, 4, 4))

    def turn(array: NDArray[Any]) -> NDArray[Any]:
        return array.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]

    one = radiomics.dense(levels, image=image)
    assert_close(radiomics.dense(turn(levels), image=turn(image)), np.stack([turn(map_) for map_ in one]))


@given(st.integers(0, 2**32 - 1), st.integers(1, 2), st.sampled_from([2, 3]))
@settings(max_examples=40)
def test_windows_that_tile_an_image_add_up_to_it(seed: int, radius: int, dimensions: int) -> None:
    """Histograms add: energies, sums and numbers of levels over disjoint windows are those of the whole."""
    side = 2 * radius + 1
    rng = np.random.default_rng(seed)
    shape = (side, 2 * side, 2 * side)[-dimensions:]
    image, levels = rng.integers(-99, 99, shape), rng.integers(0, 6, shape)
    names = ["firstorder_Energy", "firstorder_Mean", "gldm_HighGrayLevelEmphasis", "gldm_LowGrayLevelEmphasis"]
    maps = radiomics.dense(levels, names, image=image, radius=radius)
    energy, mean, high, low = maps[(slice(None), *(slice(radius, None, side) for _ in shape))].reshape(4, -1)
    n = side**dimensions
    assert energy.sum() == (image**2).sum()
    assert n * mean.sum() == pytest.approx(image.sum(), rel=1e-12, abs=1e-9)
    assert n * high.sum() == pytest.approx(((levels + 1) ** 2).sum(), rel=1e-12)
    assert n * low.sum() == pytest.approx((1 / (levels + 1) ** 2).sum(), rel=1e-12)


@pytest.mark.parametrize("shape", [(5, 5), (3, 5, 5)], ids=str)
def test_window_of_one(shape: tuple[int, ...]) -> None:
    """An isolated voxel has no pair and no run; it is one zone, and depends on itself alone."""
    levels = np.full(shape, -1)
    middle = tuple(side // 2 for side in shape)
    levels[middle] = 3
    image = np.full(shape, 8.0)
    maps = radiomics.dense(levels, image=image, voxel_size=0.5)
    assert np.isnan(maps[:, levels < 0]).all()
    found = dict(zip(NAMES, maps[(slice(None), *middle)].tolist(), strict=True))
    assert all(np.isnan(found[name]) == name.startswith(("glcm", "glrlm")) for name in NAMES)
    expected = {
        "firstorder_Energy": 64,
        "firstorder_TotalEnergy": 32,
        "firstorder_Mean": 8,
        "firstorder_Variance": 0,
        "firstorder_Uniformity": 1,
        "firstorder_Entropy": 0,
        "glszm_ZonePercentage": 1,
        "glszm_LargeAreaHighGrayLevelEmphasis": 16,
        "gldm_SmallDependenceEmphasis": 1,
        "gldm_HighGrayLevelEmphasis": 16,
        "ngtdm_Coarseness": 1e6,
        "ngtdm_Busyness": 0,
        "ngtdm_Strength": 0,
    }
    assert expected == {name: found[name] for name in expected}


@pytest.mark.parametrize("radius", [1, 2])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_map_and_lesion(dimensions: int, radius: int) -> None:
    """Where a window covers the whole mask, the map's value is the lesion's, wherever that is defined."""
    rng = np.random.default_rng(radius + 10 * dimensions)
    side, width = 2 * radius + 1, 4 * radius + 3
    middle = (width // 2,) * dimensions
    compared = 0
    for _ in range(6):
        image = rng.integers(0, 60, (width,) * dimensions)
        mask = np.zeros(image.shape, dtype=bool)
        mask[(slice(radius + 1, radius + 1 + side),) * dimensions] = rng.random((side,) * dimensions) < 0.7
        mask[middle] = True
        levels = discretisation.discretise(image, mask, bin_count=8).array
        maps = radiomics.dense(levels, image=image, radius=radius)
        found = dict(zip(NAMES, maps[(slice(None), *middle)], strict=True))
        window = known_cases.Window(levels, image, middle, radius)
        for name, value in radiomics.lesion(image, mask, (1.0,) * dimensions, bin_count=8).values.items():
            if name in found and not isinstance(value, Undefined) and known_cases.which(name, window) is None:
                apart = peers.difference(name, np.array(found[name]), np.array(value), 8)
                assert apart <= peers.limit(name), (name, found[name], value)
                compared += 1
    assert compared > 6 * 90


@given(dense_levels(), st.lists(st.sampled_from(NAMES), min_size=1, max_size=9, unique=True))
def test_some_features_are_rows_of_all(drawn: Drawn, names: list[str]) -> None:
    levels, radius, distances = drawn
    image = grey(levels)
    every = radiomics.dense(levels, image=image, radius=radius, distances=distances)
    some = radiomics.dense(levels, names, image=image, radius=radius, distances=distances)
    assert np.array_equal(some, every[[NAMES.index(name) for name in names]], equal_nan=True)


def test_the_progress_is_a_share_and_changes_nothing() -> None:
    levels = np.random.default_rng(2).integers(-1, 9, (40, 37))
    shares: dict[int, list[float]] = {1: [], 2: []}
    maps = [
        radiomics.dense(levels, image=levels, threads=threads, progress=seen.append) for threads, seen in shares.items()
    ]
    silent = radiomics.dense(levels, image=levels)
    assert all(np.array_equal(one, silent, equal_nan=True) for one in maps)
    for seen in shares.values():
        assert all(early < late for early, late in itertools.pairwise(seen))
        assert 0 < seen[0] <= seen[-1] == 1


def test_depth_one_is_a_plane() -> None:
    levels = np.random.default_rng(3).integers(-1, 6, (9, 11))
    for radius in (1, 2):
        plane = radiomics.dense(levels, image=levels, radius=radius)
        volume = radiomics.dense(levels[None], image=levels[None], radius=radius)
        assert np.array_equal(plane, volume[:, 0], equal_nan=True)

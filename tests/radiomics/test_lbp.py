# SPDX-License-Identifier: Apache-2.0
"""LBP codes are scikit-image's wherever rounding does not decide, and their statistics equal their definition."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.radiomics import lbp
from tests.radiomics import oracles
from tests.strategies import grey_levels

BORDER = 4  # beyond it no neighbour lies outside the image


def nearest(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Smallest difference between a pixel and one of its 24 neighbours, borders cut off."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.indices(image.shape)
    smallest = np.full(image.shape, np.inf)
    for point in range(lbp.POINTS):
        angle = 2 * math.pi * point / lbp.POINTS
        place = (rows - lbp.RADIUS * math.sin(angle), columns + lbp.RADIUS * math.cos(angle))
        value = map_coordinates(image.astype(np.float64), place, order=1, mode="nearest")
        smallest = np.minimum(smallest, np.abs(value - image))
    return smallest[BORDER:-BORDER, BORDER:-BORDER]


def compare(image: NDArray[np.uint8]) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    from skimage.feature import local_binary_pattern

    theirs = local_binary_pattern(image, lbp.POINTS, lbp.RADIUS, "uniform").astype(np.uint8)
    return (lbp.codes(image) != theirs)[BORDER:-BORDER, BORDER:-BORDER], nearest(image)


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize("seed", range(50))
def test_codes_are_those_of_scikit_image(seed: int) -> None:
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(seed)
    rough = rng.normal(0, 60, rng.integers(16, 60, 2))
    image = np.clip(gaussian_filter(rough, seed % 3) * (1 + seed % 3) + 120, 0, 255).astype(np.uint8)
    different, distance = compare(image)
    assert not (different & (distance > lbp.CLOSE)).any()
    assert different.mean() < 0.01  # what remains are ties that scikit-image decides by rounding


@pytest.mark.verifies("SRS-RAD-003")
def test_codes_of_real_ultrasound(data: Path) -> None:
    from PIL import Image

    files = sorted((data / "busi_384" / "images").iterdir())[:3]
    for file in files:
        different, distance = compare(np.asarray(Image.open(file).convert("L"))[:160, :160])
        assert not (different & (distance > lbp.CLOSE)).any()
        assert different.mean() < 0.01


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-004")
def test_patterns_with_a_known_code() -> None:
    flat = np.full((9, 9), 77, dtype=np.uint8)
    assert (lbp.codes(flat) == 24).all()  # a tie counts as "at least as bright"
    peak = np.zeros((9, 9), dtype=np.uint8)
    peak[4, 4] = 200
    assert lbp.codes(peak)[4, 4] == 0
    edge = np.zeros((15, 15), dtype=np.uint8)
    edge[:, 8:] = 100
    assert lbp.codes(edge)[7, 8] == 13  # of 24 directions 13 do not lean to the dark side
    assert lbp.codes(edge)[7, 2] == 24


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(count=16), st.integers(1, 15), st.integers(0, 100))
def test_order_alone_decides(image: NDArray[np.uint8], factor: int, shift: int) -> None:
    """A brighter or more contrasted image has the same codes; floats break this law (ties)."""
    assert np.array_equal(lbp.codes(image.astype(np.int64) * factor + shift), lbp.codes(image))


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels())
def test_a_quarter_turn_turns_the_codes(image: NDArray[np.uint8]) -> None:
    assert np.array_equal(lbp.codes(np.rot90(image)), np.rot90(lbp.codes(image)))


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(count=lbp.CODES))
def test_whole_equals_its_definition(codes: NDArray[np.uint8]) -> None:
    assert np.allclose(lbp.whole(codes), oracles.statistics(codes), rtol=1e-9, atol=1e-9)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=60)
@given(grey_levels(count=lbp.CODES, most=7), st.integers(0, 3))
def test_dense_equals_its_definition_window_by_window(codes: NDArray[np.uint8], radius: int) -> None:
    found = lbp.dense(codes, radius)
    for row, column, window in oracles.everywhere(codes, radius):
        assert np.allclose(found[:, row, column], oracles.statistics(window), rtol=1e-9, atol=1e-9)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(count=lbp.CODES))
def test_a_window_that_covers_the_image_is_the_image(codes: NDArray[np.uint8]) -> None:
    found = lbp.dense(codes, max(codes.shape))
    assert np.array_equal(found, np.broadcast_to(lbp.whole(codes)[:, None, None], found.shape))


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(count=lbp.CODES, most=12), st.integers(0, 4), st.integers(1, 4))
def test_a_step_takes_a_subset(codes: NDArray[np.uint8], radius: int, step: int) -> None:
    assert np.array_equal(lbp.dense(codes, radius, step=step), lbp.dense(codes, radius)[:, ::step, ::step])


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(count=lbp.CODES))
def test_a_window_of_one(codes: NDArray[np.uint8]) -> None:
    mean, deviation, entropy, uniformity = lbp.dense(codes, 0)
    assert np.array_equal(mean, codes)
    assert (deviation == 0).all()
    assert (entropy == 0).all()
    assert (uniformity == 1).all()

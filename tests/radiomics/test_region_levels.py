# SPDX-License-Identifier: Apache-2.0
"""The regions of a ladder are the filled components of each rung's set, found rung by rung."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import ndimage

from radiomicnet_md.radiomics.region_levels import flood, level_sets
from tests import strategies

pytestmark = pytest.mark.verifies("SRS-RAD-010", "SRS-ENG-005")

IMAGES = st.builds(
    lambda image, factor: np.kron(image, np.ones((factor, factor), dtype=np.uint8)),
    strategies.grey_levels(count=6),
    st.integers(1, 2),
)
MOAT = np.array([[5, 5, 5, 5], [5, 1, 5, 2], [5, 5, 0, 5], [5, 5, 5, 255]], dtype=np.uint8)


def direct(image: np.ndarray, smallest: int) -> list[tuple[int, int, tuple[int, ...], list[int]]]:
    """Area, rung, box and pixels of every filled component, in the order of the level sets."""
    found = {}
    for rung in range(1, 256):
        labels, count = ndimage.label(ndimage.binary_fill_holes(image >= rung))
        for label in range(1, count + 1):
            rows, columns = np.nonzero(labels == label)
            box = (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
            pixels = (rows * image.shape[1] + columns).tolist()
            if len(pixels) >= smallest:
                found.setdefault(tuple(pixels), (len(pixels), rung, box, pixels))
    return sorted(found.values(), key=lambda one: (-one[0], one[1], one[2]))


@given(image=IMAGES, smallest=st.integers(1, 4))
@example(image=MOAT, smallest=1)
@example(image=np.full((3, 2), 255, dtype=np.uint8), smallest=1)
@settings(max_examples=60)
def test_the_regions_are_those_of_each_rung_alone(image: np.ndarray, smallest: int) -> None:
    found, expected = level_sets(image, smallest), direct(image, smallest)
    assert len(found.tree) == len(expected)
    for index, (area, rung, box, pixels) in enumerate(expected):
        assert np.flatnonzero(found.tree.pixels(index)).tolist() == pixels
        assert (found.areas[index], found.rungs[index], tuple(found.boxes[index].tolist())) == (area, rung, box)
        holders = [j for j in range(index) if set(pixels) <= set(expected[j][3])]
        assert found.tree.parents[index] == max(holders, default=-1), "the smallest that holds it"


@given(image=IMAGES)
def test_flooding_fills_the_holes_of_every_rung(image: np.ndarray) -> None:
    flooded = flood(image)
    for rung in range(1, 7):
        assert np.array_equal(flooded >= rung, ndimage.binary_fill_holes(image >= rung))
    assert np.array_equal(flood(flooded), flooded)


@given(image=IMAGES)
def test_memory_layout(image: np.ndarray) -> None:
    expected = level_sets(image, 1)
    for other in (np.asfortranarray(image), np.repeat(image, 3, 1)[:, ::3]):
        found = level_sets(other, 1)
        assert np.array_equal(found.tree.owner, expected.tree.owner)
        assert np.array_equal(found.rungs, expected.rungs)

# SPDX-License-Identifier: Apache-2.0
"""All dense maps have one bit pattern: threads, processor, memory layout, repetition, a plane or a volume of it.

The images, the hash and the configurations are those of the page ``docs/reference/bit-equality.md``
(:mod:`radiomicnet_md_validation.bit_equality`).
"""

from __future__ import annotations

import numpy as np
import pytest

from radiomicnet_md import radiomics
from radiomicnet_md_validation import bit_equality
from radiomicnet_md_validation.bit_equality import CONFIGURATIONS, DEPTH_ONE, LAYOUTS, Configuration

pytestmark = pytest.mark.verifies("SRS-RAD-009")


@pytest.fixture(scope="module")
def expected() -> str:
    return bit_equality.digest()


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=lambda one: one.name)
def test_another_process(configuration: Configuration, expected: str) -> None:
    assert bit_equality.elsewhere(configuration) == expected


@pytest.mark.parametrize("layout", LAYOUTS)
def test_memory_layout(layout: str, expected: str) -> None:
    for levels, image, _, _ in bit_equality.images():
        assert np.array_equal(LAYOUTS[layout](levels), levels)
        assert np.array_equal(LAYOUTS[layout](image), image)
    assert bit_equality.digest(LAYOUTS[layout]) == expected


def test_a_plane_is_a_volume_of_depth_one(expected: str) -> None:
    assert bit_equality.digest(depth_one=True) == expected


def test_again(expected: str) -> None:
    assert bit_equality.digest() == expected


def test_every_feature_has_a_value_in_every_image() -> None:
    """A hash of nothing but NaN would prove nothing."""
    for levels, image, radius, distances in bit_equality.images():
        maps = radiomics.dense(levels, image=image, radius=radius, distances=distances)
        assert np.isfinite(maps[:, levels >= 0]).mean(axis=1).min() > 0.9


def test_one_bit_changes_the_hash(expected: str) -> None:
    """A last bit of one grey value is seen."""

    def touched(array: np.ndarray) -> np.ndarray:
        if array.dtype.kind == "f":
            array = array.copy()
            array.flat[0] = np.nextafter(array.flat[0], np.inf)
        return array

    assert bit_equality.digest(touched) != expected


def test_the_page_counts_the_hashes() -> None:
    assert "**1 hash in 2 configurations**" in bit_equality.page({"one": "a", DEPTH_ONE: "a"})
    assert "**2 hashes in 2 configurations**" in bit_equality.page({"one": "a", "two": "b"})

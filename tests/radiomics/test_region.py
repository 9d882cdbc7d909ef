# SPDX-License-Identifier: Apache-2.0
"""Region values against closed forms and scikit-image."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import measure as skimage_measure
from skimage.morphology import convex_hull_image

from radiomicnet_md.radiomics import region
from radiomicnet_md.radiomics.region import FINE, SHARE

pytestmark = pytest.mark.verifies("SRS-RAD-006")
ROWS, COLUMNS = 120, 160


def values(inside: np.ndarray, levels: np.ndarray | None = None) -> dict[str, int]:
    """Values of a region on a plain image with constant codes."""
    rows, columns = np.nonzero(inside)
    box = (int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1)
    grey = np.full(inside.shape, 100, dtype=np.uint8) if levels is None else levels
    codes = np.full((16, ROWS // 2, COLUMNS // 2), 7, dtype=np.uint8)
    return region.measure(inside, box, grey, codes)


def ellipse(row: float, column: float, down: float, across: float) -> np.ndarray:
    """A filled ellipse."""
    r, c = np.mgrid[:ROWS, :COLUMNS]
    return ((r - row) / down) ** 2 + ((c - column) / across) ** 2 <= 1


def test_a_rectangle_has_the_values_that_a_ruler_gives() -> None:
    inside = np.zeros((ROWS, COLUMNS), dtype=bool)
    inside[10:30, 40:80] = True
    seen = values(inside)
    assert seen["area"] == 800 * SHARE * 16 // (ROWS * COLUMNS)
    assert seen["extent"] == seen["solidity"] == SHARE
    assert seen["taller than wide"] == SHARE // 2
    assert seen["compactness"] == pytest.approx(SHARE * 4 * math.pi * 800 / 120**2, abs=1)
    assert seen["depth"] == 20 * SHARE // ROWS
    assert seen["lateral offset"] == SHARE // 2 - 60 * SHARE // COLUMNS
    assert seen["at the image border"] == 0
    inside[:10, 40:80] = True
    assert values(inside)["at the image border"] == 40 * SHARE // 140


@given(row=st.floats(45, 75), column=st.floats(60, 100), down=st.floats(6, 35), across=st.floats(6, 35))
@settings(max_examples=30, deadline=None)
def test_shape_agrees_with_scikit_image(row: float, column: float, down: float, across: float) -> None:
    inside = ellipse(row, column, down, across)
    (theirs,) = skimage_measure.regionprops(inside.astype(np.uint8))
    seen = values(inside)
    assert seen["area"] == int(theirs.area) * SHARE * 16 // (ROWS * COLUMNS)
    assert seen["extent"] == pytest.approx(SHARE * theirs.extent, abs=1)
    moments = np.linalg.eigvalsh(np.cov(np.array(np.nonzero(inside)), bias=True))
    assert seen["elongation"] == pytest.approx(SHARE * math.sqrt(moments[0] / moments[1]), abs=2)
    assert seen["depth"] == pytest.approx(SHARE * (theirs.centroid[0] + 0.5) / ROWS, abs=1)


def test_solidity_agrees_with_scikit_images_hull_of_pixel_corners() -> None:
    inside = ellipse(60, 80, 20, 30) & ~ellipse(50, 80, 16, 8)
    hull = convex_hull_image(inside, offset_coordinates=True).sum()
    assert values(inside)["solidity"] == pytest.approx(SHARE * inside.sum() / hull, rel=0.02)


def test_intensity_border_and_echo_tell_what_was_drawn() -> None:
    inside = ellipse(40, 80, 12, 20)
    levels = np.full((ROWS, COLUMNS), 120, dtype=np.uint8)
    levels[inside] = 40
    rows, columns = np.nonzero(inside)
    levels[rows.max() + 1 :, columns.min() : columns.max() + 1] = 20  # a shadow
    seen = values(inside, levels)
    assert seen["intensity inside"] == 40 * FINE
    assert seen["intensity spread inside"] == 0
    assert seen["echo behind"] == -100 * FINE
    assert seen["border step"] > 60 * FINE
    assert seen["intensity step"] == seen["intensity of the ring"] - seen["intensity inside"]


def test_texture_is_the_mean_code_and_the_step_to_the_ring() -> None:
    inside = ellipse(60, 80, 15, 15)
    codes = np.full((16, ROWS // 2, COLUMNS // 2), 10, dtype=np.uint8)
    codes[3] = 20
    levels = np.full((ROWS, COLUMNS), 90, dtype=np.uint8)
    seen = region.measure(inside, (45, 65, 76, 96), levels, codes)
    assert seen["inside glcm_Contrast"] == 10 * FINE
    assert seen["inside glcm_JointEnergy"] == 20 * FINE
    assert {seen[f"step {name}"] for name in region.NAMED} == {0}


@given(seed=st.integers(0, 1000), shift=st.tuples(st.integers(0, 20), st.integers(0, 20)))
@settings(max_examples=20, deadline=None)
def test_form_does_not_depend_on_the_place(seed: int, shift: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    inside = ellipse(40, 50, random.uniform(5, 20), random.uniform(5, 20))
    moved = np.roll(inside, (2 * shift[0], 2 * shift[1]), (0, 1))
    here, there = values(inside), values(moved)
    for name in ("area", "compactness", "elongation", "solidity", "extent", "taller than wide"):
        assert here[name] == there[name], name


def test_the_whole_image_has_no_ring_and_nothing_behind() -> None:
    seen = values(np.ones((ROWS, COLUMNS), dtype=bool))
    assert seen["intensity step"] == seen["border step"] == seen["echo behind"] == 0
    assert seen["at the image border"] == SHARE
    assert set(seen) == set(region.VALUE_NAMES)

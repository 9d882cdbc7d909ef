# SPDX-License-Identifier: Apache-2.0
"""Sharpness, shape index and curvedness of surfaces whose shape is known, and scikit-image's on the same Hessian."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.radiomics import surface
from tests.strategies import grey_levels

SIDE = 41
ROW, COLUMN = np.indices((SIDE, SIDE)) - SIDE // 2
CENTRE = (SIDE // 2, SIDE // 2)
FAR = 20_000
SMOOTHINGS = pytest.mark.parametrize("q", [0, 1, 3])


def at_centre(image: NDArray[np.int64], q: int) -> tuple[float, float, float]:
    sharpness, ratio, curvedness = surface.dense(image, q)
    return float(sharpness[CENTRE]), float(surface.shape_index(ratio)[CENTRE]), float(curvedness[CENTRE])


@pytest.mark.verifies("SRS-RAD-002")
@SMOOTHINGS
@pytest.mark.parametrize(
    ("image", "index", "curvedness"),
    [
        (FAR - 8 * (ROW**2 + COLUMN**2), 1.0, 16.0),  # a bright cap
        (8 * (ROW**2 + COLUMN**2), -1.0, 16.0),  # a dark cup
        (FAR - 8 * ROW**2, 0.5, 16 / np.sqrt(2)),  # a bright ridge
        (8 * COLUMN**2, -0.5, 16 / np.sqrt(2)),  # a dark rut
        (FAR + 8 * (ROW**2 - COLUMN**2), 0.0, 16.0),  # a saddle
        (FAR + 8 * ROW * COLUMN, 0.0, 8.0),  # a saddle turned by 45°
        (np.full((SIDE, SIDE), 50), 0.0, 0.0),  # nothing
    ],
    ids=["cap", "cup", "ridge", "rut", "saddle", "turned saddle", "flat"],
)
def test_shapes(image: NDArray[np.int64], q: int, index: float, curvedness: float) -> None:
    found = at_centre(image, q)
    assert found[0] == 0.0
    assert found[1] == index
    assert found[2] == pytest.approx(curvedness, rel=1e-12)


@pytest.mark.verifies("SRS-RAD-002")
@SMOOTHINGS
@pytest.mark.parametrize(("down", "right"), [(3, 4), (0, 7), (-5, 12)])
def test_the_sharpness_of_a_plane_is_its_slope(q: int, down: int, right: int) -> None:
    sharpness, index, curvedness = at_centre(1000 + down * ROW + right * COLUMN, q)
    assert sharpness == pytest.approx(np.hypot(down, right), rel=1e-12)
    assert (index, curvedness) == (0.0, 0.0)


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize("seed", range(10))
def test_the_formula_of_scikit_image(seed: int) -> None:
    """The same Hessian given to scikit-image's eigenvalues; its own Hessian is a Gaussian's."""
    from skimage.feature import hessian_matrix_eigvals

    image = np.random.default_rng(seed).integers(0, 256, (30, 30))
    gr, gc, rr, cc, rc = (part / 4.0 for part in surface._derivatives(image, 0))
    large, small = hessian_matrix_eigvals([rr, rc, cc])
    with np.errstate(divide="ignore", invalid="ignore"):
        theirs = 2 / np.pi * np.arctan((large + small) / (small - large))
    sharpness, ratio, curvedness = surface.dense(image, 0)
    defined = large - small > 1e-6
    assert np.allclose(surface.shape_index(ratio)[defined], theirs[defined], rtol=1e-9, atol=1e-9)
    assert np.allclose(curvedness, np.sqrt((large**2 + small**2) / 2), rtol=1e-9, atol=1e-9)
    assert np.allclose(sharpness, 2 * np.hypot(gr, gc), rtol=1e-9)


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize("q", [1, 2, 3])
def test_the_smoothing_is_two_box_means(q: int) -> None:
    from scipy.ndimage import uniform_filter

    image = np.random.default_rng(q).integers(0, 256, (30, 33))
    smooth = image.astype(np.int64)
    for _ in range(2):
        smooth = surface._box(smooth, q)
    theirs = uniform_filter(
        uniform_filter(image.astype(np.float64), 2 * q + 1, mode="nearest"), 2 * q + 1, mode="nearest"
    )
    assert np.allclose(smooth / (2 * q + 1) ** 4, theirs, rtol=1e-9)


@pytest.mark.verifies("SRS-RAD-002")
@given(grey_levels(most=12), st.integers(0, 3))
def test_mirrored_and_turned_images_have_the_same_bits(image: NDArray[np.uint8], q: int) -> None:
    for turn in (np.fliplr, np.flipud, np.rot90, np.transpose):
        found = np.stack([turn(one) for one in surface.dense(image, q)])
        assert np.array_equal(surface.dense(turn(image), q), found)


@pytest.mark.verifies("SRS-RAD-002")
@given(grey_levels(most=12), st.integers(0, 3), st.integers(-500, 500))
def test_a_shift_of_all_levels_changes_nothing(image: NDArray[np.uint8], q: int, shift: int) -> None:
    assert np.array_equal(surface.dense(image.astype(np.int64) + shift, q), surface.dense(image, q))


@pytest.mark.verifies("SRS-RAD-002")
@given(grey_levels(most=12), st.integers(0, 3))
def test_the_negative_has_the_opposite_shape(image: NDArray[np.uint8], q: int) -> None:
    sharpness, ratio, curvedness = surface.dense(image, q)
    negative = surface.dense(255 - image.astype(np.int64), q)
    assert np.array_equal(negative, np.stack([sharpness, -ratio, curvedness]))


@pytest.mark.verifies("SRS-RAD-002")
@given(grey_levels(most=12), st.integers(0, 3), st.integers(1, 4))
def test_a_step_takes_a_subset(image: NDArray[np.uint8], q: int, step: int) -> None:
    assert np.array_equal(surface.dense(image, q, step=step), surface.dense(image, q)[:, ::step, ::step])


@pytest.mark.verifies("SRS-RAD-004")
@given(grey_levels(most=12), st.integers(0, 3))
def test_every_value_has_a_place(image: NDArray[np.uint8], q: int) -> None:
    sharpness, ratio, curvedness = surface.dense(image, q)
    assert np.isfinite(sharpness).all()
    assert np.isfinite(curvedness).all()
    assert not np.isnan(ratio).any()
    assert (np.abs(surface.shape_index(ratio)) <= 1).all()
    assert not np.signbit(ratio[ratio == 0]).any()


@pytest.mark.verifies("SRS-RAD-002")
@pytest.mark.parametrize("q", [0, 1, 3])
def test_the_stated_bound_is_safe(q: int) -> None:
    """At the largest level allowed, noise of full contrast gives what exact integers give."""
    largest = (1 << 26) // (2 * q + 1) ** 4 - 1
    image = np.random.default_rng(q).choice([-largest, largest], (12, 12))
    parts = [part.astype(object) for part in surface._derivatives(image, q)]
    rr, cc, rc = parts[2:]
    exact = ((rr * rr + cc * cc + 2 * rc * rc) / 2).astype(np.float64) ** 0.5
    d = max(q, 1)
    assert np.allclose(surface.dense(image, q)[2], exact / (4 * d * d * (2 * q + 1) ** 4), rtol=1e-12)
    assert max(abs(v) for v in ((rr - cc) ** 2 + 4 * rc * rc).ravel()) < 2**63

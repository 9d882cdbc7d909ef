# SPDX-License-Identifier: Apache-2.0
"""Co-occurrence values equal their definition in exact rationals, and scikit-image's, and obey the laws of both."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm
from tests.radiomics import oracles
from tests.strategies import grey_levels

CONTRAST, DISSIMILARITY, HOMOGENEITY, ENERGY, CORRELATION = range(5)
DISTANCES = st.sampled_from([(1,), (2,), (1, 3)])
# 1 / (1 + d²) is held in units of 2**-46, so homogeneity may be off by half a unit
ROUNDING = np.array([1e-15, 1e-15, 2.0**-47 + 1e-15, 1e-15, 1e-15])


def exactly(found: NDArray[np.float64], values: list[Fraction]) -> bool:
    exact = np.array([float(value) for value in values])
    return bool((np.abs(found - exact) <= ROUNDING + 1e-12 * np.abs(exact)).all())


CHECKERBOARD = np.indices((8, 8)).sum(axis=0) % 2
STRIPES = np.indices((8, 8))[1] % 2
RAMP = np.indices((6, 9))[1]


@pytest.mark.verifies("SRS-RAD-001")
@pytest.mark.parametrize(
    ("image", "expected"),
    [
        # straight neighbours always differ; diagonal ones never, 25 of one level and 24 of the other
        (CHECKERBOARD, (1 / 2, 1 / 2, 3 / 4, (1 / 2 + (25**2 + 24**2) / 49**2) / 2, 0)),
        # only vertical neighbours are equal; the other three angles have nothing but unequal pairs
        (STRIPES, (3 / 4, 3 / 4, 5 / 8, 1 / 2, -1 / 2)),
        (np.full((5, 7), 9), (0, 0, 1, 1, 1)),
    ],
    ids=["checkerboard", "stripes", "flat"],
)
def test_digital_phantoms(image: NDArray[np.int64], expected: tuple[float, ...]) -> None:
    assert np.allclose(glcm.whole(image), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.verifies("SRS-RAD-001")
@pytest.mark.parametrize("distance", [1, 2, 3])
def test_a_ramp(distance: int) -> None:
    """Along a ramp every pair but the vertical ones differs by the distance."""
    found = glcm.whole(RAMP, distances=(distance,))
    three = np.array([distance**2, distance, 1 / (1 + distance**2)])
    assert np.allclose(found[:3], (3 * three + [0, 0, 1]) / 4, rtol=2e-12)


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(), DISTANCES)
def test_whole_equals_exact_rationals(image: NDArray[np.uint8], distances: tuple[int, ...]) -> None:
    assert exactly(glcm.whole(image, distances=distances), oracles.glcm(image, distances))


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=60)
@given(grey_levels(count=5, most=6), st.integers(0, 3), DISTANCES)
def test_dense_equals_exact_rationals_window_by_window(
    image: NDArray[np.uint8], radius: int, distances: tuple[int, ...]
) -> None:
    found = glcm.dense(image, radius, distances=distances)
    for row, column, window in oracles.everywhere(image, radius):
        assert exactly(found[:, row, column], oracles.glcm(window, distances))


@pytest.mark.verifies("SRS-RAD-003")
@pytest.mark.parametrize("seed", range(50))
def test_whole_equals_scikit_image(seed: int) -> None:
    from skimage.feature import graycomatrix, graycoprops

    rng = np.random.default_rng(seed)
    image = rng.integers(0, 64, rng.integers(5, 60, 2)).astype(np.uint8)
    quarter = np.pi / 4
    # distance 1 only: scikit-image rounds 3 · √½ to 2, so that its diagonal pairs at 3 are two pixels apart
    matrix = graycomatrix(image, [1], [0, quarter, 2 * quarter, 3 * quarter], 64, symmetric=True, normed=True)
    names = ("contrast", "dissimilarity", "homogeneity", "ASM", "correlation")
    theirs = np.array([graycoprops(matrix, name).mean() for name in names])
    assert oracles.close(glcm.whole(image), theirs)


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(count=200), st.integers(1, 55))
def test_a_shift_of_all_levels_changes_nothing(image: NDArray[np.uint8], shift: int) -> None:
    moved = glcm.whole(image + np.uint8(shift))
    assert np.array_equal(moved, glcm.whole(image))


@pytest.mark.verifies("SRS-RAD-001")
@given(grey_levels(count=64), st.integers(2, 4))
def test_a_factor_on_all_levels(image: NDArray[np.uint8], factor: int) -> None:
    plain, scaled = glcm.whole(image), glcm.whole(image * np.uint8(factor))
    assert np.allclose(scaled[CONTRAST], factor**2 * plain[CONTRAST])
    assert np.allclose(scaled[DISSIMILARITY], factor * plain[DISSIMILARITY])
    assert scaled[ENERGY] == plain[ENERGY]
    assert np.allclose(scaled[CORRELATION], plain[CORRELATION], atol=1e-12)


@pytest.mark.verifies("SRS-RAD-001", "SRS-RAD-002")
@settings(max_examples=30)
@given(grey_levels(), st.integers(1, 2))
def test_mirrored_and_turned_images(image: NDArray[np.uint8], radius: int) -> None:
    for turn in (np.fliplr, np.flipud, np.rot90, np.transpose):
        turned = turn(image)
        assert np.allclose(glcm.whole(turned), glcm.whole(image), rtol=1e-14, atol=1e-15)
        found = np.stack([turn(one) for one in glcm.dense(image, radius)])
        assert np.allclose(glcm.dense(turned, radius), found, rtol=1e-14, atol=1e-15)


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(), DISTANCES)
def test_a_window_that_covers_the_image_is_the_image(image: NDArray[np.uint8], distances: tuple[int, ...]) -> None:
    found = glcm.dense(image, max(image.shape), distances=distances)
    assert np.array_equal(found, np.broadcast_to(glcm.whole(image, distances=distances)[:, None, None], found.shape))


@pytest.mark.verifies("SRS-RAD-002")
@settings(max_examples=40)
@given(grey_levels(most=12), st.integers(0, 4), st.integers(1, 4))
def test_a_step_takes_a_subset(image: NDArray[np.uint8], radius: int, step: int) -> None:
    assert np.array_equal(glcm.dense(image, radius, step=step), glcm.dense(image, radius)[:, ::step, ::step])


@pytest.mark.verifies("SRS-RAD-002", "SRS-RAD-004")
@settings(max_examples=40)
@given(grey_levels())
def test_a_window_of_one_has_no_pair(image: NDArray[np.uint8]) -> None:
    assert (glcm.dense(image, 0) == 0).all()
    assert (glcm.whole(image[:1, :1]) == 0).all()


@pytest.mark.verifies("SRS-RAD-002", "SRS-RAD-004")
def test_a_distance_that_does_not_fit_the_window_counts_no_pair() -> None:
    image = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (glcm.dense(image, 1, distances=(3,)) == 0).all()
    assert np.array_equal(glcm.dense(image, 1, distances=(1, 3)), glcm.dense(image, 1))


@pytest.mark.verifies("SRS-RAD-001")
def test_sums_of_a_large_image_do_not_overflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A strip of rows is summed in int64, strips in Python's integers; where strips are cut cannot matter."""
    image = np.random.default_rng(5).integers(0, 64, (40, 30))
    once = glcm.whole(image, distances=(1, 3))
    monkeypatch.setattr(glcm, "_STRIP", 90)
    assert np.array_equal(glcm.whole(image, distances=(1, 3)), once)


@pytest.mark.verifies("SRS-RAD-001")
def test_a_flat_image_of_ten_million_pixels() -> None:
    flat = np.zeros((3400, 3000), dtype=np.uint8)  # Σ 1/(1+d²) in 2**-40 exceeds 2**63 here
    assert glcm.whole(flat).tolist() == [0.0, 0.0, 1.0, 1.0, 1.0]


@pytest.mark.verifies("SRS-RAD-002")
def test_one_over_one_plus_d_squared() -> None:
    table = glcm._inverse_table(256)
    assert max(abs(Fraction(int(v), 1 << 46) - Fraction(1, 1 + d * d)) for d, v in enumerate(table)) <= Fraction(
        1, 2**47
    )

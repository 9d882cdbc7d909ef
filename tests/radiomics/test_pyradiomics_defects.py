# SPDX-License-Identifier: Apache-2.0
"""What PyRadiomics 3.0.1 gets wrong, each shown to be so, and shown to be otherwise here.

Rules of this module:

- One test a row of ``definition_tables/differences.py``; the truth is a fraction by hand or ``exact_maps``.
- A test that fails because PyRadiomics was mended is good news: take the row out of the reference page then.
"""

from __future__ import annotations

import logging
import math
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.radiomics import levels, per_lesion
from tests.radiomics import exact_maps

pytestmark = pytest.mark.verifies("SRS-RAD-003", "SRS-RAD-004", "SRS-RAD-007")

NOISE = 1e-9  # far above one rounding error, far below its root
ROOT_OF_NOISE = 1e-6


def their(
    feature: str, image: NDArray[Any], mask: NDArray[Any] | None = None, **settings: object
) -> NDArray[np.float64]:
    """PyRadiomics' map of whole grey values from 1 on, which are its levels: 0 where it wrote nothing."""
    return _run(feature, image[None], np.ones_like(image) if mask is None else mask, {"voxelBased": True} | settings)[0]


def their_region(feature: str, image: NDArray[Any], mask: NDArray[Any], **settings: object) -> float:
    """PyRadiomics' value of the region."""
    return float(_run(feature, image[None], mask, settings))


def _run(feature: str, volume: NDArray[Any], mask: NDArray[Any], settings: dict[str, object]) -> NDArray[np.float64]:
    import SimpleITK
    from radiomics import firstorder, glcm, glrlm, ngtdm

    kinds: dict[str, Any] = {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    }
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)
    kind, name = feature.split("_")
    pair = [SimpleITK.GetImageFromArray(a) for a in (volume.astype(np.float64), mask[None].astype(np.uint8))]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        extractor = kinds[kind](*pair, **{"binWidth": 1, "force2D": True} | settings)
        extractor.enableFeatureByName(name)
        found = extractor.execute()[name]
    return np.asarray(SimpleITK.GetArrayFromImage(found) if settings.get("voxelBased") else np.real(found))


def ours(
    feature: str, image: NDArray[Any], mask: NDArray[Any] | None = None, **settings: object
) -> NDArray[np.float64]:
    """Our map of the same levels and px."""
    taking_part = image - 1 if mask is None else np.where(mask != 0, image - 1, -1)
    return radiomics.dense(taking_part, [feature], image=image, **settings)[0]


def exactly(
    feature: str, image: NDArray[Any], mask: NDArray[Any] | None = None, *, radius: int = 1, distance: int = 1
) -> NDArray[np.float64]:
    """The map by whole numbers and fractions; NaN outside the mask."""
    taking_part = image - 1 if mask is None else np.where(mask != 0, image - 1, -1)
    found = np.full(image.shape, np.nan)
    for place in exact_maps.everywhere(taking_part):
        found[place] = exact_maps.measure(taking_part, image, place, radius, (distance,))[feature]
    return found


def close(one: NDArray[Any], other: NDArray[Any], within: float = NOISE) -> NDArray[np.bool_]:
    return np.asarray(np.isclose(one, other, rtol=within, atol=within, equal_nan=True))


def noise(*shape: int, high: int = 4) -> NDArray[np.int64]:
    """Random levels 1 … high, the first of them 1."""
    image = np.random.default_rng(0).integers(1, high + 1, shape)
    image.flat[0] = 1
    return image


# ------------------------------------------------------------------------------------------------- maps
@pytest.mark.parametrize("isolated", [0, 1])
def test_one_isolated_pixel_zeroes_a_map(isolated: int) -> None:
    image, mask = noise(9, 9), np.zeros((9, 9), dtype=np.uint8)
    image[0, 0], mask[:5, :5] = 1, 1
    mask[7, 7] = isolated
    theirs = their("glcm_MCC", image, mask)
    assert (theirs == 0).all() if isolated else (theirs[:5, :5] > 0).all()
    expected = exactly("glcm_MCC", image, mask)
    assert close(ours("glcm_MCC", image, mask), expected).all()
    assert np.isfinite(expected[:5, :5]).all()
    assert np.isnan(expected[7, 7])


@pytest.mark.parametrize("feature", ["glcm_MCC", "glcm_JointAverage"])
def test_values_depend_on_the_batch(feature: str) -> None:
    """A mask with thin parts: whoever shares a batch with a px decides about its value."""
    image, mask = noise(6, 7), np.ones((6, 7), dtype=np.uint8)
    mask[:, 3:] = 0
    mask[2, 3:6] = 1
    batches = [their(feature, image, mask, voxelBatch=size) for size in (-1, 1)]
    expected = exactly(feature, image, mask)
    inside = mask == 1
    right = [int(close(batch[inside], expected[inside], ROOT_OF_NOISE).sum()) for batch in batches]
    assert right[0] < right[1] == inside.sum()
    assert close(ours(feature, image, mask), expected).all()


def test_a_corner_zeroes_a_map_without_a_mask() -> None:
    """At distance 2 and radius 1 the window of a corner has no pair at all."""
    image = noise(5, 6)
    assert (their("glcm_MCC", image, maskedKernel=False, distances=[2]) == 0).all()
    assert np.isnan(their("glcm_JointAverage", image, maskedKernel=False, distances=[2])[0, 1])
    for feature in ("glcm_MCC", "glcm_JointAverage"):
        expected = exactly(feature, image, distance=2)
        assert close(ours(feature, image, distances=(2,)), expected).all()
        assert np.isnan(expected[[0, 0, -1, -1], [0, -1, 0, -1]]).all()
        assert np.isfinite(expected[1:-1]).all()


def test_mcc_of_one_level_is_0_or_1_or_nan() -> None:
    flat = np.ones((5, 5), dtype=np.int64)
    assert their_region("glcm_MCC", flat, flat) == 1
    assert (their("glcm_MCC", flat) == 1).all()
    two = np.pad(flat, ((0, 0), (0, 4)), constant_values=2)
    assert (their("glcm_MCC", two)[:, :4] != 1).all()
    assert (ours("glcm_MCC", flat) == 0).all()
    assert (ours("glcm_MCC", two)[:, :4] == 0).all()


SPACED = (slice(None, None, 2), slice(0, 6))  # rows that no other row touches


def independent() -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
    """25 pairs along rows: p(1,1), p(1,2) and p(2,2) are 9/25, 6/25 and 4/25, so p(i,j) = p(i) p(j)."""
    image, mask = np.ones((9, 9), dtype=np.int64), np.zeros((9, 9), dtype=np.uint8)
    image[SPACED] = [[1, 2, 1, 2, 1, 2], [1, 2, 1, 2, 1, 2], [1, 1, 1, 1, 1, 1], [1, 1, 1, 1, 1, 2], [2, 2, 2, 2, 2, 1]]
    mask[SPACED] = 1
    return image, mask


@pytest.mark.parametrize("feature", ["glcm_MCC", "glcm_Imc2"])
def test_the_root_of_rounding_noise(feature: str) -> None:
    image, mask = independent()
    theirs = their(feature, image, mask, kernelRadius=4)[4, 4]
    assert NOISE < theirs < ROOT_OF_NOISE
    assert ours(feature, image, mask, radius=4)[4, 4] == 0


def test_busyness_divides_by_rounding_noise() -> None:
    """Level 1 five times and level 5 once: 1 · 5/6 and 5 · 1/6 are equal, and not so in floating point."""
    image, mask = np.ones((5, 5), dtype=np.int64), np.zeros((5, 5), dtype=np.uint8)
    mask[1:3, :3] = 1
    image[1, 0] = 5
    assert their_region("ngtdm_Busyness", image, mask) > 1e12
    assert their("ngtdm_Busyness", image, mask)[1, 1] > 1e12
    assert ours("ngtdm_Busyness", image, mask)[1, 1] == 0
    found = radiomics.lesion(image, mask, bin_width=1).values["ngtdm_Busyness"]
    assert found == per_lesion.Undefined(per_lesion.Reason.NO_VALUE)


def test_skewness_of_equal_values() -> None:
    """The mean of six times 0.1 is not 0.1."""
    image, mask = np.full((4, 4), 0.1), np.zeros((4, 4), dtype=np.uint8)
    mask[:2, :3] = 1
    assert abs(their_region("firstorder_Skewness", image, mask)) == 1
    assert their_region("firstorder_Kurtosis", image, mask) == 1
    flat = per_lesion.Undefined(per_lesion.Reason.FLAT)
    found = radiomics.lesion(image, mask, bin_count=8).values
    for feature in ("firstorder_Skewness", "firstorder_Kurtosis"):
        assert found[feature] == flat
        assert (radiomics.dense(mask.astype(np.int64) - 1, [feature], image=image)[0][mask == 1] == 0).all()


def test_entropy_below_zero() -> None:
    image = np.ones((4, 4), dtype=np.int64)
    for feature in ("glcm_JointEntropy", "firstorder_Entropy"):
        assert (their(feature, image) < 0).all()
        assert (ours(feature, image) == 0).all()


# ------------------------------------------------------------------------------------- levels and regions
def binned(image: NDArray[Any], **settings: float) -> NDArray[np.int64]:
    from radiomics import imageoperations

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy: overflow encountered in scalar add
        found, _ = imageoperations.binImage(image, np.ones(image.shape, dtype=bool), **settings)
    return np.asarray(found - 1)


def test_eight_bit_images_overflow() -> None:
    image = np.array([[0, 100, 200, 255]], dtype=np.uint8)
    assert binned(image, binWidth=25).tolist() == [[0, 1, 1, 1]]  # 255 + 50 is 49, and the last edge 25
    assert levels.discretise(image, bin_width=25).array.tolist() == [[0, 4, 8, 10]]


def test_single_precision_moves_edges() -> None:
    image = np.random.default_rng(0).uniform(0, 1, (100, 100)).astype(np.float32).round(2)
    assert (binned(image, binCount=50) != binned(image.astype(np.float64), binCount=50)).any()
    everywhere = np.ones(image.shape, dtype=np.uint8)
    single = per_lesion.measure(image, everywhere, None, bin_count=50)
    double = per_lesion.measure(image.astype(np.float64), everywhere, None, bin_count=50)
    assert single == double


@pytest.mark.parametrize("bin_count", [None, 16])
def test_a_region_of_one_level_gets_numbers(bin_count: int | None) -> None:
    """Here they are undefined."""
    image, mask = np.full((6, 6), 7.0), np.ones((6, 6), dtype=np.uint8)
    settings = {"binWidth": 25} if bin_count is None else {"binCount": bin_count, "binWidth": None}
    numbers = {
        "firstorder_Skewness": 0,
        "firstorder_Kurtosis": 0,
        "glcm_Correlation": 1,
        "glcm_Imc1": 0,
        "glcm_MCC": 1,
        "ngtdm_Busyness": 0,
        "ngtdm_Coarseness": 1e6,
        "ngtdm_Contrast": 0,
        "ngtdm_Strength": 0,
    }
    found = per_lesion.measure(image, mask, None, bin_count=bin_count).values
    for name, number in numbers.items():
        assert their_region(name, image, mask, **settings) == number, name
        assert found[name] == per_lesion.Undefined(per_lesion.Reason.FLAT), name


def test_what_does_not_touch_gets_numbers() -> None:
    image, mask = noise(5, 5), np.zeros((5, 5), dtype=np.uint8)
    mask[::2, ::2] = 1
    assert math.isnan(their_region("glcm_Contrast", image, mask))
    assert their_region("ngtdm_Coarseness", image, mask) == 1e6
    found = radiomics.lesion(image, mask, bin_width=1).values
    for name in ("glcm_Contrast", "ngtdm_Coarseness"):
        assert found[name] == per_lesion.Undefined(per_lesion.Reason.NO_VALUE)


def test_a_diagonal_line_has_a_width() -> None:
    """Its covariance has the eigenvalue 0, and rounding another: followed here, and known."""
    width = radiomics.lesion(noise(5, 5), np.eye(5, dtype=np.uint8), (1.0, 1.0), bin_width=1).values
    assert isinstance(width["shape2D_MinorAxisLength"], float)
    assert 0 < width["shape2D_MinorAxisLength"] < ROOT_OF_NOISE


def test_a_line_in_a_volume_has_complex_axes() -> None:
    """A solver for general matrices, given a symmetric one (issue 843)."""
    import SimpleITK
    from radiomics import shape

    place, spacing = np.arange(37)[:, None] * [1, 2, 3], (3.0, 0.7, 0.7)
    mask = np.zeros(place.max(axis=0) + 1, dtype=np.uint8)
    mask[tuple(place.T)] = 1
    pair = [SimpleITK.GetImageFromArray(a) for a in (mask.astype(np.float64), mask)]
    for one in pair:
        one.SetSpacing(spacing[::-1])
    theirs = shape.RadiomicsShape(*pair).execute()
    found = radiomics.lesion(mask, mask, spacing, bin_count=1).values
    for name in ("LeastAxisLength", "MinorAxisLength", "Elongation", "Flatness"):
        assert np.iscomplexobj(theirs[name])
        assert isinstance(found[f"shape_{name}"], float)
        assert abs(found[f"shape_{name}"]) < ROOT_OF_NOISE


# ------------------------------------------------------------- where the values here follow PyRadiomics, not IBSI
def test_a_pixel_without_neighbours_counts() -> None:
    """Levels 1 and 2 side by side and a 3 alone: Σ pᵢ sᵢ is 1/3 + 1/3; IBSI leaves the 3 out and has 1/2 + 1/2."""
    image, mask = np.ones((5, 5), dtype=np.int64), np.zeros((5, 5), dtype=np.uint8)
    image[2, 3], image[0, 0] = 2, 3
    mask[2, 2:4] = mask[0, 0] = 1
    assert their_region("ngtdm_Coarseness", image, mask) == 1.5
    assert radiomics.lesion(image, mask, bin_width=1).values["ngtdm_Coarseness"] == 1.5
    assert ours("ngtdm_Coarseness", image, mask, radius=2)[2, 2] == 1.5


def test_an_angle_without_a_shared_line_is_left_out() -> None:
    """Two equal px side by side: one run of two px along rows; IBSI counts two runs of one px along three angles."""
    image, mask = np.ones((5, 5), dtype=np.int64), np.zeros((5, 5), dtype=np.uint8)
    mask[2, 2:4] = 1
    assert their_region("glrlm_RunPercentage", image, mask) == 0.5
    assert radiomics.lesion(image, mask, bin_width=1).values["glrlm_RunPercentage"] == 0.5
    assert ours("glrlm_RunPercentage", image, mask)[2, 2] == 0.5

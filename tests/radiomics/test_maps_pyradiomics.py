# SPDX-License-Identifier: Apache-2.0
"""The dense maps are PyRadiomics' own, voxel by voxel, on real MR, CT and ultrasound and on generated images.

A voxel that differs must be one of the known cases, by its window and not by its result
(:mod:`radiomicnet_md_validation.known_cases`); what is right there is shown in ``test_maps_exact.py``.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from radiomicnet_md.radiomics import lesion_definitions
from radiomicnet_md_validation import known_cases, maps_agreement, peers
from radiomicnet_md_validation.maps_agreement import Case
from tests.radiomics import oracles

pytestmark = pytest.mark.verifies("SRS-RAD-007", "SRS-RAD-003")

SMALL = {2: (18, 17), 3: (3, 8, 8)}  # enough for borders on all sides and a middle
REAL = [replace(case, shape=SMALL[len(case.shape)]) for case in maps_agreement.CASES]


@pytest.mark.parametrize("case", REAL, ids=str)
def test_real_images(data: Path, case: Case) -> None:
    image, mask = maps_agreement.crop(case, data)
    assert 0 < mask.sum() < mask.size
    found = maps_agreement.compare(image, mask, case)
    assert found.voxels == (mask.sum() if case.masked else mask.size)
    assert not found.failed


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize(("shape", "radius"), [((12, 11), 1), ((9, 10), 2), ((3, 6, 5), 1), ((4, 5, 6), 2)], ids=str)
def test_generated_images(shape: tuple[int, ...], radius: int, masked: bool) -> None:  # noqa: FBT001 - a parameter
    """Flat parts, edges and noise; a mask with gaps, thin lines and isolated voxels."""
    rng = np.random.default_rng(len(shape) * 10 + radius)
    image = rng.integers(0, 40, shape).astype(np.int16)
    image[..., : shape[-1] // 2] = 7
    image[..., 1::2, -2:] = 31
    mask = rng.random(shape) < 0.5
    found = maps_agreement.compare(image, mask, Case("generated", shape, radius, 16, masked=masked))
    assert not found.failed


@pytest.mark.parametrize("distances", [(2,), (1, 3)], ids=str)
@pytest.mark.parametrize("shape", [(8, 7), (3, 5, 6)], ids=str)
def test_distances(shape: tuple[int, ...], distances: tuple[int, ...]) -> None:
    """Each offset of a distance is an angle of its own; borders lack some, and they are left out of the mean."""
    from radiomicnet_md import radiomics
    from radiomicnet_md.radiomics import levels

    image = np.random.default_rng(5).integers(0, 200, shape)
    everywhere = np.ones(shape, dtype=bool)
    binned = levels.discretise(image, bin_count=16).array
    names = [name for name in lesion_definitions.TEXTURE if name.startswith("glcm_")]
    ours = radiomics.dense(binned, names, radius=2, distances=distances)
    theirs = oracles.pyradiomics_all_maps(image, everywhere, 2, 16, masked=False, distances=distances)
    for name, map_ in zip(names, ours, strict=True):
        apart = peers.difference(name, map_, theirs[name], 16)
        for place in map(tuple, np.argwhere(apart > peers.limit(name)).tolist()):
            assert known_cases.which(name, known_cases.Window(binned, image, place, 2, distances)), (name, place)


def test_equal_products() -> None:
    """Two voxels of level 7 and seven of level 2: 7 · 2/9 − 2 · 7/9 is 0, but not in doubles."""
    image = np.ones((7, 7))
    image[::3, ::3] = 6
    image[0, 0], image[6, 6] = 0, 7
    image[3, 4] = 6
    theirs = oracles.pyradiomics_all_maps(image, np.ones(image.shape, dtype=bool), 1, 8, masked=False)
    assert theirs["ngtdm_Busyness"].max() > 1e12
    found = maps_agreement.compare(image, np.ones(image.shape, dtype=bool), Case("drawn", image.shape, 1, 8))
    assert found.known["equal products"] > 0
    assert not found.failed


def test_a_mean_that_no_double_holds() -> None:
    """Nine values of 0.9 are not their mean in PyRadiomics, and it measures the shape of the difference."""
    image = np.full((6, 6), 0.9)
    image[0, 0] = 5.0
    theirs = oracles.pyradiomics_all_maps(image, np.ones(image.shape, dtype=bool), 1, 8, masked=False)
    assert theirs["firstorder_Kurtosis"][4, 4] == 1
    found = maps_agreement.compare(image, np.ones(image.shape, dtype=bool), Case("drawn", image.shape, 1, 8))
    assert found.known["flat window"] > 0
    assert not found.failed


def test_an_image_of_one_level() -> None:
    image = np.full((5, 5), 3)
    found = maps_agreement.compare(image, np.ones(image.shape, dtype=bool), Case("drawn", image.shape, 1, 8))
    assert found.known == {"image of one level": image.size}
    assert not found.failed


def test_a_wrong_map_is_seen() -> None:
    """The comparison fails where a map is wrong by a part in 10⁸, and where one of two is undefined."""
    right = np.array([1.0, 2.0, np.nan, 0.0])
    wrong = right * (1 + 1e-8)
    assert (peers.difference("glcm_Contrast", wrong, right, 8) > peers.limit("glcm_Contrast")).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert np.isinf(peers.difference("glcm_Contrast", np.array([np.nan, 1.0]), np.array([1.0, np.nan]), 8)).all()


def test_the_page_counts_what_was_measured() -> None:
    case = Case("drawn", (5, 5), 1, 8)
    result = maps_agreement.Comparison(25)
    page = maps_agreement.page({case: result})
    assert "1 crops, 25 voxels, 93 features: 2,325 values" in page
    assert "All agree." in page
    result.failed["glcm_Contrast"].append((1, 2))
    assert "drawn, 5 × 5, radius 1, 8 levels, whole: glcm_Contrast at 1 voxels, first (1, 2)" in maps_agreement.page(
        {case: result}
    )

# SPDX-License-Identifier: Apache-2.0
"""What PyRadiomics 3.0.1 gets wrong, each shown to be so, and shown to be otherwise here.

A test that fails because PyRadiomics was mended is good news: take the row out of the reference page then.
"""

from __future__ import annotations

import logging
import warnings
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.radiomics import levels, per_lesion

pytestmark = pytest.mark.verifies("SRS-RAD-003", "SRS-RAD-004")


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


def test_one_isolated_pixel_zeroes_a_map() -> None:
    """The reason why there are no masked maps here."""
    import SimpleITK
    from radiomics import glcm

    image = np.random.default_rng(0).integers(0, 256, (1, 20, 20)).astype(np.float64)
    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)

    def places_with_a_value(mask: NDArray[np.uint8]) -> int:
        extractor = glcm.RadiomicsGLCM(
            SimpleITK.GetImageFromArray(image),
            SimpleITK.GetImageFromArray(mask),
            voxelBased=True,
            binCount=16,
            force2D=True,
        )
        extractor.enableFeatureByName("MCC")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = extractor.execute()["MCC"]
        return int((SimpleITK.GetArrayFromImage(found) > 0).sum())

    mask = np.zeros(image.shape, dtype=np.uint8)
    mask[0, 4:12, 4:12] = 1
    assert places_with_a_value(mask) == mask.sum()
    mask[0, 17, 17] = 1
    assert places_with_a_value(mask) == 0


@pytest.mark.parametrize("bin_count", [None, 16])
def test_a_region_of_one_level_gets_numbers(bin_count: int | None) -> None:
    """Correlation, MCC and coarseness are 1, 1 and a million there; here they are undefined."""
    import SimpleITK
    from radiomics import glcm, ngtdm

    image, mask = np.full((6, 6), 7.0), np.ones((6, 6), dtype=np.uint8)
    pair = SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(mask)
    settings = {} if bin_count is None else {"binCount": bin_count}
    texture = glcm.RadiomicsGLCM(*pair, **settings).execute()
    tone = ngtdm.RadiomicsNGTDM(*pair, **settings).execute()
    assert (texture["Correlation"], texture["MCC"], tone["Coarseness"]) == (1, 1, 1e6)
    found = per_lesion.measure(image, mask, None, bin_count=bin_count).values
    for name in ("glcm_Correlation", "glcm_MCC", "ngtdm_Coarseness"):
        assert found[name] == per_lesion.Undefined(per_lesion.Reason.FLAT)

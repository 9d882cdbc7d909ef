# SPDX-License-Identifier: Apache-2.0
"""The named maps are PyRadiomics' voxel-based maps, borders included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.radiomics import features
from tests.radiomics import oracles

pytestmark = pytest.mark.verifies("SRS-RAD-002", "SRS-RAD-003")

SETTINGS = pytest.mark.parametrize(("radius", "bin_count"), [(1, 16), (1, 32), (2, 16), (2, 32)])
SIDE = 24
COMMON = 9


def assert_equal_maps(image: NDArray[np.generic], radius: int, bin_count: int) -> None:
    ours = dict(features.maps(image, set_="paper", radius=radius, bin_count=bin_count, bin_width=None).planes)
    theirs = oracles.pyradiomics_maps(image, radius, bin_count)
    assert len(theirs) == COMMON
    for name, expected in theirs.items():
        assert oracles.close(ours[name], expected), name


@SETTINGS
def test_noise(radius: int, bin_count: int) -> None:
    rng = np.random.default_rng(radius * bin_count)
    assert_equal_maps(rng.integers(0, 256, (SIDE, SIDE - 3), dtype=np.uint8), radius, bin_count)


@SETTINGS
def test_flat_parts_and_edges(radius: int, bin_count: int) -> None:
    """Windows without variance, with two values, and with everything between."""
    image = np.full((SIDE, SIDE), 90, dtype=np.uint8)
    image[6:15, 4:20] = 200
    image[:5, :] += np.arange(SIDE, dtype=np.uint8)
    assert_equal_maps(image, radius, bin_count)


def test_values_below_zero() -> None:
    image = np.random.default_rng(8).integers(-1000, 1000, (SIDE, SIDE)).astype(np.int16)
    assert_equal_maps(image, 1, 32)


@SETTINGS
def test_real_ultrasound(data: Path, radius: int, bin_count: int) -> None:
    from PIL import Image

    file = sorted((data / "busi_384" / "images").iterdir())[7]
    image = np.asarray(Image.open(file).convert("L"))
    rows, columns = (side // 2 for side in image.shape)
    assert_equal_maps(image[rows : rows + SIDE, columns : columns + SIDE], radius, bin_count)


@SETTINGS
def test_real_magnetic_resonance(data: Path, radius: int, bin_count: int) -> None:
    import SimpleITK

    volume = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(data / "pyradiomics" / "brain1_image.nrrd")))
    image = volume[volume.shape[0] // 2]
    rows, columns = (side // 2 for side in image.shape)
    assert_equal_maps(image[rows : rows + SIDE, columns : columns + SIDE], radius, bin_count)

# SPDX-License-Identifier: Apache-2.0
"""A phantom of IBSI, processed as the reference manual says: grey values, two masks and levels on one grid.

Rules of this module:

- Sources: the chapters "Image processing" and "Reference data sets" of the IBSI reference manual
  (arXiv 1612.07003); the names in :data:`CONFIGURATIONS` are those of its tables.
- Nothing is measured here. The steps are interpolation, rounding, re-segmentation and discretisation, in this order.
- Arrays are (slices, rows, columns); sizes are millimetres along the same axes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy import ndimage

DIGITAL = "dig. phantom"
_DIGITAL_FOLDER = Path("ibsi", "ibsi_1_digital_phantom", "nifti")
_CT_FOLDER = Path("ibsi", "ibsi_1_ct_radiomics_phantom", "nifti")
_HALF = 0.5 - 1e-6  # the manual: interpolation may give 0.4999… where 0.5 is meant


@dataclass(frozen=True, slots=True)
class Configuration:
    """One column of the manual's table; None where a step is left out."""

    texture: tuple[str, ...]  # "2D": per slice; "3D": of the volume
    spacing_mm: tuple[float | None, float, float] | None = None  # of the new grid; None along an axis keeps it
    spline_order: int = 1  # of the image; the mask is always interpolated linearly
    hounsfield: tuple[float, float] | None = None  # range of the intensity mask, both ends included
    outliers: bool = False  # drop what lies beyond 3 standard deviations of the region's mean
    bin_width: float | None = None  # from the lower end of ``hounsfield``
    bin_count: int | None = None


CONFIGURATIONS: dict[str, Configuration] = {
    DIGITAL: Configuration(texture=("2D", "3D"), bin_width=1),  # its grey values are its levels
    "config. A": Configuration(texture=("2D",), hounsfield=(-500, 400), bin_width=25),
    "config. B": Configuration(texture=("2D",), spacing_mm=(None, 2, 2), hounsfield=(-500, 400), bin_count=32),
    "config. C": Configuration(texture=("3D",), spacing_mm=(2, 2, 2), hounsfield=(-1000, 400), bin_width=25),
    "config. D": Configuration(texture=("3D",), spacing_mm=(2, 2, 2), outliers=True, bin_count=32),
    "config. E": Configuration(
        texture=("3D",), spacing_mm=(2, 2, 2), spline_order=3, hounsfield=(-1000, 400), outliers=True, bin_count=32
    ),
}


@dataclass(frozen=True, slots=True)
class Prepared:
    """What is measured."""

    grey: NDArray[np.float64]
    morphological: NDArray[np.bool_]  # the region as it was drawn: shape is measured on it
    intensity: NDArray[np.bool_]  # the region after re-segmentation: everything else is measured on it
    levels: NDArray[np.int16]  # 1 … in the intensity mask, 0 elsewhere
    spacing_mm: tuple[float, float, float]
    configuration: Configuration


def prepare(data: Path, name: str) -> Prepared:
    """One phantom, from the folder of public data; ``name`` is a key of :data:`CONFIGURATIONS`."""
    if name == DIGITAL:
        grey, region, spacing_mm = _read(data / _DIGITAL_FOLDER)
        levels = np.where(region, grey, 0).astype(np.int16)
        return Prepared(grey, region, region, levels, spacing_mm, CONFIGURATIONS[name])
    return process(*_read(data / _CT_FOLDER), CONFIGURATIONS[name])


def process(
    grey: NDArray[np.float64],
    region: NDArray[np.bool_],
    spacing_mm: tuple[float, float, float],
    configuration: Configuration,
) -> Prepared:
    """The steps of one configuration."""
    if configuration.spacing_mm is not None:
        z, y, x = configuration.spacing_mm
        target = (spacing_mm[0] if z is None else z, y, x)
        grey = np.rint(interpolate(grey, spacing_mm, target, configuration.spline_order))
        region = interpolate(region.astype(np.float64), spacing_mm, target, 1) >= _HALF
        spacing_mm = target
    intensity = _resegment(grey, region, configuration)
    return Prepared(grey, region, intensity, _discretise(grey, intensity, configuration), spacing_mm, configuration)


def interpolate(
    image: NDArray[np.float64], source_mm: tuple[float, ...], target_mm: tuple[float, ...], order: int
) -> NDArray[np.float64]:
    """The image on a grid of another spacing that has the same centre; beyond the border its nearest value holds."""
    axes = []
    for count, source, target in zip(image.shape, source_mm, target_mm, strict=True):
        step = target / source
        points = math.ceil(round(count / step, 6))
        axes.append((count - 1 - step * (points - 1)) / 2 + step * np.arange(points))
    grid = np.meshgrid(*axes, indexing="ij")
    return np.asarray(ndimage.map_coordinates(image, grid, order=order, mode="nearest"), dtype=np.float64)


def _resegment(grey: NDArray[np.float64], region: NDArray[np.bool_], configuration: Configuration) -> NDArray[np.bool_]:
    """Both rules look at the region as drawn; a voxel stays where both keep it."""
    low, high = configuration.hounsfield or (-math.inf, math.inf)
    if configuration.outliers:
        mean, deviation = grey[region].mean(), grey[region].std()
        low, high = max(low, mean - 3 * deviation), min(high, mean + 3 * deviation)
    return region & (grey >= low) & (grey <= high)


def _discretise(
    grey: NDArray[np.float64], region: NDArray[np.bool_], configuration: Configuration
) -> NDArray[np.int16]:
    values = grey[region]
    if configuration.bin_width is not None and configuration.hounsfield is not None:
        found = np.floor((values - configuration.hounsfield[0]) / configuration.bin_width) + 1
    else:
        count = configuration.bin_count or 1
        low, high = values.min(), values.max()
        found = np.minimum(np.floor(count * (values - low) / (high - low)) + 1, count)
    levels = np.zeros(grey.shape, dtype=np.int16)
    levels[region] = found
    return levels


def _read(folder: Path) -> tuple[NDArray[np.float64], NDArray[np.bool_], tuple[float, float, float]]:
    image: Any = SimpleITK.ReadImage(str(folder / "image" / "phantom.nii.gz"))
    mask = SimpleITK.ReadImage(str(folder / "mask" / "mask.nii.gz"))
    x, y, z = (round(step, 6) for step in image.GetSpacing())  # stored in single precision
    grey = np.rint(SimpleITK.GetArrayFromImage(image).astype(np.float64))
    return grey, SimpleITK.GetArrayFromImage(mask) != 0, (z, y, x)

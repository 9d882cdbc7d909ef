# SPDX-License-Identifier: Apache-2.0
"""Which value of the device answers which row of IBSI's list, and that value measured on a prepared phantom.

Rules of this module:

- Nothing is calculated that the device does not calculate: a value comes from PyRadiomics through
  :mod:`radiomicnet_md.radiomics.per_lesion`, and is at most averaged over slices or put on IBSI's zero (kurtosis − 3).
- A row is matched by family and code, as the device's own table has them. Where the list's code is
  missing, doubtful or a synonym, a table below says what it is matched by instead.
- Levels are handed over as IBSI numbers them: from the lower end of the re-segmentation range. A bin width without
  a start numbers them from the region's lowest; what that changes is counted (:attr:`Measured.plain`).
- The digital phantom fits into one window of the dense maps, so these are compared too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import dense, lesion, lesion_definitions, per_lesion
from radiomicnet_md_validation.ibsi_pipeline import Prepared

SHAPE, GREY, HISTOGRAM = (
    "Morphological features",
    "Intensity-based statistical features",
    "Intensity histogram features",
)
CLASSES = {
    SHAPE: "shape",
    GREY: "firstorder",
    HISTOGRAM: "firstorder",
    "Grey level co-occurrence based features": "glcm",
    "Grey level run length based features": "glrlm",
    "Grey level size zone based features": "glszm",
    "Neighbourhood grey tone difference based features": "ngtdm",
    "Neighbouring grey level dependence based features": "gldm",
}
_VOLUME, _SLICES = ("", "3D", "3D, averaged"), ("2D", "2D, averaged")
AGGREGATIONS = _VOLUME + _SLICES
_RADIUS = 4  # the largest window: whatever spans five voxels lies inside it around each of them

# IBSI gives these two the formula of another of its own features.
_SYNONYMS = {("glcm", "8S9J"): "glcm_DifferenceAverage", ("glcm", "OEEB"): "glcm_ClusterTendency"}
EXCESS = "firstorder_Kurtosis"  # PyRadiomics does not subtract 3
_EXCESS_CODES = {("firstorder", "IPH6"): EXCESS}
# The first-order definitions, measured on levels; two percentiles stand in the list under doubtful codes.
_HISTOGRAM = {
    "mean discretised intensity": "Mean",
    "discretised intensity variance": "Variance",
    "discretised intensity skewness": "Skewness",
    "(excess) discretised intensity kurtosis": "Kurtosis",
    "median discretised intensity": "Median",
    "minimum discretised intensity": "Minimum",
    "10th discretised intensity percentile": "10Percentile",
    "90th discretised intensity percentile": "90Percentile",
    "maximum discretised intensity": "Maximum",
    "discretised intensity interquartile range": "InterquartileRange",
    "discretised intensity range": "Range",
    "intensity histogram mean absolute deviation": "MeanAbsoluteDeviation",
    "intensity histogram robust mean absolute deviation": "RobustMeanAbsoluteDeviation",
    "discretised intensity entropy": "Entropy",
    "discretised intensity uniformity": "Uniformity",
}
_WITHOUT_CODE = {("glszm", "small zone emphasis"): "glszm_SmallAreaEmphasis"}
_ON_LEVELS = frozenset({"firstorder_Entropy", "firstorder_Uniformity"})
_BY_CODE = {
    (name.split("_")[0], measure.ibsi): name
    for name, measure in (lesion_definitions.TEXTURE | lesion_definitions.SHAPE[3]).items()
    if measure.ibsi and name not in _ON_LEVELS
} | (_SYNONYMS | _EXCESS_CODES)


def key(family: str, feature: str, code: str) -> str | None:
    """The device's name of a feature of IBSI, or None where the device does not define it."""
    prefix, name = CLASSES.get(family), feature.lower()
    if prefix is None:
        return None
    if family == HISTOGRAM:
        return f"{prefix}_{_HISTOGRAM[name]}" if name in _HISTOGRAM else None
    return _BY_CODE.get((prefix, code)) or _WITHOUT_CODE.get((prefix, name))


Numbers = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """The device's values of one phantom, by PyRadiomics' names."""

    shape: Numbers  # of the morphological mask
    grey: Numbers  # of the intensity mask, on grey values
    levels: Numbers  # of the intensity mask, on levels
    slices: Numbers  # as ``levels``, per slice, then the mean over slices; empty for 3D configurations
    window: Numbers  # of the digital phantom by `dense` at one voxel, whose window holds all others; or empty
    window_slices: Numbers  # the same per slice, then the mean over slices
    plain: Numbers  # of the intensity mask as `lesion` gives them without a bin start; empty for 2D configurations

    def value(self, family: str, aggregation: str, name: str) -> float:
        """The number that is compared with the reference."""
        if aggregation in _SLICES:
            return self.slices[name]
        source = {SHAPE: self.shape, GREY: self.grey}.get(family, self.levels)
        return source[name] - 3 if name == EXCESS else source[name]

    def window_value(self, aggregation: str, name: str) -> float | None:
        """The number of the dense maps, None where they are not compared."""
        source = self.window_slices if aggregation in _SLICES else self.window
        return source[name] - 3 if name == EXCESS and name in source else source.get(name)


def measure(prepared: Prepared) -> Measured:
    """Everything that :meth:`Measured.value` and the page need."""
    grey, drawn, region, spacing_mm = prepared.grey, prepared.morphological, prepared.intensity, prepared.spacing_mm
    steps = prepared.configuration
    fits = max(grey.shape) <= _RADIUS + 1
    return Measured(
        shape=_defined(lesion(grey, drawn, spacing_mm, bin_count=1)),
        grey=_defined(lesion(grey, region, spacing_mm, bin_count=1)),
        levels=_on_levels(prepared.levels, spacing_mm),
        window=_in_window(prepared.levels, grey, spacing_mm) if fits else {},
        window_slices=_mean(map(_in_window, prepared.levels, grey, [spacing_mm[1:]] * len(grey))) if fits else {},
        slices=mean_of_slices(prepared) if "2D" in steps.texture else {},
        plain=_defined(lesion(grey, region, spacing_mm, bin_count=steps.bin_count, bin_width=steps.bin_width))
        if "3D" in steps.texture
        else {},
    )


def mean_of_slices(prepared: Prepared, *, highest_level: int = 0) -> Numbers:
    """Each value of each slice that meets the intensity mask, then the plain mean.

    :param highest_level: where given, a pixel of this level stands two pixels off the slice's corner. It forms no
        pair, so it enters no co-occurrence matrix; it sets the number of levels that two GLCM features divide by.
    """
    wide = [np.pad(levels, 2) for levels in prepared.levels if levels.any()]
    for levels in wide:
        levels[0, 0] = highest_level
    return _mean(_on_levels(levels, prepared.spacing_mm[1:]) for levels in wide)


def _mean(each: Iterable[Numbers]) -> Numbers:
    slices = list(each)
    return {name: float(np.mean([numbers[name] for numbers in slices])) for name in slices[0]}


def _in_window(levels: NDArray[np.int16], grey: NDArray[np.float64], spacing_mm: tuple[float, ...]) -> Numbers:
    """All 93 dense maps at the first voxel of a region that one window holds."""
    wide, image = np.pad(levels, _RADIUS), np.pad(grey, _RADIUS)
    maps = dense(wide - 1, image=image, radius=_RADIUS, voxel_size=math.prod(spacing_mm))
    place = np.argwhere(wide > 0)[0]
    return {name: float(one[tuple(place)]) for name, one in zip(lesion_definitions.TEXTURE, maps, strict=True)}


def _on_levels(levels: NDArray[np.int16], spacing_mm: tuple[float, ...]) -> Numbers:
    """The values of levels as they are numbered: bins of width 1 from level 1 on."""
    return _defined(lesion(levels, levels > 0, spacing_mm, bin_width=1, bin_start=1))


def _defined(measured: per_lesion.Lesion) -> Numbers:
    return {name: value for name, value in measured.values.items() if isinstance(value, float)}

# SPDX-License-Identifier: Apache-2.0
"""The values of one region by PyRadiomics 3.0.1: each a finite number, or UNDEFINED with its reason.

Rules of this module:

- The only door to PyRadiomics. A 2-D image has 102 values (93 of grey levels, 9 of shape2D), a 3-D image
  107 (93 and 14 of shape).
- NaN, infinity and the numbers PyRadiomics puts in the place of "undefined" (a correlation of 1, a
  coarseness of 10⁶) never leave this module; nor does a warning of the libraries below.
- PyRadiomics gets the edges of the levels (see :mod:`radiomicnet_md.radiomics.levels`) and the image in double
  precision, so the levels whose digest stands beside the values are those that were measured.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.image import array_sha256
from radiomicnet_md.radiomics import lesion_definitions, levels

BIN_WIDTH = 25.0  # PyRadiomics' default


class Reason(StrEnum):
    """Why a value is undefined."""

    EMPTY = "the region has no pixel"
    ONE_PIXEL = "the region has one pixel"
    FLAT = "all grey levels of the region are equal"
    NO_SPACING = "the size of a pixel is not known"
    NO_VALUE = "the region's form leaves nothing to count"


@dataclass(frozen=True, slots=True)
class Undefined:
    """In the place of a number."""

    reason: Reason


Value = float | Undefined

_FLAT_VALUES = frozenset({"firstorder_Skewness", "firstorder_Kurtosis"})
_FLAT_LEVELS = frozenset(
    {
        "glcm_Correlation",
        "glcm_Imc1",
        "glcm_MCC",
        "ngtdm_Busyness",
        "ngtdm_Coarseness",
        "ngtdm_Contrast",
        "ngtdm_Strength",
    }
)
_COARSENESS_OF_NOTHING = 1e6


@dataclass(frozen=True, slots=True)
class Lesion:
    """What was measured of one region."""

    values: Mapping[str, Value]
    pixels: int  # in the region
    level_count: int  # 0 for an empty region
    levels_sha256: str | None  # of the int16 array of the image's shape: 1 … count inside, 0 outside; None if empty


def values(
    image: NDArray[np.generic], mask: NDArray[np.generic], spacing_mm: tuple[float, ...] | None
) -> Mapping[str, Value]:
    """The values of a region with PyRadiomics' default bin width; see :func:`measure`."""
    return measure(image, mask, spacing_mm).values


def measure(  # noqa: PLR0913 - one rule of discretisation is given
    image: NDArray[np.generic],
    mask: NDArray[np.generic],
    spacing_mm: tuple[float, ...] | None,
    *,
    bin_count: int | None = None,
    bin_width: float | None = None,
    bin_start: float | None = None,
) -> Lesion:
    """All values of the region where ``mask`` is not 0.

    :param image: grey values (rows, columns) or (slices, rows, columns)
    :param mask: of the same shape
    :param spacing_mm: distance of pixel centres along each axis; None withholds every value that needs it
    :param bin_count: number of grey levels, or
    :param bin_width: width of one in units of the image; neither means a width of :data:`BIN_WIDTH`
    :param bin_start: lower end of the lowest of these (IBSI's fixed bin size); None for a multiple of the width
    :raises InputError: shapes that differ or are not 2-D or 3-D, a spacing that is not positive, values not finite
    :raises UsageError: binning parameters out of range
    """
    _check_geometry(image, mask, spacing_mm)
    known = lesion_definitions.names(image.ndim)
    region = np.asarray(mask) != 0
    pixels = int(region.sum())
    if pixels == 0:
        return Lesion(dict.fromkeys(known, Undefined(Reason.EMPTY)), 0, 0, None)
    width = BIN_WIDTH if bin_count is None and bin_width is None else bin_width
    binned = levels.discretise(image, region, bin_count=bin_count, bin_width=width, bin_start=bin_start)
    digest = array_sha256(binned.array + np.int16(1))
    if pixels == 1:
        return Lesion(dict.fromkeys(known, Undefined(Reason.ONE_PIXEL)), 1, binned.count, digest)
    numbers = _extract(*_box(image, region), spacing_mm, binned.edges)
    flat = _flat_names(np.asarray(image)[region], binned.array[region])
    if _busyness_divides_by_nothing(binned.array[region]):
        numbers["ngtdm_Busyness"] = math.nan
    return Lesion(
        {name: _value(name, numbers[name], flat, spacing_mm is not None) for name in known},
        pixels,
        binned.count,
        digest,
    )


def _check_geometry(
    image: NDArray[np.generic], mask: NDArray[np.generic], spacing_mm: tuple[float, ...] | None
) -> None:
    if image.ndim not in lesion_definitions.SHAPE or image.shape != mask.shape:
        raise InputError(
            "E-MASK-GEOMETRY",
            f"Image and mask must have the same 2-D or 3-D shape, not {image.shape} and {mask.shape}.",
            remedy="Give a mask on the image's own grid.",
        )
    if spacing_mm is not None and not (
        len(spacing_mm) == image.ndim and all(np.isfinite(s) and s > 0 for s in spacing_mm)
    ):
        raise InputError(
            "E-SPACING",
            "The size of a pixel must be one positive number of millimetres for each axis.",
            remedy="Correct it, or leave it out; then no value in millimetres is given.",
        )


def _box(image: NDArray[np.generic], region: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
    """Image and region cut to the region's bounding box; no value depends on what lies outside."""
    where = tuple(slice(int(axis.min()), int(axis.max()) + 1) for axis in np.nonzero(region))
    return np.asarray(image[where], dtype=np.float64), np.asarray(region[where], dtype=np.uint8)


def _flat_names(grey: NDArray[np.generic], binned: NDArray[np.int16]) -> frozenset[str]:
    flat_values = _FLAT_VALUES if bool((grey == grey.flat[0]).all()) else frozenset()
    flat_levels = _FLAT_LEVELS if bool((binned == binned.flat[0]).all()) else frozenset()
    return flat_values | flat_levels


def _busyness_divides_by_nothing(binned: NDArray[np.int16]) -> bool:
    """Where level · count is the same for all levels, PyRadiomics divides by 0 or by rounding noise (about 10¹⁶)."""
    level, count = np.unique(binned, return_counts=True)
    return len(set(((level.astype(np.int64) + 1) * count).tolist())) == 1


def _value(name: str, number: float, flat: frozenset[str], spacing_known: bool) -> Value:  # noqa: FBT001 - one caller
    if name in lesion_definitions.NEEDS_SPACING and not spacing_known:
        return Undefined(Reason.NO_SPACING)
    if name in flat:
        return Undefined(Reason.FLAT)
    if not np.isfinite(number) or (name == "ngtdm_Coarseness" and number == _COARSENESS_OF_NOTHING):
        return Undefined(Reason.NO_VALUE)
    return number + 0.0  # no negative zero


def _extract(
    image: NDArray[np.float64],
    region: NDArray[np.uint8],
    spacing_mm: tuple[float, ...] | None,
    edges: NDArray[np.float64],
) -> dict[str, float]:
    """PyRadiomics' numbers under ``class_Feature``, NaN where it has none.

    Its bin count goes to ``numpy.histogram``, which takes a list of edges as well.
    """
    with _quiet():
        import SimpleITK
        from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm, shape, shape2D

        logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)  # the import above sets its own level
        classes = {
            "firstorder": firstorder.RadiomicsFirstOrder,
            "glcm": glcm.RadiomicsGLCM,
            "glrlm": glrlm.RadiomicsGLRLM,
            "glszm": glszm.RadiomicsGLSZM,
            "gldm": gldm.RadiomicsGLDM,
            "ngtdm": ngtdm.RadiomicsNGTDM,
        }
        classes |= {"shape2D": shape2D.RadiomicsShape2D} if image.ndim == len("xy") else {"shape": shape.RadiomicsShape}
        pair: tuple[Any, Any] = (SimpleITK.GetImageFromArray(image), SimpleITK.GetImageFromArray(region))
        for one in pair:
            one.SetSpacing(spacing_mm[::-1] if spacing_mm else (1.0,) * image.ndim)
        return {
            f"{prefix}_{name}": float(np.real(value))
            for prefix, measured in classes.items()
            for name, value in measured(*pair, binCount=edges.tolist()).execute().items()
        }


@contextmanager
def _quiet() -> Iterator[None]:
    """PyRadiomics speaks through its logger, NumPy's warnings and its error state; here each answer is typed."""
    logger = logging.getLogger("radiomics")
    before = logger.level
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            logger.setLevel(logging.CRITICAL + 1)
            yield
    finally:
        logger.setLevel(before)

# SPDX-License-Identifier: Apache-2.0
"""A measurement alone, with no decision behind it: a table of values, or maps, of any grey image.

Rules of this module:

- Not a device result: the device measures on its own working grid (:mod:`radiomicnet_md.engine.measure`).
- ``paper``: the 13 global values. ``named``: those and the means of the three surface maps. ``all``: the
  values of PyRadiomics, of the whole image, or of a mask's region with its shape.
- The values of ``paper`` and ``named`` belong to a rectangle: the mask's bounding box, or the image.
  LBP codes and surface maps are taken from the whole image before they are cut.
- A number that the definitions put in the place of an undefined value (for the network's use) is shown
  here as no value, with its reason.
- Without bin count and width: ``paper`` and ``named`` use 64 levels (a width of 4 for 8-bit images, which
  is what the device uses), ``all`` uses PyRadiomics' width of 25.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError, UsageError
from radiomicnet_md.radiomics import lbp, lesion_definitions, levels, named_maps, paper, per_lesion, surface
from radiomicnet_md.radiomics.definitions import BY_KEY, NAMED, PAPER
from radiomicnet_md.radiomics.per_lesion import Reason

Set = Literal["paper", "named", "all"]

SMOOTHING = 1  # box radius of the surface maps, pixels
_SETS = ("paper", "named", "all")
_LARGEST = 1 << 19  # |grey value|; with SMOOTHING every sum of surface.py and moments.py stays exact
_LARGEST_RADIUS = 180  # pixels; every sum of glcm.py stays below 2**63
_LEVELS = 64  # the paper's number of grey levels
_WIDTH_8_BIT = 256 / _LEVELS
_NO_PAIR = frozenset(name for name in PAPER if name.startswith("glcm_"))
_FLAT = frozenset({"glcm_Correlation", "firstorder_Skewness", "firstorder_Kurtosis"})

Box = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class Row:
    """One value: its name, IBSI code ("" where there is none), unit, and why it is missing if it is."""

    name: str
    ibsi: str
    value: float | None
    unit: str
    reason: str | None


def table(  # noqa: PLR0913 - the options of the verb
    pixels: NDArray[np.generic],
    mask: NDArray[np.generic] | None,
    *,
    set_: Set,
    radius: int,
    bin_count: int | None,
    bin_width: float | None,
    spacing: Sequence[float] | None,
) -> list[Row]:
    """Values of an image, or of the part of it that a mask shows.

    :param pixels: grey values (rows, columns); for ``all`` also (slices, rows, columns)
    :param mask: of the same shape with one value beside 0; None for the whole image
    :param radius: window radius of the maps, checked here too, so that a table and its maps are refused together
    :param spacing: distance of pixel centres in mm along each axis; None withholds the values that need it
    :raises InputError: an image or mask that cannot be measured
    :raises UsageError: a set or parameter that does not exist
    """
    _check_set(set_)
    image = _numbers(pixels)
    region = None if mask is None else _region(mask, image.shape)
    if set_ == "all":
        return _all(image, region, bin_count, bin_width, None if spacing is None else tuple(spacing))
    whole = _whole_numbers(image)
    _check_window(whole.shape, radius)
    return _named(whole, region, NAMED if set_ == "named" else PAPER, _binning(pixels, bin_count, bin_width))


def maps(
    pixels: NDArray[np.generic],
    *,
    set_: Set,
    radius: int,
    bin_count: int | None,
    bin_width: float | None,
) -> dict[str, NDArray[np.float64]]:
    """Each name's value in the window of (2·radius + 1)² pixels around each pixel: float64 (rows, columns).

    Windows are clipped at the border. Levels are made once, from the whole image. The surface maps do not
    depend on the radius; the shape index is Koenderink's, −1 … 1.

    :param pixels: whole grey values (rows, columns)
    :raises InputError: an image that cannot be measured
    :raises UsageError: a set, radius or parameter that does not exist
    """
    _check_set(set_)
    if set_ == "all":
        raise UsageError(
            "E-FEATURES-MAPS-ALL",
            "Only the maps of the sets paper and named exist yet.",
            remedy="Choose --set named, or leave out --maps for all global values.",
        )
    image = _whole_numbers(_numbers(pixels))
    _check_window(image.shape, radius)
    count, width = _binning(pixels, bin_count, bin_width)
    binned = levels.discretise(image, bin_count=count, bin_width=width).array
    stack = named_maps.named(image, binned, lbp.codes(image), radius, SMOOTHING)
    stack[named_maps.SHAPE_RATIO] = surface.shape_index(stack[named_maps.SHAPE_RATIO])
    names = NAMED if set_ == "named" else PAPER
    return {name: stack[NAMED.index(name)] for name in names}


def _check_set(set_: str) -> None:
    if set_ not in _SETS:
        raise UsageError(
            "E-FEATURES-SET", f"There is no feature set {set_!r}.", remedy=f"Choose one of {', '.join(_SETS)}."
        )


def _numbers(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    if pixels.dtype.kind not in "biuf" or pixels.ndim not in lesion_definitions.SHAPE or pixels.size == 0:
        raise InputError(
            "E-FEATURES-IMAGE",
            "Only a grey image in two or three dimensions with at least one pixel can be measured.",
            remedy="Give one frame, one sample a pixel.",
        )
    if not np.isfinite(pixels).all():
        raise InputError(
            "E-LEVELS-NOT-FINITE",
            "The image holds NaN or infinite values.",
            remedy="Replace them before measuring; a level cannot be made from them.",
        )
    return pixels


def _whole_numbers(image: NDArray[np.generic]) -> NDArray[np.int64]:
    if image.ndim != len(("rows", "columns")):
        raise InputError(
            "E-FEATURES-3D",
            "The sets paper and named are defined for two-dimensional images.",
            remedy="Give one slice, or choose --set all for global values of the volume.",
        )
    values = np.asarray(image, dtype=np.float64)
    if (values != np.rint(values)).any() or np.abs(values).max() >= _LARGEST:
        raise InputError(
            "E-FEATURES-WHOLE",
            f"The sets paper and named need whole grey values between -{_LARGEST} and {_LARGEST}.",
            remedy="Give the stored grey values before any rescaling, or choose --set all for global values.",
        )
    return values.astype(np.int64)


def _check_window(shape: tuple[int, ...], radius: int) -> None:
    if not 1 <= radius <= _LARGEST_RADIUS:
        raise UsageError(
            "E-FEATURES-RADIUS",
            f"A window radius lies between 1 and {_LARGEST_RADIUS} pixels, not {radius}.",
            remedy="Choose a radius in that range.",
        )
    if 2 * radius + 1 > min(shape):
        raise UsageError(
            "E-FEATURES-WINDOW",
            f"A window of {2 * radius + 1} pixels is larger than the image ({shape[0]} x {shape[1]}).",
            remedy="Choose a smaller radius.",
        )


def _region(mask: NDArray[np.generic], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    if mask.shape != shape:
        raise InputError(
            "E-MASK-GEOMETRY",
            f"The mask has the shape {mask.shape}, the image {shape}.",
            remedy="Give a mask on the image's own grid.",
        )
    labels = np.unique(mask[mask != 0])
    if labels.size == 0:
        raise InputError("E-MASK-EMPTY", "The mask is empty.", remedy="Give a mask that marks at least one pixel.")
    if labels.size > 1:
        raise InputError(
            "E-MASK-LABELS",
            f"The mask holds {labels.size} different labels.",
            remedy="Give a mask with one label.",
        )
    return np.asarray(mask != 0)


def _binning(
    pixels: NDArray[np.generic], bin_count: int | None, bin_width: float | None
) -> tuple[int | None, float | None]:
    if bin_count is not None or bin_width is not None:
        return bin_count, bin_width
    return (None, _WIDTH_8_BIT) if pixels.dtype == np.uint8 else (_LEVELS, None)


def _box(region: NDArray[np.bool_] | None) -> Box:
    if region is None:
        return slice(None), slice(None)
    rows, columns = np.nonzero(region)
    return slice(int(rows.min()), int(rows.max()) + 1), slice(int(columns.min()), int(columns.max()) + 1)


def _named(
    image: NDArray[np.int64],
    region: NDArray[np.bool_] | None,
    names: tuple[str, ...],
    binning: tuple[int | None, float | None],
) -> list[Row]:
    box = _box(region)
    count, width = binning
    binned = levels.discretise(image[box], bin_count=count, bin_width=width).array
    numbers = paper.values(image[box], binned, lbp.codes(image)[box]).tolist()
    if len(names) > len(PAPER):
        parts = surface.dense(image, SMOOTHING)
        parts[1] = surface.shape_index(parts[1])
        numbers += [float(part[box].mean()) for part in parts]
    missing = dict.fromkeys(_FLAT, str(Reason.FLAT)) if np.ptp(image[box]) == 0 else {}
    if np.ptp(binned) == 0:
        missing["glcm_Correlation"] = str(Reason.FLAT)
    if binned.size == 1:
        missing |= dict.fromkeys(_NO_PAIR, str(Reason.ONE_PIXEL))
    return [_row(name, number, missing.get(name)) for name, number in zip(names, numbers, strict=True)]


def _row(name: str, number: float, reason: str | None) -> Row:
    definition = BY_KEY[name]
    return Row(name, definition.ibsi, number if reason is None else None, definition.unit, reason)


def _all(
    image: NDArray[np.generic],
    region: NDArray[np.bool_] | None,
    bin_count: int | None,
    bin_width: float | None,
    spacing: tuple[float, ...] | None,
) -> list[Row]:
    everywhere = np.ones(image.shape, dtype=np.bool_)
    measured = per_lesion.measure(
        image, everywhere if region is None else region, spacing, bin_count=bin_count, bin_width=bin_width
    )
    shown = lesion_definitions.TEXTURE if region is None else lesion_definitions.names(image.ndim)
    return [_measured(name, measure, measured.values[name]) for name, measure in shown.items()]


def _measured(name: str, measure: lesion_definitions.Measure, value: per_lesion.Value) -> Row:
    if isinstance(value, per_lesion.Undefined):
        return Row(name, measure.ibsi, None, measure.unit, str(value.reason))
    return Row(name, measure.ibsi, value, measure.unit, None)

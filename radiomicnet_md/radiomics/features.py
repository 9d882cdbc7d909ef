# SPDX-License-Identifier: Apache-2.0
"""A measurement alone, with no decision behind it: a table of values, or maps, of any grey image.

Rules of this module:

- Not a device result: the device measures on its own working grid (:mod:`radiomicnet_md.engine.measure`).
- ``paper``: the 13 global values. ``named``: those and the means of the three surface maps. ``all``: the
  values of PyRadiomics, of the whole image, or of a mask's region with its shape.
- The values of ``paper`` and ``named`` belong to a rectangle: the mask's bounding box, or the image.
  LBP codes and surface maps are taken from the whole image before they are cut, and their maps know no mask.
- The maps of ``all`` are PyRadiomics' voxel-based ones with its masked kernel: a voxel outside the mask
  takes part in no window, and its place holds NaN.
- A number that the definitions put in the place of an undefined value (for the network's use) is shown
  in the table as no value, with its reason.
- Without bin count and width: ``paper`` and ``named`` use 64 levels (a width of 4 for 8-bit images, which
  is what the device uses), ``all`` uses PyRadiomics' width of 25.
- The levels, not the floats, are the record: their digest stands beside what was measured on them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import radiomics
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.radiomics import lbp, lesion_definitions, levels, named_maps, paper, per_lesion, surface
from radiomicnet_md.radiomics.definitions import BY_KEY, NAMED, PAPER
from radiomicnet_md.radiomics.feature_checks import (
    LARGEST_RADIUS,
    LARGEST_RADIUS_ALL,
    Region,
    check_radius,
    check_set,
    check_window,
    numbers,
    region,
    whole_numbers,
)
from radiomicnet_md.radiomics.per_lesion import Reason

Set = Literal["paper", "named", "all"]
Binning = tuple[int | None, float | None]  # number of levels, or width of one

NAMES = {"paper": PAPER, "named": NAMED, "all": tuple(lesion_definitions.TEXTURE)}  # of the maps
SMOOTHING = 1  # box radius of the surface maps, pixels
RADIUS = {"paper": 4, "named": 4, "all": 1}  # of the windows where none is given; 1 is PyRadiomics'
_LEVELS = 64  # the paper's number of grey levels
_WIDTH_8_BIT = 256 / _LEVELS
_NO_PAIR = frozenset(name for name in PAPER if name.startswith("glcm_"))
_FLAT = frozenset({"glcm_Correlation", "firstorder_Skewness", "firstorder_Kurtosis"})
_TOTAL_ENERGY = "firstorder_TotalEnergy"

Box = tuple[slice, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One value: its name, IBSI code ("" where there is none), unit, and why it is missing if it is."""

    name: str
    ibsi: str
    value: float | None
    unit: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """The grey levels that were measured."""

    bin_count: int | None  # as given or by default; None where a width made the levels
    bin_width: float | None
    level_count: int
    levels_sha256: str  # of the int16 array of the image's shape: 1 … level_count, 0 where no level was made


@dataclass(frozen=True, slots=True)
class Table:
    """Values, and what they were measured of."""

    rows: tuple[Row, ...]
    levels: Measured
    pixels: int  # that were measured
    label: int | float | None  # None without a mask
    mask_sha256: str | None  # of the region as uint8 0 and 1


@dataclass(frozen=True, slots=True)
class Maps:
    """Maps one after the other, each float64 of the image's shape, and what they were measured on."""

    planes: Iterator[tuple[str, NDArray[np.float64]]]
    levels: Measured


def table(  # noqa: PLR0913 - the options of the verb
    pixels: NDArray[np.generic],
    mask: NDArray[np.generic] | None,
    *,
    set_: Set,
    radius: int,
    bin_count: int | None,
    bin_width: float | None,
    spacing: Sequence[float] | None,
    label: int | None = None,
) -> Table:
    """Values of an image, or of the part of it that a mask shows.

    :param pixels: grey values (rows, columns); for ``all`` also (slices, rows, columns)
    :param mask: of the same shape, 0 outside; None for the whole image
    :param radius: window radius of the maps, checked here too, so that a table and its maps are refused together
    :param spacing: distance of pixel centres in mm along each axis; None withholds the values that need it
    :param label: which of the mask's labels; None for its only one
    :raises InputError: an image or mask that cannot be measured
    :raises UsageError: a set or parameter that does not exist
    """
    check_set(set_)
    image = numbers(pixels)
    found = None if mask is None else region(mask, image.shape, label)
    if set_ == "all":
        check_radius(radius, LARGEST_RADIUS_ALL)
        rows, measured, size = _all(image, found, (bin_count, bin_width), spacing)
    else:
        whole = whole_numbers(image)
        check_radius(radius, LARGEST_RADIUS)
        check_window(whole.shape, radius)
        rows, measured, size = _named(whole, found, NAMES[set_], _binning(pixels, bin_count, bin_width))
    if found is None:
        return Table(rows, measured, size, None, None)
    return Table(rows, measured, size, found.label, mask_sha256(found.inside.astype(np.uint8)))


def maps(  # noqa: PLR0913 - the options of the verb
    pixels: NDArray[np.generic],
    mask: NDArray[np.generic] | None = None,
    *,
    set_: Set,
    radius: int,
    bin_count: int | None,
    bin_width: float | None,
    spacing: Sequence[float] | None = None,
    label: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Maps:
    """Each name's value in the window of ``radius`` pixels around each pixel.

    Windows are clipped at the border. ``paper`` and ``named``: levels are made from the whole image, a mask
    is checked and has no effect; the surface maps do not depend on the radius, and the shape index is
    Koenderink's, −1 … 1. ``all``: see :func:`radiomicnet_md.radiomics.dense`; levels are made from the mask's
    voxels. Without a spacing the map of the total energy is NaN.

    :param pixels: grey values (rows, columns), whole ones for ``paper`` and ``named``; for ``all`` also 3-D
    :param mask: of the same shape, 0 outside; None for the whole image
    :param spacing: distance of pixel centres in mm along each axis, None where it is not known
    :param label: which of the mask's labels; None for its only one
    :param progress: called with the finished share 0 … 1 of the maps of ``all``
    :raises InputError: an image or mask that cannot be measured
    :raises UsageError: a set, radius or parameter that does not exist
    """
    check_set(set_)
    image = numbers(pixels)
    found = None if mask is None else region(mask, image.shape, label)
    if set_ == "all":
        check_radius(radius, LARGEST_RADIUS_ALL)
        check_window(image.shape, radius)
        count, width = _width_of_25(bin_count, bin_width)
        inside = None if found is None else found.inside
        binned = levels.discretise(image, inside, bin_count=count, bin_width=width)
        size = math.nan if spacing is None else math.prod(spacing)
        return Maps(_dense(image, binned.array, radius, size, progress), _measured(binned, count, width))
    whole = whole_numbers(image)
    check_radius(radius, LARGEST_RADIUS)
    check_window(whole.shape, radius)
    count, width = _binning(pixels, bin_count, bin_width)
    binned = levels.discretise(whole, bin_count=count, bin_width=width)
    stack = named_maps.named(whole, binned.array, lbp.codes(whole), radius, SMOOTHING)
    stack[named_maps.SHAPE_RATIO] = surface.shape_index(stack[named_maps.SHAPE_RATIO])
    return Maps(((name, stack[NAMED.index(name)]) for name in NAMES[set_]), _measured(binned, count, width))


def _dense(
    image: NDArray[np.generic],
    binned: NDArray[np.int16],
    radius: int,
    size: float,
    progress: Callable[[float], None] | None,
) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """The maps of ``all``, a class at a time, so that no more than 24 of them are held, and where levels are."""
    classes: dict[str, list[str]] = {}
    for name in NAMES["all"]:
        classes.setdefault(name.partition("_")[0], []).append(name)
    box = _box(binned != levels.OUTSIDE, 2 * radius)  # wide enough for a window, even at the image's border
    for index, names in enumerate(classes.values()):

        def tell(share: float, done: int = index) -> None:
            if progress is not None:
                progress((done + share) / len(classes))

        stack = radiomics.dense(binned[box], names, image=image[box], radius=radius, progress=tell)
        for name, values in zip(names, stack, strict=True):
            plane = np.full(image.shape, np.nan)
            plane[box] = values * size if name == _TOTAL_ENERGY else values
            yield name, plane


def _measured(binned: levels.Levels, bin_count: int | None, bin_width: float | None) -> Measured:
    return Measured(bin_count, bin_width, binned.count, array_sha256(binned.array + np.int16(1)))


def _width_of_25(bin_count: int | None, bin_width: float | None) -> Binning:
    return (None, per_lesion.BIN_WIDTH) if bin_count is None and bin_width is None else (bin_count, bin_width)


def _binning(pixels: NDArray[np.generic], bin_count: int | None, bin_width: float | None) -> Binning:
    if bin_count is not None or bin_width is not None:
        return bin_count, bin_width
    return (None, _WIDTH_8_BIT) if pixels.dtype == np.uint8 else (_LEVELS, None)


def _box(inside: NDArray[np.bool_], margin: int = 0) -> Box:
    """The bounding box of what is True, wider by a margin where the image is."""
    return tuple(slice(max(0, int(axis.min()) - margin), int(axis.max()) + 1 + margin) for axis in np.nonzero(inside))


def _named(
    image: NDArray[np.int64], found: Region | None, names: tuple[str, ...], binning: Binning
) -> tuple[tuple[Row, ...], Measured, int]:
    count, width = binning
    box = (slice(None), slice(None)) if found is None else _box(found.inside)
    rectangle = np.zeros(image.shape, dtype=np.bool_)
    rectangle[box] = True
    made = levels.discretise(image, rectangle, bin_count=count, bin_width=width)
    binned = made.array[box]
    values = paper.values(image[box], binned, lbp.codes(image)[box]).tolist()
    if len(names) > len(PAPER):
        parts = surface.dense(image, SMOOTHING)
        parts[1] = surface.shape_index(parts[1])
        values += [float(part[box].mean()) for part in parts]
    missing = dict.fromkeys(_FLAT, str(Reason.FLAT)) if np.ptp(image[box]) == 0 else {}
    if np.ptp(binned) == 0:
        missing["glcm_Correlation"] = str(Reason.FLAT)
    if binned.size == 1:
        missing |= dict.fromkeys(_NO_PAIR, str(Reason.ONE_PIXEL))
    rows = tuple(_row(name, value, missing.get(name)) for name, value in zip(names, values, strict=True))
    return rows, _measured(made, count, width), binned.size


def _row(name: str, value: float, reason: str | None) -> Row:
    definition = BY_KEY[name]
    return Row(name, definition.ibsi, value if reason is None else None, definition.unit, reason)


def _all(
    image: NDArray[np.generic], found: Region | None, binning: Binning, spacing: Sequence[float] | None
) -> tuple[tuple[Row, ...], Measured, int]:
    count, width = _width_of_25(*binning)
    inside = np.ones(image.shape, dtype=np.bool_) if found is None else found.inside
    sizes = None if spacing is None else tuple(spacing)
    lesion = per_lesion.measure(image, inside, sizes, bin_count=count, bin_width=width)
    shown = lesion_definitions.TEXTURE if found is None else lesion_definitions.names(image.ndim)
    rows = tuple(_lesion_row(name, measure, lesion.values[name]) for name, measure in shown.items())
    return rows, Measured(count, width, lesion.level_count, str(lesion.levels_sha256)), lesion.pixels


def _lesion_row(name: str, measure: lesion_definitions.Measure, value: per_lesion.Value) -> Row:
    if isinstance(value, per_lesion.Undefined):
        return Row(name, measure.ibsi, None, measure.unit, str(value.reason))
    return Row(name, measure.ibsi, value, measure.unit, None)

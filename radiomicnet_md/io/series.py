# SPDX-License-Identifier: Apache-2.0
"""Slices become one volume in space, or a typed refusal that says in what they do not fit together.

Rules of this module:

- Places are those of the patient (PS3.3, C.7.6.2): x to the left, y to the back, z to the head, in millimetres.
- Slices are put in order by where they lie along the normal of their plane, never by number or name.
- Nothing is interpolated, filled or averaged. A missing slice, two slices in one place, steps that differ and planes
  that are not parallel are refused.
- The step from slice to slice is a vector of its own: under gantry tilt it is not the normal, and is kept as it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.source import UnreadableError

Vector = tuple[float, float, float]

_SAME_DIRECTION = 1e-4  # cosines of parallel axes differ by less; scanners write them with 6 digits
_SAME_STEP = 0.01  # share of a step by which steps may differ: positions are written with few digits
_SAME_SPACING = 1e-3


@dataclass(frozen=True, slots=True)
class Slice:
    """One plane of pixels in space."""

    rows: int
    columns: int
    spacing_mm: tuple[float, float]  # between rows, between columns
    position: Vector  # of the centre of the first pixel
    across: Vector  # unit vector along a row, to the next column
    down: Vector  # unit vector along a column, to the next row


@dataclass(frozen=True, slots=True)
class Stack:
    """Slices in the order in which they lie, and the volume they make."""

    order: tuple[int, ...]  # index of each slice among those given
    first: Slice
    step: Vector  # from the first pixel of a slice to that of the next

    @property
    def tilt_degrees(self) -> float:
        """The angle between the step and the normal of the planes; 0 without gantry tilt."""
        normal = np.cross(self.first.across, self.first.down)
        return math.degrees(math.acos(min(1.0, abs(float(np.dot(normal, self.step))) / math.hypot(*self.step))))

    def place(self, index: int, row: float, column: float) -> Vector:
        """Where the centre of a pixel lies."""
        one, (between_rows, between_columns) = self.first, self.first.spacing_mm
        place: NDArray[np.float64] = (
            np.array(one.position)
            + index * np.array(self.step)
            + row * between_rows * np.array(one.down)
            + column * between_columns * np.array(one.across)
        )
        x, y, z = place.tolist()
        return x, y, z


def slice_of(dataset: Any) -> Slice | None:  # noqa: ANN401 - pydicom is untyped
    """The plane that a DICOM data set of one frame describes; None where it does not say all of it."""
    position, turn, spacing = (
        _numbers(dataset, keyword) for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
    )
    if (len(position), len(turn), len(spacing)) != (3, 6, 2) or min(spacing) <= 0:
        return None
    x, y, z = position
    return Slice(
        int(dataset.Rows), int(dataset.Columns), (spacing[0], spacing[1]), (x, y, z), _unit(turn[:3]), _unit(turn[3:])
    )


def stack(slices: Sequence[Slice]) -> Stack:
    """Put slices in order and make sure that they are one volume.

    Raises:
        UnreadableError: E-SERIES-SIZE, -ORIENTATION, -DUPLICATE, -MISSING, -SPACING; ValueError for less than two.
    """
    if len(slices) < 2:  # noqa: PLR2004 - a step needs two
        message = "a volume has at least two slices"
        raise ValueError(message)
    first = slices[0]
    _check_planes(slices)
    normal = np.cross(first.across, first.down)
    heights = [float(np.dot(normal, one.position)) for one in slices]
    order = tuple(sorted(range(len(slices)), key=heights.__getitem__))
    places = np.array([slices[index].position for index in order])
    steps = np.diff(places, axis=0)
    rises = steps @ normal
    usual = float(np.median(rises))
    if rises.min() <= _SAME_STEP * usual or usual <= 0:
        raise _misfit("DUPLICATE", "Two slices of the series lie in the same place.")
    gaps = [round(float(rise) / usual) for rise in rises]
    uneven = any(abs(rise - gap * usual) > _SAME_STEP * usual for rise, gap in zip(rises, gaps, strict=True))
    if uneven:
        raise _misfit("SPACING", f"The slices are {rises.min():.4g} to {rises.max():.4g} mm apart.")
    if max(gaps) > 1:
        raise _misfit("MISSING", f"{sum(gaps) - len(gaps)} slices of the series are missing.")
    mean = (places[-1] - places[0]) / len(steps)
    if np.abs(steps - mean).max() > _SAME_STEP * usual:
        raise _misfit("SPACING", "The slices are shifted against each other unevenly.")
    x, y, z = mean.tolist()
    return Stack(order, slices[order[0]], (x, y, z))


def _check_planes(slices: Sequence[Slice]) -> None:
    first = slices[0]
    upright = abs(float(np.dot(first.across, first.down)))
    lengths = [math.hypot(*axis) for axis in (first.across, first.down)]
    if not all(map(math.isfinite, (upright, *lengths))) or upright > _SAME_DIRECTION:
        raise _misfit("ORIENTATION", "The axes of a slice are not at right angles.")
    for one in slices:
        if (one.rows, one.columns) != (first.rows, first.columns):
            raise _misfit("SIZE", "The slices of the series differ in size.")
        axes = np.abs(np.subtract((one.across, one.down), (first.across, first.down)))
        if not axes.max() <= _SAME_DIRECTION:
            raise _misfit("ORIENTATION", "The slices of the series are not parallel.")
        ratio = np.divide(one.spacing_mm, first.spacing_mm)
        if np.abs(ratio - 1).max() > _SAME_SPACING:
            raise _misfit("SPACING", "The slices of the series differ in the size of a pixel.")
        if not all(map(math.isfinite, one.position)):
            raise _misfit("ORIENTATION", "A slice of the series lies nowhere.")


def _misfit(kind: str, what: str) -> UnreadableError:
    return UnreadableError(
        f"E-SERIES-{kind}", what, remedy="Transfer the whole series again, and give one series in a folder of its own."
    )


def _unit(vector: Sequence[float]) -> Vector:
    length = math.hypot(*vector) or math.nan
    x, y, z = (part / length for part in vector)
    return x, y, z


def _numbers(dataset: Any, keyword: str) -> tuple[float, ...]:  # noqa: ANN401
    """The numbers of an element; () where it is absent or holds something else."""
    value = dataset.get(keyword)
    return () if value in (None, "") else tuple(map(float, np.ravel(value)))

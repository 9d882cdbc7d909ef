# SPDX-License-Identifier: Apache-2.0
"""Where the samples of a file lie in space, and how its stored values become the measured ones; or "not stated".

Rules of this module:

- A file that was read is asked once more: one that changed in between is refused.
- At most three dimensions. Frames that the file does not call slices of a volume are no volume.
- Positions and axes are in millimetres, in DICOM's patient space (towards left, posterior, superior), or in
  the plane of the picture where the file has two dimensions. No spacing, no positions: nothing is assumed.
- Axes that are not at right angles to each other count as not stated.

Sources: nifti1.h, nifti2.h (nifti.nimh.nih.gov); teem.sourceforge.net/nrrd/format.html; MetaIO; DICOM PS3.3,
C.7.6.2.1.1 and C.11.1.1.2.
"""

from __future__ import annotations

import hashlib
import math
import re
import struct
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Image
from radiomicnet_md.io.elements import floats
from radiomicnet_md.io.source import Reading, broken, load

Vector = tuple[float, ...]

_SPATIAL = 3
_PLANE = 2
_SQUARE = 1e-3  # how far the products of unit vectors may be from 0 and 1
_SAME = 1e-4  # of a spacing, and of a part of a unit vector
_SAME_PLACE = 0.01  # of the smallest spacing
_GZIP = b"\x1f\x8b"
_NIFTI_HEAD = 544  # bytes; NIfTI-2 and its four of extension
_NIFTI_LAYOUTS = {  # form and offset of the fields, by the size that the header states
    348: {
        "dim": ("8h", 40),
        "pixdim": ("8f", 76),
        "rescale": ("2f", 112),
        "units": ("b", 123),
        "codes": ("2h", 252),
        "quaternion": ("6f", 256),  # b, c, d, offset
        "matrix": ("12f", 280),
    },
    540: {
        "dim": ("8q", 16),
        "pixdim": ("8d", 104),
        "rescale": ("2d", 176),
        "units": ("i", 500),
        "codes": ("2i", 344),
        "quaternion": ("6d", 352),
        "matrix": ("12d", 400),
    },
}
_NIFTI_MILLIMETRES = {1: 1000.0, 2: 1.0, 3: 0.001}  # metre, millimetre, micrometre
_TEXT_HEAD = 2**16 + 4
_GROUP = re.compile(r"none|\([^()]*\)")
_TO_LPS = {
    "ras": (-1, -1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "las": (1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
}
_NRRD_SAMPLES = frozenset({"color", "vector", "list"})  # last word of the kind of an axis of samples
_META_OFFSET, _META_AXES = ("offset", "position", "origin"), ("transformmatrix", "rotation", "orientation")


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says; each of the optional parts is None where it does not."""

    shape: tuple[int, ...]  # (rows, columns) or (slices, rows, columns), as in the file
    spacing_mm: Vector | None = None  # between the centres of samples, along each axis of ``shape``
    origin_mm: Vector | None = None  # centre of the first sample
    directions: tuple[Vector, ...] | None = None  # a unit vector for each axis of ``shape``
    rescale: tuple[float, float] | None = None  # measured value = stored value x first + second

    def measured(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The measured values: float64 where the file states a rescale, else as stored."""
        if self.rescale is None:
            return stored
        return stored.astype(np.float64) * self.rescale[0] + self.rescale[1]


def header(path: Path, reading: Reading) -> Header:
    """What ``path`` says of the samples that ``reading`` took from it.

    Raises:
        InputError: E-INPUT-CHANGED, E-INPUT-FRAMES, E-INPUT-DIMENSIONS, and those of a file that cannot be read.
    """
    image = reading.image
    if image.origin.format in {"nifti", "nrrd", "mha"}:
        data = load(path)
        if hashlib.sha256(data).hexdigest() != image.origin.file_sha256:
            raise InputError(
                "E-INPUT-CHANGED", "The file changed while it was read.", remedy="Wait until it is complete."
            )
        try:
            said = {"nifti": _nifti, "nrrd": _nrrd, "mha": _meta_image}[image.origin.format](data)
        except (ValueError, KeyError, IndexError, OverflowError, struct.error, zlib.error):
            raise broken("The file's header contradicts its format.") from None
    elif len(image.pixels) > 1:
        raise InputError(
            "E-INPUT-FRAMES",
            f"The file holds {len(image.pixels)} frames and does not say that they are slices of one volume.",
            remedy="Give one frame as a file, or a volume as NIfTI, NRRD or MHA.",
        )
    else:
        said = Header(image.pixels.shape[1:3])
        if reading.dataset is not None:
            said = _dicom(reading.dataset, image)
    return _checked(said, image)


def of_picture(reading: Reading) -> Header:
    """What is known of one frame without its file: for DICOM all that its data set states, else the spacing."""
    image = reading.image
    said = Header(image.pixels.shape[1:3], image.spacing_mm)
    return _checked(said if reading.dataset is None else _dicom(reading.dataset, image), image)


def difference(one: Header, other: Header) -> str | None:
    """In what two files of the same size lie differently, as far as both say; None where they do not.

    Single precision of one of them is no difference.
    """
    near = min(len(one.shape), len(other.shape))  # a slice may be a picture in one, a volume in the other
    if one.spacing_mm and other.spacing_mm:
        steps = np.array([one.spacing_mm[-near:], other.spacing_mm[-near:]])
        if np.abs(steps[0] / steps[1] - 1).max() > _SAME:
            return "the size of a pixel"
    if one.directions and other.directions and len(one.shape) == len(other.shape):
        if np.abs(np.array(one.directions) - other.directions).max() > _SAME:
            return "the direction of an axis"
        if one.origin_mm and other.origin_mm and other.spacing_mm:
            apart = math.dist(one.origin_mm, other.origin_mm)
            if apart > _SAME_PLACE * min(other.spacing_mm):
                return "the place of the first pixel"
    return None


def _checked(said: Header, image: Image) -> Header:
    if len(said.shape) > _SPATIAL:
        raise InputError(
            "E-INPUT-DIMENSIONS",
            f"The image has more than {_SPATIAL} dimensions ({' x '.join(map(str, said.shape[::-1]))}).",
            remedy="Save one volume of it as a file of three dimensions.",
        )
    spacing = said.spacing_mm
    if image.spacing_mm is None or spacing is None or not all(math.isfinite(step) and step > 0 for step in spacing):
        return Header(said.shape, rescale=said.rescale)
    spacing = (*spacing[:-_PLANE], *image.spacing_mm)
    axes = said.directions
    if axes is not None and not _at_right_angles(axes, len(said.shape)):
        axes = None
    known = said.origin_mm is not None and axes is not None and all(map(math.isfinite, said.origin_mm))
    return replace(said, spacing_mm=spacing, origin_mm=said.origin_mm if known else None, directions=axes)


def _at_right_angles(axes: Sequence[Vector], count: int) -> bool:
    if len(axes) != count or {len(axis) for axis in axes} != {count}:
        return False
    matrix = np.array(axes)
    return bool(np.isfinite(matrix).all() and np.abs(matrix @ matrix.T - np.eye(count)).max() < _SQUARE)


def _unit(vector: Iterable[float]) -> Vector:
    found = tuple(map(float, vector))
    length = math.hypot(*found) or math.nan
    return tuple(part / length + 0.0 for part in found)


def _spatial(extents: Sequence[int]) -> tuple[int, ...]:
    """The file's shape, slowest axis first, without empty dimensions behind the third."""
    sizes = list(extents)
    while len(sizes) > _SPATIAL and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes[::-1])


def _nifti(data: bytes) -> Header:
    head = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(data, _NIFTI_HEAD) if data[:2] == _GZIP else data
    order = "<" if int.from_bytes(head[:4], "little") in _NIFTI_LAYOUTS else ">"
    layout = _NIFTI_LAYOUTS[struct.unpack_from(f"{order}i", head)[0]]
    taken = {name: struct.unpack_from(order + form, head, at) for name, (form, at) in layout.items()}
    dim, pixdim = taken["dim"], taken["pixdim"]
    shape = _spatial(dim[1 : dim[0] + 1])
    unit = _NIFTI_MILLIMETRES.get(taken["units"][0] & 0b111, math.nan)
    steps = [pixdim[axis] * unit for axis in range(len(shape), 0, -1)]
    origin, axes = _nifti_frame(taken, unit)
    axes = axes[len(shape) - 1 :: -1, : len(shape)]
    return Header(
        shape,
        tuple(steps),
        tuple(origin[: len(shape)].tolist()),
        tuple(_unit(axis) for axis in axes.tolist()),
        _rescale(*taken["rescale"]),
    )


def _nifti_frame(taken: Mapping[str, tuple[Any, ...]], unit: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Origin and axes (x, y, z of the file, one a row) towards left, posterior, superior; NaN where not stated."""
    origin, axes = np.full(3, math.nan), np.full((3, 3), math.nan)
    by_quaternion, by_matrix = taken["codes"]
    if by_matrix > 0:
        matrix = np.reshape(taken["matrix"], (3, 4))
        origin, axes = matrix[:, 3], matrix[:, :3].T
    elif by_quaternion > 0:
        b, c, d, *place = taken["quaternion"]
        a = math.sqrt(max(0.0, 1 - b * b - c * c - d * d))
        origin = np.array(place)
        axes = np.array(
            [
                [a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)],
                [2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)],
                [2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c],
            ]
        )
        axes[2] *= -1 if taken["pixdim"][0] < 0 else 1
    to_lps = np.array([-1.0, -1.0, 1.0])
    return origin * to_lps * unit, axes * to_lps


def _rescale(slope: float, shift: float) -> tuple[float, float] | None:
    good = math.isfinite(slope) and math.isfinite(shift) and slope != 0 and (slope, shift) != (1, 0)
    return (float(slope), float(shift)) if good else None


def _nrrd(data: bytes) -> Header:
    fields = _fields(data, b"\n\n", ":")
    sizes = [int(size) for size in fields["sizes"].split()]
    kinds = fields.get("kinds", "").lower().split()
    first = 1 if kinds and kinds[0].rpartition("-")[2] in _NRRD_SAMPLES else 0
    shape = _spatial(sizes[first:])
    flip = _TO_LPS.get(fields.get("space", "").lower(), (1,) * len(shape))
    if "spacings" in fields:
        steps = _numbers(fields["spacings"])[first : first + len(shape)][::-1]
        return Header(shape, steps if len(steps) == len(shape) else None)
    axes = [_numbers(group) for group in _GROUP.findall(fields.get("space directions", ""))]
    axes = [axis for axis in axes if axis][: len(shape)][::-1]
    origin = _numbers(fields.get("space origin", ""))
    if len(axes) != len(shape) or any(len(axis) != len(flip) for axis in axes):
        return Header(shape)
    return Header(
        shape,
        tuple(math.hypot(*axis) for axis in axes),
        _turned(origin, flip) if len(origin) == len(flip) else None,
        tuple(_unit(_turned(axis, flip)) for axis in axes),
    )


def _turned(vector: Vector, flip: Sequence[int]) -> Vector:
    return tuple(part * sign + 0.0 for part, sign in zip(vector, flip, strict=True))


def _meta_image(data: bytes) -> Header:
    fields = _fields(data, b"ElementDataFile", "=")
    shape = _spatial([int(size) for size in fields["dimsize"].split()])
    count = len(shape)
    steps = _numbers(fields.get("elementspacing", fields.get("elementsize", "")))
    place = next((_numbers(fields[name]) for name in _META_OFFSET if name in fields), None)
    matrix = next((_numbers(fields[name]) for name in _META_AXES if name in fields), None)
    if place is None and matrix is None:
        return Header(shape, steps[:count][::-1] if len(steps) >= count else None)
    every = max(count, len(steps))  # a dimension of one sample behind the third has its numbers too
    axes = np.reshape(matrix, (every, every)) if matrix and len(matrix) == every**2 else np.eye(every)
    return Header(
        shape,
        steps[:count][::-1] if len(steps) >= count else None,
        (place or (0.0,) * every)[:count],
        tuple(_unit(axis) for axis in axes[:count, :count][::-1].tolist()),
    )


def _fields(data: bytes, end: bytes, mark: str) -> dict[str, str]:
    """Read ``name<mark>value`` lines of a header that was read before; the first line of a name counts."""
    head = data[:_TEXT_HEAD].replace(b"\r\n", b"\n").partition(end)[0].decode("ascii", "replace")
    fields: dict[str, str] = {}
    for line in head.splitlines():
        name, found, value = line.partition(mark)
        if found and not line.startswith("#"):
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _numbers(text: str) -> Vector:
    """The numbers of a field; () where it holds something else."""
    try:
        return tuple(float(word) for word in text.strip("()").replace(",", " ").split())
    except ValueError:
        return ()


def _dicom(dataset: Any, image: Image) -> Header:  # noqa: ANN401 - pydicom.Dataset, which only io.dicom names
    """A picture; or one slice in space, where the file says position, orientation and thickness of it."""
    rows, columns = image.pixels.shape[1:3]
    slope, shift = (floats(dataset, name) for name in ("RescaleSlope", "RescaleIntercept"))
    plain = Header((rows, columns), image.spacing_mm, rescale=_rescale(*(slope or (1.0,)), *(shift or (0.0,))))
    place = floats(dataset, "ImagePositionPatient")
    turn = floats(dataset, "ImageOrientationPatient")
    thick = floats(dataset, "SpacingBetweenSlices") or floats(dataset, "SliceThickness")
    if (len(place), len(turn), len(thick)) != (3, 6, 1) or image.spacing_mm is None or thick[0] <= 0:
        return plain
    along_rows, along_columns = _unit(turn[:3]), _unit(turn[3:])
    across = tuple(map(float, np.cross(along_rows, along_columns)))
    axes = (across, along_columns, along_rows)
    return replace(
        plain, shape=(1, rows, columns), spacing_mm=(*thick, *image.spacing_mm), origin_mm=place, directions=axes
    )

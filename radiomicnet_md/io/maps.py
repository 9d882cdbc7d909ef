# SPDX-License-Identifier: Apache-2.0
"""Maps of features as NRRD or NIfTI files that any viewer reads: all of them, at the place of their image, or none.

Rules of this module:

- Samples are float64, little endian, not compressed; the same map gives the same bytes.
- Geometry is the input's. An unknown spacing is written as unknown; SimpleITK, which would write 1.0, is not used.
- NRRD keeps what the input said. NIfTI keeps positions and spacing in single precision, and ITK reads a NaN
  in it as 0.
- Files appear in their folder when the last one is complete. Whatever fails before, nothing new is left.

Sources: teem.sourceforge.net/nrrd/format.html (NRRD0004, attached header, raw encoding); nifti1.h (nifti.nimh.nih.gov).
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import struct
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import ConfigurationError, UsageError
from radiomicnet_md.io.files import place
from radiomicnet_md.io.header import Header

Plane = NDArray[np.float64]

SUFFIXES = {"nrrd": ".nrrd", "nifti": ".nii"}
_NIFTI_LARGEST = 2**15 - 1  # samples along an axis
_DOUBLE = 64  # NIfTI's DT_FLOAT64, and its number of bits
_MILLIMETRE = 2
_SCANNER = 1  # NIFTI_XFORM_SCANNER_ANAT


def write_maps(folder: Path, maps: Iterable[tuple[str, Plane]], header: Header, form: str) -> int:
    """Write each named map as ``<folder>/<name>.<suffix of form>`` and return their number.

    :param maps: names and float64 arrays with the samples of ``header.shape``; taken one at a time
    :param header: of the image that was measured
    :param form: a key of :data:`SUFFIXES`
    :raises ConfigurationError: E-OUTPUT-…
    :raises UsageError: E-MAPS-NIFTI for a picture that NIfTI-1 cannot hold
    """
    check_folder(folder)
    encode = _encoder(header, form)
    missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
    stage = folder / f".{secrets.token_hex(8)}.part"
    complete = False
    files = []
    try:
        for name, values in maps:
            files.append(f"{name}{SUFFIXES[form]}")
            place(stage / files[-1], encode(values))
        _move(stage, folder, files)
        complete = True
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        if not complete:
            for made in missing:
                with contextlib.suppress(OSError):
                    made.rmdir()
    return len(files)


def _move(stage: Path, folder: Path, files: Iterable[str]) -> None:
    try:
        for file in files:
            (stage / file).replace(folder / file)
    except OSError as error:
        raise ConfigurationError(
            "E-OUTPUT-DENIED",
            f"A map cannot take its place in the folder ({error.strerror}).",
            remedy="Name another folder with --maps.",
        ) from None


def check_folder(folder: Path) -> None:
    """Refuse a place that is no folder before anything is measured for it.

    :raises ConfigurationError: E-OUTPUT-FOLDER
    """
    nearest = next((parent for parent in (folder, *folder.parents) if parent.exists()), None)
    if nearest is not None and not nearest.is_dir():
        raise ConfigurationError(
            "E-OUTPUT-FOLDER",
            "The place for the maps is a file, or lies below one.",
            remedy="Name a folder with --maps; it is made where it is missing.",
        )


def _encoder(header: Header, form: str) -> Callable[[Plane], bytes]:
    """The map's bytes from its values; the header is made once."""
    head = {"nrrd": nrrd_head, "nifti": _map_head}[form](header)

    def encode(values: Plane) -> bytes:
        return head + np.ascontiguousarray(values.reshape(header.shape), dtype="<f8").tobytes()

    return encode


def nrrd_head(header: Header, samples: str = "double", encoding: str = "raw") -> bytes:
    """The header of an attached NRRD file, up to the empty line before its samples."""
    count = len(header.shape)
    lines = [
        "NRRD0004",
        f"type: {samples}",
        f"dimension: {count}",
        *_nrrd_space(header),
        f"sizes: {' '.join(map(str, header.shape[::-1]))}",
        f"kinds:{' domain' * count}",
        "endian: little",
        f"encoding: {encoding}",
    ]
    return ("\n".join(lines) + "\n\n").encode()


def _nrrd_space(header: Header) -> list[str]:
    """Spacing alone, or axes and, where it is known, the place of the first sample."""
    if header.spacing_mm is None:
        return []
    units = " ".join(['"mm"'] * len(header.shape))
    if header.directions is None:
        return [f"spacings: {' '.join(map(repr, header.spacing_mm[::-1]))}", f"units: {units}"]
    steps = zip(header.spacing_mm[::-1], header.directions[::-1], strict=True)
    axes = [_vector(step * part for part in axis) for step, axis in steps]
    space = "space: left-posterior-superior" if len(axes) == len("LPS") else f"space dimension: {len(axes)}"
    origin = [] if header.origin_mm is None else [f"space origin: {_vector(header.origin_mm)}"]
    return [space, f"space units: {units}", f"space directions: {' '.join(axes)}", *origin]


def _vector(parts: Iterable[float]) -> str:
    return f"({','.join(repr(float(part)) for part in parts)})"


def _map_head(header: Header) -> bytes:
    if max(header.shape) > _NIFTI_LARGEST:
        raise UsageError(
            "E-MAPS-NIFTI",
            f"A NIfTI-1 file holds at most {_NIFTI_LARGEST} samples along an axis.",
            remedy="Choose --format nrrd.",
        )
    return nifti_head(header, _DOUBLE, _DOUBLE, "map")


def nifti_head(header: Header, samples: int, bits: int, what: str) -> bytes:
    """The header of a single NIfTI-1 file, up to its samples; ``samples`` is the code of their type."""
    count = len(header.shape)
    extents = (*header.shape[::-1], 1, 1, 1, 1, 1, 1)[:7]
    steps = (*(header.spacing_mm or (1.0,) * count)[::-1], 1.0)[:3]
    head = bytearray(352)  # the header of 348 bytes, and four that announce no extension
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into("<8h", head, 40, count, *extents)
    struct.pack_into("<2h", head, 70, samples, bits)
    struct.pack_into("<8f", head, 76, 1.0, *steps, 0.0, 0.0, 0.0, 0.0)
    struct.pack_into("<3f", head, 108, 352.0, 1.0, 0.0)  # vox_offset, scl_slope, scl_inter
    head[123] = _MILLIMETRE if header.spacing_mm else 0
    if header.spacing_mm and header.origin_mm and header.directions:
        matrix = np.eye(3, 4)
        for column in range(count):
            axis = np.array(header.directions[-1 - column])
            matrix[:count, column] = axis * header.spacing_mm[-1 - column]
        matrix[:count, 3] = header.origin_mm
        matrix[:2] *= -1  # NIfTI's x and y point to the right and anterior
        struct.pack_into("<h", head, 254, _SCANNER)
        struct.pack_into("<12f", head, 280, *matrix.ravel())
    description = f"RadiomicNet-MD {what}{'' if header.spacing_mm else ', spacing unknown'}".encode()
    head[148 : 148 + len(description)] = description
    head[344:348] = b"n+1\0"
    return bytes(head)

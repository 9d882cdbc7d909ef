# SPDX-License-Identifier: Apache-2.0
"""What came in: decoded samples, geometry, and what the file said of itself; never who it is about.

Rules of this module:

- ``Image.pixels`` holds the samples as stored in the file (after decompression, before any rescale,
  window or colour conversion), always four axes: frames, rows, columns, samples.
- ``spacing_mm`` is None where the file does not say; 1.0 is never assumed.
- Identities never enter an :class:`Image`. The reader hands them over apart, as :class:`Identity`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Frame:
    """Which frame of a file of several an image is; the file's digest binds the frames to each other."""

    number: int  # counted from 1, as DICOM does (PS3.3, C.7.6.6)
    of: int


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file says of itself, in DICOM's words; None where the format has no such field.

    ``file_sha256`` is over the file's bytes; ``body_sha256`` over the DICOM data set after group
    0002 (a transfer rewrites the file meta group, so the file digest alone does not survive it).
    """

    format: str  # "dicom", "png", "jpeg", "tiff", "nifti", "nrrd", "mha"
    file_sha256: str
    body_sha256: str | None = None
    sop_class_uid: str | None = None
    modality: str | None = None
    transfer_syntax_uid: str | None = None
    photometric: str | None = None  # PS3.3 C.7.6.3.1.2: MONOCHROME1, MONOCHROME2, RGB, …
    bits_allocated: int | None = None
    bits_stored: int | None = None
    decoder: str | None = None
    lossy: bool | None = None
    burned_in: bool | None = None
    frame: Frame | None = None  # None where the image is all that the file holds


@dataclass(frozen=True, slots=True)
class Image:
    """Decoded samples (frames, rows, columns, samples) with geometry and origin."""

    pixels: NDArray[Any]
    origin: Origin
    spacing_mm: tuple[float, float] | None = None  # (between rows, between columns)
    spacing_declared: bool = False  # by the operator, for a file that states none

    @property
    def pixels_sha256(self) -> str:
        """Digest of dtype, shape and little-endian samples in C order."""
        return array_sha256(self.pixels)


@dataclass(frozen=True, slots=True)
class Identity:
    """Values that may identify a person, by DICOM keyword; for commitments and outputs only."""

    values: Mapping[str, str] = field(default_factory=dict)


def array_bytes(array: NDArray[Any]) -> bytes:
    """One line ``dtype shape``, then the little-endian samples in C order.

    Negative zero is turned into zero first: the two compare equal but differ in their bytes.
    """
    plain = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
    if plain.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # a signalling NaN is no reason to speak
            plain = plain + 0.0
    return f"{plain.dtype.str} {' '.join(map(str, plain.shape))}\n".encode() + plain.tobytes()


def array_sha256(array: NDArray[Any]) -> str:
    """SHA-256 over :func:`array_bytes`."""
    return hashlib.sha256(array_bytes(array)).hexdigest()


def mask_sha256(mask: NDArray[np.uint8]) -> str:
    """SHA-256 over the mask as uint8 0/1 in C order, nothing else (the interface contract's form)."""
    return hashlib.sha256(np.ascontiguousarray(mask, dtype=np.uint8).tobytes()).hexdigest()

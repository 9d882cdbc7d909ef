# SPDX-License-Identifier: Apache-2.0
"""The bytes of an input: read once, bounded, hashed, and named by what they are.

Rules of this module:

- A file is opened without following a wish: no directory, no pipe, no device, no more than
  ``MAX_FILE_BYTES``.
- A format is told by its first bytes. A suffix proves nothing.
- ``check_bounds`` is called with what a header claims, before its samples are allocated.
"""

from __future__ import annotations

import math
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.image import Identity, Image

MAX_FILE_BYTES = 2**30
MAX_SAMPLES = 2**26  # frames x rows x columns x samples: one picture of 8192 x 8192

Stamp = tuple[int, int]  # size in bytes, time of the last change in nanoseconds

_NIFTI_SIZES = {b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c"}  # 348, 540
_NIFTI_MAGIC = {b"n+1\0", b"ni1\0", b"n+2\0", b"ni2\0"}
_TIFF_MAGIC = {b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"}
_META_IMAGE = re.compile(rb"\s*(ObjectType|NDims)\s*=", re.IGNORECASE)
_GZIP = b"\x1f\x8b"
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


class UnreadableError(InputError):
    """The input could not be turned into samples; ``file_sha256`` is set when its bytes were read."""

    file_sha256: str | None = None


class GrowingError(UnreadableError):
    """The input changed while it was read: it is still arriving, and can be read later."""

    exit_code = ExitCode.RETRY


@dataclass(frozen=True, slots=True)
class Reading:
    """An input as read: the image, whose it is, and for DICOM the data set that outputs refer to.

    ``dataset`` is a ``pydicom.Dataset``; it carries identities and never leaves for a record.
    """

    image: Image
    identity: Identity
    dataset: Any | None = None


def load(path: Path, stamp: Stamp | None = None) -> bytes:
    """Read the whole of a regular file of at most ``MAX_FILE_BYTES``; ``stamp`` is its state when it was listed.

    Raises:
        UnreadableError: E-INPUT-MISSING, -DIRECTORY, -NOT-A-FILE, -PERMISSION, -UNREADABLE, -EMPTY, -TOO-LARGE.
        GrowingError: E-INPUT-GROWING.
    """
    try:
        # A pipe would block the open for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            _demand_regular_file(before.st_mode)
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_FILE_BYTES + 1)
            _demand_rest(stamp or stamp_of(before), stamp_of(os.fstat(descriptor)))
        finally:
            os.close(descriptor)
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UnreadableError(
            "E-INPUT-MISSING", "The input file does not exist.", remedy="Check the path for a typing error."
        ) from None
    except PermissionError:
        raise UnreadableError(
            "E-INPUT-PERMISSION",
            "The input file may not be read by this account.",
            remedy="Grant this account read access to the file and its folder.",
        ) from None
    except OSError as error:
        raise UnreadableError(
            "E-INPUT-UNREADABLE",
            f"The input file could not be read ({os.strerror(error.errno or 0)}).",
            remedy="Copy the file to a local disk and try again.",
        ) from None
    if not data:
        raise empty()
    if len(data) > MAX_FILE_BYTES:
        raise too_large(f"The input file is larger than {MAX_FILE_BYTES} bytes.")
    return data


def stamp_of(status: os.stat_result) -> Stamp:
    """What of a file's state changes when somebody writes to it."""
    return status.st_size, status.st_mtime_ns


def _demand_rest(before: Stamp, after: Stamp) -> None:
    if before != after:
        raise GrowingError(
            "E-INPUT-GROWING",
            "The input file changed while it was read; it is still arriving.",
            remedy="Wait until the transfer is complete, and give it again.",
        )


def _demand_regular_file(mode: int) -> None:
    if stat.S_ISDIR(mode):
        raise UnreadableError(
            "E-INPUT-DIRECTORY",
            "The input is a folder, not a file.",
            remedy="Name its files one by one, or give the folder to the verb 'segment'.",
        )
    if not stat.S_ISREG(mode):
        raise UnreadableError(
            "E-INPUT-NOT-A-FILE",
            "The input is a pipe, socket or device.",
            remedy="Save the data to a file and name that file.",
        )


def check_bounds(frames: int, rows: int, columns: int, samples: int) -> None:
    """Refuse an image by what its header claims.

    Raises:
        UnreadableError: E-INPUT-NO-SAMPLES for a zero or negative extent, E-INPUT-TOO-LARGE above MAX_SAMPLES.
    """
    extents = (frames, rows, columns, samples)
    claim = f"{frames} frames of {rows} x {columns} pixels with {samples} samples"
    if min(extents) < 1:
        raise UnreadableError(
            "E-INPUT-NO-SAMPLES",
            f"The header claims an image without samples: {claim}.",
            remedy="Export the image again from its source.",
        )
    if math.prod(extents) > MAX_SAMPLES:
        raise too_large(f"The header claims {claim}, more than {MAX_SAMPLES} values in all.")


def empty() -> UnreadableError:
    """Build the failure for a file of no bytes."""
    return UnreadableError(
        "E-INPUT-EMPTY", "The input file has no bytes.", remedy="Export the image again from its source."
    )


def broken(what: str) -> UnreadableError:
    """Build the failure for bytes that contradict their own format."""
    return UnreadableError("E-INPUT-BROKEN", what, remedy="Export the image again from its source.")


def truncated(what: str) -> UnreadableError:
    """Build the failure for a file that ends before what it announces."""
    return UnreadableError("E-INPUT-TRUNCATED", what, remedy="Copy or transfer the file again; it ends too early.")


def unsupported(what: str, remedy: str = "Convert it to an 8-bit single-frame DICOM or PNG file.") -> UnreadableError:
    """Build the failure for a readable format in a variant this device does not read."""
    return UnreadableError("E-INPUT-UNSUPPORTED", what, remedy=remedy)


def too_large(what: str) -> UnreadableError:
    """Build the failure for more bytes or samples than this device takes."""
    return UnreadableError("E-INPUT-TOO-LARGE", what, remedy="Give one ultrasound frame of at most 4096 x 4096 pixels.")


def sniff(data: bytes) -> str:
    """Name the format: dicom, png, jpeg, tiff, gzip, nifti, nrrd, mha or zip.

    A DICOM file without preamble is recognised by a first element of group 0002 or 0008; its parser
    then demands a SOP class. A DICOM preamble may hold a TIFF header (PS3.10, 7.1), so DICOM is asked first.

    Raises:
        UnreadableError: E-INPUT-NOT-AN-IMAGE.
    """
    if data[128:132] == b"DICM":
        return "dicom"
    heads = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", _GZIP: "gzip", b"NRRD000": "nrrd"}
    heads |= dict.fromkeys(_ZIP, "zip") | dict.fromkeys(_TIFF_MAGIC, "tiff")
    for head, name in heads.items():
        if data.startswith(head):
            return name
    if data[:4] in _NIFTI_SIZES and (data[344:348] in _NIFTI_MAGIC or data[4:8] in _NIFTI_MAGIC):
        return "nifti"
    if _META_IMAGE.match(data[:64]):
        return "mha"
    if _starts_a_data_set(data):
        return "dicom"
    raise UnreadableError(
        "E-INPUT-NOT-AN-IMAGE",
        "The file is none of DICOM, PNG, JPEG, TIFF, NIfTI, NRRD, MHA.",
        remedy="Give an ultrasound image in one of these formats.",
    )


def _starts_a_data_set(data: bytes) -> bool:
    """Whether the first eight bytes are a data element of group 0002 or 0008 (PS3.5, 7.1)."""
    group, representation = data[:2], data[4:6]
    explicit = len(representation) == 2 and representation.isalpha() and representation.isupper()  # noqa: PLR2004
    if group == b"\x00\x08":
        return explicit
    if group not in {b"\x02\x00", b"\x08\x00"}:
        return False
    return explicit or 0 < int.from_bytes(data[4:8], "little") < min(len(data), 1024)

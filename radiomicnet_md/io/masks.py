# SPDX-License-Identifier: Apache-2.0
"""A mask as a PNG, NIfTI or NRRD file, at the input's own size, the same bytes for the same mask.

Rules of this module:

- A mask is uint8, 0 or 1, (rows, columns). PNG shows 1 as 255; NIfTI keeps 1.
- An unknown spacing is written as unknown (NIfTI: ``xyzt_units`` 0; NRRD: none), never as a millimetre.
- NRRD and NIfTI state the place in the patient where a DICOM source does; NIfTI in single precision.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.io.files import write_bytes
from radiomicnet_md.io.header import Header
from radiomicnet_md.io.maps import nifti_head, nrrd_head

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_WHITE = 255
_UINT8 = 2  # NIfTI's DT_UINT8
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # of PNG, by the number of samples of a pixel


def write_mask_png(path: Path, mask: NDArray[np.uint8], receipt: Receipt) -> None:
    """Write an 8-bit grey PNG: 0 outside, 255 inside.

    Raises:
        ConfigurationError: E-OUTPUT-….
    """
    write_bytes(path, png(mask * np.uint8(_WHITE)), receipt)


def png(levels: NDArray[np.uint8], effort: int = 9) -> bytes:
    """Encode a picture as PNG (ISO 15948): one IHDR, one IDAT, no filter, no metadata.

    Grey levels (rows, columns), red, green and blue (rows, columns, 3), or those and alpha (rows, columns, 4);
    ``effort`` is zlib's level of compression.
    """
    rows, columns = levels.shape[:2]
    lines = np.zeros((rows, levels[0].size + 1), dtype=np.uint8)  # each line starts with its filter type, 0
    lines[:, 1:] = levels.reshape(rows, -1)
    colour = _COLOUR_TYPES[levels.shape[2] if levels.ndim > 2 else 1]  # noqa: PLR2004 -- rows and columns

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", columns, rows, 8, colour, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines.tobytes(), effort)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def write_mask_nifti(path: Path, mask: NDArray[np.uint8], header: Header, receipt: Receipt) -> None:
    """Write a NIfTI-1 file, compressed if the name ends in ``.gz``; ``header`` says where its samples lie.

    Where that is not known, no orientation is stated (``qform_code`` and ``sform_code`` 0).

    Raises:
        ConfigurationError: E-OUTPUT-….
    """
    data = nifti_head(header, _UINT8, 8, "mask") + np.ascontiguousarray(mask, dtype=np.uint8).tobytes()
    write_bytes(path, gzip.compress(data, mtime=0) if path.suffix == ".gz" else data, receipt)


def write_mask_nrrd(path: Path, mask: NDArray[np.uint8], header: Header, receipt: Receipt) -> None:
    """Write a NRRD file, its samples compressed; ``header`` says where they lie.

    Raises:
        ConfigurationError: E-OUTPUT-….
    """
    samples = np.ascontiguousarray(mask, dtype=np.uint8).tobytes()
    head = nrrd_head(header, "uchar", "gzip")
    write_bytes(path, head + gzip.compress(samples, mtime=0), receipt)

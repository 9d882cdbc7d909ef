# SPDX-License-Identifier: Apache-2.0
"""Input files made in memory, each valid until a test breaks it on purpose."""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from PIL import Image as Pillow

from radiomicnet_md import phantom
from radiomicnet_md.io import new_images

RECEIPT: Any = SimpleNamespace(
    record_id="0123456789abcdefghjkmnpqrs",
    index=7,
    keyid="ab" * 32,
    envelope_sha256="cd" * 32,
    time_utc="2026-11-23T08:00:00.123456Z",
)
ALGORITHM = ("busi-locked", "0.1.0")


@cache
def frame(rows: int = 96, columns: int = 128) -> NDArray[np.uint8]:
    """Grey levels like an ultrasound frame's, small."""
    return phantom.make(1, rows, columns).pixels


def ultrasound(change: Callable[[Any], None] | None = None, levels: NDArray[np.uint8] | None = None) -> bytes:
    """A DICOM ultrasound file, changed by ``change`` before it is written."""
    dataset = new_images.ultrasound(frame() if levels is None else levels, (0.08, 0.08), "0" * 64)
    if change:
        change(dataset)
    return new_images.encode(dataset)


def with_samples(dataset: Any, pixels: NDArray[Any], photometric: str) -> None:  # noqa: ANN401
    """Give a data set other pixels: (rows, columns) or (rows, columns, 3) of any integer type."""
    bits = pixels.dtype.itemsize * 8
    dataset.Rows, dataset.Columns = pixels.shape[:2]
    dataset.SamplesPerPixel = 1 if pixels.ndim == 2 else pixels.shape[2]
    if pixels.ndim == 3:
        dataset.PlanarConfiguration = 0
    dataset.PhotometricInterpretation = photometric
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OB" if bits == 8 else "OW"


def compress(data: bytes, syntax: str) -> bytes:
    """The same DICOM image in another transfer syntax that pydicom can write."""
    dataset = pydicom.dcmread(BytesIO(data))
    dataset.compress(syntax, generate_instance_uid=False)
    return new_images.encode(dataset)


def picture(pixels: NDArray[Any] | None = None, kind: str = "PNG", mode: str | None = None, **options: Any) -> bytes:  # noqa: ANN401
    """A PNG, JPEG or TIFF file."""
    buffer = BytesIO()
    image = Pillow.fromarray(frame() if pixels is None else pixels)
    (image.convert(mode) if mode else image).save(buffer, kind, **options)
    return buffer.getvalue()


def png_claiming(rows: int, columns: int) -> bytes:
    """A small PNG whose header claims any size; its lines are black and all there, one bit a pixel short."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    lines = zlib.compress(bytes(min(rows * (columns + 1), 2**20)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", lines) + chunk(b"IEND", b"")


def nifti(  # noqa: PLR0913
    pixels: NDArray[Any] | None = None,
    *,
    steps: tuple[float, float] = (0.1, 0.2),
    units: int = 2,
    extents: tuple[int, ...] | None = None,
    magic: bytes = b"n+1\0",
    compressed: bool = False,
) -> bytes:
    """A NIfTI-1 file; ``steps`` is (across, down), ``extents`` overrules (columns, rows)."""
    pixels = frame() if pixels is None else pixels
    codes = {"|u1": 2, "<i2": 4, "<i4": 8, "<f4": 16, "<f8": 64, "|i1": 256, "<u2": 512}
    extents = extents or pixels.shape[::-1]
    head = bytearray(352)
    struct.pack_into("<i", head, 0, 348)
    struct.pack_into(f"<{1 + len(extents)}h", head, 40, len(extents), *extents)
    struct.pack_into("<2h", head, 70, codes[pixels.dtype.str], pixels.dtype.itemsize * 8)
    struct.pack_into("<3f", head, 76, 1.0, *steps)
    struct.pack_into("<f", head, 108, 352.0)
    head[123] = units
    head[344:348] = magic
    data = bytes(head) + pixels.tobytes()
    return gzip.compress(data, mtime=0) if compressed else data


def nrrd(pixels: NDArray[np.uint8] | None = None, extra: str = "spacings: 0.1 0.2") -> bytes:
    """A raw NRRD file; ``extra`` is one more header line."""
    pixels = frame() if pixels is None else pixels
    sizes = " ".join(map(str, pixels.shape[::-1]))
    head = f"NRRD0004\ntype: uchar\ndimension: {pixels.ndim}\nsizes: {sizes}\nencoding: raw\n{extra}\n\n"
    return head.encode() + pixels.tobytes()


def mha(
    pixels: NDArray[np.uint8] | None = None, extra: str = "ElementSpacing = 0.1 0.2", where: str = "LOCAL"
) -> bytes:
    """A raw MetaImage file; ``extra`` is one more header line."""
    pixels = frame() if pixels is None else pixels
    sizes = " ".join(map(str, pixels.shape[::-1]))
    head = f"ObjectType = Image\nNDims = {pixels.ndim}\nDimSize = {sizes}\nElementType = MET_UCHAR\n{extra}\n"
    return f"{head}ElementDataFile = {where}\n".encode() + pixels.tobytes()


def put(folder: Path, data: bytes, name: str = "input") -> Path:
    """Write an input under a name that says nothing of its format."""
    path = folder / name
    path.write_bytes(data)
    return path


def loop(
    levels: NDArray[np.uint8],
    *,
    syntax: str = "",
    change: Callable[[Any], None] | None = None,
    sop_class: str = "1.2.840.10008.5.1.4.1.1.3.1",
) -> bytes:
    """A multi-frame ultrasound file of the levels (frames, rows, columns), in any syntax that can be written."""
    dataset = pydicom.dcmread(BytesIO(ultrasound(levels=levels[0])))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = sop_class
    dataset.NumberOfFrames = len(levels)
    dataset.PixelData = levels.tobytes()
    if syntax:
        dataset.compress(syntax, generate_instance_uid=False)
    if change:
        change(dataset)
    return new_images.encode(dataset)

# SPDX-License-Identifier: Apache-2.0
"""NIfTI, NRRD and MetaImage files become samples as stored, and spacing only where the file states it.

Rules of this module:

- One file holds everything: a header that points to another file is refused, so that no input can
  make the device read a path of its choice.
- The header bounds the image before its samples are inflated; inflation stops at that bound.
- Fewer samples than announced is a failure; nothing is filled up.
- No unit, no millimetres: NIfTI needs ``xyzt_units``, NRRD and MetaImage need their spacing field.
  A zero, negative or non-finite spacing is no spacing.

These readers are our own because SimpleITK, when tried, filled a truncated NIfTI without a word, read a
zero ``pixdim`` as 1.0 mm, and applied ``scl_slope``. It serves the tests as the oracle for whole files.

Sources: nifti1.h, nifti2.h (nifti.nimh.nih.gov); teem.sourceforge.net/nrrd/format.html; MetaIO.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from radiomicnet_md.image import Identity, Image, Origin
from radiomicnet_md.io.source import Reading, UnreadableError, broken, check_bounds, truncated, unsupported

_ZLIB_OR_GZIP = 32 + zlib.MAX_WBITS
_MAX_HEADER = 2**16
_BLANK_LINE = re.compile(rb"\r?\n\r?\n")
_DIMENSIONS_OF_A_PICTURE = 2

_NIFTI_TYPES = {
    2: ("u1", 1),
    4: ("i2", 1),
    8: ("i4", 1),
    16: ("f4", 1),
    64: ("f8", 1),
    128: ("u1", 3),
    256: ("i1", 1),
    512: ("u2", 1),
    768: ("u4", 1),
    1024: ("i8", 1),
    1280: ("u8", 1),
    2304: ("u1", 4),
}
_NIFTI_UNITS = {1: 1000.0, 2: 1.0, 3: 0.001}  # metre, millimetre, micrometre, in mm

_NRRD_TYPES = {
    **dict.fromkeys(("signed char", "int8", "int8_t"), "i1"),
    **dict.fromkeys(("uchar", "unsigned char", "uint8", "uint8_t"), "u1"),
    **dict.fromkeys(("short", "short int", "signed short", "signed short int", "int16", "int16_t"), "i2"),
    **dict.fromkeys(("ushort", "unsigned short", "unsigned short int", "uint16", "uint16_t"), "u2"),
    **dict.fromkeys(("int", "signed int", "int32", "int32_t"), "i4"),
    **dict.fromkeys(("uint", "unsigned int", "uint32", "uint32_t"), "u4"),
    "float": "f4",
    "double": "f8",
}
_NRRD_SAMPLE_KINDS = frozenset(
    {"rgb-color", "rgba-color", "3-color", "4-color", "vector", "list", "3-vector", "covariant-vector"}
)

_META_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}


@dataclass(frozen=True, slots=True)
class _Header:
    """What a header announces: extents x, y, z, …, sample type, where the samples start, spacing (y, x) in mm."""

    extents: tuple[int, ...]
    samples: int
    dtype: str
    start: int
    compressed: bool = False
    spacing_mm: tuple[float, float] | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Frames, rows, columns, samples."""
        columns, rows, *rest = (*self.extents, 1)[: max(2, len(self.extents))]
        return math.prod(rest), rows, columns, self.samples


def parse(data: bytes, file_sha256: str, kind: str) -> Reading:
    """Decode a volume; ``kind`` is nifti, nrrd, mha, or gzip for a compressed NIfTI file.

    Raises:
        UnreadableError: E-INPUT-TRUNCATED, -BROKEN, -UNSUPPORTED, -TOO-LARGE, -NO-SAMPLES, -NOT-AN-IMAGE, -DETACHED.
    """
    try:
        if kind == "gzip":
            kind, header = "nifti", _nifti(_inflate(data, 544))
            data = _inflate(data, header.start + _wanted(header))
        else:
            header = {"nifti": _nifti, "nrrd": _nrrd, "mha": _meta_image}[kind](data)
        pixels = _samples(header, data)
    except UnreadableError:
        raise
    except (ValueError, KeyError, IndexError, OverflowError, struct.error, zlib.error):
        raise broken(f"The {kind.upper()} file contradicts its format.") from None
    bits = pixels.dtype.itemsize * 8
    origin = Origin(
        format=kind, file_sha256=file_sha256, bits_allocated=bits, bits_stored=bits, decoder="radiomicnet-md"
    )
    return Reading(Image(pixels, origin, header.spacing_mm), Identity())


def _wanted(header: _Header) -> int:
    """Return the number of sample bytes, after the bounds held."""
    check_bounds(*header.shape)
    return math.prod(header.shape) * np.dtype(header.dtype).itemsize


def _samples(header: _Header, data: bytes) -> np.ndarray:
    wanted = _wanted(header)
    body = memoryview(data)[header.start :]
    raw = _inflate(body, wanted) if header.compressed else body
    if header.start < 0 or len(raw) < wanted:
        raise truncated(f"The file holds {len(raw)} of {wanted} bytes of samples.")
    dtype = np.dtype(header.dtype)
    return np.frombuffer(raw[:wanted], dtype).astype(dtype.newbyteorder("=")).reshape(header.shape)


def _inflate(data: bytes | memoryview, limit: int) -> bytes:
    """Inflate at most ``limit`` bytes of one zlib or gzip member.

    One byte more is asked for, so that a stream that ends here also has its checksum checked.
    """
    return zlib.decompressobj(_ZLIB_OR_GZIP).decompress(data, limit + 1)[:limit]


def _nifti(data: bytes) -> _Header:
    if data[:4] in {b"\x5c\x01\0\0", b"\0\0\x01\x5c"}:
        order = "<" if data[0] else ">"
        magic = data[344:348]
        dim = struct.unpack_from(f"{order}8h", data, 40)
        (code,) = struct.unpack_from(f"{order}h", data, 70)
        pixdim: Sequence[float] = struct.unpack_from(f"{order}8f", data, 76)
        start = int(struct.unpack_from(f"{order}f", data, 108)[0])
        units = data[123]
    elif data[:4] in {b"\x1c\x02\0\0", b"\0\0\x02\x1c"}:
        order = "<" if data[0] else ">"
        magic = data[4:8]
        (code,) = struct.unpack_from(f"{order}h", data, 12)
        dim = struct.unpack_from(f"{order}8q", data, 16)
        pixdim = struct.unpack_from(f"{order}8d", data, 104)
        (start,) = struct.unpack_from(f"{order}q", data, 168)
        units = struct.unpack_from(f"{order}i", data, 500)[0] & 0xFF
    else:
        raise UnreadableError(
            "E-INPUT-NOT-AN-IMAGE",
            "The compressed file is not a NIfTI image.",
            remedy="Give an ultrasound image as DICOM, PNG, JPEG, TIFF, NIfTI, NRRD or MHA.",
        )
    if magic.startswith(b"ni"):
        raise _detached("NIfTI")
    if code not in _NIFTI_TYPES:
        raise unsupported(f"The NIfTI data type {code} is not read.")
    if not _DIMENSIONS_OF_A_PICTURE <= dim[0] <= len(dim) - 1:
        raise broken("The NIfTI file has no two dimensions.")
    kind, samples = _NIFTI_TYPES[code]
    scale = _NIFTI_UNITS.get(units & 0b111)
    spacing = _spacing(pixdim[2] * scale, pixdim[1] * scale) if scale else None
    return _Header(dim[1 : dim[0] + 1], samples, order + kind, start, spacing_mm=spacing)


def _nrrd(data: bytes) -> _Header:
    blank = _BLANK_LINE.search(data[:_MAX_HEADER])
    fields = _fields(data[: blank.start()] if blank else data[:_MAX_HEADER], ":")
    if "data file" in fields or "datafile" in fields:
        raise _detached("NRRD")
    if blank is None:
        raise truncated("The NRRD header does not end.")
    encoding = fields["encoding"].lower()
    skipped = {fields.get(skip, "0") for skip in ("line skip", "byte skip")}
    if encoding not in {"raw", "gzip", "gz"} or skipped != {"0"}:
        raise unsupported("The NRRD encoding is neither raw nor gzip.", "Save it with encoding raw or gzip.")
    if fields["type"].lower() not in _NRRD_TYPES:
        raise unsupported("The NRRD sample type is not read.")
    kind = _NRRD_TYPES[fields["type"].lower()]
    if fields.get("endian", "little").lower() not in {"little", "big"} or (kind[1] != "1" and "endian" not in fields):
        raise broken("The NRRD file does not say its byte order.")
    sizes = tuple(int(size) for size in fields["sizes"].split())
    kinds = fields.get("kinds", "").lower().split()
    samples = 1
    first = 0
    if kinds and kinds[0] in _NRRD_SAMPLE_KINDS:
        samples, first = sizes[0], 1
    if len(sizes) != int(fields["dimension"]) or len(sizes) - first < _DIMENSIONS_OF_A_PICTURE:
        raise broken("The NRRD file has no two dimensions.")
    order = "<" if fields.get("endian", "little").lower() == "little" else ">"
    spacing = _nrrd_spacing(fields, first)
    return _Header(sizes[first:], samples, order + kind, blank.end(), encoding != "raw", spacing)


def _nrrd_spacing(fields: Mapping[str, str], first: int) -> tuple[float, float] | None:
    units = (fields.get("space units", "") + fields.get("units", "")).replace('"', " ").split()
    if any(unit not in {"mm", "none", "millimeter", "millimeters"} for unit in units):
        return None
    if "spacings" in fields:
        columns, rows = fields["spacings"].split()[first : first + 2]
        return _spacing(float(rows), float(columns))
    if "space directions" in fields:
        axes = fields["space directions"].replace(" ", "").replace("none", "(none)").strip("()").split(")(")
        columns, rows = axes[first : first + 2]
        return _spacing(*(math.hypot(*map(float, axis.split(","))) for axis in (rows, columns)))
    return None


def _meta_image(data: bytes) -> _Header:
    at = data[:_MAX_HEADER].find(b"ElementDataFile")
    end = data.find(b"\n", at)
    if min(at, end) < 0:
        raise truncated("The MetaImage header does not end.")
    fields = _fields(data[:end], "=")
    if fields["elementdatafile"].upper() != "LOCAL":
        raise _detached("MetaImage")
    if fields.get("headersize", "0") != "0" or fields.get("binarydata", "True").lower() != "true":
        raise unsupported("Only binary MetaImage samples right after the header are read.")
    if fields["elementtype"].upper() not in _META_TYPES:
        raise unsupported("The MetaImage element type is not read.")
    sizes = tuple(int(size) for size in fields["dimsize"].split())
    if len(sizes) != int(fields["ndims"]) or len(sizes) < _DIMENSIONS_OF_A_PICTURE:
        raise broken("The MetaImage file has no two dimensions.")
    big = fields.get("binarydatabyteordermsb", fields.get("elementbyteordermsb", "False"))
    steps = fields.get("elementspacing", fields.get("elementsize", "")).split()
    return _Header(
        extents=sizes,
        samples=int(fields.get("elementnumberofchannels", "1")),
        dtype=(">" if big.lower() == "true" else "<") + _META_TYPES[fields["elementtype"].upper()],
        start=end + 1,
        compressed=fields.get("compresseddata", "False").lower() == "true",
        spacing_mm=_spacing(float(steps[1]), float(steps[0])) if len(steps) == len(sizes) else None,
    )


def _fields(head: bytes, mark: str) -> dict[str, str]:
    """Read ``name<mark>value`` lines; the first line of a name counts."""
    if len(head) > _MAX_HEADER:
        raise broken("The header is longer than 65536 bytes.")
    fields: dict[str, str] = {}
    for line in head.decode("ascii", "replace").splitlines():
        name, found, value = line.partition(mark)
        if found and not line.startswith("#"):
            fields.setdefault(name.strip().lower(), value.strip())
    return fields


def _spacing(rows: float, columns: float) -> tuple[float, float] | None:
    """Return (between rows, between columns) in mm where both are positive and finite."""
    good = all(math.isfinite(step) and step > 0 for step in (rows, columns))
    return (float(rows), float(columns)) if good else None


def _detached(name: str) -> UnreadableError:
    return UnreadableError(
        "E-INPUT-DETACHED",
        f"The {name} header refers to another file for its samples.",
        remedy="Save header and samples in one file (.nii, .nrrd, .mha).",
    )

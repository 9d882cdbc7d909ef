# SPDX-License-Identifier: Apache-2.0
"""Pixel data of a DICOM data set become an array (frames, rows, columns, samples), within known bounds.

Rules of this module:

- What is decoded was bounded before: by the header for native data; for compressed data also by each
  frame's own header, which must not claim another size, and by the number of frames in the stream.
- Native and run-length data are read here, by pydicom itself; every other stream in a process of its own.
- No decoder means a refusal that names the transfer syntax, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import get_decoder

from radiomicnet_md.io import decoding
from radiomicnet_md.io.source import UnreadableError, broken, check_bounds, truncated

_SLACK = 2**20  # a compressed frame may carry tables and profiles beyond twice its decoded size, but no more
_JPEG_SIZE = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})  # SOFn; F7 is JPEG-LS
_JPEG_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
_CODESTREAM = b"\xff\x4f\xff\x51"  # JPEG 2000: SOC, SIZ


def decode(dataset: Dataset, data: bytes) -> tuple[NDArray[Any], str]:
    """Return the samples of ``dataset``, which was read from the file ``data``, and the name of the decoder.

    Raises:
        UnreadableError: E-INPUT-NO-DECODER, -NOT-DECODED, -TRUNCATED, -BROKEN, -TOO-LARGE, -NO-SAMPLES.
    """
    frames = int(dataset.get("NumberOfFrames") or 1)
    rows, columns, samples = extents(dataset)
    check_bounds(frames, rows, columns, samples)
    decoder = decoder_of(dataset)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        for number, _ in enumerate(checked_frames(dataset, rows, columns, samples), start=1):
            check_bounds(number, rows, columns, samples)
    else:
        check_length(dataset, frames, rows, columns, samples)
    if syntax.is_encapsulated and syntax != uid.RLELossless:
        decoded = decoding.decode(data)
        if decoded is None:
            raise _not_decoded(syntax)
        array, name = decoded
    else:
        array, name = _shaped(*decoder.as_array(dataset, raw=True)), "pydicom"
    return array.astype(array.dtype.newbyteorder("="), copy=False), name


def native_frame(dataset: Dataset, index: int) -> NDArray[Any]:
    """Frame ``index``, counted from 0, of native pixel data whose length was checked: (1, rows, columns, samples)."""
    array = _shaped(*decoder_of(dataset).as_array(dataset, index=index, raw=True))
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def extents(dataset: Dataset) -> tuple[int, int, int]:
    """Rows, columns and samples as the header claims them."""
    return int(dataset.Rows), int(dataset.Columns), int(dataset.get("SamplesPerPixel") or 1)


def decoder_of(dataset: Dataset) -> Any:  # noqa: ANN401 - pydicom is untyped
    """Return pydicom's decoder for the transfer syntax; E-INPUT-NO-DECODER where none is installed."""
    syntax = uid.UID(dataset.file_meta.TransferSyntaxUID)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        raise _no_decoder(syntax) from None
    if not decoder.is_available:
        raise _no_decoder(syntax)
    return decoder


def _shaped(array: NDArray[Any], meta: Mapping[str, Any]) -> NDArray[Any]:
    axes = ("number_of_frames", "rows", "columns", "samples_per_pixel")
    return np.ascontiguousarray(array).reshape([int(meta[axis]) for axis in axes])


def check_length(dataset: Dataset, frames: int, rows: int, columns: int, samples: int) -> None:
    """Native pixel data must hold what the header claims (PS3.5, 8.1.1); YBR_FULL_422 halves the chroma."""
    bits = frames * rows * columns * samples * int(dataset.BitsAllocated)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        bits = bits // 3 * 2
    for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData"):
        held = len(dataset.get(keyword) or b"")
        if keyword in dataset and held < ceil(bits / 8):
            raise truncated(f"The file holds {held} of {ceil(bits / 8)} bytes of pixel data.")


def checked_frames(dataset: Dataset, rows: int, columns: int, samples: int) -> Iterator[bytes]:
    """The compressed frames in their order; each must claim the header's size. How many is the caller's to bound."""
    container = ceil(int(dataset.BitsAllocated) / 8)
    most = 2 * rows * columns * samples * container + _SLACK
    offsets = None
    if "ExtendedOffsetTable" in dataset:
        offsets = (dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths)
    announced = int(dataset.get("NumberOfFrames") or 1)
    for frame in generate_frames(dataset.PixelData, number_of_frames=announced, extended_offsets=offsets):
        if len(frame) > most:
            raise broken("A compressed frame is far larger than the image it should hold.")
        size = codestream_size(frame)
        if size is not None and size != (rows, columns):
            raise broken(f"A compressed frame has {size[0]} x {size[1]} pixels, the header {rows} x {columns}.")
        yield frame


def codestream_size(frame: bytes) -> tuple[int, int] | None:
    """Return (rows, columns) that a JPEG, JPEG-LS or JPEG 2000 stream claims; None if it has no such header."""
    at = frame.find(_CODESTREAM, 0, 4096)
    if at >= 0:  # Xsiz, Ysiz, XOsiz, YOsiz (ISO 15444-1, A.5.1)
        x, y, x0, y0 = (int.from_bytes(frame[at + 8 + 4 * i : at + 12 + 4 * i], "big") for i in range(4))
        return y - y0, x - x0
    if not frame.startswith(b"\xff\xd8"):
        return None
    at = 2
    while at + 9 < len(frame) and frame[at] == 0xFF:  # noqa: PLR2004 - a JPEG marker (ISO 10918-1, B.1.1.2)
        marker = frame[at + 1]
        if marker in _JPEG_SIZE:
            return int.from_bytes(frame[at + 5 : at + 7], "big"), int.from_bytes(frame[at + 7 : at + 9], "big")
        if marker == 0xFF:  # noqa: PLR2004 - a fill byte
            at += 1
        elif marker in _JPEG_ALONE:
            at += 2
        else:
            at += 2 + int.from_bytes(frame[at + 2 : at + 4], "big")
    return None


def _not_decoded(syntax: uid.UID) -> UnreadableError:
    return UnreadableError(
        "E-INPUT-NOT-DECODED",
        f"No installed decoder reads this {syntax.name} stream without complaint: it is damaged, or a rare variant.",
        remedy="Export the image again, without compression where possible.",
    )


def _no_decoder(syntax: uid.UID) -> UnreadableError:
    known = syntax.name != str(syntax)
    name = f"{syntax.name} ({syntax})" if known else "a transfer syntax that DICOM does not define"
    return UnreadableError(
        "E-INPUT-NO-DECODER",
        f"No decoder is installed for {name}.",
        remedy="Install 'radiomicnet-md[dicom]', or export the image without compression.",
    )

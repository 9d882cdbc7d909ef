# SPDX-License-Identifier: Apache-2.0
"""PNG, JPEG and TIFF pictures become samples as stored; they carry no spacing and no identity.

Rules of this module:

- Only the decoder of the format that the first bytes name is allowed to look at the data.
- Size and number of pages come from the headers and are bounded before a pixel is decoded.
- Resolution fields (pHYs, density, XResolution) say how to print, not how large the tissue is.
- A truncated picture is refused, never filled up.
- Compressed TIFF is refused: libtiff guesses at damaged data and writes to the terminal.

Pillow decodes. SimpleITK was tried and set aside: it fills a truncated JPEG with grey, returns four
samples for a 1-bit TIFF and 16 bits for a palette, ignores MINISWHITE, and writes to the terminal.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from radiomicnet_md.image import Identity, Image, Origin
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import Reading, UnreadableError, broken, check_bounds, too_large, truncated, unsupported

_TIFF_BITS, _TIFF_COMPRESSION, _TIFF_PHOTOMETRIC = 258, 259, 262
_TIFF_PLAIN = frozenset({1, 32773})  # none, PackBits: Pillow's own decoders
_MAX_PAGES = 1000
_PNG_DEPTH_AT = 24  # the bit depth of IHDR, always the first chunk (PNG specification, 11.2.2)
_PHOTOMETRIC = {"P": "PALETTE COLOR", "PA": "PALETTE COLOR", "RGB": "RGB", "RGBA": "RGB", "YCbCr": "YBR_FULL"}
_GREY_MODES = frozenset({"1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "I;16N", "F"})


def parse(data: bytes, file_sha256: str, kind: str) -> Reading:
    """Decode a picture; ``kind`` is png, jpeg or tiff.

    Raises:
        UnreadableError: E-INPUT-TRUNCATED, -BROKEN, -UNSUPPORTED, -TOO-LARGE, -NO-SAMPLES.
    """
    try:
        with quiet(), Pillow.open(BytesIO(data), formats=(kind.upper(),)) as picture:
            return _decode(picture, data, file_sha256, kind)
    except UnreadableError:
        raise
    except Pillow.DecompressionBombError:
        raise too_large("The picture has more pixels than the decoder takes.") from None
    except Exception as error:  # noqa: BLE001 - a decoder answers broken bytes with almost any exception
        if "truncated" in str(error) or isinstance(error, EOFError):
            raise truncated(f"The {kind.upper()} data end too early.") from None
        raise broken(f"The {kind.upper()} data are damaged.") from None


def _decode(picture: Any, data: bytes, file_sha256: str, kind: str) -> Reading:  # noqa: ANN401
    columns, rows = picture.size
    frames = _count_pages(picture, rows, columns)
    lossy = True if kind == "jpeg" else None
    photometric = _PHOTOMETRIC.get(picture.mode, "MONOCHROME2" if picture.mode in _GREY_MODES else picture.mode)
    bits = 8
    if kind == "png":
        bits = data[_PNG_DEPTH_AT]
    elif kind == "tiff":
        tags = picture.tag_v2
        bits = int(np.ravel(tags.get(_TIFF_BITS, 1))[0])
        if tags.get(_TIFF_PHOTOMETRIC) == 0:
            photometric = "MONOCHROME1"
    pixels = np.stack([_frame(picture, index, (rows, columns)) for index in range(frames)])
    origin = Origin(
        format=kind,
        file_sha256=file_sha256,
        photometric=photometric,
        bits_allocated=pixels.dtype.itemsize * 8,
        bits_stored=bits,
        decoder="pillow",
        lossy=lossy,
    )
    return Reading(Image(pixels, origin), Identity())


def _count_pages(picture: Any, rows: int, columns: int) -> int:  # noqa: ANN401
    """Return the number of pages; each is bounded before the next header is looked for."""
    samples = len(picture.getbands())
    check_bounds(1, rows, columns, samples)
    pages = 1
    while True:
        try:
            picture.seek(pages)
        except EOFError:
            break
        pages += 1
        check_bounds(pages, rows, columns, samples)
        if pages > _MAX_PAGES:
            raise too_large(f"The file has more than {_MAX_PAGES} pages.")
    picture.seek(0)
    return pages


def _frame(picture: Any, index: int, shape: tuple[int, int]) -> NDArray[Any]:  # noqa: ANN401
    """Return page ``index`` as (rows, columns, samples)."""
    picture.seek(index)
    if picture.format == "TIFF" and picture.tag_v2.get(_TIFF_COMPRESSION, 1) not in _TIFF_PLAIN:
        raise unsupported("The TIFF file is compressed.", "Save it without compression, or as PNG.")
    picture.load()
    samples = np.asarray(picture)
    if samples.dtype == np.bool_:
        samples = samples.astype(np.uint8)
    if samples.shape[:2] != shape:
        raise unsupported("The pages of the TIFF file differ in size.")
    return samples.astype(samples.dtype.newbyteorder("="), copy=False).reshape(*shape, -1)

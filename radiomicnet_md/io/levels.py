# SPDX-License-Identifier: Apache-2.0
"""The grey levels of an image, where it has only grey; None where a channel says anything else.

Rules of this module:

- Nothing is averaged, weighted or converted: a channel is taken as it is, or the image has no grey.
- RGB is grey where its three samples are equal; YBR is grey where both chroma samples are 128
  (PS3.3, C.7.6.3.1.2), and its grey is the luminance sample.
- YBR_ICT and YBR_RCT belong to JPEG 2000, whose decoders return RGB.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Image

_LUMINANCE_FIRST = frozenset({"YBR_FULL", "YBR_FULL_422"})
_NO_CHROMA = 128
_COLOUR_SAMPLES = 3


def single_channel(image: Image) -> NDArray[Any] | None:
    """Return the samples (frames, rows, columns) if the image is free of colour, else None."""
    pixels = image.pixels
    samples = pixels.shape[-1]
    if samples == 1:
        return pixels[..., 0]
    if samples != _COLOUR_SAMPLES:
        return None
    first, second, third = (pixels[..., index] for index in range(_COLOUR_SAMPLES))
    if image.origin.photometric in _LUMINANCE_FIRST:
        free = bool((second == _NO_CHROMA).all() and (third == _NO_CHROMA).all())
    else:
        free = np.array_equal(first, second) and np.array_equal(first, third)
    return first if free else None


def grey(image: Image) -> NDArray[np.uint8]:
    """Return the grey levels (rows, columns) of an admitted image, C-contiguous.

    Raises:
        InputError: E-INPUT-NOT-GREY if the image is not one frame of 8-bit grey.
    """
    channel = single_channel(image)
    if channel is None or channel.dtype != np.uint8 or len(channel) != 1:
        raise InputError(
            "E-INPUT-NOT-GREY",
            "The image is not one frame of 8-bit grey.",
            remedy="Give one 8-bit grey ultrasound frame.",
        )
    return np.ascontiguousarray(channel[0], dtype=np.uint8)

# SPDX-License-Identifier: Apache-2.0
"""What may happen to an image on its way to the device: each change T with its way back, from mild to absurd.

Rules of this module:

- A change works on 8-bit grey levels (rows, columns) and gives such levels; what moves pixels also says where each
  pixel of the original is found afterwards, so that a mask of the changed image can be carried back.
- Each kind has declared limits: the range in which answers are claimed to hold. Strengths beyond them are there on
  purpose, to see what the gate does.
- The same case and strength draw the same noise.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md_validation.asked import Grey, Mask

Floats = NDArray[np.float64]
_WHITE = 255.0


@dataclass(frozen=True, slots=True)
class Changed:
    """A changed image, and how a mask of it is carried back onto the original (NaN-free, rows and columns)."""

    image: Grey
    back: Callable[[Mask], Mask]
    seen: Mask  # of the original: what the changed image still shows


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of change: strengths from low to high, and the declared limits (both included)."""

    name: str
    unit: str
    strengths: tuple[float, ...]
    limits: tuple[float, float]
    change: Callable[[Grey, float], Changed]

    def declared(self, strength: float) -> bool:
        """Whether answers are claimed to hold at this strength."""
        return self.limits[0] <= strength <= self.limits[1]


def _grey(values: Floats) -> Grey:
    return np.asarray(np.clip(np.rint(values), 0, _WHITE), dtype=np.uint8)


def _in_place(values: Floats) -> Changed:
    return Changed(_grey(values), lambda mask: mask, np.ones(values.shape, dtype=np.bool_))


def speckle(image: Grey, strength: float) -> Changed:
    """Multiplied by 1 + strength · noise, standard normal and independent from pixel to pixel."""
    noise = np.random.Generator(np.random.PCG64(image.size)).standard_normal(image.shape)
    return _in_place(image * (1 + strength * noise))


def gain(image: Grey, strength: float) -> Changed:
    """So many grey levels brighter: gain, after logarithmic compression."""
    return _in_place(image + np.float64(strength))


def gamma(image: Grey, strength: float) -> Changed:
    """Levels to this power, black and white fixed."""
    return _in_place(_WHITE * (image / _WHITE) ** strength)


def bits(image: Grey, strength: float) -> Changed:
    """Levels rounded to so many bits, black and white fixed."""
    steps = 2.0**strength - 1
    return _in_place(np.rint(image / _WHITE * steps) / steps * _WHITE)


def jpeg(image: Grey, strength: float) -> Changed:
    """Through a JPEG file of this quality."""
    from PIL import Image

    sink = io.BytesIO()
    Image.fromarray(image).save(sink, format="JPEG", quality=int(strength))
    return _in_place(np.asarray(Image.open(io.BytesIO(sink.getvalue())), dtype=np.float64))


def rotation(image: Grey, strength: float) -> Changed:
    """Turned by so many degrees about its middle, linear between pixels; the border repeats into the corners."""

    def turned(values: Floats, degrees: float, mode: str) -> Floats:
        return np.asarray(ndimage.rotate(values, degrees, reshape=False, order=1, mode=mode))

    def back(mask: Mask) -> Mask:
        return np.asarray(turned(mask.astype(np.float64), -strength, "constant") >= 0.5)  # noqa: PLR2004 - half covered

    whole = np.ones(image.shape, dtype=np.bool_)
    seen = back(np.asarray(turned(whole.astype(np.float64), strength, "constant") > 0.99))  # noqa: PLR2004 - all of it
    return Changed(_grey(turned(image.astype(np.float64), strength, "nearest")), back, seen)


def resampling(image: Grey, strength: float) -> Changed:
    """So many times as many pixels along each axis, linear between them."""

    def zoomed(values: Floats, rows: int, columns: int) -> Floats:
        # Whole pixels are stretched, not their centres: pixel i of the source covers i … i + 1.
        down, across = ((np.arange(n) + 0.5) * s / n - 0.5 for n, s in zip((rows, columns), values.shape, strict=True))
        places = np.meshgrid(down, across, indexing="ij")
        return np.asarray(ndimage.map_coordinates(values, places, order=1, mode="nearest"))

    size = tuple(round(side * strength) for side in image.shape)
    return Changed(
        _grey(zoomed(image.astype(np.float64), *size)),
        lambda mask: np.asarray(zoomed(mask.astype(np.float64), *image.shape) >= 0.5),  # noqa: PLR2004 - half covered
        np.ones(image.shape, dtype=np.bool_),
    )


def crop(image: Grey, strength: float) -> Changed:
    """The left part cut off, in percent of the width: the field of view moved to the right."""
    cut = round(image.shape[1] * strength / 100)
    seen = np.zeros(image.shape, dtype=np.bool_)
    seen[:, cut:] = True
    return Changed(np.ascontiguousarray(image[:, cut:]), lambda mask: np.pad(mask, ((0, 0), (cut, 0))), seen)


KINDS = (
    Kind("speckle", "of the level", (0.05, 0.1, 0.2, 0.4, 0.8), (0.0, 0.1), speckle),
    Kind("gain", "grey levels", (-80, -40, -20, -10, 10, 20, 40, 80), (-20, 20), gain),
    Kind("gamma", "power", (0.4, 0.7, 0.85, 1.18, 1.4, 2.5), (0.85, 1.18), gamma),
    Kind("rotation", "degrees", (-90, -15, -5, -3, -1, 1, 3, 5, 15, 90), (-5, 5), rotation),
    Kind("resampling", "times", (0.4, 0.8, 0.9, 1.1, 1.25, 2.5), (0.8, 1.25), resampling),
    Kind("crop", "% of the width", (2, 5, 10, 25), (0, 5), crop),
    Kind("JPEG", "quality", (5, 10, 30, 50, 75, 95), (50, 100), jpeg),
    Kind("bit depth", "bits", (1, 2, 3, 4, 5, 6, 7), (5, 8), bits),
)

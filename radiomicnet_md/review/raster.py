# SPDX-License-Identifier: Apache-2.0
"""What pictures and the reviewer's page draw pixel by pixel: outlines, and maps in colours.

Rules of this module:

- An outline lies inside its region; what is outside of it is at most its dark or light edge. Nothing is blended.
- Pictures grow by a whole number where there is room, so that a pixel of the image is a square of the picture.
- All maps of one decision share one scale, symmetric around 0: blue speaks against a lesion, red for it, white is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.review.palette import NEGATIVE, POSITIVE, rgb

Sample = TypeVar("Sample", bound=np.generic)
Mask = NDArray[np.bool_]
Picture = NDArray[np.uint8]  # (rows, columns) or (rows, columns, channels)
_DASH, _GAP = 14, 10  # pixels
_WHITE: Final = np.array([247, 247, 247])


def outline(mask: NDArray[np.generic]) -> Mask:
    """The pixels of ``mask`` (rows, columns) that touch its outside by an edge; the frame counts as outside."""
    inside = np.pad(mask.astype(np.bool_), 1)
    core = inside[1:-1, 1:-1]
    surrounded = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return core & ~surrounded


def line(region: Mask, width: int) -> Mask:
    """The outermost ``width`` pixels of the region."""
    core = region
    for _ in range(width):
        core = core & ~outline(core)
    return region & ~core


def around(region: Mask, width: int) -> Mask:
    """The region and ``width`` pixels around it."""
    for _ in range(width):
        padded = np.pad(region, 1)
        beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
        region = np.asarray(padded[1:-1, 1:-1] | beside)
    return region


def dashes(shape: Sequence[int]) -> Mask:
    """Stripes across both diagonals, so that a line in any direction is cut into dashes."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows + columns) % (_DASH + _GAP) < _DASH)


def enlarged(picture: NDArray[Sample], scale: int) -> NDArray[Sample]:
    """Each pixel as a square of ``scale`` x ``scale``."""
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def coloured(levels: NDArray[np.uint8]) -> Picture:
    """Grey levels (rows, columns) as red, green and blue."""
    return np.repeat(levels[:, :, None], 3, axis=2)


def sampled(picture: NDArray[Sample], rows: int, columns: int) -> NDArray[Sample]:
    """The picture on another grid over the same area, each pixel the one it lies in."""
    down = np.arange(rows) * picture.shape[0] // rows
    across = np.arange(columns) * picture.shape[1] // columns
    return np.asarray(picture[down[:, None], across])


def fitted(picture: NDArray[Sample], side: int) -> NDArray[Sample]:
    """The picture in a square of ``side`` pixels: enlarged by the largest whole number that fits, or made smaller."""
    longest = max(picture.shape[:2])
    if longest <= side:
        return enlarged(picture, side // longest)
    rows, columns = (max(1, length * side // longest) for length in picture.shape[:2])
    return sampled(picture, rows, columns)


def reach(planes: Sequence[NDArray[np.int64]], bits: int) -> float:
    """Half width of the scale, logits of ``bits`` fractional bits: 99.5 % of the pixels fit, and it has one digit."""
    high = float(np.percentile(np.abs(np.stack(planes)), 99.5)) / (1 << bits)
    if high == 0.0:
        return 1.0
    digit = 10.0 ** np.floor(np.log10(high))
    return float(np.ceil(high / digit) * digit)


def tinted(values: NDArray[np.int64] | NDArray[np.float64], far: float) -> Picture:
    """Values (rows, columns) as colours (rows, columns, 3), full at ``far`` and beyond."""
    share = np.clip(values / far, -1.0, 1.0)[..., None]
    against, in_favour = np.array(rgb(NEGATIVE)), np.array(rgb(POSITIVE))
    colours = np.where(share < 0, _WHITE + (_WHITE - against) * share, _WHITE + (in_favour - _WHITE) * share)
    return np.asarray(np.round(colours), dtype=np.uint8)

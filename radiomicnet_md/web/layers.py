# SPDX-License-Identifier: Apache-2.0
"""What the reviewer sees is made here, as PNG layers that the browser draws on top of each other.

Rules of this module:

- The same record gives the same bytes, so that a layer's digest says what was shown.
- ``image`` has the input's own samples. Outlines are drawn on an enlarged grid, inside the region, with a dark edge;
  every other pixel of such a layer is transparent. The mask is the recorded one, byte for byte.
- All maps of evidence share one scale, symmetric around 0 (blue speaks against a lesion, red for it, white is 0), and
  carry their region's outline. Colours as in ``review.canvas``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import io, shelf
from radiomicnet_md.errors import IntegrityError
from radiomicnet_md.io import masks
from radiomicnet_md.review import canvas
from radiomicnet_md.web.evidence import Evidence

Mask = NDArray[np.bool_]
Levels = NDArray[np.uint8]
READABLE: Final = 720  # pixels of an enlarged layer's longer side, at least
TILE: Final = 288  # the same of a map
_LINE, _EDGE = 3, 2  # widths
_DASH, _GAP = 14, 10  # pixels of the enlarged grid
_WHITE: Final = np.array([247, 247, 247])


@dataclass(frozen=True, slots=True)
class Shown:
    """What is kept of a result to be looked at."""

    levels: Levels  # (rows, columns)
    mask: Mask  # the same


def shown(home: Path, predicate: Mapping[str, Any]) -> Shown | None:
    """Image and mask of a result, None where they are not kept (any more).

    Raises :class:`IntegrityError` where one of them was changed or they do not go together.
    """
    image = shelf.kept_image(home, predicate["input"])
    kept = shelf.fetch(home, predicate["outputs"]["mask_sha256"])
    if image is None or kept is None:
        return None
    levels, shape = io.grey(image), predicate["outputs"]["mask_shape"]
    if list(levels.shape) != shape or len(kept) != levels.size:
        raise IntegrityError(
            "E-LAYERS", "Image and mask of this record do not go together.", remedy="Do not use this result."
        )
    return Shown(levels, np.frombuffer(kept, dtype=np.uint8).reshape(shape) != 0)


def image(levels: Levels) -> bytes:
    """The grey levels as they are."""
    return masks.png(levels)


def outline(region: Mask, colour: str, *, dashed: bool = False) -> bytes:
    """The line around a region of the input, inside it, with a dark edge outside; widths in pixels of the layer."""
    scale = max(1, -(-READABLE // max(region.shape)))
    large = np.kron(region, np.ones((scale, scale), dtype=np.bool_))
    line, edge = large & ~_core(large), _around(large) & ~large
    if dashed:
        dashes = _dashes(large.shape)
        line = line & dashes
    picture = np.zeros((*large.shape, 4), dtype=np.uint8)
    picture[edge] = (0, 0, 0, 255)
    picture[line] = (*bytes.fromhex(colour[1:]), 255)
    return masks.png(picture)


def chosen(region: Mask) -> bytes:
    """The outline of the mask."""
    return outline(region, canvas.CHOSEN)


def runner_up(region: Mask) -> bytes:
    """The outline of the region that came next, dashed."""
    return outline(region, canvas.RUNNER_UP, dashed=True)


def reach(evidence: Evidence) -> float:
    """Half width of the scale of all maps, in logits: 99.5 % of the pixels fit, and it has one digit."""
    rest = evidence.rest
    planes: Sequence[NDArray[np.int64]] = [*evidence.planes, *([] if rest is None else [rest])]
    high = float(np.percentile(np.abs(np.stack(planes)), 99.5)) / (1 << evidence.bits)
    if high == 0.0:
        return 1.0
    digit = 10.0 ** np.floor(np.log10(high))
    return float(np.ceil(high / digit) * digit)


def map_(values: NDArray[np.int64], evidence: Evidence, region: Mask | None) -> bytes:
    """One map of the half grid (h2, w2) in colours, with the region's outline."""
    far = reach(evidence) * (1 << evidence.bits)
    share = np.clip(values / far, -1.0, 1.0)[..., None]
    ends = [np.array([*bytes.fromhex(colour[1:])]) for colour in (canvas.NEGATIVE, canvas.POSITIVE)]
    colours = np.where(share < 0, _WHITE + (_WHITE - ends[0]) * share, _WHITE + (ends[1] - _WHITE) * share)
    return _tile(np.round(colours).astype(np.uint8), region)


def certified(evidence: Evidence, region: Mask | None) -> bytes:
    """Where no rest can change the sign: light; elsewhere grey."""
    grey = np.where(evidence.certified[..., None], 247, 110).repeat(3, axis=2)
    return _tile(grey.astype(np.uint8), region)


def _tile(colours: NDArray[np.uint8], region: Mask | None) -> bytes:
    scale = max(1, -(-TILE // max(colours.shape[:2])))
    large = colours.repeat(scale, axis=0).repeat(scale, axis=1)
    picture = np.full((*large.shape[:2], 4), 255, dtype=np.uint8)
    picture[..., :3] = large
    if region is not None and region.any():
        rows, columns = (np.arange(n) * of // n for n, of in zip(large.shape[:2], region.shape, strict=True))
        inside = region[rows[:, None], columns]
        line = canvas.outline(inside)
        line |= canvas.outline(inside & ~line)  # a map is shown at half its size
        picture[_beside(_beside(line)) & ~line, :3] = 255
        picture[line, :3] = 20
    return masks.png(picture)


def _core(region: Mask) -> Mask:
    """The region without its outermost _LINE pixels; the frame counts as outside."""
    for _ in range(_LINE):
        region = region & ~canvas.outline(region)
    return region


def _around(region: Mask) -> Mask:
    """The region and _EDGE pixels around it."""
    for _ in range(_EDGE):
        region = _beside(region)
    return region


def _beside(region: Mask) -> Mask:
    """The region and the pixels that share an edge with it."""
    padded = np.pad(region, 1)
    around = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return np.asarray(padded[1:-1, 1:-1] | around)


def _dashes(shape: tuple[int, ...]) -> Mask:
    """Stripes across both diagonals, so that a line in any direction is cut into dashes."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((rows + columns) % (_DASH + _GAP) < _DASH)


def difference(one: Mask, other: Mask) -> bytes:
    """Two masks of one size: blue in the first alone, red in the second alone, grey in both."""
    picture = np.full((*one.shape, 4), 247, dtype=np.uint8)
    picture[..., 3] = 255
    picture[one & other, :3] = 150
    picture[one & ~other, :3] = tuple(bytes.fromhex(canvas.NEGATIVE[1:]))
    picture[other & ~one, :3] = tuple(bytes.fromhex(canvas.POSITIVE[1:]))
    return masks.png(picture)

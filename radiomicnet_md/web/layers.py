# SPDX-License-Identifier: Apache-2.0
"""What the reviewer sees is made here, as PNG layers that the browser draws on top of each other.

Rules of this module:

- The same record gives the same bytes, so that a layer's digest says what was shown.
- ``image`` has the input's own samples. Outlines are drawn on an enlarged grid, inside the region, with a dark edge;
  every other pixel of such a layer is transparent. The mask is the recorded one, byte for byte.
- All maps of evidence share one scale, symmetric around 0 (blue speaks against a lesion, red for it, white is 0), and
  carry their region's outline. Colours as in ``review.palette``.
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
from radiomicnet_md.review import palette, raster
from radiomicnet_md.web.evidence import Evidence

Mask = NDArray[np.bool_]
Levels = NDArray[np.uint8]
READABLE: Final = 720  # pixels of an enlarged layer's longer side, at least
TILE: Final = 288  # the same of a map
_LINE, _EDGE = 3, 2  # widths


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
    large = raster.enlarged(region, scale)
    line, edge = raster.line(large, _LINE), raster.around(large, _EDGE) & ~large
    if dashed:
        line = line & raster.dashes(large.shape)
    picture = np.zeros((*large.shape, 4), dtype=np.uint8)
    picture[edge] = (0, 0, 0, 255)
    picture[line] = (*palette.rgb(colour), 255)
    return masks.png(picture)


def chosen(region: Mask) -> bytes:
    """The outline of the mask."""
    return outline(region, palette.CHOSEN)


def runner_up(region: Mask) -> bytes:
    """The outline of the region that came next, dashed."""
    return outline(region, palette.RUNNER_UP, dashed=True)


def reach(evidence: Evidence) -> float:
    """Half width of the scale of all maps, in logits: 99.5 % of the pixels fit, and it has one digit."""
    rest = evidence.rest
    planes: Sequence[NDArray[np.int64]] = [*evidence.planes, *([] if rest is None else [rest])]
    return raster.reach(planes, evidence.bits)


def map_(values: NDArray[np.int64], evidence: Evidence, region: Mask | None) -> bytes:
    """One map of the half grid (h2, w2) in colours, with the region's outline."""
    return _tile(raster.tinted(values, reach(evidence) * (1 << evidence.bits)), region)


def certified(evidence: Evidence, region: Mask | None) -> bytes:
    """Where no rest can change the sign: light; elsewhere grey."""
    grey = np.where(evidence.certified[..., None], 247, 110).repeat(3, axis=2)
    return _tile(grey.astype(np.uint8), region)


def _tile(colours: NDArray[np.uint8], region: Mask | None) -> bytes:
    scale = max(1, -(-TILE // max(colours.shape[:2])))
    large = raster.enlarged(colours, scale)
    picture = np.full((*large.shape[:2], 4), 255, dtype=np.uint8)
    picture[..., :3] = large
    if region is not None and region.any():
        line = raster.line(raster.sampled(region, *large.shape[:2]), 2)  # a map is shown at half its size
        picture[raster.around(line, 2) & ~line, :3] = 255
        picture[line, :3] = 20
    return masks.png(picture)


def difference(one: Mask, other: Mask) -> bytes:
    """Two masks of one size: blue in the first alone, red in the second alone, grey in both."""
    picture = np.full((*one.shape, 4), 247, dtype=np.uint8)
    picture[..., 3] = 255
    picture[one & other, :3] = 150
    picture[one & ~other, :3] = palette.rgb(palette.NEGATIVE)
    picture[other & ~one, :3] = palette.rgb(palette.POSITIVE)
    return masks.png(picture)

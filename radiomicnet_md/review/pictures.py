# SPDX-License-Identifier: Apache-2.0
"""Two pictures a reader can trust: the outline on the image as it came, and the sum that chose it.

Rules of this module:

- A picture draws what a :class:`~radiomicnet_md.decision.Decision` holds and decides nothing.
- The overlay never blends: a pixel shows its own grey level, or the line, or the line's dark edge.
- The same input gives the same bytes; the stamp is part of the picture, not of its file name.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import Decision
from radiomicnet_md.review import palette, panels, raster
from radiomicnet_md.review.sheet import STAMP, Sheet

_READABLE = 720  # a picture's longer side, and the footer's width, are at least this, pixels
_STRIP = 48  # least height of the footer, pixels


def overlay(levels: NDArray[np.uint8], mask: NDArray[np.uint8], stamp: str = STAMP) -> bytes:
    """PNG of an image (rows, columns) with the outline of ``mask`` (rows, columns; 0 or 1) and a stamp.

    The line is two pixels wide on an enlarged image, one on a large one. It lies inside the region and has a
    dark pixel on its outer side, so that it is seen on bright echo too.

    Raises:
        ValueError: image and mask differ in shape.

    """
    if levels.shape != mask.shape:
        message = f"image {levels.shape} and mask {mask.shape} differ in shape"
        raise ValueError(message)
    body = outlined(levels, mask)
    height, width = body.shape[:2]
    wide = max(width, _READABLE)
    footer = max(_STRIP, wide // 16)
    area = int(np.count_nonzero(mask))
    sheet = Sheet(wide, height + footer, palette.STRIP)
    sheet.paste(body, (wide - width) // 2, 0)
    sheet.strip(footer, f"outlined: {area:,} of {mask.size:,} pixels" if area else "no lesion found", stamp)
    return sheet.png()


def outlined(levels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image as RGB (rows * k, columns * k, 3), enlarged by a whole number k, with the outline drawn in."""
    scale = max(1, -(-_READABLE // max(levels.shape)))
    region = raster.enlarged(mask != 0, scale)
    picture = raster.coloured(raster.enlarged(levels, scale))
    picture[raster.around(region, 1) & ~region] = 0
    picture[raster.line(region, 2 if scale > 1 else 1)] = palette.rgb(palette.CHOSEN)
    return picture


def why(decision: Decision, stamp: str = STAMP) -> bytes:
    """PNG that answers "why this region" or "why none": the outlines, the sum as bars, the evidence maps."""
    sheet = Sheet(panels.WIDTH, panels.HEIGHT + _STRIP)
    headline, detail = panels.headline(decision)
    sheet.text(panels.LEFT, 40, headline, 22, bold=True, anchor="lm")
    sheet.text(panels.LEFT, 70, detail, 14, palette.MUTED, anchor="lm")
    panels.regions(sheet, decision)
    panels.bars(sheet, decision)
    panels.tiles(sheet, decision)
    certified, of = panels.certified(decision)
    share = f"{certified:,} of {of:,} pixels ({certified / of:.1%})"
    sheet.strip(_STRIP, f"certified: in {share} the unnamed rest cannot turn the sign of the evidence", stamp)
    return sheet.png()

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
from radiomicnet_md.review import canvas, panels

_READABLE = 720  # a picture's longer side, and the footer's width, are at least this, pixels
_STRIP = 48  # least height of the footer, pixels


def overlay(levels: NDArray[np.uint8], mask: NDArray[np.uint8], stamp: str = canvas.STAMP) -> bytes:
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
    area = int(np.count_nonzero(mask))
    with canvas.plain_settings():
        strip = max(_STRIP, wide // 16)
        figure = canvas.new_figure(wide, height + strip, canvas.STRIP)
        figure.figimage(body, xo=(wide - width) // 2, yo=strip, origin="upper")
        found = f"outlined: {area:,} of {mask.size:,} pixels" if area else "no lesion found"
        canvas.strip(figure, strip, found, stamp)
        return canvas.png(figure)


def outlined(levels: NDArray[np.uint8], mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The image as RGB (rows * k, columns * k, 3), enlarged by a whole number k, with the outline drawn in."""
    scale = max(1, -(-_READABLE // max(levels.shape)))
    block = np.ones((scale, scale), dtype=np.uint8)
    region = np.kron((mask != 0).astype(np.uint8), block).astype(np.bool_)
    line = canvas.outline(region)
    if scale > 1:
        line |= canvas.outline(region & ~line)
    picture = np.repeat(np.kron(levels, block)[:, :, None], 3, axis=2)
    picture[_grown(region) & ~region] = 0
    picture[line] = tuple(bytes.fromhex(canvas.CHOSEN[1:]))
    return picture


def _grown(region: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The region and the pixels that share an edge with it."""
    padded = np.pad(region, 1)
    return region | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]


def why(decision: Decision, stamp: str = canvas.STAMP) -> bytes:
    """PNG that answers "why this region" or "why none": the outlines, the sum as bars, the evidence maps."""
    with canvas.plain_settings():
        figure = canvas.new_figure(1280, 1150)
        headline, detail = panels.headline(decision)
        figure.text(0.03, 0.966, headline, size=16, weight="bold", va="center")
        figure.text(0.03, 0.940, detail, size=10, color=canvas.MUTED, va="center")
        upper = figure.add_gridspec(1, 2, left=0.03, right=0.91, top=0.90, bottom=0.54, wspace=0.56)
        panels.regions(figure.add_subplot(upper[0]), decision)
        panels.bars(figure.add_subplot(upper[1]), decision)
        lower = figure.add_gridspec(2, 6, left=0.03, right=0.975, top=0.437, bottom=0.1, wspace=0.08, hspace=0.2)
        panels.tiles(figure, lower, decision)
        certified, of = panels.certified(decision)
        share = f"{certified:,} of {of:,} pixels ({certified / of:.1%})"
        note = f"certified: in {share} the unnamed rest cannot turn the sign of the evidence"
        canvas.strip(figure, _STRIP, note, stamp)
        return canvas.png(figure)

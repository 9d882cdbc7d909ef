# SPDX-License-Identifier: Apache-2.0
"""A sheet to draw a picture of a decision on: rasters, boxes and lines of text, at whole pixels.

Rules of this module:

- The same calls give the same bytes: one typeface, no system font, and a PNG without a date or a program's name.
- Places are pixels from the upper left corner. Text names its place as Pillow's anchors do: ``l``, ``m``, ``r`` for
  left, middle and right, then ``m`` for the middle of the line or ``s`` for its base line.
- Every picture ends in a footer strip with its stamp.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from radiomicnet_md.io import masks
from radiomicnet_md.review import palette

STAMP = "not a cleared device · demonstration · not for clinical use"
_FACES = {False: "DejaVuSans.ttf", True: "DejaVuSans-Bold.ttf"}
_MARGIN = 12  # of the footer's lines, pixels
_FINER = 4  # a marker is drawn so much larger and then reduced, for smooth edges


@cache
def _font(size: float, *, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(palette.typeface(_FACES[bold])), size, layout_engine=ImageFont.Layout.BASIC)


class Sheet:
    """A picture that is drawn from the back to the front."""

    def __init__(self, width: int, height: int, background: str = "#ffffff") -> None:
        """Begin with ``width`` x ``height`` pixels of one colour.

        Raises:
            ConfigurationError: E-PICTURES where the typeface is not installed.

        """
        _font(12, bold=False)  # fails before anything is drawn
        self.width, self.height = width, height
        self._image = Image.new("RGB", (width, height), background)
        self._draw = ImageDraw.Draw(self._image)

    def paste(self, picture: NDArray[np.uint8], left: int, top: int) -> None:
        """Put a picture (rows, columns, 3) there."""
        self._image.paste(Image.fromarray(picture), (left, top))

    def box(self, left: float, top: float, right: float, bottom: float, colour: str) -> None:
        """Fill from one corner up to another, the right column and the lower row left out; at least one pixel."""
        x, y = round(left), round(top)
        self._draw.rectangle((x, y, max(x, round(right) - 1), max(y, round(bottom) - 1)), fill=colour)

    def frame(self, left: int, top: int, width: int, height: int, colour: str) -> None:
        """A line of one pixel around a picture of that size."""
        self._draw.rectangle((left - 1, top - 1, left + width, top + height), outline=colour)

    def diamond(self, x: float, y: float, radius: int = 4) -> None:
        """A white marker with a dark edge."""
        side = (2 * radius + 1) * _FINER
        corners = [(side // 2, 0), (side - 1, side // 2), (side // 2, side - 1), (0, side // 2)]
        for inset, colour in ((0, palette.INK), (round(1.6 * _FINER), "#ffffff")):
            shape = Image.new("L", (side, side))
            towards = [
                (a + (side // 2 - a) * 2 * inset // side, b + (side // 2 - b) * 2 * inset // side) for a, b in corners
            ]
            ImageDraw.Draw(shape).polygon(towards, fill=255)
            small = shape.reduce(_FINER)
            self._image.paste(Image.new("RGB", small.size, colour), (round(x) - radius, round(y) - radius), small)

    def text(  # noqa: PLR0913 -- a line of text has a place, a size, a weight, a colour and a side
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = palette.INK,
        *,
        bold: bool = False,
        anchor: str = "ls",
    ) -> float:
        """One line of text, ``size`` pixels high; its width."""
        font = _font(size, bold=bold)
        self._draw.text((x, y), text, fill=colour, font=font, anchor=anchor)
        return float(font.getlength(text))

    def strip(self, pixels: int, seen: str, stamp: str) -> None:
        """A dark footer of ``pixels`` height: what is seen in its first line, the stamp in its second."""
        top = self.height - pixels
        self.box(0, top, self.width, self.height, palette.STRIP)
        room = self.width - 2 * _MARGIN
        for text, place, colour in ((seen, 0.29, "#ffffff"), (stamp, 0.71, palette.CAUTION)):
            size = pixels * 0.29
            wide = _font(size, bold=False).getlength(text)
            self.text(_MARGIN, top + place * pixels, text, size * min(1.0, room / wide), colour, anchor="lm")

    def png(self) -> bytes:
        """The picture as PNG bytes; compressed with little effort, for speckle does not shrink and time is dear."""
        return masks.png(np.asarray(self._image), effort=3)

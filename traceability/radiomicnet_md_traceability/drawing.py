# SPDX-License-Identifier: Apache-2.0
"""Boxes, arrows and words as an SVG file: the same bytes for the same picture, with nothing from elsewhere.

Rules of this module:

- Coordinates are whole numbers, and colours stand in one table; each picture has a white ground, so that it can be read
  on a dark page too.
- How wide words are is estimated from their number of letters, wide enough for the common fonts without serifs.
"""

from __future__ import annotations

import html
import textwrap

COLOURS = {
    "ink": "#1a1f24",
    "soft": "#57606a",
    "line": "#8c959f",
    "field": "#f4f6f8",
    "bad": "#a40e26",
    "link": "#0b57a4",
}
_LETTER = 0.58  # of a letter's height, a little more than the mean of such fonts
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" \
font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">
<title>{title}</title>
<defs>{heads}</defs>
<rect width="{width}" height="{height}" fill="#fff"/>
"""
_ARROWHEAD = (
    '<marker id="{name}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0 8 4 0 8z" fill="{colour}"/></marker>'
)


def wide(words: str, size: int = 13) -> int:
    """How wide words are, at most."""
    return round(len(words) * size * _LETTER)


def wrapped(words: str, width: int, size: int = 13) -> list[str]:
    """Words in lines that are no wider than ``width``."""
    return textwrap.wrap(words, max(1, int(width / (size * _LETTER))), break_long_words=False) or [""]


class Drawing:
    """One picture; what is drawn later lies above."""

    def __init__(self, title: str, width: int, height: int) -> None:
        """An empty picture."""
        self.width, self.height, self._title, self._parts = width, height, title, list[str]()

    def words(  # noqa: PLR0913 -- where, what, and how it looks
        self,
        x: int,
        y: int,
        text: str,
        *,
        size: int = 13,
        colour: str = "ink",
        bold: bool = False,
        anchor: str = "start",
    ) -> None:
        """One line of words, standing on ``y``."""
        weight = ' font-weight="bold"' if bold else ""
        self._parts.append(
            f'<text x="{x}" y="{y}" font-size="{size}" fill="{COLOURS[colour]}" text-anchor="{anchor}"{weight}>'
            f"{html.escape(text, quote=False)}</text>"
        )

    def box(  # noqa: PLR0913 -- where, how large, and how it looks
        self,
        x: int,
        y: int,
        width: int,
        height: int,
        *,
        fill: str = "field",
        border: str = "line",
        dashed: bool = False,
    ) -> None:
        """A box with round corners; ``fill`` may be empty."""
        inside = COLOURS[fill] if fill else "none"
        dashes = ' stroke-dasharray="6 4" stroke-width="2"' if dashed else ""
        self._parts.append(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="5" fill="{inside}" '
            f'stroke="{COLOURS[border]}"{dashes}/>'
        )

    def line(self, start: tuple[int, int], end: tuple[int, int], *, colour: str = "line", dashed: bool = False) -> None:
        """A line without a head."""
        self._stroke(start, end, colour, dashed, "")

    def arrow(
        self, start: tuple[int, int], end: tuple[int, int], *, colour: str = "soft", dashed: bool = False
    ) -> None:
        """A line with a head at its end."""
        self._stroke(start, end, colour, dashed, f' marker-end="url(#{colour})"')

    def _stroke(self, start: tuple[int, int], end: tuple[int, int], colour: str, dashed: bool, head: str) -> None:  # noqa: FBT001
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self._parts.append(
            f'<path d="M{start[0]} {start[1]} {end[0]} {end[1]}" stroke="{COLOURS[colour]}" stroke-width="1.4" '
            f'fill="none"{dashes}{head}/>'
        )

    def label(self, x: int, y: int, text: str, *, size: int = 11, colour: str = "ink") -> None:
        """Words in the middle of ``x``, on a ground of their own, so that a line may pass beneath."""
        width = wide(text, size) + 6
        self._parts.append(
            f'<rect x="{x - width // 2}" y="{y - size}" width="{width}" height="{size + 4}" fill="#fff"/>'
        )
        self.words(x, y, text, size=size, colour=colour, anchor="middle")

    def svg(self) -> str:
        """The file."""
        heads = "".join(_ARROWHEAD.format(name=name, colour=COLOURS[name]) for name in ("soft", "bad", "link"))
        head = _HEAD.format(width=self.width, height=self.height, title=html.escape(self._title), heads=heads)
        return head + "\n".join(self._parts) + "\n</svg>\n"

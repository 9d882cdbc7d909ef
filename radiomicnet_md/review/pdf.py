# SPDX-License-Identifier: Apache-2.0
"""A page for the file or the folder: headings, text, tables and pictures as PDF, the same bytes for the same content.

Rules of this module:

- Nothing is taken from the clock, the machine or chance; what a document says comes from its caller alone.
- Every page ends with the line that it was given, its own number and the number of pages.
- Text is shown whole: a character that the font lacks is written as its code point, ``U+4E2D``, and never as a box.
- The font is DejaVu Sans as matplotlib carries it, so that no system font has a say.
"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

_FONT, _BOLD = "RadiomicNetSans", "RadiomicNetSans-Bold"
_FILES: Final = {_FONT: "DejaVuSans.ttf", _BOLD: "DejaVuSans-Bold.ttf"}
_MARGIN, _FOOT = 50, 28  # points
_SIZE, _SMALL = 9, 7
_WIDEST, _TALLEST = 340.0, 340.0  # of a picture, points


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading; ``level`` 1 is the document's."""

    text: str
    level: int = 2


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph."""

    text: str
    small: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head, which is repeated on every page; ``numbers`` are the columns that align right."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Picture:
    """PNG layers of one shape, painted on top of each other; ``words`` stand for them where they are not seen."""

    layers: Sequence[bytes]
    words: str = ""
    widest: float = _WIDEST  # points


Block = Heading | Text | Table | Picture


def document(title: str, foot: str, blocks: Sequence[Block]) -> bytes:
    """The bytes of the PDF, A4; needs the extra ``report``."""
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import SimpleDocTemplate

    _load_fonts()
    out = io.BytesIO()
    made = SimpleDocTemplate(
        out,
        pagesize=A4,
        invariant=1,
        title=title,
        author="RadiomicNet-MD",
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN + _FOOT,
    )
    made.build([_flowable(block, A4[0] - 2 * _MARGIN) for block in blocks], canvasmaker=_numbered(foot))
    return out.getvalue()


def _flowable(block: Block, width: float) -> Any:  # noqa: ANN401 - reportlab is untyped
    from reportlab.platypus import Paragraph

    match block:
        case Heading(text, level):
            return Paragraph(_marked(text), _style(f"Heading{level}", 15 if level == 1 else 11, bold=True))
        case Text(text, small):
            return Paragraph(_marked(text), _style("Small" if small else "Text", _SMALL if small else _SIZE))
        case Table():
            return _table(block, width)
        case Picture(layers, _, widest):
            return _picture(layers, widest)


@cache
def _load_fonts() -> None:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    found = importlib.util.find_spec("matplotlib")
    if found is None or found.origin is None:
        raise ModuleNotFoundError(name="matplotlib")
    folder = Path(found.origin).parent / "mpl-data" / "fonts" / "ttf"
    for name, file in _FILES.items():
        pdfmetrics.registerFont(TTFont(name, str(folder / file)))


def _style(name: str, size: int, *, bold: bool = False) -> Any:  # noqa: ANN401
    from reportlab.lib.styles import ParagraphStyle

    font, space = (_BOLD, size * 0.9) if bold else (_FONT, 2)
    return ParagraphStyle(
        name,
        fontName=font,
        fontSize=size,
        leading=size * 1.35,
        spaceBefore=space,
        spaceAfter=3,
        splitLongWords=True,
        keepWithNext=bold,  # a heading does not end a page
    )


def _marked(text: str) -> str:
    """Text as the paragraphs of reportlab take it, with every character that the font has."""
    from reportlab.pdfbase import pdfmetrics

    known = pdfmetrics.getFont(_FONT).face.charToGlyph
    shown = "".join(one if ord(one) in known or one in "\n\t" else f"U+{ord(one):04X} " for one in text)
    return escape(shown).replace("\n", "<br/>")


def _table(block: Table, width: float) -> Any:  # noqa: ANN401
    from reportlab.lib import colors
    from reportlab.platypus import LongTable, Paragraph, TableStyle

    plain, bold = _style("Cell", _SMALL), _style("Head", _SMALL, bold=True)
    aligned = [
        (plain, plain.clone("Number", alignment=2))[column in block.numbers] for column in range(len(block.head))
    ]
    bold.spaceBefore = 0
    cells = [[Paragraph(_marked(text), bold) for text in block.head]]
    cells += [[Paragraph(_marked(text), style) for text, style in zip(row, aligned, strict=True)] for row in block.rows]
    # Columns of numbers are narrow; the others share what is left.
    narrow = width * 0.12
    wide = (width - narrow * len(block.numbers)) / max(1, len(block.head) - len(block.numbers))
    widths = [narrow if column in block.numbers else wide for column in range(len(block.head))]
    made = LongTable(cells, colWidths=widths, repeatRows=1)
    rule = ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#c8ced6"))
    tight = [("TOPPADDING", (0, 0), (-1, -1), 1.5), ("BOTTOMPADDING", (0, 0), (-1, -1), 1.5)]
    made.setStyle(TableStyle([rule, ("VALIGN", (0, 0), (-1, -1), "TOP"), *tight]))
    return made


def flattened(layers: Sequence[bytes]) -> tuple[bytes, tuple[int, int]]:
    """The layers as one PNG without transparency, and its columns and rows."""
    from PIL import Image

    opened = [Image.open(io.BytesIO(layer)).convert("RGBA") for layer in layers]
    size = max((one.size for one in opened), key=lambda size: size[0] * size[1])
    whole = Image.new("RGBA", size, "black")
    for one in opened:
        whole.alpha_composite(one.resize(size, Image.Resampling.NEAREST))
    out = io.BytesIO()
    whole.convert("RGB").save(out, "PNG")
    return out.getvalue(), size


def _picture(layers: Sequence[bytes], widest: float) -> Any:  # noqa: ANN401
    from reportlab.platypus import Image as Flowable

    data, (columns, rows) = flattened(layers)
    scale = min(widest / columns, _TALLEST / rows)
    return Flowable(io.BytesIO(data), columns * scale, rows * scale, hAlign="LEFT")


def _numbered(foot: str) -> Any:  # noqa: ANN401
    """A canvas that knows how many pages there are before it paints the foot of each."""
    from reportlab.pdfgen.canvas import Canvas

    class Numbered(Canvas):  # type: ignore[misc]  # reportlab is untyped
        """Keeps its pages until the last is there."""

        def __init__(self, *given: Any, **named: Any) -> None:  # noqa: ANN401
            """As the canvas of reportlab."""
            super().__init__(*given, **named)
            self._kept: list[dict[str, Any]] = []

        def showPage(self) -> None:  # noqa: N802 - the name of reportlab
            """Keep this page and begin the next."""
            self._kept.append(dict(self.__dict__))
            self._startPage()

        def save(self) -> None:
            """Paint the foot of every page and write them."""
            for number, kept in enumerate(self._kept, 1):
                self.__dict__.update(kept)
                self.setFont(_FONT, _SMALL)
                self.drawString(_MARGIN, _FOOT, foot)
                self.drawRightString(self._pagesize[0] - _MARGIN, _FOOT, f"{number} / {len(self._kept)}")
                super().showPage()
            super().save()

    return Numbered

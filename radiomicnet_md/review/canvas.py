# SPDX-License-Identifier: Apache-2.0
"""The same chart is the same bytes: one palette, one typeface, and a PNG without a date or a user's settings.

Rules of this module:

- Charts of reports are drawn here; the pictures of a decision are drawn on a :mod:`~radiomicnet_md.review.sheet`,
  in a fiftieth of the time.
- matplotlib is imported on first use, draws with its Agg canvas alone, and reads no style file of the user.
- A chart that stands alone ends in a footer strip with its stamp.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from radiomicnet_md.review import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 100


@contextmanager
def plain_settings() -> Iterator[None]:
    """Draw with matplotlib's own defaults, whatever the user's matplotlibrc says; every picture begins here.

    Raises:
        ConfigurationError: E-PICTURES where matplotlib is not installed.

    """
    try:
        import matplotlib as mpl
    except ImportError:
        raise palette.without_matplotlib() from None

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["font.family"] = "DejaVu Sans"
        mpl.rcParams["font.size"] = 9.0
        mpl.rcParams["text.color"] = palette.INK
        mpl.rcParams["axes.edgecolor"] = palette.RULE
        mpl.rcParams["axes.labelcolor"] = mpl.rcParams["xtick.color"] = mpl.rcParams["ytick.color"] = palette.MUTED
        yield


def new_figure(width: int, height: int, background: str = "white") -> Figure:
    """A figure of ``width`` x ``height`` pixels on the Agg canvas, outside pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=background)
    FigureCanvasAgg(figure)
    return figure


def png(figure: Figure) -> bytes:
    """The figure as PNG bytes with no software name and no date."""
    sink = io.BytesIO()
    figure.savefig(sink, format="png", dpi=DPI, metadata={"Software": None})
    return sink.getvalue()


def strip(figure: Figure, pixels: int, seen: str, stamp: str) -> None:
    """A dark footer of ``pixels`` height: what is seen in its first line, the stamp in its second."""
    from matplotlib.patches import Rectangle

    height = figure.get_figheight() * DPI
    figure.add_artist(
        Rectangle((0, 0), 1, pixels / height, transform=figure.transFigure, facecolor=palette.STRIP, linewidth=0)
    )
    for text, line, colour in ((seen, 0.71, "white"), (stamp, 0.29, palette.CAUTION)):
        _fitted(figure, text, line * pixels / height, colour, pixels * 0.29)


def _fitted(figure: Figure, text: str, height: float, colour: str, pixels: float) -> None:
    """One line of text of that many pixels, or of as few as it takes to fit into the figure's width."""
    room = figure.get_figwidth() * DPI - 24
    drawn = figure.text(12 / (room + 24), height, text, color=colour, size=pixels * 72 / DPI, va="center", ha="left")
    wide = drawn.get_window_extent().width
    if wide > room:
        drawn.set_fontsize(pixels * 72 / DPI * room / wide)

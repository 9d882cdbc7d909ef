# SPDX-License-Identifier: Apache-2.0
"""The same picture is the same bytes: one palette, one typeface, and a PNG without a date or a user's settings.

Rules of this module:

- matplotlib is imported on first use, draws with its Agg canvas alone, and reads no style file of the user.
- Colours stay apart for every common form of colour blindness (Okabe and Ito, 2008; RdBu of ColorBrewer), and
  no colour carries a meaning alone: lines differ in dash, signs stand in print.
- Every picture ends in a footer strip with its stamp.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import ConfigurationError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STAMP = "not a cleared device · demonstration · not for clinical use"
CHOSEN = "#f0a818"  # amber: the region that was chosen, solid
RUNNER_UP = "#56b4e9"  # sky blue: the next best region, dashed
POSITIVE = "#b2182b"  # speaks for a lesion
NEGATIVE = "#2166ac"  # speaks against
INK = "#1b1f24"
MUTED = "#5d6670"
RULE = "#d5dae0"
STRIP = "#15181c"
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
        raise ConfigurationError(
            "E-PICTURES",
            "Pictures need matplotlib, which is not installed here.",
            remedy="Install the extra that brings it: pip install 'radiomicnet-md[report]'",
        ) from None

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams["font.family"] = "DejaVu Sans"
        mpl.rcParams["font.size"] = 9.0
        mpl.rcParams["text.color"] = INK
        mpl.rcParams["axes.edgecolor"] = RULE
        mpl.rcParams["axes.labelcolor"] = mpl.rcParams["xtick.color"] = mpl.rcParams["ytick.color"] = MUTED
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


def outline(mask: NDArray[np.generic]) -> NDArray[np.bool_]:
    """The pixels of ``mask`` (rows, columns) that touch its outside by an edge; the frame counts as outside."""
    inside = np.pad(mask.astype(np.bool_), 1)
    core = inside[1:-1, 1:-1]
    surrounded = inside[:-2, 1:-1] & inside[2:, 1:-1] & inside[1:-1, :-2] & inside[1:-1, 2:]
    return core & ~surrounded


def strip(figure: Figure, pixels: int, seen: str, stamp: str) -> None:
    """A dark footer of ``pixels`` height: what is seen in its first line, the stamp in its second."""
    from matplotlib.patches import Rectangle

    height = figure.get_figheight() * DPI
    figure.add_artist(Rectangle((0, 0), 1, pixels / height, transform=figure.transFigure, facecolor=STRIP, linewidth=0))
    for text, line, colour in ((seen, 0.71, "white"), (stamp, 0.29, "#ffd479")):
        _fitted(figure, text, line * pixels / height, colour, pixels * 0.29)


def _fitted(figure: Figure, text: str, height: float, colour: str, pixels: float) -> None:
    """One line of text of that many pixels, or of as few as it takes to fit into the figure's width."""
    room = figure.get_figwidth() * DPI - 24
    drawn = figure.text(12 / (room + 24), height, text, color=colour, size=pixels * 72 / DPI, va="center", ha="left")
    wide = drawn.get_window_extent().width
    if wide > room:
        drawn.set_fontsize(pixels * 72 / DPI * room / wide)

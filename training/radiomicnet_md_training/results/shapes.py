# SPDX-License-Identifier: Apache-2.0
"""The tables that decide, as pictures: what each value of each name adds, one small plot a name.

Rules of this module:

- Drawn from the stored tables of a row and nothing else. Thin grey lines are the tables of single trainings (a fold
  left out each), so that what hangs on the sample can be told from what does not.
- The horizontal axis has equal steps between quantiles, because the tables have their edges there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from radiomicnet_md.decision import SCORE_BITS
from radiomicnet_md.radiomics.definitions import BY_KEY, NAMED
from radiomicnet_md.review import canvas, palette
from radiomicnet_md_training.figures import NOTICE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1100  # pixels
COLUMNS = 4
ROW = 150  # pixels a row of small plots
SCALES = (("#0072b2", "-", "15 × 15 pixels"), ("#d55e00", "--", "27 × 27 pixels, minus the image's mean"))


def pictures(tables: dict[str, Any]) -> dict[str, bytes]:
    """PNG by file name, of the stored tables of a row: ``pixel`` and, where there is one, ``region``."""
    out = {"tables-pixel.png": canvas.png(_pixel(tables["pixel"]))}
    if tables["region"] is not None:
        out["tables-region.png"] = canvas.png(_region(tables["region"], tables["region_folds"]))
    return out


def _pixel(units: Sequence[Sequence[Sequence[float]]]) -> Figure:
    """φ of every name and scale over the 64 codes: the mean of all trainings, and each of them."""
    every = np.array(units)  # (trainings, scales · names, 64)
    figure, axes = _grid(
        f"Pixel layer: what a code adds to the logit before its gate, {len(every)} trainings", len(NAMED)
    )
    reach = 1.05 * float(np.abs(every).max())
    for k, (name, one) in enumerate(zip(NAMED, axes, strict=True)):
        for scale, (colour, dash, label) in enumerate(SCALES):
            some = every[:, scale * len(NAMED) + k]
            one.plot(some.T, color=colour, alpha=0.25, linewidth=0.7)
            one.plot(some.mean(0), dash, color=colour, linewidth=2, label=label)
        one.set_ylim(-reach, reach)
        one.set_xticks((0, 32, 63), ("least", "median", "most") if k >= len(NAMED) - COLUMNS else ("", "", ""))
        one.set_title(BY_KEY[name].name, loc="left", size=10, color=palette.INK, pad=3)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="lower left", bbox_to_anchor=(0.01, 0), ncols=2, frameon=False)
    return figure


def _region(whole: dict[str, Any], folds: Sequence[dict[str, Any]]) -> Figure:
    """What each region value adds to the predicted Dice, widest table first; of all folds, and of each without one."""
    terms = whole["terms"]
    names = sorted(terms, key=lambda name: (-np.ptp(terms[name]["scores"]), name))
    figure, axes = _grid("Region layer: what a value adds to the predicted Dice, widest table first", len(names))
    reach = 1.1 * max(abs(score) for term in terms.values() for score in term["scores"]) / 2**SCORE_BITS
    for name, one in zip(names, axes, strict=True):
        edges = terms[name]["edges"]
        for some in folds:
            at = np.interp(some["terms"][name]["edges"], edges, np.arange(1, len(edges) + 1)) if edges else []
            _steps(one, at, some["terms"][name]["scores"], len(edges), color=palette.MUTED, alpha=0.35, linewidth=0.7)
        _steps(one, range(1, len(edges) + 1), terms[name]["scores"], len(edges), color=SCALES[0][0], linewidth=2)
        one.set_ylim(-reach, reach)
        marks = sorted({0, len(edges) // 2, len(edges) - 1}) if edges else []
        one.set_xticks([m + 1 for m in marks], [f"{edges[m]:,}" for m in marks])
        one.set_title(name, loc="left", size=10, color=palette.INK, pad=3)
    return figure


def _steps(axes: Axes, at: Sequence[float], scores: Sequence[int], last: int, **look: Any) -> None:  # noqa: ANN401
    """A table as a staircase: the k-th score holds from the k-th place on."""
    axes.stairs(np.array(scores) / 2**SCORE_BITS, [0, *at, last + 1], baseline=None, **look)


def _grid(title: str, count: int) -> tuple[Figure, list[Axes]]:
    """A figure with ``count`` small plots that share a vertical scale."""
    rows = -(-count // COLUMNS)
    height = 70 + ROW * rows + 50
    figure = canvas.new_figure(WIDTH, height)
    figure.text(24 / WIDTH, 1 - 26 / height, title, size=15, weight="bold", va="center")
    figure.text(1 - 24 / WIDTH, 14 / height, NOTICE, size=9, color=palette.MUTED, va="center", ha="right")
    grid = figure.add_gridspec(
        rows, COLUMNS, left=0.05, right=0.98, top=1 - 70 / height, bottom=56 / height, wspace=0.16, hspace=0.55
    )
    axes = [figure.add_subplot(grid[i // COLUMNS, i % COLUMNS]) for i in range(count)]
    for i, one in enumerate(axes):
        one.axhline(0, color=palette.RULE, linewidth=1)
        one.spines[["top", "right"]].set_visible(False)
        one.tick_params(length=0, labelsize=8)
        if i % COLUMNS:
            one.set_yticklabels([])
    return figure, axes

# SPDX-License-Identifier: Apache-2.0
"""The results as pictures: the same stored rows give the same bytes, and no colour carries a meaning alone.

Rules of this module:

- Drawn by :mod:`radiomicnet_md.review.canvas`: its typeface, its palette, no date and no program's name in the file.
- Intervals are those of the page. What has none is drawn hollow, as a point.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from radiomicnet_md.review import canvas, palette
from radiomicnet_md_training.figures import NOTICE
from radiomicnet_md_training.results import known, page, summary, variants
from radiomicnet_md_training.results.read import NAMED, ONE_VIEW, ORACLE, TWO_VIEWS, Row, SeedCalibration
from radiomicnet_md_training.results.words import number
from radiomicnet_md_validation.statistics import Interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 1100  # pixels of every picture
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito 2008: apart for every common form of colour blindness."""
DASHES = ("-", "--", "-.", ":")
OURS = COLOURS[0]
SHORT = {
    TWO_VIEWS: "z ≥ 0, float",
    "exact": "z ≥ 0, integers",
    NAMED: "named values decide",
    "named and network": "named and network values",
    "network": "network values",
    ORACLE: "oracle, knows the truth",
}


def pictures(rows: Mapping[str, Row]) -> dict[str, bytes]:
    """PNG by file name; only what the stored rows can fill."""
    main = page.main_rows(rows)
    out = {}
    with canvas.plain_settings():
        if main:
            out["dsc.png"] = canvas.png(_forest(main))
            out["curves.png"] = canvas.png(_curves(main))
        if "locked" in main:
            out["histogram.png"] = canvas.png(_histogram(main["locked"]))
            out["reliability.png"] = canvas.png(_reliability(main["locked"]))
        if variants.curve(rows):
            out["rho.png"] = canvas.png(_rho(rows))
    return out


def short(name: str) -> str:
    """A row's name in a picture."""
    return known.ROWS.get(name, name).replace("`", "")


def _forest(main: Mapping[str, Row]) -> Figure:
    """Mean DSC of every row and decision, one a line, with its interval."""
    entries = []
    for name, row in main.items():
        for one in page.decisions(row):
            if one != ONE_VIEW:
                alone = row.run.recipe.region is None
                label = short(name) if alone else f"{name}: {SHORT.get(one, one)}"
                lesions = summary.cases(row, one).lesions
                entries.append((label, name == "locked", one, summary.mean(lesions)))
    count = entries[0][3].n
    figure, axes = _figure(150 + 34 * len(entries), f"Mean DSC of {count} lesions, out of fold", left=0.37, right=0.835)
    for place, (label, ours, one, estimate) in enumerate(entries):
        colour = (OURS if one != ORACLE else "#999999") if ours else palette.INK
        point = estimate.point or 0.0
        if isinstance(estimate, Interval):
            axes.plot((estimate.low, estimate.high), (place, place), color=colour, linewidth=2, solid_capstyle="butt")
            told = f"{number(point)} [{number(estimate.low)}, {number(estimate.high)}]"
        else:
            told = f"{number(point)} (no interval)"
        filled = colour if isinstance(estimate, Interval) else "white"
        axes.plot(point, place, "D" if one == NAMED else "o", color=colour, markerfacecolor=filled, markersize=8)
        heavy = "bold" if ours and one == NAMED else "normal"
        axes.text(1.02, place, told, transform=axes.get_yaxis_transform(), va="center", color=palette.INK, weight=heavy)
        axes.text(
            -0.02,
            place,
            label,
            transform=axes.get_yaxis_transform(),
            va="center",
            ha="right",
            color=palette.INK,
            weight=heavy,
        )
    axes.axvline(known.CEILING, color=COLOURS[1], linestyle="--", linewidth=1.2)
    axes.text(
        known.CEILING, -0.75, f"duplicate masks agree: {known.CEILING}", color=COLOURS[1], ha="center", va="bottom"
    )
    axes.set_ylim(len(entries) - 0.4, -0.7)
    axes.set_yticks([])
    axes.set_xlabel("mean DSC, 95 % interval")
    axes.grid(axis="x", color=palette.RULE)
    return figure


def _curves(main: Mapping[str, Row]) -> Figure:
    """Held-out DSC while training: mean over the units of each row."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _figure(620, "Held-out DSC while training, {z ≥ 0} of one view", left=0.075, right=0.8)
    for i, (name, row) in enumerate(main.items()):
        seen: dict[int, list[float]] = {}
        for point in row.curve:
            if point.held_out_dice is not None:
                seen.setdefault(point.epoch, []).append(point.held_out_dice)
        epochs = sorted(seen)
        means = [float(np.mean(seen[epoch])) for epoch in epochs]
        colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
        axes.plot(
            epochs,
            means,
            color=colour,
            linestyle=dash,
            linewidth=3 if name == "locked" else 1.8,
            marker="os^vDPX*"[i % 8],
            markersize=5,
            zorder=3 if name == "locked" else 2,
            label=f"{name} ({len(row.run.units)})",
        )
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axes.set_xlabel("epoch")
    axes.set_ylabel("mean DSC of held-out lesions")
    axes.grid(color=palette.RULE)
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), frameon=False, title="row (trainings)", alignment="left")
    return figure


def _histogram(row: Row) -> Figure:
    """How many lesions have which DSC, named values deciding; the missed ones apart."""
    lesions = summary.cases(row, NAMED).lesions
    dice, found = lesions.scores["dice"], lesions.scores["found"] > 0.5  # noqa: PLR2004 - as the page counts them
    figure, axes = _figure(520, f"DSC of {lesions.count} lesions, named values deciding", left=0.075, right=0.97)
    edges = np.linspace(0, 1, 21)
    counts, missed = (np.histogram(part, edges)[0] for part in (dice[found], dice[~found]))
    axes.bar(edges[:-1], counts, 0.05, align="edge", color=OURS, edgecolor="white", label="a region was answered")
    some = missed > 0
    axes.bar(
        edges[:-1][some],
        missed[some],
        0.05,
        align="edge",
        bottom=counts[some],
        color="white",
        edgecolor=COLOURS[1],
        hatch="////",
        label="missed: no region",
    )
    for left, count in zip(edges[:-1], (counts + missed).tolist(), strict=True):
        if count:
            clear = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # a line behind the number stops at it
            axes.annotate(
                str(count), (left + 0.025, count), (0, 4), textcoords="offset points", ha="center", bbox=clear
            )
    for value, dash, text in ((float(dice.mean()), "-", "mean"), (float(np.median(dice)), "--", "median")):
        axes.axvline(
            value, color=palette.INK, linestyle=dash, linewidth=1.5, zorder=1.5, label=f"{text} {number(value)}"
        )
    axes.set_xlim(0, 1)
    axes.set_xticks(np.linspace(0, 1, 11))
    axes.set_xlabel("DSC")
    axes.set_ylabel("lesions")
    axes.set_ylim(0, 1.12 * max(counts + missed, default=1))
    axes.legend(loc="upper left", frameon=False)
    return figure


def _reliability(row: Row) -> Figure:
    """Predicted probability against frequency, in bins of equal mass, before and after the temperature."""
    one: SeedCalibration = row.calibration.seeds[0]
    figure = canvas.new_figure(WIDTH, 620)
    _words(figure, f"Reliability of the lesion probability of {row.name}, out of fold, seed {one.seed}")
    grid = figure.add_gridspec(1, 2, left=0.075, right=0.97, top=0.83, bottom=0.155, wspace=0.22)
    near = f"pixels within {row.calibration.band_pixels:g} of the true border"
    for place, (scaled, text) in enumerate(((one.pooled, "pixels, all there are"), (one.band, near))):
        axes = figure.add_subplot(grid[place])
        axes.plot((0, 1), (0, 1), color=palette.MUTED, linewidth=1, linestyle=":")
        for judged, colour, marker, dash, state in (
            (scaled.before, COLOURS[1], "s", "--", "before"),
            (scaled.after, OURS, "o", "-", "after"),
        ):
            bins = judged.equal_width_rows
            label = f"{state} temperature, ECE {number(judged.equal_width, 4)}"
            axes.plot(
                [b.probability for b in bins],
                [b.frequency for b in bins],
                dash,
                color=colour,
                marker=marker,
                label=label,
            )
        axes.set_title(f"{scaled.after.pixels:,} {text}", loc="left", size=11, color=palette.INK)
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlabel("mean predicted probability of a bin")
        axes.set_ylabel("share of lesion pixels")
        axes.grid(color=palette.RULE)
        axes.legend(loc="upper left", frameon=False)
        _plain(axes)
    return figure


def _rho(rows: Mapping[str, Row]) -> Figure:
    """DSC by the limit of the rest, at even steps."""
    curve = variants.curve(rows)
    figure, axes = _figure(480, "DSC by the limit of the unnamed rest", left=0.085, right=0.97)
    for i, (_, row) in enumerate(curve):
        for one, shift, colour, marker in ((TWO_VIEWS, -0.06, palette.INK, "o"), (NAMED, 0.06, OURS, "D")):
            if one in row.decisions:
                estimate = summary.mean(summary.cases(row, one).lesions)
                x, point = i + shift, estimate.point or 0.0
                if isinstance(estimate, Interval):
                    axes.plot((x, x), (estimate.low, estimate.high), color=colour, linewidth=2)
                filled = colour if isinstance(estimate, Interval) else "white"
                axes.plot(x, point, marker, color=colour, markerfacecolor=filled, markersize=8, label=SHORT[one])
                axes.annotate(
                    number(point),
                    (x, point),
                    (9 if shift > 0 else -9, 0),
                    textcoords="offset points",
                    va="center",
                    ha="left" if shift > 0 else "right",
                    color=colour,
                )
    axes.set_xticks(range(len(curve)), [f"ρ = {variants.mark(value)}" for value, _ in curve])
    axes.set_xlim(-0.5, len(curve) - 0.5)
    axes.set_ylabel("mean DSC, 95 % interval")
    axes.grid(axis="y", color=palette.RULE)
    handles, labels = axes.get_legend_handles_labels()
    once = dict(zip(labels, handles, strict=True))
    axes.legend(once.values(), once.keys(), loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False)
    return figure


def _figure(height: int, title: str, *, left: float, right: float) -> tuple[Figure, Axes]:
    """A figure with a title, the notice and one pair of axes; margins above and below are the same in pixels."""
    figure = canvas.new_figure(WIDTH, height)
    _words(figure, title)
    axes = figure.add_axes((left, 78 / height, right - left, (height - 78 - 82) / height))
    _plain(axes)
    return figure, axes


def _words(figure: Figure, title: str) -> None:
    height = figure.get_figheight() * canvas.DPI
    figure.text(24 / WIDTH, 1 - 30 / height, title, size=15, weight="bold", va="center")
    figure.text(1 - 24 / WIDTH, 16 / height, NOTICE, size=9, color=palette.MUTED, va="center", ha="right")


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)

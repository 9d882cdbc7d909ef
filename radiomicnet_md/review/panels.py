# SPDX-License-Identifier: Apache-2.0
"""The panels of the "why" picture: outlines, the region's sum as ranked bars, and the evidence map of each name.

Rules of this module:

- The bars are the decision: with the intercept and the line "other terms" they add up to the printed sum.
- The maps are the evidence that proposed the regions. Shown are the names with the most evidence inside the
  region in question, then all other names together, the rest, their sum, and where the rest could not matter.
- All maps share one symmetric scale; a number above each says its mean inside the region.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Decision, Region, margin
from radiomicnet_md.review import canvas
from radiomicnet_md.review.names import label, measured, short, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.gridspec import GridSpec
    from matplotlib.image import AxesImage

_NAMED_TILES = 8
_COLUMNS = 6
_BARS = 13
_SCORE = 1 << SCORE_BITS
_LOGIT = 1 << LOGIT_BITS


def headline(decision: Decision) -> tuple[str, str]:
    """The answer in one sentence, and how it came about in another."""
    seen = f"{decision.candidates} candidate region{'' if decision.candidates == 1 else 's'} weighed"
    if decision.chosen:
        count = "one region" if len(decision.chosen) == 1 else f"{len(decision.chosen)} regions"
        answer = f"Lesion outlined: {count}, sum {_signed(decision.chosen[0].score)} > 0"
        beaten = margin(decision.chosen, decision.runner_up)
        if decision.runner_up is None or beaten is None:
            return answer, f"{seen}; no other region competed"
        return answer, f"{seen}; the runner-up has {_signed(decision.runner_up.score)}, a margin of {_signed(beaten)}"
    if decision.runner_up is None:
        return "No lesion found: no candidate region", "the evidence nowhere formed a region that could be weighed"
    best = decision.runner_up
    return f"No lesion found: the best sum is {_signed(best.score)}, not above 0", f"{seen}; dashed: the best of them"


def certified(decision: Decision) -> tuple[int, int]:
    """How many pixels of the half grid the rest cannot turn, and of how many."""
    sure = _certain(decision)
    return int(np.count_nonzero(sure)), sure.size


def regions(axes: Axes, decision: Decision) -> None:
    """The image on the working grid with the chosen regions (solid) and the runner-up (dashed)."""
    from matplotlib.lines import Line2D

    rows, columns = decision.levels.shape
    axes.imshow(decision.levels, cmap="gray", vmin=0, vmax=255, extent=(0, columns, rows, 0), interpolation="nearest")
    shown: list[Line2D] = []
    for number, region in enumerate(decision.chosen, start=1):
        _contour(axes, region.pixels, canvas.CHOSEN, "solid")
        name = "chosen" if len(decision.chosen) == 1 else f"chosen {number}"
        shown.append(_key(f"{name}  {_signed(region.score)}", canvas.CHOSEN, "solid"))
    if decision.runner_up is not None:  # last, so that it shows where it runs along a chosen one
        _contour(axes, decision.runner_up.pixels, canvas.RUNNER_UP, "dashed", dark=not decision.chosen)
        name = "runner-up" if decision.chosen else "best candidate, not chosen"
        shown.append(_key(f"{name}  {_signed(decision.runner_up.score)}", canvas.RUNNER_UP, (0, (4, 2))))
    axes.set_axis_off()
    axes.set_anchor("NW")
    if shown:
        axes.legend(
            handles=shown, loc="upper left", bbox_to_anchor=(-0.02, -0.005), ncols=2, frameon=False, fontsize=9.5
        )


def bars(axes: Axes, decision: Decision) -> None:
    """The sum of the chosen region (or of the best candidate) term by term, largest first."""
    region = decision.chosen[0] if decision.chosen else decision.runner_up
    if region is None:
        axes.set_axis_off()
        axes.text(0.0, 0.98, "No region, so no sum", transform=axes.transAxes, size=11, weight="bold", va="top")
        note = "At no rung of the ladder of thresholds did the\nevidence form a region large enough to be weighed."
        axes.text(0.0, 0.91, note, transform=axes.transAxes, color=canvas.MUTED, size=10, va="top", linespacing=1.5)
        return
    which = f" (region 1 of {len(decision.chosen)})" if len(decision.chosen) > 1 else ""
    axes.set_title(f"The sum that decides{which}", loc="left", size=11, weight="bold", pad=8)
    other = decision.runner_up if decision.chosen else None
    rows = ranked(region, other)
    beside = axes.get_yaxis_transform()
    axes.axvline(0, color=canvas.INK, linewidth=0.9, zorder=3)
    drawn = [value / _SCORE for _, mine, theirs in rows for value in (mine, theirs or 0)]
    spread = max(drawn) - min(drawn) or 1.0
    for place, (_, mine, theirs) in enumerate(rows):
        last = place == len(rows) - 1
        colour = canvas.INK if last else canvas.POSITIVE if mine > 0 else canvas.NEGATIVE
        axes.barh(place, mine / _SCORE, height=0.66, color=colour, zorder=2)
        if theirs is not None:
            axes.plot(theirs / _SCORE, place, "D", ms=4.5, mfc="white", mec=canvas.INK, mew=0.9, zorder=4)
        weight = "bold" if last else "normal"
        axes.text(1.13, place, _signed(mine), transform=beside, ha="right", va="center", weight=weight)
    axes.axhline(len(rows) - 1.5, color=canvas.INK, linewidth=0.9)
    axes.set_yticks(range(len(rows)), [name for name, _, _ in rows], color=canvas.INK)
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(min(drawn) - 0.05 * spread, max(drawn) + 0.05 * spread)
    axes.tick_params(left=False)
    axes.grid(axis="x", color=canvas.RULE, linewidth=0.6, zorder=0)
    axes.spines[:].set_visible(False)
    if other is not None:
        axes.set_xlabel("◇ the runner-up's term      gl grey level, qc quantile code", loc="left")


def ranked(region: Region, other: Region | None) -> list[tuple[str, int, int | None]]:
    """Rows (label, its value, the other region's value): intercept, largest terms, what is left, the sum."""
    order = sorted(region.terms, key=lambda name: (-abs(region.terms[name]), name))
    few, many = order[:_BARS], order[_BARS:]
    rows: list[tuple[str, int, int | None]] = [
        (_termed(name, region), region.terms[name], other.terms[name] if other else None) for name in few
    ]
    if many:
        theirs = sum(other.terms[name] for name in many) if other else None
        rows.append((f"{len(many)} other terms", sum(region.terms[name] for name in many), theirs))
    rows.append(("intercept", region.intercept, other.intercept if other else None))
    rows.append(("sum", region.score, other.score if other else None))
    return rows


def _termed(name: str, region: Region) -> str:
    """A term's name and the value of the region that it was read at."""
    return f"{short(label(name), 26)}  {measured(name, region.values[name])}"


def tiles(figure: Figure, grid: GridSpec, decision: Decision) -> None:
    """Twelve small maps on one scale: eight names, the other names, the rest, their sum, what is certified."""
    where = _where(decision)
    order = sorted(range(len(decision.names)), key=lambda k: (-abs(int(decision.contributions[k][where].sum())), k))
    few, many = order[:_NAMED_TILES], order[_NAMED_TILES:]
    maps = [(label(decision.names[k]), decision.contributions[k]) for k in few]
    reach = _reach([*(values for _, values in maps), decision.rest])
    if many:
        maps.append((f"{len(many)} other names", decision.contributions[many].sum(axis=0)))
    maps.append(("rest (not named)", decision.rest))
    maps.append(("sum with bias", decision.logit))
    for place, (name, values) in enumerate(maps):
        axes = figure.add_subplot(grid[divmod(place, _COLUMNS)])
        image = axes.imshow(values / _LOGIT, cmap="RdBu_r", vmin=-reach, vmax=reach, interpolation="nearest")
        _tile_frame(axes, decision, name, signed(float(values[where].mean()) / _LOGIT, 2))
    axes = figure.add_subplot(grid[divmod(len(maps), _COLUMNS)])
    axes.imshow(_certain(decision), cmap="Greys_r", vmin=-0.6, vmax=1, interpolation="nearest")
    share = float(_certain(decision)[where].mean())
    _tile_frame(axes, decision, "certified (white)", f"{share:.0%}")
    _scale(figure, image)
    asked = bool(decision.chosen or decision.runner_up)
    inside = "inside the region. It proposes regions; the sum above decides." if asked else "over the image."
    figure.text(0.03, 0.466, "The evidence of each pixel", size=11, weight="bold")
    figure.text(0.218, 0.466, f"in logits, by name; the number is the mean {inside}", size=9.5, color=canvas.MUTED)


def _scale(figure: Figure, image: AxesImage) -> None:
    """The one colour scale of all maps, in logits."""
    rail = figure.add_axes((0.36, 0.069, 0.28, 0.011))
    bar = figure.colorbar(image, cax=rail, orientation="horizontal", extend="both")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=2, labelsize=8)
    figure.text(0.345, 0.0745, "speaks against a lesion", size=9, color=canvas.NEGATIVE, ha="right", va="center")
    figure.text(0.655, 0.0745, "speaks for a lesion", size=9, color=canvas.POSITIVE, va="center")


def _tile_frame(axes: Axes, decision: Decision, name: str, number: str) -> None:
    """Outlines of the regions, a name on the left and a number on the right."""
    axes.set_title(short(name, 23), loc="left", size=8.5, pad=3)
    axes.set_title(number, loc="right", size=8.5, pad=3, color=canvas.MUTED)
    axes.set_xticks([])
    axes.set_yticks([])
    for region in decision.chosen or ((decision.runner_up,) if decision.runner_up else ()):
        padded = np.pad(region.pixels.astype(np.uint8), 1)
        across = np.arange(padded.shape[1]) / 2 - 0.75
        down = np.arange(padded.shape[0]) / 2 - 0.75
        for ink, width in (("white", 2.2), (canvas.INK, 0.9)):
            axes.contour(across, down, padded, levels=[0.5], colors=ink, linewidths=width)


def _where(decision: Decision) -> NDArray[np.bool_]:
    """The pixels of the half grid that lie in the region in question; all of them where there is none."""
    asked = decision.chosen or ((decision.runner_up,) if decision.runner_up else ())
    inside: NDArray[np.bool_] = np.zeros(decision.logit.shape, dtype=np.bool_)
    for region in asked:
        down = np.arange(len(inside)) * len(region.pixels) // len(inside)
        across = np.arange(inside.shape[1]) * region.pixels.shape[1] // inside.shape[1]
        inside |= region.pixels[down[:, None], across]
    return inside if inside.any() else ~inside


def _certain(decision: Decision) -> NDArray[np.bool_]:
    """Where |bias + named contributions| exceeds the most the rest can give."""
    named: NDArray[np.int64] = decision.bias + decision.contributions.sum(axis=0)
    return np.abs(named) > decision.rho


def _reach(maps: list[NDArray[np.int64]]) -> float:
    """Half width of the shared scale, logits: 99.5 % of these pixels fit in it; one digit, so that it reads well."""
    high = float(np.percentile(np.abs(np.stack(maps)), 99.5)) / _LOGIT
    if high == 0.0:
        return 1.0
    digit = 10.0 ** np.floor(np.log10(high))
    return float(np.ceil(high / digit) * digit)


def _contour(axes: Axes, pixels: NDArray[np.bool_], colour: str, style: str, *, dark: bool = True) -> None:
    """One closed line around the region, with a dark edge unless it runs on top of another line."""
    padded = np.pad(pixels.astype(np.uint8), 1)
    across = np.arange(padded.shape[1]) - 0.5
    down = np.arange(padded.shape[0]) - 0.5
    strokes = [(canvas.STRIP, 3.2, "solid")] if dark else []
    for ink, width, dash in (*strokes, (colour, 1.8, style)):
        axes.contour(across, down, padded, levels=[0.5], colors=ink, linewidths=width, linestyles=dash)


def _key(name: str, colour: str, style: Any) -> Any:  # noqa: ANN401  matplotlib's line styles have no public type
    """One line of the legend."""
    from matplotlib.lines import Line2D

    return Line2D([], [], color=colour, linewidth=2.2, linestyle=style, label=name)


def _signed(score: int) -> str:
    """A score or term with its sign and three decimals."""
    return signed(score / _SCORE, 3)

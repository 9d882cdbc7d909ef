# SPDX-License-Identifier: Apache-2.0
"""The page of the reference objects: which millimetres to trust from which size on, and which never.

Rules of this module:

- Everything on it follows from what was kept; nothing is measured here.
- A value without a limit of quantitation is called so, first thing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import cycle
from typing import Any

from radiomicnet_md.review import canvas, palette
from radiomicnet_md_validation.campaigns import COLOURS, MARKS, paragraph

_UNIT = {2: "mm²", 1: "mm", -1: "mm⁻¹"}
_SHOWN = ("shape2D_MeshSurface", "shape2D_MaximumDiameter", "shape2D_MinorAxisLength", "shape2D_Perimeter")
_OCTAGON = """
Perimeter has no limit of quantitation, and no size mends it: PyRadiomics draws its polygon through the middles of the
pixels' sides, so that every stretch runs along an axis or a diagonal. Of an outline in all directions that is
8(√2 − 1)/π = 1.0548 times its length, whatever the pixel. The slope says so; the perimeter is good for comparing
outlines on one grid, not as a length. The ratio of perimeter to area inherits it.
"""
_WHAT = """
True values are integrals of the outline; measured are the values with a unit of length that [records](record.md) and
[reports](dicom-objects.md) give of a lesion, by the function that measures them there. *Drawn* is the object on the
image's own pixels. *Decided* is the object on the working grid, 192 pixels wide, enlarged to the image, as every
outline of the device is. No speckle and no network take part: whether the outline is the lesion's is
[another question](results.md).
"""


def body(found: Mapping[str, Any]) -> list[str]:
    """Lines below the page's head."""
    grids = found["grids"]
    objects = f"{len(found['shapes'])} objects ({', '.join(found['shapes'])}) of {_span(grids)} mm"
    limit = f"""The smallest size (mm) from which on every object in every placement is measured with a bias of at most
        {found["limit_percent"]:g} %. Below it, and where there is none, claim no measurement."""
    return [
        *paragraph(f"{objects}, drawn in {found['placements']} placements within a pixel. {_WHAT}"),
        "## Limits of quantitation",
        "",
        *paragraph(limit),
        *_limits(found),
        "",
        *(paragraph(_OCTAGON) if all(_without(grids, "shape2D_Perimeter")) else ()),
        *_smallest(found),
        "![Worst bias over size](quantities/quantitation.png)",
        "",
        "## Linearity",
        "",
        *paragraph("Least squares of measured on true values; residual: the largest, in percent of the true value."),
        *_lines(found),
        "",
        "## Bias by size",
        "",
        *paragraph("Mean bias in percent of the true value (lowest … highest); —: not measured in some placement."),
        *(line for name in grids for line in _biases(name, grids[name])),
    ]


def _span(grids: Mapping[str, Any]) -> str:
    sizes = [one["mm"] for grid in grids.values() for value in grid.values() for one in value["sizes"]]
    return f"{min(sizes):g} to {max(sizes):g}"


def _without(grids: Mapping[str, Any], name: str) -> list[bool]:
    return [grid[name]["limit_mm"] is None for grid in grids.values()]


def _limits(found: Mapping[str, Any]) -> Iterator[str]:
    grids = found["grids"]
    yield f"| value | unit | {' | '.join(grids)} |"
    yield f"|---|---|{'---|' * len(grids)}"
    for name, power in found["powers"].items():
        limits = [grid[name]["limit_mm"] for grid in grids.values()]
        told = ["**none**" if one is None else f"{one:g}" for one in limits]
        yield f"| `{name}` | {_UNIT[power]} | {' | '.join(told)} |"


def _smallest(found: Mapping[str, Any]) -> list[str]:
    told = ", ".join(f"{value:.1f} mm ({name})" for name, value in found["smallest_mm"].items())
    return paragraph(
        f"""A region of fewer than 40 pixels of the working grid is never proposed; that is a disc of {told}. What is
        smaller is measured by nobody."""
    )


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| grid | value | slope | intercept | r² | residual, % |"
    yield "|---|---|---|---|---|---|"
    for grid, values in found["grids"].items():
        for name, power in found["powers"].items():
            line = values[name]["line"]
            yield (
                f"| {grid} | `{name}` | {line['slope']:.4f} | {line['intercept']:.4g} {_UNIT[power]} |"
                f" {line['r2']:.6f} | {line['residual_percent']:.2f} |"
            )


def _biases(name: str, grid: Mapping[str, Any]) -> Iterator[str]:
    sizes = [one["mm"] for one in next(iter(grid.values()))["sizes"]]
    yield f"### {name[0].upper()}{name[1:]}"
    yield ""
    yield f"| value | {' | '.join(f'{size:g} mm' for size in sizes)} |"
    yield f"|---|{'---|' * len(sizes)}"
    for value, one in grid.items():
        yield f"| `{value}` | {' | '.join(map(_told, one['sizes']))} |"
    yield ""


def _told(one: Mapping[str, Any]) -> str:
    if one["low"] is None:
        return "—"
    return f"{one['mean']:+.1f} ({one['low']:+.1f} … {one['high']:+.1f})"


def picture(found: Mapping[str, Any]) -> bytes:
    """The worst bias of four values over the size of the object, a line a grid."""
    figure = canvas.new_figure(1100, 760)
    for place, name in enumerate(_SHOWN):
        axes = figure.add_subplot(2, 2, place + 1)
        for (grid, values), colour, mark in zip(found["grids"].items(), cycle(COLOURS), cycle(MARKS), strict=False):
            whole = [one for one in values[name]["sizes"] if one["low"] is not None]
            worst = [max(-one["low"], one["high"]) for one in whole]
            axes.plot([one["mm"] for one in whole], worst, color=colour, marker=mark, label=grid)
        axes.axhline(found["limit_percent"], color=palette.INK, linestyle="--", linewidth=1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_title(name, loc="left")
        axes.set_xlabel("size, mm")
        axes.set_ylabel("worst bias, %")
        axes.grid(color=palette.RULE)
    figure.axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    return canvas.png(figure)

# SPDX-License-Identifier: Apache-2.0
"""The page of the repeats: for every value the change below which nothing has changed.

Rules of this module:

- Everything on it follows from what was kept; nothing is measured here.
- A value whose wCV is above the mark under any condition is marked, and named before the tables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from radiomicnet_md.review import canvas, palette
from radiomicnet_md_validation.campaigns import COLOURS, MARKS, paragraph

_GROUPS = {"Image": "", "Region": "region: ", "Lesion": "lesion: "}
_MARK = "▲"
_WHAT = """
*Sub-pixel shift*: moved by up to half a pixel. *Turned*: by −1°, 0° and 1°. *Other speckle*: the same breast with newly
drawn scatterers. In these three the shipped device decides anew, so that a moved outline is part of the spread.
*Outline ±1 px*: the region that it chose, one pixel smaller and one larger. Phantoms are drawn, not scanned: the spread
between two examinations of a patient (probe, pressure, plane, settings) is larger, and is not measured here.
"""
_READ = """
wCV: spread within a subject over the mean, in percent, by condition; —: not defined, since the value changes its sign,
is 0 somewhere, or was not measured under the condition. RC: the largest repeatability coefficient of the conditions, in
the value's unit: a smaller difference between two measurements says nothing. ICC(2,1): the lowest. A high ICC on few
subjects that differ much is no praise.
"""


def body(found: Mapping[str, Any]) -> list[str]:
    """Lines below the page's head."""
    conditions = found["conditions"]
    lost = ", ".join(f"{one['lost']} ({name})" for name, one in conditions.items())
    head = f"{found['subjects']} phantoms, {found['repeats']} repeats of each under each condition."
    return [
        *paragraph(f"{head} {_WHAT} Repeats without a region: {lost}."),
        *_counts(found),
        "",
        *paragraph(_marked(found)),
        "![Share of the values below a wCV](quantities/repeatability.png)",
        "",
        *paragraph(_READ),
        *(line for title, start in _GROUPS.items() for line in _table(found, title, start)),
    ]


def of_group(found: Mapping[str, Any], start: str) -> list[str]:
    """The names of a group's values, in the order of their definitions."""
    seen = {name for one in found["conditions"].values() for name in one["values"]}
    return [name for name in found["units"] if name in seen and (name.startswith(start) if start else ": " not in name)]


def worst(found: Mapping[str, Any], name: str) -> float | None:
    """The largest wCV of a value over the conditions; None where none is defined."""
    return max((cv for cv in _of(found, name, "wcv") if cv is not None), default=None)


def _of(found: Mapping[str, Any], name: str, key: str) -> list[float | None]:
    return [one["values"].get(name, {}).get(key) for one in found["conditions"].values()]


def _counts(found: Mapping[str, Any]) -> Iterator[str]:
    mark = found["unsteady"]
    yield f"| group | values | wCV at most 5 % | 5 to {100 * mark:g} % | above {100 * mark:g} % | not defined |"
    yield "|---|---|---|---|---|---|"
    for title, start in _GROUPS.items():
        names = of_group(found, start)
        cvs = [worst(found, name) for name in names]
        steady = sum(cv is not None and cv <= 0.05 for cv in cvs)  # noqa: PLR2004 - the column's own bound
        above, none = sum(cv is not None and cv > mark for cv in cvs), cvs.count(None)
        yield f"| {title.lower()} | {len(names)} | {steady} | {len(names) - steady - above - none} | {above} | {none} |"


def _marked(found: Mapping[str, Any]) -> str:
    names = [name for start in _GROUPS.values() for name in of_group(found, start)]
    marked = [f"`{name}`" for name in names if (worst(found, name) or 0.0) > found["unsteady"]]
    if not marked:
        return "No value is above the mark."
    return f"Above the mark, and not to be compared between two images ({_MARK} in the tables): {', '.join(marked)}."


def _table(found: Mapping[str, Any], title: str, start: str) -> Iterator[str]:
    conditions = found["conditions"]
    yield f"## {title}"
    yield ""
    yield f"| value | unit | mean | {' | '.join(f'wCV, {name}' for name in conditions)} | RC | ICC |"
    yield f"|---|---|---|{'---|' * len(conditions)}---|---|"
    for name in of_group(found, start):
        means = [mean for mean in _of(found, name, "mean") if mean is not None]
        rc = max(one for one in _of(found, name, "rc") if one is not None)
        iccs = [one for one in _of(found, name, "icc") if one is not None]
        told = " | ".join("—" if cv is None else f"{100 * cv:.1f}" for cv in _of(found, name, "wcv"))
        mark = f" {_MARK}" if (worst(found, name) or 0.0) > found["unsteady"] else ""
        lowest = f"{min(iccs):.2f}" if iccs else "—"
        yield (
            f"| `{name.removeprefix(start)}`{mark} | {found['units'][name]} | {means[0]:.4g} | {told} |"
            f" {rc:.3g} | {lowest} |"
        )
    yield ""


def picture(found: Mapping[str, Any]) -> bytes:
    """For each group, the share of its values whose wCV is at most so much, a line a condition."""
    figure = canvas.new_figure(1100, 380)
    for place, (title, start) in enumerate(_GROUPS.items()):
        axes = figure.add_subplot(1, 3, place + 1)
        names = of_group(found, start)
        for number, (condition, one) in enumerate(found["conditions"].items()):
            cvs = sorted(cv for name in names if (cv := one["values"].get(name, {}).get("wcv")) is not None)
            if cvs:
                shares = np.arange(1, len(cvs) + 1) / len(cvs)
                colour, mark = COLOURS[number], MARKS[number]
                percent = [max(100 * cv, 1e-2) for cv in cvs]
                axes.plot(percent, shares, color=colour, marker=mark, markersize=4, label=condition)
        axes.axvline(100 * found["unsteady"], color=palette.INK, linestyle="--", linewidth=1)
        axes.set_xscale("log")
        axes.set_xlabel("wCV, %")
        axes.set_ylabel("share of the values")
        axes.set_title(title, loc="left")
        axes.grid(color=palette.RULE)
    figure.axes[-1].legend(frameon=False, fontsize=8, loc="upper left")
    figure.tight_layout()
    return canvas.png(figure)

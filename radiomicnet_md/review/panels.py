# SPDX-License-Identifier: Apache-2.0
"""The panels of the "why" picture: outlines, the region's sum as ranked bars, and the evidence map of each name.

Rules of this module:

- The bars are the decision: with the intercept and the line "other terms" they add up to the printed sum.
- The maps are the evidence that proposed the regions. Shown are the names with the most evidence inside the
  region in question, then all other names together, the rest, their sum, and where the rest could not matter.
- All maps share one symmetric scale; a number above each says its mean inside the region.
- Places are pixels of the one sheet that all panels share; images and maps grow by whole numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Decision, Region, margin
from radiomicnet_md.review import palette, raster, ticks
from radiomicnet_md.review.names import MINUS, label, measured, short, signed
from radiomicnet_md.review.sheet import Sheet

WIDTH, HEIGHT, LEFT = 1280, 1102, 38  # of the panels together, and their left edge
_IMAGE_TOP, _IMAGE_SIDE = 115, 412
_AXIS_LEFT, _AXIS_RIGHT, _SUMS_RIGHT = 726, 1166, 1222
_BARS_TOP, _BAR_STEP, _BAR_HALF = 118, 25.5, 8.5
_BARS = 13
_MAPS_TOP, _MAP_STEP_DOWN, _MAP_STEP_ACROSS, _MAP_SIDE = 643, 216, 203, 192
_COLUMNS, _NAMED_TILES = 6, 8
_RAIL = (460, 1064, 820, 1076)  # the colour scale: left, top, right, bottom
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


def regions(sheet: Sheet, decision: Decision) -> None:
    """The image on the working grid with the chosen regions (solid) and the runner-up (dashed)."""
    picture = raster.coloured(raster.fitted(decision.levels, _IMAGE_SIDE))
    rows, columns = picture.shape[:2]
    shown: list[tuple[str, str, bool]] = []
    for number, region in enumerate(decision.chosen, start=1):
        name = "chosen" if len(decision.chosen) == 1 else f"chosen {number}"
        _outline(picture, raster.sampled(region.pixels, rows, columns), palette.CHOSEN, dashed=False)
        shown.append((f"{name}  {_signed(region.score)}", palette.CHOSEN, False))
    if decision.runner_up is not None:  # last, so that it shows where it runs along a chosen one
        name = "runner-up" if decision.chosen else "best candidate, not chosen"
        _outline(picture, raster.sampled(decision.runner_up.pixels, rows, columns), palette.RUNNER_UP, dashed=True)
        shown.append((f"{name}  {_signed(decision.runner_up.score)}", palette.RUNNER_UP, True))
    sheet.paste(picture, LEFT, _IMAGE_TOP)
    for place, (text, colour, dashed) in enumerate(shown):
        left, middle = LEFT + 190 * (place % 2), _IMAGE_TOP + rows + 20 + 22 * (place // 2)
        for start in (0, 16) if dashed else (0, 10):
            sheet.box(left + start, middle - 1, left + start + (12 if dashed else 18), middle + 2, colour)
        sheet.text(left + 38, middle, text, 13, anchor="lm")


def _outline(picture: raster.Picture, region: raster.Mask, colour: str, *, dashed: bool) -> None:
    """The line around a region, two pixels wide and inside it, with a dark pixel outside."""
    line = raster.line(region, 2)
    picture[raster.around(region, 1) & ~region] = palette.rgb(palette.STRIP)
    picture[line & raster.dashes(line.shape) if dashed else line] = palette.rgb(colour)


def bars(sheet: Sheet, decision: Decision) -> None:
    """The sum of the chosen region (or of the best candidate) term by term, largest first."""
    region = decision.chosen[0] if decision.chosen else decision.runner_up
    if region is None:
        sheet.text(_AXIS_LEFT, _BARS_TOP - 14, "No region, so no sum", 15, bold=True)
        for line, text in enumerate(
            ("At no rung of the ladder of thresholds did the", "evidence form a region large enough to be weighed.")
        ):
            sheet.text(_AXIS_LEFT, _BARS_TOP + 16 + 22 * line, text, 14, palette.MUTED)
        return
    which = f" (region 1 of {len(decision.chosen)})" if len(decision.chosen) > 1 else ""
    sheet.text(_AXIS_LEFT, _BARS_TOP - 14, f"The sum that decides{which}", 15, bold=True)
    other = decision.runner_up if decision.chosen else None
    rows = ranked(region, other)
    axis = _Axis([value / _SCORE for _, mine, theirs in rows for value in (0, mine, theirs or 0)])
    bottom = _BARS_TOP + _BAR_STEP * len(rows)
    _grid(sheet, axis, bottom)
    for place, (name, mine, theirs) in enumerate(rows):
        last = place == len(rows) - 1
        middle = _BARS_TOP + _BAR_STEP * (place + 0.5)
        colour = palette.INK if last else palette.POSITIVE if mine > 0 else palette.NEGATIVE
        ends = sorted((axis.at(0), axis.at(mine / _SCORE)))
        if mine:
            sheet.box(ends[0], middle - _BAR_HALF, ends[1], middle + _BAR_HALF, colour)
        if theirs is not None:
            sheet.diamond(axis.at(theirs / _SCORE), middle)
        sheet.text(_AXIS_LEFT - 10, middle, name, 12.5, bold=last, anchor="rm")
        sheet.text(_SUMS_RIGHT, middle, _signed(mine), 12.5, bold=last, anchor="rm")
    sheet.box(axis.at(0), _BARS_TOP, axis.at(0) + 1, bottom, palette.INK)
    sheet.box(_AXIS_LEFT, bottom - _BAR_STEP, _AXIS_RIGHT, bottom - _BAR_STEP + 1, palette.INK)
    if other is not None:
        sheet.text(
            _AXIS_LEFT, bottom + 38, "◇ the runner-up's term      gl grey level, qc quantile code", 12.5, palette.MUTED
        )


class _Axis:
    """Where a value lies from left to right."""

    def __init__(self, values: list[float]) -> None:
        spread = max(values) - min(values) or 1.0
        self.low, self.high = min(values) - 0.05 * spread, max(values) + 0.05 * spread

    def at(self, value: float) -> float:
        """The pixel of a value."""
        return _AXIS_LEFT + (value - self.low) / (self.high - self.low) * (_AXIS_RIGHT - _AXIS_LEFT)


def _grid(sheet: Sheet, axis: _Axis, bottom: float) -> None:
    """A line and a number for each round value."""
    for value, printed in ticks.between(axis.low, axis.high):
        sheet.box(axis.at(value), _BARS_TOP, axis.at(value) + 1, bottom, palette.RULE)
        sheet.text(axis.at(value), bottom + 12, printed, 12.5, palette.MUTED, anchor="mm")


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


def tiles(sheet: Sheet, decision: Decision) -> None:
    """Twelve small maps on one scale: eight names, the other names, the rest, their sum, what is certified."""
    where = _where(decision)
    order = sorted(range(len(decision.names)), key=lambda k: (-abs(int(decision.contributions[k][where].sum())), k))
    few, many = order[:_NAMED_TILES], order[_NAMED_TILES:]
    maps = [(label(decision.names[k]), decision.contributions[k]) for k in few]
    far = raster.reach([*(values for _, values in maps), decision.rest], LOGIT_BITS)
    if many:
        maps.append((f"{len(many)} other names", decision.contributions[many].sum(axis=0)))
    maps.append(("rest (not named)", decision.rest))
    maps.append(("sum with bias", decision.logit))
    lines = _lines(decision)
    for place, (name, values) in enumerate(maps):
        tile = _Tile(name, signed(float(values[where].mean()) / _LOGIT, 2), raster.tinted(values, far * _LOGIT))
        tile.draw(sheet, place, lines)
    sure = _certain(decision)
    grey = np.where(sure, np.uint8(255), np.uint8(96))
    _Tile("certified (white)", f"{float(sure[where].mean()):.0%}", raster.coloured(grey)).draw(sheet, len(maps), lines)
    _scale(sheet, far)
    asked = bool(decision.chosen or decision.runner_up)
    inside = "inside the region. It proposes regions; the sum above decides." if asked else "over the image."
    wide = sheet.text(LEFT, _MAPS_TOP - 30, "The evidence of each pixel", 15, bold=True)
    note = f"in logits, by name; the number is the mean {inside}"
    sheet.text(LEFT + wide + 16, _MAPS_TOP - 30, note, 13, palette.MUTED)


@dataclass(frozen=True, slots=True)
class _Tile:
    """One small map with its name on the left and its number on the right."""

    name: str
    number: str
    colours: raster.Picture  # of the half grid

    def draw(self, sheet: Sheet, place: int, lines: tuple[raster.Mask, raster.Mask]) -> None:
        down, across = divmod(place, _COLUMNS)
        left, top = LEFT + across * _MAP_STEP_ACROSS, _MAPS_TOP + down * _MAP_STEP_DOWN
        picture = raster.fitted(self.colours, _MAP_SIDE)
        for line, colour in zip(lines, ((255, 255, 255), palette.rgb(palette.INK)), strict=True):
            picture[line] = colour
        height, width = picture.shape[:2]
        sheet.paste(picture, left, top)
        sheet.frame(left, top, width, height, palette.RULE)
        sheet.text(left, top - 6, short(self.name, 23), 12)
        sheet.text(left + width, top - 6, self.number, 12, palette.MUTED, anchor="rs")


def _lines(decision: Decision) -> tuple[raster.Mask, raster.Mask]:
    """On the grid of the small maps: the light edge of the outlines in question, and the outlines."""
    rows, columns = raster.fitted(decision.logit, _MAP_SIDE).shape
    dark = np.zeros((rows, columns), dtype=np.bool_)
    for region in decision.chosen or ((decision.runner_up,) if decision.runner_up else ()):
        dark |= raster.outline(raster.sampled(region.pixels, rows, columns))
    return raster.around(dark, 1) & ~dark, dark


def _scale(sheet: Sheet, far: float) -> None:
    """The one colour scale of all maps, in logits."""
    left, top, right, bottom = _RAIL
    shades = np.linspace(-1.0, 1.0, right - left)[None].repeat(bottom - top, axis=0)
    sheet.paste(raster.tinted(shades, 1.0), left, top)
    for share, beyond in ((-1.0, "≤ "), (-0.5, ""), (0.0, ""), (0.5, ""), (1.0, "≥ ")):
        printed = f"{beyond}{far * share:+g}" if share else "0"
        at = left + (share + 1) / 2 * (right - left)
        sheet.box(at, bottom, at + 1, bottom + 3, palette.MUTED)
        sheet.text(at, bottom + 11, printed.replace("-", MINUS), 11, palette.MUTED, anchor="mm")
    middle = (top + bottom) / 2
    sheet.text(left - 40, middle, "speaks against a lesion", 12.5, palette.NEGATIVE, anchor="rm")
    sheet.text(right + 40, middle, "speaks for a lesion", 12.5, palette.POSITIVE, anchor="lm")


def _where(decision: Decision) -> NDArray[np.bool_]:
    """The pixels of the half grid that lie in the region in question; all of them where there is none."""
    asked = decision.chosen or ((decision.runner_up,) if decision.runner_up else ())
    inside: NDArray[np.bool_] = np.zeros(decision.logit.shape, dtype=np.bool_)
    for region in asked:
        inside |= raster.sampled(region.pixels, *inside.shape)
    return inside if inside.any() else ~inside


def _certain(decision: Decision) -> NDArray[np.bool_]:
    """Where |bias + named contributions| exceeds the most the rest can give."""
    named: NDArray[np.int64] = decision.bias + decision.contributions.sum(axis=0)
    return np.abs(named) > decision.rho


def _signed(score: int) -> str:
    """A score or term with its sign and three decimals."""
    return signed(score / _SCORE, 3)

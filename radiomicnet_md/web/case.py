# SPDX-License-Identifier: Apache-2.0
"""A verified record as the page shows it: numbers in their units, every sum term by term, and why there is no picture.

Rules of this module:

- It takes an :class:`~radiomicnet_md.web.house.Opened` record, which there is only with a proof.
- A picture is shown of a result alone, and only while image, mask and evidence are kept as the record names them.
- Numbers are written by ``review.names``, so that page, text and picture say the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from radiomicnet_md import shelf
from radiomicnet_md.errors import Problem
from radiomicnet_md.radiomics.definitions import BY_KEY
from radiomicnet_md.radiomics.region_definitions import VALUES
from radiomicnet_md.review.names import MINUS, label, measured, signed
from radiomicnet_md.review.text import answer
from radiomicnet_md.web import evidence, layers
from radiomicnet_md.web.evidence import Evidence
from radiomicnet_md.web.house import House, Opened
from radiomicnet_md.web.layers import Mask, Shown

_FEW = 12  # terms that are shown at once; the others are one row, and are listed below
_DEFINED = {definition.name: definition for definition in VALUES}


@dataclass(frozen=True, slots=True)
class View:
    """What is kept of a result to be looked at; or why nothing of it is shown."""

    shown: Shown | None = None
    evidence: Evidence | None = None
    runner_up: Mask | None = None
    problem: Problem | None = None  # something was changed: the view is blank
    erased: bool = False

    @property
    def question(self) -> Mask | None:
        """The region that maps are read over: the mask, or the best candidate where there is none."""
        if self.shown is not None and self.shown.mask.any():
            return self.shown.mask
        return self.runner_up


def view(house: House, opened: Opened, *, beside: bool = True) -> View:
    """The pictures of a result, its runner-up ``beside`` it; nothing for other records."""
    if not opened.is_result:
        return View()
    if opened.past is not None:
        return View(erased=True)
    home, predicate = house.keeper.home.folder, opened.predicate
    try:
        shown = layers.shown(home, predicate)
        if shown is None:
            return View()
        found = evidence.load(home, predicate)
        other = predicate["decision"]["runner_up"]
        if found is None or other is None or not beside:
            return View(shown, found)
        return View(shown, found, evidence.region(found, shown.mask.shape, other))
    except Problem as problem:
        return View(problem=problem)


def layer(seen: View, name: str) -> bytes | None:
    """One layer as PNG by its name; None for one that this record has not."""
    if seen.shown is not None:
        if name == "image":
            return layers.image(seen.shown.levels)
        if name == "outline":
            return layers.chosen(seen.shown.mask)
        if name == "runner-up" and seen.runner_up is not None:
            return layers.runner_up(seen.runner_up)
        if seen.evidence is not None and name.startswith("map-"):
            return _map(seen, seen.evidence, name.removeprefix("map-"))
    return None


def _map(seen: View, found: Evidence, name: str) -> bytes | None:
    if name in found.names:
        return layers.map_(found.planes[found.names.index(name)], found, seen.question)
    rest = found.rest
    if name == "rest" and rest is not None:
        return layers.map_(rest, found, seen.question)
    if name == "logit" and found.logit is not None:
        return layers.map_(found.logit, found, seen.question)
    return layers.certified(found, seen.question) if name == "certified" else None


def maps(seen: View) -> list[dict[str, Any]]:
    """The maps with their names and means inside the region, the one that says most first."""
    found = seen.evidence
    if found is None:
        return []
    where = _half(seen.question, found.planes.shape[1:])
    unit = 1 << found.bits
    order = sorted(range(len(found.names)), key=lambda k: -abs(int(found.planes[k][where].sum())))
    planes = [(found.names[k], label(found.names[k]), found.planes[k]) for k in order]
    rest = found.rest
    if rest is not None and found.logit is not None:
        planes += [("rest", "rest (not named)", rest), ("logit", "sum with bias", found.logit)]
    told = [
        {"layer": f"map-{key}", "name": name, "mean": signed(float(plane[where].mean()) / unit, 2), "ibsi": _ibsi(key)}
        for key, name, plane in planes
    ]
    share = f"{float(found.certified[where].mean()):.0%}"
    return [*told, {"layer": "map-certified", "name": "certified (light)", "mean": share, "ibsi": ""}]


def _half(region: Mask | None, shape: tuple[int, ...]) -> Mask:
    """Pixels of the half grid inside a region of the input; all where there is none."""
    if region is not None:
        rows, columns = (np.arange(n) * of // n for n, of in zip(shape, region.shape, strict=True))
        inside = region[rows[:, None], columns]
        if inside.any():
            return np.asarray(inside)
    return np.ones(shape, dtype=np.bool_)


def pixel(seen: View, row: int, column: int) -> dict[str, Any] | None:
    """The sum of one pixel of the input, name by name; None where there is no evidence or no such pixel."""
    if seen.shown is None or seen.evidence is None:
        return None
    high, wide = seen.shown.levels.shape
    if not (0 <= row < high and 0 <= column < wide):
        return None
    said = seen.evidence.at(row, column, (high, wide))
    unit = 1 << said["bits"]
    names = sorted(said["terms"], key=lambda name: (-abs(said["terms"][name]), name))
    rows = [{"name": label(name), "ibsi": _ibsi(name), "value": said["terms"][name]} for name in names]
    for one in rows:
        one["text"] = signed(one["value"] / unit, 3)
    said["named"] = sum(said["terms"].values())
    shown = ("bias", "named", "rest", "rho", "logit")
    texts = {part: None if said[part] is None else signed(said[part] / unit, 3) for part in shown}
    return {
        **said,
        "level": int(seen.shown.levels[row, column]),
        "inside": bool(seen.shown.mask[row, column]),
        "rows": rows,
        "text": texts,
    }


def sums(predicate: Mapping[str, Any]) -> dict[str, Any] | None:
    """The sum of the first chosen region, or of the best candidate, as ranked rows beside the runner-up's."""
    choice = predicate["decision"]
    region = choice["chosen"][0] if choice["chosen"] else choice["runner_up"]
    if region is None:
        return None
    other = choice["runner_up"] if choice["chosen"] else None
    unit = 1 << choice["score_bits"]
    terms, theirs = region["terms"], (other or {}).get("terms", {})
    most = max([abs(value) for value in (*terms.values(), *theirs.values())] + [abs(region["intercept"]), 1])
    rows = []
    for name in sorted(terms, key=lambda name: (-abs(terms[name]), name)):
        beside = theirs.get(name) if other else None
        if terms[name] == 0 and not beside:
            continue
        rows.append(
            {
                **_row(label(name), terms[name], beside, unit, most),
                "ibsi": _ibsi(name),
                "measured": measured(name, region["values"][name]),
                "beside": measured(name, other["values"][name]) if other else "",
                "meaning": _DEFINED[name].meaning if name in _DEFINED else "",
            }
        )
    few, many = rows[:_FEW], rows[_FEW:]
    rest = [sum(row[part] for row in many) for part in ("integer", "other")]
    others = _row(f"{len(many)} other terms", rest[0], rest[1] if other else None, unit, most)
    return {
        "few": [*few, others] if many else few,
        "rows": rows,
        "silent": [label(name) for name in sorted(terms) if terms[name] == 0 and not theirs.get(name)],
        "intercept": _row("intercept", region["intercept"], other["intercept"] if other else None, unit, most),
        "total": _row("sum", region["score"], other["score"] if other else None, unit, most),
        "other": other is not None,
        "chosen": bool(choice["chosen"]),
        "regions": len(choice["chosen"]),
        "candidates": choice["candidates"],
        "margin": None if choice["margin"] is None else signed(choice["margin"] / unit, 3),
        "short": None if choice["chosen"] else f"{abs(region['score']) / unit:.3f}",
    }


def _row(name: str, mine: int, theirs: int | None, unit: int, most: int) -> dict[str, Any]:
    """A term with its bar: where it begins and how long it is, in percent of the room on both sides of 0."""
    length = 50 * abs(mine) / most
    mark = None if theirs is None else round(50 + 50 * theirs / most, 2)
    return {
        **dict.fromkeys(("ibsi", "measured", "beside", "meaning"), ""),
        "name": name,
        "text": signed(mine / unit, 3),
        "integer": mine,
        "other": theirs or 0,
        "theirs": None if theirs is None else signed(theirs / unit, 3),
        "difference": None if theirs is None else signed((mine - theirs) / unit, 3),
        "from": round(min(50.0, 50 + 50 * mine / most), 2),
        "length": round(min(length, 50.0), 2),
        "mark": None if mark is None else min(max(mark, 1), 99),
        "side": "for" if mine > 0 else "against" if mine < 0 else "zero",
    }


def features(house: House, predicate: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The global values of the image beside the range of the release that measured them."""
    release = predicate["release"] or {}
    same = house.reference.get("manifest_sha256") == release.get("manifest_sha256")
    usual = house.reference.get("values", {}) if same else {}
    rows = []
    for key, text in predicate["radiomics"]["paper"].items():
        value, known = float.fromhex(text), BY_KEY.get(key)
        low, high = usual.get(key, (None, None))
        rows.append(
            {
                "order": list(BY_KEY).index(key) if known else len(BY_KEY),
                "name": label(key),
                "ibsi": _ibsi(key),
                "value": _number(value),
                "unit": known.unit if known else "",
                "low": None if low is None else _number(low),
                "high": None if high is None else _number(high),
                "at": None if low is None else round(min(max((value - low) / (high - low), -0.25), 1.25) * 100, 1),
                "outside": low is not None and not low <= value <= high,
            }
        )
    return sorted(rows, key=lambda row: row["order"])


def claims(house: House, opened: Opened) -> list[str]:
    """What verification has shown of this record, in words."""
    proof, predicate = opened.proof, opened.predicate
    words = [
        f"The record was signed by the key {proof.keyid}, which the policy of this home trusts for its entry.",
        f"It is entry {proof.index} of the log {proof.origin}, in the signed tree of {proof.size} entries.",
    ]
    if opened.past is not None:
        return words + [f"{text[:1].upper()}{text[1:]}." for text in opened.past.claims()]
    if opened.is_result:
        try:
            words += [f"{text[:1].upper()}{text[1:]}." for text in shelf.claims(house.keeper.home.folder, predicate)]
        except Problem as problem:
            words.append(f"NOT so: {problem}")
    return words


def line(opened: Opened) -> str:
    """The answer of a decision in one sentence."""
    said = answer(opened.predicate)
    return said[:1].upper() + said[1:]


def _ibsi(name: str) -> str:
    """The IBSI code of a feature, or of a region's value."""
    own = _DEFINED.get(name)
    if own is not None and own.ibsi:
        return own.ibsi
    known = BY_KEY.get(name.rpartition(" ")[2])
    return known.ibsi if known else ""


def _number(value: float) -> str:
    return f"{value:.5g}".replace("-", MINUS)

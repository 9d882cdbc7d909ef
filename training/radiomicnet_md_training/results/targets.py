# SPDX-License-Identifier: Apache-2.0
"""What was aimed at before the runs, beside what was measured: reached, not reached, or open where nothing tells.

Rules of this module:

- The text of a target and how it is judged stand in one table, :data:`TARGETS`; nothing is judged by hand.
- A limit that data cannot bear is no limit: what rests on an inconclusive interval is not reached.
- "Above every baseline" is open while a planned baseline has no stored run, unless one that has is not below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from radiomicnet_md_training.results import summary, words
from radiomicnet_md_training.results.elsewhere import Scored
from radiomicnet_md_training.results.known import ROWS
from radiomicnet_md_training.results.read import DEVICE, EXACT, NAMED, TWO_VIEWS, Row
from radiomicnet_md_validation.statistics import Interval

MOST_PARAMETERS = 310_000
MOST_SECONDS = 2_400.0  # of one fold
EXTERNAL_DICE = 0.75
_OURS = (DEVICE, "locked", "small-locked")


@dataclass(frozen=True, slots=True)
class Found:
    """All that a target may be judged by; ``locked`` is among the rows."""

    rows: Mapping[str, Row]
    faithfulness: Mapping[str, Any] | None
    external: Scored | None
    quantised: Mapping[str, Any] | None

    @property
    def locked(self) -> Row:
        """The row that the targets are about."""
        return self.rows["locked"]

    @property
    def named(self) -> summary.Cases:
        """Its decision by named values."""
        return summary.cases(self.locked, NAMED)

    @property
    def network(self) -> summary.Cases:
        """Its network alone."""
        return summary.cases(self.locked, TWO_VIEWS)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was measured, and whether that reaches the target; None: open."""

    measured: str
    reached: bool | None


Judge = Callable[[Found], Outcome]
UNKNOWN = Outcome("not measured yet", None)


def judged(
    rows: Mapping[str, Row],
    faithfulness: Mapping[str, Any] | None,
    external: Scored | None,
    quantised: Mapping[str, Any] | None,
) -> list[tuple[str, str, str]]:
    """Target, measured, reached (yes, no, open) of every target; all open without a run of ``locked``."""
    found = Found(rows, faithfulness, external, quantised)
    out = []
    for text, judge in TARGETS:
        outcome = judge(found) if "locked" in rows else UNKNOWN
        answer = {True: "**yes**", False: "no", None: "open"}[outcome.reached]
        out.append((text, outcome.measured, answer))
    return out


def _parameters(found: Found) -> Outcome:
    count = found.locked.run.parameters
    return Outcome(f"{count:,} in the network", count <= MOST_PARAMETERS)


def _dice(least: float) -> Judge:
    def judge(found: Found) -> Outcome:
        lesions = found.named.lesions
        one = summary.mean(lesions)
        return Outcome(f"{words.interval(one)}, n = {lesions.count}", one.point is not None and one.point >= least)

    return judge


def _refusals(found: Found) -> Outcome:
    """Plain shares of cases, averaged over seeds."""
    normals, lesions = found.named.normals, found.named.lesions
    if not normals.count or not lesions.count:
        return Outcome("no case of one kind", None)
    right, seen = 1 - float(normals.scores["found"].mean()), float(lesions.scores["found"].mean())
    measured = (
        f"{words.number(right)} of {normals.count} normals, at a sensitivity of {words.number(seen)} "
        f"of {lesions.count} lesions"
    )
    return Outcome(measured, right >= 0.85 and seen >= 0.92)  # noqa: PLR2004 - the target


def _presence(found: Found) -> Outcome:
    one = summary.presence(found.named)
    reached = one.point is not None and one.point >= 0.97  # noqa: PLR2004 - the target
    return Outcome(f"{words.interval(one)}, n = {found.named.count}", reached)


def _calibrated(region: str, most: float) -> Judge:
    def judge(found: Found) -> Outcome:
        scaled = [getattr(seed, region) for seed in found.locked.calibration.seeds]
        width, mass = (
            float(np.mean([getattr(s.after, kind) for s in scaled])) for kind in ("equal_width", "equal_mass")
        )
        raw = float(np.mean([s.before.equal_width for s in scaled]))
        measured = (
            f"{words.number(width, 4)} (equal mass {words.number(mass, 4)}; without temperature {words.number(raw, 4)})"
        )
        return Outcome(f"{measured}, n = {found.locked.calibration.cases} images", width <= most)

    return judge


def _above_all(found: Found) -> Outcome:
    ours = float(found.named.lesions.scores["dice"].mean())
    others = {
        name: float(summary.cases(row, TWO_VIEWS).lesions.scores["dice"].mean())
        for name, row in found.rows.items()
        if name in ROWS and name != "locked"
    }
    missing = [name for name in ROWS if name not in found.rows]
    if not others:
        return Outcome("no baseline has a stored run", None)
    best = max(others, key=lambda name: others[name])
    below = sum(value < ours for value in others.values())
    measured = (
        f"{words.number(ours)}: above {below} of {len(others)} that ran; the best of them is {ROWS[best]} with "
        f"{words.number(others[best])}; NOT RUN: {len(missing)}; n = {found.named.lesions.count}"
    )
    if below < len(others):
        return Outcome(measured, reached=False)
    return Outcome(measured, None if missing else True)


def _better_than(name: str) -> Judge:
    def judge(found: Found) -> Outcome:
        if name not in found.rows:
            return Outcome(f"{ROWS[name]}: NOT RUN", None)
        one = summary.difference(found.named, summary.cases(found.rows[name], TWO_VIEWS))
        measured = f"{words.interval(one, signed=True)}, n = {one.n}"
        return Outcome(measured, isinstance(one, Interval) and one.low > 0)

    return judge


def _cost(found: Found) -> Outcome:
    if "plain" not in found.rows:
        return Outcome(f"{ROWS['plain']}: NOT RUN", None)
    one = summary.difference(summary.cases(found.rows["plain"], TWO_VIEWS), found.network)
    reached = one.point is not None and one.point <= 0.01  # noqa: PLR2004 - the target
    return Outcome(f"{words.interval(one, signed=True)}, n = {one.n}", reached)


def _integers(found: Found) -> Outcome:
    one = summary.difference(found.network, summary.cases(found.locked, EXACT))
    reached = one.point is not None and one.point <= 0.002  # noqa: PLR2004 - the target
    flips = ""
    if found.quantised is not None:
        told = found.quantised
        flips = (
            f"; {told['flipped']:,} of {told['pixels']:,} pixels change sides, in {told['images_with_a_flip']} of "
            f"{told['images']} images, at most {told['most_in_one_image']} in one"
        )
    return Outcome(f"{words.interval(one, 4, signed=True)}, n = {one.n}{flips}", reached)


def _share(score: str, least: float) -> Judge:
    """Mean over all images, each under the locked integers of the fold that left it out."""

    def judge(found: Found) -> Outcome:
        one = summary.mean(summary.cases(found.locked, EXACT), score)
        return Outcome(f"{words.interval(one)}, n = {one.n} images", one.point is not None and one.point >= least)

    return judge


def _faithful(part: str, key: str, least: float) -> Judge:
    def judge(found: Found) -> Outcome:
        if found.faithfulness is None:
            return UNKNOWN
        told = found.faithfulness["summary"]
        value = told[part][key]
        if value is None:
            return Outcome("none", None)
        return Outcome(f"{words.number(value)}, n = {told['cases']} images", value >= least)

    return judge


def _seconds(found: Found) -> Outcome:
    spent = [unit.seconds for unit in found.locked.run.units if unit.device == "cpu"]
    if not spent:
        return Outcome("trained on an accelerator", None)
    return Outcome(
        f"at most {max(spent) / 60:.0f} min, n = {len(spent)} folds, one core each", max(spent) <= MOST_SECONDS
    )


def _external(found: Found) -> Outcome:
    if found.external is None:
        return Outcome("the external set is closed", None)
    lesions = {name: summary.averaged(told).lesions for name, told in found.external[1].items()}
    ours = float(lesions[DEVICE].scores["dice"].mean())
    others = {name: float(some.scores["dice"].mean()) for name, some in lesions.items() if name not in _OURS}
    below = sum(value < ours for value in others.values())
    text = f"{words.number(ours)} by the device: above {below} of {len(others)} others; n = {lesions[DEVICE].count}"
    return Outcome(text, ours >= EXTERNAL_DICE and below == len(others))


TARGETS: tuple[tuple[str, Judge], ...] = (
    ("`locked` has at most 310,000 parameters", _parameters),
    ("mean out-of-fold DSC on lesions, named values deciding, ≥ 0.80", _dice(0.80)),
    ("… 0.76 at the least", _dice(0.76)),
    ("normals answered “no lesion” ≥ 0.85 at lesion sensitivity ≥ 0.92, named values deciding", _refusals),
    ("presence AUC ≥ 0.97, named values deciding", _presence),
    ("ECE over all pixels ≤ 0.01, after the cross-fitted temperature, equal-width bins", _calibrated("pooled", 0.01)),
    ("ECE in the border band ≤ 0.06, likewise", _calibrated("band", 0.06)),
    ("mean DSC of `locked`, named values deciding, above every baseline", _above_all),
    ("lower 95 % bound of the difference to the `paper` preset > 0", _better_than("paper")),
    ("lower 95 % bound of the difference to U-Net > 0", _better_than("unet")),
    ("certified fraction ≥ 0.95 overall", _share("certified", 0.95)),
    ("certified fraction ≥ 0.80 in the border band", _faithful("certified", "band", 0.80)),
    ("centred share ≥ 0.75", _share("named", 0.75)),
    ("… at a DSC cost ≤ 0.01: plain logit − named sum, {z ≥ 0}", _cost),
    ("the locked integers lose ≤ 0.002 DSC: float − integers, {z ≥ 0}", _integers),
    ("one fold of `locked` fits in 40 minutes on two cores", _seconds),
    ("external DSC ≥ 0.75 and above every baseline", _external),
)

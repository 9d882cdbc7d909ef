# SPDX-License-Identifier: Apache-2.0
"""A measurement as headings, tables and pictures: one list of blocks that becomes the PDF and the page.

Rules of this module:

- A figure without an interval says why there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from radiomicnet_md.review.pdf import Block, Heading, Picture, Table, Text
from radiomicnet_md_validation import performance, performance_pictures, pixel_probability, sample_size
from radiomicnet_md_validation.case_set import SEALED
from radiomicnet_md_validation.performance import Figure, Scored

if TYPE_CHECKING:
    from radiomicnet_md_validation.acceptance import Judged
    from radiomicnet_md_validation.performance_report import Report

_WIDE = 490.0  # points: the width of the text


def blocks(report: Report) -> list[Block]:
    """Everything, in the order in which it is read."""
    return [
        *_head(report),
        *_acceptance(report),
        *_figures(report),
        *_sizes(report),
        *_calibration(report),
        *_pictures(report),
        *_cases(report),
    ]


def caution(report: Report) -> str:
    """What stands above everything."""
    return f"Not a cleared medical device. {report.stamp[:1].upper()}{report.stamp[1:]}."


def _head(report: Report) -> Iterator[Block]:
    release, cases = report.release, report.cases
    yield Heading(f"Performance against the truth: {report.verdict}", 1)
    yield Text(caution(report))
    yield Text(
        f"Release {release['id']} {release['version']} (manifest {release['manifest_sha256']}); split {cases.split} of"
        f" {cases.folder.name}, {len(report.scored)} cases (set {cases.sha256}); log {report.origin} at"
        f" {report.size} entries, one record a case.",
        small=True,
    )
    if report.opening is not None:
        before = report.opening.reuse_count
        yield Text(
            f"The split was opened by record {report.opening.record_id} before its first case was decided."
            f" Earlier openings of the same images in this log (reuse_count): {before}."
        )
    if report.seen:
        yield Text(
            f"Training has seen {len(report.seen)} of these {len(report.scored)} cases, or duplicates of them."
            " What follows says nothing about other images."
        )


def _acceptance(report: Report) -> Iterator[Block]:
    yield Heading("What was demanded")
    yield Text("The bound is judged, not the value. Too few cases are INCONCLUSIVE, never a PASS.", small=True)
    if report.cases.split != SEALED:
        yield Text(f"The demands were fixed for a closed test split, and are held here against {report.cases.split}.")
    rows = [_verdict(one) for one in report.judged]
    yield Table(("Object", "n", "needed", "Value", "Bound", "Verdict"), rows, frozenset({1, 2, 3, 4}))
    for one in report.judged:
        asked = one.objective
        demand = f"{asked.statistic} {asked.criterion} for the {asked.estimator}; {asked.population}; {asked.missing}"
        yield Text(f"{asked.id}: {demand}. SHA-256 {asked.sha256}.", small=True)


def _verdict(one: Judged) -> tuple[str, ...]:
    left = f"; {one.left_out} without an answer left out" if one.left_out else ""
    return (
        f"{one.objective.id} {one.objective.title}",
        str(one.n),
        str(one.objective.n_required),
        number(one.point),
        number(one.bound),
        f"{one.verdict}: {one.why}{left}",
    )


def _figures(report: Report) -> Iterator[Block]:
    yield Heading("Figures")
    yield Text(
        "Scores are means over images with a lesion; one without an answer, or missed, has the worst value. Intervals"
        " are two-sided, 95 %: BCa over duplicate groups for means, Clopper-Pearson over images for shares.",
        small=True,
    )
    found = performance.figures(report.scored)
    rows = [(one.name + (f" ({one.unit})" if one.unit else ""), *_values(one)) for one in found]
    yield Table(("", "Value", "95 % interval", "n", "groups"), rows, frozenset({1, 3, 4}))
    yield Heading("Subgroups")
    yield Text(f"Of images with a lesion. Fewer than {performance.FEWEST} are {performance.DESCRIPTIVE}.", small=True)
    parts = [
        (name, *_values(dice)[:2], number(missed.point), str(dice.n), str(dice.groups))
        for name, dice, missed in performance.subgroups(report.scored)
    ]
    yield Table(("Group", "Dice", "95 % interval", "Missed", "n", "groups"), parts, frozenset({1, 3, 4, 5}))


def _values(one: Figure) -> tuple[str, str, str, str]:
    interval = one.note if one.low is None else f"{number(one.low)} to {number(one.high)}"
    return number(one.point), interval, str(one.n), str(one.groups)


def _sizes(report: Report) -> Iterator[Block]:
    """What so many cases can show."""
    lesions = [one for one in report.scored if one.lesion]
    rows = [row for one in report.judged for row in _room(one, lesions)]
    yield Heading("What so many cases can show")
    yield Table(("Object", "With these cases"), rows)


def _room(one: Judged, lesions: Sequence[Scored]) -> Iterator[tuple[str, str]]:
    sign, limit = one.objective.criterion.split()
    if sign == "<=":
        most = sample_size.most_events(one.n, float(limit))
        said = "none would be few enough" if most is None else f"at most {most} of {one.n} may be so"
        yield one.objective.id, f"{said} for a bound {one.objective.criterion}"
        return
    if len(lesions) < performance.FEWEST:
        yield one.objective.id, f"{len(lesions)} cases: {performance.DESCRIPTIVE}"
        return
    dice = np.array([case.scores.dice for case in lesions])
    sd, margin = float(dice.std(ddof=1)), float(dice.mean()) - float(limit)
    if margin <= 0 or sd == 0:
        yield one.objective.id, f"the mean does not lie above {limit} (sd {sd:.3f}); no number of cases would show it"
        return
    n = sample_size.cases_for_mean(sd, margin)
    yield one.objective.id, f"with this mean and spread (sd {sd:.3f}), {n} cases would show it with power .90"


def _calibration(report: Report) -> Iterator[Block]:
    evidence = report.evidence
    yield Heading("Calibration")
    yield Text(pixel_probability.WHY, small=True)
    rows = [(name, f"{value:.4f}") for name, value in evidence.figures().items()]
    rows.append(("results with their evidence kept, and without", f"{evidence.cases}, {evidence.left_out}"))
    yield Table(("", "Value"), rows, frozenset({1}))


def _pictures(report: Report) -> Iterator[Block]:
    yield Heading("Plots")
    plots = performance_pictures.plots(report.scored, report.evidence.reliability, report.stamp)
    yield Picture([plots], "Dice in order, Dice against size, and frequency against predicted chance", _WIDE)
    if report.shown:
        yield Heading("The worst results")
        picture = performance_pictures.worst(report.shown, report.stamp)
        yield Picture([picture], "; ".join(f"truth and answer of {one.title}" for one in report.shown), _WIDE)


def _cases(report: Report) -> Iterator[Block]:
    yield Heading("Every case, the worst first")
    head = ("Case", "Class", "Answer", "Dice", "NSD", "HD95, px", "Record")
    yield Table(head, [_case(one) for one in report.worst_first], frozenset({3, 4, 5}))


def _case(one: Scored) -> tuple[str, ...]:
    answer = one.told.code or ("region" if one.found else "no lesion found")
    scores = (number(one.scores.dice), number(one.scores.nsd), f"{one.scores.hd95:.1f}")
    return (one.id, one.kind, answer, *(scores if one.lesion else ("", "", "")), one.told.record_id[:10])


def number(value: float | None) -> str:
    """Three decimals, or a dash."""
    return "–" if value is None else f"{value:.3f}"

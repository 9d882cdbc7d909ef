# SPDX-License-Identifier: Apache-2.0
"""What the device's answers are worth against the truth: every case counted, every mean with its number of cases.

Rules of this module:

- A lesion without an answer (refused, or an error) has the worst value of every score, as one that was missed.
- Scores are of images with a lesion. A normal image has one question: was a region drawn where there is none?
- Intervals are two-sided, 95 %, by duplicate group. A subgroup below :data:`FEWEST` cases gets none and says so.
- Distances and areas are in pixels of the input: the public sets state no millimetres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from radiomicnet_md_validation.case_set import Case, Truth
from radiomicnet_md_validation.metrics import Scores, score
from radiomicnet_md_validation.statistics import Inconclusive, Interval, bca, clopper_pearson

FEWEST = 20
DESCRIPTIVE = "descriptive only"
RESULT = "accepted"


@dataclass(frozen=True, slots=True)
class Told:
    """What the device said of a case, as its record holds it."""

    status: str  # accepted, refused, error
    code: str  # the reason's; empty for a result
    record_id: str
    log_index: int | None


@dataclass(frozen=True, slots=True)
class Scored:
    """One case with its answer held against its truth; areas in pixels."""

    id: str
    group: str
    kind: str
    device: str
    told: Told
    truth_px: int
    found_px: int
    size_px: int  # of the image
    common_px: int
    scores: Scores  # the worst of each where there is no answer

    @property
    def answered(self) -> bool:
        """Whether the device decided."""
        return self.told.status == RESULT

    @property
    def lesion(self) -> bool:
        """Whether there is one."""
        return self.truth_px > 0

    @property
    def found(self) -> bool:
        """Whether a region was drawn."""
        return self.found_px > 0

    @property
    def missed(self) -> bool:
        """Whether there is a lesion, and no pixel of it in the mask."""
        return self.lesion and not self.common_px

    @property
    def area_error(self) -> float:
        """|area found − true area| / true area of a lesion; 1 where it was not found."""
        return abs(self.found_px - self.truth_px) / self.truth_px


@dataclass(frozen=True, slots=True)
class Figure:
    """A mean or share with its interval, n and independent groups; a note where there is no interval."""

    name: str
    unit: str
    n: int
    groups: int
    point: float | None
    low: float | None
    high: float | None
    note: str = ""


def scored(case: Case, told: Told, truth: Truth, prediction: Truth | None) -> Scored:
    """A case's answer against its truth, both (rows, columns); ``prediction`` is None where there is no answer."""
    nothing = np.zeros_like(truth)
    drawn = nothing if prediction is None else prediction
    scores = score(drawn, truth)
    if prediction is None and not truth.any():  # no answer to a normal image is not the right answer
        scores = score(~nothing, truth)
    return Scored(
        id=case.id,
        group=case.group,
        kind=case.kind,
        device=case.device,
        told=told,
        truth_px=int(truth.sum()),
        found_px=int(drawn.sum()),
        size_px=truth.size,
        common_px=int((drawn & truth).sum()),
        scores=scores,
    )


def figures(cases: Sequence[Scored]) -> list[Figure]:
    """What is reported of a set of cases."""
    lesions, normals = [one for one in cases if one.lesion], [one for one in cases if not one.lesion]
    means: list[tuple[str, str, Callable[[Scored], float]]] = [
        ("Dice", "", lambda one: one.scores.dice),
        ("IoU", "", lambda one: one.scores.iou),
        ("Precision", "", lambda one: one.scores.precision),
        ("Recall", "", lambda one: one.scores.recall),
        ("Normalised surface Dice, 2 px", "", lambda one: one.scores.nsd),
        ("Hausdorff distance, 95 %", "px", lambda one: one.scores.hd95),
        ("Relative error of the area", "", lambda one: one.area_error),
    ]
    decided = [one for one in normals if one.answered]
    return [
        *(_mean(name, unit, lesions, value) for name, unit, value in means),
        _share("Missed lesions (no true pixel, or no answer)", lesions, lambda one: one.missed),
        _share("Lesions not outlined at all (failures)", lesions, lambda one: not one.found),
        _share("Normal images with a false region", decided, lambda one: one.found),
        _share("Cases without an answer", cases, lambda one: not one.answered),
    ]


def subgroups(cases: Sequence[Scored]) -> list[tuple[str, Figure, Figure]]:
    """Mean Dice and share of missed lesions by class, size and device, of images with a lesion; the group's name first.

    Sizes are tertiles of the share of the image that the lesion takes.
    """
    lesions = [one for one in cases if one.lesion]
    return [
        (name, _mean("Dice", "", some, lambda one: one.scores.dice), _share("Missed", some, lambda one: one.missed))
        for name, some in _parts(lesions)
        if some
    ]


def _parts(lesions: Sequence[Scored]) -> Iterator[tuple[str, list[Scored]]]:
    for kind in sorted({one.kind for one in lesions}):
        yield f"class: {kind}", [one for one in lesions if one.kind == kind]
    ordered = sorted(lesions, key=lambda one: (one.truth_px / one.size_px, one.id))
    for number, name in enumerate(("smallest", "middle", "largest")):
        part = ordered[len(ordered) * number // 3 : len(ordered) * (number + 1) // 3]
        shares = [one.truth_px / one.size_px for one in part]
        yield f"size: {name} third" + (f" ({min(shares):.1%} to {max(shares):.1%} of the image)" if part else ""), part
    for device in sorted({one.device for one in lesions}):
        yield f"device: {device}", [one for one in lesions if one.device == device]


def _mean(name: str, unit: str, cases: Sequence[Scored], value: Callable[[Scored], float]) -> Figure:
    return _figure(name, unit, cases, bca([value(one) for one in cases], [one.group for one in cases]))


def _share(name: str, cases: Sequence[Scored], value: Callable[[Scored], bool]) -> Figure:
    return _figure(name, "", cases, clopper_pearson(sum(value(one) for one in cases), len(cases)))


def _figure(name: str, unit: str, cases: Sequence[Scored], found: Interval | Inconclusive) -> Figure:
    n, groups = len(cases), len({one.group for one in cases})
    if n < FEWEST:
        return Figure(name, unit, n, groups, found.point, None, None, DESCRIPTIVE if n else "no case")
    if isinstance(found, Inconclusive):
        return Figure(name, unit, n, groups, found.point, None, None, found.reason)
    return Figure(name, unit, n, groups, found.point, found.low, found.high)

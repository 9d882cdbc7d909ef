# SPDX-License-Identifier: Apache-2.0
"""What is usual among the training cases: reference ranges, weights and limits that a release locks.

Rules of this module:

- Only training cases enter. No image from outside the intended use is looked at, so no kind of it is fitted to.
- The limit is the distance that a stated share of the training cases exceeds when each is asked by a reference that
  was fitted without it, without its duplicates and without the rest of its fold.
- Usual shapes are those of the drawn masks and of the right answers among those that the device's own method gave to
  training cases out of fold: a plausible result looks like a lesion, or like an answer that agreed with one.
- Masks are measured by the device's own functions, as regions that the device could have proposed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md.engine import decide, familiar
from radiomicnet_md.engine.familiar import Reference
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics import region, region_definitions
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region_tree import Tree
from radiomicnet_md_training import folds
from radiomicnet_md_training.dataset import Dataset
from radiomicnet_md_training.proposals import Proposals

FOLDS = 5
OUTSIDE = 0.02  # share of the training cases above the limit of the distance
ENDS = (0.05, 0.5, 0.95)  # quantiles: ends and middle of a reference range
RIGHT = 0.5  # an answer's Dice with the drawn mask, at least
RIDGE = 0.05  # part of the covariance's mean diagonal that is added to it, so that no direction is taken as impossible
CLIP = 4.0  # positions count up to here in the covariance: one odd case does not widen it


@dataclass(frozen=True, slots=True)
class Answer:
    """What the device's method answered to a case that it had not seen."""

    case: int
    regions: list[dict[str, int]]  # named values of each chosen region
    dice: float  # with the drawn mask; 0 where there is none


def fit(data: Dataset, part: NDArray[np.int64], paper: NDArray[np.float64], answers: Sequence[Answer]) -> Reference:
    """The reference of the cases at ``part``.

    ``paper`` holds the thirteen values of every case (N, 13); of ``answers`` those to cases of the part are used.
    """
    measured = {case: familiar.values(data.levels(case), paper[case].tolist()) for case in part.tolist()}
    usual = _shapes(data, part, answers)

    def of(cases: NDArray[np.int64]) -> Reference:
        return _without_limit(np.array([measured[case] for case in cases.tolist()]), usual)

    distances: list[int] = []
    for held_out in folds.split([data.groups[i] for i in part], data.lesion[part], FOLDS):
        without = of(np.delete(part, held_out))
        distances += [without.judge(measured[case]).distance for case in part[held_out].tolist()]
    return replace(of(part), limit=sorted(distances)[len(distances) - 1 - int(OUTSIDE * len(distances))])


def answers(found: Sequence[Proposals], tables: Mapping[int, Mapping[str, Any]]) -> list[Answer]:
    """The answer to each case by the region tables that never saw it; ``tables`` by fold."""
    read = {fold: decide.Tables.from_json(table) for fold, table in tables.items()}
    out = []
    for p in found:
        values = p.values[:, : len(region_definitions.VALUE_NAMES)]
        scores = (read[p.fold].intercept + read[p.fold].read(values).sum(1)).tolist() if len(values) else []
        chosen = decide.select(scores, p.parents.tolist())
        mask = p.pixels[chosen].any(0)
        dice = 2 * (mask & p.truth).sum() / max(mask.sum() + p.truth.sum(), 1)
        named = [dict(zip(region_definitions.VALUE_NAMES, values[i].tolist(), strict=True)) for i in chosen]
        out.append(Answer(p.case, named, float(dice)))
    return out


def _shapes(data: Dataset, part: NDArray[np.int64], answers_: Sequence[Answer]) -> dict[str, tuple[int, int]]:
    """Smallest and largest of each of :data:`familiar.SHAPES` in drawn masks and right answers of the part."""
    inside = set(part.tolist())
    results = [regions(_drawn(data, case)) for case in inside]
    results += [answer.regions for answer in answers_ if answer.case in inside and answer.dice >= RIGHT]
    seen = [familiar.shapes(result) for result in results if result]
    if not seen:
        raise ConfigurationError(
            "E-NO-LESIONS", "no training case has a lesion, so no shape is usual", remedy="train on more cases"
        )
    return {
        name: (min(min(one[name]) for one in seen), max(max(one[name]) for one in seen)) for name in familiar.SHAPES
    }


def _drawn(data: Dataset, case: int) -> NDArray[np.bool_]:
    rows, columns = data.sizes[case]
    return np.asarray(data.masks[case, :rows, :columns] > 127)  # noqa: PLR2004 - half covered


def regions(mask: NDArray[np.bool_]) -> list[dict[str, int]]:
    """The parts of a mask (rows, columns) that a device could propose, each with its named values."""
    labels, count = ndimage.label(mask)
    parts = [ndimage.binary_fill_holes(labels == number) for number in range(1, count + 1)]
    parts = [part for part in parts if part.sum() >= decide.SMALLEST]
    if not parts:
        return []
    blank = np.zeros(mask.shape, dtype=np.uint8)
    codes = np.zeros((len(NAMED), *((n + 1) // 2 for n in mask.shape)), dtype=np.uint8)
    rows = [region.measure(Tree.of([part]), blank, codes)[0].tolist() for part in parts]
    return [dict(zip(region_definitions.VALUE_NAMES, row, strict=True)) for row in rows]


def _without_limit(measured: NDArray[np.float64], usual: dict[str, tuple[int, int]]) -> Reference:
    """Ranges and weights of values (cases, values)."""
    low, middle, high = np.quantile(measured, ENDS, axis=0, method="closest_observation")
    low, middle, high = _apart(low, middle, high)
    bare = Reference(tuple(low.tolist()), tuple(middle.tolist()), tuple(high.tolist()), (), 0, usual)
    place = np.clip(bare.positions(measured) / (1 << familiar.POSITION_BITS), -CLIP, CLIP)
    covariance = np.cov(place.T)
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    weights = np.rint(np.linalg.inv(covariance) * (1 << familiar.WEIGHT_BITS)).astype(np.int64)
    even = (weights + weights.T) // 2
    return replace(bare, weights=tuple(map(tuple, even.tolist())))


def _apart(
    low: NDArray[np.float64], middle: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The three, at least a thousandth of the middle apart: a value that hardly varies still has a range."""
    least = np.maximum(np.abs(middle) / 1000, 1e-6)
    return np.minimum(low, middle - least), middle, np.maximum(high, middle + least)

# SPDX-License-Identifier: Apache-2.0
"""What a stored row scores and how surely, and how two rows differ; every figure by ``statistics`` over all cases.

Rules of this module:

- A case's scores are first averaged over the seeds; then cases are averaged. No case is left out of its kind.
- Groups of duplicate images are what is independent: intervals of means draw groups, rank tests average within
  groups, and shares of errors count the groups that hold an error.
- With several seeds a case counts as wrong where at least half of the seeds are wrong about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md_training.results.read import EXACT, Line, Row
from radiomicnet_md_validation import statistics
from radiomicnet_md_validation.statistics import Inconclusive, Interval, Ranked

Floats = NDArray[np.float64]
Estimate = Interval | Inconclusive
SHARES = ("certified", "named")  # of the locked integers alone
SCORES = ("found", "dice", "iou", "precision", "recall", "nsd", "hd95", "presence")


@dataclass(frozen=True, slots=True)
class Cases:
    """The cases of a row under one decision, by name, with their scores averaged over seeds; arrays (n,)."""

    names: tuple[str, ...]
    groups: tuple[str, ...]
    kinds: tuple[str, ...]
    lesion: NDArray[np.bool_]
    scores: Mapping[str, Floats]

    def at(self, chosen: NDArray[np.bool_]) -> Cases:
        """The cases where ``chosen`` (n,) is true."""
        index = np.flatnonzero(chosen)
        return Cases(
            tuple(self.names[i] for i in index),
            tuple(self.groups[i] for i in index),
            tuple(self.kinds[i] for i in index),
            self.lesion[index],
            {key: values[index] for key, values in self.scores.items()},
        )

    @property
    def lesions(self) -> Cases:
        """Those with a lesion."""
        return self.at(self.lesion)

    @property
    def normals(self) -> Cases:
        """Those without one."""
        return self.at(~self.lesion)

    def of_kind(self, kind: str) -> Cases:
        """Those of one kind."""
        return self.at(np.array([one == kind for one in self.kinds], dtype=np.bool_))

    @property
    def count(self) -> int:
        """Number of cases."""
        return len(self.names)

    @property
    def independent(self) -> int:
        """Number of duplicate groups."""
        return len(set(self.groups))


@dataclass(frozen=True, slots=True)
class Errors:
    """How many cases were answered wrongly, and how many groups hold such a case; the interval is of the groups."""

    wrong: int
    cases: int
    wrong_groups: int
    groups: int
    share: Estimate


@dataclass(frozen=True, slots=True)
class Contest:
    """Two decisions about the same lesions: first − second in Dice, and p before and after Holm."""

    first: str
    second: str
    mean: Estimate
    typical: Estimate
    ranked: Ranked
    adjusted: float


def cases(row: Row, decision: str, seed: int | None = None) -> Cases:
    """The cases of a row under a decision: averaged over all seeds, or of one."""
    lines = [line for line in row.decisions[decision] if seed in {None, line.seed}]
    return averaged(lines, SCORES + (SHARES if decision == EXACT else ()))


def averaged(lines: Sequence[Line], scores: Sequence[str] = SCORES) -> Cases:
    """The cases that lines tell of, each with the mean of its lines."""
    told = {line.id: (line.group, line.kind, bool(line.lesion)) for line in lines}
    names = tuple(sorted(told))
    place = {name: i for i, name in enumerate(names)}
    of_case = np.array([place[line.id] for line in lines], dtype=np.int64)
    times = np.bincount(of_case, minlength=len(names))
    groups, kinds, lesion = zip(*(told[name] for name in names), strict=True)
    return Cases(
        names,
        groups,
        kinds,
        np.array(lesion, dtype=np.bool_),
        {
            key: np.bincount(of_case, [getattr(line, key) for line in lines], minlength=len(names)) / times
            for key in scores
        },
    )


def mean(some: Cases, score: str = "dice") -> Estimate:
    """Mean of a score with its BCa interval by group."""
    return statistics.bca(some.scores[score], some.groups)


def missed(some: Cases) -> Errors:
    """Lesions that were answered with no region at all."""
    lesions = some.lesions
    return _errors(lesions, lesions.scores["found"] <= 0.5)  # noqa: PLR2004 - half of the seeds


def false_regions(some: Cases) -> Errors:
    """Images without a lesion that were answered with a region."""
    normals = some.normals
    return _errors(normals, normals.scores["found"] >= 0.5)  # noqa: PLR2004 - half of the seeds


def presence(some: Cases) -> Estimate:
    """Area under the ROC curve of the presence score, lesion against none, with its interval by group."""
    return statistics.auc(some.lesion, some.scores["presence"], some.groups)


def seeds(row: Row, decision: str) -> dict[int, float]:
    """Mean Dice of the lesions with each seed."""
    numbers = sorted({unit.seed for unit in row.run.units})
    return {seed: float(cases(row, decision, seed).lesions.scores["dice"].mean()) for seed in numbers}


def difference(first: Cases, second: Cases) -> Estimate:
    """Mean difference of the lesions' Dice, first − second, with its BCa interval by group."""
    one, other = first.lesions, second.lesions
    return statistics.paired_difference(one.scores["dice"], other.scores["dice"], one.groups)


def contests(pairs: Sequence[tuple[str, Cases, str, Cases]]) -> list[Contest]:
    """Compare the named pairs on their lesions; Holm over all of them together."""
    ranked = []
    for _, first, _, second in pairs:
        one, other = first.lesions, second.lesions
        ranked.append(statistics.wilcoxon(one.scores["dice"], other.scores["dice"], one.groups))
    adjusted = statistics.holm([one.p for one in ranked])
    return [
        Contest(
            name,
            other_name,
            difference(first, second),
            statistics.hodges_lehmann(
                first.lesions.scores["dice"], second.lesions.scores["dice"], first.lesions.groups
            ),
            ranked[i],
            adjusted[i],
        )
        for i, (name, first, other_name, second) in enumerate(pairs)
    ]


def _errors(some: Cases, wrong: NDArray[np.bool_]) -> Errors:
    groups = {group for group, bad in zip(some.groups, wrong, strict=True) if bad}
    share = statistics.clopper_pearson(len(groups), some.independent)
    return Errors(int(wrong.sum()), some.count, len(groups), some.independent, share)

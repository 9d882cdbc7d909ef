# SPDX-License-Identifier: Apache-2.0
"""What was demanded before the cases were looked at is met, missed, or cannot be told; never met by too few cases.

Rules of this module:

- An acceptance object is an item of ``traceability/acceptance/objects.yaml``; one that is not what its hash says is
  refused. Its words are looked up here: a statistic, an estimator or a rule for what is missing that this code does
  not compute is refused, so that an object cannot say one thing and be judged by another.
- Fewer cases than ``n_required`` are INCONCLUSIVE, whatever they show.
- The bound is judged, not the mean. Where there is no bound (every case alike), a mean that misses the criterion is a
  FAIL, for no bound is better than it, and a mean that meets it is INCONCLUSIVE.
- Cases that training has seen make every object a FAIL: they show nothing about others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from radiomicnet_md.errors import IntegrityError
from radiomicnet_md_traceability import load, stamp, verdict
from radiomicnet_md_validation.performance import Scored
from radiomicnet_md_validation.statistics import Inconclusive, Interval, bca, clopper_pearson

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
_ONE_SIDED = 0.90  # a two-sided interval of this level ends in two one-sided bounds of 95 %
_RESAMPLES, _SEED = 10_000, 20_260_101


@dataclass(frozen=True, slots=True)
class Objective:
    """One acceptance object as it was fixed; ``sha256`` is over everything it says."""

    id: str
    title: str
    statistic: str
    estimator: str
    criterion: str
    population: str
    n_required: int
    missing: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Judged:
    """An object beside what was found; ``left_out`` are refusals that its rule leaves out and counts."""

    objective: Objective
    n: int
    groups: int
    point: float | None
    bound: float | None
    left_out: int
    verdict: str
    why: str


@dataclass(frozen=True, slots=True)
class _Statistic:
    """Which cases count, what each is worth, which estimators fit, and what becomes of a case without an answer."""

    counts: Callable[[Scored], bool]
    value: Callable[[Scored], float]
    estimator: str
    missing: str
    leaves_out_refused: bool = False


_BCA = f"one-sided 95 % BCa lower bound, clustered by duplicate group, {_RESAMPLES} resamples, seed {_SEED}"
_EXACT = "Clopper-Pearson one-sided 95 % upper bound"
_STATISTICS = {
    "mean Dice of a case": _Statistic(
        lambda one: one.lesion, lambda one: one.scores.dice, _BCA, "a missed lesion has Dice 0"
    ),
    "share of lesions with no true pixel in the mask": _Statistic(
        lambda one: one.lesion, lambda one: float(one.missed), _EXACT, "a refusal counts as missed"
    ),
    "share of normal images with a region": _Statistic(
        lambda one: not one.lesion,
        lambda one: float(one.found),
        _EXACT,
        "a refusal is left out and counted",
        leaves_out_refused=True,
    ),
}


def objectives(file: Path | None = None) -> tuple[Objective, ...]:
    """The acceptance objects of this installation, or of ``file``.

    Raises :class:`IntegrityError` ``E-ACCEPTANCE-CHANGED``, ``E-ACCEPTANCE-FORM``, ``E-ACCEPTANCE-UNKNOWN``.
    """
    file = file or load.folder() / "acceptance" / "objects.yaml"
    try:
        rows = yaml.safe_load(file.read_text(encoding="utf-8"))
        return tuple(_objective(dict(row)) for row in rows)
    except (OSError, yaml.YAMLError, KeyError, TypeError, ValueError) as error:
        raise _wrong("E-ACCEPTANCE-FORM", f"cannot be read ({type(error).__name__})") from error


def judge(objective: Objective, cases: Sequence[Scored], seen: Sequence[str] = ()) -> Judged:
    """One object against all cases of a split; ``seen`` are ids that training has seen."""
    statistic = _STATISTICS[objective.statistic]
    mine = [one for one in cases if statistic.counts(one)]
    counted = [one for one in mine if one.answered or not statistic.leaves_out_refused]
    values, groups = [statistic.value(one) for one in counted], [one.group for one in counted]
    found = _estimated(statistic.estimator, values, groups)
    bound = None
    if isinstance(found, Interval):
        bound = found.low if statistic.estimator == _BCA else found.high
    word, why = _word(objective, len(counted), found, bound, seen)
    left_out = len(mine) - len(counted)
    return Judged(objective, len(counted), len(set(groups)), found.point, bound, left_out, word, why)


def overall(judged: Sequence[Judged]) -> str:
    """PASS where every object is met; FAIL where one is missed."""
    words = {one.verdict for one in judged}
    return FAIL if FAIL in words else INCONCLUSIVE if words != {PASS} else PASS


def _objective(row: dict[str, Any]) -> Objective:
    if row["sha256"] != stamp.of_values(row):
        raise _wrong("E-ACCEPTANCE-CHANGED", f"{row['id']} is not what its hash says")
    made = Objective(**{name: row[name] for name in Objective.__slots__})
    known = _STATISTICS.get(made.statistic)
    if known is None or (made.estimator, made.missing) != (known.estimator, known.missing):
        raise _wrong("E-ACCEPTANCE-UNKNOWN", f"{made.id} asks for something that this version does not compute")
    return made


def _estimated(estimator: str, values: Sequence[float], groups: Sequence[str]) -> Interval | Inconclusive:
    if estimator == _BCA:
        return bca(values, groups, level=_ONE_SIDED, resamples=_RESAMPLES, seed=_SEED)
    return clopper_pearson(int(sum(values)), len(values), _ONE_SIDED)


def _word(
    objective: Objective, n: int, found: Interval | Inconclusive, bound: float | None, seen: Sequence[str]
) -> tuple[str, str]:
    if seen:
        return FAIL, f"leaking: training has seen {len(seen)} of the cases or their duplicates"
    if n < objective.n_required:
        return INCONCLUSIVE, f"{n} cases, and {objective.n_required} are required"
    if bound is not None:
        met = verdict.holds(bound, objective.criterion)
        return (PASS if met else FAIL), f"the bound {bound:.4f} is {'' if met else 'not '}{objective.criterion}"
    reason = found.reason if isinstance(found, Inconclusive) else ""
    if found.point is not None and not verdict.holds(found.point, objective.criterion):
        return FAIL, f"the value {found.point:.4f} itself is not {objective.criterion} ({reason})"
    return INCONCLUSIVE, reason


def _wrong(code: str, what: str) -> IntegrityError:
    return IntegrityError(
        code,
        f"The acceptance objects: {what}.",
        remedy="Restore the objects as they were fixed; a new demand is a new object, made before cases are scored.",
    )

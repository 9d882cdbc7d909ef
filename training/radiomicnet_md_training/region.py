# SPDX-License-Identifier: Apache-2.0
"""Fits the region tables: an explainable boosting machine without interactions, which is a sum of tables.

Rules of this module:

- Every training candidate was proposed by a network that never saw its image (nor a duplicate of it).
- The target is the candidate's Dice with the mask. The offset that turns a predicted Dice into a score is the highest
  at which the recipe's share of the images with a lesion still gets an answer (``sensitivity``): a missed lesion
  harms more than a false region. A held-out fold is answered with tables and an offset that were found without it:
  the offset from predictions by tables that saw neither that fold nor the fold of the image predicted.
- A release decides with named values only (:data:`NAMED_ONLY`); the other sets exist to be compared.
- Where it is known beforehand which way a value speaks, its table is held to it (:data:`MONOTONE`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import SCORE_BITS
from radiomicnet_md.engine import decide
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics.region_definitions import GROUPS, VALUE_NAMES
from radiomicnet_md_training.proposals import NAMES, NETWORK_NAMES, Proposals
from radiomicnet_md_training.recipe import Region

log = logging.getLogger(__name__)
STEP = 1 / 1024  # of an offset, in predicted Dice
NAMED_ONLY = "named"
WITHOUT = "named without "  # begins the name of a set that leaves one group of values out
_LEFT_OUT = "local binary patterns"
SETS: dict[str, tuple[str, ...]] = {
    NAMED_ONLY: tuple(name for name in VALUE_NAMES if name not in GROUPS[_LEFT_OUT]),  # chosen by the rule of ADR 10
}
SETS |= {
    "named and network": (*SETS[NAMED_ONLY], *NETWORK_NAMES),
    "network": NETWORK_NAMES,
    f"named with {_LEFT_OUT}": VALUE_NAMES,
    **{
        f"{WITHOUT}{group}": tuple(name for name in SETS[NAMED_ONLY] if name not in some)
        for group, some in GROUPS.items()
        if group != _LEFT_OUT
    },
}
# A solid lesion or cyst is darker than the tissue around it; one that the image cuts off is seldom measured.
MONOTONE = {"intensity step": 1, "border step": 1, "at the image border": -1}


@dataclass(frozen=True, slots=True)
class Fit:
    """Tables for a set of values, and what they answer on held-out folds."""

    tables: dict[str, Any]  # the ``region`` part of tables.json
    folds: dict[int, dict[str, Any]]  # for each fold the tables that answer it, found without it
    offset: float
    answers: dict[int, NDArray[np.bool_]]  # each case's mask on the working grid, cross-fitted
    best: dict[int, float]  # each case's highest cross-fitted score: how surely there is a lesion


def fit(proposals: list[Proposals], settings: Region, names: Sequence[str]) -> Fit:
    """Fit tables to the named columns of all proposals; raises where there is nothing to fit to or to judge by."""
    seen = [p for p in proposals if len(p.dice)]
    parts = sorted({p.fold for p in seen})
    if len(parts) < 3:  # noqa: PLR2004 - one to fit on, one to find an offset, one to judge by
        raise ConfigurationError(
            "E-NO-CANDIDATES",
            "fewer than three folds propose any region, so there is nothing to fit tables to",
            remedy="train longer, or on more cases",
        )
    columns = [NAMES.index(name) for name in names]
    machines: dict[frozenset[int], Any] = {}

    def machine(*left_out: int) -> Any:  # noqa: ANN401 - the library is not typed
        without = frozenset(left_out)
        if without not in machines:
            machines[without] = _machine(settings, [q for q in seen if q.fold not in without], names)
        return machines[without]

    def predict(p: Proposals, *left_out: int) -> NDArray[np.float64]:
        """The Dice of an image's candidates, by tables that saw neither the image's fold nor those left out."""
        return np.asarray(machine(p.fold, *left_out).predict(p.values[:, columns].astype(float)))

    predicted = {p.case: predict(p) for p in seen}
    answers, best, folds = {}, {}, {}
    for fold in sorted({p.fold for p in proposals}):
        others = [p for p in proposals if p.fold != fold]
        offset = _offset(others, {p.case: predict(p, fold) for p in others if len(p.dice)}, settings.sensitivity)
        folds[fold] = _tables(machine(fold), names, offset)
        log.info("region tables, %d values: fold %d done", len(names), fold)
        for p in proposals:
            if p.fold == fold:
                answers[p.case] = answer(p, predicted.get(p.case), offset)
                best[p.case] = float(predicted[p.case].max() - offset) if p.case in predicted else -1.0
    offset = _offset(proposals, predicted, settings.sensitivity)
    return Fit(_tables(machine(), names, offset), folds, offset, answers, best)


def oracle(p: Proposals) -> NDArray[np.bool_]:
    """The candidate that agrees best with the truth: no rule that picks one candidate can do better."""
    if not len(p.dice) or not p.truth.any():
        return np.zeros(p.truth.shape, dtype=np.bool_)
    best: NDArray[np.bool_] = p.pixels[int(p.dice.argmax())]
    return best


def answer(p: Proposals, predicted: NDArray[np.float64] | None, offset: float) -> NDArray[np.bool_]:
    """The mask that the device's own selection makes of predicted scores."""
    mask = np.zeros(p.truth.shape, dtype=np.bool_)
    if predicted is not None:
        scores = np.rint((predicted - offset) * 2**SCORE_BITS).astype(int).tolist()
        for i in decide.select(scores, p.parents.tolist()):
            mask |= p.pixels[i]
    return mask


def _machine(settings: Region, proposals: list[Proposals], names: Sequence[str]) -> Any:  # noqa: ANN401 - the library is not typed
    from interpret.glassbox import ExplainableBoostingRegressor

    model = ExplainableBoostingRegressor(
        feature_names=list(names),
        feature_types=["continuous"] * len(names),
        max_bins=settings.bins,
        interactions=0,
        outer_bags=settings.bags,
        learning_rate=settings.rate,
        max_rounds=settings.rounds,
        monotone_constraints=[MONOTONE.get(name, 0) for name in names],
        random_state=settings.seed,
        n_jobs=settings.bags,  # the bags do not depend on each other
    )
    columns = [NAMES.index(name) for name in names]
    x = np.concatenate([p.values[:, columns] for p in proposals]).astype(float)
    y = np.concatenate([p.dice for p in proposals])
    model.fit(x, y)
    return model


def _offset(proposals: list[Proposals], predicted: dict[int, NDArray[np.float64]], sensitivity: float) -> float:
    """The highest multiple of :data:`STEP` below the best candidate of enough of the images with a lesion.

    An image without a candidate is missed at any offset; where too many are, every other one has to be answered.
    """
    lesions = [p for p in proposals if p.truth.any()]
    best = sorted(float(predicted[p.case].max()) for p in lesions if p.case in predicted)
    if not best:
        return 0.0
    allowed = int((1 - sensitivity) * len(lesions)) - (len(lesions) - len(best))
    return float(np.ceil(best[max(0, allowed)] / STEP) - 1) * STEP


def _tables(model: Any, names: Sequence[str], offset: float) -> dict[str, Any]:  # noqa: ANN401 - the library is not typed
    """The machine as integer tables: ``x >= edge`` counts edges; scores in 2**-SCORE_BITS."""
    terms: dict[str, Any] = {}
    for name, cuts, scores in zip(names, model.bins_, model.term_scores_, strict=True):
        edges = [int(np.ceil(cut)) for cut in cuts[0]]
        terms[name] = {"edges": edges, "scores": np.rint(np.asarray(scores[1:-1]) * 2**SCORE_BITS).astype(int).tolist()}
    return {"intercept": round((float(model.intercept_) - offset) * 2**SCORE_BITS), "terms": terms}

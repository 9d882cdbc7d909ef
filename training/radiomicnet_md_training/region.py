# SPDX-License-Identifier: Apache-2.0
"""Fits the region tables: an explainable boosting machine without interactions, which is a sum of tables.

Rules of this module:

- Every training candidate was proposed by a network that never saw its image (nor a duplicate of it).
- The target is the candidate's Dice with the mask; the offset that turns a predicted Dice into a score is
  chosen by cross-validation over the same folds, as the one with the best mean Dice over *all* images,
  those without a lesion counting 1 for an empty answer and 0 for any other.
- Only named values of a region enter; no value of the network does.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import SCORE_BITS
from radiomicnet_md.engine import decide
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.radiomics import region
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region import VALUE_NAMES
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.recipe import Region
from radiomicnet_md_validation.metrics import dice

log = logging.getLogger(__name__)
OFFSETS = tuple(round(0.20 + 0.02 * i, 2) for i in range(26))  # 0.20 … 0.70


@dataclass(frozen=True, slots=True)
class Proposals:
    """The candidates of one image, in tree order."""

    case: int
    fold: int
    values: NDArray[np.int64]  # (candidates, values)
    parents: list[int]  # −1: none
    pixels: list[NDArray[np.bool_]]
    truth: NDArray[np.bool_]
    fixed: NDArray[np.bool_]  # {z ≥ 0}: what a plain threshold would answer


def propose(engine: Engine, prepared: Prepared, index: NDArray[np.int64], fold: int) -> list[Proposals]:
    """The candidates of the cases at ``index``, with their named values."""
    out = []
    for case in index.tolist():
        rows, columns = prepared.sizes[case]
        proposal = engine.propose(np.ascontiguousarray(prepared.images[case, 0, :rows, :columns]))
        evidence = decide.upsample(proposal.evidence.logit, rows, columns)
        found = decide.candidates(evidence)
        levels, codes = proposal.measured.levels, proposal.codes[: len(NAMED)]
        truth = prepared.masks[case, :rows, :columns] > 127  # noqa: PLR2004 - half covered
        out.append(
            Proposals(
                case,
                fold,
                region.measure(found.tree, levels, codes),
                found.tree.parents.tolist(),
                [found.tree.pixels(i) for i in range(len(found.tree))],
                truth,
                evidence >= 0,
            )
        )
    return out


def fit(proposals: list[Proposals], settings: Region) -> tuple[dict[str, Any], dict[str, float]]:
    """The ``region`` part of tables.json, and what cross-validation said of it."""
    seen = [p for p in proposals if len(p.pixels)]
    if len({p.fold for p in seen}) < 2:  # noqa: PLR2004 - one to fit on, one to judge by
        raise ConfigurationError(
            "E-NO-CANDIDATES",
            "fewer than two folds propose any region, so there is nothing to fit tables to",
            remedy="train longer, or on more cases",
        )
    targets = {p.case: np.array([dice(pixels, p.truth) for pixels in p.pixels]) for p in seen}
    predicted: dict[int, NDArray[np.float64]] = {}
    for fold in sorted({p.fold for p in seen}):
        model = _machine(settings, [p for p in seen if p.fold != fold], targets)
        predicted |= {p.case: model.predict(p.values.astype(float)) for p in seen if p.fold == fold}
        log.info("region tables: fold %d done", fold)
    quality = {offset: _quality(proposals, predicted, offset) for offset in OFFSETS}
    offset = max(OFFSETS, key=lambda o: quality[o])
    answers = {p.case: _answer(p, predicted, offset) for p in proposals}
    lesions = [p for p in proposals if p.truth.any()]
    normals = [p for p in proposals if not p.truth.any()]
    report = {
        "offset": offset,
        "cases": len(proposals),
        "candidates": sum(len(p.pixels) for p in proposals),
        "mean_dice_all": quality[offset],
        "lesion_dice": _mean([dice(answers[p.case], p.truth) for p in lesions]),
        "lesion_dice_fixed_threshold": _mean([dice(p.fixed, p.truth) for p in lesions]),
        "lesion_dice_oracle": _mean([float(targets[p.case].max()) if p.case in targets else 0.0 for p in lesions]),
        "lesions_missed": _mean([float(not answers[p.case].any()) for p in lesions]),
        "normals_with_a_region": _mean([float(answers[p.case].any()) for p in normals]),
        "normals_with_a_region_fixed_threshold": _mean([float(p.fixed.any()) for p in normals]),
    }
    return _tables(_machine(settings, seen, targets), offset), report


def _machine(settings: Region, proposals: list[Proposals], targets: dict[int, NDArray[np.float64]]) -> Any:  # noqa: ANN401 - the library is not typed
    from interpret.glassbox import ExplainableBoostingRegressor

    model = ExplainableBoostingRegressor(
        feature_names=list(VALUE_NAMES),
        feature_types=["continuous"] * len(VALUE_NAMES),
        max_bins=settings.bins,
        interactions=0,
        outer_bags=settings.bags,
        learning_rate=settings.rate,
        max_rounds=settings.rounds,
        random_state=settings.seed,
        n_jobs=-1,  # the bags do not depend on each other
    )
    x = np.concatenate([p.values for p in proposals]).astype(float)
    y = np.concatenate([targets[p.case] for p in proposals])
    model.fit(x, y)
    return model


def _answer(p: Proposals, predicted: dict[int, NDArray[np.float64]], offset: float) -> NDArray[np.bool_]:
    answer = np.zeros(p.truth.shape, dtype=np.bool_)
    if p.case in predicted:
        scores = np.rint((predicted[p.case] - offset) * 2**SCORE_BITS).astype(int).tolist()
        for i in decide.select(scores, p.parents):
            answer |= p.pixels[i]
    return answer


def _quality(proposals: list[Proposals], predicted: dict[int, NDArray[np.float64]], offset: float) -> float:
    return _mean([dice(_answer(p, predicted, offset), p.truth) for p in proposals])


def _mean(values: list[float]) -> float:
    return float(np.mean(values))


def _tables(model: Any, offset: float) -> dict[str, Any]:  # noqa: ANN401 - the library is not typed
    """The machine as integer tables: ``x >= edge`` counts edges; scores in 2**-SCORE_BITS."""
    terms: dict[str, Any] = {}
    for name, cuts, scores in zip(VALUE_NAMES, model.bins_, model.term_scores_, strict=True):
        edges = [int(np.ceil(cut)) for cut in cuts[0]]
        terms[name] = {"edges": edges, "scores": np.rint(np.asarray(scores[1:-1]) * 2**SCORE_BITS).astype(int).tolist()}
    return {"intercept": round((float(model.intercept_) - offset) * 2**SCORE_BITS), "terms": terms}

# SPDX-License-Identifier: Apache-2.0
"""What a row scores out of fold, as a model card says it; every figure with its n, misses counted as 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from radiomicnet_md_training import evaluate
from radiomicnet_md_validation import statistics

NOTICE = "demonstration on public data, not clinical evidence"


def summary(lines: list[evaluate.Line], decision: str) -> dict[str, Any]:
    """The figures of one decision over all held-out cases, with {z ≥ 0} of the same engine beside it."""
    chosen = {line["id"]: line for line in evaluate.of(lines, decision)}
    fixed = {line["id"]: line for line in evaluate.of(lines, evaluate.EXACT)}
    lesions = [line for line in chosen.values() if int(line["lesion"])]
    normals = [line for line in chosen.values() if not int(line["lesion"])]
    dice = [float(line["dice"]) for line in lesions]
    return {
        "notice": NOTICE,
        "split": "out of fold",
        "lesion_images": len(lesions),
        "normal_images": len(normals),
        "lesion_mean_dice": mean(dice),
        "lesion_mean_dice_interval": _interval(dice, [line["group"] for line in lesions]),
        "lesion_median_dice": float(np.median(dice)),
        "lesion_mean_iou": mean([float(line["iou"]) for line in lesions]),
        "lesion_mean_dice_fixed_threshold": mean([float(fixed[line["id"]]["dice"]) for line in lesions]),
        "lesions_answered_no_lesion": sum(not int(line["found"]) for line in lesions),
        "normals_answered_no_lesion": sum(not int(line["found"]) for line in normals),
        "normals_answered_no_lesion_fixed_threshold": sum(not int(fixed[line["id"]]["found"]) for line in normals),
        "mean_certified_share": mean([float(line["certified"]) for line in fixed.values()]),
        "mean_named_share_of_logit_variance": mean([float(line["named"]) for line in fixed.values()]),
    }


def mean(values: list[float]) -> float:
    """Mean over all cases; every metric has a value for every case, so none is left out."""
    return float(np.mean(values)) if values else 0.0


def _interval(values: list[float], groups: list[str]) -> list[float] | str:
    """BCa 95 % interval clustered by duplicate group, or why there is none."""
    found = statistics.bca(values, groups)
    return found.reason if isinstance(found, statistics.Inconclusive) else [found.low, found.high]

# SPDX-License-Identifier: Apache-2.0
"""What a locked engine scores on a split, at the files' own size; every figure with its n, misses counted as 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from radiomicnet_md.engine import decide, resample
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_training import dataset
from radiomicnet_md_validation.metrics import dice, iou

NOTICE = "demonstration on public data, not clinical evidence"


def evaluate(engine: Engine, data: Path, split: str) -> dict[str, Any]:
    """Decide every case of a split and summarise."""
    rows: list[dict[str, Any]] = []
    for case in dataset.read_cases(data, (split,)):
        grey = dataset.read_grey(data / "images" / f"{case.name}.png")
        truth = dataset.read_grey(data / "masks" / f"{case.name}.png") > 0
        decision = engine.decide(grey, None)
        fixed = decide.upsample(decision.logit, *decision.levels.shape) >= 0
        plain = resample.enlarge_mask(fixed, *grey.shape)
        certified = np.abs(decision.bias + decision.contributions.sum(0)) > decision.rho
        rows.append(
            {
                "lesion": bool(truth.any()),
                "dice": dice(decision.mask, truth),
                "iou": iou(decision.mask, truth),
                "fixed": dice(plain, truth),
                "empty": not decision.mask.any(),
                "certified": float(certified.mean()),
                "named": named_share(decision.contributions.sum(0), decision.logit),
            }
        )
    lesions = [row for row in rows if row["lesion"]]
    normals = [row for row in rows if not row["lesion"]]
    return {
        "notice": NOTICE,
        "split": split,
        "lesion_images": len(lesions),
        "normal_images": len(normals),
        "lesion_mean_dice": mean(lesions, "dice"),
        "lesion_median_dice": float(np.median([row["dice"] for row in lesions])),
        "lesion_mean_iou": mean(lesions, "iou"),
        "lesion_mean_dice_fixed_threshold": mean(lesions, "fixed"),
        "lesions_answered_no_lesion": sum(row["empty"] for row in lesions),
        "normals_answered_no_lesion": sum(row["empty"] for row in normals),
        "mean_certified_share": mean(rows, "certified"),
        "mean_named_share_of_logit_variance": mean(rows, "named"),
    }


def mean(rows: list[dict[str, Any]], key: str) -> float:
    """Mean over all rows; NaN cannot occur, since every metric has a value for every case."""
    return float(np.mean([row[key] for row in rows])) if rows else 0.0


def named_share(named: Any, logit: Any) -> float:  # noqa: ANN401 - int64 arrays (h2, w2)
    """Covariance of the centred named sum with the logit over the logit's variance, over the image."""
    a, b = named.astype(float).ravel(), logit.astype(float).ravel()
    spread = float(np.var(b))
    return float(np.mean((a - a.mean()) * (b - b.mean())) / spread) if spread else 0.0

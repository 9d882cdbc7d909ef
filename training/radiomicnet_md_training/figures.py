# SPDX-License-Identifier: Apache-2.0
"""What a locked engine scores on a split, at the files' own size; every figure with its n, misses counted as 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from radiomicnet_md.engine import decide, record, resample
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
        rows.append(
            {
                "lesion": bool(truth.any()),
                "dice": dice(decision.mask, truth),
                "iou": iou(decision.mask, truth),
                "fixed": dice(plain, truth),
                "empty": not decision.mask.any(),
                "certified": record.certified(decision) / decision.logit.size,
                "named": _share(*record.named_share(decision)),
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


def _share(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0

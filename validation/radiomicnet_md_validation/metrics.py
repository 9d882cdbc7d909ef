# SPDX-License-Identifier: Apache-2.0
"""Overlap metrics in which a miss counts as the worst value and is never dropped from a mean.

Rules of this module (the empty-mask policy):

- truth empty, prediction empty: 1.0 (the right answer was "no lesion");
- truth empty, prediction not, or the other way round: 0.0;
- no value is ever NaN, so no aggregation can skip a failure.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _overlap(prediction: NDArray[np.generic], truth: NDArray[np.generic]) -> tuple[int, int, int]:
    if prediction.shape != truth.shape:
        message = f"prediction {prediction.shape} and truth {truth.shape} differ in shape"
        raise ValueError(message)
    p, t = prediction.astype(bool), truth.astype(bool)
    return int((p & t).sum()), int(p.sum()), int(t.sum())


def dice(prediction: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    """Dice similarity coefficient 2|P∩T| / (|P| + |T|) of two masks of one shape; non-zero means inside."""
    both, p, t = _overlap(prediction, truth)
    return 2 * both / (p + t) if p + t else 1.0


def iou(prediction: NDArray[np.generic], truth: NDArray[np.generic]) -> float:
    """Intersection over union |P∩T| / |P∪T| of two masks of one shape; non-zero means inside."""
    both, p, t = _overlap(prediction, truth)
    return both / (p + t - both) if p + t else 1.0

# SPDX-License-Identifier: Apache-2.0
"""Scores of one mask against another, in which a miss counts as the worst value and is never dropped from a mean.

Rules of this module (the empty-mask policy, the same for every score):

- truth empty, prediction empty: the best value (the right answer was "no lesion"): 1, for a distance 0;
- truth empty, prediction not (a false region), or the other way round (a miss): the worst value: 0, for a distance the
  diagonal of the image, which no distance inside the image reaches;
- no value is ever NaN or infinite, so no aggregation can skip a failure.

A mask is a boolean or integer array (2-D or 3-D; any dimension works); non-zero means inside. A floating-point array is
refused: it is a probability that nobody has put a threshold to, or hides a NaN.

A border element is a pixel of the mask with a face neighbour (4 in 2-D, 6 in 3-D) outside it; beyond the image is
outside. Distances run between the centres of border elements, and each element counts once, whatever length of outline
it stands for. So an oblique stretch has fewer elements for its length than a straight one: a square of n pixels a side
has 4(n − 1) elements on an outline of 4n, a diamond of radius r has 4r on one of 4√2 r.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

TOLERANCE = 2.0
"""Distance up to which two borders are taken to agree, in pixels (or mm, where ``spacing`` is given in mm)."""

Mask = NDArray[np.generic]
_SLACK = 1e-9  # three steps of 0.1 mm lie within 0.3 mm, though not in binary fractions


@dataclass(frozen=True, slots=True)
class Scores:
    """All scores of one case; ``hd95`` in the unit of the spacing, the others 0 … 1."""

    dice: float
    iou: float
    precision: float
    recall: float
    nsd: float
    hd95: float


def dice(prediction: Mask, truth: Mask) -> float:
    """Dice similarity coefficient 2|P∩T| / (|P| + |T|); both empty 1, one empty 0."""
    both, p, t = _counts(*_masks(prediction, truth))
    return _ratio(2 * both, p + t)


def iou(prediction: Mask, truth: Mask) -> float:
    """Intersection over union |P∩T| / |P∪T|; both empty 1, one empty 0."""
    both, p, t = _counts(*_masks(prediction, truth))
    return _ratio(both, p + t - both)


def precision(prediction: Mask, truth: Mask) -> float:
    """Share of the prediction that is right, |P∩T| / |P|; both empty 1, one empty 0 (a miss too, though it is 0/0)."""
    both, p, t = _counts(*_masks(prediction, truth))
    return _ratio(both, p or t)


def recall(prediction: Mask, truth: Mask) -> float:
    """Share of the truth that is found, |P∩T| / |T|; both empty 1, one empty 0 (a false region too, though 0/0)."""
    both, p, t = _counts(*_masks(prediction, truth))
    return _ratio(both, t or p)


def nsd(prediction: Mask, truth: Mask, spacing: float | Sequence[float] = 1.0, tolerance: float = TOLERANCE) -> float:
    """Normalised surface Dice: share of the border elements of both masks that lie within reach of the other border.

    Nikolov et al. 2018 (arXiv 1809.04430), with border elements that count once each (see the module). The tolerance
    is inclusive and in the unit of ``spacing``, which is one number or one an axis. Both empty 1, one empty 0.
    """
    p, t = _masks(prediction, truth)
    return _nsd(p, t, _between(p, t, spacing), tolerance)


def hd95(prediction: Mask, truth: Mask, spacing: float | Sequence[float] = 1.0) -> float:
    """The larger of the two directed 95th percentiles of the distance from one border to the other.

    In the unit of ``spacing`` (one number or one an axis); percentiles are interpolated linearly. Both empty 0, one
    empty the image's diagonal √Σ(pixels · spacing)².
    """
    p, t = _masks(prediction, truth)
    return _hd95(p, t, _between(p, t, spacing), spacing)


def score(
    prediction: Mask, truth: Mask, spacing: float | Sequence[float] = 1.0, tolerance: float = TOLERANCE
) -> Scores:
    """All scores at once, the borders measured once; both empty all best, one empty all worst."""
    p, t = _masks(prediction, truth)
    both, first, second = _counts(p, t)
    distances = _between(p, t, spacing)
    return Scores(
        dice=_ratio(2 * both, first + second),
        iou=_ratio(both, first + second - both),
        precision=_ratio(both, first or second),
        recall=_ratio(both, second or first),
        nsd=_nsd(p, t, distances, tolerance),
        hd95=_hd95(p, t, distances, spacing),
    )


def as_mask(mask: Mask) -> NDArray[np.bool_]:
    """The mask as booleans; ValueError for a floating-point array."""
    if mask.dtype.kind not in "bui":
        message = f"a mask is boolean or integer, not {mask.dtype}: put a threshold to it first"
        raise ValueError(message)
    return mask.astype(np.bool_)


def border(mask: Mask) -> NDArray[np.bool_]:
    """The border elements of a mask, in its shape: pixels with a face neighbour outside it. None in an empty mask."""
    inside = as_mask(mask)
    padded = np.pad(inside, 1)
    core = [slice(1, -1)] * inside.ndim
    kept = inside.copy()
    for axis, size in enumerate(inside.shape):
        for shift in (0, 2):
            kept &= padded[(*core[:axis], slice(shift, shift + size), *core[axis + 1 :])]
    return inside & ~kept


def border_distances(
    prediction: Mask, truth: Mask, spacing: float | Sequence[float] = 1.0
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From each border element of the prediction to the nearest of the truth, and the other way round.

    Both are one-dimensional, in the unit of ``spacing``. Where a mask is empty there is no distance and both are
    empty: ``nsd`` and ``hd95`` say what that is worth.
    """
    return _between(*_masks(prediction, truth), spacing)


def _masks(prediction: Mask, truth: Mask) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    if prediction.shape != truth.shape:
        message = f"prediction {prediction.shape} and truth {truth.shape} differ in shape"
        raise ValueError(message)
    return as_mask(prediction), as_mask(truth)


def _counts(p: NDArray[np.bool_], t: NDArray[np.bool_]) -> tuple[int, int, int]:
    return int(np.count_nonzero(p & t)), int(np.count_nonzero(p)), int(np.count_nonzero(t))


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0  # each caller's whole is 0 only where both masks are empty


def _steps(spacing: float | Sequence[float], dimensions: int) -> NDArray[np.float64]:
    steps = np.asarray(spacing, dtype=np.float64)
    if steps.shape not in {(), (dimensions,)} or not (np.isfinite(steps) & (steps > 0)).all():
        message = f"spacing {spacing} is not one positive number, or {dimensions} of them"
        raise ValueError(message)
    return np.broadcast_to(steps, (dimensions,))


def _between(
    p: NDArray[np.bool_], t: NDArray[np.bool_], spacing: float | Sequence[float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    steps = _steps(spacing, p.ndim)
    if not (p.any() and t.any()):
        return np.zeros(0), np.zeros(0)
    # A search tree over the elements alone: distance maps of 400 × 400 pixels take several times as long.
    there, back = np.argwhere(border(p)) * steps, np.argwhere(border(t)) * steps  # (elements, dimensions)
    return np.asarray(cKDTree(back).query(there)[0]), np.asarray(cKDTree(there).query(back)[0])


Distances = tuple[NDArray[np.float64], NDArray[np.float64]]


def _nsd(p: NDArray[np.bool_], t: NDArray[np.bool_], distances: Distances, tolerance: float) -> float:
    if not tolerance >= 0:
        message = f"tolerance {tolerance} is not a distance"
        raise ValueError(message)
    apart = np.concatenate(distances)
    if not apart.size:
        return float(not p.any() and not t.any())
    return float(np.mean(apart <= tolerance * (1 + _SLACK)))


def _hd95(p: NDArray[np.bool_], t: NDArray[np.bool_], distances: Distances, spacing: float | Sequence[float]) -> float:
    there, back = distances
    if there.size:
        return float(max(np.percentile(there, 95), np.percentile(back, 95)))
    if p.any() or t.any():
        return float(np.linalg.norm(np.array(p.shape) * _steps(spacing, p.ndim)))
    return 0.0

# SPDX-License-Identifier: Apache-2.0
"""Whether a predicted probability is the frequency with which it comes true, over all pixels or near the border.

Rules of this module:

- Pixels of all images go into one pool (a normal image's too); images stream through it, only counts are kept.
- The error is of the probability: pixels are binned by the predicted chance of lesion, and a bin's mean prediction is
  compared with the share of its pixels that are lesion. The paper (arXiv 2607.02185) bins the confidence max(p, 1 − p)
  and compares it with accuracy. This folds p and 1 − p together, so that too much lesion at one end hides too much at
  the other; over an even number of equal bins its error is never larger. To have it for comparison, give the pool the
  confidence and the correctness: ``pool.add(np.maximum(p, 1 - p), (p > 0.5) == truth)``.
- Most pixels of an image are easy background, which no error near the lesion shows up against. So the same error is
  also taken over a band around the true border.
- What is not there has no value: an empty bin gives no row, an empty pool is an error; nothing is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, special

from radiomicnet_md_validation.metrics import Mask, as_mask, border

BINS = 15
"""As many as in the paper."""

BAND = 5.0
"""Half width of the border band, in pixels of the grid that the truth is on."""

LIMITS = (0.05, 20.0)
"""Between these a temperature is sought."""

_REACH, _STEPS = 16, 32  # fine bins: logits −16 … 16 in steps of 1/32, and one beyond each end
_FINE = 2 * _REACH * _STEPS + 2

Array = NDArray[np.floating]
Case = tuple[Array, Mask]
"""Logits or probabilities of the pixels that count, and their truth (non-zero is lesion), of one shape."""


@dataclass(frozen=True, slots=True)
class Bin:
    """Pixels predicted above ``low`` up to ``high`` (the first bin with 0): count, mean probability, frequency."""

    low: float
    high: float
    count: int
    probability: float
    frequency: float


@dataclass(frozen=True, slots=True)
class Temperature:
    """Divide logits by ``value``; mean log loss (nat a pixel) before and after; whether ``value`` is one of LIMITS."""

    value: float
    before: float
    after: float
    pixels: int
    at_limit: bool


class Pool:
    """Counts of predicted probability and truth over any number of images; in memory a few thousand numbers."""

    def __init__(self, bins: int = BINS) -> None:
        """An empty pool whose tables have at most ``bins`` rows."""
        self._bins = bins
        self._edges = np.linspace(0, 1, bins + 1)
        self._wide = np.zeros((3, bins))  # pixels, sum of probabilities, lesion pixels
        self._fine = np.zeros((3, _FINE))

    def add(self, probability: Array, truth: Mask) -> None:
        """Count the pixels of one image: probabilities 0 … 1 and their truth (non-zero is lesion), of one shape."""
        p, y = _pair(probability, truth)
        if ((p < 0) | (p > 1)).any():
            message = "a probability lies outside 0 … 1"
            raise ValueError(message)
        fine = np.clip(np.ceil((special.logit(p) + _REACH) * _STEPS), 0, _FINE - 1).astype(np.int64)
        for counts, place in ((self._wide, np.searchsorted(self._edges[1:-1], p)), (self._fine, fine)):
            for row, weight in enumerate((None, p, y)):
                counts[row] += np.bincount(place, weight, minlength=counts.shape[1])

    def equal_width(self) -> tuple[Bin, ...]:
        """Reliability table in bins of equal width, (k/bins, (k+1)/bins]; exact."""
        return _rows(self._wide, self._edges)

    def equal_mass(self) -> tuple[Bin, ...]:
        """Reliability table in bins of about equally many pixels, put together from fine bins of 1/32 in logit.

        A fine bin is never split, so where many pixels share one probability their bin is larger and rows are fewer.
        Counts, means and frequencies are exact; where the bins end is exact to a fine bin.
        """
        count = self._fine[0]
        middle = np.cumsum(count) - count / 2
        of_fine = (middle * self._bins / max(count.sum(), 1)).astype(np.int64)  # never decreases
        last = np.flatnonzero(np.diff(of_fine, append=-1))
        merged = np.add.reduceat(self._fine, np.concatenate([[0], last[:-1] + 1]), axis=1)
        ends = special.expit(np.arange(_FINE - 1) / _STEPS - _REACH)  # upper end of each fine bin but the last
        return _rows(merged, np.concatenate([[0.0], ends[last[:-1]], [1.0]]))


def ece(rows: Sequence[Bin]) -> float:
    """Expected calibration error: mean over pixels of |mean probability − frequency| of their bin, 0 … 1."""
    pixels = sum(row.count for row in rows)
    if not pixels:
        message = "no pixel was counted, so there is no calibration error"
        raise ValueError(message)
    return sum(row.count * abs(row.probability - row.frequency) for row in rows) / pixels


def band(truth: Mask, width: float = BAND) -> NDArray[np.bool_]:
    """Pixels within ``width`` pixels of a border pixel of the truth, on both sides, of its shape; none without lesion.

    Distances between pixel centres; border pixels as in ``metrics``.
    """
    edge = border(truth)
    if not edge.any():
        return edge
    return np.asarray(ndimage.distance_transform_edt(~edge) <= width)


def temperature(cases: Sequence[Case]) -> Temperature:
    """The T that minimises the mean log loss of σ(logit / T) over all pixels of the cases (logits, truth).

    Guo et al. 2017 (arXiv 1706.04599) for two classes. The loss is convex in 1/T, so the zero of its slope is the
    minimum; it is bracketed by LIMITS, and where the slope keeps its sign the limit on the falling side is the answer.
    The cases are read some fifteen times, one after another.
    """

    def total(of_margin: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> float:
        return float(sum(of_margin(_margins(*case)).sum() for case in cases))

    def slope(log_t: float) -> float:
        scale = np.exp(-log_t)
        return total(lambda m: -m * special.expit(-scale * m))  # derivative in the scale

    def loss(t: float) -> float:
        return total(lambda m: -special.log_expit(m / t)) / pixels

    pixels = sum(logits.size for logits, _ in cases)
    if not pixels:
        message = "no pixel to fit a temperature to"
        raise ValueError(message)
    cold, hot = np.log(LIMITS)
    if slope(cold) <= 0:  # still falling at the largest scale
        value, at_limit = LIMITS[0], True
    elif slope(hot) >= 0:
        value, at_limit = LIMITS[1], True
    else:
        value, at_limit = float(np.exp(optimize.brentq(slope, cold, hot, xtol=1e-9))), False
    return Temperature(value, loss(1.0), loss(value), pixels, at_limit)


def _pair(values: Array, truth: Mask) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if values.shape != truth.shape:
        message = f"predictions {values.shape} and truth {truth.shape} differ in shape"
        raise ValueError(message)
    flat = values.astype(np.float64).ravel()
    if not np.isfinite(flat).all():
        message = "a prediction is not finite"
        raise ValueError(message)
    return flat, as_mask(truth).astype(np.float64).ravel()


def _margins(logits: Array, truth: Mask) -> NDArray[np.float64]:
    """Logits in favour of what is true (pixels,)."""
    z, y = _pair(logits, truth)
    return np.asarray(z * (2 * y - 1))


def _rows(counts: NDArray[np.float64], edges: NDArray[np.float64]) -> tuple[Bin, ...]:
    return tuple(
        Bin(float(low), float(high), int(n), float(p / n), float(y / n))
        for low, high, (n, p, y) in zip(edges[:-1], edges[1:], counts.T, strict=True)
        if n
    )

# SPDX-License-Identifier: Apache-2.0
"""The four-term loss of arXiv 2607.02185: 0.5 weighted BCE + 0.5 Dice + 0.1 boundary BCE + 0.05 L_RC.

Rules of this module:

- Only valid pixels count; a mean over pixels runs over all valid pixels of the batch.
- An image without a lesion has no Dice term (its overlap is 0 whatever is predicted); the two cross-entropies and
  L_RC count it like any other.
- What the paper leaves open is decided in ``docs/adr/0009-the-paper-preset.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

LESION = 2.0  # weight of a lesion pixel in the weighted BCE; background has 1
DILATION = 3  # pixels to either side of a lesion's border
BORDER = 3.0  # weight of a pixel there in the boundary BCE; elsewhere 1


@dataclass(frozen=True, slots=True)
class Weights:
    """The four factors; ``consistency=0`` and ``boundary=0`` are rows of the paper's ablation."""

    entropy: float = 0.5
    dice: float = 0.5
    boundary: float = 0.1
    consistency: float = 0.05


PAPER = Weights()


class Terms(NamedTuple):
    """The four terms before their factors, and the weighted sum; scalars."""

    entropy: Tensor
    dice: Tensor
    boundary: Tensor
    consistency: Tensor
    total: Tensor


def paper(logits: Tensor, masks: Tensor, valid: Tensor, contrast: Tensor, weights: Weights = PAPER) -> Terms:
    """All terms of a batch.

    :param logits: evidence (B, 1, H, W), float32 or wider
    :param masks: 0 … 1 (B, 1, H, W)
    :param valid: 1 inside the image, 0 outside (B, 1, H, W)
    :param contrast: GLCM contrast of each image over the largest in the training data, 0 … 1 (B,)
    :param weights: factors of the four terms
    """
    truth = masks * valid
    cost = functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")  # (B, 1, H, W)
    entropy = _mean(cost * (1 + (LESION - 1) * truth), valid)
    dice = _dice(torch.sigmoid(logits) * valid, truth)
    boundary = _mean(cost * (1 + (BORDER - 1) * border(truth, valid)), valid)
    consistency = ((uncertainty(logits, valid) - contrast) ** 2).mean()
    total = (
        weights.entropy * entropy
        + weights.dice * dice
        + weights.boundary * boundary
        + weights.consistency * consistency
    )
    return Terms(entropy, dice, boundary, consistency, total)


def border(truth: Tensor, valid: Tensor) -> Tensor:
    """1 where lesion and background both lie within :data:`DILATION` pixels (Chebyshev), (B, 1, H, W).

    The image's own edge is no border: what lies outside is neither lesion nor background.
    """
    lesion = (truth > 0.5).to(truth.dtype)  # noqa: PLR2004 - a moved mask has soft edges
    return _dilate(lesion * valid) * _dilate((1 - lesion) * valid)


def uncertainty(logits: Tensor, valid: Tensor) -> Tensor:
    """Mean binary entropy of the prediction over an image's valid pixels, in bits: 0 … 1, (B,)."""
    size = logits.abs()  # the entropy is even in the logit; written for |z| nothing cancels
    bits = (functional.softplus(-size) + size * torch.sigmoid(-size)) / math.log(2)  # (B, 1, H, W)
    return (bits * valid).sum((1, 2, 3)) / valid.sum((1, 2, 3)).clamp(min=1)


def _mean(values: Tensor, valid: Tensor) -> Tensor:
    return (values * valid).sum() / valid.sum().clamp(min=1)


def _dilate(x: Tensor) -> Tensor:
    return functional.max_pool2d(x, 2 * DILATION + 1, stride=1, padding=DILATION)


def _dice(probability: Tensor, truth: Tensor) -> Tensor:
    """Mean of 1 − (2 Σpt + 1) / (Σp + Σt + 1) over the images that have a lesion; 0 where none has."""
    overlap, area = (probability * truth).sum((1, 2, 3)), truth.sum((1, 2, 3))  # (B,)
    loss = 1 - (2 * overlap + 1) / (probability.sum((1, 2, 3)) + area + 1)
    lesion = (area > 0).to(loss.dtype)
    return (loss * lesion).sum() / lesion.sum().clamp(min=1)

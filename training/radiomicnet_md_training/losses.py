# SPDX-License-Identifier: Apache-2.0
"""What a network is trained to do: agree with the mask inside the image, pixel by pixel and as a region."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from radiomicnet_md_training.augment import Batch
from radiomicnet_md_training.recipe import Optimiser


def of(settings: Optimiser, logits: Tensor, batch: Batch) -> Tensor:
    """The recipe's loss of logits (B, 1, H, W)."""
    if settings.loss == "overlap":
        return overlap(logits, batch.masks, batch.valid)
    from radiomicnet_md_training import paper_loss

    weights = paper_loss.Weights(**settings.terms)
    return paper_loss.paper(logits, batch.masks, batch.valid, batch.contrast, weights).total


def overlap(logits: Tensor, masks: Tensor, valid: Tensor) -> Tensor:
    """0.7 cross-entropy over the image plus 0.5 soft Dice over the cases that have a lesion; all (B, 1, H, W)."""
    inside = valid.sum().clamp(min=1)
    entropy = (functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * valid).sum() / inside
    probability = torch.sigmoid(logits) * valid
    truth = masks * valid
    both = (probability * truth).sum((1, 2, 3))
    dice = 1 - (2 * both + 1) / (probability.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 1)
    lesion = (truth.sum((1, 2, 3)) > 0).float()
    return 0.7 * entropy + 0.5 * (dice * lesion).sum() / lesion.sum().clamp(min=1)

# SPDX-License-Identifier: Apache-2.0
"""What the pixel layer is trained to do: agree with the mask inside the image, pixel by pixel and as a region."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def segmentation(logits: Tensor, masks: Tensor, valid: Tensor) -> Tensor:
    """0.7 cross-entropy over the image plus 0.5 soft Dice over the cases that have a lesion; all (B, 1, H, W)."""
    inside = valid.sum().clamp(min=1)
    entropy = (functional.binary_cross_entropy_with_logits(logits, masks, reduction="none") * valid).sum() / inside
    probability = torch.sigmoid(logits) * valid
    truth = masks * valid
    overlap = (probability * truth).sum((1, 2, 3))
    dice = 1 - (2 * overlap + 1) / (probability.sum((1, 2, 3)) + truth.sum((1, 2, 3)) + 1)
    lesion = (truth.sum((1, 2, 3)) > 0).float()
    return 0.7 * entropy + 0.5 * (dice * lesion).sum() / lesion.sum().clamp(min=1)

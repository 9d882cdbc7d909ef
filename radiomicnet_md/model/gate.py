# SPDX-License-Identifier: Apache-2.0
"""The Radiomics Attention Gate: what the measured texture lets through on a skip connection.

Source: arXiv 2607.02185: α_c = σ(W_c2 ReLU(W_c1 r̂)), α_s = σ(Conv7×7(F)),
F′ = F ⊙ [γ α_c α_s + (1 − γ) α_s] with γ ∈ [0, 1] learned.

Decided here, since the paper is silent: the bottleneck has 16 units; γ is the logistic of a free parameter
that starts at 0 (γ = ½); Conv7×7 is factored into 1×1 (channels to one) and 7×7, which costs a
fiftieth of the parameters and keeps the exact engine's sums within its bound.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from radiomicnet_md.model.stream import WIDTH

BOTTLENECK = 16


class RadiomicsAttentionGate(nn.Module):
    """Skip features (B, C, H, W) and r̂ (B, 32) to gated features (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        """Build both attentions for ``channels`` skip channels."""
        super().__init__()
        self.squeeze = nn.Linear(WIDTH, BOTTLENECK)
        self.excite = nn.Linear(BOTTLENECK, channels)
        self.reduce = nn.Conv2d(channels, 1, 1, bias=False)
        self.spatial = nn.Conv2d(1, 1, 7, padding=3)
        self.mix = nn.Parameter(torch.zeros(()))

    def forward(self, skip: Tensor, rhat: Tensor) -> Tensor:
        """Apply the paper's equation."""
        channel = torch.sigmoid(self.excite(torch.relu(self.squeeze(rhat))))[:, :, None, None]  # (B, C, 1, 1)
        spatial = torch.sigmoid(self.spatial(self.reduce(skip)))  # (B, 1, H, W)
        gamma = torch.sigmoid(self.mix)
        return skip * (spatial * (gamma * channel + (1 - gamma)))  # (B, C, H, W)

# SPDX-License-Identifier: Apache-2.0
"""The Radiomics Attention Gate as printed, and its ablations: the same equation with a part fixed.

Source: arXiv 2607.02185: α_c = σ(W_c2 ReLU(W_c1 r̂)), α_s = σ(Conv7×7(F)),
F′ = F ⊙ [γ α_c α_s + (1 − γ) α_s] with γ ∈ [0, 1] learned.

Decided here, since the paper is silent: the bottleneck has 16 units; every layer has a bias; γ is the logistic of
a free parameter that starts at 0 (γ = ½), so it cannot leave its bounds.
"""

from __future__ import annotations

from enum import Enum

import torch
from torch import Tensor, nn

from radiomicnet_md.model.stream import WIDTH

BOTTLENECK = 16


class GateKind(Enum):
    """What stands on the skips: the gate, or a row of the paper's ablation."""

    FULL = "full"
    SPATIAL = "spatial"  # γ = 0: F′ = F α_s, and no radiomic value enters the network
    CHANNEL = "channel"  # γ = 1 and α_s = 1: F′ = F α_c
    NONE = "none"  # F′ = F

    @property
    def radiomic(self) -> bool:
        """Whether r̂ is used."""
        return self in {GateKind.FULL, GateKind.CHANNEL}


class ChannelAttention(nn.Module):
    """α_c from r̂."""

    def __init__(self, channels: int) -> None:
        """Build W_c1 and W_c2 for ``channels`` skip channels."""
        super().__init__()
        self.squeeze = nn.Linear(WIDTH, BOTTLENECK)  # W_c1
        self.excite = nn.Linear(BOTTLENECK, channels)  # W_c2

    def forward(self, rhat: Tensor) -> Tensor:
        """α_c = σ(W_c2 ReLU(W_c1 r̂))."""
        return torch.sigmoid(self.excite(torch.relu(self.squeeze(rhat))))[:, :, None, None]  # (B, C, 1, 1)


class SpatialAttention(nn.Module):
    """α_s from the skip's own features; no radiomics."""

    def __init__(self, channels: int) -> None:
        """Build the 7×7 convolution from all channels to one map."""
        super().__init__()
        self.look = nn.Conv2d(channels, 1, 7, padding=3)

    def forward(self, skip: Tensor) -> Tensor:
        """α_s = σ(Conv7×7(F))."""
        return torch.sigmoid(self.look(skip))  # (B, 1, H, W)


class Gate(nn.Module):
    """Skip features F (B, C, H, W) and r̂ (B, 32) to gated features F′ (B, C, H, W)."""

    def __init__(self, kind: GateKind, channels: int) -> None:
        """Build the parts that ``kind`` uses, and no other."""
        super().__init__()
        self.kind = kind
        if kind.radiomic:
            self.channel = ChannelAttention(channels)
        if kind in {GateKind.FULL, GateKind.SPATIAL}:
            self.spatial = SpatialAttention(channels)
        if kind is GateKind.FULL:
            self.mix = nn.Parameter(torch.zeros(()))

    def forward(self, skip: Tensor, rhat: Tensor | None) -> Tensor:
        """Apply the paper's equation; ``rhat`` is None where the kind is not radiomic."""
        passed: Tensor = skip
        if self.kind is GateKind.SPATIAL:
            passed = skip * self.spatial(skip)
        elif self.kind is GateKind.CHANNEL:
            passed = skip * self.channel(rhat)
        elif self.kind is GateKind.FULL:
            gamma = torch.sigmoid(self.mix)
            spatial = self.spatial(skip)  # (B, 1, H, W)
            # γ α_c α_s + (1 − γ) α_s with α_s taken out: the bracket is (B, C, 1, 1)
            passed = skip * (spatial * (gamma * self.channel(rhat) + (1 - gamma)))
        return passed

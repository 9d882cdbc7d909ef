# SPDX-License-Identifier: Apache-2.0
"""The radiomic stream: thirteen values of the image become one vector that conditions every gate.

Source: arXiv 2607.02185, r̂ = LN(ReLU(W₂ ReLU(W₁ r + b₁) + b₂)) ∈ R³². The hidden width is not stated
there; it is 32 here.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTH = 32


class RadiomicStream(nn.Module):
    """Standardised values (B, 13) to r̂ (B, 32)."""

    def __init__(self, values: int) -> None:
        """Build the two layers and the normalisation."""
        super().__init__()
        self.first = nn.Linear(values, WIDTH)
        self.second = nn.Linear(WIDTH, WIDTH)
        self.norm = nn.LayerNorm(WIDTH)

    def forward(self, values: Tensor) -> Tensor:
        """Apply the paper's equation."""
        hidden = torch.relu(self.first(values))  # (B, 32)
        result: Tensor = self.norm(torch.relu(self.second(hidden)))  # (B, 32)
        return result

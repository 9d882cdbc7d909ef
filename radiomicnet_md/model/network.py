# SPDX-License-Identifier: Apache-2.0
"""The pixel layer of preset ``locked``: radiomic stream, gated trunk, additive head."""

from __future__ import annotations

from torch import Tensor, nn

from radiomicnet_md.model.fusion import AdditiveHead
from radiomicnet_md.model.stream import RadiomicStream
from radiomicnet_md.model.trunk import WIDTHS, Trunk


class PixelNetwork(nn.Module):
    """Image (B, 2, H, W), thirteen values (B, 13), codes (B, names · scales, H/2, W/2) to evidence and rest."""

    def __init__(self, values: int, names: int, scales: int) -> None:
        """Build the three parts."""
        super().__init__()
        self.stream = RadiomicStream(values)
        self.trunk = Trunk()
        self.head = AdditiveHead(WIDTHS[0], names, scales)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence z and rest r, each (B, 1, H/2, W/2)."""
        z, rest = self.head(self.trunk(image, self.stream(values)), codes)
        return z, rest


def parameters(network: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in network.parameters())

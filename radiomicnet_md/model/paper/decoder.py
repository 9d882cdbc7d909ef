# SPDX-License-Identifier: Apache-2.0
"""From the deepest features back to half size, taking up a gated skip at each of four levels.

The paper says "decoder" and 1.07 M parameters for decoder, gates and MLP together; blocks and widths are decided
here: narrow with 1×1, double the size bilinearly, join the skip, two 3×3 convolutions. Widths halve where the size
doubles, so that every level costs about the same work. With 160 channels at 1/16 the whole network comes closer to
the printed 3.27 M than with any other multiple of 8.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.model.blocks import ConvNorm
from radiomicnet_md.model.paper.encoder import DEEPEST, SKIPS

WIDTHS = (160, 80, 40, 20)  # channels at 1/16, 1/8, 1/4, 1/2


class Level(nn.Module):
    """One doubling: (B, inputs, H, W) and a skip (B, skip, 2H, 2W) to (B, outputs, 2H, 2W)."""

    def __init__(self, inputs: int, skip: int, outputs: int) -> None:
        """Build three convolutions, each with batch normalisation and ReLU."""
        super().__init__()
        self.narrow = ConvNorm(inputs, outputs)
        self.join = ConvNorm(outputs + skip, outputs, 3)
        self.smooth = ConvNorm(outputs, outputs, 3)

    def forward(self, deep: Tensor, skip: Tensor) -> Tensor:
        """Narrow, enlarge, join, smooth."""
        large = functional.interpolate(self.narrow(deep), scale_factor=2.0, mode="bilinear", align_corners=False)
        result: Tensor = self.smooth(self.join(torch.cat([large, skip], 1)))  # (B, outputs, 2H, 2W)
        return result


class Decoder(nn.Module):
    """Gated skips, finest first, and the deepest features to (B, 20, H/2, W/2)."""

    def __init__(self) -> None:
        """Build four levels, the deepest first."""
        super().__init__()
        inputs = (DEEPEST, *WIDTHS[:-1])
        self.levels = nn.ModuleList(map(Level, inputs, reversed(SKIPS), WIDTHS))

    def forward(self, skips: list[Tensor], deepest: Tensor) -> Tensor:
        """Climb from 1/32 to 1/2."""
        y = deepest  # (B, 1280, H/32, W/32)
        for level, skip in zip(self.levels, reversed(skips), strict=True):
            y = level(y, skip)  # (B, 160 | 80 | 40 | 20, H/16 | H/8 | H/4 | H/2, …)
        return y

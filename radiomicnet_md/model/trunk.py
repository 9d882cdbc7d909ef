# SPDX-License-Identifier: Apache-2.0
"""The encoder and decoder: from the image alone to sixteen feature channels on the half grid.

Radiomic maps never enter the trunk: fed into it they act as fingerprints of the training images and the
network over-fits on them. They condition the gates (as one vector an image) and speak in the head.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.model.blocks import ConvNorm, InvertedResidual
from radiomicnet_md.model.gate import RadiomicsAttentionGate

WIDTHS = (16, 24, 48, 80, 100)  # channels at 1/2, 1/4, 1/8, 1/16, 1/32 of the working grid
DEPTHS = (1, 2, 3, 3, 3)  # blocks a level, the first of which halves the size
INPUTS = 2  # grey level and depth


def _level(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    blocks = [InvertedResidual(inputs, outputs, stride=2)]
    blocks += [InvertedResidual(outputs, outputs) for _ in range(depth - 1)]
    return nn.Sequential(*blocks)


class Trunk(nn.Module):
    """(B, 2, H, W) and r̂ (B, 32) to (B, 16, H/2, W/2); H and W are multiples of 32."""

    def __init__(self) -> None:
        """Build five encoder levels, four gates and four decoder levels."""
        super().__init__()
        self.stem = nn.Sequential(
            ConvNorm(INPUTS, WIDTHS[0], 3, stride=2), InvertedResidual(WIDTHS[0], WIDTHS[0], kernel=3, expansion=1)
        )
        self.encoder = nn.ModuleList(_level(WIDTHS[i - 1], WIDTHS[i], DEPTHS[i]) for i in range(1, len(WIDTHS)))
        self.gates = nn.ModuleList(RadiomicsAttentionGate(w) for w in WIDTHS[:-1])
        self.narrow = nn.ModuleList(ConvNorm(WIDTHS[i + 1], WIDTHS[i], linear=True) for i in range(len(WIDTHS) - 1))
        self.decoder = nn.ModuleList(
            InvertedResidual(w, w, kernel=3 if i == 0 else 5, expansion=1 if i == 0 else 2)
            for i, w in enumerate(WIDTHS[:-1])
        )
        self.last = ConvNorm(WIDTHS[0], WIDTHS[0])

    def forward(self, x: Tensor, rhat: Tensor) -> Tensor:
        """Encode, gate every skip, decode."""
        skips = [self.stem(x)]  # (B, 16, H/2, W/2)
        for level in self.encoder:
            skips.append(level(skips[-1]))
        y = skips.pop()  # (B, 100, H/32, W/32)
        for i in reversed(range(len(skips))):
            y = functional.interpolate(self.narrow[i](y), scale_factor=2.0, mode="nearest")
            y = self.decoder[i](y + self.gates[i](skips[i], rhat))
        result: Tensor = self.last(y)  # (B, 16, H/2, W/2)
        return result

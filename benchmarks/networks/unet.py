# SPDX-License-Identifier: Apache-2.0
"""U-Net: the network that every other one is compared with.

Source: Ronneberger et al., MICCAI 2015 (arXiv 1505.04597), figure 1: widths 64 … 1024, two 3 × 3 convolutions a
level, maximum pooling down, 2 × 2 transposed convolutions up, skips joined by channel. As is usual since, with
padding and batch normalisation, which the article does without. It takes one grey channel.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.parts import twice
from radiomicnet_md.model.network import Answer

WIDTHS = (64, 128, 256, 512, 1024)


class UNet(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 16."""

    def __init__(self) -> None:
        """Build five levels down and four up."""
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.first = twice(1, WIDTHS[0], WIDTHS[0])
        self.down = nn.ModuleList(twice(a, b, b) for a, b in steps)
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps)
        self.join = nn.ModuleList(twice(2 * a, a, a) for a, _ in steps)
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Encode, decode; values and codes are not read."""
        skips = [self.first(image[:, :1])]  # (B, 64, H, W)
        for level in self.down:
            skips.append(level(functional.max_pool2d(skips[-1], 2)))
        y = skips.pop()  # (B, 1024, H/16, W/16)
        for i in reversed(range(len(skips))):
            y = self.join[i](torch.cat([skips[i], self.up[i](y)], 1))
        return Answer(self.last(y).float(), None)

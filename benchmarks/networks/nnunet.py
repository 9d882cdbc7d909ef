# SPDX-License-Identifier: Apache-2.0
"""nnU-Net's plain network, as its planner lays it out for images of 192 × 192 pixels.

Source: Isensee et al., Nature Methods 2021 (arXiv 1904.08128), supplementary note 2, and the plan that version 2 makes
for a two-dimensional data set of that size. Rules of its planner: a level more while both edges stay at least four
pixels long, hence six levels; widths double from 32 and stop at 512; two 3 × 3 convolutions a level, each with a bias,
instance normalisation with an affine part and a leaky ReLU; the first convolution of a level halves the size; 2 × 2
transposed convolutions up. It answers with a logit of background and of lesion, whose difference is the evidence. Given
the weights of `PlainConvUNet` of dynamic_network_architectures 0.4.4 it gives that network's numbers.

The heads of its lower decoder levels, which only train, are left out, so that one loss serves all baselines.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from radiomicnet_md.model.network import Answer

WIDTHS = (32, 64, 128, 256, 512, 512)


def _level(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for width, step in ((inputs, stride), (outputs, 1)):
        layers += [nn.Conv2d(width, outputs, 3, step, 1), nn.InstanceNorm2d(outputs, affine=True)]
        layers += [nn.LeakyReLU(0.01, inplace=True)]
    return nn.Sequential(*layers)


class NnUNet(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 32."""

    def __init__(self) -> None:
        """Build six levels down and five up."""
        super().__init__()
        steps = list(pairwise(WIDTHS))
        self.down = nn.ModuleList([_level(1, WIDTHS[0], 1), *(_level(a, b, 2) for a, b in steps)])
        self.up = nn.ModuleList(nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in steps)
        self.join = nn.ModuleList(_level(2 * a, a, 1) for a, _ in steps)
        self.last = nn.Conv2d(WIDTHS[0], 2, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Encode, decode; values and codes are not read."""
        y, skips = image[:, :1], []
        for level in self.down:
            y = level(y)  # (B, 32, H, W) … (B, 512, H/32, W/32)
            skips.append(y)
        skips.pop()
        for i in reversed(range(len(skips))):
            y = self.join[i](torch.cat([self.up[i](y), skips[i]], 1))
        background, lesion = self.last(y).float().split(1, 1)
        return Answer(lesion - background, None)

# SPDX-License-Identifier: Apache-2.0
"""CMUNeXt: large depthwise kernels and inverted bottlenecks, made for light breast-ultrasound segmentation.

Source: Tang et al., ISBI 2024 (arXiv 2308.01239), section 2 and the authors' medium size. A block filters each channel
(k × k, beside the identity), then widens four times and narrows again. A skip is fused by a 3 × 3 convolution in
two groups, so that encoder and decoder are filtered apart, then widened and narrowed. In both, every convolution is
followed by GELU and then by the normalisation.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.parts import convolution, doubled, rgb
from radiomicnet_md.model.network import Answer

WIDTHS = (16, 32, 128, 160, 256)
DEPTHS = (1, 1, 1, 3, 1)
KERNELS = (3, 3, 7, 7, 7)
WIDER = 4


def _activated(inputs: int, outputs: int, kernel: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, groups=groups), nn.GELU(), nn.BatchNorm2d(outputs)
    )


class _Block(nn.Module):
    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.filter = _activated(width, width, kernel, width)
        self.mix = nn.Sequential(_activated(width, WIDER * width), _activated(WIDER * width, width))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, H, W) to the same shape."""
        result: Tensor = self.mix(x + self.filter(x))
        return result


def _level(inputs: int, outputs: int, depth: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(*(_Block(inputs, kernel) for _ in range(depth)), convolution(inputs, outputs))


def _fusion(width: int) -> nn.Sequential:
    return nn.Sequential(
        _activated(2 * width, 2 * width, 3, 2), _activated(2 * width, WIDER * width), _activated(WIDER * width, width)
    )


class CMUNeXt(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 16."""

    def __init__(self) -> None:
        """Build five levels down and four up."""
        super().__init__()
        self.stem = convolution(3, WIDTHS[0])
        into = (WIDTHS[0], *WIDTHS)
        self.down = nn.ModuleList(_level(*level) for level in zip(into[:-1], WIDTHS, DEPTHS, KERNELS, strict=True))
        self.up = nn.ModuleList(nn.Sequential(doubled(), convolution(b, a)) for a, b in pairwise(WIDTHS))
        self.fuse = nn.ModuleList(_fusion(width) for width in WIDTHS[:-1])
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Encode, decode; values and codes are not read."""
        skips = [self.down[0](self.stem(rgb(image)))]  # (B, 16, H, W)
        for level in list(self.down)[1:]:
            skips.append(level(functional.max_pool2d(skips[-1], 2)))
        y = skips.pop()  # (B, 256, H/16, W/16)
        for i in reversed(range(len(skips))):
            y = self.fuse[i](torch.cat([skips[i], self.up[i](y)], 1))
        return Answer(self.last(y).float(), None)

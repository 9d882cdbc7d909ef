# SPDX-License-Identifier: Apache-2.0
"""The additive head on a volume: a small 3-D trunk, and the head of the 2-D network, unchanged.

Rules of this module:

- The head looks at one place at a time (its gates are 1×1, its tables are looked up), so it knows no neighbours
  and no dimensions. A volume of D slices of H rows reaches it as one plane of D · H rows. No line of it is 3-D.
- The trunk sees the image alone; named maps speak in the heads only, as in 2-D.
- Each label has its own head on the one trunk: its own tables, gates and bounded rest.

The paper (arXiv 2607.02185) names three dimensions as its own limit. This is a small configuration that shows
that the design has no such limit; it is no product and never part of a release.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.model.fusion import RHO, AdditiveHead

WIDTHS = (8, 16, 32, 48)  # channels at 1/1, 1/2, 1/4, 1/8 of the volume
MULTIPLE = 2 ** (len(WIDTHS) - 1)  # of which every side is a multiple


def _convolution(inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv3d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm3d(outputs)
    )


class _InvertedResidual(nn.Module):
    """Expand, filter each channel in 3 × 3 × 3, project (arXiv 1801.04381, section 3.3); identity at one shape."""

    def __init__(self, inputs: int, outputs: int, *, expansion: int = 2, stride: int = 1) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.expand = _convolution(inputs, hidden) if expansion > 1 else None
        self.filter = _convolution(hidden, hidden, 3, stride=stride, groups=hidden)
        self.project = _convolution(hidden, outputs)
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, D, H, W) to (B, outputs, D/stride, H/stride, W/stride)."""
        y: Tensor = x if self.expand is None else torch.relu_(self.expand(x))
        y = self.project(torch.relu_(self.filter(y)))
        return x + y if self.identity else y


class VolumeTrunk(nn.Module):
    """(B, 1, D, H, W) to (B, 8, D, H, W); every side is a multiple of :data:`MULTIPLE`."""

    def __init__(self) -> None:
        """Build four encoder and three decoder levels."""
        super().__init__()
        self.stem = _convolution(1, WIDTHS[0], 3)
        steps = list(pairwise(WIDTHS))
        self.encoder = nn.ModuleList(
            nn.Sequential(
                _InvertedResidual(a, b, expansion=1 if a == WIDTHS[0] else 2, stride=2), _InvertedResidual(b, b)
            )
            for a, b in steps
        )
        self.narrow = nn.ModuleList(_convolution(b, a) for a, b in steps)
        self.decoder = nn.ModuleList(_InvertedResidual(a, a, expansion=1 if a == WIDTHS[0] else 2) for a, _ in steps)
        self.last = _convolution(WIDTHS[0], WIDTHS[0])

    def forward(self, x: Tensor) -> Tensor:
        """Encode, then decode with a sum at every skip."""
        skips = [torch.relu_(self.stem(x))]  # (B, 8, D, H, W)
        for level in self.encoder:
            skips.append(level(skips[-1]))
        y = skips.pop()  # (B, 48, D/8, H/8, W/8)
        for i in reversed(range(len(skips))):
            y = functional.interpolate(self.narrow[i](y), scale_factor=2.0, mode="nearest")
            y = self.decoder[i](y + skips[i])
        return torch.relu_(self.last(y))  # (B, 8, D, H, W)


def as_plane(volume: Tensor) -> Tensor:
    """(B, C, D, H, W) as one plane (B, C, D · H, W): the same values in the same order."""
    return volume.flatten(2, 3)


class VolumeNetwork(nn.Module):
    """Image (B, 1, D, H, W) and codes (B, scales · names, D, H, W) to evidence and rest, (B, labels, D, H, W) each."""

    def __init__(self, names: int, scales: int, labels: int, rho: float = RHO) -> None:
        """Build the trunk and a head for each label; ρ bounds the rest of each, as in 2-D."""
        super().__init__()
        self.rho = rho
        self.trunk = VolumeTrunk()
        self.heads = nn.ModuleList(AdditiveHead(WIDTHS[0], names, scales, rho) for _ in range(labels))

    def centre(self, usual: Tensor) -> None:
        """Centre every head's tables on how often each code occurs in the training volumes, (scales · names, 64)."""
        for head in self.heads:
            head.get_buffer("usual").copy_(usual)

    def forward(self, image: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence z and unbounded rest r of every label; codes are ordered by scale, then name."""
        features = as_plane(self.trunk(image))  # (B, 8, D·H, W)
        told = [head(features, as_plane(codes)) for head in self.heads]
        shape = (image.shape[0], len(told), *image.shape[2:])
        evidence = torch.cat([z for z, _ in told], 1).reshape(shape)
        rest = torch.cat([r for _, r in told], 1).reshape(shape)
        return evidence, rest

# SPDX-License-Identifier: Apache-2.0
"""U-KAN: a small U-Net whose deep levels are Kolmogorov–Arnold layers on tokens.

Source: Li et al., AAAI 2025 (arXiv 2406.02918), section 3 and figure 2; widths 128, 160, 256, with which its authors
train BUSI. A Kolmogorov–Arnold layer (arXiv 2404.19756, section 2.2) learns a function on every edge:

    y_o = Σ_i [ w_oi SiLU(x_i) + s_oi Σ_g c_oig B_g(x_i) ]

with B_g the cubic B-splines over five intervals of [−1, 1], which fade to zero outside. Three such layers, each
followed by a depthwise convolution, make a block. The grid stays where it starts; no dropout, as its authors train.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.parts import doubled, rgb, twice
from radiomicnet_md.model.network import Answer

WIDTHS = (128, 160, 256)  # of the third, fourth and fifth level
INTERVALS = 5
ORDER = 3
BASES = INTERVALS + ORDER
STEP = 2 / INTERVALS
NOISE = 0.01  # of the spline coefficients at the start


def splines(x: Tensor) -> Tensor:
    """The cubic B-splines (…, BASES) of each value of ``x`` (…), in closed form since the knots are evenly spaced."""
    centres = torch.arange(BASES, device=x.device, dtype=x.dtype) * STEP - 1 - STEP
    u = ((x[..., None] - centres) / STEP).abs()
    return torch.where(u < 1, 2 / 3 - u * u * (1 - u / 2), (2 - u).clamp(min=0) ** 3 / 6)


class EdgeFunctions(nn.Module):
    """One Kolmogorov–Arnold layer: (N, inputs) to (N, outputs)."""

    def __init__(self, inputs: int, outputs: int) -> None:
        """Base weights and spline scales start as a linear layer's, splines near zero."""
        super().__init__()
        self.base = nn.Parameter(torch.empty(outputs, inputs))
        self.scale = nn.Parameter(torch.empty(outputs, inputs))
        self.coefficients = nn.Parameter(torch.empty(outputs, inputs, BASES).uniform_(-NOISE, NOISE))
        nn.init.kaiming_uniform_(self.base, a=math.sqrt(5))
        nn.init.kaiming_uniform_(self.scale, a=math.sqrt(5))

    def forward(self, x: Tensor) -> Tensor:
        """Every edge's function as one product of matrices."""
        x = x.float()
        known = torch.cat([functional.silu(x)[..., None], splines(x)], -1)  # (N, inputs, 1 + BASES)
        weight = torch.cat([self.base[..., None], self.scale[..., None] * self.coefficients], -1)
        return functional.linear(known.flatten(1), weight.flatten(1))


class _ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class _Tokens(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.edges = EdgeFunctions(width, width)
        self.filter = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, groups=width, bias=False), nn.BatchNorm2d(width), nn.ReLU()
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, width, rows, columns = x.shape
        tokens = x.permute(0, 2, 3, 1).reshape(-1, width)  # (B·H·W, C)
        result: Tensor = self.filter(self.edges(tokens).reshape(batch, rows, columns, width).permute(0, 3, 1, 2))
        return result


class _Block(nn.Module):
    """(B, C, H, W) to the same shape, normalised at the end."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(_ChannelNorm(width), *(_Tokens(width) for _ in range(3)))
        self.norm = _ChannelNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.norm(x + self.inner(x))
        return result


def _convolved(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(twice(inputs, outputs, outputs), nn.MaxPool2d(2))


def _tokenised(inputs: int, outputs: int) -> nn.Sequential:
    halve = nn.Conv2d(inputs, outputs, 3, stride=2, padding=1)
    return nn.Sequential(halve, _ChannelNorm(outputs), _Block(outputs))


class UKan(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 32."""

    def __init__(self) -> None:
        """Build three convolutional and two tokenised levels down, and five levels up."""
        super().__init__()
        first, second, third = WIDTHS
        widths = (first // 8, first // 4, first, second, third)
        self.down = nn.ModuleList(
            make(a, b)
            for make, a, b in zip([_convolved] * 3 + [_tokenised] * 2, (3, *widths[:-1]), widths, strict=True)
        )
        self.up = nn.ModuleList(
            nn.Sequential(twice(b, b, a), doubled()) for a, b in zip((widths[0], *widths[:-1]), widths, strict=True)
        )
        self.after = nn.ModuleList([nn.Identity(), nn.Identity(), _Block(first), _Block(second)])
        self.last = nn.Conv2d(widths[0], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Encode, decode with a sum at every skip; values and codes are not read."""
        y = rgb(image)  # (B, 3, H, W)
        skips = []
        for level in self.down:
            y = level(y)  # (B, 16, H/2, W/2) … (B, 256, H/32, W/32)
            skips.append(y)
        for i in (3, 2, 1, 0):
            y = self.after[i](self.up[i + 1](y) + skips[i])
        return Answer(self.last(self.up[0](y)).float(), None)

# SPDX-License-Identifier: Apache-2.0
"""Convolution with batch normalisation, and the inverted residual of MobileNetV2 (arXiv 1801.04381, section 3.3)."""

from __future__ import annotations

from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch normalisation, and a ReLU unless ``linear``; same size at stride 1."""

    def __init__(  # noqa: PLR0913 - a convolution has these parameters
        self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1, linear: bool = False
    ) -> None:
        """Build the two or three layers."""
        layers: list[nn.Module] = [
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
        ]
        super().__init__(*layers, *([] if linear else [nn.ReLU(inplace=True)]))
        self.linear = linear


class InvertedResidual(nn.Module):
    """Expand, filter each channel, project; with an identity where the shape stays the same."""

    def __init__(self, inputs: int, outputs: int, *, kernel: int = 5, expansion: int = 2, stride: int = 1) -> None:
        """Build the block; an expansion of 1 has no expanding convolution."""
        super().__init__()
        hidden = inputs * expansion
        self.expand = ConvNorm(inputs, hidden) if expansion > 1 else None
        self.filter = ConvNorm(hidden, hidden, kernel, stride=stride, groups=hidden)
        self.project = ConvNorm(hidden, outputs, linear=True)
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        y: Tensor = x if self.expand is None else self.expand(x)
        y = self.project(self.filter(y))
        return x + y if self.identity else y

# SPDX-License-Identifier: Apache-2.0
"""What several baselines share: grey as three equal channels, and convolutions with their normalisation."""

from __future__ import annotations

from torch import Tensor, nn


def rgb(image: Tensor) -> Tensor:
    """Grey and depth (B, 2, H, W) to grey alone, as the three equal channels of a colour network (B, 3, H, W)."""
    return image[:, :1].expand(-1, 3, -1, -1)


def convolution(inputs: int, outputs: int) -> nn.Sequential:
    """3 × 3, batch normalisation, ReLU; the normalisation takes the place of a bias."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


def twice(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    """Two such convolutions."""
    return nn.Sequential(convolution(inputs, middle), convolution(middle, outputs))


def doubled() -> nn.Upsample:
    """Twice the height and width, bilinear."""
    return nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)

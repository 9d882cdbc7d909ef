# SPDX-License-Identifier: Apache-2.0
"""TransUNet: a residual network, a transformer on its features, and a decoder with skips.

Source: Chen et al. 2021 (arXiv 2102.04306), section 3, with R50-ViT-B/16: a ResNet with three stages of 3, 4 and 9
units, weight-standardised convolutions and group normalisation (arXiv 1912.11370); twelve transformer layers of 768
channels, twelve heads and an inner width of 3072 (arXiv 2010.11929); a cascaded decoder of 256, 128, 64 and 16
channels. Its authors start from ImageNet-21k weights; here nothing is loaded. The maximum pooling pads, so that no
skip has to be padded later; the position table fits 192 × 192 pixels and is resampled for another size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.parts import convolution, doubled, rgb, twice
from radiomicnet_md.model.network import Answer

STAGES = ((64, 3, 1), (128, 4, 2), (256, 9, 2))  # inner width, units and stride of a residual stage
WIDENING = 4
WIDTH, LAYERS, HEADS, INNER = 768, 12, 12, 3072  # the transformer
SIDE = 12  # tokens a side: 192 / 16
DROPOUT = 0.1
ENTRY = 512  # channels of the first decoder level
DECODER = ((256, 512), (128, 256), (64, 64), (16, 0))  # channels of a decoder level and of its skip


class _Standardised(nn.Conv2d):
    """A convolution whose weights have mean 0 and deviation 1 for each output."""

    def forward(self, x: Tensor) -> Tensor:
        deviation, mean = torch.var_mean(self.weight, dim=(1, 2, 3), keepdim=True, correction=0)
        weight = (self.weight - mean) / torch.sqrt(deviation + 1e-5)
        return functional.conv2d(x, weight, None, self.stride, self.padding)


def _normalised(inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 32) -> nn.Sequential:
    return nn.Sequential(
        _Standardised(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.GroupNorm(groups, outputs, eps=1e-6),
    )


class _Residual(nn.Module):
    def __init__(self, inputs: int, inner: int, stride: int) -> None:
        super().__init__()
        outputs = WIDENING * inner
        self.inner = nn.Sequential(
            _normalised(inputs, inner, 1), nn.ReLU(inplace=True),
            _normalised(inner, inner, 3, stride), nn.ReLU(inplace=True),
            _normalised(inner, outputs, 1),
        )  # fmt: skip
        same = inputs == outputs and stride == 1
        self.outer = nn.Identity() if same else _normalised(inputs, outputs, 1, stride, outputs)

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, 4 · inner, H/stride, W/stride)."""
        return torch.relu(self.outer(x) + self.inner(x))


def _stage(inputs: int, inner: int, units: int, stride: int) -> nn.Sequential:
    rest = (_Residual(WIDENING * inner, inner, 1) for _ in range(units - 1))
    return nn.Sequential(_Residual(inputs, inner, stride), *rest)


class _Layer(nn.Module):
    """Tokens (B, N, 768) to the same shape: attention, then two linear layers, each beside the identity."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(WIDTH, eps=1e-6)
        self.asked = nn.Linear(WIDTH, 3 * WIDTH)
        self.told = nn.Linear(WIDTH, WIDTH)
        self.inner = nn.Sequential(
            nn.LayerNorm(WIDTH, eps=1e-6),
            nn.Linear(WIDTH, INNER), nn.GELU(), nn.Dropout(DROPOUT),
            nn.Linear(INNER, WIDTH), nn.Dropout(DROPOUT),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        batch, tokens, width = x.shape
        asked = self.asked(self.before(x)).reshape(batch, tokens, 3, HEADS, width // HEADS)
        query, key, value = asked.permute(2, 0, 3, 1, 4)  # each (B, heads, N, 64)
        weights = torch.softmax(query @ key.transpose(-1, -2) / (width // HEADS) ** 0.5, -1)  # (B, heads, N, N)
        x = x + self.told((weights @ value).transpose(1, 2).reshape(batch, tokens, width))
        result: Tensor = x + self.inner(x)
        return result


class TransUNet(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 16."""

    def __init__(self) -> None:
        """Build the residual network, the transformer and the decoder."""
        super().__init__()
        self.root = nn.Sequential(_normalised(3, 64, 7, 2), nn.ReLU(inplace=True))
        inputs = (64, *(WIDENING * inner for inner, _, _ in STAGES))
        self.stages = nn.ModuleList(_stage(a, *stage) for a, stage in zip(inputs[:-1], STAGES, strict=True))
        self.embed = nn.Conv2d(inputs[-1], WIDTH, 1)
        self.positions = nn.Parameter(torch.zeros(1, WIDTH, SIDE, SIDE))
        self.dropout = nn.Dropout(DROPOUT)
        self.layers = nn.Sequential(*(_Layer() for _ in range(LAYERS)), nn.LayerNorm(WIDTH, eps=1e-6))
        self.entry = convolution(WIDTH, ENTRY)
        self.up = doubled()
        above = (ENTRY, *(width for width, _ in DECODER[:-1]))
        self.decoder = nn.ModuleList(
            twice(a + skip, width, width) for a, (width, skip) in zip(above, DECODER, strict=True)
        )
        self.last = nn.Conv2d(DECODER[-1][0], 1, 3, padding=1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Convolve, attend, decode; values and codes are not read."""
        skips = [self.root(rgb(image))]  # (B, 64, H/2, W/2)
        y = functional.max_pool2d(skips[0], 3, 2, 1)
        for stage in self.stages:
            y = stage(y)  # (B, 256, H/4, W/4), (B, 512, H/8, W/8), (B, 1024, H/16, W/16)
            skips.append(y)
        y = self.embed(skips.pop())  # (B, 768, H/16, W/16)
        place = functional.interpolate(self.positions, y.shape[2:], mode="bilinear", align_corners=False)
        tokens = self.dropout(y + place).flatten(2).transpose(1, 2)  # (B, N, 768)
        y = self.entry(self.layers(tokens).transpose(1, 2).reshape(y.shape))
        for level in self.decoder:
            y = self.up(y)
            y = level(torch.cat([y, skips.pop()], 1) if skips else y)
        return Answer(self.last(y).float(), None)

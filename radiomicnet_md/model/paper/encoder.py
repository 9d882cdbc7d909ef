# SPDX-License-Identifier: Apache-2.0
"""MobileNetV2 without its class head: four skips and the deepest features.

Source: arXiv 1801.04381, table 2, width 1.0, up to and with the 1×1 convolution to 1280 channels. That is the
"backbone" of arXiv 2607.02185: 2,223,872 parameters with this convolution, 1,811,712 without it, and the
article counts 2.20 M.

Parameters carry torchvision's names (``features.0.0.weight``, …), so that weights published under them can be
read from a file; the tensors of its class head (``classifier.…``) have no place here and are left out.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from radiomicnet_md.errors import ConfigurationError

STEM = 32  # channels of the first convolution
STAGES = (  # table 2: expansion t, channels c, blocks n, stride s of the first block
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
TAPS = (1, 3, 6, 13)  # the last feature before each halving: 1/2, 1/4, 1/8, 1/16
SKIPS = (16, 24, 32, 96)  # channels there
DEEPEST = 1280  # channels at 1/32
MEAN = (0.485, 0.456, 0.406)  # the colours of ImageNet, to which published weights are used
DEVIATION = (0.229, 0.224, 0.225)


class _Filter(nn.Sequential):
    """Convolution without bias, batch normalisation, ReLU6; same size at stride 1."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU6(inplace=True),
        )


class _Bottleneck(nn.Module):
    """Section 3.3: expand by t with 1×1, filter each channel with 3×3, project with 1×1 and no ReLU6."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.conv = nn.Sequential(
            *([_Filter(inputs, hidden)] if expansion > 1 else []),
            _Filter(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.identity = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, H, W) to (B, outputs, H/stride, W/stride)."""
        y: Tensor = self.conv(x)
        return x + y if self.identity else y


class Encoder(nn.Module):
    """Grey (B, 1, H, W) in 0 … 1 to features at 1/2, 1/4, 1/8, 1/16 and 1/32; H and W are multiples of 32."""

    mean: Tensor
    deviation: Tensor

    def __init__(self) -> None:
        """Build table 2."""
        super().__init__()
        layers: list[nn.Module] = [_Filter(3, STEM, 3, stride=2)]
        inputs = STEM
        for expansion, outputs, blocks, stride in STAGES:
            for block in range(blocks):
                layers.append(_Bottleneck(inputs, outputs, expansion, stride if block == 0 else 1))
                inputs = outputs
        self.features = nn.Sequential(*layers, _Filter(inputs, DEEPEST))
        # Constants, no weights: they stay out of the state dict, whose names are torchvision's.
        self.register_buffer("mean", torch.tensor(MEAN).reshape(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(DEVIATION).reshape(3, 1, 1), persistent=False)

    def forward(self, grey: Tensor) -> list[Tensor]:
        """The four skips, finest first, and the deepest features."""
        x = (grey.expand(-1, 3, -1, -1) - self.mean) / self.deviation  # (B, 3, H, W)
        kept = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in TAPS:
                kept.append(x)  # (B, 16 | 24 | 32 | 96, H/2 | H/4 | H/8 | H/16, …)
        return [*kept, x]  # x: (B, 1280, H/32, W/32)


def load_encoder(path: Path) -> Encoder:
    """An encoder with the weights of a file in torchvision's naming.

    :param path: ``.safetensors``, or ``.pth`` as torchvision publishes it (only its tensors are read)
    :raises ConfigurationError: ``E-ENCODER-FILE`` a file that cannot be read, ``E-ENCODER-MISSING``,
        ``E-ENCODER-EXTRA`` or ``E-ENCODER-SHAPE`` a tensor that is absent, unknown or of another shape
    """
    given = {name: tensor for name, tensor in _read(path).items() if not name.startswith("classifier.")}
    encoder = Encoder()
    wanted = encoder.state_dict()
    faults = {
        "MISSING": [name for name in wanted if name not in given],
        "EXTRA": [name for name in given if name not in wanted],
        "SHAPE": [name for name in wanted if name in given and given[name].shape != wanted[name].shape],
    }
    for fault, names in faults.items():
        if names:
            raise ConfigurationError(
                f"E-ENCODER-{fault}",
                f"{path.name} is no MobileNetV2 of width 1.0: {fault.lower()}: {', '.join(sorted(names)[:3])}"
                f"{f' and {len(names) - 3} more' if len(names) > 3 else ''}",  # noqa: PLR2004 - three examples
                remedy="give a state dict in torchvision's naming (features.0.0.weight …), or train from scratch",
            )
    encoder.load_state_dict(given)
    return encoder


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        # torchvision publishes pickles alone. With weights_only torch builds tensors and refuses every other object.
        kept = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251
    except Exception as error:  # a foreign file fails in many ways
        raise _unreadable(path, str(error)) from error
    if not isinstance(kept, dict) or not all(isinstance(tensor, Tensor) for tensor in kept.values()):
        raise _unreadable(path, "it holds no state dict")
    return dict(kept)


def _unreadable(path: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        "E-ENCODER-FILE",
        f"{path.name} cannot be read as encoder weights: {why.splitlines()[0] if why else 'unknown content'}",
        remedy="give a .safetensors or .pth file that holds a state dict of tensors and nothing else",
    )

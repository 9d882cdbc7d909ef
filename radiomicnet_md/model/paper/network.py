# SPDX-License-Identifier: Apache-2.0
"""RadiomicNet (arXiv 2607.02185): one vector of global texture values gates the four skips of a MobileNetV2 U-Net.

Parameters of the full network: encoder 2,223,872, decoder 1,008,200, gates 13,208, stream 1,568, last convolution 21;
3,246,869 in all, against 3.27 M in the paper.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.model.network import Answer
from radiomicnet_md.model.paper.decoder import WIDTHS, Decoder
from radiomicnet_md.model.paper.encoder import SKIPS, Encoder
from radiomicnet_md.model.paper.gate import Gate, GateKind
from radiomicnet_md.model.stream import RadiomicStream


class RadiomicNet(nn.Module):
    """Image (B, 2, H, W) and standardised values (B, 13) to evidence (B, 1, H, W); H and W are multiples of 32."""

    def __init__(self, values: int = 13, *, gates: GateKind = GateKind.FULL) -> None:
        """Build encoder, stream (where the gates use it), gates and decoder."""
        super().__init__()
        self.encoder = Encoder()
        self.stream = RadiomicStream(values) if gates.radiomic else None
        self.gates = nn.ModuleList(Gate(gates, channels) for channels in SKIPS)
        self.decoder = Decoder()
        self.last = nn.Conv2d(WIDTHS[-1], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - every network's call
        """Evidence, a logit at full size; depth (channel 1 of the image) and code maps are not part of the paper."""
        *skips, deepest = self.encoder(image[:, :1])
        rhat = None if self.stream is None else self.stream(values)  # (B, 32)
        gated = [gate(skip, rhat) for gate, skip in zip(self.gates, skips, strict=True)]
        logit = self.last(self.decoder(gated, deepest)).float()  # (B, 1, H/2, W/2)
        return Answer(functional.interpolate(logit, scale_factor=2.0, mode="bilinear", align_corners=False), None)


class Groups(NamedTuple):
    """Parameters that are trained at a rate of their own."""

    encoder: list[nn.Parameter]
    rest: list[nn.Parameter]


def parameter_groups(network: RadiomicNet) -> Groups:
    """The encoder's parameters, and all others: the paper trains them at 1e-5 and 1e-4."""
    rest = [parameter for name, parameter in network.named_parameters() if not name.startswith("encoder.")]
    return Groups(list(network.encoder.parameters()), rest)

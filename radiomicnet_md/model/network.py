# SPDX-License-Identifier: Apache-2.0
"""The pixel layer of preset ``locked``: radiomic stream, gated trunk, additive head; and it with a plain logit."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn

from radiomicnet_md.model.fusion import RHO, AdditiveHead
from radiomicnet_md.model.stream import RadiomicStream
from radiomicnet_md.model.trunk import WIDTHS, Trunk


class Answer(NamedTuple):
    """What every network of the results gives: a logit, on the whole or the half grid."""

    evidence: Tensor  # (B, 1, h, w)
    rest: Tensor | None  # (B, 1, h, w): what no name explains, before its cap; None where nothing is named


class PixelNetwork(nn.Module):
    """Image (B, 2, H, W), thirteen values (B, 13), codes (B, names · scales, H/2, W/2) to evidence and rest."""

    def __init__(self, values: int, names: int, scales: int, rho: float = RHO) -> None:
        """Build the three parts."""
        super().__init__()
        self.stream = RadiomicStream(values)
        self.trunk = Trunk()
        self.head = AdditiveHead(WIDTHS[0], names, scales, rho)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:
        """Evidence z and uncapped rest r, each (B, 1, H/2, W/2)."""
        return Answer(*self.head(self.trunk(image, self.stream(values)), codes))


class PlainNetwork(nn.Module):
    """The same stream and trunk with one logit in place of the named sum; codes are not read."""

    def __init__(self, values: int) -> None:
        """Build the three parts."""
        super().__init__()
        self.stream = RadiomicStream(values)
        self.trunk = Trunk()
        self.head = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """A logit (B, 1, H/2, W/2)."""
        return Answer(self.head(self.trunk(image, self.stream(values))).float(), None)


def parameters(network: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(p.numel() for p in network.parameters())

# SPDX-License-Identifier: Apache-2.0
"""U-Net++: a U-Net whose skips are themselves nets.

Source: Zhou et al., DLMIA 2018 (arXiv 1807.10165), equation 1: x(i, j) = H[x(i, 0), …, x(i, j − 1), U(x(i + 1, j − 1))]
with widths 32 … 512 and 2 × 2 transposed convolutions as U. Only the last node speaks (no deep supervision), so
that one loss serves all baselines. Batch normalisation as in the other baselines.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.networks.parts import rgb, twice
from radiomicnet_md.model.network import Answer

WIDTHS = (32, 64, 128, 256, 512)
PLACES = [(i, j) for j in range(len(WIDTHS)) for i in range(len(WIDTHS) - j)]  # in an order in which they can be filled


class UNetPlusPlus(nn.Module):
    """Image (B, 2, H, W), of which the grey is read, to a logit (B, 1, H, W); H and W are multiples of 16."""

    def __init__(self) -> None:
        """Build the triangle of nodes; those of its first column are the encoder."""
        super().__init__()
        inputs = {(i, j): (j + 1) * WIDTHS[i] if j else (3, *WIDTHS)[i] for i, j in PLACES}
        self.node = nn.ModuleDict({f"{i}{j}": twice(inputs[i, j], WIDTHS[i], WIDTHS[i]) for i, j in PLACES})
        self.up = nn.ModuleDict(
            {f"{i}{j}": nn.ConvTranspose2d(WIDTHS[i + 1], WIDTHS[i], 2, stride=2) for i, j in PLACES if j}
        )
        self.last = nn.Conv2d(WIDTHS[0], 1, 1)

    def forward(self, image: Tensor, values: Tensor, codes: Tensor) -> Answer:  # noqa: ARG002 - one call for all
        """Fill the triangle; values and codes are not read."""
        x: dict[tuple[int, int], Tensor] = {}  # (B, 32 · 2^i, H/2^i, W/2^i)
        for i, j in PLACES:
            if j:
                seen = torch.cat([*(x[i, k] for k in range(j)), self.up[f"{i}{j}"](x[i + 1, j - 1])], 1)
            else:
                seen = functional.max_pool2d(x[i - 1, 0], 2) if i else rgb(image)
            x[i, j] = self.node[f"{i}{j}"](seen)
        return Answer(self.last(x[0, len(WIDTHS) - 1]).float(), None)

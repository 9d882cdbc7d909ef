# SPDX-License-Identifier: Apache-2.0
"""Pixel evidence as a sum of named terms: z = b + Σ_k Σ_s g_ks φ_ks(F_ks) + ρ tanh(r / ρ).

Rules of this module:

- F_ks is the code (0 … 63) of the k-th name at scale s; φ_ks is a table over the codes, piecewise linear
  between knots and centred on the training distribution *inside the forward pass*: a table cannot hide
  a constant, so a contribution is a deviation of the measured value from what is usual.
- g_ks lies in (0, 2): the decoder says how strongly a name speaks at a pixel and scale, never with which sign.
- What is not named is bounded: |ρ tanh(r/ρ)| ≤ ρ.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

CODES = 64  # codes of a measured value; one more, CODES, means "outside the image" and always gives 0
KNOTS = 13
RHO = 1.0


class _Lookup(torch.autograd.Function):
    """``tables[map, code]`` for every map and pixel, with a counted (not scattered) backward pass."""

    @staticmethod
    def forward(ctx: Any, tables: Tensor, codes: Tensor) -> Tensor:  # noqa: ANN401
        """Tables (M, 65) and codes (B, M, H, W) to values (B, M, H, W)."""
        maps, size = tables.shape
        index = codes.long() + (torch.arange(maps, device=codes.device) * size)[None, :, None, None]
        ctx.save_for_backward(index)
        ctx.shape = tables.shape
        return tables.reshape(-1)[index]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        """Sum the gradients of each table entry."""
        (index,) = ctx.saved_tensors
        weights = gradients[0].reshape(-1).float()
        summed = torch.bincount(index.reshape(-1), weights, minlength=ctx.shape[0] * ctx.shape[1])
        return summed.reshape(ctx.shape).float(), None


def _interpolation() -> Tensor:
    """(KNOTS, CODES): the hat functions that spread knots over codes."""
    position = torch.linspace(0, KNOTS - 1, CODES)
    return torch.clamp(1 - (position[None, :] - torch.arange(KNOTS)[:, None]).abs(), min=0)


def capped(rest: Tensor, rho: float) -> Tensor:
    """ρ tanh(r / ρ), with its limits 0 at ρ = 0 and r at ρ = ∞."""
    if rho == 0 or math.isinf(rho):
        return rest * float(rho > 0)
    return rho * torch.tanh(rest / rho)


class AdditiveHead(nn.Module):
    """Decoder features (B, 16, H, W) and codes (B, names · scales, H, W) to evidence (B, 1, H, W)."""

    usual: Tensor
    hats: Tensor

    def __init__(self, channels: int, names: int, scales: int, rho: float = RHO) -> None:
        """Build gates, tables and bias; codes are ordered by scale, then name. ρ may be 0 (no rest) or infinite."""
        super().__init__()
        self.rho = rho
        self.gate = nn.Conv2d(channels, names * scales + 1, 1)
        self.knots = nn.Parameter(0.05 * torch.randn(names * scales, KNOTS))
        self.bias = nn.Parameter(torch.tensor(-1.0))
        self.register_buffer("usual", torch.full((names * scales, CODES), 1 / CODES))
        self.register_buffer("hats", _interpolation())

    def at_knots(self, tables: Tensor) -> Tensor:
        """Tables over codes (M, 64) as knots (M, KNOTS): at each the mean of what its hat covers."""
        return tables @ self.hats.T / self.hats.sum(1)

    def tables(self) -> Tensor:
        """(names · scales, 65): centred tables with the entry for "outside the image" last."""
        raw = self.knots @ self.hats  # (M, 64)
        centred = raw - (self.usual * raw).sum(1, keepdim=True)
        return torch.cat([centred, torch.zeros_like(centred[:, :1])], 1)

    def forward(self, features: Tensor, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Evidence z (B, 1, H, W) and the unbounded rest r (B, 1, H, W), which training also supervises."""
        outputs = self.gate(features).float()  # (B, M + 1, H, W)
        spoken = _Lookup.apply(self.tables(), codes)  # type: ignore[no-untyped-call]  # (B, M, H, W)
        named = (2 * torch.sigmoid(outputs[:, :-1]) * spoken).sum(1, keepdim=True)
        rest = outputs[:, -1:]
        return self.bias + named + capped(rest, self.rho), rest

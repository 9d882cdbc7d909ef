# SPDX-License-Identifier: Apache-2.0
"""Random views of a batch: one affine map for image, mask and codes, then what an ultrasound machine varies.

The code maps were measured on the unchanged image. Geometry moves them along; photometric changes do
not reach them, so they get their own disturbance, or they would be fingerprints.

What is random is drawn on the processor and then moved, so that an accelerator trains on the same views.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.model.fusion import CODES


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network is trained on: floats 0 … 1, codes 0 … 64."""

    images: Tensor  # (B, 2, H, W)
    masks: Tensor  # (B, 1, H, W)
    valid: Tensor  # (B, 1, H, W): 1 inside the image
    values: Tensor  # (B, 13), standardised
    codes: Tensor  # (B, M, H/2, W/2) uint8
    contrast: Tensor  # (B,): the image's GLCM contrast as a share of the training part's largest

    def to(self, device: torch.device) -> Batch:
        """The same on another device."""
        return Batch(*(getattr(self, field.name).to(device) for field in fields(self)))

    def at(self, index: Tensor) -> Batch:
        """Some of the cases, in the order of ``index``."""
        return Batch(*(getattr(self, field.name)[index] for field in fields(self)))


@dataclass(frozen=True, slots=True)
class _Draws:
    """Random numbers of a generator on the processor, where they are needed."""

    generator: torch.Generator
    device: torch.device

    def uniform(self, count: int, low: float, high: float) -> Tensor:
        return low + (high - low) * self.rand(count)

    def rand(self, *shape: int) -> Tensor:
        return self._moved(torch.rand(shape, generator=self.generator))

    def randn(self, shape: torch.Size) -> Tensor:
        return self._moved(torch.randn(shape, generator=self.generator))

    def randint(self, low: int, high: int, *shape: int) -> Tensor:
        return self._moved(torch.randint(low, high, shape, generator=self.generator))

    def _moved(self, drawn: Tensor) -> Tensor:
        """On the device; from pinned memory, so that nobody waits for the steps before."""
        return drawn if self.device.type == "cpu" else drawn.pin_memory().to(self.device, non_blocking=True)


def _affine(draws: _Draws, count: int) -> Tensor:
    """Random maps from output to input in normalised coordinates, (B, 2, 3)."""
    angle = draws.uniform(count, -20, 20) * math.pi / 180
    scale = torch.exp(draws.uniform(count, -math.log(1.42), math.log(1.42)))
    aspect = torch.exp(draws.uniform(count, -0.15, 0.15))
    shear = draws.uniform(count, -0.12, 0.12)
    flip = torch.where(draws.rand(count) < 0.5, -1.0, 1.0)  # noqa: PLR2004
    shift = 0.2 * (draws.rand(count, 2) - 0.5)
    cos, sin = torch.cos(angle), torch.sin(angle)
    first = torch.stack([flip * cos * scale * aspect, (shear - sin) * scale, shift[:, 0]], 1)
    second = torch.stack([flip * sin * scale, cos * scale / aspect, shift[:, 1]], 1)
    return torch.stack([first, second], 1)


def _move_codes(codes: Tensor, grid: Tensor) -> Tensor:
    """Nearest code at each place of ``grid`` (B, h, w, 2), "outside" beyond the border."""
    count, maps, rows, columns = codes.shape
    column = ((grid[..., 0] + 1) * columns / 2 - 0.5).round().long()
    row = ((grid[..., 1] + 1) * rows / 2 - 0.5).round().long()
    inside = (row >= 0) & (row < rows) & (column >= 0) & (column < columns)
    index = row.clamp(0, rows - 1) * columns + column.clamp(0, columns - 1)
    flat = codes.reshape(count, maps, -1)
    moved = torch.gather(flat, 2, index.reshape(count, 1, -1).expand(-1, maps, -1)).reshape(codes.shape)
    return torch.where(inside[:, None], moved, torch.full_like(moved, CODES))


def _disturb_codes(codes: Tensor, draws: _Draws) -> Tensor:
    count, maps = codes.shape[:2]
    shift = draws.randint(-2, 3, count, maps, 1, 1)
    moved = (codes.long() + shift).clamp(0, CODES - 1)
    return torch.where(codes == CODES, CODES, moved).to(torch.uint8)


def _photometric(grey: Tensor, depth: Tensor, draws: _Draws) -> Tensor:
    count = grey.shape[0]

    def draw(low: float, high: float) -> Tensor:
        return draws.uniform(count, low, high)[:, None, None, None]

    grey = grey.clamp(0, 1) ** torch.exp(draw(-0.4, 0.4))
    grey = grey * torch.exp(draw(-0.25, 0.25)) + draw(-0.08, 0.08)
    grey = grey * torch.exp(draw(-0.4, 0.4) * (depth - 0.5))  # time-gain compensation
    noise = draws.randn(grey.shape)
    coarse = functional.interpolate(functional.avg_pool2d(noise, 2), scale_factor=2.0) * 2
    mixed = torch.where(draws.rand(count, 1, 1, 1) < 0.5, noise, coarse)  # noqa: PLR2004
    grey = grey * (1 + draw(0, 0.18) * mixed)
    blurred = functional.interpolate(functional.avg_pool2d(grey, 2), scale_factor=2.0, mode="bilinear")
    grey = torch.where(draws.rand(count, 1, 1, 1) < 0.2, blurred, grey)  # noqa: PLR2004
    return grey.clamp(0, 1)


def augment(batch: Batch, generator: torch.Generator) -> Batch:
    """A random view of the batch."""
    count, _, rows, columns = batch.images.shape
    draws = _Draws(generator, batch.images.device)
    theta = _affine(draws, count)
    stacked = torch.cat([batch.images, batch.masks, batch.valid], 1)
    grid = functional.affine_grid(theta, [count, 4, rows, columns], align_corners=False)
    moved = functional.grid_sample(stacked, grid, align_corners=False)
    half = functional.affine_grid(theta, [count, 1, rows // 2, columns // 2], align_corners=False)
    valid = (moved[:, 3:] > 0.5).float()  # noqa: PLR2004
    grey = _photometric(moved[:, :1], moved[:, 1:2], draws) * valid
    values = batch.values + 0.1 * draws.randn(batch.values.shape)
    return Batch(
        torch.cat([grey, moved[:, 1:2] * valid], 1),
        moved[:, 2:3],
        valid,
        values,
        _disturb_codes(_move_codes(batch.codes, half), draws),
        batch.contrast,
    )

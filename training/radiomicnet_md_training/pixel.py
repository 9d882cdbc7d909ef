# SPDX-License-Identifier: Apache-2.0
"""Trains the pixel layer: one run, its curve, its average weights; resumable after every epoch."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_training import losses
from radiomicnet_md_training.augment import Batch, augment
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.recipe import Pixel

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the averaged network and its loss curve."""

    network: PixelNetwork
    curve: list[float]


def build(prepared: Prepared) -> PixelNetwork:
    """A fresh network for the prepared maps, its tables centred on the training distribution."""
    network = PixelNetwork(len(PAPER), len(NAMED), prepared.codes.shape[1] // len(NAMED))
    network.head.usual.copy_(torch.from_numpy(prepared.usual))
    return network


def gather(prepared: Prepared, index: NDArray[np.int64]) -> Batch:
    """The cases at ``index`` as tensors."""
    images = torch.from_numpy(prepared.images[index]).float() / 255
    valid = torch.zeros(len(index), 1, *images.shape[2:])
    for i, (rows, columns) in enumerate(prepared.sizes[index]):
        valid[i, :, :rows, :columns] = 1
    return Batch(
        images,
        torch.from_numpy(prepared.masks[index]).float()[:, None] / 255,
        valid,
        torch.from_numpy(prepared.standardised()[index]).float(),
        torch.from_numpy(prepared.codes[index]),
    )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _upsample(z: Tensor) -> Tensor:
    return functional.interpolate(z.float(), scale_factor=2.0, mode="bilinear", align_corners=False)


def train(prepared: Prepared, index: NDArray[np.int64], settings: Pixel, seed: int, folder: Path) -> Run:
    """Train on the cases at ``index``; continues from ``folder/last.pt`` where there is one."""
    torch.manual_seed(seed)
    device = _device()
    network = build(prepared).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = build(prepared).to(device)
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
    steps = len(index) // settings.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=steps * settings.epochs, pct_start=0.15
    )
    state: dict[str, Any] = {"epoch": 0, "curve": []}
    parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    last = folder / "last.pt"
    if last.is_file():
        kept = torch.load(last, weights_only=True)  # noqa: TID251 - our own checkpoint, tensors only
        state = kept["state"]
        for name, part in parts.items():
            part.load_state_dict(kept[name])
    folder.mkdir(parents=True, exist_ok=True)
    begun, first = time.monotonic(), state["epoch"]
    for epoch in range(first, settings.epochs):
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(index), generator=generator).numpy()
        total = 0.0
        network.train()
        for step in range(steps):
            chosen = index[order[step * settings.batch : (step + 1) * settings.batch]]
            batch = augment(gather(prepared, chosen), generator)
            total += _step(network, batch, device, optimiser, settings)
            schedule.step()
            _follow(average, network, settings.average)
        state = {"epoch": epoch + 1, "curve": [*state["curve"], total / steps]}
        partial = last.with_suffix(".partial")
        torch.save({"state": state, **{n: p.state_dict() for n, p in parts.items()}}, partial)
        partial.replace(last)
        left = (time.monotonic() - begun) / (epoch + 1 - first) * (settings.epochs - epoch - 1)
        log.info(
            "%s epoch %d/%d loss %.4f, %d min left", folder.name, epoch + 1, settings.epochs, total / steps, left / 60
        )
    return Run(average.eval().to("cpu"), state["curve"])


def _step(
    network: PixelNetwork, batch: Batch, device: torch.device, optimiser: torch.optim.Optimizer, settings: Pixel
) -> float:
    with torch.autocast(device.type, torch.bfloat16):
        images = batch.images.to(device, memory_format=torch.channels_last)
        z, rest = network(images, batch.values.to(device), batch.codes.to(device))
    masks, valid = batch.masks.to(device), batch.valid.to(device)
    loss = losses.segmentation(_upsample(z), masks, valid)
    loss = loss + settings.rest * losses.segmentation(_upsample(rest), masks, valid)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def _follow(average: PixelNetwork, network: PixelNetwork, keep: float) -> None:
    for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - keep)
        else:
            mine.copy_(theirs)


@torch.no_grad()
def evidence(network: PixelNetwork, prepared: Prepared, index: NDArray[np.int64]) -> NDArray[np.float32]:
    """Evidence z (len(index), GRID/2, GRID/2) in float32, eight cases at a time."""
    out = []
    for start in range(0, len(index), 8):
        batch = gather(prepared, index[start : start + 8])
        out.append(network(batch.images, batch.values, batch.codes)[0][:, 0].numpy())
    return np.concatenate(out)

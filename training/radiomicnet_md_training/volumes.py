# SPDX-License-Identifier: Apache-2.0
"""Trains and scores the additive head on volumes: one small run that shows that its design is not 2-D.

Rules of this module:

- A run goes on after its last finished epoch; what is drawn at random in an epoch depends on seed and epoch alone.
- No mirroring: the volumes of both sides come turned alike, so a mirrored one would show what does not occur.
- Each label is a decision of its own; where several speak for a voxel, the one with the most evidence has it.
- Dice is taken in the file's own shape, and a label that is not found counts as 0.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.model.fusion import CODES, capped
from radiomicnet_md.model.network import parameters
from radiomicnet_md.model.volume import VolumeNetwork, as_plane
from radiomicnet_md_training import losses
from radiomicnet_md_training.figures import NOTICE
from radiomicnet_md_training.harness import write_csv
from radiomicnet_md_training.pixel import device, follow
from radiomicnet_md_training.volume_cases import (
    NOTHING,
    SPLITS,
    Prepared,
    Recipe,
    prepare,
    read_labels,
    read_recipe,
    take_back,
)
from radiomicnet_md_validation.metrics import dice

log = logging.getLogger(__name__)

ANGLE = math.radians(12)  # of a random turn about each axis
SCALE = 0.15  # of the logarithm of a random size
SHIFT = 3  # voxels along each axis
JITTER = 4  # codes
SILENT = 0.1  # share of maps that say nothing in a view


@dataclass(frozen=True, slots=True)
class Batch:
    """What the network is trained on."""

    images: Tensor  # (B, 1, D, H, W), 0 … 1
    labels: Tensor  # (B, D, H, W) uint8, NOTHING outside
    codes: Tensor  # (B, M, D, H, W) uint8


def run(recipe_path: Path, data: Path, out: Path) -> None:
    """Measure, train, score: ``cases.csv``, ``curve.csv`` and ``run.json`` in ``out``; resumable at any point."""
    recipe, digest = read_recipe(recipe_path)
    mark = mark_of(digest, data)
    prepared = prepare(recipe, data, out, mark)
    network, state = train(prepared, recipe, out / "last.pt", mark)
    rows = [score(network, prepared, recipe, data, i) for i in range(len(prepared.names))]
    write_csv(out / "cases.csv", rows)
    write_csv(out / "curve.csv", [{"epoch": i, "loss": f"{loss:.6f}"} for i, loss in enumerate(state["loss"], 1)])
    text = {
        "notice": NOTICE,
        "run_sha256": mark,
        "recipe": recipe.model_dump(mode="json"),
        "data_files_sha256": hashlib.sha256("".join(prepared.digests).encode()).hexdigest(),
        "parameters": parameters(network),
        "training_seconds": round(state["seconds"], 1),
        "software": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "splits": {split: summary([row for row in rows if row["split"] == split], recipe) for split in SPLITS},
    }
    (out / "run.json").write_text(json.dumps(text, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def mark_of(recipe_digest: str, data: Path) -> str:
    """What names a run: the digest of the recipe and of the list of cases."""
    table = data / "splits.csv"
    cases = table.read_bytes() if table.is_file() else b""  # a missing table is refused where it is read
    return hashlib.sha256(f"{recipe_digest} {hashlib.sha256(cases).hexdigest()}".encode()).hexdigest()


def gather(prepared: Prepared, index: NDArray[np.int64]) -> Batch:
    """The cases at ``index`` as tensors."""
    return Batch(
        torch.from_numpy(prepared.grey[index]).float()[:, None] / 255,
        torch.from_numpy(prepared.labels[index]),
        torch.from_numpy(prepared.codes[index]),
    )


def _uniform(generator: torch.Generator, shape: tuple[int, ...], most: float) -> Tensor:
    """Numbers between −most and most."""
    return most * (2 * torch.rand(shape, generator=generator) - 1)


def views(generator: torch.Generator, count: int, grid: tuple[int, ...]) -> Tensor:
    """Random maps from output to input in normalised coordinates x, y, z, (B, 3, 4): turn, size, shift."""
    turn = _uniform(generator, (count, 3), ANGLE)
    zero = torch.zeros(count)
    x, y, z = turn.unbind(1)
    generators = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], 1).reshape(count, 3, 3)
    matrix = torch.linalg.matrix_exp(generators) * torch.exp(_uniform(generator, (count, 1, 1), SCALE))
    half = torch.tensor(grid[::-1]) / 2  # of a side, voxels, in the order x, y, z
    shift = _uniform(generator, (count, 3), SHIFT) / half
    return torch.cat([matrix * half[None, None, :] / half[None, :, None], shift[:, :, None]], 2)


def nearest(codes: Tensor, where: Tensor, outside: Tensor) -> Tensor:
    """Values (B, M, D, H, W) at the nearest voxel of ``where`` (B, D, H, W, 3); ``outside`` (M,) beyond the border."""
    count, maps, *grid = codes.shape
    sides = torch.tensor(grid[::-1])
    at = ((where + 1) * sides / 2 - 0.5).round().long()  # (B, D, H, W, 3): x, y, z
    inside = ((at >= 0) & (at < sides)).all(-1)
    x, y, z = at.clamp(min=0).minimum(sides - 1).unbind(-1)
    index = ((z * grid[1] + y) * grid[2] + x).reshape(count, 1, -1).expand(-1, maps, -1)
    moved = torch.gather(codes.reshape(count, maps, -1), 2, index).reshape(codes.shape)
    return torch.where(inside[:, None], moved, outside[None, :, None, None, None])


def augment(batch: Batch, generator: torch.Generator) -> Batch:
    """A random view: image, labels and codes moved as one; then intensity, noise, and the codes' own disturbance."""
    count, maps, *grid = batch.codes.shape
    theta = views(generator, count, tuple(grid))
    where = functional.affine_grid(theta, [count, 1, *grid], align_corners=False)  # (B, D, H, W, 3)
    images = functional.grid_sample(batch.images, where, align_corners=False)
    both = torch.cat([batch.labels[:, None], batch.codes], 1)
    both = nearest(both, where, torch.tensor([NOTHING, *[CODES] * maps], dtype=torch.uint8))
    labels, codes = both[:, 0], both[:, 1:]
    each = (count, 1, 1, 1, 1)
    images = images.clamp(0, 1) ** torch.exp(_uniform(generator, each, 0.3))
    images = images * torch.exp(_uniform(generator, each, 0.2)) + _uniform(generator, each, 0.05)
    images = images + 0.05 * torch.rand(each, generator=generator) * torch.randn(images.shape, generator=generator)
    shift = torch.randint(-JITTER, JITTER + 1, (count, maps, 1, 1, 1), generator=generator)
    silent = torch.rand(count, maps, 1, 1, 1, generator=generator) < SILENT
    disturbed = (codes.short() + shift.short()).clamp(0, CODES - 1).to(torch.uint8)
    return Batch(
        images.clamp(0, 1) * (labels != NOTHING)[:, None],
        labels,
        torch.where((codes == CODES) | silent, torch.full_like(codes, CODES), disturbed),
    )


def build(prepared: Prepared, recipe: Recipe) -> VolumeNetwork:
    """A fresh network, its tables centred on the training split."""
    network = VolumeNetwork(len(recipe.measuring.features), len(recipe.measuring.radii), len(recipe.labels))
    network.centre(torch.from_numpy(prepared.usual))
    return network


def train(prepared: Prepared, recipe: Recipe, last: Path, mark: str) -> tuple[VolumeNetwork, dict[str, Any]]:
    """Train on the training split; goes on from ``last``. Returns the averaged network, losses and seconds."""
    torch.manual_seed(recipe.seed)
    settings, index, target = recipe.training, prepared.of("train"), device()
    network, average = (build(prepared, recipe).to(target) for _ in range(2))
    average.load_state_dict(network.state_dict())
    network.trunk.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), lr=settings.rate, weight_decay=settings.decay)
    steps = len(index) // settings.batch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, settings.rate, total_steps=steps * settings.epochs, pct_start=0.15
    )
    parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    state = _resume(last, parts, mark)
    for epoch in range(len(state["loss"]), settings.epochs):
        begun, total = time.monotonic(), 0.0
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
        order = torch.randperm(len(index), generator=generator).numpy()
        network.train()
        for step in range(steps):
            chosen = index[order[step * settings.batch : (step + 1) * settings.batch]]
            total += _step(network, augment(gather(prepared, chosen), generator), optimiser, recipe)
            schedule.step()
            follow(average, network, settings.average)
        state["loss"].append(total / steps)
        state["seconds"] += time.monotonic() - begun
        partial = last.with_suffix(".partial")
        torch.save({"mark": mark, "state": state, **{n: p.state_dict() for n, p in parts.items()}}, partial)
        partial.replace(last)
        left = state["seconds"] / (epoch + 1) * (settings.epochs - epoch - 1) / 60
        log.info("epoch %d/%d loss %.4f, %.0f min left", epoch + 1, settings.epochs, total / steps, left)
    return average.eval().to("cpu"), state


def _resume(last: Path, parts: dict[str, Any], mark: str) -> dict[str, Any]:
    if not last.is_file():
        return {"loss": [], "seconds": 0.0}
    try:
        kept = torch.load(last, weights_only=True)  # noqa: TID251 - our own checkpoint, tensors and numbers only
        found, state = kept["mark"], dict(kept["state"])
    except Exception as error:  # a torn file fails in many ways, all of them the same to the user
        raise IntegrityError(
            "E-CHECKPOINT", f"the checkpoint {last.name} is damaged", remedy="remove it: the training starts again"
        ) from error
    if found != mark:
        raise ConfigurationError(
            "E-RUN-CHANGED", "the checkpoint is of another run", remedy="use another --out, or remove the folder"
        )
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return state


def _step(network: VolumeNetwork, batch: Batch, optimiser: torch.optim.Optimizer, recipe: Recipe) -> float:
    target = next(network.parameters()).device
    images = batch.images.to(target, memory_format=torch.channels_last_3d)
    z, rest = network(images, batch.codes.to(target))  # (B, labels, D, H, W)
    labels = batch.labels.to(target)
    masks = torch.stack([labels == value for value in recipe.labels.values()], 1).float()
    valid = (labels != NOTHING)[:, None].expand_as(masks).float()
    planes = [as_plane(part).flatten(0, 1)[:, None] for part in (z, rest, masks, valid)]  # (B · labels, 1, D·H, W)
    loss = losses.overlap(planes[0], *planes[2:]) + recipe.training.rest * losses.overlap(planes[1], *planes[2:])
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def decide(z: Tensor, values: list[int]) -> NDArray[np.uint8]:
    """Evidence (labels, D, H, W) to label values (D, H, W): the greatest where it is above 0, else 0."""
    most, which = z.max(0)
    chosen = torch.tensor(values, dtype=torch.uint8)[which]
    return np.asarray(torch.where(most > 0, chosen, torch.zeros_like(chosen)).numpy())


@torch.no_grad()
def score(network: VolumeNetwork, prepared: Prepared, recipe: Recipe, data: Path, case: int) -> dict[str, Any]:
    """One row of cases.csv: Dice of all labels together and of each, and the share that the rest cannot change."""
    batch = gather(prepared, np.array([case]))
    z, rest = network(batch.images, batch.codes)
    shape = tuple(prepared.shapes[case].tolist())
    found = take_back(decide(z[0], list(recipe.labels.values())), shape)
    name = prepared.names[case]
    truth = read_labels(data / "labels" / f"{name}.nii.gz", recipe)
    inside = (batch.labels != NOTHING)[:, None].expand_as(z)
    certified = ((z - capped(rest, network.rho)).abs() > network.rho)[inside].float().mean().item()
    row: dict[str, Any] = {"id": name, "split": prepared.splits[case], "dice": dice(found > 0, truth > 0)}
    row |= {f"dice_{key}": dice(found == value, truth == value) for key, value in recipe.labels.items()}
    return row | {"certified": certified}


def summary(rows: list[dict[str, Any]], recipe: Recipe) -> dict[str, Any]:
    """Mean, median and least Dice, and how many were missed, for all labels together and for each; n beside them."""
    columns = ["dice", *(f"dice_{key}" for key in recipe.labels)]
    out: dict[str, Any] = {"n": len(rows), "certified_mean": float(np.mean([row["certified"] for row in rows]))}
    for column in columns:
        values = np.array([row[column] for row in rows])
        out[column] = {
            "mean": float(values.mean()),
            "median": float(np.median(values)),
            "least": float(values.min()),
            "missed": int((values == 0).sum()),
        }
    return out

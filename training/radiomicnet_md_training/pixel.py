# SPDX-License-Identifier: Apache-2.0
"""Trains one network on one part: its curve, its average weights; an interruption loses half a minute and an epoch.

Rules of this module:

- A run is named by its recipe, seed and part; a checkpoint of another run is refused.
- What is drawn at random in an epoch depends on seed and epoch alone, so an interruption changes nothing.
- The held-out cases are looked at every few epochs for the curve. Nothing is chosen by them: every network
  trains for the recipe's epochs and the last average is what counts.
- On an accelerator the part lies there as a whole, and nothing is waited for within an epoch. The forward pass is in
  bfloat16 under autocast; what is left in float32 is float32, TF32 is off.
"""

from __future__ import annotations

import logging
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from radiomicnet_md.engine import measure
from radiomicnet_md.errors import ConfigurationError, IntegrityError
from radiomicnet_md.model.network import Answer
from radiomicnet_md_training import losses, networks
from radiomicnet_md_training.augment import Batch, augment
from radiomicnet_md_training.depthwise import quicken
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.recipe import Optimiser, Recipe
from radiomicnet_md_validation.metrics import dice

log = logging.getLogger(__name__)
LAST = "last.pt"
LOOK_EVERY = 10  # epochs between two looks at the held-out cases
KEEP_EVERY = 30.0  # seconds between two checkpoints at least: a quick epoch takes less time than a large file
torch.backends.cudnn.allow_tf32 = False


@dataclass(slots=True)
class Curve:
    """Loss of each epoch, and Dice of the held-out lesions at the epochs looked at."""

    loss: list[float] = field(default_factory=list)
    held_out: dict[int, float] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained, from which seed, where it is kept, and the mark that tells its checkpoint from others'."""

    recipe: Recipe
    seed: int
    folder: Path
    mark: str
    start: nn.Module | None = None  # trained before; the network begins with its stream and trunk


@dataclass(frozen=True, slots=True)
class Run:
    """A finished run: the averaged network and its curve."""

    network: nn.Module
    curve: Curve


def gather(prepared: Prepared, index: NDArray[np.int64]) -> Batch:
    """The cases at ``index`` as tensors."""
    data = prepared.data
    images = torch.from_numpy(np.stack([measure.canvas(data.levels(i)) for i in index])).float() / 255
    valid = torch.zeros(len(index), 1, *images.shape[2:])
    for i, (rows, columns) in enumerate(data.sizes[index]):
        valid[i, :, :rows, :columns] = 1
    shrink = prepared.shrink
    return Batch(
        functional.avg_pool2d(images, shrink),
        functional.avg_pool2d(torch.from_numpy(data.masks[index]).float()[:, None] / 255, shrink),
        functional.avg_pool2d(valid, shrink).ceil(),
        torch.from_numpy(prepared.standardised()[index]).float(),
        torch.from_numpy(np.ascontiguousarray(prepared.codes[index, :, ::shrink, ::shrink])),
        torch.from_numpy(prepared.contrast()[index]).float(),
    )


def device() -> torch.device:
    """The accelerator where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def device_name() -> str:
    """What the accelerator calls itself, or ``cpu``."""
    return torch.cuda.get_device_name() if device().type == "cuda" else "cpu"


def to_grid(z: Tensor, side: int) -> Tensor:
    """A logit (B, 1, h, w) on the working grid (B, 1, side, side)."""
    if z.shape[-1] == side:
        return z.float()
    return functional.interpolate(z.float(), size=(side, side), mode="bilinear", align_corners=False)


def train(prepared: Prepared, held_out: NDArray[np.int64], job: Job) -> Run:
    """Train on the prepared part; continues from ``job.folder/last.pt`` where there is one of the same mark."""
    recipe, seed, folder, mark = job.recipe, job.seed, job.folder, job.mark
    torch.manual_seed(seed)
    settings, index, target = recipe.optimiser, prepared.part, device()
    network = networks.build(recipe.network.kind, recipe.network.options, prepared)
    if job.start is not None:
        networks.warm(network, job.start)
    average = networks.build(recipe.network.kind, recipe.network.options, prepared).to(target)
    average.load_state_dict(network.state_dict())
    network = network.to(target, memory_format=torch.channels_last)  # type: ignore[call-overload]
    quicken(network)
    optimiser = _optimiser(network, settings)
    steps = len(index) // settings.batch
    if not steps:
        raise ConfigurationError(
            "E-RECIPE-BATCH",
            f"a batch of {settings.batch} is larger than the {len(index)} cases to train on",
            remedy="use a smaller `batch`, or more cases",
        )
    schedule = _schedule(optimiser, settings, steps)
    parts: dict[str, Any] = {"network": network, "average": average, "optimiser": optimiser, "schedule": schedule}
    last = folder / LAST
    curve = _resume(last, parts, mark)
    folder.mkdir(parents=True, exist_ok=True)
    if len(curve.loss) == settings.epochs:
        return Run(average.eval().to("cpu"), curve)
    whole = gather(prepared, index).to(target)
    first, begun = len(curve.loss), time.monotonic()
    kept = begun
    for epoch in range(first, settings.epochs):
        started = time.monotonic()
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        torch.manual_seed(seed * 100_003 + epoch)  # what a network itself draws, as dropout does
        order = torch.randperm(len(index), generator=generator)[: steps * settings.batch].to(target)
        network.train()
        lost = []  # not asked for within an epoch: to ask is to wait
        for chosen in order.reshape(steps, settings.batch):
            lost.append(_step(network, augment(whole.at(chosen), generator), optimiser, settings))
            schedule.step()
            follow(average, network, settings.average)
        curve.loss.append(sum(torch.stack(lost).tolist()) / steps)
        curve.seconds += time.monotonic() - started
        if len(held_out) and ((epoch + 1) % LOOK_EVERY == 0 or epoch + 1 == settings.epochs):
            curve.held_out[epoch + 1] = lesion_dice(average, prepared, held_out)
        if time.monotonic() - kept >= KEEP_EVERY or epoch + 1 == settings.epochs:
            _keep(last, parts, curve, mark)
            kept = time.monotonic()
        left = (time.monotonic() - begun) / (epoch + 1 - first) * (settings.epochs - epoch - 1)
        said = f", held out {curve.held_out[epoch + 1]:.3f}" if epoch + 1 in curve.held_out else ""
        told = f"{folder.name} epoch {epoch + 1}/{settings.epochs} loss {curve.loss[-1]:.4f}{said}"
        log.info("%s, %.0f min left", told, left / 60)
    return Run(average.eval().to("cpu"), curve)


def _optimiser(network: nn.Module, settings: Optimiser) -> torch.optim.Optimizer:
    groups: list[dict[str, Any]] = [{"params": list(network.parameters()), "lr": settings.rate}]
    if settings.encoder_rate is not None:
        from radiomicnet_md.model.paper.network import RadiomicNet, parameter_groups

        if not isinstance(network, RadiomicNet):
            raise ConfigurationError(
                "E-RECIPE-NETWORK", "only the paper's network has an encoder rate", remedy="leave out `encoder_rate`"
            )
        encoder, others = parameter_groups(network)
        groups = [{"params": encoder, "lr": settings.encoder_rate}, {"params": others, "lr": settings.rate}]
    return torch.optim.AdamW(groups, weight_decay=settings.decay)


def _schedule(
    optimiser: torch.optim.Optimizer, settings: Optimiser, steps: int
) -> torch.optim.lr_scheduler.LRScheduler:
    total = steps * settings.epochs
    if settings.schedule == "one-cycle":
        highest = [group["lr"] for group in optimiser.param_groups]
        return torch.optim.lr_scheduler.OneCycleLR(optimiser, highest, total_steps=total, pct_start=0.15)
    warm = 5 * steps  # the paper's five epochs
    return torch.optim.lr_scheduler.SequentialLR(
        optimiser,
        [
            torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, total_iters=warm),
            torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(1, total - warm)),
        ],
        [warm],
    )


def _resume(last: Path, parts: dict[str, Any], mark: str) -> Curve:
    if not last.is_file():
        return Curve()
    kept = _read(last)
    if kept["mark"] != mark:
        raise ConfigurationError(
            "E-RUN-CHANGED",
            f"the checkpoint in {last.parent.name} is of another recipe, data set or part",
            remedy="use another --out, or remove the folder",
        )
    for name, part in parts.items():
        part.load_state_dict(kept[name])
    return Curve(**kept["curve"])


def load_average(last: Path, network: nn.Module) -> None:
    """Give a network the average weights of a checkpoint of the same form."""
    network.load_state_dict(_read(last)["average"])


def _read(last: Path) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(last) as file:
            torn = file.testzip()  # torch reads over a flipped bit
        kept: dict[str, Any] = torch.load(last, weights_only=True)  # noqa: TID251 - our own: tensors and numbers only
    except Exception:  # noqa: BLE001 - a torn file fails in many ways, all of them the same to the user
        torn, kept = None, {}
    if torn or set(kept) != {"mark", "curve", "network", "average", "optimiser", "schedule"}:
        raise IntegrityError(
            "E-CHECKPOINT",
            f"the checkpoint {last.parent.name}/{last.name} is damaged",
            remedy="remove it: this part of the run starts again",
        )
    return kept


def _keep(last: Path, parts: dict[str, Any], curve: Curve, mark: str) -> None:
    partial = last.with_suffix(".partial")
    state = {"loss": curve.loss, "held_out": curve.held_out, "seconds": curve.seconds}
    torch.save({"mark": mark, "curve": state, **{n: p.state_dict() for n, p in parts.items()}}, partial)
    partial.replace(last)


def _step(network: nn.Module, batch: Batch, optimiser: torch.optim.Optimizer, settings: Optimiser) -> Tensor:
    with torch.autocast(batch.images.device.type, torch.bfloat16):
        answer: Answer = network(batch.images.contiguous(memory_format=torch.channels_last), batch.values, batch.codes)
    side = batch.masks.shape[-1]
    loss = losses.of(settings, to_grid(answer.evidence, side), batch)
    if answer.rest is not None:
        loss = loss + settings.rest * losses.overlap(to_grid(answer.rest, side), batch.masks, batch.valid)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return loss.detach()


@torch.no_grad()
def follow(average: nn.Module, network: nn.Module, keep: float) -> None:
    """Move the average a step towards the network: keep · average + (1 − keep) · network; counts are copied."""
    for mine, theirs in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if mine.dtype.is_floating_point:
            mine.lerp_(theirs, 1 - keep)
        else:
            mine.copy_(theirs)


def mirror(x: Tensor, sizes: NDArray[np.int64]) -> Tensor:
    """Each case (B, …, H, W) with its content (rows, columns at the upper left) turned left for right."""
    out = x.clone()
    for i, (rows, columns) in enumerate(sizes):
        out[i, ..., :rows, :columns] = x[i, ..., :rows, :columns].flip(-1)
    return out


@torch.no_grad()
def evidence(
    network: nn.Module, prepared: Prepared, index: NDArray[np.int64], *, mirrored: bool
) -> NDArray[np.float32]:
    """Logits (len(index), h, w) in float32, eight cases at a time; ``mirrored`` adds the mirror image and halves."""
    network.eval()
    target = next(network.parameters()).device
    out = []
    for start in range(0, len(index), 8):
        chosen = index[start : start + 8]
        batch = gather(prepared, chosen).to(target)
        z = network(batch.images, batch.values, batch.codes).evidence[:, 0].float()
        if mirrored:
            sizes = -(-prepared.data.sizes[chosen] // prepared.shrink)
            codes = mirror(batch.codes, (sizes + 1) // 2)
            turned = network(mirror(batch.images, sizes), batch.values, codes).evidence[:, 0].float()
            step = batch.images.shape[-1] // z.shape[-1]
            z = (z + mirror(turned, (sizes + step - 1) // step)) / 2
        out.append(z.cpu().numpy())
    return np.concatenate(out)


def lesion_dice(network: nn.Module, prepared: Prepared, index: NDArray[np.int64]) -> float:
    """Mean Dice of {z ≥ 0} on the working grid over the cases at ``index`` that have a lesion."""
    seen = index[prepared.data.lesion[index]]
    if not len(seen):
        return 0.0
    z = evidence(network, prepared, seen, mirrored=False)
    side = prepared.data.masks.shape[-1]
    found = to_grid(torch.from_numpy(z)[:, None], side)[:, 0].numpy() >= 0
    scores = []
    for i, case in enumerate(seen):
        rows, columns = prepared.data.sizes[case]
        scores.append(dice(found[i, :rows, :columns], prepared.data.masks[case, :rows, :columns] > 127))  # noqa: PLR2004
    return float(np.mean(scores))

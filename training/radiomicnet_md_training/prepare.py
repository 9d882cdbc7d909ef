# SPDX-License-Identifier: Apache-2.0
"""Measured once, kept as integers: canvases, masks and codes, with the thresholds that made the codes."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine import measure
from radiomicnet_md_training import dataset
from radiomicnet_md_training.recipe import Recipe

log = logging.getLogger(__name__)
SPLITS = ("train", "val")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Arrays of all cases of the open splits; N cases, M maps."""

    names: list[str]
    splits: list[str]
    groups: list[str]
    digests: list[str]
    images: NDArray[np.uint8]  # (N, 2, GRID, GRID)
    masks: NDArray[np.uint8]  # (N, GRID, GRID)
    sizes: NDArray[np.int64]  # (N, 2)
    values: NDArray[np.float64]  # (N, 13) as measured
    codes: NDArray[np.uint8]  # (N, M, GRID/2, GRID/2)
    thresholds: NDArray[np.float64]  # (M, 63)
    usual: NDArray[np.float64]  # (M, 64): how often each code occurs in the training split
    mean: NDArray[np.float64]  # (13,) over the training split
    deviation: NDArray[np.float64]  # (13,)

    def of(self, split: str) -> NDArray[np.int64]:
        """Indices of a split's cases."""
        return np.array([i for i, s in enumerate(self.splits) if s == split], dtype=np.int64)

    def standardised(self) -> NDArray[np.float64]:
        """The thirteen values as the gates see them, clipped to ±4."""
        return np.asarray(np.clip((self.values - self.mean) / self.deviation, -4, 4))


def prepare(recipe: Recipe, data: Path, out: Path) -> Prepared:
    """Load the arrays of an earlier run, or measure the folder."""
    kept = out / "prepared.npz"
    if not kept.is_file():
        log.info("measuring %s (about a minute)", data.name)
        _save(kept, dataset.load(data, SPLITS, recipe.measuring))
    with np.load(kept, allow_pickle=False) as stored:
        texts = json.loads(str(stored["texts"]))
        arrays = {key: stored[key] for key in stored.files if key != "texts"}
    return Prepared(**texts, **arrays)


def _save(kept: Path, data: dataset.Dataset) -> None:
    train = data.select("train")
    thresholds = quantiles(data.maps[train])
    codes = np.full(data.maps.shape, measure.OUTSIDE, dtype=np.uint8)
    for i, maps in enumerate(data.maps):
        inside = np.isfinite(maps[0])
        rows, columns = int(inside.any(1).sum()), int(inside.any(0).sum())
        codes[i, :, :rows, :columns] = measure.encode(maps[:, :rows, :columns], thresholds)
    seen = np.moveaxis(codes[train], 1, 0)  # (M, N, GRID/2, GRID/2)
    counts = np.stack([np.bincount(one.ravel(), minlength=measure.OUTSIDE + 1)[: measure.OUTSIDE] for one in seen])
    texts = {
        "names": [case.name for case in data.cases],
        "splits": [case.split for case in data.cases],
        "groups": [case.group for case in data.cases],
        "digests": list(data.digests),
    }
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial.npz")
    np.savez(
        partial,
        texts=json.dumps(texts),
        images=data.images,
        masks=data.masks,
        sizes=data.sizes,
        values=data.paper,
        codes=codes,
        thresholds=thresholds,
        usual=counts / counts.sum(1, keepdims=True),
        mean=data.paper[train].mean(0),
        deviation=data.paper[train].std(0),
    )
    partial.replace(kept)


def quantiles(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 63 inner 64-quantiles of each map over cases (N, M, h2, w2) with NaN outside: (M, 63), ascending."""
    shares = np.arange(1, 64) / 64
    rows = []
    for m in range(maps.shape[1]):
        seen = maps[:, m]
        rows.append(np.quantile(seen[~np.isnan(seen)], shares, method="lower"))
    return np.stack(rows)

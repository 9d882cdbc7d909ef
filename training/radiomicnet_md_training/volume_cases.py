# SPDX-License-Identifier: Apache-2.0
"""A folder of volumes and labels as grey levels, labels and codes on one grid: named maps measured in three dimensions.

Rules of this module:

- Only ``train`` and ``val`` are opened. Both sides of one subject are one group; a group in two splits is a leak.
- Intensities have no unit and differ ten-thousandfold between subjects: 1 % to 99 % of a volume's own range
  become grey levels 0 … 255, on which everything is measured.
- Maps are measured on the whole volume, then placed: the middle of the volume lies at the middle of the grid.
- Thresholds that turn maps into codes, and how often a code is usual, come from the training split alone.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from radiomicnet_md import radiomics
from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md.io import source, volume
from radiomicnet_md.model.fusion import CODES
from radiomicnet_md.model.volume import MULTIPLE
from radiomicnet_md.radiomics import named_maps
from radiomicnet_md_training import dataset

log = logging.getLogger(__name__)
SPLITS = ("train", "val")
NOTHING = 255  # the label of a place outside the volume
_SPARSE = 7  # every seventh voxel of every training volume stands for all where quantiles are taken

Side = Annotated[int, Field(gt=0, multiple_of=MULTIPLE)]
Shape = tuple[int, ...]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measuring(_Part):
    """How a volume becomes codes."""

    grid: tuple[Side, Side, Side]  # slices, rows, columns
    shift: int  # grey level >> shift gives the level
    radii: tuple[int, ...]  # of the windows, voxels
    features: tuple[str, ...]  # names of radiomics.dense


class Training(_Part):
    """How the network is optimised."""

    epochs: int
    batch: int
    rate: float
    decay: float
    average: float  # exponential moving average of the weights
    rest: float  # weight of the loss on the uncapped rest


class Recipe(_Part):
    """One run."""

    name: str
    version: str
    seed: int
    labels: dict[str, Annotated[int, Field(gt=0, lt=NOTHING)]]  # name to value in the label files
    measuring: Measuring
    training: Training


@dataclass(frozen=True, slots=True)
class Prepared:
    """All cases of the open splits; N cases, M maps, ordered by radius, then name."""

    names: list[str]
    splits: list[str]
    digests: list[str]  # SHA-256 of each image file and label file, in order
    shapes: NDArray[np.int64]  # (N, 3) as in the files
    grey: NDArray[np.uint8]  # (N, D, H, W), 0 outside
    labels: NDArray[np.uint8]  # (N, D, H, W), NOTHING outside
    codes: NDArray[np.uint8]  # (N, M, D, H, W), CODES outside
    thresholds: NDArray[np.float64]  # (M, 63)
    usual: NDArray[np.float64]  # (M, 64)

    def of(self, split: str) -> NDArray[np.int64]:
        """Indices of a split's cases."""
        return np.flatnonzero(np.array(self.splits) == split)


def read_recipe(path: Path) -> tuple[Recipe, str]:
    """A recipe and the SHA-256 of its file."""
    try:
        data = path.read_bytes()
        return Recipe.model_validate(yaml.safe_load(data)), hashlib.sha256(data).hexdigest()
    except (OSError, ValidationError, yaml.YAMLError) as error:
        raise ConfigurationError(
            "E-RECIPE", f"the recipe is not valid: {error}", remedy="compare it with training/recipes/hippocampus.yaml"
        ) from error


def read_volume(path: Path) -> NDArray[np.generic]:
    """The samples (slices, rows, columns) of a compressed NIfTI file.

    :raises InputError: a missing, torn or foreign file, or one with several samples a voxel
    """
    data = source.load(path)
    pixels = volume.parse(data, hashlib.sha256(data).hexdigest(), "gzip").image.pixels
    if pixels.shape[-1] != 1:
        raise InputError("E-DATA-IMAGE", f"{path.name} is no grey volume", remedy="replace it or remove its row")
    return pixels[..., 0]


def read_labels(path: Path, recipe: Recipe) -> NDArray[np.uint8]:
    """A label file; every value but 0 must be one of the recipe's."""
    labels = read_volume(path)
    unknown = set(np.unique(labels).tolist()) - {0, *recipe.labels.values()}
    if unknown:
        raise InputError(
            "E-DATA-LABEL", f"{path.name} holds the unknown label {min(unknown)}", remedy="name it in the recipe"
        )
    return labels.astype(np.uint8)


def grey_levels(image: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Grey levels 0 … 255 between the 1st and the 99th percentile, the same for every linear change of intensity.

    :raises InputError: values that are not finite, or a volume without contrast
    """
    low, high = np.percentile(image.astype(np.float64), (1, 99))
    if not np.isfinite(image).all() or low == high:
        raise InputError("E-DATA-IMAGE", "a volume has no contrast or holds no number", remedy="remove its row")
    return np.asarray(np.rint(255 * np.clip((image - low) / (high - low), 0, 1)), dtype=np.uint8)


def overlap(shape: Shape, grid: Shape) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where volume and grid, laid centre on centre, cover each other: slices of the volume and of the grid."""
    ours, theirs = [], []
    for length, side in zip(shape, grid, strict=True):
        common = min(length, side)
        a, b = (length - common) // 2, (side - common) // 2
        ours.append(slice(a, a + common))
        theirs.append(slice(b, b + common))
    return tuple(ours), tuple(theirs)


def place(array: NDArray[np.uint8], grid: Shape, outside: int) -> NDArray[np.uint8]:
    """An array (…, slices, rows, columns) on the grid; what the grid does not cover is cut off."""
    out = np.full((*array.shape[:-3], *grid), outside, dtype=np.uint8)
    ours, theirs = overlap(array.shape[-3:], grid)
    every = (slice(None),) * (array.ndim - len(grid))
    out[every + theirs] = array[every + ours]
    return out


def take_back(array: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """An array of the grid in the volume's own shape; 0 where the grid did not reach, which is then an error made."""
    return place(array, shape, 0)


def prepare(recipe: Recipe, data: Path, out: Path, mark: str) -> Prepared:
    """Measure the open splits, or take what an earlier call of the same ``mark`` kept in ``out/prepared.npz``."""
    kept = out / "prepared.npz"
    if not kept.is_file():
        _save(kept, _measure(recipe, data), mark)
    with np.load(kept, allow_pickle=False) as stored:
        if str(stored["mark"]) != mark:
            raise ConfigurationError(
                "E-RUN-CHANGED",
                f"{out.name} holds a run of another recipe or of other cases",
                remedy="use another --out, or remove the folder",
            )
        texts = json.loads(str(stored["texts"]))
        arrays = {key: stored[key] for key in stored.files if key not in {"mark", "texts"}}
    return Prepared(**texts, **arrays)


def _measure(recipe: Recipe, data: Path) -> Prepared:
    cases = dataset.read_cases(data, SPLITS)
    grid = recipe.measuring.grid
    greys, labels, digests = [], [], []
    for case in cases:
        files = [data / kind / f"{case.name}.nii.gz" for kind in ("images", "labels")]
        greys.append(grey_levels(read_volume(files[0])))
        labels.append(read_labels(files[1], recipe))
        if greys[-1].shape != labels[-1].shape:
            raise InputError(
                "E-DATA-SIZE", f"case {case.name}: labels and image differ in size", remedy="redraw the labels"
            )
        digests += [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    splits = [case.split for case in cases]
    codes, thresholds = _codes(recipe.measuring, greys, [i for i, split in enumerate(splits) if split == "train"])
    seen = codes[np.array(splits) == "train"]
    counts = np.stack([np.bincount(seen[:, m].ravel(), minlength=CODES + 1)[:CODES] for m in range(seen.shape[1])])
    return Prepared(
        [case.name for case in cases],
        splits,
        digests,
        np.array([grey.shape for grey in greys]),
        np.stack([place(grey, grid, 0) for grey in greys]),
        np.stack([place(label, grid, NOTHING) for label in labels]),
        codes,
        thresholds,
        counts / counts.sum(1, keepdims=True),
    )


def _codes(
    measuring: Measuring, greys: list[NDArray[np.uint8]], train: list[int]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Codes (N, M, D, H, W) of all volumes, and the thresholds (M, 63) of the training volumes, radius by radius."""
    names = len(measuring.features)
    codes = np.empty((len(greys), len(measuring.radii) * names, *measuring.grid), dtype=np.uint8)
    thresholds = []
    for i, radius in enumerate(measuring.radii):
        log.info("measuring %d maps of %d volumes in windows of %d voxels a side", names, len(greys), 2 * radius + 1)
        maps = [_maps(grey, measuring, radius) for grey in greys]
        thresholds.append(quantiles([maps[case] for case in train]))
        for case, measured in enumerate(maps):
            ranks = named_maps.ranks(measured.astype(np.float64), thresholds[-1])
            codes[case, i * names : (i + 1) * names] = place(ranks, measuring.grid, CODES)
    return codes, np.concatenate(thresholds)


def _maps(grey: NDArray[np.uint8], measuring: Measuring, radius: int) -> NDArray[np.float32]:
    levels = (grey >> np.uint8(measuring.shift)).astype(np.int16)
    return radiomics.dense(levels, measuring.features, image=grey, radius=radius).astype(np.float32)


def quantiles(maps: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """The 63 inner 64-quantiles of each map over volumes (M, slices, rows, columns): (M, 63), ascending."""
    rows = []
    for m in range(len(maps[0])):
        seen = np.sort(np.concatenate([one[m].ravel()[::_SPARSE] for one in maps])).astype(np.float64)
        rows.append(seen[(len(seen) - 1) * np.arange(1, CODES) // CODES])
    return np.stack(rows)


def _save(kept: Path, prepared: Prepared, mark: str) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial.npz")
    texts = {key: getattr(prepared, key) for key in ("names", "splits", "digests")}
    arrays = {key: getattr(prepared, key) for key in ("shapes", "grey", "labels", "codes", "thresholds", "usual")}
    np.savez(partial, mark=mark, texts=json.dumps(texts), **arrays)
    partial.replace(kept)

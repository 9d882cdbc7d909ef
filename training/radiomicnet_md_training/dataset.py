# SPDX-License-Identifier: Apache-2.0
"""A folder of images and masks, split by duplicate group, read once and kept on the working grid.

Rules of this module:

- Only the splits asked for are ever opened; ``test`` belongs to the performance qualification.
- A duplicate group that stands in two splits is a leak and refused.
- What is kept is grey levels and masks on the working grid plus the digest of every source file.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import resample
from radiomicnet_md.errors import ConfigurationError, InputError

log = logging.getLogger(__name__)
SPLITS = ("train", "val")
EXTERNAL = "external_dev"  # another hospital's images: scored once, never trained or chosen by
_COLUMNS = ("id", "split", "group")
_KIND = "class_label"  # a set of one kind has no such column
_SUFFIXES = (".png", ".jpg")


@dataclass(frozen=True, slots=True)
class Case:
    """One row of splits.csv."""

    name: str
    split: str
    group: str
    kind: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases of the open splits, in the order of splits.csv; arrays are stacked on the canvas."""

    names: list[str]
    groups: list[str]
    kinds: list[str]
    digests: list[str]  # SHA-256 of each image file and mask file, in order
    images: NDArray[np.uint8]  # (N, GRID, GRID): grey levels at the upper left
    masks: NDArray[np.uint8]  # (N, GRID, GRID): 255 times the covered share of the pixel
    sizes: NDArray[np.int64]  # (N, 2): rows and columns of the content

    def levels(self, case: int) -> NDArray[np.uint8]:
        """The content of one case (rows, columns)."""
        rows, columns = self.sizes[case]
        return np.ascontiguousarray(self.images[case, :rows, :columns])

    @property
    def lesion(self) -> NDArray[np.bool_]:
        """Which cases have a lesion (N,)."""
        return np.asarray(self.masks.any((1, 2)))


def read_cases(folder: Path, splits: tuple[str, ...]) -> tuple[Case, ...]:
    """The cases of the given splits; refuses duplicate names and groups that span two splits."""
    table = folder / "splits.csv"
    if not table.is_file():
        raise ConfigurationError(
            "E-DATA-LAYOUT",
            "no splits.csv in the data folder",
            remedy="lay the data out as in docs/how-to/train-your-own.md",
        )
    with table.open(newline="", encoding="utf-8") as stream:
        rows = csv.DictReader(stream)
        if not set(_COLUMNS) <= set(rows.fieldnames or ()):
            raise ConfigurationError(
                "E-DATA-LAYOUT",
                "splits.csv lacks a column",
                remedy=f"give it the columns {', '.join(_COLUMNS)}",
            )
        cases = [Case(row["id"], row["split"], row["group"], row.get(_KIND, "")) for row in rows]
    unknown = {case.split for case in cases} - {"train", "val", "test", "quarantine", EXTERNAL}
    if unknown:
        raise InputError(
            "E-DATA-SPLIT",
            f"splits.csv names the unknown split {min(unknown)!r}",
            remedy=f"use train, val, test, quarantine or {EXTERNAL}",
        )
    if len({case.name for case in cases}) != len(cases):
        raise InputError("E-DATA-DUPLICATE", "splits.csv names a case twice", remedy="give every case its own id")
    home: dict[str, str] = {}
    for case in cases:
        if case.split != "quarantine" and home.setdefault(case.group, case.split) != case.split:
            raise InputError(
                "E-DATA-LEAK",
                f"duplicate group {case.group} stands in the splits {home[case.group]} and {case.split}",
                remedy="keep all images of a group in one split",
            )
    return tuple(case for case in cases if case.split in splits)


def read_grey(path: Path) -> NDArray[np.uint8]:
    """An image file as grey levels (rows, columns); colour is averaged with ITU-R 601 weights in integers."""
    import SimpleITK as sitk  # noqa: N813 - its usual name

    try:
        array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(
            "E-DATA-IMAGE", f"{path.name} cannot be read as an image", remedy="replace the file or remove its row"
        ) from error
    if array.ndim == 3:  # noqa: PLR2004
        array = (array[..., :3].astype(np.int64) @ np.array([299, 587, 114]) + 500) // 1000
        array = array.astype(np.uint8)
    if array.dtype != np.uint8:
        raise InputError(
            "E-DATA-IMAGE", f"{path.name} does not hold eight bits a pixel", remedy="convert the file to eight bits"
        )
    return np.asarray(array)


def load(folder: Path, out: Path, splits: tuple[str, ...] = SPLITS) -> Dataset:
    """Some splits of a folder; arrays of an earlier call are taken from ``out/dataset.npz`` if no file changed."""
    cases = read_cases(folder, splits)
    files = [
        (_file(folder / "images", case.name, _SUFFIXES), _file(folder / "masks", case.name, (".png",)))
        for case in cases
    ]
    texts: dict[str, Any] = {
        "names": [case.name for case in cases],
        "groups": [case.group for case in cases],
        "kinds": [case.kind for case in cases],
        "digests": [hashlib.sha256(file.read_bytes()).hexdigest() for pair in files for file in pair],
    }
    kept = out / "dataset.npz"
    if not kept.is_file():
        log.info("reading %s", folder.name)
        _save(kept, texts, _arrays(texts["names"], files))
    with np.load(kept, allow_pickle=False) as stored:
        if json.loads(str(stored["texts"])) != texts:
            raise ConfigurationError(
                "E-RUN-CHANGED",
                f"{out.name} holds what was read of other data than {folder.name} has now",
                remedy="use another --out, or remove the folder",
            )
        return Dataset(**texts, **{key: stored[key] for key in stored.files if key != "texts"})


def _arrays(names: list[str], files: list[tuple[Path, Path]]) -> dict[str, NDArray[Any]]:
    images = np.zeros((len(names), GRID, GRID), dtype=np.uint8)
    masks = np.zeros_like(images)
    sizes = []
    for i, (name, (image, drawn)) in enumerate(zip(names, files, strict=True)):
        grey, mask = read_grey(image), read_grey(drawn)
        if grey.shape != mask.shape:
            raise InputError(
                "E-DATA-SIZE",
                f"case {name}: mask and image differ in size",
                remedy="redraw the mask on the image's grid",
            )
        rows, columns = resample.fit(grey.shape[0], grey.shape[1], GRID)
        images[i, :rows, :columns] = resample.shrink(grey, rows, columns)
        masks[i, :rows, :columns] = resample.shrink((mask > 0).astype(np.uint8) * np.uint8(255), rows, columns)
        sizes.append((rows, columns))
    return {"images": images, "masks": masks, "sizes": np.array(sizes, dtype=np.int64)}


def _file(folder: Path, name: str, suffixes: tuple[str, ...]) -> Path:
    """A case's file; a mask is never a JPEG, whose fringe would be taken for lesion."""
    for suffix in suffixes:
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    raise InputError("E-DATA-MISSING", f"case {name} has no {folder.name} file", remedy="add it or remove the row")


def _save(kept: Path, texts: dict[str, list[str]], arrays: dict[str, NDArray[Any]]) -> None:
    kept.parent.mkdir(parents=True, exist_ok=True)
    partial = kept.with_suffix(".partial.npz")
    np.savez_compressed(partial, allow_pickle=False, texts=np.array(json.dumps(texts)), **arrays)
    partial.replace(kept)

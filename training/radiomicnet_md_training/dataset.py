# SPDX-License-Identifier: Apache-2.0
"""A folder of images and masks, split by duplicate group, measured once and kept.

Rules of this module:

- Only the splits asked for are ever opened; ``test`` belongs to the performance qualification.
- A duplicate group that stands in two splits is a leak and refused.
- What is kept is arrays on the working grid plus the digest of every source file.
"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import measure, resample
from radiomicnet_md.errors import ConfigurationError, InputError


@dataclass(frozen=True, slots=True)
class Case:
    """One row of splits.csv."""

    name: str
    split: str
    group: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """Cases of the splits asked for, in the order of splits.csv; arrays are stacked on the canvas."""

    cases: tuple[Case, ...]
    images: NDArray[np.uint8]  # (N, 2, GRID, GRID)
    masks: NDArray[np.uint8]  # (N, GRID, GRID): 255 times the covered share of the pixel
    sizes: NDArray[np.int64]  # (N, 2): rows and columns of the content on the working grid
    paper: NDArray[np.float64]  # (N, 13)
    maps: NDArray[np.float64]  # (N, M, GRID/2, GRID/2), NaN outside
    digests: tuple[str, ...]  # SHA-256 of each image file and mask file, in order

    def select(self, split: str) -> NDArray[np.int64]:
        """Indices of the cases of one split."""
        return np.array([i for i, case in enumerate(self.cases) if case.split == split], dtype=np.int64)


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
        cases = [Case(row["id"], row["split"], row["group"]) for row in csv.DictReader(stream)]
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

    array = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
    if array.ndim == 3:  # noqa: PLR2004
        array = (array[..., :3].astype(np.int64) @ np.array([299, 587, 114]) + 500) // 1000
    return np.asarray(array, dtype=np.uint8)


def load(folder: Path, splits: tuple[str, ...], preprocessing: measure.Preprocessing) -> Dataset:
    """Measure every case of the given splits (about 50 ms each)."""
    cases = read_cases(folder, splits)
    images, masks, sizes, papers, maps, digests = [], [], [], [], [], []
    for case in cases:
        files = [folder / kind / f"{case.name}.png" for kind in ("images", "masks")]
        for file in files:
            if not file.is_file():
                raise InputError(
                    "E-DATA-MISSING",
                    f"case {case.name} has no {file.parent.name} file",
                    remedy="add it or remove the row",
                )
            digests.append(hashlib.sha256(file.read_bytes()).hexdigest())
        grey, mask = read_grey(files[0]), read_grey(files[1])
        if grey.shape != mask.shape:
            raise InputError(
                "E-DATA-SIZE",
                f"case {case.name}: mask and image differ in size",
                remedy="redraw the mask on the image's grid",
            )
        measured = measure.measure(grey, preprocessing)
        rows, columns = measured.levels.shape
        covered = np.zeros((GRID, GRID), dtype=np.uint8)
        covered[:rows, :columns] = resample.shrink((mask > 0).astype(np.uint8) * np.uint8(255), rows, columns)
        padded = np.full((measured.maps.shape[0], GRID // measure.STEP, GRID // measure.STEP), np.nan, dtype=np.float64)
        padded[:, : measured.maps.shape[1], : measured.maps.shape[2]] = measured.maps
        images.append(measure.canvas(measured.levels))
        masks.append(covered)
        sizes.append((rows, columns))
        papers.append(measured.paper)
        maps.append(padded)
    return Dataset(
        cases,
        np.stack(images),
        np.stack(masks),
        np.array(sizes, dtype=np.int64),
        np.stack(papers),
        np.stack(maps),
        tuple(digests),
    )

# SPDX-License-Identifier: Apache-2.0
"""A folder of images and masks becomes cases, or a refusal that names what is wrong before anything is decided.

Rules of this module:

- A folder has ``images/``, ``masks/`` (PNG, the image's size, not 0 is lesion) and ``splits.csv`` with the columns
  ``id``, ``split``, ``group``, ``class_label``; ``labels.csv`` may add ``device`` to an ``id``.
- One split is taken. Rows of ``quarantine`` never are, and a folder with several other splits has to be told which.
- A mask that is missing is not an empty mask, and ``normal`` with a mask that is not empty is a contradiction.
- What training has seen is found, not trusted: groups that stand in ``train`` or ``val`` too, and ids that the
  release's own training record names.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import io
from radiomicnet_md.errors import InputError, UsageError
from radiomicnet_md_audit import canonical

COLUMNS = ("id", "split", "group", "class_label")
NORMAL, QUARANTINE, SEALED = "normal", "quarantine", "test"
TRAINING = ("train", "val")
UNKNOWN = "not stated"
_SHOWN = 5  # ids that are named where many are wrong

Row = Mapping[str, str]
Truth = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """One image with its truth."""

    id: str
    group: str
    kind: str  # its class_label
    device: str
    image: Path
    mask: Path
    image_sha256: str
    mask_sha256: str


@dataclass(frozen=True, slots=True)
class CaseSet:
    """The cases of one split, ordered by id, and which of their groups stand in a split of training as well."""

    folder: Path
    split: str
    cases: tuple[Case, ...]
    spanning: frozenset[str]

    @property
    def sha256(self) -> str:
        """Over ids, groups, classes, images and masks."""
        rows = [[one.id, one.group, one.kind, one.image_sha256, one.mask_sha256] for one in self.cases]
        return hashlib.sha256(canonical.dumps([self.split, rows])).hexdigest()

    @property
    def images_sha256(self) -> str:
        """Over the images alone, in any order: the same set under other names and masks is the same set."""
        return hashlib.sha256(canonical.dumps(sorted(one.image_sha256 for one in self.cases))).hexdigest()

    def seen(self, training: Collection[str]) -> tuple[str, ...]:
        """The ids that training has seen: they or their group stand in its record, or in one of its splits."""
        known = frozenset(training)
        groups = self.spanning | {one.group for one in self.cases if one.id in known}
        return tuple(one.id for one in self.cases if one.group in groups)


def read(folder: Path, split: str | None) -> CaseSet:
    """The cases of a split; None where there is one alone.

    Raises :class:`UsageError` ``E-VALIDATE-FOLDER``, ``E-VALIDATE-SPLIT``, and :class:`InputError`
    ``E-VALIDATE-CASES``, ``E-VALIDATE-MASK``.
    """
    folder = folder.resolve()
    rows = [row for row in _table(folder / "splits.csv") if row["split"] != QUARANTINE]
    chosen = _chosen({row["split"] for row in rows}, split)
    mine = sorted((row for row in rows if row["split"] == chosen), key=lambda row: row["id"])
    learned = {row["group"] for row in rows if row["split"] != chosen and row["split"] in TRAINING}
    devices = _devices(folder / "labels.csv")
    images = _images(folder / "images")
    _name("no image, or several, in images/", [row["id"] for row in mine if len(images.get(row["id"], ())) != 1])
    _name("no mask in masks/", [row["id"] for row in mine if not _mask(folder, row).is_file()])
    cases = tuple(_case(row, images[row["id"]][0], _mask(folder, row), devices) for row in mine)
    _check_masks(cases)
    return CaseSet(folder, chosen, cases, frozenset(learned & {one.group for one in cases}))


def truth(case: Case) -> Truth:
    """The mask of a case (rows, columns); :class:`InputError` where it cannot be read."""
    pixels = io.read(case.mask).image.pixels  # (1, rows, columns, samples)
    return np.asarray((pixels[0] != 0).any(axis=-1))


def _table(path: Path) -> list[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            rows: list[Row] = list(reader)
            absent = set(COLUMNS) - set(reader.fieldnames or ())
    except FileNotFoundError:
        raise _folder("it has no splits.csv") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise _folder(f"its splits.csv cannot be read ({type(error).__name__})") from None
    if absent:
        raise _folder(f"its splits.csv lacks {', '.join(sorted(absent))}")
    if any(not row[name] for row in rows for name in COLUMNS):
        raise _folder("a row of its splits.csv lacks a value")
    twice = [name for name, count in Counter(row["id"] for row in rows).items() if count > 1]
    _name("an id stands in splits.csv more than once", twice)
    return rows


def _chosen(splits: set[str], split: str | None) -> str:
    if split in splits:
        return str(split)
    if split is None and len(splits) == 1:
        return splits.pop()
    raise UsageError(
        "E-VALIDATE-SPLIT",
        f"The splits of this folder are {', '.join(sorted(splits)) or 'none'} ({QUARANTINE} is never scored).",
        remedy="Name one of them with --split.",
    )


def _devices(path: Path) -> dict[str, str]:
    """The device of each id, where somebody noted it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {row["id"]: row["device"] for row in csv.DictReader(file) if row.get("id") and row.get("device")}
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}


def _images(folder: Path) -> dict[str, list[Path]]:
    """The files of a folder by the name that a case of theirs would have."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("*")):
        found.setdefault(io.Input(path).name, []).append(path)
    return found


def _mask(folder: Path, row: Row) -> Path:
    return folder / "masks" / f"{row['id']}.png"


def _case(row: Row, image: Path, mask: Path, devices: Mapping[str, str]) -> Case:
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (image, mask)]
    device = devices.get(row["id"], UNKNOWN)
    return Case(row["id"], row["group"], row["class_label"], device, image, mask, digests[0], digests[1])


def _check_masks(cases: tuple[Case, ...]) -> None:
    """Refuse masks that are none, of another size than their image, or not empty where the class is normal."""
    wrong = {one.id: why for one in cases for why in _wrong(one)}
    if wrong:
        first = next(iter(wrong))
        _name(f"{wrong[first]}", list(wrong), "E-VALIDATE-MASK")


def _wrong(case: Case) -> Iterator[str]:
    try:
        mask = truth(case)
    except InputError:
        yield "a mask cannot be read"
        return
    if case.kind == NORMAL and mask.any():
        yield "a normal image has a mask that is not empty"
    try:
        size = io.Reader().read(io.Input(case.image)).image.pixels.shape[1:3]
    except InputError:
        return  # the device will refuse it, and its refusal counts
    if size != mask.shape:
        yield "a mask has another size than its image"


def _name(what: str, ids: list[str], code: str = "E-VALIDATE-CASES") -> None:
    if ids:
        more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
        raise InputError(
            code,
            f"These cases cannot be scored: {', '.join(ids[:_SHOWN])}{more}; of the first: {what}.",
            remedy="Correct the folder, or put the rows into quarantine; nothing was decided.",
        )


def _folder(what: str) -> UsageError:
    return UsageError(
        "E-VALIDATE-FOLDER",
        f"The folder cannot be scored: {what}.",
        remedy="Lay it out as docs/how-to/validate-performance.md says: images/, masks/, splits.csv.",
    )

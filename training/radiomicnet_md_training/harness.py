# SPDX-License-Identifier: Apache-2.0
"""One row of the results: a recipe's network on every fold with every seed; each a unit that can be interrupted.

Rules of this module:

- Folds are made of the open splits together, by duplicate group. What a unit writes lies in its own folder
  ``OUT/<recipe>/seed<S>/fold<K>``; a finished unit is not trained again.
- Units run in processes of their own with one thread each: two of them use two cores better than one with two.
- ``run.json`` says what a row was made from: recipe, data, folds, software.
"""

from __future__ import annotations

import csv
import hashlib
import json
import logging
import os
import platform
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_training import dataset, folds, networks, pixel
from radiomicnet_md_training.prepare import Prepared, prepare
from radiomicnet_md_training.recipe import Recipe, read

log = logging.getLogger(__name__)
DONE = "done.json"  # in a unit's folder: it is finished
RUN = "run.json"  # in a row's folder: what it is made from
WHOLE = -1  # the part that leaves nothing out: the release's own network


@dataclass(frozen=True, slots=True)
class Unit:
    """One training: a seed and the fold that it leaves out."""

    seed: int
    fold: int

    def __str__(self) -> str:
        """In words."""
        return f"seed {self.seed} on all cases" if self.fold == WHOLE else f"seed {self.seed}, fold {self.fold}"

    def folder(self, row: Path) -> Path:
        """Where it is kept."""
        return row / f"seed{self.seed}" / ("whole" if self.fold == WHOLE else f"fold{self.fold}")


@dataclass(frozen=True, slots=True)
class Row:
    """A recipe with its data and its folder."""

    recipe: Recipe
    data: dataset.Dataset
    folder: Path
    digest: str  # of all that a training depends on: the recipe's part of it, and the data files

    def held_out(self, fold: int) -> NDArray[np.int64]:
        """The cases that a fold leaves out; none for :data:`WHOLE`."""
        if fold == WHOLE:
            return np.zeros(0, dtype=np.int64)
        groups = self.data.groups if self.recipe.folds.grouped else folds.alone(self.data.names)
        return folds.split(groups, self.data.lesion, self.recipe.folds.count)[fold]

    def units(self) -> list[Unit]:
        """All units of the row, one seed after the other."""
        count = self.recipe.folds.first or self.recipe.folds.count
        return [Unit(seed, fold) for seed in self.recipe.folds.seeds for fold in range(count)]

    def prepared(self, unit: Unit) -> Prepared:
        """The data as the unit's training part sees it."""
        return replace(prepare(self.data, self.part(unit), self.recipe.measuring), shrink=self.recipe.shrink)

    def part(self, unit: Unit) -> NDArray[np.int64]:
        """The cases that the unit is trained on."""
        part = np.setdiff1d(np.arange(len(self.data.names)), self.held_out(unit.fold))
        return folds.some(self.data.groups, part, self.recipe.folds.share)

    def run(self, unit: Unit, prepared: Prepared) -> pixel.Run:
        """Train a unit, or go on, or take what is finished."""
        mark = f"{self.digest} seed {unit.seed} fold {unit.fold}"
        start = self._start(unit, prepared)
        job = pixel.Job(self.recipe, unit.seed, unit.folder(self.folder), mark, start)
        return pixel.train(prepared, self.held_out(unit.fold), job)

    def before(self) -> Row | None:
        """The row that this one starts from, as it was trained into the same folder; None where it starts afresh."""
        name = self.recipe.network.start
        if name is None:
            return None
        kept = self.folder.parent / name / RUN
        if not kept.is_file():
            raise ConfigurationError(
                "E-RUN-START",
                f"{self.recipe.name} starts from {name}, which is not trained",
                remedy=f"train {name} first, into the same --out",
            )
        about = json.loads(kept.read_text())
        if (about["recipe"]["folds"]["count"], about["data_files_sha256"]) != (
            self.recipe.folds.count,
            _files_sha256(self.data),
        ):
            raise ConfigurationError(  # it saw cases that this row leaves out
                "E-RUN-START",
                f"{name} was trained on other folds or other data than {self.recipe.name}",
                remedy=f"train {name} with the same folds and data",
            )
        return Row(Recipe.model_validate(about["recipe"]), self.data, kept.parent, about["digest"])

    def _start(self, unit: Unit, prepared: Prepared) -> nn.Module | None:
        """The average network of the same seed and fold that this one starts from."""
        before = self.before()
        if before is None:
            return None
        if not (unit.folder(before.folder) / DONE).is_file():
            raise ConfigurationError(
                "E-RUN-START",
                f"{self.recipe.name} starts from {before.recipe.name}, whose {unit} is not trained",
                remedy=f"train {before.recipe.name} first, into the same --out",
            )
        network = networks.build(before.recipe.network.kind, before.recipe.network.options, prepared)
        pixel.load_average(unit.folder(before.folder) / pixel.LAST, network)
        return network


def open_row(recipe_file: Path, data: Path, out: Path) -> Row:
    """Read the recipe and the data; refuses a folder that holds the same row of another recipe or data."""
    recipe, recipe_digest = read(recipe_file)
    loaded = dataset.load(data, out)
    files = _files_sha256(loaded)
    digest = hashlib.sha256(f"{recipe.training_sha256()} {files}".encode()).hexdigest()
    folder = out / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / RUN
    if kept.is_file() and json.loads(kept.read_text())["digest"] != digest:
        raise ConfigurationError(
            "E-RUN-CHANGED",
            f"{folder.name} holds a run with another way of training or of other data",
            remedy="use another --out, or remove the folder",
        )
    about = {
        "digest": digest,
        "recipe": recipe.model_dump(mode="json"),
        "recipe_sha256": recipe_digest,
        "data_files_sha256": files,
        "cases": len(loaded.names),
        "lesions": int(loaded.lesion.sum()),
        "software": _software(),
    }
    text = json.dumps(about, indent=1, sort_keys=True) + "\n"
    if not kept.is_file() or kept.read_text() != text:  # units start at the same time; none finds half a file
        partial = kept.with_suffix(".partial")
        partial.write_text(text)
        partial.replace(kept)
    return Row(recipe, loaded, folder, digest)


def _files_sha256(data: dataset.Dataset) -> str:
    return hashlib.sha256("".join(data.digests).encode()).hexdigest()


def train_unit(row: Row, unit: Unit) -> None:
    """Train one unit in this process and write its curve."""
    torch.set_num_threads(1)
    folder = unit.folder(row.folder)
    run = row.run(unit, row.prepared(unit))
    rows = [
        {"epoch": epoch, "loss": f"{loss:.6f}", "held_out_dice": _or_nothing(run.curve.held_out.get(epoch))}
        for epoch, loss in enumerate(run.curve.loss, start=1)
    ]
    write_csv(folder / "curve.csv", rows)
    text = {
        "seconds": round(run.curve.seconds, 1),
        "device": pixel.device_name(),
        "machine": platform.machine(),
        "software": _software(),
        "code_sha256": _code_sha256(),
    }
    (folder / DONE).write_text(json.dumps(text, sort_keys=True) + "\n")


def _software() -> dict[str, str]:
    return {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__}


def train(recipe_file: Path, data: Path, out: Path, jobs: int, command: list[str]) -> None:
    """Train every unit that is not finished, ``jobs`` at a time; ``command`` starts this program."""
    row = open_row(recipe_file, data, out)
    waiting = [unit for unit in row.units() if not (unit.folder(row.folder) / DONE).is_file()]
    log.info("%s: %d of %d units to train", row.recipe.name, len(waiting), len(row.units()))
    running: list[tuple[Unit, subprocess.Popen[bytes]]] = []
    failed: list[Unit] = []
    while waiting or running:
        while waiting and len(running) < jobs:
            unit = waiting.pop(0)
            running.append((unit, _start(recipe_file, data, out, unit, command)))
        time.sleep(0.2)
        codes = [process.poll() for _, process in running]  # asked once: it may end between two questions
        failed += [unit for (unit, _), code in zip(running, codes, strict=True) if code not in {None, 0}]
        running = [one for one, code in zip(running, codes, strict=True) if code is None]
        if failed:
            waiting.clear()
    if failed:
        raise ConfigurationError(
            "E-RUN-FAILED",
            f"{len(failed)} of the units of {row.recipe.name} ended with an error (see above)",
            remedy="remove the cause and call the same command again: it goes on with the last checkpoint",
        )


def _code_sha256() -> str:
    """Digest of the sources that a training runs through."""
    import radiomicnet_md.model
    import radiomicnet_md.radiomics
    import radiomicnet_md_training

    digest = hashlib.sha256()
    for package in (radiomicnet_md.model, radiomicnet_md.radiomics, radiomicnet_md_training):
        for file in sorted(Path(package.__path__[0]).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _start(recipe_file: Path, data: Path, out: Path, unit: Unit, command: list[str]) -> subprocess.Popen[bytes]:
    arguments = ["unit", str(recipe_file), "--data", str(data), "--out", str(out)]
    arguments += ["--seed", str(unit.seed), "--fold", str(unit.fold)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, *command, *arguments], env=environment)  # noqa: S603 - our own program


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows of one form, with a header, complete or not at all."""
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    partial.replace(path)


def _or_nothing(value: float | None) -> str:
    return "" if value is None else f"{value:.6f}"

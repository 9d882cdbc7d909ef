# SPDX-License-Identifier: Apache-2.0
"""The stages of a release in order; each keeps its result, so that a second call goes on where the first stopped.

pixel layer on the training split → the same on each fold's remainder → region tables on out-of-fold
proposals → lock, known answers, model card, signature.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_training import candidate, pixel, recipe, region, release
from radiomicnet_md_training.prepare import Prepared, prepare

log = logging.getLogger(__name__)


def run(recipe_file: Path, data: Path, out: Path, lock: Path, *, until: str) -> None:
    """Run the stages up to ``until``; the release ends in ``out/release``."""
    settings, digest = recipe.read(recipe_file)
    _same_run(out, digest, data)
    prepared = prepare(settings, data, out)
    train = prepared.of("train")
    whole = pixel.train(prepared, train, settings.pixel, settings.seed, out / "pixel")
    if until == "pixel":
        return
    shorter = settings.pixel.model_copy(update={"epochs": settings.folds.epochs})
    proposals: list[region.Proposals] = []
    for number, held_out in enumerate(folds(prepared, train, settings.folds.count)):
        rest = np.setdiff1d(train, held_out)
        part = pixel.train(prepared, rest, shorter, settings.seed + 1 + number, out / f"fold{number}")
        if until != "folds":
            files = candidate.files(part.network, prepared, settings, candidate.NO_REGIONS)
            proposals += region.propose(Engine(files), prepared, held_out, number)
    if until == "folds":
        return
    tables, report = region.fit(proposals, settings.region)
    log.info("region tables, out of fold: %s", report)
    material = release.Material(settings, digest, prepared, whole.network, whole.curve, tables, report, data, lock)
    folder = release.build(material, out / "release")
    log.info("release %s", folder)


def folds(prepared: Prepared, index: NDArray[np.int64], count: int) -> list[NDArray[np.int64]]:
    """Cases at ``index`` in ``count`` parts; a duplicate group stays whole (its name's hash decides)."""
    part = [int(hashlib.sha256(prepared.groups[i].encode()).hexdigest(), 16) % count for i in index]
    return [index[np.array(part) == number] for number in range(count)]


def _same_run(out: Path, digest: str, data: Path) -> None:
    """Refuse to go on with checkpoints of another recipe or of another list of cases."""
    table = data / "splits.csv"
    cases = hashlib.sha256(table.read_bytes()).hexdigest() if table.is_file() else ""
    mark, text = out / "run.sha256", f"{digest} recipe\n{cases} splits.csv\n"
    out.mkdir(parents=True, exist_ok=True)
    if mark.is_file() and mark.read_text() != text:
        raise ConfigurationError(
            "E-RUN-CHANGED",
            "the folder holds a run of another recipe or of other cases",
            remedy="use another --out, or remove the folder",
        )
    mark.write_text(text)

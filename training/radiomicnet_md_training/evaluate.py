# SPDX-License-Identifier: Apache-2.0
"""Scores every unit of a row on the cases that it never saw; one line a case and decision, at the files' own size.

Rules of this module:

- A decision is a rule that turns what a network says into a mask: ``one view`` and ``two views`` are {z ≥ 0} of the
  float network (of the image; of the image and its mirror image averaged); ``exact`` is {z ≥ 0} of the locked engine
  that is built from it; the names of :data:`radiomicnet_md_training.region.SETS` are the region layer's choices.
- Every held-out case has a line under every decision, whatever was found in it.
- ``certified`` and ``named`` stand on the lines of ``exact``: the share of pixels that the rest cannot change, and the
  centred named share of the evidence's variance.
- ``presence`` is the score by which a decision would tell that there is a lesion at all: the mean of the 200 largest
  logits, or the best candidate's score.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from radiomicnet_md.engine import resample
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_training import candidate, dataset, networks, pixel, proposals, region
from radiomicnet_md_training.harness import Row, Unit, write_csv
from radiomicnet_md_validation.metrics import score

HIGHEST = 200  # pixels of the half grid
TWO_VIEWS = "two views"
EXACT = "exact"
ORACLE = "oracle"
Line = dict[str, Any]  # a decision about a case; a stored one holds texts


@dataclass(frozen=True, slots=True)
class Tables:
    """Region tables of named values, each as the ``region`` part of tables.json."""

    whole: dict[str, Any]  # fitted to every fold's proposals: what a release holds
    folds: dict[int, dict[str, Any]]  # for each fold the tables that answer it, found without it
    offset: float  # of ``whole``


def evaluate(row: Row, data: Path) -> list[Line]:
    """Score all units and, where the recipe has a region layer, what its tables choose; writes ``cases.csv``."""
    lines: list[Line] = []
    for unit in row.units():
        lines += _unit(row, unit, data)
    for seed in row.recipe.folds.seeds:
        lines += _regions(row, seed, data)
    write_csv(row.folder / "cases.csv", lines)
    return lines


def proposed(row: Row, seed: int) -> list[proposals.Proposals]:
    """The out-of-fold candidates of every case, as :func:`evaluate` kept them."""
    units = [unit for unit in row.units() if unit.seed == seed]
    return [p for unit in units for p in proposals.load(unit.folder(row.folder) / "proposals.npz")]


def _unit(row: Row, unit: Unit, data: Path) -> list[Line]:
    """Lines of one unit; kept in its folder, so that an interruption loses one unit at most."""
    folder = unit.folder(row.folder)
    kept = folder / "cases.csv"
    if kept.is_file():
        return list(read(kept))
    prepared, held_out = row.prepared(unit), row.held_out(unit.fold)
    network = row.run(unit, prepared).network.to(pixel.device())
    views = {
        "one view": pixel.evidence(network, prepared, held_out, mirrored=False),
        TWO_VIEWS: pixel.evidence(network, prepared, held_out, mirrored=True),
    }
    np.savez_compressed(folder / "evidence.npz", index=held_out, z=views[TWO_VIEWS].astype(np.float16))
    side = row.data.masks.shape[-1]
    lines: list[Line] = []
    for decision, z in views.items():
        logits = torch.from_numpy(z)[:, None]
        found = pixel.to_grid(logits, side)[:, 0].numpy() >= 0
        half = functional.interpolate(logits, size=side // 2, mode="area")[:, 0].numpy()
        for i, case in enumerate(held_out.tolist()):
            rows, columns = row.data.sizes[case]
            highest = np.sort(half[i, : rows // 2, : columns // 2].ravel())[-HIGHEST:]
            lines.append(line(row, unit, case, decision, found[i, :rows, :columns], float(highest.mean()), data))
    summed = networks.as_sum(network.to("cpu"), prepared) if row.recipe.region is not None else None
    if summed is not None:
        engine = Engine(candidate.files(summed, prepared, row.recipe.measuring, candidate.NO_REGIONS))
        found_here = proposals.propose(engine, row.data, held_out, unit.fold)
        proposals.save(folder / "proposals.npz", found_here)
        for p in found_here:
            shares = {"certified": f"{p.certified:.6f}", "named": f"{p.named:.6f}"}
            lines.append(line(row, unit, p.case, EXACT, p.fixed, 0.0, data) | shares)
    write_csv(kept, lines)
    return lines


def _regions(row: Row, seed: int, data: Path) -> list[Line]:
    """Lines of the region layer's decisions, if there is one, over all folds of a seed; kept, with the tables."""
    if row.recipe.region is None:
        return []
    kept = _kept(row, seed)
    mark = hashlib.sha256(f"{row.digest} {row.recipe.region.model_dump_json()} {region.SETS}".encode()).hexdigest()
    if kept.is_file() and json.loads(kept.read_text())["mark"] == mark:
        return list(json.loads(kept.read_text())["lines"])
    found = proposed(row, seed)
    lines = [line(row, Unit(seed, p.fold), p.case, ORACLE, region.oracle(p), 0.0, data) for p in found]
    fits = {name: region.fit(found, row.recipe.region, values) for name, values in region.SETS.items()}
    for name, fit in fits.items():
        lines += [
            line(row, Unit(seed, p.fold), p.case, name, fit.answers[p.case], fit.best[p.case], data) for p in found
        ]
    named = fits[region.NAMED_ONLY]
    content = {"mark": mark, "lines": lines, "tables": named.tables, "folds": named.folds, "offset": named.offset}
    partial = kept.with_suffix(".partial")
    partial.write_text(json.dumps(content))
    partial.replace(kept)
    return lines


def _kept(row: Row, seed: int) -> Path:
    return row.folder / f"seed{seed}" / "regions.json"


def tables(row: Row, seed: int) -> Tables:
    """The tables of named values that :func:`evaluate` fitted."""
    kept = json.loads(_kept(row, seed).read_text())
    return Tables(kept["tables"], {int(fold): one for fold, one in kept["folds"].items()}, kept["offset"])


def line(  # noqa: PLR0913 - what a line tells
    row: Row, unit: Unit, case: int, decision: str, found: NDArray[np.bool_], presence: float, data: Path
) -> Line:
    """One case under one decision; ``found`` is a mask (rows, columns) on the working grid."""
    name = row.data.names[case]
    truth = dataset.read_grey(data / "masks" / f"{name}.png") > 0
    mask = resample.enlarge_mask(found, *truth.shape)
    return {
        "decision": decision,
        "seed": unit.seed,
        "fold": unit.fold,
        "id": name,
        "group": row.data.groups[case],
        "kind": row.data.kinds[case],
        "lesion": int(truth.any()),
        "found": int(mask.any()),
        **{key: f"{value:.6f}" for key, value in asdict(score(mask, truth)).items()},
        "presence": f"{presence:.6f}",
        "certified": "",
        "named": "",
    }


def read(path: Path) -> list[Line]:
    """The lines of a stored ``cases.csv``."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def of(lines: Iterable[Line], decision: str) -> list[Line]:
    """The lines of one decision."""
    return [line for line in lines if line["decision"] == decision]

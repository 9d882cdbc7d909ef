# SPDX-License-Identifier: Apache-2.0
"""A finished row as it is kept beside the code: what the tables are made from, without weights or images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radiomicnet_md.model.fusion import CODES
from radiomicnet_md.model.network import PixelNetwork, parameters
from radiomicnet_md_training import calibrate, evaluate, networks, pixel
from radiomicnet_md_training.harness import DONE, RUN, Row, write_csv
from radiomicnet_md_training.results.read import TABLES

DIGITS = 4  # of a pixel table's values


def store(row: Row, data: Path, results: Path) -> None:
    """Score every unit and write ``results/<row>/run.json``, ``cases.csv``, ``curve.csv`` and ``calibration.json``.

    A row whose network has tables also gets ``tables.json``, which the pictures of them are made from.
    """
    lines = evaluate.evaluate(row, data)
    folder = results / row.recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    about = json.loads((row.folder / RUN).read_text())
    units, curve = [], []
    for unit in row.units():
        kept = unit.folder(row.folder)
        units.append({"seed": unit.seed, "fold": unit.fold, **json.loads((kept / DONE).read_text())})
        name = {"seed": unit.seed, "fold": unit.fold}
        curve += [{**name, **line} for line in evaluate.read(kept / "curve.csv")]
    network = networks.build(row.recipe.network.kind, row.recipe.network.options, row.prepared(row.units()[0]))
    _write(folder / RUN, {**about, "units": units, "parameters": parameters(network)})
    write_csv(folder / "cases.csv", lines)
    write_csv(folder / "curve.csv", curve)
    _write(folder / "calibration.json", calibrate.calibrate(row))
    if isinstance(network, PixelNetwork):
        _write(folder / TABLES, _tables(row, network))


def _tables(row: Row, network: PixelNetwork) -> dict[str, Any]:
    """The pixel tables (M, 64) of every unit; the first seed's region tables, of all folds and without each."""
    pixel_tables = []
    for unit in row.units():
        pixel.load_average(unit.folder(row.folder) / pixel.LAST, network)
        codes = network.head.tables().detach()[:, :CODES]
        pixel_tables.append([[round(value, DIGITS) for value in table] for table in codes.tolist()])
    found = evaluate.tables(row, row.recipe.folds.seeds[0]) if row.recipe.region is not None else None
    return {
        "pixel": pixel_tables,
        "region": None if found is None else found.whole,
        "region_folds": [] if found is None else [found.folds[fold] for fold in sorted(found.folds)],
    }


def _write(path: Path, content: dict[str, Any]) -> None:
    indent = None if path.name == TABLES else 1  # a line a number would be a long file
    path.write_text(json.dumps(content, indent=indent, sort_keys=True) + "\n", encoding="utf-8")

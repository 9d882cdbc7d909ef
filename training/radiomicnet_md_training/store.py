# SPDX-License-Identifier: Apache-2.0
"""A finished row as it is kept beside the code: what the tables are made from, without weights or images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from radiomicnet_md.model.network import parameters
from radiomicnet_md_training import calibrate, evaluate, networks
from radiomicnet_md_training.harness import DONE, RUN, Row, write_csv


def store(row: Row, data: Path, results: Path) -> None:
    """Score every unit and write ``results/<row>/run.json``, ``cases.csv``, ``curve.csv`` and ``calibration.json``."""
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


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

# SPDX-License-Identifier: Apache-2.0
"""Scores networks, and the device itself, on another hospital's images, which no training or choice has seen.

Rules of this module:

- Opened once: what is scored are finished rows and a signed release; nothing is fitted here and nothing chosen by it.
- Thresholds, means and codes are those of each network's own training part.
- The device decides every image, also one that its acceptance gate would stop; how many it stops is counted beside.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from radiomicnet_md.engine import acceptance, release
from radiomicnet_md.engine.segment import TABLES, WEIGHTS, Engine
from radiomicnet_md_training import dataset, evaluate, harness, pixel, prepare
from radiomicnet_md_training.evaluate import TWO_VIEWS, Line
from radiomicnet_md_training.harness import Row, Unit, write_csv
from radiomicnet_md_training.results.read import DEVICE, EXTERNAL, EXTERNAL_LINES


def run(recipes: Sequence[Path], data: Path, out: Path, other: Path, results: Path) -> None:
    """Score every unit of finished rows and the shipped release on ``other``; writes into ``results``."""
    seen = dataset.load(other, out / "external", splits=(dataset.EXTERNAL,))
    rows = [harness.open_row(recipe, data, out) for recipe in recipes]
    lines = [line for row in rows for line in _row(row, seen, other)]
    shipped = release.open_release(release.default_folder(), keys=release.trusted_keys())
    lines += _device(Engine.load(shipped), rows[0], seen, other)
    write_csv(results / EXTERNAL_LINES, lines)
    about = {
        "opened": datetime.now(UTC).date().isoformat(),
        "name": other.name,
        "data_files_sha256": hashlib.sha256("".join(seen.digests).encode()).hexdigest(),
        "release": {
            "id": shipped.id,
            "version": shipped.version,
            **{f"{name}_sha256": hashlib.sha256(shipped.files[name]).hexdigest() for name in (WEIGHTS, TABLES)},
        },
    }
    (results / EXTERNAL).write_text(json.dumps(about, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _row(row: Row, seen: dataset.Dataset, other: Path) -> Iterator[Line]:
    """{z ≥ 0} of two views by every unit of a row."""
    index = np.arange(len(seen.names))
    for unit in row.units():
        prepared = _prepared(row, unit)
        network = row.run(unit, prepared).network.to(pixel.device())
        z = pixel.evidence(network, prepare.as_seen(seen, prepared, row.recipe.measuring), index, mirrored=True)
        found = pixel.to_grid(torch.from_numpy(z)[:, None], seen.masks.shape[-1])[:, 0].numpy() >= 0
        for case, (rows, columns) in enumerate(seen.sizes):
            mask = found[case, :rows, :columns]
            line = evaluate.line(replace(row, data=seen), unit, case, TWO_VIEWS, mask, 0.0, other)
            yield {**line, "row": row.recipe.name, "stopped": ""}


def _prepared(row: Row, unit: Unit) -> prepare.Prepared:
    """The unit's own data; rows of one part and one way of measuring share it."""
    part = row.part(unit)
    shared = _measured(_Key(row, part.tobytes()))
    return replace(shared, shrink=row.recipe.shrink)


class _Key:
    """Equal for the same cases, the same part of them and the same measuring."""

    def __init__(self, row: Row, part: bytes) -> None:
        self.row, self.part = row, part
        self._same = (tuple(row.data.digests), part, row.recipe.measuring)

    def __hash__(self) -> int:
        return hash(self._same)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._same == other._same


@lru_cache(maxsize=6)
def _measured(key: _Key) -> prepare.Prepared:
    return prepare.prepare(key.row.data, np.frombuffer(key.part, dtype=np.int64), key.row.recipe.measuring)


def _device(engine: Engine, row: Row, seen: dataset.Dataset, other: Path) -> Iterator[Line]:
    """What the release answers, and which of its checks would have stopped an image."""
    for case in range(len(seen.names)):
        levels = seen.levels(case)
        decision = engine.decide(levels, None)
        small = np.any([np.zeros(levels.shape, dtype=np.bool_), *(region.pixels for region in decision.chosen)], axis=0)
        line = evaluate.line(replace(row, data=seen), Unit(0, 0), case, DEVICE, small, 0.0, other)
        checks = acceptance.screen(decision, engine.limits).checks
        yield {**line, "row": DEVICE, "stopped": ", ".join(check.name for check in checks if not check.held)}

# SPDX-License-Identifier: Apache-2.0
"""Builds the release folder: deciding files, known answers, model card, training record; signs it.

The key is made for this one signature and never written to disk: whoever pins its public half can tell that
nothing was changed since, and nobody can sign another release with it. A manufacturer signs with its own.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from radiomicnet_md import phantom
from radiomicnet_md.engine import release, segment
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.network import PixelNetwork, parameters
from radiomicnet_md_audit import sign
from radiomicnet_md_training import candidate, evaluate, figures, pixel, region
from radiomicnet_md_training.harness import WHOLE, Row, Unit, train_unit
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.recipe import Card

MUST_NOT = (
    "clinical use of any kind: this is no cleared medical device",
    "images other than two-dimensional B-mode breast ultrasound",
    "screening, triage, or any decision without a qualified reader",
)


@dataclass(frozen=True, slots=True)
class Material:
    """What the stages before left for the release."""

    row: Row
    unit: Unit
    prepared: Prepared
    run: pixel.Run
    tables: evaluate.Tables
    card: Card
    lines: list[evaluate.Line]  # out of fold, of the unit's seed
    lock: Path

    @property
    def network(self) -> PixelNetwork:
        """The network that is locked."""
        if not isinstance(self.run.network, PixelNetwork):
            raise ConfigurationError(
                "E-RECIPE-NETWORK",
                f"{self.row.recipe.name} trains no network that can be locked",
                remedy="release a recipe with network kind `locked`",
            )
        return self.run.network


def make(row: Row, data: Path, lock: Path) -> Path:
    """Train on all open cases, fit the region tables to the folds' proposals, build; returns the release's folder.

    Every fold of the recipe's first seed has to be trained before (``train``): its proposals are what the tables are
    fitted to, and its answers are the figures of the model card.
    """
    seed = row.recipe.folds.seeds[0]
    if row.recipe.region is None or row.recipe.card is None:
        raise ConfigurationError(
            "E-RECIPE",
            f"{row.recipe.name} has no region layer or no card",
            remedy="release a recipe with the parts `region` and `card`, as training/recipes/locked.yaml",
        )
    lines = evaluate.evaluate(row, data)
    whole, before = Unit(seed, WHOLE), row.before()
    if before is not None:
        train_unit(before, whole)
    prepared = row.prepared(whole)
    run = row.run(whole, prepared)
    mine = [line for line in lines if int(line["seed"]) == seed]
    return build(
        Material(row, whole, prepared, run, evaluate.tables(row, seed), row.recipe.card, mine, lock),
        row.folder / "release",
    )


def golden() -> dict[str, NDArray[np.uint8]]:
    """The inputs of the known-answer test: two phantoms with a lesion, one without, one of noise."""
    noise = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (160, 208), dtype=np.uint8)
    return {
        "lesion-1": phantom.make(1, 256, 320).pixels,
        "lesion-2": phantom.make(2, 288, 256).pixels,
        "no-lesion": phantom.make(3, 256, 320, lesion=False).pixels,
        "noise": noise,
    }


def build(material: Material, out: Path) -> Path:
    """Write and sign ``out/<version>`` and ``out/release_key.pem``; returns the release's folder."""
    recipe = material.row.recipe
    files = candidate.files(material.network, material.prepared, recipe.measuring, material.tables.whole)
    engine = Engine(files)
    inputs = golden()
    files |= {f"golden/{name}.npy": _npy(array) for name, array in inputs.items()}
    files[segment.ANSWERS] = candidate.as_json(engine.answers(inputs))
    files["calibration.json"] = candidate.as_json(_calibration(material))
    files["model_card.json"] = candidate.as_json(_card(material))
    files["training_record.json"] = candidate.as_json(_record(material))
    key = sign.generate()
    header = {
        "id": material.card.id,
        "version": recipe.version,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "arithmetic": segment.ARITHMETIC,
        "lock_sha256": hashlib.sha256(material.lock.read_bytes()).hexdigest(),
    }
    folder = out / recipe.version
    release.write(folder, files, header, key)
    (out / release.PINNED_KEY.name).write_bytes(key.public.to_pem())
    return folder


def _calibration(material: Material) -> dict[str, Any]:
    return {
        "cases": candidate.calibration(material.prepared),
        "rule": "scale of a channel: the largest magnitude over these training cases / 1023",
    }


def _npy(array: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, allow_pickle=False)
    return stream.getvalue()


def _card(material: Material) -> dict[str, Any]:
    entries = sum(len(term["scores"]) for term in material.tables.whole["terms"].values())
    return {
        "name": material.card.id,
        "version": material.row.recipe.version,
        "notice": figures.NOTICE,
        "intended_use": "research and demonstration: outline of a lesion in a two-dimensional breast ultrasound image",
        "must_not_be_used_for": list(MUST_NOT),
        "parameters": {
            "pixel_layer": parameters(material.network),
            "region_layer": entries,
            "total": parameters(material.network) + entries,
        },
        "data": material.card.data,
        "label_noise": material.card.label_noise,
        "validation": figures.summary(material.lines, region.NAMED_ONLY),
        "validation_of": "networks and tables of the same recipe, each on the fifth of the cases that it never saw "
        "nor a duplicate of; the shipped network saw all of them, so its own score on them would say nothing",
        "not_done": [
            "the test split and the external set have not been opened",
            "trained on one hospital's images",
        ],
    }


def _record(material: Material) -> dict[str, Any]:
    data, row = material.prepared.data, material.row
    return {
        "recipe": row.recipe.model_dump(mode="json"),
        "run_sha256": row.digest,
        "seed": material.unit.seed,
        "training_cases": data.names,
        "training_files_sha256": hashlib.sha256("".join(data.digests).encode()).hexdigest(),
        "loss_curve": [round(value, 6) for value in material.run.curve.loss],
        "region_offset": material.tables.offset,
        "software": {"torch": torch.__version__, "numpy": np.__version__},
        "weights": "from scratch; no pretrained weights",
    }

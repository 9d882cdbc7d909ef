# SPDX-License-Identifier: Apache-2.0
"""Writes the candidate of a release: float weights, measurements, region tables, model card, training record.

No key is needed and nothing is quantised here: ``radiomicnet-md release build`` locks, proves and signs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from radiomicnet_md import phantom
from radiomicnet_md.engine import candidate as candidates
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.candidate import as_json
from radiomicnet_md.engine.familiar import Reference
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.model.network import PixelNetwork, parameters
from radiomicnet_md_training import candidate, evaluate, familiar, figures, pixel, region
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
    """Train on all open cases, fit the region tables to the folds' proposals, write; returns the candidate's folder.

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
    material = Material(row, whole, prepared, run, evaluate.tables(row, seed), row.recipe.card, mine, lock)
    return write(material, row.folder / "candidate")


def golden() -> dict[str, NDArray[np.uint8]]:
    """The inputs of the known-answer test: two phantoms with a lesion, one without, one of noise."""
    noise = np.random.Generator(np.random.PCG64(7)).integers(0, 256, (160, 208), dtype=np.uint8)
    return {
        "lesion-1": phantom.make(1, 256, 320).pixels,
        "lesion-2": phantom.make(2, 288, 256).pixels,
        "no-lesion": phantom.make(3, 256, 320, lesion=False).pixels,
        "noise": noise,
    }


def write(material: Material, folder: Path) -> Path:
    """Write the candidate into a new folder and return it.

    Raises :class:`ConfigurationError` where the folder is there already, or the network saw shrunken images.
    """
    recipe, prepared = material.row.recipe, material.prepared
    if prepared.shrink != 1 or folder.exists():
        raise ConfigurationError(
            "E-RECIPE-CANDIDATE",
            "there is a candidate already, or the recipe trains on shrunken images",
            remedy=f"move {folder} away, and use a recipe of the whole working grid",
        )
    calibration = {
        "cases": [prepared.data.names[i] for i in candidate.index(prepared)],
        "rule": "scale of a channel: the largest magnitude over these training cases / 1023",
    }
    passed_on = {
        "acceptance.json": Limits(reference=_reference(material)).to_json().encode(),
        "calibration.json": as_json(calibration),
        "model_card.json": as_json(_card(material)),
        "preprocessing.json": as_json(recipe.measuring.to_json()),
        "training_record.json": as_json(_record(material)),
        installation.LOCK: material.lock.read_bytes(),
    }
    network = material.network
    content = candidates.Candidate(
        id=material.card.id,
        version=recipe.version,
        rho=network.head.rho,
        network={name: tensor.numpy() for name, tensor in network.state_dict().items()},
        measured=candidate.measured(prepared),
        calibration=candidate.calibration(prepared),
        region=material.tables.whole,
        passed_on=passed_on,
        golden=golden(),
    )
    candidates.write(folder, content)
    return folder


def _reference(material: Material) -> Reference:
    """What is usual among the training cases and the right answers out of fold."""
    prepared, seed = material.prepared, material.unit.seed
    answers = familiar.answers(evaluate.proposed(material.row, seed), material.tables.folds)
    return familiar.fit(prepared.data, prepared.part, prepared.values, answers)


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
            "the test split has not been opened",
            "trained on one hospital's images; what that costs on another's stands in docs/reference/results.md",
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

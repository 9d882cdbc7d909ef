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
from radiomicnet_md.model.network import PixelNetwork, parameters
from radiomicnet_md_audit import sign
from radiomicnet_md_training import candidate, figures
from radiomicnet_md_training.prepare import Prepared
from radiomicnet_md_training.recipe import Recipe

MUST_NOT = (
    "clinical use of any kind: this is no cleared medical device",
    "images other than two-dimensional B-mode breast ultrasound",
    "screening, triage, or any decision without a qualified reader",
)


@dataclass(frozen=True, slots=True)
class Material:
    """What the stages before left for the release."""

    recipe: Recipe
    recipe_sha256: str
    prepared: Prepared
    network: PixelNetwork
    curve: list[float]
    region: dict[str, Any]
    cross_validation: dict[str, float]
    data: Path
    lock: Path


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
    files = candidate.files(material.network, material.prepared, material.recipe, material.region)
    engine = Engine(files)
    inputs = golden()
    files |= {f"golden/{name}.npy": _npy(array) for name, array in inputs.items()}
    files[segment.ANSWERS] = candidate.as_json(engine.answers(inputs))
    files["calibration.json"] = candidate.as_json(_calibration(material))
    files["model_card.json"] = candidate.as_json(_card(material, engine))
    files["training_record.json"] = candidate.as_json(_record(material))
    key = sign.generate()
    header = {
        "id": material.recipe.name,
        "version": material.recipe.version,
        "created": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "arithmetic": segment.ARITHMETIC,
        "lock_sha256": hashlib.sha256(material.lock.read_bytes()).hexdigest(),
    }
    folder = out / material.recipe.version
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


def _card(material: Material, engine: Engine) -> dict[str, Any]:
    entries = sum(len(term["scores"]) for term in material.region["terms"].values())
    return {
        "name": material.recipe.name,
        "version": material.recipe.version,
        "notice": figures.NOTICE,
        "intended_use": "research and demonstration: outline of a lesion in a two-dimensional breast ultrasound image",
        "must_not_be_used_for": list(MUST_NOT),
        "parameters": {
            "pixel_layer": parameters(material.network),
            "region_layer": entries,
            "total": parameters(material.network) + entries,
        },
        "data": "BUSI (Al-Dhabyani et al. 2020, doi:10.1016/j.dib.2019.104863), training split by duplicate group; "
        "licence not verified at its origin",
        "label_noise": "masks of duplicate images agree at mean Dice 0.837 (165 pairs): no score means more than that",
        "validation": figures.evaluate(engine, material.data, "val"),
        "region_layer_cross_validation": material.cross_validation,
        "not_done": [
            "the test split and the external set have not been opened",
            "one seed; no confidence intervals",
            "trained on one hospital's images",
        ],
    }


def _record(material: Material) -> dict[str, Any]:
    prepared = material.prepared
    train = [i for i, split in enumerate(prepared.splits) if split == "train"]
    digests = "".join(d for i in train for d in prepared.digests[2 * i : 2 * i + 2])
    return {
        "recipe": material.recipe.model_dump(mode="json"),
        "recipe_sha256": material.recipe_sha256,
        "training_cases": [prepared.names[i] for i in train],
        "training_files_sha256": hashlib.sha256(digests.encode()).hexdigest(),
        "loss_curve": [round(value, 6) for value in material.curve],
        "software": {"torch": torch.__version__, "numpy": np.__version__},
        "weights": "from scratch; no pretrained weights",
    }

# SPDX-License-Identifier: Apache-2.0
"""A recipe holds every value that training depends on; an unknown key is refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.errors import ConfigurationError


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Pixel(_Part):
    """How the pixel layer is optimised."""

    epochs: int
    batch: int
    rate: float
    decay: float
    average: float
    rest: float


class Folds(_Part):
    """How the out-of-fold proposals for the region layer are made."""

    count: int
    epochs: int


class Region(_Part):
    """How the region tables are fitted."""

    bins: int
    bags: int
    rounds: int
    rate: float
    seed: int


class Recipe(_Part):
    """One training run."""

    name: str
    version: str
    seed: int
    preprocessing: dict[str, Any]
    pixel: Pixel
    folds: Folds
    region: Region

    @property
    def measuring(self) -> Preprocessing:
        """The locked way of measuring."""
        return Preprocessing.from_json(self.preprocessing)


def read(path: Path) -> tuple[Recipe, str]:
    """A recipe and the SHA-256 of its file."""
    data = path.read_bytes()
    try:
        return Recipe.model_validate(yaml.safe_load(data)), hashlib.sha256(data).hexdigest()
    except (ValidationError, yaml.YAMLError) as error:
        raise ConfigurationError(
            "E-RECIPE", f"the recipe is not valid: {error}", remedy="compare it with training/recipes/locked.yaml"
        ) from error

# SPDX-License-Identifier: Apache-2.0
"""A recipe holds every value that a run depends on; an unknown key is refused."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.errors import ConfigurationError

LEAKING = "leaking-"  # begins the name of a row in which duplicates stand on both sides


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Network(_Part):
    """Which network, and what a variant of it changes."""

    kind: str  # a name of networks.py, or a baseline of benchmarks/networks
    options: dict[str, Any] = {}
    start: str | None = (
        None  # the row, trained before on the same folds and seeds, whose stream and trunk it starts from
    )


class Optimiser(_Part):
    """How the network is optimised."""

    epochs: int = Field(ge=1)
    batch: int = Field(ge=1)
    rate: float
    decay: float
    average: float  # exponential moving average of the weights
    rest: float = 0.5  # weight of the loss on the uncapped rest, where the network has one
    schedule: Literal["one-cycle", "warm-up-cosine"] = "one-cycle"
    encoder_rate: float | None = None  # the paper's own rate of the encoder; None: as the rest
    loss: Literal["overlap", "paper"] = "overlap"
    terms: dict[str, float] = {}  # weights of the paper's loss that an ablation changes


class Folds(_Part):
    """Which parts a run is split into, and with which seeds each is trained."""

    count: int = Field(ge=2)
    seeds: tuple[int, ...]
    first: int | None = Field(default=None, ge=1)  # only so many of them are run; None: all
    share: float = Field(default=1.0, gt=0, le=1)  # of each training part's groups that is trained on
    grouped: bool = True  # by duplicate group; False is the paper's protocol, which leaks

    @model_validator(mode="after")
    def _exist(self) -> Folds:
        if self.first is not None and self.first > self.count:
            message = f"of {self.count} folds the first {self.first} cannot be run"
            raise ValueError(message)
        return self


class Region(_Part):
    """How the region tables are fitted."""

    bins: int
    bags: int
    rounds: int
    rate: float
    seed: int
    sensitivity: float = Field(gt=0, lt=1)  # share of the images with a lesion that are to get an answer


class Card(_Part):
    """What the model card of a release says of its making and cannot be measured."""

    id: str  # of the release
    data: str  # origin, citation, licence
    label_noise: str  # how far the truth can be trusted


class Recipe(_Part):
    """One row of the results: a network, how it is trained, on which folds."""

    name: str
    version: str
    preprocessing: dict[str, Any]
    network: Network
    optimiser: Optimiser
    folds: Folds
    shrink: Literal[1, 2] = 1  # 2: the network sees half the working grid, where all rows are to be affordable
    region: Region | None = None  # the region layer of preset `locked`
    card: Card | None = None  # of a release; a row of the results has none

    @model_validator(mode="after")
    def _says_that_it_leaks(self) -> Recipe:
        if self.folds.grouped == self.name.startswith(LEAKING):
            message = f"a row is called {LEAKING}… if, and only if, its folds are not by duplicate group"
            raise ValueError(message)
        return self

    @property
    def measuring(self) -> Preprocessing:
        """The locked way of measuring."""
        return Preprocessing.from_json(self.preprocessing)

    def training_sha256(self) -> str:
        """Digest of what a training depends on; what comes after it (views, region tables) may change without it."""
        read: dict[str, Any] = {
            "preprocessing": {k: v for k, v in self.preprocessing.items() if k != "mirrored"},
            "network": self.network.model_dump(mode="json", exclude_defaults=True),
            "optimiser": self.optimiser.model_dump(mode="json", exclude_defaults=True),
            "folds": self.folds.count,
        }
        if self.folds.share < 1:
            read["share"] = self.folds.share
        if not self.folds.grouped:
            read["grouped"] = False
        if self.shrink > 1:
            read["shrink"] = self.shrink
        return hashlib.sha256(json.dumps(read, sort_keys=True).encode()).hexdigest()


def read(path: Path) -> tuple[Recipe, str]:
    """A recipe and the SHA-256 of its values; ``base`` names a recipe beside it whose values it changes."""
    try:
        recipe = Recipe.model_validate(_values(path))
    except (OSError, ValidationError, yaml.YAMLError, RecursionError) as error:
        raise ConfigurationError(
            "E-RECIPE", f"the recipe is not valid: {error}", remedy="compare it with training/recipes/locked.yaml"
        ) from error
    return recipe, hashlib.sha256(json.dumps(recipe.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()


def _values(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds; the model checks it
    values = yaml.safe_load(path.read_bytes())
    if not isinstance(values, dict) or "base" not in values:
        return values
    base = _values(path.parent / str(values.pop("base")))
    if not isinstance(base, dict):
        return base
    return base | {
        k: base[k] | v if isinstance(v, dict) and isinstance(base.get(k), dict) else v for k, v in values.items()
    }

# SPDX-License-Identifier: Apache-2.0
"""Reads stored rows, or says what is wrong with them: no torn, doubled, unscored or foreign case reaches a table.

Rules of this module:

- Every decision of every seed of a row is about the same cases, each once; every unit of ``run.json`` has its lines.
- A missed lesion and a false region have the worst scores. A line that says otherwise is refused, not averaged.
- Rows that are compared have the same cases, groups and kinds (:func:`same_cases`).
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md_training.recipe import Recipe

ONE_VIEW, TWO_VIEWS = "one view", "two views"  # of every row
TABLES = "tables.json"  # what decides, of a row whose network has tables
EXTERNAL, EXTERNAL_LINES = "external.json", "external.csv"  # of another hospital's images
DEVICE = "device"  # the shipped release among the rows of the external set
EXACT, NAMED, ORACLE = "exact", "named", "oracle"  # of every row with a region layer; it may have more


class _Stored(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Unit(_Stored):
    """One training of a row."""

    seed: int
    fold: int
    seconds: float
    device: str
    code_sha256: str
    software: dict[str, str] | None = None  # None: that of the row, as it was kept before


class Run(_Stored):
    """What a row was made from; ``run.json``."""

    recipe: Recipe
    recipe_sha256: str
    data_files_sha256: str
    parameters: int
    software: dict[str, str]
    units: tuple[Unit, ...]


class Tried(BaseModel):
    """An idea that was tried and what came of it, an entry of ``tried.yaml``; scores are mean Dice of lesions."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["data", "loss", "architecture", "schedule", "region layer", "ensemble"]
    idea: str
    setting: str
    without: str
    found: str  # with it
    verdict: str


class Bin(_Stored):
    """A row of a reliability table."""

    low: float
    high: float
    count: int
    probability: float
    frequency: float


class Judged(_Stored):
    """Calibration errors 0 … 1 over some pixels, and their reliability tables."""

    pixels: int
    equal_width: float
    equal_mass: float
    confidence: float
    equal_width_rows: tuple[Bin, ...]
    equal_mass_rows: tuple[Bin, ...]


class Scaled(_Stored):
    """Before and after division by the temperature."""

    before: Judged
    after: Judged


class FoldTemperature(_Stored):
    """The temperature that a fold was corrected with."""

    fold: int
    temperature: float
    at_limit: bool


class SeedCalibration(_Stored):
    """The calibration of one seed's networks."""

    seed: int
    temperature: float
    folds: tuple[FoldTemperature, ...]
    pooled: Scaled
    band: Scaled


class Calibration(_Stored):
    """``calibration.json``, as ``radiomicnet_md_training.calibrate`` writes it."""

    bins: int
    band_pixels: float
    cases: int
    seeds: tuple[SeedCalibration, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One case under one decision, a line of ``cases.csv``; ``hd95`` in pixels of the file, scores 0 … 1.

    Of the locked integers also: ``certified``, the share of pixels whose sign the rest cannot change, and ``named``,
    the centred named contributions' share of the evidence's variance, which may lie outside 0 … 1.
    """

    decision: str
    seed: int
    fold: int
    id: str
    group: str
    kind: str
    lesion: int
    found: int
    dice: float
    iou: float
    precision: float
    recall: float
    nsd: float
    hd95: float
    presence: float
    certified: float | None
    named: float | None


@dataclass(frozen=True, slots=True)
class ExternalLine(Line):
    """One external case under one row's decision; ``stopped`` names the device's checks that it did not hold."""

    row: str
    stopped: str


class External(_Stored):
    """When the external set was opened, and what was scored on it; ``external.json``."""

    opened: str
    name: str
    data_files_sha256: str
    release: dict[str, str]


@dataclass(frozen=True, slots=True)
class Point:
    """One epoch of one unit, a line of ``curve.csv``; held-out Dice only at the epochs looked at."""

    seed: int
    fold: int
    epoch: int
    loss: float
    held_out_dice: float | None


@dataclass(frozen=True, slots=True)
class Row:
    """A stored row: its lines by decision, in the order of the file."""

    name: str
    run: Run
    decisions: Mapping[str, Sequence[Line]]
    curve: tuple[Point, ...]
    calibration: Calibration

    def cases(self) -> set[tuple[str, str, str, int]]:
        """Name, group, kind and presence of a lesion of every case."""
        return _cases(self.decisions[TWO_VIEWS])


def rows(results: Path) -> dict[str, Row]:
    """Every row stored below a folder, by name; a folder without both ``run.json`` and ``cases.csv`` is no row.

    Raises:
        InputError: E-RESULTS-TORN, a file of a row is torn, incomplete or contradicts itself.

    """
    found = {}
    for folder in sorted(results.iterdir()):
        if (folder / "run.json").is_file() and folder.name != "hippocampus":  # volumes: another form, a page's section
            found[folder.name] = _row(folder)
    return found


def same_cases(compared: Iterable[Row]) -> None:
    """Refuse to compare rows with different cases.

    Raises:
        InputError: E-RESULTS-CASES.

    """
    some = list(compared)
    for other in some[1:]:
        if other.cases() != some[0].cases():
            raise InputError(
                "E-RESULTS-CASES",
                f"the rows {some[0].name} and {other.name} cannot be compared: they were scored on different cases",
                remedy="evaluate both on the same data and splits, or remove one from the results",
            )


def not_run(results: Path) -> dict[str, str]:
    """Reasons of rows that were not run, from ``not-run.yaml``; empty without it.

    Raises:
        ConfigurationError: E-RESULTS-NOT-RUN, the file is not a reason (a text) for each row.

    """
    path = results / "not-run.yaml"
    if not path.is_file():
        return {}
    try:
        return TypeAdapter(dict[str, str]).validate_python(yaml.safe_load(path.read_bytes()) or {}, strict=True)
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(
            "E-RESULTS-NOT-RUN", "not-run.yaml is not a reason for each row", remedy="write lines `row: reason`"
        ) from error


def tried(results: Path) -> tuple[Tried, ...]:
    """What was tried, from ``tried.yaml``; empty without it.

    Raises:
        ConfigurationError: E-RESULTS-TRIED, the file is not a list of such entries.

    """
    path = results / "tried.yaml"
    if not path.is_file():
        return ()
    try:
        return TypeAdapter(tuple[Tried, ...]).validate_python(yaml.safe_load(path.read_bytes()) or [])
    except (yaml.YAMLError, ValidationError) as error:
        raise ConfigurationError(
            "E-RESULTS-TRIED",
            f"tried.yaml is not a list of what was tried: {error}",
            remedy="give every entry kind, idea, setting, without, found, verdict",
        ) from error


def external(results: Path) -> tuple[External, dict[str, list[ExternalLine]]] | None:
    """What was scored on another hospital's images, by row; None where that set has not been opened.

    Raises:
        InputError: E-RESULTS-TORN.

    """
    if not (results / EXTERNAL).is_file():
        return None
    found: dict[str, list[ExternalLine]] = {}
    try:
        about = External.model_validate_json((results / EXTERNAL).read_bytes())
        for values in _table(results / EXTERNAL_LINES, ExternalLine):
            line = ExternalLine(**values)
            _fits(line)
            found.setdefault(line.row, []).append(line)
    except (OSError, ValueError) as error:
        raise InputError(
            "E-RESULTS-TORN", f"what is stored of the external set cannot be used: {error}", remedy="score it again"
        ) from error
    return about, found


def measured(path: Path) -> dict[str, Any] | None:
    """What another program measured and kept as a JSON object; None without the file.

    Raises:
        InputError: E-RESULTS-TORN.

    """
    if not path.is_file():
        return None
    try:
        return TypeAdapter(dict[str, Any]).validate_python(json.loads(path.read_bytes()))
    except ValueError as error:
        raise InputError(
            "E-RESULTS-TORN", f"{path.name} is torn or no JSON object", remedy="make it again, or remove it"
        ) from error


def _row(folder: Path) -> Row:
    try:
        run = Run.model_validate_json((folder / "run.json").read_bytes())
        calibration = Calibration.model_validate_json((folder / "calibration.json").read_bytes())
        curve = tuple(Point(**values) for values in _table(folder / "curve.csv", Point))
        decisions: dict[str, list[Line]] = {}
        for values in _table(folder / "cases.csv", Line):
            line = Line(**values)
            _fits(line)
            decisions.setdefault(line.decision, []).append(line)
        _complete(run, decisions)
    except (OSError, ValueError) as error:  # pydantic's and Unicode's errors are value errors
        raise InputError(
            "E-RESULTS-TORN",
            f"the stored row {folder.name} cannot be used: {error}",
            remedy="evaluate the row again with --results",
        ) from error
    return Row(folder.name, run, decisions, curve, calibration)


def _table(path: Path, form: type) -> list[dict[str, Any]]:
    """Lines of a CSV file with the fields of ``form``, each in its type; ValueError where it is torn."""
    text = path.read_text(encoding="utf-8")
    reader = csv.DictReader(io.StringIO(text, newline=""))
    names = [field.name for field in fields(form)]
    if reader.fieldnames != names or not text.endswith("\n"):
        message = f"{path.name} is torn or has not the columns {', '.join(names)}"
        raise ValueError(message)
    types = {field.name: _TYPES[str(field.type)] for field in fields(form)}
    found = []
    for number, texts in enumerate(reader, start=2):
        if set(texts) != set(names) or None in texts.values():
            message = f"{path.name} line {number} is torn"
            raise ValueError(message)
        found.append({name: types[name](value) for name, value in texts.items()})
    return found


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        message = f"{text} is not a finite number"
        raise ValueError(message)
    return value


_TYPES: dict[str, Any] = {
    "str": str,
    "int": int,
    "float": _number,
    "float | None": lambda text: _number(text) if text else None,
}


def _fits(line: Line) -> None:
    shares = (line.dice, line.iou, line.precision, line.recall, line.nsd)
    wrong = line.lesion not in {0, 1} or line.found not in {0, 1} or not all(0 <= value <= 1 for value in shares)
    missed = line.lesion != line.found and any(shares)  # a missed lesion, or a false region
    untold = line.decision == EXACT and None in {line.certified, line.named}
    if wrong or missed or untold or line.hd95 < 0:
        message = f"cases.csv: what is said of {line.id} ({line.decision}) cannot be"
        raise ValueError(message)


def _complete(run: Run, decisions: Mapping[str, Sequence[Line]]) -> None:
    """ValueError unless each seed of each decision has every case once and every unit has lines."""
    needed = {ONE_VIEW, TWO_VIEWS} | ({EXACT, NAMED, ORACLE} if run.recipe.region is not None else set())
    if not needed <= set(decisions):
        message = f"cases.csv lacks the decision {min(needed - set(decisions))!r}"
        raise ValueError(message)
    units = {(unit.seed, unit.fold) for unit in run.units}
    cases = _cases(decisions[TWO_VIEWS])
    once = sorted((seed, case[0]) for seed in {seed for seed, _ in units} for case in cases)
    for decision, lines in decisions.items():
        complete = sorted((line.seed, line.id) for line in lines) == once and _cases(lines) == cases
        if not complete or {(line.seed, line.fold) for line in lines} != units:
            message = f"cases.csv has not every case of every unit once under {decision!r}"
            raise ValueError(message)


def _cases(lines: Iterable[Line]) -> set[tuple[str, str, str, int]]:
    return {(line.id, line.group, line.kind, line.lesion) for line in lines}

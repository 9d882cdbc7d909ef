# SPDX-License-Identifier: Apache-2.0
"""A recipe is complete and holds nothing unknown; rows that are compared differ in what their recipes say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_training import recipe
from radiomicnet_md_training.recipe import Recipe
from radiomicnet_md_training.results import known

RECIPES = Path(__file__).resolve().parents[2] / "training" / "recipes"
LOCKED = RECIPES / "locked.yaml"
ROWS = sorted(file for file in RECIPES.glob("*.yaml") if file.stem != "hippocampus")  # that one is read by `volumes`


def small(file: Path) -> bool:
    """Whether a recipe is of the small setting."""
    return file.stem.startswith(tuple(known.APART))


def write(at: Path, text: str, name: str = "mine.yaml") -> Path:
    """A recipe file beside a copy of locked.yaml."""
    (at / "locked.yaml").write_text(LOCKED.read_text())
    (at / name).write_text(text)
    return at / name


@pytest.mark.verifies("SRS-MOD-003")
@pytest.mark.parametrize("part", ["", "network", "optimiser", "folds", "region"])
def test_an_unknown_key_is_refused(part: str, tmp_path: Path) -> None:
    values = yaml.safe_load(LOCKED.read_text())
    (values[part] if part else values)["secret"] = 1
    with pytest.raises(ConfigurationError, match="secret") as caught:
        recipe.read(write(tmp_path, yaml.safe_dump(values)))
    assert caught.value.code == "E-RECIPE"


@pytest.mark.verifies("SRS-MOD-003")
@pytest.mark.parametrize(
    "text",
    [
        "name: [",
        "",
        "- a list",
        "base: mine.yaml",
        "base: nowhere.yaml",
        "base: empty.yaml",
        "base: list.yaml",
        "name: lonely",
        "base: locked.yaml\noptimiser: {schedule: by-ear}",
        "base: locked.yaml\noptimiser: {epochs: many}",
        "base: locked.yaml\noptimiser: {epochs: 0}",
        "base: locked.yaml\noptimiser: {batch: 0}",
        "base: locked.yaml\nfolds: {count: 1}",
        "base: locked.yaml\nfolds: {first: 0}",
        "base: locked.yaml\nfolds: {share: 0}",
        "base: locked.yaml\nfolds: {share: 1.1}",
        "base: locked.yaml\nfolds: {first: 6}",
        "base: locked.yaml\nfolds: {grouped: false}",
        "base: locked.yaml\nname: leaking-locked",
        "base: locked.yaml\nshrink: 3",
    ],
)
def test_what_is_no_recipe_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigurationError) as caught:
        recipe.read(write(tmp_path, text))
    assert caught.value.code == "E-RECIPE"
    assert caught.value.remedy


@pytest.mark.verifies("SRS-MOD-003")
def test_a_base_gives_what_a_recipe_does_not_change(tmp_path: Path) -> None:
    mine, _ = recipe.read(write(tmp_path, "base: locked.yaml\nname: mine\noptimiser: {epochs: 3}\nregion: null\n"))
    base, _ = recipe.read(LOCKED)
    assert mine.optimiser == base.optimiser.model_copy(update={"epochs": 3})
    assert mine.region is None
    assert mine.model_copy(update={"name": base.name, "optimiser": base.optimiser, "region": base.region}) == base


@pytest.mark.verifies("SRS-MOD-003")
def test_a_base_may_have_a_base_and_a_part_that_it_left_out_is_added(tmp_path: Path) -> None:
    write(tmp_path, "base: locked.yaml\nregion: null\noptimiser: {rate: 0.5}\n", "between.yaml")
    region = {"bins": 2, "bags": 1, "rounds": 3, "rate": 0.1, "seed": 4, "sensitivity": 0.9}
    mine, _ = recipe.read(write(tmp_path, yaml.safe_dump({"base": "between.yaml", "region": region})))
    assert mine.optimiser.rate == 0.5
    assert mine.region == recipe.Region(**region)


@pytest.mark.verifies("SRS-MOD-003")
def test_the_digest_of_a_recipe_tells_every_value(tmp_path: Path) -> None:
    _, locked = recipe.read(LOCKED)
    _, same = recipe.read(write(tmp_path, "base: locked.yaml\n"))
    _, other = recipe.read(write(tmp_path, "base: locked.yaml\nfolds: {seeds: [2]}\n"))
    assert locked == same != other


BEFORE: list[dict[str, Any]] = [
    {"optimiser": {"epochs": 61}},
    {"optimiser": {"batch": 11}},
    {"optimiser": {"rate": 0.1}},
    {"optimiser": {"decay": 0.1}},
    {"optimiser": {"average": 0.9}},
    {"optimiser": {"rest": 0.4}},
    {"optimiser": {"schedule": "warm-up-cosine"}},
    {"optimiser": {"encoder_rate": 0.1}},
    {"optimiser": {"loss": "paper"}},
    {"optimiser": {"terms": {"dice": 0.0}}},
    {"network": {"kind": "plain"}},
    {"network": {"options": {"rho": 1.0}}},
    {"network": {"start": "other"}},
    {"folds": {"count": 4}},
    {"preprocessing": {"shift": 3}},
    {"shrink": 2},
    {"folds": {"share": 0.5}},
    {"name": "leaking-x", "folds": {"grouped": False}},
]
AFTER: list[dict[str, Any]] = [
    {"preprocessing": {"mirrored": False}},
    {"region": None},
    {"region": {"rounds": 5}},
    {"folds": {"seeds": [1, 2, 3]}},
    {"folds": {"first": 2}},
    {"name": "other"},
    {"version": "9.9.9"},
]


def changed(at: Path, change: dict[str, Any]) -> Recipe:
    return recipe.read(write(at, yaml.safe_dump({"base": "locked.yaml", **change})))[0]


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("change", BEFORE, ids=str)
def test_what_a_training_depends_on_changes_its_digest(change: dict[str, Any], tmp_path: Path) -> None:
    assert changed(tmp_path, change).training_sha256() != recipe.read(LOCKED)[0].training_sha256()


@pytest.mark.verifies("SRS-MOD-011")
def test_every_value_of_the_optimiser_is_tried() -> None:
    tried = {key for change in BEFORE for key in change.get("optimiser", {})}
    assert tried == set(recipe.Optimiser.model_fields)


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("change", AFTER, ids=str)
def test_what_comes_after_a_training_does_not_change_its_digest(change: dict[str, Any], tmp_path: Path) -> None:
    assert changed(tmp_path, change).training_sha256() == recipe.read(LOCKED)[0].training_sha256()


@pytest.mark.verifies("SRS-MOD-009")
@pytest.mark.parametrize("file", ROWS, ids=lambda file: file.stem)
def test_rows_share_folds_epochs_and_measuring(file: Path) -> None:
    row, locked = recipe.read(file)[0], recipe.read(RECIPES / f"{known.SMALL * small(file)}locked.yaml")[0]
    assert row.shrink == locked.shrink
    assert row.folds.first == locked.folds.first
    assert row.measuring == locked.measuring
    assert row.folds.count == locked.folds.count
    assert row.optimiser.average == locked.optimiser.average
    # A row that goes on from another's weights is a variation of it and no competitor.
    assert row.network.start is not None or row.optimiser.epochs * row.folds.share == locked.optimiser.epochs


@pytest.mark.verifies("SRS-MOD-009")
def test_no_two_rows_have_one_name() -> None:
    names = [recipe.read(file)[0].name for file in ROWS]
    assert len(set(names)) == len(names) >= 4


@pytest.mark.verifies("SRS-MOD-012")
@pytest.mark.parametrize("name", known.PLANNED)
def test_every_planned_row_has_a_recipe_of_its_name(name: str) -> None:
    assert recipe.read(RECIPES / f"{name}.yaml")[0].name == name

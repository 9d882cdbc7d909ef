# SPDX-License-Identifier: Apache-2.0
"""Training refuses leaks and bad folders, repeats itself, and goes on where it was interrupted."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
import torch

from radiomicnet_md import phantom
from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md_training import dataset, pipeline, pixel, recipe
from radiomicnet_md_training.prepare import Prepared, prepare

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "locked.yaml"
HEAD = "id,split,group,class_label\n"


def folder(at: Path, rows: str, names: tuple[str, ...] = ()) -> Path:
    """A data folder with the given splits.csv and a phantom for each name."""
    for kind in ("images", "masks"):
        (at / kind).mkdir(parents=True)
    (at / "splits.csv").write_text(HEAD + rows)
    for seed, name in enumerate(names):
        made = phantom.make(seed, 96, 128)
        sitk.WriteImage(sitk.GetImageFromArray(made.pixels), str(at / "images" / f"{name}.png"))
        sitk.WriteImage(sitk.GetImageFromArray(made.truth), str(at / "masks" / f"{name}.png"))
    return at


@pytest.mark.verifies("SRS-MOD-003")
def test_a_group_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="g1 stands in the splits train and val") as caught:
        dataset.read_cases(folder(tmp_path, "a,train,g1,x\nb,val,g1,x\n"), ("train",))
    assert caught.value.code == "E-DATA-LEAK"


@pytest.mark.verifies("SRS-MOD-003")
def test_a_case_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twice"):
        dataset.read_cases(folder(tmp_path, "a,train,g1,x\na,train,g1,x\n"), ("train",))


@pytest.mark.verifies("SRS-MOD-003")
def test_a_missing_layout_mask_or_another_size_is_refused(tmp_path: Path) -> None:
    settings, _ = recipe.read(RECIPE)
    with pytest.raises(ConfigurationError, match=r"no splits\.csv"):
        dataset.read_cases(tmp_path, ("train",))
    data = folder(tmp_path / "data", "a,train,g1,x\n", ("a",))
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((9, 9), np.uint8)), str(data / "masks" / "a.png"))
    with pytest.raises(InputError, match="differ in size"):
        dataset.load(data, ("train",), settings.measuring)
    (data / "masks" / "a.png").unlink()
    with pytest.raises(InputError, match="no masks file"):
        dataset.load(data, ("train",), settings.measuring)


@pytest.mark.verifies("SRS-MOD-003")
def test_the_test_split_is_never_opened(tmp_path: Path) -> None:
    settings, _ = recipe.read(RECIPE)
    rows = "a,train,g1,x\nb,val,g2,x\nc,test,g3,x\n"
    data = folder(tmp_path / "data", rows, ("a", "b"))  # the files of c do not even exist
    prepared = prepare(settings, data, tmp_path / "out")
    assert prepared.names == ["a", "b"]


@pytest.mark.verifies("SRS-MOD-003")
def test_an_unknown_key_in_a_recipe_is_refused(tmp_path: Path) -> None:
    wrong = tmp_path / "recipe.yaml"
    wrong.write_text(RECIPE.read_text() + "secret: 1\n")
    with pytest.raises(ConfigurationError, match="secret"):
        recipe.read(wrong)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """Four phantoms, measured."""
    at = tmp_path_factory.mktemp("small")
    names = ("a", "b", "c", "d")
    data = folder(at / "data", "".join(f"{n},train,g{n},x\n" for n in names), names)
    return prepare(recipe.read(RECIPE)[0], data, at / "out")


def digest(network: torch.nn.Module) -> str:
    """SHA-256 over all weights."""
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in network.state_dict().values())).hexdigest()


@pytest.mark.verifies("SRS-MOD-003")
def test_the_same_seed_gives_the_same_weights_also_after_an_interruption(small: Prepared, tmp_path: Path) -> None:
    settings = recipe.read(RECIPE)[0].pixel.model_copy(update={"epochs": 2, "batch": 2})
    index = small.of("train")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        whole = pixel.train(small, index, settings, 5, tmp_path / "whole")
        again = pixel.train(small, index, settings, 5, tmp_path / "again")
        other = pixel.train(small, index, settings, 6, tmp_path / "other")
        resumed = pixel.train(small, index, settings, 5, tmp_path / "whole")
    finally:
        torch.set_num_threads(before)
    assert digest(whole.network) == digest(again.network) == digest(resumed.network)
    assert digest(whole.network) != digest(other.network)
    assert len(whole.curve) == 2


@pytest.mark.verifies("SRS-MOD-003")
def test_folds_keep_groups_whole_and_cover_every_case_once(small: Prepared) -> None:
    parts = pipeline.folds(small, small.of("train"), 3)
    assert sorted(np.concatenate(parts).tolist()) == small.of("train").tolist()


@pytest.mark.verifies("SRS-MOD-003")
def test_a_folder_of_another_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run.sha256").write_text("0" * 64)
    with pytest.raises(ConfigurationError, match="another recipe or of other cases"):
        pipeline.run(RECIPE, tmp_path, tmp_path, tmp_path / "lock", until="pixel")

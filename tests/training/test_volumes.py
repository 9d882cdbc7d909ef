# SPDX-License-Identifier: Apache-2.0
"""The run on volumes: measured in three dimensions, split without leaks, resumable, misses counted."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional

from radiomicnet_md import radiomics
from radiomicnet_md.errors import ConfigurationError, InputError, IntegrityError, UsageError
from radiomicnet_md.model.fusion import CODES
from radiomicnet_md_training import dataset, volume_cases, volumes

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "hippocampus.yaml"
SHAPES = ((14, 17, 15), (16, 16, 12), (18, 15, 16), (15, 18, 17), (16, 17, 16), (13, 16, 18))


def phantom(seed: int, shape: tuple[int, ...]) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """A bright rod in noise, its two halves labelled 1 and 2; the intensity scale differs from case to case."""
    rng = np.random.default_rng(seed)
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    rod = ((z / 4) ** 2 + ((x - rng.uniform(-1, 1)) / 4) ** 2 < 1) & (np.abs(y) < 6)
    labels = np.where(rod, np.where(y < 0, 1, 2), 0).astype(np.uint8)
    grey = 1.0 + rod + 0.5 * (labels == 2) + 0.15 * rng.standard_normal(shape)
    return (grey * 10.0 ** rng.integers(0, 6)).astype(np.float32), labels


def write(folder: Path, name: str, image: np.ndarray[Any, Any], labels: np.ndarray[Any, Any]) -> None:
    for kind, array in (("images", image), ("labels", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(sitk.GetImageFromArray(array), str(folder / kind / f"{name}.nii.gz"))


def make_folder(at: Path) -> Path:
    """Four volumes to train on, two to look at, and a test case whose files do not even exist."""
    rows = ["id,split,group,class_label"]
    for seed, shape in enumerate(SHAPES):
        write(at, f"v{seed}", *phantom(seed, shape))
        rows.append(f"v{seed},{'train' if seed < 4 else 'val'},s{seed // 2},")
    (at / "splits.csv").write_text("\n".join([*rows, "closed,test,s9,"]) + "\n")
    return at


def recipe_file(at: Path, *, epochs: int = 2, grid: tuple[int, ...] = (16, 16, 16), **changed: Any) -> Path:  # noqa: ANN401
    """The shipped recipe made small."""
    settings = yaml.safe_load(RECIPE.read_text())
    settings["measuring"] |= {
        "grid": list(grid),
        "radii": [1, 2],
        "features": ["glcm_Contrast", "firstorder_Mean", "firstorder_Skewness"],
    }
    settings["training"] |= {"epochs": epochs, "rate": 0.02, "average": 0.8}
    at.write_text(yaml.safe_dump(settings | changed))
    return at


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_folder(tmp_path_factory.mktemp("volumes"))


@pytest.fixture(scope="module")
def prepared(data: Path, tmp_path_factory: pytest.TempPathFactory) -> volume_cases.Prepared:
    at = tmp_path_factory.mktemp("prepared")
    settings, _ = volume_cases.read_recipe(recipe_file(at / "recipe.yaml"))
    return volume_cases.prepare(settings, data, at, "mark")


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.verifies("SRS-MOD-010")
def test_a_run_learns_scores_every_open_case_and_never_opens_test(data: Path, tmp_path: Path) -> None:
    volumes.run(recipe_file(tmp_path / "r.yaml", epochs=30), data, tmp_path / "out")
    rows = read_rows(tmp_path / "out" / "cases.csv")
    assert [row["id"] for row in rows] == [f"v{i}" for i in range(6)]
    assert [row["split"] for row in rows] == ["train"] * 4 + ["val"] * 2
    losses = [float(row["loss"]) for row in read_rows(tmp_path / "out" / "curve.csv")]
    assert len(losses) == 30
    assert losses[-1] < losses[0] / 2
    text = json.loads((tmp_path / "out" / "run.json").read_text())
    assert "not clinical evidence" in text["notice"]
    assert text["splits"]["val"]["n"] == 2
    for column in ("dice", "dice_anterior", "dice_posterior"):
        assert text["splits"]["val"][column]["mean"] > 0.6
        assert text["splits"]["val"][column]["mean"] == pytest.approx(np.mean([float(r[column]) for r in rows[4:]]))


@pytest.mark.verifies("SRS-MOD-010")
def test_an_interrupted_run_goes_on_to_the_same_bytes(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, calls, follow = recipe_file(tmp_path / "r.yaml", epochs=3), [], volumes.follow
    volumes.run(recipe, data, tmp_path / "whole")

    def interrupt(*arguments: Any) -> None:  # noqa: ANN401
        calls.append(1)
        if len(calls) == 4:  # in the middle of the second epoch of two steps
            raise KeyboardInterrupt
        follow(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(volumes, "follow", interrupt)
        with pytest.raises(KeyboardInterrupt):
            volumes.run(recipe, data, tmp_path / "torn")
    volumes.run(recipe, data, tmp_path / "torn")
    for name in ("cases.csv", "curve.csv"):
        assert (tmp_path / "torn" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.verifies("SRS-MOD-010")
def test_another_recipe_and_a_damaged_checkpoint_are_refused(data: Path, tmp_path: Path) -> None:
    out, recipe = tmp_path / "out", recipe_file(tmp_path / "r.yaml", epochs=1)
    volumes.run(recipe, data, out)
    with pytest.raises(ConfigurationError, match="another recipe") as caught:
        volumes.run(recipe_file(tmp_path / "other.yaml", epochs=2), data, out)
    assert caught.value.code == "E-RUN-CHANGED"
    kept = (out / "last.pt").read_bytes()
    (out / "last.pt").write_bytes(kept[: len(kept) // 2])
    with pytest.raises(IntegrityError, match="damaged"):
        volumes.run(recipe, data, out)
    (out / "last.pt").write_bytes(kept)
    (out / "prepared.npz").unlink()
    with pytest.raises(ConfigurationError, match="checkpoint is of another run"):
        volumes.run(recipe_file(tmp_path / "other.yaml", epochs=2), data, out)


@pytest.mark.verifies("SRS-MOD-010")
def test_a_subject_in_two_splits_is_a_leak(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    table = (folder / "splits.csv").read_text()
    (folder / "splits.csv").write_text(table.replace("v4,val,s2", "v4,val,s1"))
    with pytest.raises(InputError, match="s1 stands in the splits train and val"):
        volumes.run(recipe_file(tmp_path / "r.yaml"), folder, tmp_path / "out")


@pytest.mark.verifies("SRS-MOD-010")
@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda image, labels: (image, labels[1:]), "E-DATA-SIZE"),
        (lambda image, labels: (image, labels + np.uint8(1)), "E-DATA-LABEL"),
        (lambda image, labels: (np.zeros_like(image), labels), "E-DATA-IMAGE"),
        (lambda image, labels: (np.where(labels > 0, np.float32(np.nan), image), labels), "E-DATA-IMAGE"),
    ],
)
def test_a_bad_case_is_refused(spoil: Any, code: str, tmp_path: Path) -> None:  # noqa: ANN401
    folder = make_folder(tmp_path / "data")
    write(folder, "v1", *spoil(*phantom(1, SHAPES[1])))
    with pytest.raises(InputError) as caught:
        volumes.run(recipe_file(tmp_path / "r.yaml"), folder, tmp_path / "out")
    assert caught.value.code == code


@pytest.mark.verifies("SRS-MOD-010")
def test_a_missing_and_a_torn_file_are_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "data")
    file = folder / "images" / "v2.nii.gz"
    file.write_bytes(file.read_bytes()[:2000])
    with pytest.raises(InputError) as torn:
        volumes.run(recipe_file(tmp_path / "r.yaml"), folder, tmp_path / "out")
    assert torn.value.code == "E-INPUT-TRUNCATED"
    file.unlink()
    with pytest.raises(InputError) as missing:
        volumes.run(recipe_file(tmp_path / "r.yaml"), folder, tmp_path / "out")
    assert missing.value.code == "E-INPUT-MISSING"


@pytest.mark.verifies("SRS-MOD-010")
def test_a_recipe_with_an_unknown_key_map_or_side_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        volume_cases.read_recipe(recipe_file(tmp_path / "a.yaml", secret=1))
    with pytest.raises(ConfigurationError, match="multiple of 8"):
        volume_cases.read_recipe(recipe_file(tmp_path / "b.yaml", grid=(16, 20, 16)))
    unknown = yaml.safe_load(recipe_file(tmp_path / "c.yaml").read_text())
    unknown["measuring"]["features"] = ["lbp_Mean"]  # has no meaning in three dimensions here
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(unknown))
    with pytest.raises(UsageError, match="lbp_Mean"):
        volumes.run(tmp_path / "c.yaml", data, tmp_path / "out")


@pytest.mark.verifies("SRS-MOD-010")
@given(st.integers(0, 2**32 - 1), st.sampled_from([2.0**-8, 1.0, 2.0**12, 2.0**20]), st.integers(-50, 50))
def test_grey_levels_do_not_know_the_scale_of_intensity(seed: int, scale: float, offset: int) -> None:
    image = np.random.default_rng(seed).integers(0, 1000, (5, 6, 4)).astype(np.float64)
    levels = volume_cases.grey_levels(image)
    assert (levels.min(), levels.max()) == (0, 255)
    assert np.array_equal(volume_cases.grey_levels((image + offset) * scale), levels)


@pytest.mark.verifies("SRS-MOD-010")
@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.integers(1, 9)] * 3))
def test_what_is_placed_comes_back_and_what_did_not_fit_is_empty(shape: tuple[int, ...], grid: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).integers(1, 200, shape, dtype=np.uint8)
    placed = volume_cases.place(array, grid, volume_cases.NOTHING)
    back = volume_cases.take_back(placed, shape)
    assert (back != 0).sum() == (placed != volume_cases.NOTHING).sum() == np.minimum(shape, grid).prod()
    assert np.array_equal(back[back != 0], array[back != 0])
    for length, side, mask in zip(shape, grid, _extents(back != 0), strict=True):
        assert mask == ((length - min(length, side)) // 2, min(length, side))


def _extents(mask: np.ndarray[Any, Any]) -> list[tuple[int, int]]:
    """First index and length along each axis."""
    places = np.argwhere(mask)
    return [(int(low), int(high - low + 1)) for low, high in zip(places.min(0), places.max(0), strict=True)]


@pytest.mark.verifies("SRS-MOD-010")
def test_codes_are_ranks_of_maps_measured_in_three_dimensions(data: Path, prepared: volume_cases.Prepared) -> None:
    grey = volume_cases.grey_levels(volume_cases.read_volume(data / "images" / "v4.nii.gz"))
    names = ["glcm_Contrast", "firstorder_Mean", "firstorder_Skewness"]
    ours, theirs = volume_cases.overlap(grey.shape, (16, 16, 16))
    for i, radius in enumerate((1, 2)):
        levels = (grey >> 3).astype(np.int16)
        maps = radiomics.dense(levels, names, image=grey, radius=radius).astype(np.float32)
        flat = np.stack([radiomics.dense(levels[z], names, image=grey[z], radius=radius) for z in range(len(grey))], 1)
        assert not np.allclose(maps[1], flat[1])  # a slice alone measures something else
        for k in range(3):
            thresholds = prepared.thresholds[3 * i + k]
            expected = (maps[k][..., None].astype(np.float64) > thresholds).sum(-1)
            assert np.array_equal(prepared.codes[4, 3 * i + k][theirs], expected[ours])
            assert (np.diff(thresholds) >= 0).all()


@pytest.mark.verifies("SRS-MOD-010")
def test_thresholds_and_centres_come_from_the_training_split_alone(
    prepared: volume_cases.Prepared, tmp_path: Path
) -> None:
    folder = make_folder(tmp_path / "data")
    image, labels = phantom(4, SHAPES[4])
    write(folder, "v4", image**2, labels)
    settings, _ = volume_cases.read_recipe(recipe_file(tmp_path / "r.yaml"))
    other = volume_cases.prepare(settings, folder, tmp_path / "out", "mark")
    assert not np.array_equal(other.codes[4], prepared.codes[4])
    assert np.array_equal(other.thresholds, prepared.thresholds)
    assert np.array_equal(other.usual, prepared.usual)
    seen = prepared.codes[prepared.of("train")][:, 1]
    share = np.array([(seen == code).sum() for code in range(CODES)]) / (seen < CODES).sum()
    assert np.allclose(prepared.usual[1], share)


@pytest.mark.verifies("SRS-MOD-010")
def test_codes_labels_and_image_move_as_one() -> None:
    generator, grid = torch.Generator().manual_seed(4), (16, 24, 8)
    codes = torch.randint(0, CODES, (3, 2, *grid), dtype=torch.uint8, generator=generator)
    where = functional.affine_grid(volumes.views(generator, 3, grid), [3, 1, *grid], align_corners=False)
    moved = volumes.nearest(codes, where, torch.tensor([CODES, CODES], dtype=torch.uint8))
    oracle = functional.grid_sample(codes.float() + 1, where, mode="nearest", align_corners=False) - 1
    agree = torch.where(moved == CODES, -1.0, moved.float()) == oracle
    assert agree.float().mean() > 0.999  # but for places half way between two voxels
    assert (moved == CODES).any()
    assert (moved != codes).float().mean() > 0.5


@pytest.mark.verifies("SRS-MOD-010")
def test_a_view_turns_by_whole_voxels_without_distortion() -> None:
    """In voxels, not in normalised coordinates, the map is a turn times a size."""
    grid = (16, 24, 8)
    theta = volumes.views(torch.Generator().manual_seed(5), 20, grid)
    half = torch.tensor(grid[::-1]) / 2
    matrix = theta[:, :, :3] * half[None, :, None] / half[None, None, :]
    gram = matrix @ matrix.transpose(1, 2)
    size = gram[:, 0, 0]
    assert torch.allclose(gram, size[:, None, None] * torch.eye(3), atol=1e-5)
    assert (size.log().abs() / 2 <= volumes.SCALE + 1e-5).all()
    assert ((theta[:, :, 3] * half).abs() <= volumes.SHIFT).all()


@pytest.mark.verifies("SRS-MOD-010")
def test_a_view_stays_in_range_and_dark_outside(prepared: volume_cases.Prepared) -> None:
    seen = volumes.augment(volumes.gather(prepared, np.array([0, 5])), torch.Generator().manual_seed(6))
    assert (seen.images.min(), seen.images.max()) == (0, 1)
    outside = seen.labels == volume_cases.NOTHING
    assert outside.any()
    assert (seen.images[:, 0][outside] == 0).all()
    assert (seen.codes.amin(1)[outside] == CODES).all()
    assert set(seen.labels.unique().tolist()) == {0, 1, 2, volume_cases.NOTHING}


@pytest.mark.verifies("SRS-MOD-010")
def test_the_label_with_the_most_evidence_has_the_voxel() -> None:
    z = torch.tensor([[-1.0, 2.0, 1.0, 0.0], [-2.0, 1.0, 3.0, -1.0]]).reshape(2, 1, 1, 4)
    assert volumes.decide(z, [7, 9]).tolist() == [[[0, 7, 9, 0]]]


@pytest.mark.verifies("SRS-MOD-010")
def test_a_missed_label_counts_as_zero(data: Path, prepared: volume_cases.Prepared, tmp_path: Path) -> None:
    settings, _ = volume_cases.read_recipe(recipe_file(tmp_path / "r.yaml"))
    network = volumes.build(prepared, settings).eval()
    with torch.no_grad():
        network.heads[0].bias.fill_(-1e3)
        network.heads[1].bias.fill_(1e3)
    rows = [volumes.score(network, prepared, settings, data, case) for case in (4, 5)]
    counted = volumes.summary(rows, settings)
    assert [row["dice_anterior"] for row in rows] == [0, 0]
    assert counted["dice_anterior"] == {"mean": 0, "median": 0, "least": 0, "missed": 2}
    assert counted["dice_posterior"]["missed"] == 0
    assert counted["n"] == 2
    assert counted["certified_mean"] == 1  # a bias of a thousand is beyond any rest


@pytest.mark.verifies("SRS-MOD-010")
def test_what_the_grid_cuts_off_counts_against_the_score(
    data: Path, prepared: volume_cases.Prepared, tmp_path: Path
) -> None:
    """A network that says label 1 everywhere on a smaller grid has no voxel beyond it."""
    at = tmp_path / "small"
    settings, _ = volume_cases.read_recipe(recipe_file(tmp_path / "r.yaml", grid=(8, 8, 8)))
    small = volume_cases.prepare(settings, data, at, "mark")
    network = volumes.build(small, settings).eval()
    with torch.no_grad():
        network.heads[0].bias.fill_(1e3)
        network.heads[1].bias.fill_(-1e3)
    row = volumes.score(network, small, settings, data, 4)
    truth = volume_cases.read_labels(data / "labels" / "v4.nii.gz", settings) > 0
    ours, _ = volume_cases.overlap(truth.shape, (8, 8, 8))
    assert truth[ours].sum() < truth.sum()
    assert row["dice"] == pytest.approx(2 * truth[ours].sum() / (8**3 + truth.sum()))


@pytest.fixture(scope="module")
def real(require: Any) -> Path:  # noqa: ANN401
    """The folder of real volumes."""
    return Path(require("data")) / "msd_hippocampus"


@pytest.mark.verifies("SRS-MOD-010")
def test_both_sides_of_a_real_subject_lie_in_one_split_and_the_grid_holds_every_label(real: Path) -> None:
    settings, _ = volume_cases.read_recipe(RECIPE)
    cases = dataset.read_cases(real, volume_cases.SPLITS)
    assert [sum(case.split == split for case in cases) for split in volume_cases.SPLITS] == [168, 24]
    for case in cases:
        assert case.group == f"s{(int(case.name[-3:]) + 1) // 2:03d}"
        truth = volume_cases.read_labels(real / "labels" / f"{case.name}.nii.gz", settings) > 0
        ours, _ = volume_cases.overlap(truth.shape, settings.measuring.grid)
        assert truth.sum() == truth[ours].sum() > 0
    for name in ("hippocampus_001", "hippocampus_003"):
        levels = volume_cases.grey_levels(volume_cases.read_volume(real / "images" / f"{name}.nii.gz"))
        assert (levels.min(), levels.max()) == (0, 255)

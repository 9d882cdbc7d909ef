# SPDX-License-Identifier: Apache-2.0
"""Training refuses leaks and bad folders, opens no closed split, and learns what is usual from its own part alone."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its usual name
import torch
from hypothesis import given
from hypothesis import strategies as st

from radiomicnet_md.errors import ConfigurationError, InputError, Problem
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md_training import augment, dataset, losses, networks, pixel, recipe
from radiomicnet_md_training.prepare import QUANTILES, Prepared, prepare, quantiles

RECIPE = Path(__file__).resolve().parents[2] / "training" / "recipes" / "locked.yaml"
LayOut = Callable[..., Path]
TABLES = {
    "E-DATA-LEAK": "a,train,g1,x\nb,val,g1,x\n",
    "E-DATA-DUPLICATE": "a,train,g1,x\na,train,g1,x\n",
    "E-DATA-SPLIT": "a,train,g1,x\nb,holdout,g2,x\n",
}


def image(path: Path, pixels: np.ndarray, *, vector: bool = False) -> None:
    """Write an image file."""
    sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=vector), str(path))


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("code", TABLES)
def test_a_table_with_a_leak_a_double_or_an_unknown_split_is_refused(
    code: str, tmp_path: Path, lay_out: LayOut
) -> None:
    with pytest.raises(InputError) as caught:
        dataset.read_cases(lay_out(tmp_path / "data", TABLES[code]), ("train",))
    assert caught.value.code == code
    assert caught.value.remedy


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_leak_names_the_group_and_its_splits(split: str, tmp_path: Path, lay_out: LayOut) -> None:
    with pytest.raises(InputError, match=f"g1 stands in the splits train and {split}"):
        dataset.read_cases(lay_out(tmp_path / "data", f"a,train,g1,x\nb,{split},g1,x\n"), ("train",))


@pytest.mark.verifies("SRS-MOD-011")
def test_a_quarantined_duplicate_is_no_leak(tmp_path: Path, lay_out: LayOut) -> None:
    found = dataset.read_cases(lay_out(tmp_path / "data", "a,train,g1,x\nb,quarantine,g1,x\n"), dataset.SPLITS)
    assert [case.name for case in found] == ["a"]


@pytest.mark.verifies("SRS-MOD-003")
def test_a_folder_without_table_or_a_table_without_a_column_is_refused(tmp_path: Path, lay_out: LayOut) -> None:
    with pytest.raises(ConfigurationError, match=r"no splits\.csv") as nothing:
        dataset.read_cases(tmp_path, ("train",))
    with pytest.raises(ConfigurationError, match="lacks a column") as lacking:
        dataset.read_cases(lay_out(tmp_path / "data", "a,train,x\n", head="id,split,class_label\n"), ("train",))
    assert nothing.value.code == lacking.value.code == "E-DATA-LAYOUT"
    assert "group" in lacking.value.remedy


def lose(kind: str) -> Callable[[Path], None]:
    return lambda data: (data / kind / "a.png").unlink()


def as_jpeg(data: Path) -> None:
    image(data / "masks" / "a.jpg", dataset.read_grey(data / "masks" / "a.png"))
    lose("masks")(data)


SPOILED: dict[str, tuple[str, Callable[[Path], None]]] = {
    "no image": ("E-DATA-MISSING", lose("images")),
    "no mask": ("E-DATA-MISSING", lose("masks")),
    "a mask as a JPEG": ("E-DATA-MISSING", as_jpeg),
    "a mask of another size": ("E-DATA-SIZE", lambda data: image(data / "masks" / "a.png", np.zeros((9, 9), np.uint8))),
    "no picture inside": ("E-DATA-IMAGE", lambda data: (data / "images" / "a.png").write_bytes(b"not a picture")),
    "an empty file": ("E-DATA-IMAGE", lambda data: (data / "masks" / "a.png").write_bytes(b"")),
    "sixteen bits": (
        "E-DATA-IMAGE",
        lambda data: image(data / "images" / "a.png", np.full((96, 128), 1000, np.uint16)),
    ),
    "grey and opacity": (
        "E-DATA-IMAGE",
        lambda data: image(data / "images" / "a.png", np.zeros((96, 128, 2), np.uint8), vector=True),
    ),
}


@pytest.mark.verifies("SRS-MOD-003")
@pytest.mark.parametrize("fault", SPOILED)
def test_a_case_with_a_faulty_file_is_refused_by_name(fault: str, tmp_path: Path, lay_out: LayOut) -> None:
    data = lay_out(tmp_path / "data", "a,train,g1,x\n", ("a",))
    code, spoil = SPOILED[fault]
    spoil(data)
    with pytest.raises(InputError, match=r"\ba\b") as caught:
        dataset.load(data, tmp_path / "out")
    assert caught.value.code == code
    assert not (tmp_path / "out" / "dataset.npz").exists()


@pytest.mark.verifies("SRS-MOD-003")
def test_a_set_of_one_kind_in_colour_photographs_is_read(tmp_path: Path, lay_out: LayOut) -> None:
    data = lay_out(tmp_path / "data", "a,train,g1\n", ("a",), head="id,split,group\n")
    grey = dataset.read_grey(data / "images" / "a.png")
    lose("images")(data)
    image(data / "images" / "a.jpg", np.stack([grey] * 3, 2), vector=True)
    read = dataset.load(data, tmp_path / "out")
    assert read.kinds == [""]
    assert np.abs(dataset.read_grey(data / "images" / "a.jpg").astype(int) - grey).mean() < 5  # as JPEG keeps it


@pytest.mark.verifies("SRS-MOD-011")
def test_the_test_split_is_never_opened(phantoms: Path, tmp_path: Path) -> None:
    read = dataset.load(phantoms, tmp_path)  # neither `closed` nor `doubtful` has a file
    assert read.names == [f"p{seed}" for seed in range(9)]
    assert read.lesion.tolist() == [True, True, False] * 3
    assert len(read.digests) == 18


@pytest.mark.verifies("SRS-MOD-003")
def test_what_was_read_is_kept_and_given_again(phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = dataset.load(phantoms, tmp_path)
    monkeypatch.setattr(dataset.resample, "shrink", None)  # no image is resampled a second time
    again = dataset.load(phantoms, tmp_path)
    for field in dataclasses.fields(dataset.Dataset):
        assert np.array_equal(getattr(first, field.name), getattr(again, field.name)), field.name


@pytest.mark.verifies("SRS-MOD-003")
def test_what_was_kept_of_another_folder_is_not_taken_for_this_one(
    phantoms: Path, tmp_path: Path, lay_out: LayOut
) -> None:
    dataset.load(phantoms, tmp_path / "out")
    other = lay_out(tmp_path / "other", "a,train,g1,x\n", ("a",))
    with pytest.raises(ConfigurationError) as caught:
        dataset.load(other, tmp_path / "out")
    assert caught.value.code == "E-RUN-CHANGED"


@pytest.mark.verifies("SRS-MOD-011")
def test_what_is_usual_does_not_change_with_held_out_cases(prepared: Prepared) -> None:
    data = prepared.data
    images, masks = data.images.copy(), data.masks.copy()
    held_out = np.setdiff1d(np.arange(len(data.names)), prepared.part)
    for case in held_out:
        rows, columns = data.sizes[case]
        images[case, :rows, :columns] = np.random.default_rng(case).integers(0, 256, (rows, columns))
        masks[case] = 0
    altered = prepare(
        dataclasses.replace(data, images=images, masks=masks), prepared.part, recipe.read(RECIPE)[0].measuring
    )
    for learnt in ("thresholds", "usual", "mean", "deviation"):
        assert np.array_equal(getattr(altered, learnt), getattr(prepared, learnt)), learnt
    assert np.array_equal(networks.evidence_tables(altered), networks.evidence_tables(prepared))
    part = prepared.part
    for seen in (lambda p: p.codes[part], lambda p: p.standardised()[part], lambda p: p.contrast()[part]):
        assert np.array_equal(seen(altered), seen(prepared))
    assert not np.array_equal(altered.codes[held_out], prepared.codes[held_out])  # they were altered


@pytest.mark.verifies("SRS-MOD-011")
def test_what_is_usual_is_learnt_from_the_part(prepared: Prepared) -> None:
    other = prepare(prepared.data, np.arange(3, 9), recipe.read(RECIPE)[0].measuring)
    assert np.array_equal(other.values, prepared.values)
    assert not np.array_equal(other.thresholds, prepared.thresholds)
    assert not np.array_equal(other.mean, prepared.mean)


@pytest.mark.verifies("SRS-MOD-011")
def test_a_networks_tables_are_centred_on_the_part(prepared: Prepared) -> None:
    network = networks.build("locked", {}, prepared)
    usual = torch.from_numpy(prepared.usual).float()
    assert torch.allclose(usual.sum(1), torch.ones(len(usual)))
    assert torch.allclose((network.head.tables()[:, :64] * usual).sum(1), torch.zeros(len(usual)), atol=1e-5)


@pytest.mark.verifies("SRS-MOD-009")
@pytest.mark.parametrize(
    ("options", "silent"),
    [
        ({"without": ["glcm_"]}, range(5)),
        ({"without": ["lbp_", "firstorder_"]}, range(5, 13)),
        ({"scales": [1]}, range(16)),
    ],
)
def test_what_an_ablation_leaves_out_stays_silent_while_the_rest_learns(
    options: dict[str, object], silent: range, prepared: Prepared
) -> None:
    network = networks.build("locked", options, prepared)
    names = len(NAMED) if "scales" not in options else 2 * len(NAMED)
    left_out = [m for m in range(2 * len(NAMED)) if m % names in silent]
    assert len(left_out) == len(silent) * 2 * len(NAMED) // names
    stepped(network, prepared)
    tables = network.head.tables().detach()
    assert [m for m in range(len(tables)) if not tables[m].any()] == left_out


@pytest.mark.verifies("SRS-MOD-009")
def test_a_network_without_gates_adds_its_tables_as_they_are(prepared: Prepared) -> None:
    network = networks.build("locked", {"gated": False}, prepared)
    gates = network.head.gate.weight.clone()
    stepped(network, prepared)
    assert not network.head.gate.weight[:-1].any()
    assert not network.head.gate.bias[:-1].any()
    assert not torch.equal(network.head.gate.weight[-1], gates[-1])  # the rest learns


def stepped(network: torch.nn.Module, prepared: Prepared) -> None:
    """A step of training that would move every weight."""
    batch = pixel.gather(prepared, np.arange(3))
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.1)
    losses.overlap(
        pixel.to_grid(network(batch.images, batch.values, batch.codes).evidence, batch.masks.shape[-1]),
        batch.masks,
        batch.valid,
    ).backward()
    optimiser.step()


@pytest.mark.verifies("SRS-MOD-003")
@given(st.lists(st.integers(0, 500), min_size=1, max_size=300), st.integers(0, 9))
def test_thresholds_are_the_quantiles_of_what_lies_inside(values: list[int], outside: int) -> None:
    maps = np.array([*map(float, values), *[np.nan] * outside])[None, None, None]
    (found,) = quantiles(maps)
    assert found.shape == (QUANTILES,)
    assert (np.diff(found) >= 0).all()
    for k, threshold in enumerate(found, start=1):
        # At most the share k/64 of the values lies below, and at least the share k/64 (less one value) not above.
        assert sum(v < threshold for v in values) <= (len(values) - 1) * k / 64 < sum(v <= threshold for v in values)


@pytest.mark.verifies("SRS-MOD-009")
@pytest.mark.parametrize(("kind", "options"), [("unheard-of", {}), ("paper", {"gates": "half"})])
def test_a_network_that_does_not_exist_is_refused(kind: str, options: dict[str, str], prepared: Prepared) -> None:
    with pytest.raises(Problem, match=r"unheard-of|half") as caught:
        networks.build(kind, options, prepared)
    assert caught.value.code == "E-RECIPE-NETWORK"


@pytest.mark.verifies("SRS-MOD-003")
def test_a_random_view_depends_on_its_generator_alone_and_shows_nothing_outside(prepared: Prepared) -> None:
    batch = pixel.gather(prepared, np.arange(3))
    first, again, other = (augment.augment(batch, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
    for field in dataclasses.fields(augment.Batch):
        assert torch.equal(getattr(first, field.name), getattr(again, field.name))
    assert not torch.equal(first.images, other.images)
    assert not first.images[(first.valid == 0).expand_as(first.images)].any()
    assert first.images.min() >= 0
    assert first.images.max() <= 1
    assert first.codes.max() == 64  # some place lies outside


@pytest.mark.verifies("SRS-MOD-003")
def test_the_loss_sees_the_inside_alone_and_falls_as_the_answer_gets_right(prepared: Prepared) -> None:
    batch = pixel.gather(prepared, np.arange(3))  # two lesions and a normal image
    right = 8 * (batch.masks - 0.5)
    assert losses.overlap(right, batch.masks, batch.valid) < losses.overlap(0 * right, batch.masks, batch.valid)
    assert losses.overlap(0 * right, batch.masks, batch.valid) < losses.overlap(-right, batch.masks, batch.valid)
    outside = torch.where(batch.valid > 0, right, torch.full_like(right, 50.0))
    assert losses.overlap(outside, batch.masks, batch.valid) == losses.overlap(right, batch.masks, batch.valid)


def digest(network: torch.nn.Module) -> str:
    """SHA-256 over all weights."""
    return hashlib.sha256(b"".join(p.detach().numpy().tobytes() for p in network.state_dict().values())).hexdigest()


@pytest.mark.verifies("SRS-MOD-003")
def test_the_same_seed_gives_the_same_weights(
    prepared: Prepared, tmp_path: Path, one_thread: None, write_recipe: Callable[..., Path]
) -> None:
    settings, _ = recipe.read(write_recipe("locked"))
    nobody = np.zeros(0, dtype=np.int64)
    whole, again, other = (
        pixel.train(prepared, nobody, pixel.Job(settings, seed, tmp_path / name, name))
        for name, seed in (("whole", 5), ("again", 5), ("other", 6))
    )
    finished = pixel.train(prepared, nobody, pixel.Job(settings, 5, tmp_path / "whole", "whole"))
    assert digest(whole.network) == digest(again.network) == digest(finished.network)
    assert digest(whole.network) != digest(other.network)
    assert len(whole.curve.loss) == 1


@pytest.mark.verifies("SRS-MOD-009")
def test_a_gpu_is_named_by_what_it_calls_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert pixel.device_name() == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Maker 9000")
    assert pixel.device_name() == "Maker 9000"


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize(("every", "written"), [(0.0, [1, 2, 3]), (3600.0, [3])])
def test_quick_epochs_share_a_checkpoint_and_the_last_one_has_its_own(  # noqa: PLR0913 - fixtures
    every: float,
    written: list[int],
    prepared: Prepared,
    write_recipe: Callable[..., Path],
    small: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, _ = recipe.read(write_recipe(small, {"epochs": 3}))
    epochs: list[int] = []
    real = torch.save

    def save(kept: dict[str, Any], file: Path) -> None:
        epochs.append(len(kept["curve"]["loss"]))
        real(kept, file)

    monkeypatch.setattr(pixel, "KEEP_EVERY", every)
    monkeypatch.setattr(torch, "save", save)
    pixel.train(prepared, np.arange(6, 9), pixel.Job(settings, 7, tmp_path / "unit", "m"))
    assert epochs == written

# SPDX-License-Identifier: Apache-2.0
"""A row goes on after an interruption as if there had been none, mixes no runs, and scores every case it left out."""

from __future__ import annotations

import dataclasses
import io
import itertools
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError
from radiomicnet_md_training import evaluate, harness, networks, pixel, recipe
from radiomicnet_md_training.__main__ import main
from radiomicnet_md_training.prepare import Prepared

pytestmark = pytest.mark.usefixtures("one_thread", "measured_once")
Write = Callable[..., Path]
HELD_OUT = np.arange(6, 9)


def state(run: pixel.Run) -> tuple[dict[str, bytes], list[float], dict[int, float]]:
    """All that a run ends with."""
    weights = {name: value.numpy().tobytes() for name, value in run.network.state_dict().items()}
    return weights, run.curve.loss, run.curve.held_out


def interrupt(monkeypatch: pytest.MonkeyPatch, call: str, number: int) -> None:
    """Somebody presses Ctrl-C in a call: in a step of training, or while the checkpoint is written."""
    where, counted = {"step": (pixel, "_step"), "save": (torch, "save")}[call], itertools.count(1)
    real = getattr(*where)

    def called(*arguments: Any) -> Any:  # noqa: ANN401 - as the function that it stands for
        if next(counted) < number:
            return real(*arguments)
        if call == "save":
            arguments[1].write_bytes(b"torn")
        raise KeyboardInterrupt

    monkeypatch.setattr(*where, called)


@pytest.mark.verifies("SRS-MOD-011", "SRS-MOD-003")
@pytest.mark.parametrize(
    ("kind", "optimiser", "call", "number"),
    [  # two steps are an epoch
        ("locked", {"epochs": 2}, "step", 4),
        ("small", {"epochs": 7, "schedule": "warm-up-cosine"}, "step", 3),
        ("small", {"epochs": 7, "schedule": "warm-up-cosine"}, "save", 6),
        ("small", {"epochs": 3, "loss": "paper"}, "step", 6),
    ],
)
def test_an_interruption_changes_nothing(  # noqa: PLR0913 - fixtures
    kind: str,
    optimiser: dict[str, Any],
    call: str,
    number: int,
    prepared: Prepared,
    write_recipe: Write,
    small: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings, _ = recipe.read(write_recipe(kind, optimiser))
    whole = pixel.train(prepared, HELD_OUT, pixel.Job(settings, 7, tmp_path / "whole", "m"))
    job = pixel.Job(settings, 7, tmp_path / "torn", "m")
    with monkeypatch.context() as patch:
        patch.setattr(pixel, "KEEP_EVERY", 0.0)
        interrupt(patch, call, number)
        with pytest.raises(KeyboardInterrupt):
            pixel.train(prepared, HELD_OUT, job)
    torch.rand(3)  # what others draw in between is of no account
    assert (tmp_path / "torn" / "last.pt").is_file()
    assert state(pixel.train(prepared, HELD_OUT, job)) == state(whole)
    assert len(whole.curve.loss) == optimiser["epochs"]
    assert list(whole.curve.held_out) == [optimiser["epochs"]]


@pytest.fixture
def job(prepared: Prepared, write_recipe: Write, small: str, tmp_path: Path) -> pixel.Job:
    """A finished run of one epoch."""
    made = pixel.Job(recipe.read(write_recipe(small))[0], 7, tmp_path / "unit", "this recipe, seed and fold")
    pixel.train(prepared, HELD_OUT, made)
    return made


def flip(kept: bytes) -> bytes:
    """One bit in the middle of the weights."""
    with zipfile.ZipFile(io.BytesIO(kept)) as file:
        weights = max((file.read(name) for name in file.namelist() if "/data/" in name), key=len)
    place = kept.index(weights) + len(weights) // 2
    return kept[:place] + bytes([kept[place] ^ 1]) + kept[place + 1 :]


@pytest.mark.verifies("SRS-MOD-011")
@pytest.mark.parametrize("damage", [lambda kept: kept[:-200], lambda _: b"", lambda _: b"no checkpoint", flip])
def test_a_damaged_checkpoint_is_refused(damage: Callable[[bytes], bytes], job: pixel.Job, prepared: Prepared) -> None:
    last = job.folder / "last.pt"
    last.write_bytes(damage(last.read_bytes()))
    with pytest.raises(IntegrityError, match=r"unit/last\.pt is damaged") as caught:
        pixel.train(prepared, HELD_OUT, job)
    assert caught.value.code == "E-CHECKPOINT"


@pytest.mark.verifies("SRS-MOD-011")
def test_a_checkpoint_of_another_run_is_refused(job: pixel.Job, prepared: Prepared) -> None:
    with pytest.raises(ConfigurationError, match="another recipe, data set or part") as caught:
        pixel.train(prepared, HELD_OUT, dataclasses.replace(job, mark="this recipe, seed and another fold"))
    assert caught.value.code == "E-RUN-CHANGED"


@pytest.mark.verifies("SRS-MOD-011")
def test_a_checkpoint_carried_to_another_fold_is_refused(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    row = harness.open_row(write_recipe(small), phantoms, tmp_path)
    first, second = harness.Unit(1, 0), harness.Unit(1, 1)
    row.run(first, row.prepared(first))
    first.folder(row.folder).rename(second.folder(row.folder))
    with pytest.raises(ConfigurationError) as caught:
        row.run(second, row.prepared(second))
    assert caught.value.code == "E-RUN-CHANGED"


@pytest.mark.verifies("SRS-MOD-011", "SRS-MOD-009")
def test_a_folder_keeps_one_way_of_training(phantoms: Path, write_recipe: Write, small: str, tmp_path: Path) -> None:
    row = harness.open_row(write_recipe(small), phantoms, tmp_path)
    about = json.loads((row.folder / "run.json").read_text())
    assert about["recipe"]["network"]["kind"] == "small"
    assert (about["cases"], about["lesions"], len(about["data_files_sha256"])) == (9, 6, 64)
    region = {"bins": 2, "bags": 1, "rounds": 3, "rate": 0.1, "seed": 4, "sensitivity": 0.9}
    assert harness.open_row(write_recipe(small, region=region), phantoms, tmp_path).digest == row.digest
    with pytest.raises(ConfigurationError, match="another way of training") as caught:
        harness.open_row(write_recipe(small, {"rate": 0.5}), phantoms, tmp_path)
    assert caught.value.code == "E-RUN-CHANGED"
    assert json.loads((row.folder / "run.json").read_text())["recipe"]["optimiser"]["rate"] != 0.5


@pytest.mark.verifies("SRS-MOD-011")
def test_units_leave_out_every_case_once_and_train_on_no_duplicate_of_it(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    row = harness.open_row(write_recipe(small, folds={"count": 3, "seeds": [1, 2]}), phantoms, tmp_path)
    assert len({unit.folder(row.folder) for unit in row.units()}) == 6
    for seed in (1, 2):
        left_out = [row.held_out(unit.fold) for unit in row.units() if unit.seed == seed]
        assert sorted(np.concatenate(left_out).tolist()) == list(range(9))
    unit = row.units()[1]
    part, groups = row.prepared(unit).part, np.array(row.data.groups)
    assert not set(groups[part]) & set(groups[row.held_out(unit.fold)])
    assert len(row.held_out(harness.WHOLE)) == 0
    assert harness.Unit(1, harness.WHOLE).folder(row.folder).name == "whole"


@pytest.mark.verifies("SRS-MOD-011")
def test_a_row_may_run_its_first_folds_alone_and_only_a_leaking_one_parts_duplicates(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    whole = harness.open_row(write_recipe(small), phantoms, tmp_path / "whole")
    first = harness.open_row(write_recipe(small, folds={"count": 3, "seeds": [1], "first": 1}), phantoms, tmp_path)
    assert first.units() == whole.units()[:1]
    assert np.array_equal(first.held_out(0), whole.held_out(0))
    assert first.digest == whole.digest
    folds = {"count": 3, "seeds": [1], "grouped": False}
    leaking = harness.open_row(write_recipe(small, folds=folds, name="leaking-short"), phantoms, tmp_path)
    groups = np.array(leaking.data.groups)
    parted = [
        set(groups[leaking.held_out(f)]) & set(groups[leaking.prepared(u).part]) for f, u in enumerate(leaking.units())
    ]
    assert any(parted)
    assert sorted(np.concatenate([leaking.held_out(f) for f in range(3)]).tolist()) == list(range(9))


@pytest.mark.verifies("SRS-MOD-009")
def test_a_shrunk_row_sees_means_of_its_pixels_and_answers_on_the_working_grid(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    row = harness.open_row(write_recipe(small, shrink=2, region=None), phantoms, tmp_path)
    unit = row.units()[0]
    prepared, index = row.prepared(unit), row.held_out(0)
    batch, whole = pixel.gather(prepared, index), pixel.gather(dataclasses.replace(prepared, shrink=1), index)
    for mine, theirs in ((batch.images, whole.images), (batch.masks, whole.masks)):
        assert mine.shape[-1] == theirs.shape[-1] // 2
        blocks = theirs.reshape(*theirs.shape[:2], mine.shape[2], 2, mine.shape[3], 2)
        torch.testing.assert_close(mine, blocks.mean((3, 5)))
    assert batch.codes.shape[-1] == batch.images.shape[-1] // 2
    assert torch.equal(batch.valid > 0, functional.max_pool2d(whole.valid, 2) > 0)
    harness.train_unit(row, unit)
    lines = evaluate._unit(row, unit, phantoms)
    assert {line["decision"] for line in lines} == {"one view", "two views"}
    assert len(lines) == 2 * len(index)


@pytest.mark.verifies("SRS-MOD-003")
def test_a_batch_of_more_cases_than_there_are_is_refused(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    row = harness.open_row(write_recipe(small, {"batch": 9}), phantoms, tmp_path)
    with pytest.raises(ConfigurationError, match="a batch of 9 is larger") as caught:
        harness.train_unit(row, harness.Unit(1, 0))
    assert caught.value.code == "E-RECIPE-BATCH"


@pytest.mark.verifies("SRS-MOD-009")
def test_a_look_at_held_out_cases_without_a_lesion_is_no_failure(prepared: Prepared, small: str) -> None:
    network = networks.build(small, {}, prepared)
    normal = HELD_OUT[~prepared.data.lesion[HELD_OUT]]
    assert pixel.lesion_dice(network, prepared, normal) == 0.0


@pytest.mark.verifies("SRS-MOD-009")
def test_a_mirror_turns_the_content_alone() -> None:
    x = torch.arange(2 * 3 * 4 * 5.0).reshape(2, 3, 4, 5)
    sizes = np.array([[4, 3], [2, 5]])
    turned = pixel.mirror(x, sizes)
    assert torch.equal(turned[0, :, :, :3], x[0, :, :, [2, 1, 0]])
    assert torch.equal(turned[0, :, :, 3:], x[0, :, :, 3:])
    assert torch.equal(turned[1, :, 2:], x[1, :, 2:])
    assert torch.equal(pixel.mirror(turned, sizes), x)


@pytest.mark.verifies("SRS-MOD-003")
def test_a_start_gives_every_weight_of_the_same_name_and_shape(prepared: Prepared) -> None:
    torch.manual_seed(4)
    before, plain, network = (
        networks.build(kind, options, prepared)
        for kind, options in (("locked", {}), ("plain", {}), ("locked", {"rho": 2}))
    )
    networks.warm(network, before)
    assert all(torch.equal(v, before.state_dict()[k]) for k, v in network.state_dict().items())
    networks.warm(network, plain)
    mine, trunk, head = network.state_dict(), plain.state_dict(), before.state_dict()
    assert all(torch.equal(v, mine[k]) for k, v in trunk.items() if k.startswith(("stream", "trunk")))
    assert all(torch.equal(v, mine[k]) for k, v in head.items() if k.startswith("head"))


@pytest.mark.verifies("SRS-MOD-009")
def test_a_plain_network_as_a_sum_that_names_nothing_gives_the_same_logit(prepared: Prepared) -> None:
    torch.manual_seed(3)
    plain = networks.build("plain", {}, prepared).eval()
    summed = networks.as_sum(plain, prepared)
    assert summed is not None
    batch = pixel.gather(prepared, np.arange(3))
    with torch.no_grad():
        expected = plain(batch.images, batch.values, batch.codes).evidence
        answer = summed.eval()(batch.images, batch.values, batch.codes)
    torch.testing.assert_close(answer.evidence, expected, atol=2e-3, rtol=0)
    assert networks.as_sum(summed, prepared) is summed
    assert networks.as_sum(torch.nn.Conv2d(1, 1, 1), prepared) is None


@pytest.mark.verifies("SRS-MOD-011")
def test_a_row_starts_from_a_row_that_left_out_the_same_cases(
    phantoms: Path, write_recipe: Write, tmp_path: Path
) -> None:
    unit, start = harness.Unit(1, 0), {"kind": "locked", "start": "first"}

    def opened(kind: str, **changes: object) -> harness.Row:
        return harness.open_row(write_recipe(kind, **changes), phantoms, tmp_path)

    row = opened("locked", network=start, optimiser={"rate": 1e-9, "average": 0.0})
    with pytest.raises(ConfigurationError, match="first, which is not trained") as nowhere:
        row.run(unit, row.prepared(unit))
    first = opened("plain", name="first")
    with pytest.raises(ConfigurationError, match="first, whose seed 1, fold 0 is not trained") as missing:
        row.run(unit, row.prepared(unit))
    assert nowhere.value.code == missing.value.code == "E-RUN-START"
    harness.train_unit(first, unit)
    mine, before = (list(r.run(unit, r.prepared(unit)).network.trunk.parameters()) for r in (row, first))
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(mine, before, strict=True))
    other = opened("locked", network=start, name="other", folds={"count": 2, "seeds": [1]})
    with pytest.raises(ConfigurationError) as leak:  # `first` saw most of what this fold leaves out
        other.run(unit, other.prepared(unit))
    assert leak.value.code == "E-RUN-START"


STUB = """
import json, pathlib, sys
_, recipe, _, data, _, out, _, seed, _, fold = sys.argv[1:]
with (pathlib.Path(out) / "started.txt").open("a") as stream:
    stream.write(f"{seed} {fold}\\n")
if fold == "FAILS":
    sys.exit(3)
folder = pathlib.Path(out) / "short" / f"seed{seed}" / f"fold{fold}"
folder.mkdir(parents=True, exist_ok=True)
(folder / "done.json").write_text("{}")
"""


@pytest.mark.verifies("SRS-MOD-011")
def test_units_are_started_once_and_after_a_failure_only_what_is_not_finished(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    file = write_recipe(small, folds={"count": 3, "seeds": [1, 2]})

    def train(fails: str) -> list[str]:
        (tmp_path / "started.txt").unlink(missing_ok=True)
        harness.train(file, phantoms, tmp_path, 1, ["-c", STUB.replace("FAILS", fails)])
        started = tmp_path / "started.txt"
        return started.read_text().splitlines() if started.is_file() else []

    with pytest.raises(ConfigurationError, match="1 of the units of short ended with an error") as caught:
        train("1")
    assert caught.value.code == "E-RUN-FAILED"
    assert (tmp_path / "started.txt").read_text().splitlines() == ["1 0", "1 1"]  # nothing is begun after a failure
    assert train("none") == ["1 1", "1 2", "2 0", "2 1", "2 2"]
    assert train("none") == []


@pytest.mark.verifies("SRS-MOD-011")
def test_a_unit_that_fails_between_two_looks_is_noticed(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Process:
        """Runs when it is first asked, and has failed when it is asked again."""

        def __init__(self) -> None:
            self.codes = [None]

        def poll(self) -> int | None:
            return self.codes.pop() if self.codes else 3

    monkeypatch.setattr(harness, "_start", lambda *_: Process())
    with pytest.raises(ConfigurationError) as caught:
        harness.train(write_recipe(small), phantoms, tmp_path, 3, [])
    assert caught.value.code == "E-RUN-FAILED"


@pytest.mark.verifies("SRS-MOD-009")
def test_a_unit_whose_network_does_not_exist_ends_the_run_with_a_remedy(
    phantoms: Path, write_recipe: Write, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(write_recipe("unheard-of")), "--data", str(phantoms), "--out", str(tmp_path)]
    assert main(["train", *arguments, "--jobs", "1"]) == ExitCode.CONFIGURATION
    said = capfd.readouterr().err
    assert "E-RECIPE-NETWORK: no network is called 'unheard-of'" in said
    assert said.index("E-RUN-FAILED") > said.index("E-RECIPE-NETWORK")


@pytest.mark.verifies("SRS-MOD-011")
def test_an_interruption_says_how_to_go_on(
    phantoms: Path,
    write_recipe: Write,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(harness, "train", pressed)
    arguments = [str(write_recipe("plain")), "--data", str(phantoms), "--out", str(tmp_path)]
    assert main(["train", *arguments]) == ExitCode.INTERRUPTED
    assert "call the same command again" in capsys.readouterr().err


@pytest.mark.verifies("SRS-MOD-009")
def test_a_unit_writes_its_curve_and_says_what_it_ran_on(
    phantoms: Path, write_recipe: Write, small: str, tmp_path: Path
) -> None:
    file = write_recipe(small, {"epochs": 2})
    arguments = [str(file), "--data", str(phantoms), "--out", str(tmp_path)]
    assert main(["unit", *arguments, "--seed", "1", "--fold", "2"]) == ExitCode.OK
    folder = tmp_path / "short" / "seed1" / "fold2"
    lines = [line.split(",") for line in (folder / "curve.csv").read_text().splitlines()]
    assert lines[0] == ["epoch", "loss", "held_out_dice"]
    assert [line[0] for line in lines[1:]] == ["1", "2"]
    assert not lines[1][2]
    assert 0 <= float(lines[2][2]) <= 1
    done = json.loads((folder / "done.json").read_text())
    assert done["device"] == pixel.device_name()
    assert done["software"]["torch"] == torch.__version__
    assert len(done["code_sha256"]) == 64

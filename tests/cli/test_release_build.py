# SPDX-License-Identifier: Apache-2.0
"""``release build``, ``revoke`` and ``verify`` through the command line, on an untrained candidate of few images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from radiomicnet_md import phantom
from radiomicnet_md.engine import candidate as candidates
from radiomicnet_md.engine import crosscheck, installation, measure
from radiomicnet_md.engine import release as releases
from radiomicnet_md.engine.candidate import Candidate, as_json
from radiomicnet_md.errors import ConfigurationError, ExitCode
from radiomicnet_md.home import PASSPHRASE_FILE
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_audit import sign
from tests import desks
from tests.cli.conftest import Command

KEY = sign.from_seed(b"a manufacturer's key, for a test")
SCALES = (measure.Scale(3, 1, relative=False),)


def untrained(root: Path) -> Candidate:
    """A candidate whose network was never trained; it is as large as a trained one, and answers something."""
    torch.manual_seed(1)
    random = np.random.default_rng(1)
    network = PixelNetwork(len(PAPER), len(NAMED), len(SCALES))
    card = {"name": "own", "version": "1.0.0", "notice": "a test"}
    image = measure.canvas(phantom.make(1, 96, 128).pixels)
    passed_on = {
        "acceptance.json": releases.open_release(releases.default_folder()).files["acceptance.json"],
        "calibration.json": as_json({"cases": ["phantom 1"]}),
        "model_card.json": as_json(card),
        "preprocessing.json": as_json(measure.Preprocessing(2, SCALES, mirrored=False).to_json()),
        "training_record.json": as_json({"software": "none: never trained"}),
        installation.LOCK: (root / "requirements" / "lock-py311.txt").read_bytes(),
    }
    return Candidate(
        "own",
        "1.0.0",
        1.0,
        {name: tensor.numpy() for name, tensor in network.state_dict().items()},
        {
            "thresholds": np.sort(random.normal(size=(len(NAMED), measure.OUTSIDE - 1)), axis=1),
            "mean": np.zeros(len(PAPER)),
            "deviation": np.ones(len(PAPER)),
        },
        {"images": image[None], "values": random.normal(size=(1, len(PAPER)))},
        {"intercept": 0, "terms": {}},
        passed_on,
        {"noise": random.integers(0, 256, (64, 80), dtype=np.uint8)},
    )


@pytest.fixture(scope="module")
def made(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("candidates") / "candidate"
    candidates.write(folder, untrained(root))
    return folder


@pytest.fixture
def candidate(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "candidate"))


@pytest.fixture
def key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The manufacturer's key file, its passphrase where the environment says, its public half trusted."""
    sign.save_private(KEY, tmp_path / "key.pem", b"a passphrase")
    (tmp_path / "passphrase").write_text("a passphrase\n")
    (tmp_path / "key.pub").write_bytes(KEY.public.to_pem())
    monkeypatch.setenv(PASSPHRASE_FILE, str(tmp_path / "passphrase"))
    monkeypatch.setenv("RADIOMICNET_MD_RELEASE_KEYS", str(tmp_path / "key.pub"))
    return tmp_path / "key.pem"


def edited(folder: Path, name: str, **change: Any) -> None:  # noqa: ANN401
    value = json.loads((folder / name).read_bytes())
    (folder / name).write_bytes(as_json({**value, **change}))


def not_a_number(folder: Path) -> None:
    read = candidates.read(folder)
    weights = dict(read.network)
    weights["head.bias"] = np.array(np.nan, dtype=np.float32)
    shutil.rmtree(folder)
    candidates.write(folder, replace(read, network=weights))


def pickled(folder: Path) -> None:
    np.save(folder / "golden" / "noise.npy", np.array([{}], dtype=object), allow_pickle=True)


BAD: dict[str, Callable[[Path], object]] = {
    "absent": shutil.rmtree,
    "file missing": lambda folder: (folder / "region.json").unlink(),
    "file more": lambda folder: (folder / "weights.pt").write_bytes(b""),
    "link": lambda folder: (folder / "golden" / "x.npy").symlink_to(folder / "golden" / "noise.npy"),
    "no golden": lambda folder: (folder / "golden" / "noise.npy").unlink(),
    "pickle": pickled,
    "no json": lambda folder: (folder / "region.json").write_bytes(b"{"),
    "no tensors": lambda folder: (folder / "network.safetensors").write_bytes(b"1234"),
    "format": lambda folder: edited(folder, "candidate.json", format=2),
    "version": lambda folder: edited(folder, "candidate.json", version="1.0.1"),
    "scales": lambda folder: edited(folder, "preprocessing.json", scales=[]),
    "nan": not_a_number,
    "lock": lambda folder: (folder / "lock.txt").write_text("torch==2.13.0\n"),
}


@pytest.mark.verifies("SRS-REL-006", "SRS-CLI-001")
@pytest.mark.parametrize("name", BAD)
@pytest.mark.usefixtures("home")
def test_a_bad_candidate_is_refused_by_name_and_leaves_nothing(
    command: Command, candidate: Path, tmp_path: Path, name: str
) -> None:
    BAD[name](candidate)
    said = command("release", "build", candidate, "--out", tmp_path / "out", "--demonstration", "--json")
    assert said.code == ExitCode.CONFIGURATION
    assert said.lines[-1]["reason"]["code"] in {"E-CANDIDATE", "E-LOCK-INCOMPLETE"}
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-REL-006")
def test_a_candidate_is_read_as_it_was_written(made: Path, root: Path, tmp_path: Path) -> None:
    candidates.write(tmp_path / "again", candidates.read(made))
    assert desks.tree(tmp_path / "again") == desks.tree(made)
    with pytest.raises(FileExistsError):
        candidates.write(tmp_path / "again", untrained(root))


@pytest.mark.verifies("SRS-REL-006", "SRS-REL-008", "SRS-CLI-001")
@pytest.mark.usefixtures("home")
def test_other_packages_keys_and_options_build_nothing(
    command: Command, candidate: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = ("release", "build", candidate, "--out", tmp_path / "out")
    assert command(*build).code == ExitCode.USAGE
    assert command(*build, "--key", tmp_path / "passphrase").code == ExitCode.CONFIGURATION
    (tmp_path / "passphrase").write_text("another\n")
    said = command(*build, "--key", key, "--json")
    assert (said.code, said.lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE")
    (candidate / "lock.txt").write_bytes((candidate / "lock.txt").read_bytes().replace(b"torch==2.", b"torch==1."))
    said = command(*build, "--demonstration", "--json")
    assert (said.code, said.lines[-1]["reason"]["code"]) == (ExitCode.NOT_QUALIFIED, "E-DEPENDENCY-OTHER")
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-REL-006", "SRS-REL-007", "SRS-ENG-003", "SRS-REC-005", "SRS-CLI-001")
@pytest.mark.usefixtures("home")
def test_a_release_is_built_twice_alike_shown_verified_and_revoked(
    command: Command, candidate: Path, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = command("release", "build", candidate, "--out", tmp_path / "one", "--key", key, "--json")
    assert said.code == ExitCode.OK, said
    assert said.lines[0]["largest_sum"] < 1 << 24
    assert command("release", "build", candidate, "--out", tmp_path / "two", "--demonstration").code == ExitCode.OK
    one, two = (desks.tree(tmp_path / name / "1.0.0") for name in ("one", "two"))
    assert one.pop("manifest.json") != two.pop("manifest.json")
    assert one == two
    again = command("release", "build", candidate, "--out", tmp_path / "one", "--key", key, "--json")
    assert (again.code, again.lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-RELEASE-EXISTS")

    at = ("--release", tmp_path / "one" / "1.0.0", "--json")
    foreign = command("release", "verify", "--release", tmp_path / "two" / "1.0.0", "--json")
    assert (foreign.code, foreign.lines[0]["code"]) == (ExitCode.INTEGRITY, "E-KEY-UNKNOWN")
    assert command("release", "verify", *at).code == ExitCode.OK
    monkeypatch.setattr(crosscheck, "reference", lambda *_: [])
    monkeypatch.setattr(crosscheck, "second_engine", lambda _, inputs: [f"{name}: logit" for name in inputs])
    assert command("release", "verify", "--reference", *at).code == ExitCode.OK
    said = command("release", "verify", "--reference", "--second-engine", *at)
    assert said.code == ExitCode.INTEGRITY
    assert [(line["by"], line["difference"]) for line in said.lines[1:]] == [
        ("reference", ""),
        ("second-engine", "logit"),
    ]

    listed = tmp_path / "one" / "revoked.json"
    said = command("release", "revoke", "--reason", "a test", "--key", key, "--list", listed, *at)
    assert (said.code, said.lines[0]["revoked"]) == (ExitCode.OK, 1)
    said = command("release", "verify", *at)
    assert (said.code, said.lines[0]["code"]) == (ExitCode.INTEGRITY, "E-RELEASE-REVOKED")
    monkeypatch.delenv(PASSPHRASE_FILE)  # the home has another passphrase than the release key
    scan = desks.write_images(tmp_path, "scan.png")[0]
    said = command("segment", scan, "--out", tmp_path / "results", *at)
    assert (said.code, said.lines[0]["reason"]["code"]) == (ExitCode.INTEGRITY, "E-RELEASE-REVOKED")
    assert [line["state"] for line in command("audit", "list", "--json").lines] == ["ERROR"]
    assert not (tmp_path / "results").exists()


@pytest.mark.verifies("SRS-REL-006")
def test_a_candidate_with_weights_of_another_network_is_refused(made: Path) -> None:
    from radiomicnet_md.engine import building

    read = candidates.read(made)
    with pytest.raises(ConfigurationError) as caught:
        building.files(replace(read, network={"head.bias": read.network["head.bias"]}))
    assert caught.value.code == "E-CANDIDATE-NETWORK"

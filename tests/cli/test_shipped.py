# SPDX-License-Identifier: Apache-2.0
"""The release that ships, through the real command line: decided, recorded, replayed; touched, it is refused."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from radiomicnet_md import phantom
from radiomicnet_md.engine import release as releases
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.errors import ExitCode, IntegrityError
from radiomicnet_md_audit import sign
from tests import desks
from tests.cli.conftest import Command, Said

KEY = sign.from_seed(b"a manufacturer's key, for a test")
SEED = 3
HELD: set[str] = set()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the release that ships."""
    return Path(shutil.copytree(releases.default_folder(), tmp_path / "release"))


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.dcm"
    phantom.write_dicom(phantom.make(SEED), path)
    return path


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """``own("9.0.0", {name: bytes})``: the shipped release with other files, signed with a key that is trusted here."""
    (tmp_path / "own.pem").write_bytes(KEY.public.to_pem())
    monkeypatch.setenv("RADIOMICNET_MD_RELEASE_KEYS", str(tmp_path / "own.pem"))
    shipped = releases.open_release(releases.default_folder())

    def make(version: str, files: dict[str, bytes] | None = None, **header: str) -> Path:
        told = {name: value for name, value in shipped.manifest.items() if name != "files"}
        folder = tmp_path / f"own-{version}-{header.get('id', '')}"
        releases.write(folder, {**shipped.files, **(files or {})}, {**told, "version": version, **header}, KEY)
        return folder

    return make


@pytest.fixture(autouse=True)
def answers_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Known answers that held in this process are not asked again: that takes seconds. Wrong ones are."""
    really = Engine.known_answer_test

    def test(engine: Engine) -> None:
        asked = hashlib.sha256(b"".join(data for _, data in sorted(engine._files.items()))).hexdigest()
        if asked not in HELD:
            really(engine)
            HELD.add(asked)

    monkeypatch.setattr(Engine, "known_answer_test", test)


def stages(command: Command, record: str) -> dict[str, Any]:
    predicate = command("audit", "show", record, "--json").lines[0]["statement"]["predicate"]
    return {name: predicate[name] for name in ("stages", "decision", "pixels", "gates", "outputs", "radiomics")}


def reason(said: Said) -> str:
    return str(said.lines[-1]["reason"]["code"])


@pytest.mark.verifies("SRS-REL-002")
def test_a_changed_byte_anywhere_in_the_release_is_refused(copy: Path) -> None:
    random = np.random.default_rng(1)
    for path in sorted(path for path in copy.rglob("*") if path.is_file()):
        was = path.read_bytes()
        for at in {0, len(was) - 1, *random.integers(0, len(was), 6).tolist()}:
            changed = bytearray(was)
            changed[at] ^= 1 << int(random.integers(0, 8))
            path.write_bytes(changed)
            with pytest.raises(IntegrityError):
                releases.open_release(copy)
        path.write_bytes(was)
    releases.open_release(copy)


@pytest.mark.verifies("SRS-REL-002", "SRS-CLI-001")
@pytest.mark.parametrize(
    "touch",
    [
        lambda folder: (folder / "more.json").write_text("{}"),
        lambda folder: (folder / ".hidden").write_text(""),
        lambda folder: (folder / "more").symlink_to("tables.json"),
        lambda folder: (folder / "more").mkdir(),
        lambda folder: (folder / "tables.json").unlink(),
        lambda folder: (folder / "tables.json").write_text("{}"),
    ],
    ids=["file", "dotfile", "link", "folder", "removed", "replaced"],
)
@pytest.mark.usefixtures("home")
def test_release_verify_ends_with_4(command: Command, copy: Path, touch: Callable[[Path], object]) -> None:
    assert command("release", "verify", "--release", copy).code == ExitCode.OK
    touch(copy)
    said = command("release", "verify", "--release", copy, "--json")
    assert (said.code, said.lines[0]["ok"]) == (ExitCode.INTEGRITY, False)


@pytest.mark.verifies("SRS-REL-002", "SRS-CLI-001", "SRS-REC-005")
@pytest.mark.usefixtures("home")
def test_segment_with_a_changed_release_ends_with_4_and_a_record(
    command: Command, copy: Path, scan: Path, tmp_path: Path
) -> None:
    with (copy / "weights.safetensors").open("r+b") as stream:
        stream.seek(-1, 2)
        last = stream.read(1)
        stream.seek(-1, 2)
        stream.write(bytes([last[0] ^ 1]))
    said = command("segment", scan, "--out", tmp_path / "out", "--release", copy, "--json")
    assert (said.code, said.lines[0]["status"], reason(said)) == (ExitCode.INTEGRITY, "error", "E-RELEASE-CHANGED")
    (listed,) = command("audit", "list", "--json").lines
    assert (listed["state"], listed["record_id"]) == ("ERROR", said.lines[0]["record_id"])
    assert not (tmp_path / "out").exists()


@pytest.mark.verifies("SRS-REL-003", "SRS-REL-004", "SRS-CLI-001")
@pytest.mark.usefixtures("home")
def test_wrong_known_answers_end_with_6_and_the_release_cannot_be_set_back(
    command: Command, scan: Path, tmp_path: Path, own: Callable[..., Path]
) -> None:
    answers = json.loads(releases.open_release(releases.default_folder()).files["golden/answers.json"])
    name = min(answers)
    answers[name]["stages"]["logit"] = "0" * 64
    wrong = own("9.0.0", {"golden/answers.json": json.dumps(answers).encode()})
    said = command("segment", scan, "--out", tmp_path / "out", "--release", wrong, "--json")
    assert (said.code, said.lines[0]["status"], reason(said)) == (ExitCode.NOT_QUALIFIED, "refused", "E-KAT")
    said = command("segment", scan, "--out", tmp_path / "out", "--release", own("8.0.0"), "--json")
    assert (said.code, reason(said)) == (ExitCode.INTEGRITY, "E-RELEASE-OLDER")
    said = command("segment", scan, "--out", tmp_path / "out", "--release", own("9.0.1", id="other"), "--json")
    assert (said.code, reason(said)) == (ExitCode.CONFIGURATION, "E-RELEASE-OTHER")
    assert not (tmp_path / "out").exists()
    assert [line["state"] for line in command("audit", "list", "--json").lines] == ["REFUSED", "ERROR", "ERROR"]


@pytest.mark.verifies("SRS-REC-003", "SRS-ENG-007", "SRS-HOM-001", "SRS-OUT-001", "SRS-CLI-001")
@pytest.mark.usefixtures("home")
def test_a_phantom_is_decided_recorded_shown_and_replayed(command: Command, scan: Path, tmp_path: Path) -> None:
    said = command("segment", scan, "--out", tmp_path / "out", "--json")
    (line,) = said.lines
    assert (said.code, line["status"]) == (ExitCode.OK, "accepted"), said
    names = sorted(desks.tree(tmp_path / "out"))
    objects = ("contributions", "mask", "measurements", "picture", "probability")
    assert names == sorted(
        ["scan/mask.png", "scan/overlay.png", "scan/record.json", "scan/why.png", *(f"scan/{o}.dcm" for o in objects)]
    )
    page = command("audit", "show", line["record_id"]).out
    assert "unqualified demonstration" in page
    assert line["record_id"] in page
    for source in ([], ["--input", scan]):
        again = command("audit", "replay", line["record_id"], *source, "--json")
        assert (again.code, again.lines[0]["verdict"]) == (ExitCode.OK, "IDENTICAL")
    predicate = command("audit", "show", line["record_id"], "--json").lines[0]["statement"]["predicate"]
    assert all(check["held"] for check in predicate["checks"])
    assert set(predicate["input"]["commitments"])
    for region in predicate["decision"]["chosen"]:
        assert region["score"] == region["intercept"] + sum(region["terms"].values())
    assert command("audit", "verify").code == ExitCode.OK


@pytest.mark.verifies("SRS-REL-005", "SRS-ENG-001")
@pytest.mark.usefixtures("home")
def test_no_option_variable_or_setting_changes_a_decision(
    command: Command, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = command("segment", scan, "--out", tmp_path / "1", "--json").lines[0]["record_id"]
    for name, value in {"THRESHOLD": "0", "DEVICE": "cuda", "DATA": str(tmp_path), "OPERATOR": "svc"}.items():
        monkeypatch.setenv(f"RADIOMICNET_MD_{name}", value)
    folder = tmp_path / ".config" / "radiomicnet-md"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(f"release: {releases.default_folder()}\naudit_db: null\n")
    options = ("--format", "nifti", "--json", "--quiet")
    second = command("segment", scan, "--out", tmp_path / "2", *options).lines[0]["record_id"]
    assert stages(command, first) == stages(command, second)


@pytest.mark.verifies("SRS-DOC-002", "SRS-MOD-004")
def test_showing_the_release_tells_its_scores_and_its_limits(command: Command) -> None:
    said = command("release", "show")
    assert said.code == ExitCode.OK
    card = json.loads((releases.default_folder() / "model_card.json").read_text())
    for wanted in ("not clinical evidence", "must not be used for", f"{card['validation']['lesion_mean_dice']:.3f}"):
        assert wanted in said.out
    assert said.out.count("no lesion said") == 2

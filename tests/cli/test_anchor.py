# SPDX-License-Identifier: Apache-2.0
"""``audit anchor``: the newest checkpoint goes to a witness or a file, and what comes back is verified and kept."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.errors import ExitCode
from radiomicnet_md_audit import checkpoint, policy, sign, testimony
from radiomicnet_md_audit.cosignature import Cosigner, cosigned_at
from radiomicnet_md_audit.evidence import WITNESSED
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-LOG-016", "SRS-LOG-011")

NAME = "witness.example/w1"


@pytest.fixture
def served(witness_key: Path, log_vkey: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """A witness in a process of its own, and what it said of itself."""
    command = [sys.executable, "-m", "radiomicnet_md", "audit", "witness", "serve", "--json", "--listen", "127.0.0.1:0"]
    more = ["--name", NAME, "--key", str(witness_key), "--log", log_vkey, "--state", str(tmp_path / "state")]
    with subprocess.Popen(
        [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.terminate()


def claim(report: dict[str, Any], name: str = WITNESSED) -> dict[str, Any]:
    return next(one for one in report["claims"] if one["name"] == name)


def outside(home: Path) -> Path:
    return testimony.beside(homes.anchor_beside(home))


def test_without_options_it_shows_the_checkpoint_and_what_is_kept(command: Command, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "checkpoint"
    said = command("audit", "anchor", "--out", out)
    assert said.code == ExitCode.OK
    assert said.out == out.read_text("utf-8")
    trusted = policy.parse((home / "policy.json").read_bytes())
    assert checkpoint.open_(said.out, trusted.log_keys_at(1), trusted.origin).size == 1
    assert "anchor: 1 checkpoints, the last of 20" in said.err
    assert "said by others: 0 statements" in said.err
    (line,) = command("audit", "anchor", "--json").lines
    assert (line["size"], line["checkpoint"]) == (1, said.out)
    assert line["anchor"]["lines"] == 1
    assert line["outside"] == {"file": str(outside(home)), "lines": 0}
    assert command("audit", "anchor", "--out", out).code == ExitCode.CONFIGURATION
    (verified,) = command("audit", "verify", "--outside", out, "--json").lines
    assert claim(verified)["text"].endswith("agree: 1, up to 1.")


def test_a_home_has_its_checkpoint_cosigned_and_believes_whom_it_was_told(
    command: Command, home: Path, served: dict[str, Any], tmp_path: Path
) -> None:
    asked = ("audit", "anchor", "--witness-url", served["url"], "--witness", served["vkey"])
    said = command(*asked, "--out", tmp_path / "cosigned", "--json")
    assert said.code == ExitCode.OK
    assert f"audit anchor --trust-witness {served['vkey']}" in said.err
    (line,) = said.lines
    assert (line["origin"], line["size"], line["witness"]) == (served["logs"][0], 1, NAME)
    assert (tmp_path / "cosigned").read_text("utf-8") == line["checkpoint"]
    assert cosigned_at(line["checkpoint"], Cosigner.from_vkey(served["vkey"])) > 0
    assert testimony.split(outside(home).read_bytes()) == [testimony.Vouched(line["checkpoint"]).line()[:-1]]
    assert claim(command("audit", "verify", "--json").lines[0])["ok"] is None
    before = policy.parse((home / "policy.json").read_bytes())
    for _ in range(2):
        assert command("audit", "anchor", "--trust-witness", served["vkey"]).code == ExitCode.OK
    after = policy.parse((home / "policy.json").read_bytes())
    assert after.witnesses == (Cosigner.from_vkey(served["vkey"]),)
    assert (after.log_keys, after.engine_keys) == (before.log_keys, before.engine_keys)
    assert stat.S_IMODE((home / "policy.json").stat().st_mode) == 0o600
    (report,) = command("audit", "verify", "--json").lines
    assert report["ok"] is True
    assert claim(report)["ok"] is True
    assert command(*asked).out.startswith(f"{NAME} cosigned 1 entries at ")
    assert command("audit", "export", tmp_path / "export").code == ExitCode.OK
    assert policy.parse((tmp_path / "export" / "policy.json").read_bytes()) == after
    stranger = Cosigner(NAME, sign.generate().public).vkey()
    assert command(*asked[:-1], stranger).code == ExitCode.INTEGRITY
    assert len(testimony.split(outside(home).read_bytes())) == 2


def test_a_home_that_was_set_back_contradicts_its_witness(
    command: Command, home: Path, served: dict[str, Any], tmp_path: Path
) -> None:
    """All of it is set back: log, anchor and statements. The witness knows, and so does a copy of what it said."""
    trusted = ("--trust-witness", served["vkey"])
    asked = ("audit", "anchor", "--witness-url", served["url"], "--witness", served["vkey"])
    assert command("audit", "anchor", *trusted).code == ExitCode.OK
    shutil.copytree(home, tmp_path / "kept")
    shutil.copyfile(homes.anchor_beside(home), tmp_path / "kept.anchor")
    assert command("audit", "export", tmp_path / "export").code == ExitCode.OK
    assert command(*asked, "--out", tmp_path / "elsewhere").code == ExitCode.OK
    shutil.rmtree(home)
    shutil.move(tmp_path / "kept", home)
    shutil.move(tmp_path / "kept.anchor", homes.anchor_beside(home))
    outside(home).unlink()
    assert command("audit", "verify").code == ExitCode.OK
    assert "E-WITNESS-LEADS" in command(*asked).err
    said = command("audit", "verify", "--outside", tmp_path / "elsewhere")
    assert said.code == ExitCode.INTEGRITY
    assert f"NO   {WITNESSED}: On 20" in said.out
    assert "[E-WITNESS-LEADS]" in said.out
    (state,) = (tmp_path / "state").glob("*.checkpoint")  # what the witness's operator can give
    assert "E-WITNESS-LEADS" in command("audit", "verify", "--outside", state).out


@pytest.mark.usefixtures("home")
def test_nobody_there_is_a_matter_of_time(command: Command) -> None:
    witness = Cosigner(NAME, sign.generate().public).vkey()
    said = command("audit", "anchor", "--witness-url", "http://127.0.0.1:9", "--witness", witness)
    assert said.code == ExitCode.RETRY
    assert "E-WITNESS-UNREACHABLE" in said.err


@pytest.mark.usefixtures("home")
def test_arguments_that_do_not_go_together_are_refused(command: Command, log_vkey: str, tmp_path: Path) -> None:
    for wrong in (
        ("--witness-url", "http://127.0.0.1:9"),
        ("--witness", Cosigner(NAME, sign.generate().public).vkey()),
        ("--witness-url", "http://127.0.0.1:9", "--witness", log_vkey),
        ("--trust-witness", "key"),
    ):
        said = command("audit", "anchor", *wrong)
        assert said.code == ExitCode.USAGE
        assert "E-WITNESS-ARGUMENT" in said.err
    assert command("audit", "verify", "--outside", tmp_path / "none").code == ExitCode.CONFIGURATION


def test_a_new_home_is_not_made_beside_what_was_said_of_another(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside(tmp_path / "new").write_bytes(b"")
    said = command("init", "--home", tmp_path / "new")
    assert said.code == ExitCode.CONFIGURATION
    assert "E-HOME-OCCUPIED" in said.err

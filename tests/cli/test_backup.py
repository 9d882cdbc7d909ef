# SPDX-License-Identifier: Apache-2.0
"""``backup`` and ``restore``: as a site would, and with the rollback that a restored backup can be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md.errors import ExitCode
from radiomicnet_md.home import anchor_beside
from tests import desks
from tests.cli.conftest import Command
from tests.cli.test_anchor import served

__all__ = ["served"]

pytestmark = [pytest.mark.usefixtures("engine"), pytest.mark.verifies("SRS-OPR-001", "SRS-CLI-001", "SRS-CLI-002")]


def decide(command: Command, folder: Path, name: str) -> None:
    path = desks.write_images(folder, name)[0]
    assert command("segment", path, "--out", folder / "out", "--format", "png").code == ExitCode.OK


def test_a_home_is_backed_up_without_a_passphrase_and_restored_elsewhere(
    command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide(command, tmp_path, "one.png")
    (listed,) = command("audit", "list", "--json").lines
    (key := home / "keys" / "passphrase").rename(tmp_path / "passphrase")
    said = command("backup", "--to", tmp_path / "backup.tar", "--json")
    assert said.code == ExitCode.OK, said.err
    assert said.lines[0]["entries"] == 2
    assert said.lines[0]["bytes"] == (tmp_path / "backup.tar").stat().st_size
    assert "passphrase" not in said.err
    monkeypatch.delenv("RADIOMICNET_MD_HOME")
    new = tmp_path / "site" / "home"
    restored = command("restore", tmp_path / "backup.tar", "--home", new, "--json")
    assert restored.code == ExitCode.OK, restored.err
    (line,) = restored.lines
    assert (line["ok"], line["size"], line["findings"], line["anchor_kept"]) == (True, 2, [], False)
    assert command("audit", "verify", "--home", new).code == ExitCode.OK
    assert command("audit", "list", "--home", new, "--json").lines == [listed]
    (tmp_path / "passphrase").rename(key)
    assert "keeps its passphrase beside its keys" in command("backup", "--home", home, "--to", tmp_path / "two.tar").err
    assert command("backup", "--to", tmp_path / "two.tar", "--home", home).code == ExitCode.USAGE
    assert command("restore", tmp_path / "two.tar", "--home", new).code == ExitCode.USAGE


@pytest.mark.verifies("SRS-OPR-003")
@pytest.mark.verifies("SRS-OPR-003", rc=("RC-005",))
def test_an_older_backup_is_seen_by_its_anchor_by_a_copy_and_by_a_witness(
    command: Command, home: Path, served: dict[str, Any], tmp_path: Path
) -> None:
    witness = ("audit", "anchor", "--witness-url", served["url"], "--witness", served["vkey"])
    assert command("audit", "anchor", "--trust-witness", served["vkey"]).code == ExitCode.OK
    assert command("backup", "--to", tmp_path / "old.tar").code == ExitCode.OK
    decide(command, tmp_path, "awkward.png")
    assert command(*witness, "--out", tmp_path / "cosigned").code == ExitCode.OK
    home.rename(tmp_path / "broken")
    anchor = anchor_beside(home)
    kept = anchor.read_bytes()
    restored = command("restore", tmp_path / "old.tar", "--json")
    assert restored.code == ExitCode.INTEGRITY
    (line,) = restored.lines
    assert (line["ok"], line["size"], line["anchor_kept"]) == (False, 1, True)
    codes = {found["code"] for found in line["findings"]}
    assert codes == {"E-ANCHOR-LEADS", "E-WITNESS-LEADS"}
    assert anchor.read_bytes() == kept
    refused = command("segment", tmp_path / "awkward.png", "--out", tmp_path / "again", "--format", "png")
    assert (refused.code, "E-ANCHOR-LEADS" in refused.err) == (ExitCode.INTEGRITY, True)
    other = tmp_path / "other" / "home"
    assert command("restore", tmp_path / "old.tar", "--home", other).code == ExitCode.OK
    for option, copy, code in (
        ("--anchor", anchor, "E-ANCHOR-LEADS"),
        ("--outside", tmp_path / "cosigned", "E-WITNESS-LEADS"),
    ):
        verified = command("audit", "verify", "--home", other, option, copy, "--json")
        assert verified.code == ExitCode.INTEGRITY
        assert [found["code"] for found in verified.lines[0]["findings"]] == [code]

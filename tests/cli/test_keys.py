# SPDX-License-Identifier: Apache-2.0
"""The verbs of the keys, as a person types them."""

from __future__ import annotations

from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md.errors import ExitCode
from radiomicnet_md_audit import sign
from tests.cli.conftest import Command

pytestmark = pytest.mark.verifies("SRS-KEY-004")


def test_keys_are_replaced_and_shown(command: Command, home: Path) -> None:
    (engine, log, cosigner) = command("keys", "show", "--json").lines
    assert [line["role"] for line in (engine, log, cosigner)] == ["engine", "log", "cosigner"]
    said = command("keys", "rotate", "log")
    assert said.code == ExitCode.OK
    assert str(home / "policy.json") in said.out
    assert "needs the new policy" in said.err
    revoked = command("keys", "revoke", "engine", "--since", "2020-01-01", "--json")
    assert revoked.lines[0]["compromised_from_size"] == 1
    assert "Entries 0 to 2 may be another's" in revoked.err
    shown = command("keys", "show").out
    assert "until entry 2, perhaps in other hands from entry 0" in shown
    assert shown.count("in force") == 3
    verified = command("audit", "verify")
    assert verified.code == ExitCode.OK
    assert "signed while no key was in other hands: Entries 0 to 2" in verified.out


@pytest.mark.parametrize("since", ["yesterday", "2026-13-01", ""])
@pytest.mark.usefixtures("home")
def test_a_time_that_is_none_is_a_mistake_of_the_command_line(command: Command, since: str) -> None:
    said = command("keys", "revoke", "log", "--since", since)
    assert said.code == ExitCode.USAGE
    assert "E-TIME" in said.err
    assert len(command("keys", "show").out.splitlines()) == 3


@pytest.mark.usefixtures("home")
def test_a_new_key_is_a_file_of_its_own(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "witness.pem"
    assert command("keys", "new", path).code == ExitCode.CONFIGURATION  # no passphrase, and nobody to ask
    assert not path.exists()
    phrase = tmp_path / "phrase"
    phrase.write_text("a passphrase of the witness\n", encoding="utf-8")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(phrase))
    said = command("keys", "new", path, "--json")
    assert said.code == ExitCode.OK
    key = sign.load_private(path, b"a passphrase of the witness")
    assert said.lines[0]["keyid"] == key.public.keyid
    assert sign.VerifyingKey.from_pem(Path(said.lines[0]["public"]).read_bytes()) == key.public
    again = command("keys", "new", path)
    assert (again.code, "E-KEY-EXISTS" in again.err) == (ExitCode.CONFIGURATION, True)
    other = tmp_path / "other.pem"
    other.with_name("other.pem.pub").touch()
    assert command("keys", "new", other).code == ExitCode.CONFIGURATION
    assert not other.exists()

# SPDX-License-Identifier: Apache-2.0
"""A home whose keys are in a token does all that a home does, and nothing on its disk opens with the PIN."""

from __future__ import annotations

import base64
import errno
import json
import os
import sys
from pathlib import Path

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import private
from radiomicnet_md.errors import ConfigurationError, ExitCode
from radiomicnet_md_audit import pkcs11_key, sign
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.pkcs11_key import Token
from tests import desks
from tests.cli.conftest import Command, Said
from tests.io import samples
from tests.tokens import PIN, SoftHSM

pytestmark = pytest.mark.verifies("SRS-KEY-005")


@pytest.fixture
def token(softhsm: SoftHSM) -> Token:
    return softhsm.token()


@pytest.fixture
def pin(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with the PIN; no other home and no passphrase is named in the environment."""
    del home
    path = tmp_path / "pin"
    path.write_bytes(PIN + b"\n")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(path))
    monkeypatch.setenv("RADIOMICNET_MD_HOME", str(tmp_path / "of token"))
    return path


@pytest.fixture
def made(command: Command, pin: Path, token: Token, softhsm: SoftHSM) -> Path:
    """A home made with the token, and a process that has not logged in yet."""
    said = init(command, token)
    assert said.code == ExitCode.OK, said.err
    softhsm.start_again()
    return pin.parent / "of token"


def init(command: Command, token: Token) -> Said:
    return command("init", "--pkcs11-module", token.module, "--pkcs11-token", token.label, "--json")


def test_only_places_and_public_halves_of_the_two_keys_are_in_the_home(made: Path, softhsm: SoftHSM) -> None:
    keys = made / "keys"
    names = {"cosigner.pem", "engine.pkcs11", "engine.pub", "log.pkcs11", "log.pub", "passphrase.pkcs11"}
    assert {path.name for path in keys.iterdir()} == names
    origin = homes.open_home(made).origin
    for name in ("engine", "log"):
        place = json.loads((keys / f"{name}.pkcs11").read_bytes())
        assert place["label"] == f"{origin}/{name}"
        assert sign.VerifyingKey.from_pem((keys / f"{name}.pub").read_bytes()).raw.hex() == place["public_key"]
    token = Token(softhsm.module, "radiomicnet")
    assert softhsm.labels(token) == {f"{origin}/{name}" for name in ("engine", "log", "passphrase")}
    for path in (path for path in made.rglob("*") if path.is_file()):
        assert PIN not in path.read_bytes()
    assert {path.stat().st_mode & 0o077 for path in keys.iterdir()} == {0}


def test_no_file_opens_with_the_pin(made: Path) -> None:
    home = homes.open_home(made)
    assert home.stamps == ("unqualified demonstration",)
    keys = home.keys(PIN)
    assert keys.engine.public != keys.log.public
    with pytest.raises(ConfigurationError) as caught:
        sign.load_cosigner(made / "keys" / "cosigner.pem", PIN)
    assert caught.value.code == "E-KEY-PASSPHRASE"
    secret = pkcs11_key.fetch((made / "keys" / "passphrase.pkcs11").read_bytes(), PIN)
    assert len(base64.b16decode(secret.upper())) == 32
    assert sign.load_cosigner(made / "keys" / "cosigner.pem", secret).public == keys.cosigner.public
    assert len(home.vault_key(PIN)) == 32
    (made / "keys" / "passphrase.pkcs11").unlink()  # the token was lost, and its passphrase lay in a safe
    assert len(homes.open_home(made).vault_key(secret)) == 32


@pytest.mark.usefixtures("engine")
def test_a_refusal_is_recorded_verified_and_exported(
    command: Command, made: Path, tmp_path: Path, softhsm: SoftHSM, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = command("segment", samples.put(tmp_path, b"no image"), "--out", tmp_path / "out")
    assert refused.code == ExitCode.INTENDED_USE
    assert command("audit", "export", tmp_path / "export").code == ExitCode.OK
    softhsm.remove(Token(softhsm.module, "radiomicnet"))  # who reads needs no token, and not even what speaks to one
    softhsm.start_again()
    monkeypatch.setitem(sys.modules, "pkcs11", None)
    monkeypatch.delitem(sys.modules, "radiomicnet_md_audit.pkcs11_key")
    said = command("audit", "verify", "--json")
    assert said.code == ExitCode.OK
    anchor = homes.anchor_beside(made).read_bytes()
    assert verify_bundle(tmp_path / "export", homes.open_home(made).policy(), anchor).ok
    assert command("audit", "list", "--json").lines[-1]["state"] == "REFUSED"


@pytest.mark.verifies("SRS-KEY-002")
@pytest.mark.usefixtures("engine")
def test_a_wrong_pin_ends_with_exit_code_7_and_without_a_record(
    command: Command, made: Path, pin: Path, tmp_path: Path, softhsm: SoftHSM
) -> None:
    (scan,) = desks.write_images(tmp_path, "scan.png")
    before = (made / "audit.db").read_bytes()
    pin.write_text("1234\n")
    for _ in range(3):
        softhsm.start_again()
        said = command("segment", scan, "--out", tmp_path / "out", "--json")
        assert said.code == ExitCode.CONFIGURATION
        assert said.lines[-1]["reason"]["code"] == "E-KEY-PIN"
    assert (made / "audit.db").read_bytes() == before
    pin.write_bytes(PIN)
    assert command("segment", scan, "--out", tmp_path / "out").code == ExitCode.OK


@pytest.mark.usefixtures("engine")
def test_the_pin_is_changed_at_the_token_and_nowhere_else(
    command: Command, made: Path, pin: Path, tmp_path: Path, softhsm: SoftHSM
) -> None:
    before = desks.tree(made / "keys") | desks.tree(made / "vault")
    softhsm.change_pin(Token(softhsm.module, "radiomicnet"), b"another-pin")
    pin.write_bytes(b"another-pin")
    assert command("segment", *desks.write_images(tmp_path, "scan.png"), "--out", tmp_path / "out").code == ExitCode.OK
    assert desks.tree(made / "keys") | desks.tree(made / "vault") == before


@pytest.mark.parametrize("last", ["passphrase.pkcs11", "engine.pkcs11", "log.pub", "policy.json", "home.yaml"])
def test_a_home_that_cannot_be_finished_leaves_nothing_in_the_token(
    command: Command, pin: Path, token: Token, softhsm: SoftHSM, last: str
) -> None:
    write = homes.write_private

    def until_full(path: Path, data: bytes) -> None:
        write(path, data)
        if path.name.removesuffix(".new") == last:  # what appears whole is written beside its place
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patched:
        for module in (homes, homes.keyring, private):
            patched.setattr(module, "write_private", until_full)
        assert init(command, token).lines[-1]["reason"]["code"] == "E-HOME-UNUSABLE"
    assert not (pin.parent / "of token").exists()
    assert softhsm.labels(token) == set()


def test_an_init_with_a_wrong_pin_shows_it_once(command: Command, pin: Path, token: Token, softhsm: SoftHSM) -> None:
    shown: list[bytes] = []
    session = pkcs11_key._session

    def counted(found: object, pin: bytes) -> object:
        shown.append(pin)
        return session(found, pin)  # type: ignore[arg-type]

    pin.write_text("1234")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(pkcs11_key, "_session", counted)
        assert init(command, token).lines[-1]["reason"]["code"] == "E-KEY-PIN"
    assert shown == [b"1234"]
    assert not (pin.parent / "of token").exists()
    assert softhsm.labels(token) == set()


def test_what_init_lacks_is_named(command: Command, pin: Path, token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    for half in (("--pkcs11-module", token.module), ("--pkcs11-token", token.label)):
        said = command("init", *half, "--json")
        assert said.code == ExitCode.USAGE
        assert said.lines[-1]["reason"]["code"] == "E-USAGE-TOKEN"
    monkeypatch.delenv(homes.PASSPHRASE_FILE)  # no home makes up a PIN
    assert init(command, token).lines[-1]["reason"]["code"] == "E-KEY-PASSPHRASE-ABSENT"
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(pin))
    with monkeypatch.context() as patched:
        patched.setitem(sys.modules, "pkcs11", None)
        patched.delitem(sys.modules, "radiomicnet_md_audit.pkcs11_key")
        said = init(command, token)
    assert said.code == ExitCode.CONFIGURATION
    assert said.lines[-1]["reason"]["code"] == "E-TOKEN-LIBRARY"


@pytest.mark.usefixtures("engine")
def test_without_its_token_a_home_decides_nothing(
    command: Command, made: Path, tmp_path: Path, softhsm: SoftHSM
) -> None:
    before = (made / "audit.db").read_bytes()
    softhsm.remove(Token(softhsm.module, "radiomicnet"))
    softhsm.start_again()
    said = command("segment", *desks.write_images(tmp_path, "scan.png"), "--out", tmp_path / "out", "--json")
    assert said.code == ExitCode.CONFIGURATION
    assert said.lines[-1]["reason"]["code"] == "E-TOKEN-ABSENT"
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    assert (made / "audit.db").read_bytes() == before


def test_a_key_in_a_token_is_replaced_by_one_in_it(command: Command, made: Path, softhsm: SoftHSM) -> None:
    before = json.loads((made / "keys" / "engine.pkcs11").read_bytes())
    for _ in range(2):
        assert command("keys", "rotate", "engine").code == ExitCode.OK
    after = json.loads((made / "keys" / "engine.pkcs11").read_bytes())
    assert after["label"] == before["label"]
    assert after["public_key"] != before["public_key"]
    with pytest.raises(ConfigurationError) as caught:  # the old one is destroyed
        pkcs11_key.open_(json.dumps(before, separators=(",", ":"), sort_keys=True).encode(), PIN)
    assert caught.value.code == "E-TOKEN-KEY"
    softhsm.start_again()
    assert command("keys", "rotate", "cosigner").code == ExitCode.OK
    assert command("audit", "verify").code == ExitCode.OK

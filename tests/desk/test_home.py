# SPDX-License-Identifier: Apache-2.0
"""A home is private, says what it is, and is opened only by a version that knows it."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
import yaml

from radiomicnet_md import home as homes
from radiomicnet_md import keyring, private
from radiomicnet_md.errors import ConfigurationError, Problem
from radiomicnet_md_audit.anchor import AnchorFile
from tests import desks


def refused(folder: Path, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        homes.open_home(folder)
    assert caught.value.code == code
    assert caught.value.remedy


@pytest.mark.verifies("SRS-KEY-001", "SRS-HOM-001")
def test_everything_in_a_home_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        home = homes.create(tmp_path / "home")
    finally:
        os.umask(before)
    folders = {path for path in home.folder.rglob("*") if path.is_dir()} | {home.folder}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folders} == {0o700}
    secret = [path for name in ("keys", "vault") for path in (home.folder / name).iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in [*secret, home.folder / "audit.db"]} == {0o600}
    for name in ("engine", "log", "cosigner"):
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in (home.folder / "keys" / f"{name}.pem").read_bytes()
    assert home.stamps == ("unqualified demonstration", "untrusted-key")
    assert home.anchor == tmp_path / "home.anchor"
    assert home.anchor.is_file()


@pytest.mark.verifies("SRS-KEY-002", "SRS-HOM-002")
def test_a_clinical_home_needs_a_passphrase_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(homes.PASSPHRASE_FILE, raising=False)
    with pytest.raises(ConfigurationError) as caught:
        homes.create(tmp_path / "home", clinical=True)
    assert caught.value.code == "E-KEY-PASSPHRASE-ABSENT"
    assert not (tmp_path / "home").exists()
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(secret))
    home = homes.create(tmp_path / "home", clinical=True)
    assert home.stamps == ()
    assert not (home.folder / "keys" / "passphrase").exists()
    assert homes.open_home(home.folder) == home
    home.keys(home.passphrase())
    secret.write_text("another\n")
    for use in (home.keys, home.vault_key):
        with pytest.raises(ConfigurationError) as caught:
            use(home.passphrase())
        assert caught.value.code == "E-KEY-PASSPHRASE"


@pytest.mark.verifies("SRS-KEY-002")
@pytest.mark.parametrize("content", [b"", b"\n", None])
def test_an_empty_or_missing_passphrase_file_is_named(home: homes.Home, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "passphrase"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        home.passphrase({homes.PASSPHRASE_FILE: str(path)})
    assert caught.value.code == "E-KEY-PASSPHRASE-FILE"


@pytest.mark.verifies("SRS-CLI-006")
def test_a_newer_home_is_left_alone(home: homes.Home) -> None:
    path = home.folder / "home.yaml"
    path.write_text(yaml.safe_dump({"format": homes.FORMAT + 1, "unheard": "of"}))
    before = desks.tree(home.folder)
    refused(home.folder, "E-HOME-NEWER")
    assert desks.tree(home.folder) == before


@pytest.mark.verifies("SRS-CLI-006", "SRS-CLI-004")
@pytest.mark.parametrize("content", ["", "- 1", "format: one", "format: 1", "format: 1\nkind: other\norigin: x", "{"])
def test_a_home_that_does_not_say_what_it_is_is_not_used(home: homes.Home, content: str) -> None:
    (home.folder / "home.yaml").write_text(content)
    refused(home.folder, "E-HOME-UNUSABLE")


@pytest.mark.verifies("SRS-CLI-004")
def test_no_home_and_an_open_door_are_named(home: homes.Home, tmp_path: Path) -> None:
    refused(tmp_path / "nowhere", "E-HOME-ABSENT")
    home.folder.chmod(0o755)
    refused(home.folder, "E-HOME-MODE")


@pytest.mark.verifies("SRS-HOM-001")
def test_a_home_is_made_only_where_nothing_is(home: homes.Home, tmp_path: Path) -> None:
    before = desks.tree(tmp_path)
    with pytest.raises(ConfigurationError) as caught:
        homes.create(home.folder)
    assert caught.value.code == "E-HOME-EXISTS"
    (tmp_path / "other.anchor").write_text("of an earlier home")
    with pytest.raises(ConfigurationError) as caught:
        homes.create(tmp_path / "other")
    assert caught.value.code == "E-HOME-OCCUPIED"
    assert desks.tree(tmp_path) == {**before, "other.anchor": b"of an earlier home"}


@pytest.mark.verifies("SRS-CLI-004")
def test_a_place_where_nothing_can_be_made_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem):
        homes.create(tmp_path / "file" / "home")


def full_disk(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.verifies("SRS-OUT-003", "SRS-CLI-004")
@pytest.mark.parametrize("last", ["passphrase", "engine.pub", "key", "policy.json", "home.yaml", "anchor line"])
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_home_that_cannot_be_finished_leaves_nothing_in_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: str, *, elsewhere: bool
) -> None:
    write, url = homes.write_private, f"sqlite:///{tmp_path / 'log.db'}" if elsewhere else None

    def until_full(path: Path, data: bytes) -> None:
        name = path.name.removesuffix(".new")  # what appears whole is written beside its place
        write(path, data[:5] if name == last else data)
        if name == last:
            full_disk()

    with monkeypatch.context() as patched:
        for module in (homes, keyring, private):
            patched.setattr(module, "write_private", until_full)
        if last == "anchor line":
            patched.setattr(AnchorFile, "catch_up", full_disk)
        with pytest.raises(ConfigurationError) as caught:
            homes.create(tmp_path / "home", audit_db=url)
    assert caught.value.code == "E-HOME-UNUSABLE"
    assert list(tmp_path.iterdir()) == []
    made = homes.create(tmp_path / "home", audit_db=url)
    assert homes.open_home(made.folder) == made


@pytest.mark.verifies("SRS-HOM-001")
def test_a_home_whose_making_was_killed_is_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What says that a home is there appears whole, and last: until then nobody takes the rest for one."""
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(Path, "replace", lambda *_: os._exit(9))
        homes.create(tmp_path / "home")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    refused(tmp_path / "home", "E-HOME-ABSENT")
    with pytest.raises(ConfigurationError) as caught:
        homes.create(tmp_path / "home")
    assert caught.value.code == "E-HOME-OCCUPIED"


@pytest.mark.verifies("SRS-OUT-003")
def test_what_was_there_before_a_home_that_fails_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "log.db").write_bytes(b"")
    with pytest.raises(ConfigurationError) as caught:
        homes.create(tmp_path / "home", audit_db=f"sqlite:///{tmp_path / 'log.db'}")
    assert caught.value.code == "E-STORE-EXISTS"
    monkeypatch.setattr(homes, "_refuse_occupied", lambda _: None)  # as when another init comes just after the look
    (tmp_path / "home" / "keys").mkdir()
    (tmp_path / "home" / "keys" / "engine.pem").write_text("of the other")
    with pytest.raises(ConfigurationError) as caught:
        homes.create(tmp_path / "home")
    assert caught.value.code == "E-HOME-OCCUPIED"
    assert desks.tree(tmp_path) == {"log.db": b"", "home/keys/engine.pem": b"of the other"}


@pytest.mark.verifies("SRS-REC-004", "SRS-KEY-001")
def test_a_key_stays_untrusted_wherever_its_passphrase_goes(home: homes.Home, tmp_path: Path) -> None:
    (home.folder / "keys" / "passphrase").rename(tmp_path / "passphrase")
    opened = homes.open_home(home.folder)
    opened.keys(opened.passphrase({homes.PASSPHRASE_FILE: str(tmp_path / "passphrase")}))
    assert opened.stamps == ("unqualified demonstration", "untrusted-key")


@pytest.mark.verifies("SRS-REC-004")
def test_a_home_that_does_not_tell_is_judged_by_what_lies_in_it(home: homes.Home) -> None:
    path = home.folder / "home.yaml"
    state = yaml.safe_load(path.read_text())
    assert state.pop("stored_passphrase") is True
    path.write_text(yaml.safe_dump(state))
    assert homes.open_home(home.folder).stamps == ("unqualified demonstration", "untrusted-key")
    (home.folder / "keys" / "passphrase").unlink()
    assert homes.open_home(home.folder).stamps == ("unqualified demonstration",)
    path.write_text(yaml.safe_dump({**state, "stored_passphrase": "perhaps"}))
    refused(home.folder, "E-HOME-UNUSABLE")


@pytest.mark.verifies("SRS-REC-004", rc=("RC-019",))
@pytest.mark.parametrize("clinical", [False, True])
@pytest.mark.parametrize(("stored", "beside"), [(False, False), (True, False), (False, True), (True, True)])
def test_a_home_says_what_it_is_by_its_kind_and_its_passphrase(
    tmp_path: Path, *, clinical: bool, stored: bool, beside: bool
) -> None:
    (tmp_path / "keys").mkdir()
    if beside:
        (tmp_path / "keys" / "passphrase").write_text("generated")
    home = homes.Home(tmp_path, clinical=clinical, origin="o", stored_passphrase=stored, installed={})
    said = () if clinical else ("unqualified demonstration",)
    assert home.stamps == (*said, *(("untrusted-key",) if stored or beside else ()))


@pytest.mark.verifies("SRS-REC-004", "SRS-KEY-001")
def test_a_passphrase_put_beside_the_keys_later_stamps_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse\n")
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(secret))
    home = homes.create(tmp_path / "home")
    assert homes.open_home(home.folder).stamps == ("unqualified demonstration",)
    shutil.copyfile(secret, home.folder / "keys" / "passphrase")
    assert homes.open_home(home.folder).stamps == ("unqualified demonstration", "untrusted-key")


@pytest.mark.verifies("SRS-CLI-004", "SRS-KEY-001")
@pytest.mark.parametrize(
    ("part", "instead"),
    [("keys", "nothing"), ("keys", "a file")]
    + [(part, instead) for part in ("audit.db", "policy.json", "home.yaml") for instead in ("nothing", "a folder")],
)
def test_a_home_with_a_missing_part_is_named(home: homes.Home, part: str, instead: str) -> None:
    path = home.folder / part
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if instead == "a folder":
        path.mkdir()
    elif instead == "a file":
        path.write_text("")
        path.chmod(0o600)
    with pytest.raises(ConfigurationError) as caught:
        homes.open_home(home.folder).reading_ledger()
    assert caught.value.code == ("E-HOME-ABSENT" if (part, instead) == ("home.yaml", "nothing") else "E-HOME-UNUSABLE")
    assert caught.value.remedy

# SPDX-License-Identifier: Apache-2.0
"""Each check of an installation fails on the fault that it was made for, and an honest installation passes."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import stat
from collections.abc import Callable
from datetime import timedelta
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from radiomicnet_md import checkup
from radiomicnet_md import home as homes
from radiomicnet_md.config import Settings, load
from radiomicnet_md.engine import installation
from radiomicnet_md.engine.release import default_folder
from radiomicnet_md.errors import UsageError
from radiomicnet_md_audit import clock
from radiomicnet_md_traceability import load as items
from radiomicnet_md_validation.qualification import checks, iq, protocols, site
from radiomicnet_md_validation.qualification.checks import FAIL, NOT_APPLICABLE, PASS
from radiomicnet_md_validation.qualification.recording import check_folder
from tests import desks

pytestmark = pytest.mark.verifies("SRS-QUA-004")


@pytest.fixture
def settings(made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a home of this test."""
    desks.remember_keys(monkeypatch)
    shutil.copytree(made_home, tmp_path / "home")
    shutil.copyfile(homes.anchor_beside(made_home), tmp_path / "home.anchor")
    (tmp_path / "home.anchor").chmod(0o600)
    return load({"home": str(tmp_path / "home")})


# Reading 1.1 GB of packages and compiling the engine are tested where they are at home.
SLOW = ("installed files", "known answers")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SLOW:
        monkeypatch.setitem(checkup.CHECKS, name, lambda _: (True, "all", ""))
    monkeypatch.setattr(site, "listed_platform", lambda: "PLT-001")


def _verdict(settings: Settings, what: str) -> tuple[str, str]:
    """Run the one check whose objective holds these words."""
    ((about, item),) = [
        (one, item) for one, item in zip(iq.protocol(), iq._TABLE, strict=True) if what in one.objective
    ]
    del about
    site.listen()
    try:
        return item.look(settings)
    except Exception as error:  # noqa: BLE001 -- as `examine` does
        return FAIL, str(error)


@pytest.mark.usefixtures("quick")
def test_an_honest_installation_passes_whatever_applies(settings: Settings) -> None:
    found = list(iq.examine(settings))
    left = {one.id: (one.verdict, one.actual) for one in found if one.verdict not in (PASS, NOT_APPLICABLE)}
    assert left == {}
    assert [one.id for one in found] == [f"IQ-{number:03d}" for number in range(1, len(found) + 1)]
    assert len({one.objective for one in found}) == len(found)


def _loosen(settings: Settings) -> None:
    (settings.home / "keys" / "log.pem").chmod(0o640)


def _link(settings: Settings) -> None:
    (settings.home / "vault" / "elsewhere").symlink_to("/etc")


def _drop_trigger(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "audit.db") as database:
        database.execute("DROP TRIGGER node_no_delete")


def _other_version(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "audit.db") as database:
        database.execute("PRAGMA user_version=1")


def _flip_row(settings: Settings) -> None:
    with sqlite3.connect(settings.home / "audit.db") as database:
        database.execute("DROP TRIGGER checkpoint_no_update")
        database.execute("UPDATE checkpoint SET note = note || ' '")


def _no_anchor(settings: Settings) -> None:
    homes.anchor_beside(settings.home).unlink()


def _no_key(settings: Settings) -> None:
    (settings.home / "keys" / "passphrase").write_text("another one\n")


FAULTS: dict[str, tuple[str, Callable[[Settings], None]]] = {
    "a key that a group may read": ("Nobody but this account", _loosen),
    "a link in the vault": ("Nobody but this account", _link),
    "a trigger taken away": ("refuses to change or remove", _drop_trigger),
    "tables of another version": ("tables are of this version", _other_version),
    "a changed checkpoint": ("verifies from its first entry", _flip_row),
    "no anchor": ("anchor is in its place", _no_anchor),
    "another passphrase": ("keys open", _no_key),
}


@pytest.mark.verifies("SRS-QUA-004", rc=("RC-040",))
@pytest.mark.parametrize(("check", "strike"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_of_a_home_fails_the_check_made_for_it(
    settings: Settings, check: str, strike: Callable[[Settings], None]
) -> None:
    assert _verdict(settings, check)[0] == PASS
    strike(settings)
    assert _verdict(settings, check)[0] == FAIL


@pytest.mark.parametrize("file", ["weights.safetensors", "tables.json", "manifest.json"])
def test_a_changed_byte_of_the_release_fails(tmp_path: Path, settings: Settings, file: str) -> None:
    folder = tmp_path / "release"
    shutil.copytree(default_folder(), folder)
    other = settings.model_copy(update={"release": folder})
    assert _verdict(other, "release is the signed one")[0] == PASS
    data = bytearray((folder / file).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / file).write_bytes(bytes(data))
    assert _verdict(other, "release is the signed one")[0] == FAIL


@pytest.mark.parametrize("ahead", ["record", "jump"])
def test_a_clock_that_was_set_back_or_jumps_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, ahead: str
) -> None:
    assert _verdict(settings, "clock can be used")[0] == PASS
    moments = iter([0.0, 3600.0]) if ahead == "jump" else iter([-3600.0, -3600.0 + site._WATCHED_S])
    began = clock.now()

    def now() -> clock.Instant:
        later = next(moments)
        return clock.Instant(began.utc + timedelta(seconds=later), began.monotonic_ns + int(later % 3600 * 1e9))

    monkeypatch.setattr(clock, "now", now)
    verdict, seen = _verdict(settings, "clock can be used")
    assert verdict == FAIL
    assert ("behind the log and the anchor" in seen) == (ahead == "record")


@pytest.mark.parametrize(
    ("part", "other"), [("machine", "riscv64"), ("system", "Plan 9"), ("python_version_tuple", ("3", "13", "0"))]
)
def test_an_unlisted_platform_fails_and_is_named(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, part: str, other: object
) -> None:
    monkeypatch.setattr(f"platform.{part}", lambda: other)
    if part != "python_version_tuple":
        assert str(other) in site.platform_name()
    assert site.platform_name().startswith("not listed: ")
    verdict, seen = _verdict(settings, "platform is one of those")
    assert (verdict, seen.startswith("not listed: ")) == (FAIL, True)


def test_a_platform_is_listed_by_the_items_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for one in yaml.safe_load((items.folder() / "acceptance" / "platforms.yaml").read_text()):
        monkeypatch.setattr("platform.system", lambda one=one: one["system"])
        monkeypatch.setattr("platform.machine", lambda one=one: one["machine"])
        for version in one["python"]:
            monkeypatch.setattr("platform.python_version_tuple", lambda v=version: (*v.split("."), "0"))
            if one["listed"]:
                assert site.listed_platform() == one["id"]
            else:
                assert site.listed_platform() != one["id"]


def test_a_connection_is_heard_and_a_socket_of_this_machine_is_none(settings: Settings, tmp_path: Path) -> None:
    look = iq._TABLE[-1].look
    site.listen()
    assert look(settings)[0] == PASS
    with socket.socket(socket.AF_UNIX) as here, pytest.raises(FileNotFoundError):
        here.connect(str(tmp_path / "socket"))
    assert look(settings)[0] == PASS
    with socket.socket() as out, pytest.raises(ConnectionRefusedError):
        out.connect(("127.0.0.1", 1))
    assert look(settings)[0] == FAIL
    site.listen()
    assert look(settings)[0] == PASS
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("name.invalid", 80, flags=socket.AI_NUMERICHOST)
    assert look(settings)[0] == FAIL


PACKAGE = "shown_package"


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program of one module, installed from a wheel as pip does it."""
    import base64
    import hashlib

    root = tmp_path / "site"
    (root / PACKAGE).mkdir(parents=True)
    (root / PACKAGE / "__init__.py").write_bytes(b"ANSWER = 42\n")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"ANSWER = 42\n").digest()).rstrip(b"=").decode()
    about = root / f"{PACKAGE}-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {PACKAGE}\nVersion: 1.0\n")
    (about / "RECORD").write_text(f"{PACKAGE}/__init__.py,sha256={digest},12\n{about.name}/RECORD,,\n")
    monkeypatch.syspath_prepend(str(root))
    monkeypatch.setattr(installation, "PACKAGES", (PACKAGE,))
    monkeypatch.setattr(installation, "DISTRIBUTIONS", (PACKAGE,))
    return root


def test_files_of_the_program_itself_are_those_of_its_wheel(settings: Settings, wheel: Path) -> None:
    assert metadata.version(PACKAGE) == "1.0"
    assert _verdict(settings, "No byte of this program")[0] == PASS
    added = wheel / PACKAGE / "more.py"
    added.write_text("")
    assert _verdict(settings, "No byte of this program") == (FAIL, f"{PACKAGE}/more.py")
    added.unlink()
    (wheel / PACKAGE / "__init__.py").write_bytes(b"ANSWER = 43\n")
    assert _verdict(settings, "No byte of this program") == (FAIL, f"{PACKAGE}/__init__.py")
    (wheel / f"{PACKAGE}-1.0.dist-info" / "RECORD").write_text("")
    assert _verdict(settings, "No byte of this program")[0] == NOT_APPLICABLE


@pytest.mark.verifies("SRS-QUA-004", rc=("RC-040",))
def test_a_check_that_breaks_fails_and_does_not_hide_the_next(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Settings) -> site.Seen:
        raise ZeroDivisionError

    rows = iq._TABLE
    monkeypatch.setattr(iq, "_TABLE", (iq._Item(("SRS-QUA-004",), "o", "e", broken), rows[0]))
    first, second = iq.examine(settings)
    assert (first.verdict, first.actual[:17]) == (FAIL, "ZeroDivisionError")
    assert second.verdict == PASS


def test_the_closed_log_leaves_nothing_that_others_can_read(settings: Settings) -> None:
    home = homes.open_home(settings.home)
    with home.writing_ledger(home.passphrase(environ={})):
        pass
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in settings.home.rglob("*")}
    assert not any(modes.values()), modes


def test_each_check_names_requirements_that_exist() -> None:
    known = items.requirement_ids(items.folder())
    assert {name for about in iq.protocol() for name in about.requirements} <= known
    assert checks.protocol(iq.sources()) == checks.protocol(reversed(iq.sources()))


@pytest.mark.verifies("SRS-DOC-002")
def test_the_page_of_the_protocol_is_the_table_that_is_run() -> None:
    for name, text in protocols.pages().items():
        assert (Path("docs/regulatory") / name).read_text(encoding="utf-8") == text


@pytest.mark.verifies("SRS-QUA-007")
def test_a_folder_with_a_report_is_left_alone(tmp_path: Path) -> None:
    check_folder(tmp_path / "new")
    (tmp_path / "report.json").write_text(json.dumps({}))
    with pytest.raises(UsageError, match="already there"):
        check_folder(tmp_path)

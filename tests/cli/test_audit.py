# SPDX-License-Identifier: Apache-2.0
"""What the verbs of the log say of one home, in whatever state its owner or its disk has left it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from radiomicnet_md import compiling
from radiomicnet_md import home as homes
from radiomicnet_md.errors import ExitCode
from tests import desks
from tests.cli.conftest import Command

NOBODY = 65534
WRITING: dict[str, list[str]] = {
    "segment": ["segment", "scan.png", "--out", "out"],
    "export": ["audit", "export", "bundle"],
    "report": ["audit", "report", "--form", "csv", "--out", "records.csv"],
    "replay": ["audit", "replay", "0"],
}
READING: dict[str, list[str]] = {
    "list": ["audit", "list", "--all"],
    "verify": ["audit", "verify"],
    "structure": ["audit", "verify", "--structure"],
}


def state(home: Path) -> dict[str, bytes]:
    """Every byte of a home and its anchor."""
    return {**desks.tree(home), "anchor": homes.anchor_beside(home).read_bytes()}


@contextmanager
def read_only(home: Path) -> Iterator[None]:
    """Be somebody who owns a home that cannot be written: as on a disk that is mounted read-only."""
    tree = [home, *home.rglob("*"), homes.anchor_beside(home)]
    user = os.geteuid()
    for path in home.parent.parents:  # others use these at the same time; they may be passed through from now on
        if path.stat().st_uid == user and not path.stat().st_mode & stat.S_IXOTH:
            path.chmod(0o711)
    modes = {path: path.stat().st_mode for path in (*tree, home.parent)}
    home.parent.chmod(0o777)
    for path in tree:
        if user == 0:  # to the superuser no door is closed
            os.chown(path, NOBODY, -1)
        path.chmod(0o500 if path.is_dir() else 0o400)
    try:
        if user == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        os.seteuid(user)
        for path, mode in modes.items():
            path.chmod(mode)


@pytest.mark.verifies("SRS-LOG-030")
@pytest.mark.usefixtures("home")
def test_structure_alone_is_never_called_ok(command: Command) -> None:
    said = command("audit", "verify", "--structure")
    assert said.code == ExitCode.OK
    assert said.out.startswith("STRUCTURE ONLY, signatures not verified:  1 entries")
    (line,) = command("audit", "verify", "--structure", "--json").lines
    assert (line["ok"], line["structure_only"]) == (False, True)
    assert ["structure_only" in line for line in command("audit", "verify", "--json").lines] == [False]


@pytest.mark.verifies("SRS-LOG-030")
def test_a_log_that_does_not_fit_together_is_not_ok_without_signatures_either(command: Command, home: Path) -> None:
    data = (home / "audit.db").read_bytes()
    (home / "audit.db").write_bytes(data.replace(b'"payloadType"', b'"payloadTyp3"', 1))
    said = command("audit", "verify", "--structure", "--json")
    assert said.code == ExitCode.INTEGRITY
    assert (said.lines[0]["ok"], said.lines[0]["structure_only"]) == (False, True)
    assert command("audit", "verify", "--structure").out.startswith("NOT OK")


@pytest.mark.verifies("SRS-HOM-003")
@pytest.mark.usefixtures("engine")
def test_a_home_on_a_read_only_disk_is_read_and_not_written(
    command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    desks.write_images(tmp_path, "scan.png")
    monkeypatch.setattr(compiling, "announce", lambda _: None)  # the folder of compiled code is another user's here
    for arguments in WRITING.values():  # which also imports everything while this user may still read it
        assert command(*arguments).code in (ExitCode.OK, ExitCode.USAGE)
    (tmp_path / "bundle").rename(tmp_path / "former bundle")
    (tmp_path / "records.csv").unlink()
    expected = {name: command(*arguments) for name, arguments in READING.items()}
    before = state(home)
    with read_only(home):
        for name, arguments in READING.items():
            assert command(*arguments) == expected[name]
        for name, arguments in WRITING.items():
            said = command(*arguments)
            assert (name, said.code) == (name, ExitCode.CONFIGURATION), said.err
            assert "Traceback" not in said.err
    assert state(home) == before
    assert not (tmp_path / "bundle").exists()
    assert not (tmp_path / "records.csv").exists()
    assert command(*WRITING["report"]).code == ExitCode.OK


@pytest.mark.verifies("SRS-HOM-003")
def test_a_changed_byte_is_found_on_a_read_only_disk_too(command: Command, home: Path) -> None:
    data = (home / "audit.db").read_bytes()
    for at in (18, 19, 60, 63, 68, len(data) // 2, len(data) - 1):
        (home / "audit.db").write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with read_only(home):
            assert command("audit", "verify").code == ExitCode.INTEGRITY, at
    (home / "audit.db").write_bytes(data)
    with read_only(home):
        assert command("audit", "verify").code == ExitCode.OK


@pytest.mark.verifies("SRS-HOM-003")
def test_a_log_that_was_not_closed_is_not_half_read_on_a_read_only_disk(command: Command, home: Path) -> None:
    (home / "audit.db-wal").write_bytes(b"frames of a writer that was killed")
    with read_only(home):
        said = command("audit", "verify", "--json")
    assert said.code == ExitCode.CONFIGURATION
    assert "copy" in said.lines[0]["reason"]["remedy"].lower()


@pytest.mark.verifies("SRS-KEY-002")
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("name", WRITING)
def test_a_wrong_passphrase_five_times_writes_nothing_and_locks_nobody_out(
    command: Command, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    desks.write_images(tmp_path, "scan.png")
    (tmp_path / "wrong").write_text("not the passphrase")
    before = state(home)
    monkeypatch.setenv(homes.PASSPHRASE_FILE, str(tmp_path / "wrong"))
    for _ in range(5):
        said = command(*WRITING[name], "--json")
        assert (said.code, said.lines[-1]["reason"]["code"]) == (ExitCode.CONFIGURATION, "E-KEY-PASSPHRASE")
        assert state(home) == before
    assert {path.name for path in tmp_path.iterdir()} == {"home", "home.anchor", "scan.png", "wrong"}
    monkeypatch.delenv(homes.PASSPHRASE_FILE)
    code = command(*WRITING[name]).code
    assert code == (ExitCode.USAGE if name == "replay" else ExitCode.OK)  # there is no decision to replay yet


@pytest.mark.verifies("SRS-LOG-007")
def test_two_processes_report_at_once_and_both_are_in_the_log(command: Command, home: Path, tmp_path: Path) -> None:
    def process(number: int) -> subprocess.Popen[bytes]:
        out = str(tmp_path / f"records-{number}.csv")
        arguments = [sys.executable, "-m", "radiomicnet_md", "audit", "report", "--form", "csv", "--out", out]
        return subprocess.Popen(arguments, env=desks.environment(tmp_path, RADIOMICNET_MD_HOME=str(home)))

    assert [one.wait() for one in [process(number) for number in range(3)]] == [ExitCode.OK] * 3
    lines = command("audit", "list", "--all", "--json").lines
    assert [line["kind"] for line in lines] == ["genesis", "report", "report", "report"]
    assert command("audit", "verify").code == ExitCode.OK

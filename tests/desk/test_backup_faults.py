# SPDX-License-Identifier: Apache-2.0
"""A backup that is damaged, cut short or made up is refused; a kill or a full disk leaves the whole or nothing."""

from __future__ import annotations

import hashlib
import io
import os
import resource
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import backup
from radiomicnet_md import home as homes
from radiomicnet_md.backup import form
from radiomicnet_md.errors import Problem
from radiomicnet_md.intent import new_id
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.statement import REPORT, build
from tests import desks
from tests.desk.test_backup import beside, refusal, verified

pytestmark = pytest.mark.verifies("SRS-OPR-002")
_KILLED = 9


@pytest.fixture
def file(home: homes.Home, tmp_path: Path) -> Path:
    """A backup of a home without cases."""
    return backup.take(home, tmp_path / "backup.tar").file


def test_no_changed_byte_and_no_missing_end_is_taken_for_a_backup(file: Path, tmp_path: Path) -> None:
    whole, before = file.read_bytes(), beside(file)
    for at in [*range(2048), *range(2048, len(whole), 211), *range(len(whole) - 2048, len(whole))]:
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :])
        expected = "E-BACKUP-FOREIGN" if at < len(form.HEAD) else "E-BACKUP-DAMAGED"
        assert refusal(lambda: backup.restore(file, tmp_path / "new")) == expected, at
    for length in [*range(0, len(whole), 5003), *range(len(whole) - 200, len(whole))]:
        file.write_bytes(whole[:length])
        expected = "E-BACKUP-FOREIGN" if length < len(form.HEAD) else "E-BACKUP-DAMAGED"
        assert refusal(lambda: backup.restore(file, tmp_path / "new")) == expected, length
    for foreign in (b"", b"PK\x03\x04" + whole, os.urandom(4096), whole[512:]):
        file.write_bytes(foreign)
        assert refusal(lambda: backup.restore(file, tmp_path / "new")) == "E-BACKUP-FOREIGN"
    for longer in (whole + b"\0", whole + whole):
        file.write_bytes(longer)
        assert refusal(lambda: backup.restore(file, tmp_path / "new")) == "E-BACKUP-DAMAGED"
    assert beside(file) == before


def _forged(file: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]) -> None:
    """Rewrite a backup with other members, and with the digest that they give."""
    with tarfile.open(file) as archive:
        members = [(one, getattr(archive.extractfile(one), "read", bytes)()) for one in archive]
    change(members)
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for one, data in members:
            one.size = len(data)
            archive.addfile(one, io.BytesIO(data))
    content = made.getvalue()
    file.write_bytes(content + form.end(hashlib.sha256(content).hexdigest()))


def _renamed(name: str) -> Callable[[list[Any]], None]:
    def change(members: list[Any]) -> None:
        one = next(one for one, _ in members if one.name == "home/policy.json")
        one.name = name

    return change


def _linked(members: list[Any]) -> None:
    made = tarfile.TarInfo("home/passwd")
    made.type, made.linkname = tarfile.SYMTYPE, "/etc/passwd"
    members.insert(1, (made, b""))


def _with_head(**said: object) -> Callable[[list[Any]], None]:
    def change(members: list[Any]) -> None:
        about = canonical.loads(members[0][1])
        assert isinstance(about, dict)
        members[0] = (members[0][0], canonical.dumps({**about, **said}))
        digest = hashlib.sha256(members[0][1]).hexdigest()
        last = members[-1][1].partition(b"\n")[2]
        members[-1] = (members[-1][0], form.line(digest, form.HEAD).encode() + last)

    return change


@pytest.mark.parametrize(
    ("change", "code"),
    [
        *((_renamed(name), "E-BACKUP-DAMAGED") for name in ("../out", "home/../../out", "/etc/out", "home", "other")),
        *((_renamed(name), "E-BACKUP-DAMAGED") for name in ("home//a", "home/a\nb", "home/home.yaml", "anchor")),
        (_linked, "E-BACKUP-DAMAGED"),
        (lambda members: members.pop(), "E-BACKUP-DAMAGED"),
        (lambda members: members.pop(3), "E-BACKUP-DAMAGED"),
        (lambda members: members.insert(3, members[3]), "E-BACKUP-DAMAGED"),
        (lambda members: members.insert(3, (members[3][0], members.pop(3)[1] + b"!")), "E-BACKUP-DAMAGED"),
        (_with_head(origin="radiomicnet-md/0123456789abcdef"), "E-BACKUP-DAMAGED"),
        (_with_head(more=1), "E-BACKUP-DAMAGED"),
        (_with_head(format=2), "E-BACKUP-NEWER"),
    ],
)
def test_a_made_up_backup_with_the_right_digest_leads_nowhere(
    file: Path, tmp_path: Path, change: Callable[[list[Any]], None], code: str
) -> None:
    before = beside(file)
    _forged(file, change)
    assert refusal(lambda: backup.restore(file, tmp_path / "new")) == code
    assert beside(file) == before


def _in_a_child(work: Callable[[], object], before: Callable[[], object]) -> int:
    """Run in a process of its own, after ``before`` there; 0 done, 1 refused, or how it was ended."""
    child = os.fork()
    if child == 0:
        try:
            before()
            work()
        except Problem as problem:
            os._exit(1 if problem.code in ("E-BACKUP-WRITE", "E-RESTORE-WRITE") else 2)
        except BaseException:  # noqa: BLE001 -- a child must not go on as the test
            os._exit(3)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _killed_at(number: int) -> Callable[[], object]:
    """What ends a process at its n-th step on a disk: a file opened, linked, renamed, made or removed."""
    steps = {"open", "os.link", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.utime", "sqlite3.connect"}
    seen = 0

    def hook(event: str, _: object) -> None:
        nonlocal seen
        if event in steps:
            seen += 1
            if seen == number:
                os._exit(_KILLED)

    return lambda: sys.addaudithook(hook)


def test_a_kill_leaves_the_whole_backup_or_none(home: homes.Home, tmp_path: Path) -> None:
    out, number, ended = tmp_path / "backups" / "backup.tar", 1, _KILLED
    out.parent.mkdir()
    while ended == _KILLED:
        ended = _in_a_child(lambda: backup.take(home, out), _killed_at(number))
        if out.exists():
            made = backup.restore(out, tmp_path / f"restored-{number}" / "home")
            assert verified(made.home).ok
            out.unlink()
        else:
            assert ended == _KILLED
        number += 1
    assert ended == 0
    assert number > 40


def test_a_kill_leaves_the_whole_home_or_none_and_the_next_try_succeeds(file: Path, tmp_path: Path) -> None:
    expected, number, ended = desks.tree(backup.restore(file, tmp_path / "first").home.folder), 1, _KILLED
    folder = tmp_path / "sites" / "home"
    while ended == _KILLED:
        folder.parent.mkdir()
        ended = _in_a_child(lambda: backup.restore(file, folder), _killed_at(number))
        if folder.exists():
            assert desks.tree(folder) == expected
            assert homes.open_home(folder).anchor.is_file()
        else:
            assert ended == _KILLED
            assert desks.tree(backup.restore(file, folder).home.folder) == expected
        folder.parent.rename(tmp_path / f"sites-{number}")
        number += 5
    assert ended == 0
    assert number > 60


def test_a_full_disk_leaves_nothing_and_is_told(home: homes.Home, tmp_path: Path) -> None:
    """No file may grow beyond a limit, as on a disk with so much room; the largest are the log and the backup."""
    with desks.make_desk(home, desks.FakeEngine()).ledger as ledger:
        for _ in range(16):  # what SQLite needs to read a log is then smaller than the log
            ledger.append(build(REPORT, {"report": "0" * 64}, {"record_id": new_id(), "of": "x" * 3000}))
    file = backup.take(home, tmp_path / "backup.tar").file
    out, new, whole = tmp_path / "other.tar", tmp_path / "new", file.stat().st_size
    log = (home.folder / "audit.db").stat().st_size
    before = beside(file)

    def limited(length: int) -> Callable[[], object]:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (length, length))

    for length in (log - 1, whole // 2, whole - 1):  # with less, SQLite cannot even read the log
        assert _in_a_child(lambda: backup.take(home, out), limited(length)) == 1, length
        assert beside(file) == before
    for length in (0, 100, 4096, log - 1):
        assert _in_a_child(lambda: backup.restore(file, new), limited(length)) == 1, length
        assert beside(file) == before
    assert _in_a_child(lambda: backup.take(home, out), limited(whole * 2)) == 0

# SPDX-License-Identifier: Apache-2.0
"""What a record names is kept with it, or neither is: through kills, late failures, and other processes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import home as homes
from radiomicnet_md import shelf
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.errors import BusyError, ConfigurationError, IntegrityError, Problem
from radiomicnet_md.opening import open_desk
from radiomicnet_md_audit.errors import RecordError
from radiomicnet_md_audit.ledger import Ledger
from tests import desks


def predicates(desk: Desk) -> list[dict[str, Any]]:
    """Every record after the genesis."""
    return [desk.ledger.read(entry).predicate for entry in desk.ledger.entries(1)]


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-008")
def test_a_process_killed_after_the_commit_leaves_artefacts_and_no_half_of_an_output(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    child = os.fork()
    if child == 0:
        monkeypatch.setattr(shelf.Staged, "publish", lambda _: os._exit(9))
        segment_file(path, desk, Target(out, "scan"))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    assert desks.tree(out) == {}
    (record,) = predicates(desk)
    assert shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"]) is None
    known = {record["record_id"]}
    shelf.settle(desk.home.folder, lambda record_id, _: record_id in known)
    assert shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"]) is not None
    assert not list((desk.home.folder / "staging").iterdir())


@pytest.mark.verifies("SRS-REC-001")
def test_what_was_staged_without_a_record_is_removed_and_a_living_case_is_left_alone(desk: Desk) -> None:
    home = desk.home.folder
    dead, living = shelf.stage(home, "0" * 26, b"intent"), shelf.stage(home, "1" * 26, b"intent")
    dead.keep(b"mask")
    living.keep(b"mask")
    os.close(dead.lock)
    shelf.settle(home, lambda *_: False)
    assert [path.name for path in (home / "staging").iterdir()] == ["1" * 26]
    assert desks.tree(desk.home.artefacts) == {}
    living.discard()


@pytest.fixture
def append_fails_after_the_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    append = Ledger.append

    def commits(self: Ledger, document: dict[str, object]) -> None:
        append(self, document)
        raise ConfigurationError("E-ANCHOR-WRITE", "The anchor cannot be written.", remedy="Free space.")

    monkeypatch.setattr(Ledger, "append", commits)


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-008")
@pytest.mark.usefixtures("append_fails_after_the_commit")
def test_a_failure_after_the_commit_keeps_what_the_record_names_and_delivers_nothing(
    desk: Desk, tmp_path: Path, out: Path
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    with pytest.raises(ConfigurationError) as caught:
        segment_file(path, desk, Target(out, "scan"))
    assert caught.value.code == "E-ANCHOR-WRITE"
    assert desks.tree(out) == {}
    (record,) = predicates(desk)
    assert shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"]) is not None
    assert shelf.fetch(desk.home.folder, record["outputs"]["contributions_sha256"]) is not None
    assert not list((desk.home.folder / "staging").iterdir())


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-008")
@pytest.mark.usefixtures("append_fails_after_the_commit")
@pytest.mark.parametrize("obstacle", ["log", "shelf"])
def test_what_cannot_be_settled_after_a_failure_waits_for_the_next_opening(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, obstacle: str
) -> None:
    def stopped(*arguments: object) -> None:
        raise BusyError("E-LOG-BUSY", "Busy.", remedy="Try again.")

    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    with monkeypatch.context() as patched:
        patched.setattr(*{"log": (Ledger, "holds", stopped), "shelf": (shelf, "publish", stopped)}[obstacle])
        with pytest.raises(ConfigurationError):
            segment_file(path, desk, Target(out, "scan"))
    (record,) = predicates(desk)
    assert [folder.name for folder in (desk.home.folder / "staging").iterdir()] == [record["record_id"]]
    shelf.settle(desk.home.folder, lambda record_id, _: desk.ledger.holds(record_id))
    assert shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"]) is not None
    assert not list((desk.home.folder / "staging").iterdir())


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-008")
@pytest.mark.parametrize(
    "problem",
    [
        BusyError("E-LOG-BUSY", "Busy.", remedy="Try again."),
        IntegrityError("E-STORE", "Changed.", remedy="Restore it."),
        RecordError("E-RECORD-AMBIGUOUS", "Several.", remedy="Ask again."),
    ],
    ids=lambda problem: problem.code,
)
def test_a_log_that_does_not_say_what_it_holds_stops_the_opening(
    home: homes.Home, monkeypatch: pytest.MonkeyPatch, problem: Problem
) -> None:
    def fails(*arguments: object) -> None:
        raise problem

    left = shelf.stage(home.folder, "0" * 26, b"intent")
    left.keep(b"mask")
    os.close(left.lock)
    monkeypatch.setattr(Ledger, "holds", fails)
    with pytest.raises(type(problem)) as caught, open_desk(Settings(home=home.folder)):
        pass
    assert caught.value is problem
    assert len(list(left.folder.iterdir())) == 2


@pytest.mark.verifies("SRS-REC-001")
def test_what_is_no_staging_folder_or_has_gone_does_not_stop_an_opening(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = desk.home.folder
    staging = home / "staging"
    (staging / ".DS_Store").write_bytes(b"")
    (staging / "lost+found").mkdir()
    (staging / "link").symlink_to(home / "vault")
    left = shelf.stage(home, "0" * 26, b"intent")
    os.close(left.lock)
    found = [*sorted(staging.iterdir()), staging / ("1" * 26)]
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", lambda _: iter(found))
        shelf.settle(home, lambda *_: False)
    assert sorted(path.name for path in staging.iterdir()) == [".DS_Store", "link", "lost+found"]
    assert (home / "vault" / "key").is_file()


@pytest.mark.verifies("SRS-REC-001")
def test_a_folder_that_its_process_removes_while_it_is_opened_has_gone(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, flock = shelf.stage(desk.home.folder, "0" * 26, b"intent"), fcntl.flock

    def late(lock: int, how: int) -> None:
        if how & fcntl.LOCK_NB and left.folder.exists():
            left.discard()
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    shelf.settle(desk.home.folder, lambda *_: True)
    assert not left.folder.exists()


@pytest.mark.verifies("SRS-REC-001")
def test_nobody_settles_between_the_making_of_a_folder_and_its_lock(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, mkdir, others = desk.home.folder, Path.mkdir, []

    def slow(path: Path, mode: int) -> None:
        mkdir(path, mode)
        others.append(threading.Thread(target=shelf.settle, args=(home, lambda *_: False)))
        others[0].start()
        others[0].join(timeout=0.2)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "mkdir", slow)
        staged = shelf.stage(home, "0" * 26, b"intent")
    others[0].join()
    assert staged.folder.is_dir()
    staged.discard()


@pytest.mark.verifies("SRS-REC-001")
def test_a_shelf_that_is_not_there_is_a_problem_and_no_traceback(desk: Desk) -> None:
    home = desk.home.folder
    staged = shelf.stage(home, "0" * 26, b"intent")
    staged.keep(b"mask")
    (home / "artefacts").rmdir()
    with pytest.raises(ConfigurationError, match="cannot take"):
        staged.publish()
    with pytest.raises(ConfigurationError, match="cannot take"):
        shelf.settle(home, lambda *_: True)
    shutil.rmtree(home / "staging")
    for use in (lambda: shelf.stage(home, "1" * 26, b"intent"), lambda: shelf.settle(home, lambda *_: True)):
        with pytest.raises(ConfigurationError) as caught:
            use()
        assert caught.value.code == "E-HOME-WRITE"


@pytest.mark.verifies("SRS-INP-007", rc=("RC-025",))
def test_kept_samples_that_were_changed_are_given_to_nobody(tmp_path: Path) -> None:
    place = shelf.artefact(tmp_path, hashlib.sha256(b"samples").hexdigest())
    assert shelf.fetch(tmp_path, place.name) is None
    place.parent.mkdir(parents=True)
    place.write_bytes(b"samples")
    assert shelf.fetch(tmp_path, place.name) == b"samples"
    place.write_bytes(b"Samples")
    with pytest.raises(IntegrityError) as caught:
        shelf.fetch(tmp_path, place.name)
    assert caught.value.code == "E-ARTEFACT-CHANGED"

# SPDX-License-Identifier: Apache-2.0
"""Inbox and outbox in one process: what is full, what is left by a crash, what is set aside."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from radiomicnet_md.dicomnode import inbox as inboxes
from radiomicnet_md.dicomnode import outbox as outboxes
from radiomicnet_md.dicomnode import tables
from radiomicnet_md.dicomnode.inbox import Inbox, request_id
from radiomicnet_md.dicomnode.outbox import Outbox
from radiomicnet_md.dicomnode.receiving import Place, Receiver
from radiomicnet_md.errors import BusyError
from tests.dicomnode import nodes

ONE, OTHER = request_id("0" * 64, b"one"), request_id("0" * 64, b"other")


@pytest.fixture
def inbox(tmp_path: Path) -> Iterator[Inbox]:
    with Inbox(tmp_path) as made:
        yield made


def waiting(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name not in {".lock", "failed"})


def full(*_: object) -> SimpleNamespace:
    return SimpleNamespace(free=0)


def failing(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.verifies("SRS-DCM-001")
def test_what_was_taken_is_there_for_the_next_process_and_half_files_are_not(tmp_path: Path) -> None:
    with Inbox(tmp_path) as first:
        assert first.take(ONE, "1.2", b"one")
        assert not first.take(ONE, "1.2", b"one")
        first.begin(first.due(0)[0])
        (tmp_path / "inbox" / ".0123.part").write_bytes(b"half")
    with Inbox(tmp_path) as second:
        (entry,) = second.due(0)
        assert (entry.request_id, entry.attempts, second.path(entry).read_bytes()) == (ONE, 1, b"one")
        assert waiting(tmp_path / "inbox") == [entry.name]
        second.give_back(entry)
        assert second.due(0)[0].attempts == 0
        second.drop(second.due(0)[0])
    assert waiting(tmp_path / "inbox") == []


@pytest.mark.verifies("SRS-DCM-001")
def test_what_was_begun_before_waits_for_the_others(inbox: Inbox) -> None:
    inbox.take(ONE, "1.2", b"one")
    inbox.begin(inbox.due(0)[0])
    inbox.take(OTHER, "1.3", b"other")
    assert [entry.request_id for entry in inbox.due(0)] == [OTHER, ONE]


@pytest.mark.verifies("SRS-DCM-001", rc=("RC-033",))
def test_what_is_acknowledged_is_on_the_disk_once_and_what_is_not_is_nowhere(
    tmp_path: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inbox.take(ONE, "1.2", b"one")
    kept = [path.read_bytes() for path in (tmp_path / "inbox").iterdir() if path.name in waiting(tmp_path / "inbox")]
    assert kept == [b"one"]
    assert inbox.take(ONE, "1.2", b"one") is False
    for place, name, instead in (
        (inboxes, "write_private", failing),
        (inboxes.shutil, "disk_usage", full),
        (inboxes, "MOST_WAITING", 1),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(place, name, instead)
            with pytest.raises(inboxes.NoRoomError):
                inbox.take(OTHER, "1.2", b"other")
    assert len(inbox) == len(waiting(tmp_path / "inbox")) == 1


@pytest.mark.verifies("SRS-DCM-002")
@pytest.mark.parametrize(
    "make_full",
    [
        lambda patch: patch.setattr(inboxes.shutil, "disk_usage", full),
        lambda patch: patch.setattr(inboxes, "write_private", failing),
        lambda patch: patch.setattr(inboxes, "sync_folder", failing),
        lambda patch: patch.setattr(inboxes, "MOST_WAITING", 0),
    ],
    ids=["no space", "fails in the middle", "fails at its name", "too many"],
)
def test_a_full_inbox_says_so_by_the_protocol_s_status(
    inbox: Inbox, monkeypatch: pytest.MonkeyPatch, make_full: Callable[[pytest.MonkeyPatch], None]
) -> None:
    receiver = Receiver(Place(port=0), inbox, "0" * 64, lambda: None)
    try:
        with monkeypatch.context() as patch:
            make_full(patch)
            assert nodes.send(receiver.port, [nodes.study(1)]) == [tables.NO_ROOM]
            assert len(inbox) == 0
        assert nodes.send(receiver.port, [nodes.study(1)]) == [tables.SUCCESS]
    finally:
        receiver.stop()


@pytest.mark.verifies("SRS-DCM-002")
def test_a_full_outbox_lets_nothing_new_in(inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outbox = Outbox(tmp_path)
    monkeypatch.setattr(outboxes, "MOST_WAITING", 1)
    path = tmp_path / "a.dcm"
    path.write_bytes(b"a")
    receiver = Receiver(Place(port=0), inbox, "0" * 64, outbox.refuse_full)
    try:
        assert nodes.send(receiver.port, [nodes.study(1)]) == [tables.SUCCESS]
        job = outbox.put("archive", [path])
        assert nodes.send(receiver.port, [nodes.study(2)]) == [tables.NO_ROOM]
        with pytest.raises(BusyError) as raised:
            outbox.put("archive", [path])
        assert raised.value.code == "E-OUTBOX-FULL"
        outbox.drop(job)
        assert nodes.send(receiver.port, [nodes.study(2)]) == [tables.SUCCESS]
    finally:
        receiver.stop()


@pytest.mark.verifies("SRS-DCM-003")
def test_a_job_is_whole_or_not_there(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    path = tmp_path / "a.dcm"
    path.write_bytes(b"a")
    job = outbox.put("archive", [path], ONE)
    assert outbox.put("archive", [path], ONE) == job  # the same again, as after a crash
    other = outbox.put("elsewhere", [path], ONE)
    half = tmp_path / "outbox" / f".{OTHER}.part"
    half.mkdir()
    outbox.sweep()
    assert not half.exists()
    assert Outbox(tmp_path).jobs() == [job, other]
    assert [file.read_bytes() for file in job.files] == [b"a"]
    outbox.set_aside(job)
    outbox.drop(other)
    assert outbox.jobs() == []
    assert [folder.name for folder in (tmp_path / "outbox" / "failed").iterdir()] == [job.id]


@pytest.mark.verifies("SRS-DCM-002")
def test_an_instance_larger_than_the_limit_is_cut_off(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "MOST_INSTANCE", 4096)
    receiver = Receiver(Place(port=0), inbox, "0" * 64, lambda: None)
    try:
        assert nodes.send(receiver.port, [nodes.study(1)]) == [None]
        assert len(inbox) == 0
    finally:
        receiver.stop()

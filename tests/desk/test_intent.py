# SPDX-License-Identifier: Apache-2.0
"""A case that was begun is finished or recorded, wherever its process was killed: processes die here, one a step."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md import delivery, intent, io, opening, shelf
from radiomicnet_md import desk as desks_
from radiomicnet_md import home as homes
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.opening import open_desk
from radiomicnet_md_audit import canonical
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks

DEAD = 9


def die(*_: object, **__: object) -> None:
    os._exit(DEAD)


def after(wrapped: Callable[..., Any]) -> Callable[..., Any]:
    """Do it, then die."""

    def dies(*arguments: object) -> None:
        wrapped(*arguments)
        os._exit(DEAD)

    return dies


# Where a process is killed: what is replaced, by what, and the state that the record of its attempt has at last.
STEPS: dict[str, tuple[object, str, Callable[..., Any], str | None]] = {
    "before the intent": (shelf, "write_private", die, "ERROR"),
    "with the intent": (shelf, "sync_folder", after(shelf.sync_folder), "ERROR"),
    "before reading": (io.Reader, "read", die, "ERROR"),
    "while deciding": (desks.FakeEngine, "decide", die, "ERROR"),
    "before the record": (Ledger, "append", die, "ERROR"),
    "after the record": (Ledger, "append", after(Ledger.append), "RESULT"),
    "while publishing": (Path, "replace", after(Path.replace), "RESULT"),
    "before delivery": (delivery, "deliver", die, "RESULT"),
    "never": (desks_, "retested", die, "RESULT"),
}
# And where one is killed that settles what others have left.
OPENINGS: dict[str, tuple[object, str, Callable[..., Any]]] = {
    "before it asks": (opening, "_finished", die),
    "before it records": (Ledger, "append", die),
    "after it recorded": (Ledger, "append", after(Ledger.append)),
    "while it removes": (shutil, "rmtree", die),
    "never": (desks_, "retested", die),
}


@contextmanager
def opened(home: homes.Home) -> Iterator[Desk]:
    """The desk of a home, as a process opens it, with the engine of the tests."""
    with (
        mock.patch.object(opening, "use_private_cache"),
        mock.patch.object(opening, "_desk", lambda *given: Desk(*given[1:], desks.MAKER, desks.FakeEngine(), STATE)),
        open_desk(Settings(home=home.folder)) as desk,
    ):
        yield desk


STATE = desks.State.UNQUALIFIED


def killed(doing: Callable[[], object], place: object, name: str, instead: Callable[..., Any]) -> None:
    """Do something in a process of its own, which dies where it gets to that place."""
    child = os.fork()
    if child == 0:
        try:
            with mock.patch.object(place, name, instead):
                doing()
        finally:
            os._exit(0)
    os.waitpid(child, 0)


def attempt(home: homes.Home, source: Path, out: Path, step: str) -> None:
    def segments() -> None:
        with opened(home) as desk:
            place, name, instead, _ = STEPS[step]
            with mock.patch.object(place, name, instead):
                segment_file(source, desk, Target(out, "scan"))

    killed(segments, desks_, "retested", die)


def begun(home: homes.Home) -> dict[str, bytes]:
    """The intents that wait, by record id."""
    folders = sorted((home.folder / "staging").iterdir())
    return {one.name: (one / "intent").read_bytes() if (one / "intent").exists() else b"" for one in folders}


def predicates(ledger: Ledger) -> list[dict[str, Any]]:
    """Every record after the genesis."""
    return [ledger.read(entry).predicate for entry in ledger.entries(1)]


def whole(desk: Desk) -> None:
    """Nothing waits, every result has its artefacts, nothing else is kept, and the log verifies."""
    found = predicates(desk.ledger)
    assert begun(desk.home) == {}
    named = {
        digest
        for one in found
        for digest in (
            *(one["outputs"] or {}).values(),
            (one["input"] or {}).get("pixels_sha256"),
            (one["stages"] or {}).get("logit"),
        )
        if isinstance(digest, str)
    }
    assert {Path(name).name for name in desks.tree(desk.home.artefacts)} == named
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok


@pytest.mark.verifies("SRS-REC-007", "SRS-REC-001")
@pytest.mark.parametrize("step", STEPS)
def test_a_case_killed_anywhere_is_finished_or_recorded_at_the_next_opening(
    home: homes.Home, tmp_path: Path, out: Path, step: str
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    with opened(home):  # keys are decrypted once, before any process is made
        pass
    attempt(home, source, out, step)
    intents, state = begun(home), STEPS[step][3]
    assert (desks.tree(out) != {}) == (step == "never")
    with opened(home) as desk:
        (found,) = predicates(desk.ledger)
        assert found["state"] == state
        whole(desk)
    for record_id, data in intents.items():
        assert found["record_id"] == record_id
        if data:
            assert found["request_id"] == canonical.loads(data)["request_id"]  # type: ignore[index]
    if state == "ERROR":
        assert found["reason"]["code"] == "E-INTERRUPTED"
        assert found["release"] is found["input"] is found["outputs"] is None
        about = {"id": "fake", "version": "1.2.3"}
        assert found["intent"] is None if step == "before the intent" else found["intent"]["release"] == about
    with opened(home) as desk:  # and nothing is recorded twice
        assert desk.ledger.size == 2


@pytest.mark.verifies("SRS-REC-007")
def test_the_intent_and_the_folders_that_name_it_are_synced_before_the_input_is_read(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    done: list[str] = []
    fsync, read = os.fsync, io.Reader.read

    def synced(handle: int) -> None:
        done.append(Path(f"/proc/self/fd/{handle}").readlink().name)
        fsync(handle)

    def reads(reader: io.Reader, given: io.Input) -> io.Reading:
        done.append("read")
        return read(reader, given)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(io.Reader, "read", reads)
    answer = segment_file(source, desk, Target(out, "scan"))
    assert done[:4] == ["intent", answer.record_id, "staging", "read"]


@pytest.mark.verifies("SRS-REC-007")
@pytest.mark.parametrize("step", OPENINGS)
def test_an_opening_that_is_killed_while_it_settles_is_made_good_by_the_next(
    home: homes.Home, tmp_path: Path, out: Path, step: str
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    with opened(home):
        pass
    attempt(home, source, out, "before the record")
    assert len(list((home.folder / "staging").glob("*/*"))) > 1
    killed(lambda: opened(home).__enter__(), *OPENINGS[step])
    with opened(home) as desk:
        (found,) = predicates(desk.ledger)
        assert found["reason"]["code"] == "E-INTERRUPTED"
        whole(desk)


@pytest.mark.verifies("SRS-REC-007", "SRS-REC-001")
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(sorted(STEPS)), max_size=4), last=st.sampled_from(sorted(OPENINGS)))
def test_any_sequence_of_kills_leaves_one_record_an_attempt(
    made_home: Path, home: homes.Home, tmp_path_factory: pytest.TempPathFactory, steps: list[str], last: str
) -> None:
    folder = tmp_path_factory.mktemp("kills") / "home"
    shutil.copytree(made_home, folder)
    shutil.copyfile(homes.anchor_beside(made_home), homes.anchor_beside(folder))
    home = homes.open_home(folder)
    (source,) = desks.write_images(folder.parent / "in", "scan.png")
    for step in steps:
        attempt(home, source, folder.parent / "out", step)
    killed(lambda: opened(home).__enter__(), *OPENINGS[last])
    with opened(home) as desk:
        assert [one["state"] for one in predicates(desk.ledger)] == [STEPS[step][3] for step in steps]
        whole(desk)


@pytest.mark.verifies("SRS-REC-007")
def test_the_intent_of_a_living_process_is_never_taken(home: homes.Home, tmp_path: Path, out: Path) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    (asked, asks), (told, tells) = os.pipe(), os.pipe()
    with opened(home):
        pass

    def waits(*_: object) -> None:
        os.write(asks, b"!")
        os.read(told, 1)
        raise OSError

    child = os.fork()
    if child == 0:
        os.close(tells)
        attempt_here(home, source, out, waits)
    os.read(asked, 1)
    (record_id,) = begun(home)
    with opened(home) as desk:
        assert desk.ledger.size == 1
        assert list(begun(home)) == [record_id]
        os.write(tells, b"!")
        os.waitpid(child, 0)
        (found,) = predicates(desk.ledger)
    assert (found["record_id"], found["reason"]["code"]) == (record_id, "E-UNEXPECTED")
    for handle in (asked, asks, told, tells):
        os.close(handle)


def attempt_here(home: homes.Home, source: Path, out: Path, reads: Callable[..., Any]) -> None:
    try:
        with opened(home) as desk, mock.patch.object(io.Reader, "read", reads):
            segment_file(source, desk, Target(out, "scan"))
    finally:
        os._exit(0)


@pytest.mark.verifies("SRS-REC-007", "SRS-REC-001")
def test_a_log_that_cannot_be_written_leaves_the_intent_and_what_is_beside_it(
    home: homes.Home, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    with opened(home):
        pass
    attempt(home, source, out, "before the record")
    left = desks.tree(home.folder / "staging")

    def full(*_: object) -> None:
        raise ConfigurationError("E-STORE-WRITE", "Full.", remedy="Free space.")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", full)
        with pytest.raises(ConfigurationError, match="Full"), opened(home):
            pass
    assert desks.tree(home.folder / "staging") == left
    with opened(home) as desk:
        assert [one["reason"]["code"] for one in predicates(desk.ledger)] == ["E-INTERRUPTED"]


@pytest.mark.verifies("SRS-REC-007", "SRS-REC-001")
def test_an_attempt_whose_record_was_refused_by_the_log_is_recorded_at_the_next_opening(
    home: homes.Home, tmp_path: Path, out: Path
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    with opened(home) as desk, home.reading_ledger() as reading, pytest.raises(ConfigurationError):
        segment_file(source, replace(desk, ledger=reading), Target(out, "scan"))
    (waiting,) = begun(home)
    with opened(home) as desk:
        assert [one["record_id"] for one in predicates(desk.ledger)] == [waiting]
        whole(desk)


@pytest.mark.verifies("SRS-REC-007")
def test_a_home_that_takes_no_intent_decides_nothing(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path
) -> None:
    (source,) = desks.write_images(tmp_path / "in", "scan.png")
    staging = desk.home.folder / "staging"
    before = desks.tree(desk.home.folder)
    for folder in (*tmp_path.parents[:2], tmp_path, desk.home.folder):  # so that another user gets to the place
        folder.chmod(folder.stat().st_mode | 0o111)
    staging.chmod(0o555)
    user = os.geteuid()
    try:
        (desk.home.folder / "staging.lock").touch(0o666)
        (desk.home.folder / "staging.lock").chmod(0o666)
        if user == 0:
            os.seteuid(65534)  # to the superuser no door is closed
        with pytest.raises(ConfigurationError) as caught:
            segment_file(source, desk, Target(out, "scan"))
    finally:
        os.seteuid(user)
        staging.chmod(0o700)
    assert caught.value.code == "E-HOME-WRITE"
    assert (engine.asked, desk.ledger.size) == (0, 1)
    (desk.home.folder / "staging.lock").unlink()
    assert desks.tree(desk.home.folder) == before


@pytest.mark.verifies("SRS-REC-007")
def test_a_full_disk_at_the_intent_leaves_no_attempt(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shelf, "write_private", full)
    with pytest.raises(ConfigurationError, match="No space"):
        shelf.stage(desk.home.folder, "0" * 26, b"intent")
    assert begun(desk.home) == {}


@pytest.mark.verifies("SRS-REC-007", "SRS-REC-006")
@given(data=st.data())
def test_an_intent_reads_back_and_every_other_byte_string_is_no_intent(data: st.DataObject) -> None:
    made = intent.Intent.new(desks.MAKER if data.draw(st.booleans()) else replace(desks.MAKER, release=None))
    written = made.to_bytes()
    assert intent.parse(made.record_id, written) == made
    assert intent.parse("0" * 26, written) is None
    assert b"scan" not in written
    cut = data.draw(st.integers(0, len(written) - 1))
    assert intent.parse(made.record_id, written[:cut]) is None
    for other in ({"release": {"id": "x", "version": "1", "more": "2"}}, {"time_utc": "now"}, {"request_id": "mine"}):
        assert intent.parse(made.record_id, canonical.dumps({**canonical.loads(written), **other})) is None  # type: ignore[dict-item]

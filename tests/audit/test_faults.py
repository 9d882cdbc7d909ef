# SPDX-License-Identifier: Apache-2.0
"""A fault at any call loses nothing acknowledged and releases nothing unlogged (the campaign's short form)."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from radiomicnet_md_audit import failures, sqlite_store
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.faults import campaign, clocks, strikes, tracer
from tests.audit.faults.homes import Deciding
from tests.audit.faults.logs import Appending, Creating, answered, judged, typed
from tests.audit.faults.outcome import LOST, STUCK, UNLOGGED, UNTYPED, UNVERIFIED, Outcome
from tests.audit.faults.tracer import End, Say
from tests.audit.sites import Site

Require = Callable[[str], Path]

POINTS = {"log": 48, "home": 24, "double": 8, "short": 9, "full": 8, "server": 8, "clock": 8}


@pytest.mark.verifies("SRS-LOG-008", "SRS-LOG-014", "SRS-REC-001")
@pytest.mark.parametrize("part", campaign.PARTS)
def test_a_fault_at_any_point_does_no_harm(part: str, require: Require, tmp_path: Path, root: Path) -> None:
    for program in campaign.PARTS[part].programs:
        require(program)
    command = [sys.executable, "-m", "tests.audit.faults", "--only", part, "--points", str(POINTS[part])]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*command, "--seed", "2026", "--out", str(tmp_path / "faults.json")],
        cwd=root, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.count("Traceback")) == (0, 0), done.stdout + done.stderr
    said = json.loads((tmp_path / "faults.json").read_text("utf-8"))
    assert said["wrong"] == []
    assert {row["part"] for row in said["rows"]} == {part}
    assert sum(row["points"] for row in said["rows"]) >= POINTS[part] // 3
    assert len(said["rows"]) >= {"log": 5, "home": 5, "double": 3, "server": 2}.get(part, 1)


@pytest.fixture
def stage(require: Require, request: pytest.FixtureRequest) -> Iterator[strikes.Stage]:
    """A scenario, prepared; strace is here."""
    require("strace")
    with strikes.staged(request.param) as made:
        yield made


@pytest.mark.verifies("SRS-LOG-008")
@pytest.mark.parametrize("stage", [Creating()], indirect=True)
def test_a_log_that_gets_no_write_ahead_log_is_not_made(stage: strikes.Stage) -> None:
    act = stage.scenario.act
    calls = [call for call in tracer.record(act, stage.fresh()) if call.file == "audit.db-journal"]
    codes = set()
    for call in calls:
        outcome = stage.judged("log", call.name, "EIO", "", tracer.strike(act, stage.fresh(), call, "EIO"))
        assert outcome.wrong == {}
        codes |= set(outcome.codes)
    assert codes == {"E-STORE-IO", "E-STORE-OPEN"}
    with sa.create_engine("sqlite://").connect() as memory, pytest.raises(ConfigurationError) as caught:
        sqlite_store._ask_for_wal(memory)
    assert caught.value.code == "E-STORE-WAL"


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-008")
@pytest.mark.parametrize("stage", [Deciding()], indirect=True)
def test_a_commit_that_failed_does_not_come_back_without_its_artefacts(stage: strikes.Stage) -> None:
    """SQLite's recovery takes up a commit that was written and not synced, when its process dies before the next."""
    act = stage.scenario.act
    syncs = [
        call
        for call in tracer.record(act, stage.fresh())
        if (call.name, call.file) == ("fdatasync", "home/audit.db-wal")
    ]
    struck = 0
    for error in syncs:
        after = tracer.record(act, stage.fresh(), error)
        for call in [one for one in after if one.name in {"unlinkat", "ftruncate"}]:
            end = tracer.strike(act, stage.fresh(), call, tracer.KILL, error)
            struck += end.struck
            assert stage.judged("double", call.name, "", "", end).wrong == {}
    assert struck >= 6


@pytest.mark.verifies("SRS-LOG-008")
@pytest.mark.parametrize("stage", [Appending()], indirect=True)
def test_a_file_that_cannot_grow_gets_a_short_write(stage: strikes.Stage) -> None:
    limit = (stage.fresh() / "audit.db").stat().st_size // 2 + 1000
    end = tracer.limit(stage.scenario.act, stage.folder, limit, deadly=False)
    assert end.struck
    assert (stage.folder / "audit.db-wal").stat().st_size in {0, limit}
    assert stage.judged("short", "write", "", "", end).wrong == {}


@pytest.mark.verifies("SRS-LOG-008")
def test_harm_of_each_kind_is_found(site: Site, tmp_path: Path) -> None:
    """The judge is judged: each harm is done once, and called by its name."""
    out = site.folder / "out"
    out.mkdir()
    site.count = 3000
    assert judged(site, End(0)) == {}
    assert judged(site, End(0, [["acknowledged", "z" * 26]])) == {LOST: "z" * 26}
    assert UNTYPED in judged(site, End(0, [["crashed", "Traceback"]]))
    assert UNTYPED in typed(End(ExitCode.INTEGRITY))
    assert UNTYPED in answered("oops", 7)
    assert UNTYPED in answered("E-STORE-CORRUPT", 4)
    (out / ("y" * 26)).write_bytes(b"")
    assert judged(site, End(0)) == {UNLOGGED: "y" * 26}
    (out / ("y" * 26)).unlink()
    older = site.database.read_bytes()
    assert judged(site, End(0)) == {}
    site.database.write_bytes(older)
    assert set(judged(site, End(0))) == {UNVERIFIED, STUCK}


@pytest.mark.verifies("SRS-LOG-008")
def test_a_traceback_in_a_child_is_told(tmp_path: Path) -> None:
    def act(folder: Path, say: Say) -> None:
        say("acknowledged", "a")
        raise OSError(5, "Input/output error")

    end = tracer.run(act, tmp_path)
    assert (end.status, end.of("acknowledged")) == (1, [["a"]])
    assert UNTYPED in typed(end)


@pytest.mark.verifies("SRS-LOG-008")
def test_the_table_counts_every_harm() -> None:
    outcomes = [
        Outcome("log", "append", "write", "EIO", ""),
        Outcome("log", "append", "write", "SIGKILL", "", {LOST: "a"}),
        Outcome("log", "append", "fsync", "EIO", "", {LOST: "a", UNLOGGED: "b"}),
    ]
    rows = campaign.rows(outcomes)
    assert [(row.call, row.points, row.wrong[:2]) for row in rows] == [("write", 2, (1, 0)), ("fsync", 1, (1, 1))]
    assert "| **all** | | | **3** | **2** | **1** | **0** | **0** | **0** |" in campaign.table(rows)


@pytest.mark.verifies("SRS-LOG-008")
def test_a_note_of_the_closed_file_that_cannot_be_read_does_not_stop_a_close(site: Site) -> None:
    note = site.folder / "audit.db.settled"
    note.unlink()
    note.mkdir()
    with site.open() as ledger:
        site.append(ledger)
    note.rmdir()
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-008")
def test_an_anchor_that_cannot_be_locked_is_a_typed_failure(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(37, os.strerror(37))

    with site.open() as ledger:
        monkeypatch.setattr(fcntl, "flock", no_locks)
        with pytest.raises(ConfigurationError) as caught:
            site.append(ledger)
        monkeypatch.undo()
        assert caught.value.code == "E-ANCHOR-WRITE"
        assert site.append(ledger)[0].index == 7
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-008")
def test_locks_that_do_not_work_are_no_damage() -> None:
    class Protocol(Exception):  # noqa: N818 -- as sqlite3 would raise it
        sqlite_errorcode = 15

    problem = failures.problem(Protocol())
    assert (problem.code, problem.exit_code) == ("E-STORE-LOCK", ExitCode.CONFIGURATION)


@pytest.mark.verifies("SRS-LOG-008")
def test_a_clock_before_1970_has_no_seconds() -> None:
    assert Instant(datetime(1969, 12, 31, tzinfo=UTC), 0).posix_seconds() == 0
    assert Instant(datetime(1970, 1, 2, tzinfo=UTC), 0).posix_seconds() == 86_400


@pytest.mark.verifies("SRS-LOG-008")
@pytest.mark.parametrize("jump", ["none", "back a day", "forward ten years", "a leap second", "stands still"])
def test_a_clock_that_was_set_back_is_told_and_is_no_failure(tmp_path: Path, jump: str) -> None:
    site, (start, by) = Site(tmp_path), clocks.JUMPS[jump]
    clock = clocks.Clock(start)
    with Ledger.create(site.url, site.origin, site.engine, site.log, site.anchor, clock=clock) as ledger:
        site.append(ledger, 2)
        clock.utc += 2 * by
        site.append(ledger, 2)
    report = site.verify()
    assert report.ok
    assert ("The clock was set back 1 times, first before entry 3." in report.claims[0].text) is (by < timedelta())

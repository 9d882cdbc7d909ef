# SPDX-License-Identifier: Apache-2.0
"""The database adds and reads; it neither changes nor forgets, as far as a database can promise that."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa

from radiomicnet_md_audit import merkle, sqlite_store, store
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, ExitCode, IntegrityError, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.store import Store
from tests.audit.sites import Site

pytestmark = pytest.mark.verifies("SRS-LOG-001")

CHANGES = (
    "UPDATE entry SET envelope = x'00'",
    "UPDATE node SET hash = x'00' WHERE level = 0",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM entry WHERE idx = 5",
    "DELETE FROM node",
    "DELETE FROM checkpoint WHERE size = 6",
    "INSERT OR REPLACE INTO entry SELECT * FROM entry WHERE idx = 2",
    "INSERT OR REPLACE INTO entry SELECT 6, envelope, record_id, request, producer, counter FROM entry WHERE idx = 2",
    "INSERT OR REPLACE INTO entry SELECT 6, envelope, 'x', request, producer, 99 FROM entry WHERE idx = 2",
    "INSERT OR REPLACE INTO entry SELECT 6, envelope, 'x', NULL, producer, counter FROM entry WHERE idx = 2",
    "INSERT OR REPLACE INTO node SELECT * FROM node WHERE level = 1",
    "INSERT OR REPLACE INTO checkpoint SELECT * FROM checkpoint WHERE size = 3",
    "INSERT INTO entry VALUES (7, x'00', 'x', NULL, 'p', 0)",
    "INSERT INTO entry VALUES (NULL, x'00', 'x', NULL, 'p', 0)",
    "INSERT INTO node VALUES (0, 9, x'00')",
    "INSERT INTO checkpoint VALUES (9, '')",
    "INSERT INTO checkpoint VALUES (0, '')",
)


@pytest.mark.parametrize("sql", CHANGES)
@pytest.mark.verifies("SRS-LOG-001", rc=("RC-003",))
def test_another_program_is_refused_by_triggers(site: Site, sql: str) -> None:
    before = site.database.read_bytes()
    connection = sqlite3.connect(site.database, isolation_level=None)
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(sql)
    connection.close()
    assert site.database.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        *(change for change in CHANGES if not change.startswith("INSERT")),
        "DROP TRIGGER entry_no_update",
        "DROP TABLE entry",
        "ALTER TABLE entry ADD COLUMN more",
        "CREATE TABLE more (a)",
        "CREATE TEMP TABLE more (a)",
        "CREATE TEMP TRIGGER t BEFORE INSERT ON entry BEGIN SELECT 1; END",
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 9",
        "INSERT INTO sqlite_master VALUES ('', '', '', 0, '')",
        "VACUUM",
        "REINDEX",
        "ANALYZE",
    ],
)
@pytest.mark.verifies("SRS-LOG-001", rc=("RC-003",))
def test_this_program_is_refused_by_its_own_guard(site: Site, sql: str) -> None:
    opened = Store.open(site.url)
    with opened._engine.connect() as connection, pytest.raises(sa.exc.DatabaseError, match=r"authoriz|prohibited"):
        connection.exec_driver_sql(sql)
    opened.close()


def test_a_commit_waits_for_the_disk(site: Site) -> None:
    opened = Store.open(site.url)
    with opened._engine.connect() as connection:
        raw = connection.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_authorizer(None)
        settings = {name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")}
        settings |= {
            name: raw.execute(f"PRAGMA {name}").fetchone()[0] for name in ("recursive_triggers", "busy_timeout")
        }
        connection.invalidate()
    opened.close()
    assert settings == {"synchronous": 2, "journal_mode": "wal", "recursive_triggers": 1, "busy_timeout": 10_000}


def test_the_database_is_private(site: Site) -> None:
    assert site.database.stat().st_mode & 0o077 == 0


def test_a_failed_transaction_leaves_nothing(site: Site) -> None:
    opened = Store.open(site.url)
    row = store.Row(6, b"{}", "x", None, "p", 0)
    with pytest.raises(IntegrityError), opened.write() as transaction:
        transaction.add(row, None, [merkle.Node(0, 99, b"")], "note")
    with opened.read() as transaction:
        assert transaction.size() == 6
    opened.close()


@pytest.mark.verifies("SRS-QUA-004")
def test_no_change_of_a_row_passes_and_none_is_left_by_trying(site: Site) -> None:
    opened = Store.open(site.url)
    assert opened.unrefused() == []
    assert site.verify().ok
    opened.close()


@pytest.mark.verifies("SRS-QUA-004")
@pytest.mark.parametrize("table", ["entry", "node", "checkpoint", "event"])
def test_a_trigger_that_was_taken_away_is_missed(site: Site, table: str) -> None:
    opened = Store.open(site.url)
    with sqlite3.connect(site.database) as owner:
        owner.execute(f"DROP TRIGGER {table}_no_update")
    (passed,) = opened.unrefused()
    assert passed.startswith(f"UPDATE {table} ")
    with sqlite3.connect(site.database) as owner:
        owner.execute(f"DROP TRIGGER {table}_no_delete")
        before = owner.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 -- a name of this test
        assert opened.unrefused()[1:] == [f"DELETE FROM {table}"]  # noqa: S608 -- not run
        assert owner.execute(f"SELECT count(*) FROM {table}").fetchone() == before  # noqa: S608
    opened.close()


def test_nodes_in_a_row_are_those_that_are_read_one_by_one(site: Site) -> None:
    opened = Store.open(site.url)
    with opened.read() as transaction:
        for level, count in ((0, 6), (1, 3), (2, 1)):
            one_by_one = [transaction.node(level, index) for index in range(count)]
            assert transaction.nodes(level, 0, count) == one_by_one
            assert transaction.nodes(level, 1, count) == one_by_one[1:]
            with pytest.raises(IntegrityError):
                transaction.nodes(level, 0, count + 1)
        assert transaction.nodes(0, 3, 3) == []
        for size in range(7):
            places = merkle.peaks(size)
            assert transaction.nodes_at(places) == [transaction.node(*place) for place in places]
        with pytest.raises(IntegrityError):
            transaction.nodes_at([(2, 0), (1, 3)])
    opened.close()


@pytest.mark.verifies("SRS-LOG-007")
def test_a_writer_waits_and_then_says_busy(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_store, "WAIT_MS", 150)
    other = sqlite3.connect(site.database, isolation_level=None)
    with site.open() as ledger:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BusyError) as caught:
            site.append(ledger)
        assert (caught.value.code, caught.value.exit_code) == ("E-LOG-BUSY", ExitCode.RETRY)
        other.execute("ROLLBACK")
        site.append(ledger)
    other.close()
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-007")
def test_reading_goes_on_while_another_writes(site: Site) -> None:
    other = sqlite3.connect(site.database, isolation_level=None)
    with site.read() as ledger:
        other.execute("BEGIN IMMEDIATE")
        assert ledger.size == 6
    other.close()


def test_a_full_disk_is_a_typed_failure_and_nothing_is_kept(site: Site) -> None:
    with site.open() as ledger:
        with ledger.store._engine.connect() as connection:
            raw = connection.connection.driver_connection
            assert isinstance(raw, sqlite3.Connection)
            raw.set_authorizer(None)
            raw.execute("PRAGMA max_page_count = 1")
        with pytest.raises(ConfigurationError) as caught:
            site.append(ledger, 200)
        assert caught.value.code == "E-STORE-FULL"
    assert site.verify().ok


def test_a_missing_log_is_not_made_by_looking(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Store.open(f"sqlite:///{tmp_path}/none.db")
    assert caught.value.code == "E-STORE-MISSING"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["postgresql://host/db", "mysql://host/db", "sqlite://", "sqlite:///", "audit.db", ""])
def test_another_kind_of_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Store.open(url)
    assert caught.value.code == "E-STORE-URL"


@pytest.mark.parametrize("content", [b"", b"no database at all, only text" * 200, b"SQLite format 3\0" + bytes(4080)])
def test_a_file_that_is_no_log_is_an_integrity_failure(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audit.db").write_bytes(content)
    with pytest.raises(IntegrityError) as caught:
        Store.open(f"sqlite:///{tmp_path}/audit.db")
    assert caught.value.code == "E-STORE-CORRUPT"


def test_a_newer_log_is_left_alone(site: Site) -> None:
    (site.folder / "audit.db.settled").unlink()
    site.administrate("PRAGMA user_version = 3")
    with pytest.raises(ConfigurationError) as caught:
        site.open()
    assert caught.value.code == "E-STORE-NEWER"


def test_a_log_is_never_made_over_another(site: Site) -> None:
    with pytest.raises(Problem) as caught:
        Ledger.create(site.url, site.origin, site.engine, site.log, None)
    assert caught.value.code == "E-STORE-EXISTS"
    assert site.verify().ok


def test_a_path_may_hold_any_character(tmp_path: Path) -> None:
    folder = tmp_path / "a?b#c%41 ö"
    folder.mkdir()
    made = Site(folder)
    made.create().close()
    assert made.verify().ok

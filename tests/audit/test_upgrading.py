# SPDX-License-Identifier: Apache-2.0
"""A log of every earlier version is verified as it is, goes on with a record of the change, and proves the same."""

from __future__ import annotations

import os
import sqlite3
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from radiomicnet_md.home import Home, open_home
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit import postgresql_schema, proof, schema, statement
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.errors import ConfigurationError, IntegrityError
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit.postgresql import Cluster
from tests.audit.sites import Site

pytestmark = pytest.mark.verifies("SRS-LOG-019")

ENTRIES = 5  # genesis, a refusal, a result, its replay, an export


@pytest.fixture
def old(root: Path, tmp_path: Path) -> Path:
    """What version 0.3.0 left: ``home``, ``home.anchor`` and ``export``, the home private as it was."""
    with tarfile.open(root / "tests" / "data" / "old" / "log-1.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    for folder, _, names in os.walk(tmp_path / "home"):
        Path(folder).chmod(0o700)
        for name in names:
            Path(folder, name).chmod(0o600)
    return tmp_path


@pytest.fixture
def home(old: Path) -> Home:
    return open_home(old / "home")


def _version(folder: Path) -> int:
    connection = sqlite3.connect(folder / "home" / "audit.db")
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return version


def _writing(home: Home) -> Ledger:
    return home.writing_ledger(home.passphrase({}))


def test_an_old_log_is_read_and_verified_as_it_is(old: Path, home: Home) -> None:
    before = (old / "home" / "audit.db").read_bytes()
    with home.reading_ledger() as ledger:
        report = verify_ledger(ledger, ledger.anchor_text())
        found = [entry.index for entry in ledger.events(statement.REPLAY, statement.EXPORT)]
    assert report.ok
    assert report.size == ENTRIES
    assert found == [3, 4]
    assert (old / "home" / "audit.db").read_bytes() == before
    assert _version(old) == 1


def test_a_writer_brings_it_to_this_version_with_a_record(old: Path, home: Home) -> None:
    with _writing(home) as ledger:
        record = ledger.read(next(ledger.events(statement.MIGRATION)))
    assert (record.predicate["from"], record.predicate["schema"]) == (1, schema.SCHEMA_VERSION)
    assert _version(old) == schema.SCHEMA_VERSION
    with _writing(home) as ledger:  # once is enough
        assert ledger.size == ENTRIES + 1
        assert [entry.index for entry in ledger.events(statement.REPLAY, statement.EXPORT)] == [3, 4]
        report = verify_ledger(ledger, ledger.anchor_text())
    assert report.ok
    assert report.findings == ()


def test_old_proofs_and_exports_hold_and_lead_on(old: Path, home: Home) -> None:
    folder = old / "export"
    policy = policies.parse((folder / "policy.json").read_bytes())
    assert verify_bundle(folder, policy).ok
    then = (folder / "checkpoint").read_text("utf-8")
    with _writing(home) as ledger:
        size = ledger.size
        grown = proof.parse_consistency(ledger.consistency(ENTRIES))
        keys = ledger.declared.log_keys_at(size)
        envelopes = [entry.envelope for entry in ledger.entries()]
    assert grown.verify(then, keys, policy.origin).size == size
    for index in range(ENTRIES):
        text = (folder / "proofs" / f"{index:012d}.tlog-proof").read_text("utf-8")
        assert proof.parse_inclusion(text).verify(envelopes[index], keys, policy.origin).size == ENTRIES


def test_an_older_database_under_a_newer_log_is_found(tmp_path: Path) -> None:
    """Without its list of events, a log would forget its keys' changes, its holds and its erasures."""
    site = Site(tmp_path)
    with site.create() as ledger:
        site.append(ledger, 2)
    site.administrate("DROP TABLE event", "PRAGMA user_version = 1")
    codes = [finding.code for finding in site.verify().findings]
    assert "E-STORE-CORRUPT" in codes


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO event VALUES (1, 'urn:radiomicnet-md:hold:1')",
        "DELETE FROM event WHERE idx = 0",
        "UPDATE event SET kind = 'urn:radiomicnet-md:hold:1' WHERE idx = 0",
        "INSERT INTO event VALUES (99, 'urn:radiomicnet-md:hold:1')",
    ],
)
def test_a_changed_list_of_events_is_found(site: Site, change: str) -> None:
    with sqlite3.connect(site.database) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE tbl_name='event' AND type='trigger'")
        rows = triggers.fetchall()
    connection.close()
    site.administrate(*(f"DROP TRIGGER {name}" for name, _ in rows), change, *(sql for _, sql in rows))
    codes = {finding.code for finding in site.verify().findings}
    assert codes & {"E-STORE-COLUMN", "E-STORE-ROWS"}


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO event VALUES (1, 'x')",
        "INSERT INTO event VALUES (7, 'x')",
        "INSERT OR REPLACE INTO event VALUES (0, 'x')",
        "DELETE FROM event",
        "UPDATE event SET kind = 'x'",
    ],
)
def test_the_list_of_events_is_only_added_to(site: Site, change: str) -> None:
    connection = sqlite3.connect(site.database, isolation_level=None)
    connection.execute("PRAGMA recursive_triggers=ON")
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(change)
    connection.close()
    assert site.verify().ok


def test_a_damaged_old_log_stays_as_it_is(old: Path, home: Home) -> None:
    connection = sqlite3.connect(old / "home" / "audit.db", isolation_level=None)
    connection.execute("DROP TRIGGER entry_no_update")
    connection.execute("UPDATE entry SET envelope = substr(envelope, 2) WHERE idx = 1")
    connection.close()
    with pytest.raises(IntegrityError):
        _writing(home)
    assert _version(old) == 1
    with home.reading_ledger() as ledger:
        assert not verify_ledger(ledger, ledger.anchor_text()).ok


def test_writers_that_come_together_upgrade_once(home: Home) -> None:
    def opened(_: int) -> int:
        with _writing(home) as ledger:
            return ledger.size

    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(opened, range(4))) == {ENTRIES + 1}
    with home.reading_ledger() as ledger:
        assert len(list(ledger.events(statement.MIGRATION))) == 1
        assert verify_ledger(ledger, ledger.anchor_text()).ok


_COPIES = (
    ("SELECT * FROM entry ORDER BY idx", "INSERT INTO radiomicnet_log.entry VALUES (%s, %s, %s, %s, %s, %s)"),
    ("SELECT * FROM node ORDER BY level, idx", "INSERT INTO radiomicnet_log.node VALUES (%s, %s, %s)"),
    ("SELECT * FROM checkpoint ORDER BY size", "INSERT INTO radiomicnet_log.checkpoint VALUES (%s, %s)"),
)


@pytest.fixture
def old_server(cluster: Cluster, old: Path) -> tuple[str, str]:
    """The rows of the old log in a server's tables of version 1; its database, and the device's address."""
    name = cluster.database()
    cluster.administrate(
        "DROP TABLE radiomicnet_log.event",
        "DROP FUNCTION radiomicnet_log.event_in_order",
        f"COMMENT ON SCHEMA radiomicnet_log IS '{postgresql_schema.MARK}1'",
        database=name,
    )
    source = sqlite3.connect(old / "home" / "audit.db")
    with cluster.session("postgres", name) as session, session.cursor() as cursor:
        for read, write in _COPIES:
            cursor.executemany(write, source.execute(read).fetchall())
    source.close()
    return name, f"postgresql+psycopg://device@127.0.0.1:{cluster.port}/{name}"


def test_on_a_server_the_administrator_makes_the_tables(
    cluster: Cluster, home: Home, old_server: tuple[str, str]
) -> None:
    name, url = old_server
    with pytest.raises(ConfigurationError) as caught:
        home.writing_ledger(home.passphrase({}), url)
    assert caught.value.code == "E-STORE-OLDER"
    with home.reading_ledger(url) as ledger:
        assert verify_ledger(ledger, ledger.anchor_text()).ok
    cluster.prepare(name, postgresql_schema.script(since=1))
    with home.reading_ledger(url) as ledger:  # upgraded, and no writer has come yet
        assert verify_ledger(ledger, ledger.anchor_text()).ok
        assert [entry.index for entry in ledger.events(statement.REPLAY, statement.EXPORT)] == [3, 4]
    with home.writing_ledger(home.passphrase({}), url) as ledger:
        assert ledger.size == ENTRIES + 1
        report = verify_ledger(ledger, ledger.anchor_text())
    assert report.ok
    assert report.findings == ()

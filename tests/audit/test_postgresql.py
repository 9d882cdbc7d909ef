# SPDX-License-Identifier: Apache-2.0
"""A log on a PostgreSQL server keeps the same laws, and its guards hold against the device and the superuser alike."""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from radiomicnet_md_audit import postgresql_schema, postgresql_store, store
from radiomicnet_md_audit.errors import BusyError, ConfigurationError, ExitCode, Problem
from tests.audit import test_crash, test_ledger, test_store, test_tampering
from tests.audit.postgresql import Cluster, ServerSite

pytestmark = pytest.mark.verifies("SRS-LOG-013")

# Laws of a log, whatever keeps it: the tests of the log in a file, run again on a log of the server.
LAWS: tuple[Callable[..., None], ...] = (
    test_crash.test_a_crash_between_commit_and_anchor_is_made_good,
    test_crash.test_a_crash_inside_the_transaction_leaves_no_record,
    test_ledger.test_a_key_is_trusted_for_its_sizes_only,
    test_ledger.test_a_policy_of_another_log_is_refused,
    test_ledger.test_a_receipt_says_what_is_stored,
    test_ledger.test_a_record_id_is_used_once,
    test_ledger.test_a_report_is_plain_json,
    test_ledger.test_a_request_ends_once,
    test_ledger.test_an_anchor_of_another_history_stops_the_log,
    test_ledger.test_an_anchor_that_cannot_be_written_stops_the_receipt,
    test_ledger.test_every_entry_has_a_proof_and_every_size_is_a_beginning,
    test_ledger.test_foreign_keys_do_not_write,
    test_ledger.test_pages_of_entries_are_whole,
    test_ledger.test_the_anchor_has_every_checkpoint,
    test_ledger.test_the_first_entry_names_the_log_and_its_keys,
    test_ledger.test_what_cannot_be_canonical_or_is_too_large_is_not_logged,
    test_ledger.test_without_keys_a_log_is_only_read,
    test_ledger.test_writers_anchor_for_each_other,
    test_store.test_a_failed_transaction_leaves_nothing,
    test_store.test_a_log_is_never_made_over_another,
    test_store.test_no_change_of_a_row_passes_and_none_is_left_by_trying,
    test_store.test_nodes_in_a_row_are_those_that_are_read_one_by_one,
    test_tampering.test_many_findings_are_counted_not_listed,
)
CHANGES = (
    "UPDATE entry SET envelope = ''",
    "UPDATE node SET hash = '' WHERE level = 0",
    "UPDATE checkpoint SET note = ''",
    "DELETE FROM entry WHERE idx = 5",
    "DELETE FROM node",
    "DELETE FROM checkpoint WHERE size = 6",
    "TRUNCATE entry",
    "TRUNCATE node, checkpoint CASCADE",
)
OUT_OF_ORDER = (
    "INSERT INTO entry VALUES (7, '', 'x', NULL, 'p', 0)",
    "INSERT INTO entry VALUES (NULL, '', 'x', NULL, 'p', 0)",
    "INSERT INTO entry SELECT * FROM entry WHERE idx = 2 ON CONFLICT DO NOTHING",
    "INSERT INTO entry VALUES (6, '', 'x', NULL, 'p', 0), (8, '', 'y', NULL, 'p', 1)",
    "INSERT INTO node VALUES (0, 9, '')",
    "INSERT INTO node VALUES (1, 2, '')",
    "INSERT INTO checkpoint VALUES (9, '')",
    "INSERT INTO checkpoint VALUES (0, '')",
)
FORBIDDEN = (
    *CHANGES,
    "INSERT INTO entry SELECT * FROM entry WHERE idx = 2 ON CONFLICT (idx) DO UPDATE SET envelope = ''",
    "SELECT * FROM entry FOR UPDATE",
    "BEGIN; LOCK TABLE entry IN ACCESS EXCLUSIVE MODE",
    "ALTER TABLE entry DISABLE TRIGGER entry_no_change",
    "ALTER TABLE entry DISABLE TRIGGER ALL",
    "SET session_replication_role = replica",
    "DROP TRIGGER entry_no_change ON entry",
    "DROP TABLE checkpoint",
    "DROP FUNCTION refuse() CASCADE",
    "DROP SCHEMA radiomicnet_log CASCADE",
    "ALTER TABLE entry ADD COLUMN more text",
    "ALTER TABLE entry OWNER TO device",
    "CREATE TABLE radiomicnet_log.more (a int)",
    "CREATE TEMP TABLE entry (idx bigint)",
    "CREATE INDEX more ON entry (counter)",
    "CREATE RULE more AS ON INSERT TO entry DO INSTEAD NOTHING",
    "CREATE TRIGGER more BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION refuse()",
    "CREATE OR REPLACE FUNCTION radiomicnet_log.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN OLD; END'",
    "SET ROLE radiomicnet_log_owner",
    "GRANT radiomicnet_log_owner TO device",
    "COMMENT ON SCHEMA radiomicnet_log IS ''",
    "COPY entry FROM PROGRAM 'true'",
    "ALTER SYSTEM SET fsync = off",
)
IN_LOG = f"SET search_path = {postgresql_schema.PATH}"


@pytest.fixture
def site(server_site: ServerSite) -> ServerSite:
    """The laws ask for a log by this name."""
    return server_site


def rows(cluster: Cluster, site: ServerSite) -> list[tuple[object, ...]]:
    queries = [f"TABLE {table} ORDER BY 1, 2" for table in ("entry", "node", "checkpoint")]
    return [row for query in queries for row in cluster.administrate(IN_LOG, query, database=site.name)]


@pytest.mark.verifies("SRS-LOG-014", "SRS-LOG-008")
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__.removeprefix("test_"))
def test_the_laws_of_a_log(law: Callable[..., None], site: ServerSite, request: pytest.FixtureRequest) -> None:
    law(**{name: request.getfixturevalue(name) for name in inspect.signature(law).parameters})


@pytest.mark.verifies("SRS-LOG-006")
def test_the_report_does_not_claim_what_only_a_file_has(site: ServerSite) -> None:
    report = site.verify()
    assert report.findings == ()
    assert [claim.ok for claim in report.claims] == [True, True, True, None, None, None]
    assert "server" in report.claims[3].text
    assert report.claims[1].text.endswith("it is the log's own, on this machine, and a server keeps the log.")


def test_the_device_may_only_add_and_read(cluster: Cluster, site: ServerSite) -> None:
    before = rows(cluster, site)
    for sql in FORBIDDEN:
        with cluster.session("device", site.name) as connection:
            connection.execute(IN_LOG)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(sql)
    with cluster.session("device", site.name) as connection:
        connection.execute("GRANT UPDATE ON radiomicnet_log.entry TO device")  # a warning, and nothing is granted
    assert rows(cluster, site) == before
    assert site.verify().findings == ()


@pytest.mark.parametrize("disguise", ["SELECT 1", "SET session_replication_role = replica"])
def test_whoever_asks_is_refused_by_triggers(cluster: Cluster, site: ServerSite, disguise: str) -> None:
    before = rows(cluster, site)
    with cluster.session("postgres", site.name) as connection:
        connection.execute(disguise)
        connection.execute(IN_LOG)
        for sql in (*CHANGES, *OUT_OF_ORDER, FORBIDDEN[len(CHANGES)]):
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                connection.execute(sql)
    assert rows(cluster, site) == before


def test_a_trigger_reads_the_log_s_own_tables(cluster: Cluster, site: ServerSite) -> None:
    """Tables and operators that a caller puts before the log's are not what decides the order."""
    with cluster.session("postgres", site.name) as connection:
        connection.execute("CREATE TEMP TABLE entry (idx bigint)")
        connection.execute("INSERT INTO entry VALUES (99)")
        connection.execute("CREATE FUNCTION public.no(bigint, bigint) RETURNS bool LANGUAGE sql AS 'SELECT true'")
        connection.execute("CREATE OPERATOR public.= (LEFTARG = bigint, RIGHTARG = bigint, FUNCTION = public.no)")
        connection.execute("SET search_path = pg_temp, public, pg_catalog")
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute("INSERT INTO radiomicnet_log.entry VALUES (100, '', 'x', NULL, 'p', 0)")


def test_a_reader_reads_and_verifies_and_adds_nothing(site: ServerSite) -> None:
    site.role = "auditor"
    assert site.verify().ok
    with pytest.raises(ConfigurationError) as caught, site.open() as ledger:
        site.append(ledger)
    assert caught.value.code == "E-STORE-DENIED"


def test_a_stranger_is_not_let_in(cluster: Cluster, site: ServerSite) -> None:
    cluster.administrate("CREATE ROLE stranger LOGIN")
    try:
        site.role = "stranger"
        with pytest.raises(ConfigurationError) as caught:
            site.read()
        assert caught.value.code == "E-STORE-OPEN"
        cluster.administrate(f"GRANT CONNECT ON DATABASE {site.name} TO stranger")
        with pytest.raises(ConfigurationError) as caught:
            site.read()
        assert caught.value.code == "E-STORE-DENIED"
    finally:
        cluster.administrate(f"REVOKE ALL ON DATABASE {site.name} FROM stranger", "DROP ROLE stranger")


@pytest.mark.parametrize(
    "grant",
    [
        "ALTER ROLE strong SUPERUSER",
        "ALTER ROLE strong CREATEROLE",
        "GRANT radiomicnet_log_owner TO strong",
        "GRANT UPDATE (note) ON radiomicnet_log.checkpoint TO strong",
        "GRANT TRUNCATE ON radiomicnet_log.node TO PUBLIC",
        "GRANT pg_write_server_files TO strong",
        "GRANT pg_write_all_data TO strong",
    ],
)
def test_a_session_that_could_do_more_is_refused(cluster: Cluster, site: ServerSite, grant: str) -> None:
    cluster.administrate("CREATE ROLE strong LOGIN NOINHERIT IN ROLE radiomicnet_log_writer, radiomicnet_log_reader")
    site.role = "strong"
    try:
        cluster.administrate(f"GRANT CONNECT ON DATABASE {site.name} TO strong", grant, database=site.name)
        with pytest.raises(ConfigurationError) as caught:
            site.open()
        assert (caught.value.code, caught.value.exit_code) == ("E-STORE-ROLE", ExitCode.CONFIGURATION)
    finally:
        cluster.administrate("DROP OWNED BY strong", "DROP ROLE strong", database=site.name)


@pytest.mark.verifies("SRS-LOG-013", rc=("RC-003",))
def test_a_server_that_calls_the_session_too_strong_is_believed() -> None:
    said = SimpleNamespace(first=lambda: (f"{postgresql_schema.MARK}1", True), scalar=lambda: False)
    connection: Any = SimpleNamespace(exec_driver_sql=lambda _: said)
    view = postgresql_store.PostgreSQLTransaction(connection, 1)
    assert view.check_schema() == 1
    said.scalar = lambda: True
    with pytest.raises(ConfigurationError, match="may do more"):
        view.check_schema()


@pytest.mark.parametrize("level", ["off", "local", "remote_write"])
def test_a_commit_that_would_not_wait_is_refused(cluster: Cluster, site: ServerSite, level: str) -> None:
    cluster.administrate(f"ALTER DATABASE {site.name} SET synchronous_commit = {level}")
    with pytest.raises(ConfigurationError) as caught:
        site.open()
    assert caught.value.code == "E-STORE-DURABILITY"


def test_a_disk_that_is_not_waited_for_is_refused(cluster: Cluster, site: ServerSite) -> None:
    def reload(change: str) -> None:
        cluster.administrate(change, "SELECT pg_reload_conf()")

    with site.open() as ledger:
        reload("ALTER SYSTEM SET synchronous_commit = off")  # while a session is open, which goes on as it began
        try:
            site.append(ledger)
            with ledger.store.read() as transaction:
                shown = transaction._connection.exec_driver_sql("SHOW synchronous_commit").scalar()
            assert shown == "on"
            reload("ALTER SYSTEM RESET synchronous_commit")
            reload("ALTER SYSTEM SET fsync = off")
            cluster.wait_for("fsync", "off")
            with pytest.raises(ConfigurationError) as caught:
                site.open()
            assert caught.value.code == "E-STORE-DURABILITY"
        finally:
            cluster.administrate("ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")
            cluster.wait_for("fsync", "on")
            cluster.wait_for("synchronous_commit", "on")


def test_a_session_waits_for_the_disk_and_for_nothing_else_for_long(site: ServerSite) -> None:
    with site.open() as ledger, ledger.store.read() as transaction:
        names = ("synchronous_commit", "lock_timeout", "idle_in_transaction_session_timeout", "search_path")
        shown = [transaction._connection.exec_driver_sql(f"SHOW {name}").scalar() for name in names]
        session = transaction._connection.connection.driver_connection
        assert isinstance(session, psycopg.Connection)
        network = session.info.get_parameters()
    assert shown == ["on", "10s", "1min", "pg_catalog, radiomicnet_log, pg_temp"]
    assert {name: network[name] for name in ("connect_timeout", "tcp_user_timeout")} == {
        "connect_timeout": "10",
        "tcp_user_timeout": "25000",
    }


def test_a_database_must_keep_any_character(cluster: Cluster, tmp_path: Path) -> None:
    site = ServerSite(tmp_path, port=cluster.port, name=cluster.database(encoding="SQL_ASCII"))
    with pytest.raises(ConfigurationError) as caught:
        site.create()
    assert caught.value.code == "E-STORE-ENCODING"


def test_an_older_server_is_refused(site: ServerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgresql_store, "_OLDEST_SERVER", 990_000)
    with pytest.raises(ConfigurationError) as caught:
        site.open()
    assert caught.value.code == "E-STORE-SERVER"


def test_what_is_not_there_or_not_ours_is_said(cluster: Cluster, tmp_path: Path) -> None:
    site = ServerSite(tmp_path, port=cluster.port, name=cluster.database())

    def code() -> str:
        with pytest.raises(Problem) as caught:
            site.read()
        return caught.value.code

    assert code() == "E-STORE-MISSING"  # prepared, and no log in it
    for comment, expected in (
        (f"{postgresql_schema.MARK}3", "E-STORE-NEWER"),
        (f"{postgresql_schema.MARK}one", "E-STORE-CORRUPT"),
        ("", "E-STORE-CORRUPT"),
    ):
        cluster.administrate(f"COMMENT ON SCHEMA radiomicnet_log IS '{comment}'", database=site.name)
        assert code() == expected
    cluster.administrate("DROP SCHEMA radiomicnet_log CASCADE", database=site.name)
    assert code() == "E-STORE-MISSING"
    site.name = "nowhere"
    assert code() == "E-STORE-OPEN"


@pytest.mark.verifies("SRS-LOG-007", "SRS-LOG-014")
def test_a_writer_waits_and_then_says_busy(cluster: Cluster, site: ServerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "WAIT_MS", 150)
    with site.open() as ledger, cluster.session("device", site.name) as other, other.transaction():
        other.execute(postgresql_store._TURN)
        assert ledger.size == 6  # reading goes on
        with pytest.raises(BusyError) as caught:
            site.append(ledger)
        assert (caught.value.code, caught.value.exit_code) == ("E-LOG-BUSY", ExitCode.RETRY)
        other.execute("ROLLBACK")
        site.append(ledger)
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-004", "SRS-LOG-014")
@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE entry SET envelope = envelope || ' ' WHERE idx = 3", "E-CHECKPOINT-ROOT"),
        ("UPDATE entry SET record_id = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET request = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET producer = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET counter = 77 WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE node SET hash = decode(repeat('00', 32), 'hex') WHERE level = 1 AND idx = 0", "E-STORE-NODE"),
        ("UPDATE node SET hash = '' WHERE level = 0 AND idx = 0", "E-STORE-CORRUPT"),
        ("DELETE FROM node WHERE level = 2", "E-STORE-CORRUPT"),
        ("INSERT INTO node VALUES (9, 0, '')", "E-STORE-ROWS"),
        ("INSERT INTO checkpoint VALUES (9, 'x')", "E-STORE-ROWS"),
        ("UPDATE checkpoint SET note = note || 'x' WHERE size = 3", "E-NOTE-FORM"),
        ("DELETE FROM checkpoint WHERE size = 3", "E-NOTE-FORM"),
        ("UPDATE entry SET idx = 9 WHERE idx = 5", "E-LOG-GAP"),
        ("DELETE FROM entry WHERE idx = 5; DELETE FROM checkpoint WHERE size = 6; DELETE FROM node WHERE idx = 5",
         "E-ANCHOR-LEADS"),
    ],
)  # fmt: skip
def test_what_a_superuser_does_without_the_guards_is_found(
    cluster: Cluster, site: ServerSite, sql: str, code: str
) -> None:
    disable = [f"ALTER TABLE {table} DISABLE TRIGGER ALL" for table in ("entry", "node", "checkpoint")]
    enable = [
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_{name}"
        for table in ("entry", "node", "checkpoint")
        for name in ("in_order", "no_change", "no_truncate")
    ]
    cluster.administrate(IN_LOG, *disable, *sql.split("; "), *enable, database=site.name)
    report = site.verify()
    assert code in {finding.code for finding in report.findings}
    with site.read() as ledger, ledger.store.read() as transaction:
        assert transaction.damage() == []  # the guards are back, and only the rows betray it


@pytest.mark.verifies("SRS-LOG-004")
@pytest.mark.parametrize(
    "sql",
    [
        "ALTER TABLE entry DISABLE TRIGGER entry_no_change",
        "ALTER TABLE node ENABLE TRIGGER node_in_order",
        "DROP TRIGGER node_no_truncate ON node",
        "CREATE OR REPLACE FUNCTION radiomicnet_log.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'",
        "ALTER FUNCTION refuse() RESET search_path",
        "CREATE RULE more AS ON DELETE TO node DO INSTEAD NOTHING",
        "CREATE TABLE radiomicnet_log.more (a int)",
        "CREATE TABLE public.more () INHERITS (checkpoint)",
        "CREATE INDEX more ON entry (counter)",
        "ALTER TABLE entry DROP CONSTRAINT entry_request_key",
        "ALTER TABLE entry ALTER counter DROP NOT NULL",
        'ALTER TABLE entry ALTER record_id TYPE text COLLATE "POSIX"',
        "ALTER TABLE node SET UNLOGGED",
        "ALTER TABLE node OWNER TO postgres",
        "ALTER TABLE node ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON node USING (true)",
        "GRANT UPDATE (note) ON checkpoint TO auditor",
        "GRANT SELECT ON entry TO PUBLIC",
    ],
)  # fmt: skip
def test_a_changed_schema_is_found(cluster: Cluster, site: ServerSite, sql: str) -> None:
    cluster.administrate(IN_LOG, *sql.split("; "), database=site.name)
    assert {finding.code for finding in site.verify().findings} == {"E-STORE-CORRUPT"}


@pytest.mark.verifies("SRS-REC-001")
def test_ids_are_found_by_code_point_and_none_can_be_a_command(cluster: Cluster, tmp_path: Path) -> None:
    site = ServerSite(tmp_path, port=cluster.port, name=cluster.database())
    with site.create() as ledger:
        for identity in ("5" * 25 + "a", "5" * 25 + "b", "1" * 26):
            ledger.append(site.draft(record_id=identity))
        assert ledger.find("1" * 9).index == 3
        for asked in ("5" * 9, "2" * 9, "", "%", "_", "' OR 1", "ä"):
            with pytest.raises(Problem):
                ledger.find(asked)
        for request in ("' OR 1 = 1 --", "%s", "%(request)s", "\\", "é\U0001f600"):
            made = ledger.append(site.draft(request_id=request))
            found = ledger.find_request(request)
            assert found is not None
            assert found.index == made.index
        for request in ("nul\0", secrets.token_hex(20_000)):
            with pytest.raises(ConfigurationError) as caught:
                ledger.append(site.draft(request_id=request))
            assert caught.value.code == "E-STORE-VALUE"
        site.append(ledger)
    assert site.verify().ok

# SPDX-License-Identifier: Apache-2.0
"""Many writers make one history on a server, and no killed server and no cut connection takes a record away."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import postgresql_failures, postgresql_store, proof, sign, statement
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.merkle import Node
from radiomicnet_md_audit.store import Row, Store
from tests.audit.postgresql import Cluster, Proxy, ServerSite

pytestmark = pytest.mark.verifies("SRS-LOG-014")

WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.audit.postgresql import ServerSite
site = ServerSite(Path(sys.argv[2]), count=int(sys.argv[5]), port=int(sys.argv[3]), name=sys.argv[4])
with site.open() as ledger:
    for _ in range(25):
        print(site.append(ledger)[0].record_id, flush=True)
"""


def test_eight_processes_make_one_history(cluster: Cluster, tmp_path: Path, root: Path) -> None:
    site = ServerSite(tmp_path, port=cluster.port, name=cluster.database())
    site.create().close()
    place = (str(root), str(site.folder), str(site.port), site.name)
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, *place, str(1000 * (number + 1))],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(8)
    ]  # fmt: skip
    answers = [(*writer.communicate(timeout=300), writer.returncode) for writer in writers]
    assert [(error, code) for _, error, code in answers] == [("", 0)] * 8
    acknowledged = [line for out, _, _ in answers for line in out.split()]
    assert len(acknowledged) == len(set(acknowledged)) == 200
    with site.read() as ledger:
        said = [ledger.read(entry) for entry in ledger.entries()]
        assert {one.record_id for one in said[1:]} == set(acknowledged)
        assert [one.log.counter for one in said] == list(range(201))
        assert_one_history(ledger, site)
    assert site.verify().findings == ()
    assert len(site.anchor.read_bytes().splitlines()) == 201


def assert_one_history(ledger: Ledger, site: ServerSite) -> None:
    """Every entry is under the newest checkpoint, and every older checkpoint is of a beginning of it."""
    keys = site.policy.log_keys_at(1)
    with ledger.store.read() as transaction:
        notes = transaction.notes(1, ledger.size + 1)
    for entry in ledger.entries():
        proof.parse_inclusion(ledger.inclusion(entry.index)).verify(entry.envelope, keys, site.origin)
    for size, note in notes.items():
        proof.parse_consistency(ledger.consistency(size)).verify(note, keys, site.origin)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=12))
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_turns_in_any_order_make_one_history(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, turns: list[tuple[int, int]]
) -> None:
    site = ServerSite(tmp_path_factory.mktemp("turns"), port=cluster.port, name=cluster.database())
    ledgers = [site.create(), site.open(), site.open()]
    for writer, records in turns:
        assert [receipt.index for receipt in site.append(ledgers[writer], records)] == list(
            range(ledgers[writer].size - records, ledgers[writer].size)
        )
    assert {ledger.size for ledger in ledgers} == {1 + sum(records for _, records in turns)}
    assert_one_history(ledgers[0], site)
    for ledger in ledgers:
        ledger.close()
    assert site.verify().findings == ()


def test_a_second_sequencer_is_refused(server_site: ServerSite) -> None:
    """Whoever has other keys cannot go on with the log, and nobody can begin it a second time."""
    site = server_site
    second = ServerSite(site.folder, engine=sign.generate(), log=sign.generate(), port=site.port, name=site.name)
    with pytest.raises(ConfigurationError) as caught:
        Ledger.open(second.url, second.engine, second.log, None)
    assert caught.value.code == "E-KEY-FOREIGN"
    with pytest.raises(ConfigurationError) as exists:
        Ledger.create(second.url, second.origin, second.engine, second.log, None)
    assert exists.value.code == "E-STORE-EXISTS"
    assert site.verify().findings == ()


def test_two_who_begin_a_log_at_once_make_one(cluster: Cluster, tmp_path: Path) -> None:
    site = ServerSite(tmp_path, port=cluster.port, name=cluster.database())
    answers: list[str] = []

    def begin() -> None:
        try:
            Ledger.create(site.url, site.origin, site.engine, site.log, None).close()
            answers.append("made")
        except Problem as problem:
            answers.append(problem.code)

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == ["E-STORE-EXISTS"] * 3 + ["made"]
    assert site.verify(anchor=False).ok


def test_a_killed_server_loses_nothing_it_acknowledged(cluster: Cluster, server_site: ServerSite) -> None:
    site = server_site
    acknowledged: list[str] = []
    endings: list[str] = []

    def write(first: int) -> None:
        own = ServerSite(site.folder, count=first, port=site.port, name=site.name)
        try:
            with own.open() as ledger:
                while True:
                    acknowledged.extend(receipt.record_id for receipt in own.append(ledger))
        except Problem as problem:
            endings.append(problem.code)

    kept_open = site.open()
    for number in range(5):
        threads = [threading.Thread(target=write, args=(10_000 * (2 * number + n + 1),)) for n in range(2)]
        before = len(acknowledged)
        for thread in threads:
            thread.start()
        while len(acknowledged) < before + 3 + number and all(thread.is_alive() for thread in threads):
            time.sleep(0.001)
        cluster.kill()
        for thread in threads:
            thread.join()
        cluster.start()
        assert site.verify().findings == ()
    assert set(endings) <= {"E-STORE-LOST", "E-STORE-OPEN"}
    assert len(endings) == 10
    site.append(kept_open)  # a log that was open all the while goes on
    for record_id in acknowledged:
        kept_open.find(record_id)
    kept_open.close()
    report = site.verify()
    assert report.findings == ()
    assert report.size >= 7 + len(acknowledged)


def test_a_connection_cut_at_any_message_leaves_a_whole_record_or_none(server_site: ServerSite) -> None:
    proxy = Proxy(server_site.port)
    site = ServerSite(server_site.folder, count=100, port=proxy.port, name=server_site.name)
    outcomes: list[str] = []
    with site.open() as ledger:
        for message in range(200):
            size = ledger.size
            proxy.arm(message)
            outcomes.append("kept")
            try:
                site.append(ledger)
            except ConfigurationError as problem:
                outcomes[-1] = {"E-STORE-LOST": "lost", "E-STORE-OPEN": "lost"}[problem.code]
            cut = proxy.disarm()
            if outcomes[-1] == "lost" and ledger.size > size:
                outcomes[-1] = "in doubt, and kept"
            assert ledger.size == size + (outcomes[-1] != "lost")
            assert server_site.verify().findings == ()
            if not cut:  # the append had fewer messages than the cut waited for
                break
    proxy.close()
    assert outcomes[-1] == "kept"
    assert outcomes.count("lost") >= 15
    assert "in doubt, and kept" in outcomes
    with server_site.read() as ledger:
        assert_one_history(ledger, server_site)


@pytest.mark.verifies("SRS-REC-001")
def test_a_commit_whose_client_is_gone_is_waited_for(
    cluster: Cluster, server_site: ServerSite, require: Callable[[str], Path]
) -> None:
    """Nobody says that the log does not hold a record while the server is still making it durable."""
    proxy = Proxy(server_site.port)
    site = ServerSite(server_site.folder, count=100, port=proxy.port, name=server_site.name)

    def cut_in_the_commit() -> None:
        doing = f"SELECT state, query FROM pg_stat_activity WHERE pid = {backend}"  # noqa: S608 -- a number
        while cluster.administrate(doing) != [("active", "COMMIT")]:
            time.sleep(0.01)
        proxy.cut()

    with site.open() as ledger:
        ((backend,),) = cluster.administrate(
            f"SELECT pid FROM pg_stat_activity WHERE datname = '{site.name}' AND usename = 'device'"  # noqa: S608 -- our own names
        )
        slow = ("-e", "trace=fdatasync", "-e", "inject=fdatasync:delay_enter=3s", "-p", str(backend))
        with subprocess.Popen([require("strace"), *slow], stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            draft, cut = site.draft(), threading.Thread(target=cut_in_the_commit)
            cut.start()
            with pytest.raises(ConfigurationError) as caught:
                ledger.append(draft)
            assert caught.value.code == "E-STORE-LOST"
            cut.join()
            identity = statement.check_draft(draft)
            assert ledger.holds(identity)
            tracer.send_signal(signal.SIGINT)
            tracer.communicate(timeout=30)
        assert not ledger.holds(identity[:-1])
        assert not ledger.holds("z" * 26)
    proxy.close()
    assert server_site.verify().findings == ()


def test_a_session_that_the_server_ends_leaves_nothing_half_written(cluster: Cluster, server_site: ServerSite) -> None:
    site = server_site
    other = ServerSite(site.folder, count=500, port=site.port, name=site.name)
    with other.open() as ledger:

        def interrupted() -> None:
            with ledger.store.write() as transaction:
                transaction.add(Row(6, b"{}", "x", None, "p", 0), None, [Node(0, 6, bytes(32))], "note")
                cluster.disconnect(site.name)

        with pytest.raises(ConfigurationError) as caught:
            interrupted()
        assert caught.value.code == "E-STORE-LOST"
        assert other.append(ledger)[0].index == 6
    assert site.verify().findings == ()


def test_a_writer_that_falls_silent_loses_its_turn(server_site: ServerSite, monkeypatch: pytest.MonkeyPatch) -> None:
    site = server_site
    monkeypatch.setattr(postgresql_store, "_SILENCE_MS", 100)
    silent = Store.open(site.url)

    def fall_silent() -> None:
        with silent.write(), site.open() as ledger:
            site.append(ledger)  # waits for the silent one to be put out

    with pytest.raises(ConfigurationError) as caught:
        fall_silent()
    assert caught.value.code == "E-STORE-LOST"
    silent.close()
    assert site.verify().findings == ()


def test_an_error_that_was_swallowed_does_not_pass_for_a_commit(server_site: ServerSite) -> None:
    opened = Store.open(server_site.url)
    with pytest.raises(Problem) as caught, opened.write() as transaction, suppress(sa.exc.DBAPIError):
        transaction._connection.exec_driver_sql("SELECT 1 / 0")
    assert caught.value.exit_code == ExitCode.INTEGRITY
    opened.close()


def test_a_server_that_is_not_there_is_said(server_site: ServerSite) -> None:
    proxy = Proxy(server_site.port)
    proxy.close()
    for url in (
        f"postgresql+psycopg://device@127.0.0.1:{proxy.port}/{server_site.name}",
        f"postgresql+psycopg://nobody_known@127.0.0.1:{server_site.port}/{server_site.name}",
    ):
        with pytest.raises(ConfigurationError) as caught:
            Store.open(url)
        assert caught.value.code == "E-STORE-OPEN"
    with pytest.raises(ConfigurationError) as caught:
        Store.open("postgresql+psycopg://device@127.0.0.1:port/log")
    assert caught.value.code == "E-STORE-URL"


@pytest.mark.verifies("SRS-LOG-007")
@pytest.mark.parametrize(
    ("state", "code", "exit_code"),
    [
        ("55P03", "E-LOG-BUSY", ExitCode.RETRY),
        ("40P01", "E-LOG-BUSY", ExitCode.RETRY),
        ("53100", "E-STORE-FULL", ExitCode.CONFIGURATION),
        ("53300", "E-STORE-OPEN", ExitCode.CONFIGURATION),
        ("58030", "E-STORE-IO", ExitCode.CONFIGURATION),
        ("42501", "E-STORE-DENIED", ExitCode.CONFIGURATION),
        ("25006", "E-STORE-READONLY", ExitCode.CONFIGURATION),
        ("22021", "E-STORE-VALUE", ExitCode.CONFIGURATION),
        ("57014", "E-STORE-CANCELLED", ExitCode.CONFIGURATION),
        ("57P01", "E-STORE-LOST", ExitCode.CONFIGURATION),
        ("08006", "E-STORE-LOST", ExitCode.CONFIGURATION),
        ("25P03", "E-STORE-LOST", ExitCode.CONFIGURATION),
        ("23001", "E-STORE-CORRUPT", ExitCode.INTEGRITY),
        ("23505", "E-STORE-CORRUPT", ExitCode.INTEGRITY),
        ("42P01", "E-STORE-CORRUPT", ExitCode.INTEGRITY),
        ("XX001", "E-STORE-CORRUPT", ExitCode.INTEGRITY),
    ],
)
def test_each_failure_of_the_server_has_its_meaning(state: str, code: str, exit_code: ExitCode) -> None:
    said = postgresql_failures.problem(psycopg.errors.lookup(state)("text of the server"))
    assert (said.code, said.exit_code) == (code, exit_code)
    assert "text of the server" not in str(said) + said.remedy


def test_without_the_driver_the_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "radiomicnet_md_audit.postgresql_store")
    with pytest.raises(ConfigurationError) as caught:
        Store.open("postgresql+psycopg://device@127.0.0.1/log")
    assert caught.value.code == "E-STORE-DRIVER"

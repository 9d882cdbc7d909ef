# SPDX-License-Identifier: Apache-2.0
"""Whoever changes the log is found out, or this says what it takes to find them out.

The attacker here is the administrator: SQL without guards, the file's bytes, and in some cases keys.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import checkpoint, dsse, merkle, sign, statement
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import ExitCode, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import Report
from tests.audit.sites import ORIGIN, Site

pytestmark = pytest.mark.verifies("SRS-LOG-004")

TABLES = ("entry", "node", "checkpoint", "event")
TRIGGERS = tuple(f"{table}_{guard}" for table in TABLES for guard in ("in_order", "no_update", "no_delete"))


class Administrator:
    """Changes a log without its guards and puts the guards back, so that only the content can tell."""

    def __init__(self, site: Site) -> None:
        self.connection = sqlite3.connect(site.database, isolation_level=None)
        query = "SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY rowid"
        self.guards = [row[0] for row in self.connection.execute(query)]
        for name in TRIGGERS:
            self.connection.execute(f"DROP TRIGGER {name}")

    def entries(self) -> list[bytes]:
        return [row[0] for row in self.connection.execute("SELECT envelope FROM entry ORDER BY idx")]

    def put(self, index: int, envelope: bytes) -> None:
        self.connection.execute("UPDATE entry SET envelope = ? WHERE idx = ?", (envelope, index))

    def rebuild(self, signer: sign.SigningKey | None = None) -> None:
        """Recompute every column and node from the entries, and sign every checkpoint anew where there is a key."""
        envelopes = self.entries()
        for table in ("entry", "node", "event"):
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 -- three fixed names
        tree = merkle.Frontier()
        for index, envelope in enumerate(envelopes):
            said = statement.parse(dsse.parse_unverified(envelope).payload)
            values = (index, envelope, said.record_id, said.terminal_request, said.log.producer, said.log.counter)
            self.connection.execute("INSERT OR REPLACE INTO entry VALUES (?, ?, ?, ?, ?, ?)", values)
            if (kind := statement.event(said.document)) is not None:
                self.connection.execute("INSERT INTO event VALUES (?, ?)", (index, kind))
            for node in tree.append(merkle.leaf_hash(envelope)):
                values = (node.level, node.index, node.hash)
                self.connection.execute("INSERT INTO node VALUES (?, ?, ?)", values)
            if signer is not None:
                note = checkpoint.issue(Checkpoint(ORIGIN, index + 1, tree.root()), LogKeys(signer), 0)
                self.connection.execute("INSERT OR REPLACE INTO checkpoint VALUES (?, ?)", (index + 1, note))
        self.connection.execute("DELETE FROM checkpoint WHERE size > ?", (len(envelopes),))

    def leave(self) -> None:
        for sql in self.guards:
            self.connection.execute(sql)
        self.connection.close()


@pytest.fixture
def administrator(site: Site) -> Iterator[Administrator]:
    (site.folder / "audit.db.settled").unlink()  # whoever can do all this can do that
    one = Administrator(site)
    yield one
    one.connection.close()


def edited(envelope: bytes, key: sign.SigningKey | None = None) -> bytes:
    """The same record with another state; signed again if there is a key, with the old signature if not."""
    parts = dsse.parse_unverified(envelope)
    payload = parts.payload.replace(b'"RESULT"', b'"REFUSED"')
    assert payload != parts.payload
    if key is not None:
        return dsse.seal(payload, parts.payload_type, key)
    return dsse.encode(dsse.Unverified(payload, parts.payload_type, parts.keyid, parts.signature))


def codes(report: Report) -> set[str]:
    return {finding.code for finding in report.findings}


def test_an_untouched_log_has_no_findings(site: Site, administrator: Administrator) -> None:
    administrator.rebuild()
    administrator.leave()
    report = site.verify()
    assert report.findings == ()
    assert report.ok


def test_an_edited_record(site: Site, administrator: Administrator) -> None:
    administrator.put(2, edited(administrator.entries()[2]))
    administrator.leave()
    report = site.verify()
    assert {"E-SIGNATURE", "E-CHECKPOINT-ROOT", "E-STORE-NODE"} <= codes(report)
    assert {finding.index for finding in report.findings if finding.code == "E-SIGNATURE"} == {2}


def test_an_edited_record_with_every_hash_made_anew(site: Site, administrator: Administrator) -> None:
    administrator.put(2, edited(administrator.entries()[2]))
    administrator.rebuild()
    administrator.leave()
    assert {"E-SIGNATURE", "E-CHECKPOINT-ROOT"} <= codes(site.verify(anchor=False))


def test_a_record_signed_with_the_stolen_engine_key(site: Site, administrator: Administrator) -> None:
    administrator.put(2, edited(administrator.entries()[2], site.engine))
    administrator.rebuild()
    administrator.leave()
    assert codes(site.verify(anchor=False)) == {"E-CHECKPOINT-ROOT"}


def test_both_keys_stolen_is_seen_by_the_anchor_alone(site: Site, administrator: Administrator) -> None:
    administrator.put(2, edited(administrator.entries()[2], site.engine))
    administrator.rebuild(site.log)
    administrator.leave()
    assert site.verify(anchor=False).ok  # FORMAT.md section 12 says so
    report = site.verify()
    assert codes(report) == {"E-ANCHOR-DIFFERS"}
    assert [claim.ok for claim in report.claims[:3]] == [True, False, True]


def test_a_signature_lifted_from_another_record(site: Site, administrator: Administrator) -> None:
    two, three = (dsse.parse_unverified(envelope) for envelope in administrator.entries()[2:4])
    forged = dsse.Unverified(two.payload, two.payload_type, three.keyid, three.signature)
    administrator.put(2, dsse.encode(forged))
    administrator.leave()
    assert "E-SIGNATURE" in codes(site.verify(anchor=False))


def test_two_records_swapped(site: Site, administrator: Administrator) -> None:
    entries = administrator.entries()
    administrator.put(2, entries[3])
    administrator.put(3, entries[2])
    administrator.rebuild()
    administrator.leave()
    assert {"E-COUNTER", "E-CHECKPOINT-ROOT"} <= codes(site.verify(anchor=False))


def test_a_record_deleted_from_the_middle(site: Site, administrator: Administrator) -> None:
    administrator.connection.execute("DELETE FROM entry WHERE idx = 2")
    administrator.leave()
    assert "E-LOG-GAP" in codes(site.verify(anchor=False))


def test_a_record_deleted_and_the_rest_moved_up(site: Site, administrator: Administrator) -> None:
    administrator.connection.execute("DELETE FROM entry WHERE idx = 2")
    administrator.rebuild()
    administrator.leave()
    assert {"E-COUNTER", "E-CHECKPOINT-ROOT"} <= codes(site.verify(anchor=False))


def test_the_end_cut_off(site: Site, administrator: Administrator) -> None:
    administrator.connection.execute("DELETE FROM entry WHERE idx >= 4")
    administrator.leave()
    assert "E-STORE-ROWS" in codes(site.verify(anchor=False))


def test_the_end_cut_off_with_its_checkpoints_is_seen_by_the_anchor_alone(
    site: Site, administrator: Administrator
) -> None:
    administrator.connection.execute("DELETE FROM entry WHERE idx >= 4")
    administrator.rebuild()
    administrator.leave()
    assert site.verify(anchor=False).ok  # FORMAT.md section 12 says so
    assert codes(site.verify()) == {"E-ANCHOR-LEADS"}
    with pytest.raises(Problem) as caught:
        site.open()
    assert (caught.value.code, caught.value.exit_code) == ("E-ANCHOR-LEADS", ExitCode.INTEGRITY)


def test_a_valid_record_replayed_at_the_end(site: Site, administrator: Administrator) -> None:
    replayed = administrator.entries()[3]
    administrator.connection.execute(
        "INSERT INTO entry SELECT 6, envelope, 'x', NULL, producer, 99 FROM entry WHERE idx = 3"
    )
    assert administrator.entries()[6] == replayed
    tree = merkle.Frontier()
    for envelope in administrator.entries():
        nodes = tree.append(merkle.leaf_hash(envelope))
    for node in nodes:
        administrator.connection.execute("INSERT INTO node VALUES (?, ?, ?)", (node.level, node.index, node.hash))
    note = checkpoint.issue(Checkpoint(ORIGIN, 7, tree.root()), LogKeys(site.log), 0)
    administrator.connection.execute("INSERT INTO checkpoint VALUES (7, ?)", (note,))
    administrator.leave()
    report = site.verify(anchor=False)
    assert {"E-RECORD-REPEATED", "E-REQUEST-REPEATED", "E-COUNTER"} <= codes(report)


def test_a_record_of_another_log_with_the_same_keys(site: Site, administrator: Administrator, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", origin="example.org/other")
    other.folder.mkdir()
    with other.create() as ledger:
        other.append(ledger, 5)
        foreign = list(ledger.entries())[3].envelope
    administrator.put(3, foreign)
    administrator.leave()
    assert "E-ORIGIN" in codes(site.verify(anchor=False))


def test_another_log_in_its_place(site: Site, tmp_path: Path) -> None:
    other = Site(tmp_path / "other", engine=sign.generate(), log=sign.generate())
    other.folder.mkdir()
    with other.create() as ledger:
        other.append(ledger, 5)
    shutil.copy(other.database, site.database)
    (site.folder / "audit.db.settled").unlink()
    report = site.verify(anchor=False)
    assert [claim.ok for claim in report.claims[:3]] == [True, None, False]
    assert {"E-KEY-UNTRUSTED", "E-CHECKPOINT-UNSIGNED"} == codes(report)
    with pytest.raises(Problem):
        site.open()


def test_a_record_by_a_key_that_the_log_does_not_name(site: Site, administrator: Administrator) -> None:
    administrator.put(3, edited(administrator.entries()[3], sign.generate()))
    administrator.leave()
    assert "E-KEY-UNKNOWN" in codes(site.verify(anchor=False))


def test_a_second_genesis(site: Site) -> None:
    with site.open() as ledger:
        genesis = ledger.read(next(ledger.entries())).predicate
        more = {key: value for key, value in genesis.items() if key not in ("log", "record_id")}
        draft = site.draft(**more)
        ledger.append({**draft, "predicateType": statement.GENESIS})
    assert codes(site.verify()) == {"E-GENESIS"}


def test_a_record_that_names_another_producer(site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger)
    administrator = Administrator(site)
    payload = dsse.parse_unverified(administrator.entries()[6]).payload.replace(b'"counter":6', b'"counter":7')
    administrator.put(6, dsse.seal(payload, dsse.STATEMENT_TYPE, site.engine))
    administrator.leave()
    assert "E-COUNTER" in codes(site.verify(anchor=False))


@pytest.mark.parametrize(
    ("sql", "code"),
    [
        ("UPDATE entry SET record_id = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET request = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET producer = 'x' WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE entry SET counter = 77 WHERE idx = 1", "E-STORE-COLUMN"),
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 1 AND idx = 0", "E-STORE-NODE"),
        ("UPDATE node SET hash = zeroblob(31) WHERE level = 0 AND idx = 0", "E-STORE-CORRUPT"),
        ("DELETE FROM node WHERE level = 2", "E-STORE-CORRUPT"),
        ("INSERT INTO node VALUES (9, 0, zeroblob(32))", "E-STORE-ROWS"),
        ("INSERT INTO checkpoint VALUES (7, 'x')", "E-STORE-ROWS"),
        ("UPDATE checkpoint SET note = note || 'x' WHERE size = 3", "E-NOTE-FORM"),
        ("DELETE FROM checkpoint WHERE size = 3", "E-NOTE-FORM"),
        ("UPDATE entry SET idx = 9 WHERE idx = 5", "E-LOG-GAP"),
    ],
)
def test_what_is_stored_twice_must_agree(site: Site, administrator: Administrator, sql: str, code: str) -> None:
    administrator.connection.execute(sql)
    administrator.leave()
    assert code in codes(site.verify(anchor=False))


@pytest.mark.parametrize(
    "sql", ["DROP TRIGGER node_no_delete", "CREATE TABLE more (a)", "CREATE INDEX more ON entry (counter)"]
)
def test_a_changed_schema(site: Site, sql: str) -> None:
    site.administrate(sql)
    assert "E-STORE-CORRUPT" in codes(site.verify())


def test_a_witness_line_inside_the_log(site: Site, administrator: Administrator) -> None:
    line = str(checkpoint.parse_unverified(checkpoint.issue(Checkpoint("w", 1, bytes(32)), LogKeys(site.log), 0))[1])
    administrator.connection.execute(
        "UPDATE checkpoint SET note = note || ? WHERE size = 2", (line.partition("\n\n")[2],)
    )
    administrator.leave()
    assert codes(site.verify(anchor=False)) == {"E-CHECKPOINT-LINES"}


def test_an_edit_stops_the_next_append_where_it_touches_the_head(site: Site, administrator: Administrator) -> None:
    administrator.connection.execute("UPDATE node SET hash = zeroblob(32) WHERE level = 2")
    administrator.leave()
    with pytest.raises(Problem) as caught:
        site.open()
    assert (caught.value.code, caught.value.exit_code) == ("E-LOG-HEAD", ExitCode.INTEGRITY)


def outcome(site: Site) -> ExitCode:
    """What a process that verifies this log would exit with."""
    try:
        return ExitCode.OK if site.verify().ok else ExitCode.INTEGRITY
    except Problem as problem:
        return problem.exit_code


def flips(data: bytes, step: int) -> Iterator[tuple[int, bytes]]:
    """Every ``step``-th byte, changed in one bit, another one each time."""
    for number, place in enumerate(range(0, len(data), step)):
        changed = bytearray(data)
        changed[place] ^= 1 << number % 8
        yield place, bytes(changed)


def test_a_changed_byte_anywhere_in_the_database_gives_exit_code_4(site: Site) -> None:
    data = site.database.read_bytes()
    missed = []
    for place, changed in (*flips(data, 97), *flips(data[:100], 5)):
        site.database.write_bytes(changed + data[len(changed) :])
        if outcome(site) != ExitCode.INTEGRITY:
            missed.append(place)
    assert missed == []
    site.database.write_bytes(data)
    assert outcome(site) == ExitCode.OK


def rows(site: Site) -> list[tuple[object, ...]]:
    connection = sqlite3.connect(site.database)
    try:
        queries = ("SELECT * FROM entry", "SELECT * FROM node", "SELECT * FROM checkpoint")
        found = [row for query in queries for row in connection.execute(query)]
    except sqlite3.Error as error:
        found = [(str(error),)]
    connection.close()
    return found


def test_without_the_note_every_byte_that_says_anything_is_still_found(site: Site) -> None:
    (site.folder / "audit.db.settled").unlink()
    data, said = site.database.read_bytes(), rows(site)
    for place, changed in flips(data, 401):
        site.database.write_bytes(changed)
        if outcome(site) == ExitCode.OK:
            assert rows(site) == said, place


def test_a_changed_byte_anywhere_in_the_anchor_gives_exit_code_4(site: Site) -> None:
    data = site.anchor.read_bytes()
    for place, changed in flips(data, 41):
        site.anchor.write_bytes(changed)
        assert outcome(site) == ExitCode.INTEGRITY, place


def test_a_changed_byte_in_the_note_beside_the_database_gives_exit_code_4(site: Site) -> None:
    path = site.folder / "audit.db.settled"
    data = path.read_bytes()
    for place, changed in flips(data, 3):
        path.write_bytes(changed)
        assert outcome(site) == ExitCode.INTEGRITY, place


def test_a_log_in_use_is_not_called_changed(site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger)
        report = site.verify()
        assert report.ok
        assert report.claims[3].ok is None
    assert site.verify().claims[3].ok is True


@given(st.integers(0, 12), st.integers(1, 6), st.integers(0, 3))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_honest_histories_have_no_findings(
    tmp_path_factory: pytest.TempPathFactory, records: int, closes: int, readers: int
) -> None:
    site = Site(tmp_path_factory.mktemp("honest"))
    site.create().close()
    for number in range(closes):
        with site.open() as ledger:
            others = [site.read() for _ in range(readers)]
            site.append(ledger, records // closes + number % 2)
            for other in others:
                assert other.size == ledger.size
                other.close()
    report = site.verify()
    assert report.findings == ()
    assert report.ok
    assert [claim.ok for claim in report.claims[:3]] == [True, True, True]


def test_many_findings_are_counted_not_listed(site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger, 110)
    stranger = Site(site.folder, engine=sign.generate(), log=sign.generate())
    with Ledger.open(site.url, None, None, None, policy=stranger.policy) as ledger:
        report = verify_ledger(ledger, None)
    assert len(report.findings) == 101
    assert report.findings[-1].code == "E-MORE"

# SPDX-License-Identifier: Apache-2.0
"""A changed byte anywhere in a log's files is found; what is changed with a purpose is in ``tampering``."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from radiomicnet_md_audit import sign
from radiomicnet_md_audit.errors import ExitCode, Problem
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit.sites import Site

pytestmark = pytest.mark.verifies("SRS-LOG-004")

TABLES = ("entry", "node", "checkpoint", "event")


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


def test_many_findings_are_counted_not_listed(site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger, 110)
    stranger = Site(site.folder, engine=sign.generate(), log=sign.generate())
    with Ledger.open(site.url, None, None, None, policy=stranger.policy) as ledger:
        report = verify_ledger(ledger, None)
    assert len(report.findings) == 101
    assert report.findings[-1].code == "E-MORE"

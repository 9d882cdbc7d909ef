# SPDX-License-Identifier: Apache-2.0
"""What a database holds beside its entries is held against them, row by row, whatever the database is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import dsse, merkle, settled, statement, stored
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.policy import Policy
from radiomicnet_md_audit.settled import State
from radiomicnet_md_audit.store import Row
from radiomicnet_md_audit.stored import AS_CLOSED, verify_ledger
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, STRUCTURE, TRUSTED, Report
from tests.audit.small_logs import ANCHOR, HONEST, LINES, POLICY, entry, log

pytestmark = pytest.mark.verifies("SRS-LOG-004")


@dataclass
class Kept:
    """A ledger, its store and its transaction in one, all in memory."""

    entries: list[Row]
    texts: dict[int, str]
    tree: dict[tuple[int, int], bytes]
    listed: dict[int, str]
    trusted: Policy | None = POLICY
    path: Path | None = None
    version: int = 2
    wrong: list[str] = field(default_factory=list)
    more: dict[str, int] = field(default_factory=dict)
    outside: None = None  # nobody else said anything

    @property
    def store(self) -> Kept:
        return self

    @contextmanager
    def read(self) -> Iterator[Kept]:
        yield self

    def size(self) -> int:
        return max((row.index for row in self.entries), default=-1) + 1

    def rows(self, start: int, stop: int) -> list[Row]:
        return [row for row in self.entries if start <= row.index < stop]

    def notes(self, start: int, stop: int) -> dict[int, str]:
        return {size: text for size, text in self.texts.items() if start <= size < stop}

    def nodes(self, level: int, start: int, stop: int) -> list[bytes]:
        if any((level, index) not in self.tree for index in range(start, stop)):
            raise IntegrityError("E-STORE-CORRUPT", "A node is not there.", remedy="None.")
        return [self.tree[level, index] for index in range(start, stop)]

    def kinds(self, start: int, stop: int) -> dict[int, str]:
        return {index: kind for index, kind in self.listed.items() if start <= index < stop}

    def node_count(self) -> int:
        return len(self.tree) + self.more.get("nodes", 0)

    def checkpoint_count(self) -> int:
        return len(self.texts) + self.more.get("notes", 0)

    def event_count(self) -> int:
        return len(self.listed) + self.more.get("events", 0)

    def damage(self) -> list[str]:
        return self.wrong


def kept(entries: list[bytes], **change: object) -> Kept:
    """What the database of this log holds."""
    frontier, tree, rows, listed = merkle.Frontier(), {}, [], {}
    for index, envelope in enumerate(entries):
        for node in frontier.append(merkle.leaf_hash(envelope)):
            tree[node.level, node.index] = node.hash
        said = statement.parse(dsse.parse_unverified(envelope).payload)
        rows.append(Row(index, envelope, said.record_id, said.terminal_request, said.log.producer, said.log.counter))
        if (kind := statement.event(said.document)) is not None:
            listed[index] = kind
    texts = {size: text for size, (_, text) in enumerate(log(entries), 1)}
    return replace(Kept(rows, texts, tree, listed), **change)  # type: ignore[arg-type]


GENESIS = entry(0, schema=2)
ENTRIES = [GENESIS, *HONEST[1:5], entry(5, kind=statement.REPLAY)]
LONG = [GENESIS, *(entry(index) for index in range(1, 300))]


def look(one: Kept, anchor: bytes | None = None, *, signatures: bool = True) -> Report:
    return verify_ledger(one, anchor, signatures=signatures)  # type: ignore[arg-type]


def found(one: Kept, anchor: bytes | None = None) -> list[tuple[int | None, str]]:
    report = look(one, anchor)
    assert report.ok is not bool(report.findings)
    return [(finding.index, finding.code) for finding in report.findings]


def test_an_honest_database_holds_its_entries() -> None:
    report = look(kept(HONEST[:6], version=1), ANCHOR)
    assert report.findings == ()
    assert [(claim.name, claim.ok) for claim in report.claims[:4]] == [
        (CONSISTENT, True),
        (ANCHORED, True),
        (TRUSTED, True),
        (AS_CLOSED, None),
    ]
    assert (report.size, report.root) == (6, kept_root(HONEST[:6]))
    assert found(kept(ENTRIES)) == []
    assert found(kept(LONG)) == []
    unsigned = look(kept(ENTRIES), signatures=False)
    assert [claim.name for claim in unsigned.claims[:5]] == [STRUCTURE, CONSISTENT, ANCHORED, TRUSTED, AS_CLOSED]
    assert (unsigned.ok, unsigned.sound) == (False, True)
    assert look(kept(ENTRIES, trusted=None)).claims[2].ok is None
    assert verify_ledger(kept(ENTRIES), None).claims[0].name == CONSISTENT  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("path", "copy", "where"),
    [
        (None, {}, "the log's own, on this machine, and a server keeps the log."),
        (Path("audit.db"), {}, "the log's own, on the same machine."),
        (Path("audit.db"), {"anchor_is_copy": True}, "a copy that you gave."),
    ],
)
def test_where_the_anchor_was_kept_is_told(
    monkeypatch: pytest.MonkeyPatch, path: Path | None, copy: dict[str, bool], where: str
) -> None:
    monkeypatch.setattr(settled, "check", lambda _path, _size: State.ABSENT)
    one = kept(HONEST[:6], version=1, path=path)
    assert verify_ledger(one, ANCHOR, **copy).claims[1].text.endswith(f"it is {where}")  # type: ignore[arg-type]


def kept_root(entries: list[bytes]) -> str:
    tree = merkle.Frontier()
    for envelope in entries:
        tree.append(merkle.leaf_hash(envelope))
    return tree.root().hex()


@pytest.mark.parametrize(
    "change", [{"record_id": "x"}, {"request": "x"}, {"request": None}, {"producer": "x"}, {"counter": 9}]
)
@pytest.mark.parametrize("at", [1, 4])
def test_a_column_is_what_its_record_says(at: int, change: dict[str, Any]) -> None:
    one = kept(ENTRIES)
    one.entries[at] = replace(one.entries[at], **change)
    assert found(one) == [(at, "E-STORE-COLUMN")]
    assert (look(one).claims[0].name, look(one).claims[0].ok) == (CONSISTENT, False)
    assert look(one).claims[0].text.startswith("The database")


def test_the_list_of_events_is_what_the_entries_are() -> None:
    one = kept(ENTRIES)
    assert one.listed == {0: statement.GENESIS, 5: statement.REPLAY}
    assert found(replace(one, listed={0: statement.GENESIS, 5: statement.EXPORT})) == [(5, "E-STORE-COLUMN")]
    assert found(replace(one, listed={0: statement.GENESIS})) == [(5, "E-STORE-COLUMN")]
    assert found(replace(one, listed={**one.listed, 2: statement.REPLAY})) == [(2, "E-STORE-COLUMN")]
    assert found(replace(one, listed={**one.listed, 77: statement.REPLAY})) == [(None, "E-STORE-ROWS")]
    assert found(kept(HONEST[:3], version=1, more={"events": 5})) == []  # there was no such list


def test_a_database_is_of_the_version_that_its_log_tells() -> None:
    assert found(kept(ENTRIES, version=1)) == [(None, "E-STORE-CORRUPT")]
    newer = [*ENTRIES, entry(6, kind=statement.MIGRATION, schema=3)]
    assert found(kept(newer)) == [(None, "E-STORE-CORRUPT")]
    assert found(kept(newer, version=3)) == []


@pytest.mark.parametrize("more", ["nodes", "notes"])
@pytest.mark.parametrize("count", [1, -1])
def test_there_are_as_many_rows_as_the_entries_make(more: str, count: int) -> None:
    assert found(kept(ENTRIES, more={more: count})) == [(None, "E-STORE-ROWS")]


@pytest.mark.parametrize(("level", "index", "last"), [(0, 0, 0), (0, 5, 5), (1, 2, 5), (2, 0, 3)])
def test_a_node_is_the_hash_of_what_is_below_it(level: int, index: int, last: int) -> None:
    one = kept(ENTRIES)
    one.tree[level, index] = bytes(32)
    assert found(one) == [(last, "E-STORE-NODE")]


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of 300 entries has more than one page."""
    monkeypatch.setattr(stored, "_PAGE", 256)


@pytest.mark.parametrize(("level", "index", "last"), [(0, 0, 0), (0, 299, 299), (3, 20, 167), (8, 0, 255)])
def test_nodes_are_held_against_the_entries_page_by_page(level: int, index: int, last: int) -> None:
    one = kept(LONG)
    one.tree[level, index] = bytes(32)
    assert found(one) == [(last, "E-STORE-NODE")]


def test_two_wrong_nodes_over_one_entry_are_one_finding() -> None:
    one = kept(ENTRIES)
    for place in ((0, 3), (1, 1), (2, 0), (0, 1)):
        one.tree[place] = bytes(32)
    assert found(one) == [(1, "E-STORE-NODE"), (3, "E-STORE-NODE")]


def test_a_missing_node_ends_the_reading() -> None:
    one = kept(ENTRIES)
    del one.tree[0, 4]
    assert found(one) == [(6, "E-STORE-CORRUPT")]


@pytest.mark.parametrize(("at", "page"), [(2, 0), (270, 256)])
def test_a_gap_ends_the_reading_at_its_page(at: int, page: int) -> None:
    one = kept(LONG)
    del one.entries[at]
    report = look(one)
    assert report.size == page
    assert [(one.index, one.code) for one in report.findings if one.code != "E-LOG-EMPTY"] == [
        (page, "E-LOG-GAP"),
        *([(None, "E-STORE-ROWS")] if page == 0 else []),  # the genesis was listed as an event, and not read
    ]


def test_a_missing_checkpoint_is_found() -> None:
    one = kept(ENTRIES)
    del one.texts[3]
    assert found(one) == [(2, "E-NOTE-FORM"), (None, "E-STORE-ROWS")]


def test_a_broken_entry_has_no_columns() -> None:
    one = kept(ENTRIES)
    one.entries[5] = replace(one.entries[5], envelope=b"{}")
    codes = [code for _, code in found(one)]
    assert "E-ENVELOPE-FORM" in codes
    assert "E-STORE-COLUMN" not in codes
    one.more = {"nodes": 1}
    assert look(one).claims[0].text.startswith("2 findings")


def test_what_a_broken_genesis_would_have_told_is_not_guessed() -> None:
    one = kept(HONEST[:3], version=1)
    one.entries[0] = replace(one.entries[0], envelope=b"{}")
    assert "E-STORE-CORRUPT" not in [code for _, code in found(one)]


def test_a_database_that_cannot_be_read_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    monkeypatch.setattr(settled, "check", lambda _path, size: asked.append(size) or State.ABSENT)
    monkeypatch.setattr(Kept, "size", _corrupt)
    assert found(kept(ENTRIES, path=Path("audit.db"))) == [(None, "E-LOG-EMPTY"), (0, "E-STORE-CORRUPT")]
    assert asked == [0]


def _corrupt(_kept: Kept) -> int:
    raise IntegrityError("E-STORE-CORRUPT", "The disk.", remedy="None.")


def test_what_the_database_says_of_itself_is_a_finding() -> None:
    one = kept(ENTRIES, wrong=["one", "two"])
    assert found(one) == [(None, "E-STORE-CORRUPT")] * 2
    assert [finding.text for finding in look(one).findings] == ["one", "two"]


def test_an_anchor_that_knows_more_is_found() -> None:
    one = kept(HONEST[:6], version=1)
    assert found(one, ANCHOR + LINES[6]) == [(6, "E-ANCHOR-LEADS")]
    assert [claim.ok for claim in look(one, ANCHOR + LINES[6]).claims[:3]] == [True, False, True]
    assert found(one, ANCHOR + LINES[6][:-1]) == []


def test_an_empty_database_shows_nothing() -> None:
    assert found(kept([])) == [(None, "E-LOG-EMPTY")]


@pytest.mark.parametrize(
    ("state", "ok"), [(State.SAME, True), (State.OUTDATED, None), (State.ABSENT, None), (State.CHANGED, False)]
)
def test_the_file_as_it_was_closed_is_a_claim_of_its_own(
    monkeypatch: pytest.MonkeyPatch, state: State, *, ok: bool | None
) -> None:
    asked = []

    def check(path: Path, size: int) -> State:
        asked.append((path, size))
        return state

    monkeypatch.setattr(settled, "check", check)
    report = look(kept(ENTRIES, path=Path("audit.db")))
    assert asked == [(Path("audit.db"), 6)]
    assert (report.claims[3].name, report.claims[3].ok) == (AS_CLOSED, ok)
    assert report.claims[0].ok is True
    assert [(one.index, one.code) for one in report.findings] == ([(None, "E-STORE-CHANGED")] if ok is False else [])
    assert report.claims[3].text

# SPDX-License-Identifier: Apache-2.0
"""Each thing that can be wrong with a log gives its own finding at its own entry, and no other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from radiomicnet_md_audit import checkpoint, dsse, merkle, note, statement
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.examine import Task, examine
from radiomicnet_md_audit.note import Note, Signature
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.verify import ANCHORED, CONSISTENT, STRUCTURE, TRUSTED, Walk
from tests.audit.small_logs import (
    ANCHOR,
    ENGINE,
    FOREIGN,
    FOREIGN_POLICY,
    HONEST,
    KEYS,
    LINES,
    ORIGIN,
    OTHER,
    PAIRS,
    POLICY,
    STRANGER,
    Pair,
    entry,
    log,
)

pytestmark = pytest.mark.verifies("SRS-LOG-004")


def edited(changes: dict[int, bytes], size: int = 6) -> list[Pair]:
    return log([changes.get(index, HONEST[index]) for index in range(size)])


def walked(
    pairs: Sequence[Pair], anchor: bytes | None = None, policy: Policy | None = POLICY, *, signatures: bool = True
) -> Walk:
    walk = Walk(policy, anchor, signatures=signatures)
    assert [seen.task.index for seen in walk.feed_all(pairs)] == list(range(len(pairs)))
    return walk


def found(walk: Walk) -> list[tuple[int | None, str]]:
    walk.claims()
    return [(finding.index, finding.code) for finding in walk.findings()]


def oks(walk: Walk) -> list[bool | None]:
    claims = walk.claims()
    assert [claim.name for claim in claims] == [STRUCTURE, CONSISTENT, ANCHORED, TRUSTED][-len(claims) :]
    return [claim.ok for claim in claims]


def test_an_honest_log_has_three_claims() -> None:
    walk = walked(PAIRS, ANCHOR)
    assert [(claim.name, claim.ok) for claim in walk.claims()] == [
        (CONSISTENT, True),
        (ANCHORED, True),
        (TRUSTED, True),
    ]
    assert walk.findings() == ()
    assert "2026-01-01T00:00:05.000000Z, which covers 6 of 6 entries; it is a copy" in walk.claims()[1].text
    assert oks(walked(PAIRS, policy=None)) == [True, None, None]
    said, nodes = Walk(POLICY, None).feed(*PAIRS[0])
    assert said is not None
    assert said.record_id == statement.record_id(bytes(15) + b"\x01")
    assert [(node.level, node.index, node.hash) for node in nodes] == [(0, 0, merkle.leaf_hash(PAIRS[0][0]))]


REPEATED = {"record_id": statement.record_id((3).to_bytes(16, "big"))}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({2: entry(2, log_origin="example.org/other")}, [(2, "E-ORIGIN")]),
        (
            {
                2: entry(2, log_producer="x", log_counter=0),
                3: entry(3, log_counter=2),
                4: entry(4, log_counter=3),
                5: entry(5, log_counter=4),
            },
            [(2, "E-PRODUCER")],
        ),
        (
            {
                2: entry(2, log_counter=3),
                3: entry(3, log_counter=4),
                4: entry(4, log_counter=5),
                5: entry(5, log_counter=6),
            },
            [(2, "E-COUNTER")],
        ),
        ({3: entry(3, log_counter=2)}, [(3, "E-COUNTER"), (4, "E-COUNTER")]),
        ({0: entry(0, log_counter=1)}, [(0, "E-COUNTER"), (1, "E-COUNTER")]),
        (
            {
                2: entry(2, OTHER, log_counter=0),
                3: entry(3, log_counter=2),
                4: entry(4, OTHER, log_counter=1),
                5: entry(5, log_counter=3),
            },
            [],
        ),
        ({3: entry(3, **REPEATED)}, [(3, "E-RECORD-REPEATED")]),
        ({3: entry(3, **REPEATED), 5: entry(5, **REPEATED)}, [(3, "E-RECORD-REPEATED"), (5, "E-RECORD-REPEATED")]),
        ({3: entry(3, request_id="request-2")}, [(3, "E-REQUEST-REPEATED")]),
        ({3: entry(3, request_id="request-2", state="REFUSED")}, [(3, "E-REQUEST-REPEATED")]),
        ({2: entry(2, state="ERROR"), 3: entry(3, request_id="request-2")}, []),
        ({3: entry(3, request_id="request-2", state="ERROR")}, []),
        ({2: entry(2, kind=statement.GENESIS)}, [(2, "E-GENESIS")]),
        ({1: entry(1, kind=statement.REPLAY), 2: entry(2, kind=statement.EXPORT)}, []),
    ],
)
def test_what_only_the_entries_before_it_can_tell(changes: dict[int, bytes], expected: list[tuple[int, str]]) -> None:
    walk = walked(edited(changes))
    assert found(walk) == expected
    assert oks(walk) == [not expected, None, not expected]


def test_a_clock_that_was_set_back_is_told_and_is_no_failure() -> None:
    early = {at: entry(at, log_time_utc=f"2025-01-01T00:00:0{at}.000000Z") for at in (2, 3)}
    assert "set back" not in walked(PAIRS).claims()[0].text
    once = walked(edited(early))
    assert (found(once), once.claims()[0].ok) == ([], True)
    assert once.claims()[0].text.startswith("6 entries")
    assert once.claims()[0].text.endswith("The clock was set back 1 times, first before entry 2.")
    twice = walked(edited({2: early[2], 4: entry(4, log_time_utc="2025-01-01T00:00:00.000000Z")}))
    assert twice.claims()[0].text.endswith("The clock was set back 2 times, first before entry 2.")
    others = {2: entry(2, OTHER, log_counter=0, log_time_utc="2025-01-01T00:00:00.000000Z")}
    others |= {at: entry(at, log_counter=at - 1) for at in (3, 4, 5)}
    assert "set back" not in walked(edited(others)).claims()[0].text  # another machine's clock is another clock


def test_a_record_by_another_key_is_not_of_the_log_and_not_trusted() -> None:
    walk = walked(edited({2: entry(2, STRANGER)}))
    assert found(walk) == [(2, "E-KEY-UNKNOWN"), (3, "E-COUNTER"), (2, "E-KEY-UNTRUSTED")]
    assert oks(walk) == [False, None, False]


def test_a_signature_that_does_not_hold_is_one_finding() -> None:
    parts = dsse.parse_unverified(HONEST[5])
    walk = walked(edited({5: dsse.encode(replace(parts, signature=bytes(64)))}))
    assert found(walk) == [(5, "E-SIGNATURE")]
    assert walk.findings()[0].text.startswith("A signature")
    assert oks(walk) == [False, None, False]
    assert walk.claims()[2].text.startswith("Not shown")


def test_a_log_of_other_keys_is_consistent_and_not_trusted() -> None:
    walk = walked(PAIRS[:2], policy=FOREIGN_POLICY)
    expected = [(at, code) for at in range(2) for code in ("E-KEY-UNTRUSTED", "E-CHECKPOINT-UNSIGNED")]
    assert found(walk) == expected
    assert oks(walk) == [True, None, False]
    assert walk.claims()[2].text.startswith("4 ")


@pytest.mark.parametrize(
    ("policy", "codes"),
    [
        (replace(POLICY, log_keys=()), {"E-CHECKPOINT-UNSIGNED"}),
        (replace(POLICY, log_keys=(*POLICY.log_keys, *FOREIGN_POLICY.log_keys)), {"E-CHECKPOINT-UNSIGNED"}),
        (replace(POLICY, log_keys=((POLICY.log_keys[0][0], Span(1, 6)),)), {"E-CHECKPOINT-UNSIGNED"}),
        (replace(POLICY, engine_keys=((ENGINE.public, Span(1, 6)),)), {"E-KEY-UNTRUSTED"}),
        (replace(POLICY, engine_keys=()), {"E-KEY-UNTRUSTED"}),
        (replace(POLICY, engine_keys=((ENGINE.public, Span(1, 7)),)), set()),
    ],
)
def test_a_policy_demands_its_keys_for_their_sizes(policy: Policy, codes: set[str]) -> None:
    walk = walked(PAIRS, policy=policy)
    assert {finding.code for finding in (walk.claims(), walk.findings())[1]} == codes
    assert oks(walk) == [True, None, not codes]
    limited = [key for key, span in (*policy.log_keys, *policy.engine_keys) if span.stop == 6]
    if limited:
        assert {finding.index for finding in walk.findings()} == {5}


def test_a_broken_entry_is_a_finding_of_the_log_and_of_its_trust() -> None:
    walk = walked(edited({2: b"{}"}))
    assert found(walk) == [(2, "E-ENVELOPE-FORM"), (3, "E-COUNTER"), (2, "E-ENVELOPE-FORM")]
    assert found(walked(edited({2: b"{}"}), policy=None)) == [(2, "E-ENVELOPE-FORM"), (3, "E-COUNTER")]
    assert found(walked(edited({5: dsse.seal(b"{}", dsse.STATEMENT_TYPE, ENGINE)}))) == [(5, "E-STATEMENT-FORM")]
    other = dsse.seal(dsse.parse_unverified(HONEST[5]).payload, "text/plain", ENGINE)
    assert found(walked(edited({5: other}))) == [(5, "E-ENVELOPE-TYPE")]


def test_an_entry_that_is_too_large_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dsse, "LARGEST_ENTRY", len(HONEST[0]))  # that of the genesis, the largest here
    assert found(walked(PAIRS)) == []
    monkeypatch.setattr(dsse, "LARGEST_ENTRY", len(HONEST[0]) - 1)
    assert found(walked(PAIRS)) == [(0, "E-RECORD-LARGE")]
    assert oks(walked(PAIRS)) == [False, None, False]
    assert f" {len(HONEST[0]) - 1} bytes" in walked(PAIRS).findings()[0].text


def test_without_its_genesis_a_log_has_no_keys_of_its_own() -> None:
    pairs = log([HONEST[1], HONEST[2]])
    assert found(walked(pairs, policy=None)) == [
        (0, "E-POLICY"), (0, "E-GENESIS"), (1, "E-GENESIS"), (1, "E-GENESIS")
    ]  # fmt: skip
    assert found(walked(pairs)) == [(0, "E-POLICY"), (1, "E-COUNTER")]
    task = Task(1, HONEST[1], PAIRS[1][1], [], bytes(32), None)
    alone = examine(task, None)
    assert ([wrong.code for wrong in alone.record], [wrong.code for wrong in alone.checkpoint]) == (
        ["E-GENESIS"],
        ["E-GENESIS"],
    )
    assert alone.trust == []
    assert alone.said is None


def test_without_its_genesis_a_log_is_judged_by_the_readers_policy() -> None:
    pairs = log([HONEST[1], HONEST[2], HONEST[3]])
    assert found(walked(pairs)) == [(0, "E-POLICY"), (1, "E-COUNTER")]
    short = replace(POLICY, engine_keys=((ENGINE.public, Span(1, 3)),))
    assert found(walked(pairs, policy=short)) == [
        (0, "E-POLICY"), (1, "E-COUNTER"), (2, "E-KEY-UNKNOWN"), (2, "E-KEY-UNTRUSTED")
    ]  # fmt: skip
    foreign = log([HONEST[1], entry(2, log_origin="example.org/other")])
    assert found(walked(foreign)) == [(0, "E-POLICY"), (1, "E-ORIGIN"), (1, "E-COUNTER")]


def test_without_a_policy_a_record_of_another_log_is_found() -> None:
    assert found(walked(edited({5: entry(5, log_origin="example.org/other")}), policy=None)) == [(5, "E-ORIGIN")]


def test_the_genesis_must_be_signed_by_a_key_that_it_names() -> None:
    assert found(walked(log([entry(0, STRANGER)]), policy=None)) == [(0, "E-KEY-UNKNOWN")]


def test_a_long_log_is_read_a_little_ahead() -> None:
    pairs = log([HONEST[0], *(entry(index) for index in range(1, 700))])
    read = 0

    def counted() -> Iterator[Pair]:
        nonlocal read
        for pair in pairs:
            read += 1
            yield pair

    walk, ahead = Walk(POLICY, None), []
    for at, seen in enumerate(walk.feed_all(counted())):
        assert seen.task.index == at
        ahead.append(read - at)
    assert len(ahead) == 700
    assert max(ahead) == 544  # sixteen groups of 32, and the one whose findings are taken
    assert found(walk) == []


def with_note(at: int, text: str) -> list[Pair]:
    return [*PAIRS[:at], (PAIRS[at][0], text), *PAIRS[at + 1 :]]


def test_a_checkpoint_is_that_of_its_entry() -> None:
    swapped = [(PAIRS[index][0], PAIRS[other][1]) for index, other in enumerate((0, 2, 1, 3, 4, 5))]
    assert found(walked(swapped)) == [(1, "E-CHECKPOINT-ROOT")]  # one cause, one finding
    head = checkpoint.parse_unverified(PAIRS[3][1])[0]
    for wrong in (replace(head, size=5), replace(head, root=bytes(32))):
        assert found(walked(with_note(3, checkpoint.issue(wrong, KEYS, 0)))) == [(3, "E-CHECKPOINT-ROOT")]
    foreign = with_note(3, checkpoint.issue(replace(head, origin="example.org/other"), KEYS, 0))
    assert found(walked(foreign)) == [(3, "E-ORIGIN")]
    unsigned = with_note(3, checkpoint.issue(head, FOREIGN, 0))
    assert found(walked(unsigned)) == [(3, "E-CHECKPOINT-UNSIGNED")]
    assert found(walked(with_note(3, ""))) == [(3, "E-NOTE-FORM")]


def test_a_line_more_in_a_checkpoint_is_found() -> None:
    parsed = note.parse(PAIRS[3][1])
    for more in (Signature("witness.example", b"1234", bytes(72)), parsed.signatures[0]):
        text = str(Note(parsed.text, (*parsed.signatures, more)))
        assert found(walked(with_note(3, text))) == [(3, "E-CHECKPOINT-LINES")]


class TestAnchor:
    """What the anchor says is a claim of its own."""

    @pytest.mark.parametrize("keep", [len(LINES[0]), len(LINES[0]) + 1, len(ANCHOR) - 1, len(ANCHOR)])
    def test_it_may_lag(self, keep: int) -> None:
        walk = walked(PAIRS, ANCHOR[:keep])
        assert oks(walk) == [True, True, True]
        assert f"covers {ANCHOR[:keep].count(bytes([10]))} of 6 entries" in walk.claims()[1].text
        assert walk.anchor_goes_on() is None

    @pytest.mark.parametrize("anchor", [b"", ANCHOR[:1], LINES[0][:-1]])
    def test_without_a_line_it_shows_nothing(self, anchor: bytes) -> None:
        walk = walked(PAIRS, anchor)
        assert oks(walk) == [True, False, True]
        assert found(walk) == [(None, "E-ANCHOR-EMPTY")]

    @pytest.mark.parametrize(
        ("anchor", "at"),
        [
            (b"x", 0),
            (LINES[1], 0),
            (LINES[0] + LINES[2], 1),
            (b"".join(LINES[:3]) + b"x", 3),
            (ANCHOR.replace(b"00:03", b"00:04"), 3),
            (ANCHOR[: len(ANCHOR) // 2].replace(b"same", b"some"), 0),
        ],
    )
    def test_another_line_is_found_once(self, anchor: bytes, at: int) -> None:
        walk = walked(PAIRS, anchor)
        assert found(walk) == [(at, "E-ANCHOR-DIFFERS")]
        assert oks(walk) == [True, False, True]
        assert walk.claims()[1].text == walk.findings()[0].text
        assert walk.anchor_goes_on() is None

    def test_a_broken_entry_has_no_line(self) -> None:
        assert found(walked(edited({5: b"{}"}), ANCHOR))[-2:] == [(5, "E-ANCHOR-DIFFERS"), (5, "E-ENVELOPE-FORM")]
        assert oks(walked(edited({5: b"{}"}), b"".join(LINES[:5])))[1] is True

    def test_it_may_go_on(self) -> None:
        walk = walked(PAIRS, ANCHOR + LINES[6] + LINES[7])
        assert oks(walk) == [True, True, True]
        later = walk.anchor_goes_on()
        assert later is not None
        assert later.line() == LINES[6]
        assert walked(PAIRS, ANCHOR + LINES[6][:-1]).anchor_goes_on() is None
        assert walked(PAIRS, None).anchor_goes_on() is None
        for pairs, anchor in ((PAIRS, ANCHOR + b"x\n"), ([], b"\n")):
            with pytest.raises(IntegrityError):
                walked(pairs, anchor).anchor_goes_on()


class TestWithoutSignatures:
    """The tree is looked at, and the first and the last entry."""

    def look(self, pairs: Sequence[Pair], policy: Policy | None = POLICY) -> Walk:
        return walked(pairs, ANCHOR, policy, signatures=False)

    def test_the_tree_holds_and_nothing_else_is_said(self) -> None:
        walk = self.look(PAIRS)
        names = [(STRUCTURE, True), (CONSISTENT, None), (ANCHORED, None), (TRUSTED, None)]
        assert [(claim.name, claim.ok) for claim in walk.claims()] == names
        assert walk.findings() == ()
        assert walk.anchor_goes_on() is None
        assert oks(self.look(PAIRS[:1])) == [True, None, None, None]

    def test_an_empty_log_shows_nothing(self) -> None:
        assert found(self.look([])) == [(None, "E-LOG-EMPTY")]
        assert oks(self.look([])) == [False, None, None, None]
        assert oks(walked([], ANCHOR)) == [False, False, False]

    @pytest.mark.parametrize("at", range(6))
    def test_the_ends_are_signed(self, at: int) -> None:
        head = checkpoint.parse_unverified(PAIRS[at][1])[0]
        walk = self.look(with_note(at, checkpoint.issue(head, FOREIGN, 0)))
        expected = [(at, "E-CHECKPOINT-UNSIGNED")] if at in (0, 5) else []
        assert found(walk) == expected
        assert oks(walk) == [not expected, None, None, None]

    def test_keys_that_are_not_trusted_are_named(self) -> None:
        walk = self.look(PAIRS, FOREIGN_POLICY)
        assert found(walk) == [(at, code) for at in (0, 5) for code in ("E-KEY-UNTRUSTED", "E-CHECKPOINT-UNSIGNED")]
        assert oks(self.look(PAIRS, FOREIGN_POLICY)) == [True, None, None, False]

    @pytest.mark.parametrize(
        "text",
        [
            "",
            PAIRS[2][1],
            PAIRS[3][1].replace("\n4\n", "\n5\n"),
            PAIRS[3][1].replace(ORIGIN, "example.org/other", 1),
            PAIRS[3][1].replace("\n— ", "\nmore\n— ", 1),
            PAIRS[3][1].partition("\n\n")[0] + "\n",
        ],
    )
    def test_a_checkpoint_names_the_tree(self, text: str) -> None:
        assert found(self.look(with_note(3, text))) == [(3, "E-CHECKPOINT-ROOT")]

    def test_without_a_genesis_no_checkpoint_is_of_the_log(self) -> None:
        codes = found(self.look(log([HONEST[1], HONEST[2], HONEST[3]])))
        assert codes[:2] == [(0, "E-POLICY"), (1, "E-CHECKPOINT-ROOT")]


@pytest.mark.parametrize("error", [OSError("disk"), IntegrityError("E-STORE-CORRUPT", "disk", remedy="None.")])
@pytest.mark.parametrize("signatures", [True, False])
def test_what_stops_the_reading_comes_after_what_was_read(error: Exception, *, signatures: bool) -> None:
    def breaking() -> Iterator[Pair]:
        yield from PAIRS
        raise error

    walk, taken = Walk(POLICY, None, signatures=signatures), []
    with pytest.raises(type(error), match="disk"):
        taken.extend(walk.feed_all(breaking()))
    assert len(taken) == 6

# SPDX-License-Identifier: Apache-2.0
"""A long log is verified in little memory and on all cores, and the report is that of one look after another."""

from __future__ import annotations

import mmap
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from radiomicnet_md_audit import bundle, canonical, checkpoint, dsse, export, merkle, sign, statement, verify
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.examine import Ring
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.policy import Policy, Span
from radiomicnet_md_audit.stored import verify_ledger
from radiomicnet_md_audit.verify import CONSISTENT, STRUCTURE, AnchorText, Claim, Finding, Walk
from tests.audit.sites import ORIGIN, Site

pytestmark = pytest.mark.verifies("SRS-LOG-015")

ENGINE, LOG = sign.from_seed(bytes([21]) * 32), sign.from_seed(bytes([22]) * 32)
KEYS = LogKeys(LOG)
POLICY = Policy(ORIGIN, tuple((key, Span()) for key in KEYS.public(ORIGIN)), ((ENGINE.public, Span()),))

Pair = tuple[bytes, str]


def payload(index: int) -> bytes:
    identity = statement.record_id((index + 1).to_bytes(16, "big"))
    predicate: dict[str, object] = {"record_id": identity, "request_id": f"request-{index}", "state": "RESULT"}
    kind = statement.DECISION if index else statement.GENESIS
    if not index:
        predicate |= policies.genesis_predicate(ORIGIN, KEYS.public(ORIGIN), ENGINE.public)
    time = f"2026-01-01T00:{index // 60 % 60:02d}:{index % 60:02d}.000000Z"
    predicate["log"] = {
        "origin": ORIGIN,
        "producer": ENGINE.public.keyid,
        "counter": index,
        "time_utc": time,
        "monotonic_ns": index,
    }
    return canonical.dumps(statement.build(kind, {"input": f"{index:064x}"}, predicate))


def honest(size: int) -> Iterator[Pair]:
    """The entries and checkpoints of a log, made on the way."""
    tree = merkle.Frontier()
    for index in range(size):
        envelope = dsse.seal(payload(index), dsse.STATEMENT_TYPE, ENGINE)
        tree.append(merkle.leaf_hash(envelope))
        yield envelope, checkpoint.issue(Checkpoint(ORIGIN, index + 1, tree.root()), KEYS, 0)


PAIRS = list(honest(150))
ANCHOR = b"".join(
    Anchored(index + 1, note, statement.parse(dsse.parse_unverified(envelope).payload).log.time_utc).line()
    for index, (envelope, note) in enumerate(PAIRS)
)


def outcome(walk: Walk) -> tuple[tuple[Claim, ...], tuple[Finding, ...], int, bytes]:
    return walk.claims(), walk.findings(), walk.tree.size, walk.tree.root()


def one_by_one(pairs: list[Pair], anchor: bytes | None, policy: Policy | None = POLICY) -> Walk:
    walk = Walk(policy, anchor)
    for envelope, note in pairs:
        walk.feed(envelope, note)
    return walk


def in_groups(pairs: list[Pair], anchor: AnchorText | None = ANCHOR, policy: Policy | None = POLICY) -> Walk:
    walk = Walk(policy, anchor)
    assert [seen.task.index for seen in walk.feed_all(iter(pairs))] == list(range(len(pairs)))
    return walk


@pytest.mark.parametrize("size", [0, 1, 31, 32, 33, 150])
def test_an_honest_log_of_any_length(size: int) -> None:
    walk = in_groups(PAIRS[:size], anchor=None)
    assert outcome(walk) == outcome(one_by_one(PAIRS[:size], anchor=None))
    assert bool(walk.findings()) is (size == 0)


CHANGES = ("drop", "repeat", "swap", "entry byte", "note byte", "foreign key", "other note", "anchor byte")


@given(st.lists(st.tuples(st.sampled_from(CHANGES), st.integers(0, 149), st.integers(0, 10**6)), max_size=4), st.data())
@settings(max_examples=40, deadline=None)
def test_groups_report_what_one_look_after_another_does(
    changes: list[tuple[str, int, int]], data: st.DataObject
) -> None:
    pairs, anchor = list(PAIRS), ANCHOR
    for change, place, byte in changes:
        at = place % len(pairs)
        envelope, note = pairs[at]
        match change:
            case "drop":
                del pairs[at]
            case "repeat":
                pairs.insert(at, pairs[at])
            case "swap":
                pairs[at], pairs[at - 1] = pairs[at - 1], pairs[at]
            case "entry byte":
                pairs[at] = (flipped(envelope, byte), note)
            case "note byte":
                pairs[at] = (envelope, flipped(note.encode(), byte).decode("utf-8", "replace"))
            case "foreign key":
                pairs[at] = (dsse.seal(payload(at), dsse.STATEMENT_TYPE, LOG), note)
            case "other note":
                pairs[at] = (envelope, pairs[at - 1][1])
            case "anchor byte":
                anchor = flipped(anchor, byte)
    policy = data.draw(st.sampled_from([POLICY, None, policies.Policy(ORIGIN, POLICY.log_keys, ())]))
    kept = data.draw(st.sampled_from([anchor, None]))
    assert outcome(in_groups(pairs, kept, policy)) == outcome(one_by_one(pairs, kept, policy))


def flipped(data: bytes, byte: int) -> bytes:
    changed = bytearray(data)
    changed[byte % len(data)] ^= 1 << byte % 8
    return bytes(changed)


def test_what_stops_the_reading_is_raised_after_what_was_read() -> None:
    def breaking() -> Iterator[Pair]:
        yield from PAIRS[:40]
        yield flipped(PAIRS[40][0], 500), PAIRS[40][1]
        raise IntegrityError("E-STORE-CORRUPT", "The disk.", remedy="None.")

    walk = Walk(POLICY, None)
    taken = []
    with pytest.raises(IntegrityError, match="The disk"):
        taken.extend(walk.feed_all(breaking()))
    assert [seen.task.index for seen in taken] == list(range(41))
    assert {finding.index for finding in walk.findings()} == {40}


def test_the_keys_of_a_size_are_those_of_the_policy() -> None:
    other = sign.from_seed(bytes([23]) * 32)
    keys = tuple((key.public, span) for key in (ENGINE, other) for span in (Span(1, 5), Span(3), Span(4, 9)))
    spans = policies.Policy(ORIGIN, ((POLICY.log_keys[0][0], Span(2, 7)), POLICY.log_keys[0]), keys)
    ring = Ring(spans)
    for size in (*range(1, 12), *reversed(range(1, 12))):
        assert ring.at(size).engine == spans.engine_keys_at(size)
        assert ring.at(size).log == spans.log_keys_at(size)


def test_memory_grows_by_the_ids_of_records_alone() -> None:
    peaks = []
    tracemalloc.start()
    try:
        for size in (500, 2500):
            walk = Walk(POLICY, None)
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert sum(1 for _ in walk.feed_all(honest(size))) == size
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            assert walk.findings() == ()
    finally:
        tracemalloc.stop()
    # A record id and a request: two small objects and two places in a set that doubles its size now and then.
    assert (peaks[1] - peaks[0]) / 2000 < 300, peaks


def test_an_anchor_need_not_be_in_memory(tmp_path: Path) -> None:
    for content in (ANCHOR, ANCHOR[: len(ANCHOR) // 2], flipped(ANCHOR, 9000)):
        (tmp_path / "anchor").write_bytes(content)
        with (tmp_path / "anchor").open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert outcome(in_groups(PAIRS, anchor=mapped)) == outcome(in_groups(PAIRS, anchor=content))
            short = in_groups(PAIRS[:20], anchor=mapped).anchor_goes_on()
            assert short == in_groups(PAIRS[:20], anchor=content).anchor_goes_on()


class TestWithoutSignatures:
    """What is shown is less, and nobody can take it for the whole."""

    def test_a_report_is_never_ok(self, site: Site, tmp_path: Path) -> None:
        with site.open() as ledger:
            report = verify_ledger(ledger, site.anchor.read_bytes(), signatures=False)
            export.write(ledger, tmp_path / "export", site.policy)
        assert (report.ok, report.sound, report.findings) == (False, True, ())
        exported = bundle.verify_bundle(tmp_path / "export", site.policy, site.anchor.read_bytes(), signatures=False)
        assert (exported.ok, exported.sound) == (False, True)
        for one in (report, exported):
            shown = {claim.name: claim.ok for claim in one.claims}
            assert shown[STRUCTURE] is True
            assert [shown[name] for name in (CONSISTENT, verify.ANCHORED, verify.TRUSTED)] == [None, None, None]
            assert one.document()["ok"] is False
        assert bundle.verify_bundle(tmp_path / "export", site.policy).ok

    def report(self, pairs: list[Pair]) -> tuple[bool | None, set[str]]:
        walk = Walk(POLICY, ANCHOR, signatures=False)
        for _ in walk.feed_all(iter(pairs)):
            pass
        claims = walk.claims()
        assert [claim.ok for claim in claims[1:3]] == [None, None]
        assert claims[3].ok is not True  # False where the first or the last entry is by a key that is not trusted
        return claims[0].ok, {finding.code for finding in walk.findings()}

    @given(st.integers(0, 149), st.integers(0, 10**6))
    @settings(max_examples=30, deadline=None)
    def test_a_changed_entry_is_found(self, at: int, byte: int) -> None:
        envelope, note = PAIRS[at]
        ok, codes = self.report([*PAIRS[:at], (flipped(envelope, byte), note), *PAIRS[at + 1 :]])
        assert ok is False
        assert "E-CHECKPOINT-ROOT" in codes

    def test_a_removed_moved_or_added_entry_is_found(self) -> None:
        for pairs in (
            [*PAIRS[:7], *PAIRS[8:]],
            [*PAIRS[:7], PAIRS[8], PAIRS[7], *PAIRS[9:]],
            [*PAIRS[:7], PAIRS[3], *PAIRS[7:]],
            [],
        ):
            assert self.report(pairs)[0] is False

    @pytest.mark.parametrize("at", [0, 149])
    def test_the_first_and_the_last_checkpoint_must_be_signed(self, at: int) -> None:
        envelope, note = PAIRS[at]
        other = checkpoint.issue(checkpoint.parse_unverified(note)[0], LogKeys(ENGINE), 0)
        ok, codes = self.report([*PAIRS[:at], (envelope, other), *PAIRS[at + 1 :]])
        assert ok is False
        assert codes >= {"E-CHECKPOINT-UNSIGNED"}

    def test_what_is_not_looked_at_is_not_found(self) -> None:
        envelope, note = PAIRS[70]
        other = checkpoint.issue(checkpoint.parse_unverified(note)[0], LogKeys(ENGINE), 0)
        pairs = [*PAIRS[:70], (envelope, other), *PAIRS[71:]]
        assert self.report(pairs) == (True, set())
        assert in_groups(pairs).findings()[0].code == "E-CHECKPOINT-UNSIGNED"


def test_nodes_are_held_against_the_entries_across_pages(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.create() as ledger:
        site.append(ledger, 299)
    for change, last in (
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 0 AND idx = 260", 260),
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 3 AND idx = 20", 167),
        ("UPDATE node SET hash = zeroblob(32) WHERE level = 8 AND idx = 0", 255),
    ):
        (tmp_path / "audit.db.settled").unlink(missing_ok=True)
        before = site.database.read_bytes()
        site.administrate("DROP TRIGGER node_no_update", change)
        with Ledger.open(site.url, None, None, None, policy=site.policy) as ledger:
            report = verify_ledger(ledger, None)
        found = {(finding.index, finding.code) for finding in report.findings}
        assert found == {(last, "E-STORE-NODE"), (None, "E-STORE-CORRUPT")}
        site.database.write_bytes(before)
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"audit.db{suffix}").unlink(missing_ok=True)

# SPDX-License-Identifier: Apache-2.0
"""A receipt means: signed, in the tree, under a signed checkpoint, on the disk, anchored."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from radiomicnet_md_audit import canonical, checkpoint, dsse, merkle, proof, sign, statement
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit.clock import Instant
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, IntegrityError, RecordError
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests.audit.sites import ORIGIN, Site


@pytest.mark.verifies("SRS-REC-001", "SRS-REC-006")
def test_a_receipt_says_what_is_stored(site: Site) -> None:
    with site.open() as ledger:
        receipt = site.append(ledger)[0]
        entry = ledger.find(receipt.record_id)
        assert (entry.index, receipt.index, receipt.size) == (6, 6, 7)
        said = ledger.read(entry)
        note = ledger.latest_checkpoint()
    assert receipt.leaf_sha256 == merkle.leaf_hash(entry.envelope).hex()
    assert receipt.envelope_sha256 == hashlib.sha256(entry.envelope).hexdigest()
    assert receipt.checkpoint == note
    assert receipt.root == checkpoint.parse_unverified(note)[0].root.hex()
    assert receipt.keyid == site.engine.public.keyid
    assert (said.log.origin, said.log.counter, said.log.time_utc) == (ORIGIN, 6, receipt.time_utc)
    assert canonical.dumps(said.document) == dsse.parse_unverified(entry.envelope).payload


@pytest.mark.verifies("SRS-REC-001")
def test_time_comes_from_the_given_clock(tmp_path: Path) -> None:
    site = Site(tmp_path)
    moment = Instant(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), 42)
    with Ledger.create(site.url, ORIGIN, site.engine, site.log, None, clock=lambda: moment) as ledger:
        receipt = site.append(ledger)[0]
        assert receipt.time_utc == "2026-01-02T03:04:05.000000Z"
        assert ledger.read(ledger.find(receipt.record_id)).log.monotonic_ns == 42


@pytest.mark.verifies("SRS-LOG-002")
def test_every_entry_has_a_proof_and_every_size_is_a_beginning(site: Site) -> None:
    with site.open() as ledger:
        site.append(ledger, 7)
        keys = site.policy.log_keys_at(1)
        for entry in ledger.entries():
            proof.parse_inclusion(ledger.inclusion(entry.index)).verify(entry.envelope, keys, ORIGIN)
        with ledger.store.read() as transaction:
            notes = transaction.notes(1, ledger.size + 1)
        for size, note in notes.items():
            proof.parse_consistency(ledger.consistency(size)).verify(note, keys, ORIGIN)


@pytest.mark.verifies("SRS-LOG-003")
def test_a_log_with_a_cosigner_signs_every_checkpoint_twice(tmp_path: Path) -> None:
    site = Site(tmp_path, cosigner=sign.generate_cosigner())
    with site.create() as ledger:
        receipt = site.append(ledger)[0]
    assert receipt.checkpoint.count("\n— ") == 2
    assert site.verify().ok
    with pytest.raises(ConfigurationError) as caught:  # the cosigner may not be left out later
        Ledger.open(site.url, site.engine, site.log, site.anchor)
    assert caught.value.code == "E-KEY-FOREIGN"


@pytest.mark.verifies("SRS-REC-001")
def test_pages_of_entries_are_whole(site: Site) -> None:
    with site.open() as ledger:
        assert [entry.index for entry in ledger.entries()] == list(range(6))
        assert [entry.index for entry in ledger.entries(2, 4)] == [2, 3]
        assert list(ledger.entries(6)) == list(ledger.entries(4, 2)) == []


@pytest.mark.verifies("SRS-REC-001")
def test_records_are_found_by_the_beginning_of_their_id(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with site.create() as ledger:
        ids = ["0" * 24 + "ab", "0" * 24 + "ac", "1" * 26]
        for identity in ids:
            ledger.append(site.draft(record_id=identity))
        assert ledger.find("1" * 9).index == 3
        assert ledger.find(ids[0].upper()).index == 1
        for asked, code in (("0" * 9, "E-RECORD-AMBIGUOUS"), ("2" * 9, "E-RECORD-UNKNOWN"), ("", "E-RECORD-UNKNOWN")):
            with pytest.raises(RecordError) as caught:
                ledger.find(asked)
            assert (caught.value.code, caught.value.exit_code) == (code, ExitCode.USAGE)
        for asked in ("%", "_", "' OR 1", "ä"):
            with pytest.raises(RecordError):
                ledger.find(asked)


@pytest.mark.verifies("SRS-REC-002")
@pytest.mark.verifies("SRS-REC-002", rc=("RC-002",))
def test_a_request_ends_once(site: Site) -> None:
    with site.open() as ledger:
        for state in ("ERROR", "ERROR", "REFUSED"):
            ledger.append(site.draft(request_id="r", state=state))
        ended = ledger.find_request("r")
        assert ended is not None
        assert ended.index == 8
        for state in ("RESULT", "REFUSED"):
            with pytest.raises(RecordError) as caught:
                ledger.append(site.draft(request_id="r", state=state))
            assert caught.value.code == "E-REQUEST-DONE"
        ledger.append(site.draft(request_id="r", state="ERROR"))
        assert ledger.find_request("unknown") is None
    assert site.verify().ok


@pytest.mark.verifies("SRS-REC-002")
def test_a_record_id_is_used_once(site: Site) -> None:
    with site.open() as ledger:
        draft = site.draft(state="ERROR")
        ledger.append(draft)
        with pytest.raises(RecordError) as caught:
            ledger.append(draft)
        assert caught.value.code == "E-RECORD-REPEATED"
        assert ledger.size == 7


@pytest.mark.verifies("SRS-REC-006")
def test_what_cannot_be_canonical_or_is_too_large_is_not_logged(site: Site) -> None:
    with site.open() as ledger:
        for more, code in (
            ({"value": 0.5}, "E-CANONICAL-VALUE"),
            ({"value": "\ud800"}, "E-CANONICAL-VALUE"),
            ({"log": {}}, "E-STATEMENT-FORM"),
            ({"record_id": "short"}, "E-STATEMENT-FORM"),
            ({"value": "x" * 65_535}, "E-RECORD-LARGE"),
        ):
            with pytest.raises((IntegrityError, ConfigurationError)) as caught:
                ledger.append(site.draft(**more))
            assert caught.value.code == code
        assert ledger.size == 6
        site.append(ledger)
    assert site.verify().ok


@pytest.mark.verifies("SRS-REC-001")
def test_without_keys_a_log_is_only_read(site: Site) -> None:
    with site.read() as ledger:
        assert ledger.size == 6
        with pytest.raises(ConfigurationError) as caught:
            site.append(ledger)
        assert caught.value.code == "E-LEDGER-READING"


@pytest.mark.verifies("SRS-KEY-001")
def test_foreign_keys_do_not_write(site: Site) -> None:
    foreign = sign.generate()
    for engine, log in ((foreign, site.log), (site.engine, foreign)):
        with pytest.raises(ConfigurationError) as caught:
            Ledger.open(site.url, engine, log, site.anchor)
        assert caught.value.code == "E-KEY-FOREIGN"


@pytest.mark.verifies("SRS-LOG-006")
@pytest.mark.verifies("SRS-LOG-006", rc=("RC-001",))
def test_the_anchor_has_every_checkpoint(site: Site) -> None:
    lines = [canonical.loads(line) for line in site.anchor.read_bytes().splitlines()]
    with site.read() as ledger, ledger.store.read() as transaction:
        assert [line["checkpoint"] for line in lines] == [transaction.note(size) for size in range(1, 7)]  # type: ignore[index,call-overload]
    assert {line["place"] for line in lines} == {"same-machine"}  # type: ignore[index,call-overload]


@pytest.mark.verifies("SRS-LOG-006", "SRS-LOG-008")
@pytest.mark.parametrize("keep", [0, 1, 100, -1, -500, -1000])
def test_an_anchor_that_lags_is_caught_up(site: Site, keep: int) -> None:
    whole = site.anchor.read_bytes()
    site.anchor.write_bytes(whole[:keep])
    assert site.verify().ok is (keep not in (0, 1, 100))  # an anchor without one whole line shows nothing
    site.open().close()
    assert site.anchor.read_bytes() == whole
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-006", "SRS-LOG-007")
def test_writers_anchor_for_each_other(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A commits, B commits and anchors both, then A comes to anchor its own: that is no leading anchor."""
    with site.open() as one, site.open() as other:
        monkeypatch.setattr(one, "_anchor_up_to", lambda _size: None)
        slow = site.append(one)[0]
        monkeypatch.undo()
        site.append(other)
        one._anchor_up_to(slow.size)
        site.append(one)
        site.append(other)
    assert len(site.anchor.read_bytes().splitlines()) == 10
    assert site.verify().ok


@pytest.mark.verifies("SRS-LOG-006")
def test_an_anchor_that_leads_stops_the_log(site: Site) -> None:
    backup = site.database.read_bytes()
    with site.open() as ledger:
        site.append(ledger)
    site.database.write_bytes(backup)
    with pytest.raises(IntegrityError) as caught:
        site.open()
    assert caught.value.code == "E-ANCHOR-LEADS"
    report = site.verify()
    assert "E-ANCHOR-LEADS" in {finding.code for finding in report.findings}
    assert [claim.ok for claim in report.claims[:2]] == [True, False]


@pytest.mark.verifies("SRS-LOG-006")
def test_an_anchor_of_another_history_stops_the_log(site: Site) -> None:
    lines = site.anchor.read_bytes().splitlines(keepends=True)
    site.anchor.write_bytes(b"".join(lines[:-1]) + lines[-1].replace(b"same-machine", b"some-machine"))
    with pytest.raises(IntegrityError) as caught:
        site.open()
    assert caught.value.code == "E-ANCHOR-DIFFERS"
    assert not site.verify().ok
    site.anchor.unlink()
    with pytest.raises(IntegrityError) as caught:
        site.open()
    assert caught.value.code == "E-ANCHOR-MISSING"


@pytest.mark.verifies("SRS-LOG-006")
@pytest.mark.verifies("SRS-LOG-006", rc=("RC-001",))
def test_an_anchor_that_cannot_be_written_stops_the_receipt(site: Site) -> None:
    with site.open() as ledger:
        site.anchor.unlink()
        site.anchor.mkdir()
        with pytest.raises(ConfigurationError) as caught:
            site.append(ledger)
        assert caught.value.code == "E-ANCHOR-WRITE"
    site.anchor.rmdir()


@pytest.mark.verifies("SRS-LOG-006")
def test_an_earlier_anchor_is_not_taken_over(site: Site, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Ledger.create(f"sqlite:///{tmp_path}/second.db", "other", site.engine, site.log, site.anchor)
    assert caught.value.code == "E-ANCHOR-EXISTS"


@pytest.mark.verifies("SRS-LOG-006")
def test_claims_are_separate(site: Site) -> None:
    stranger = sign.generate()
    others = policies.Policy(site.origin, site.policy.log_keys, ((stranger.public, policies.Span()),))
    with Ledger.open(site.url, None, None, None) as ledger:
        report = verify_ledger(ledger, None)
        assert [claim.ok for claim in report.claims] == [True, None, None, True, None, None]
        assert report.ok
    with Ledger.open(site.url, None, None, None, policy=others) as ledger:
        report = verify_ledger(ledger, site.anchor.read_bytes())
        assert [claim.ok for claim in report.claims] == [True, True, False, True, None, None]
        assert not report.ok
        assert {finding.code for finding in report.findings} == {"E-KEY-UNTRUSTED"}


@pytest.mark.verifies("SRS-LOG-006")
def test_a_policy_of_another_log_is_refused(site: Site) -> None:
    other = policies.Policy("example.org/other", (), ((site.engine.public, policies.Span()),))
    with pytest.raises(IntegrityError) as caught:
        Ledger.open(site.url, None, None, None, policy=other)
    assert caught.value.code == "E-ORIGIN"


@pytest.mark.verifies("SRS-LOG-006")
def test_a_key_is_trusted_for_its_sizes_only(site: Site) -> None:
    spans = policies.Policy(
        site.origin,
        tuple((key, policies.Span(1, 5)) for key, _ in site.policy.log_keys),
        ((site.engine.public, policies.Span(2)),),
    )
    with Ledger.open(site.url, None, None, None, policy=spans) as ledger:
        report = verify_ledger(ledger, None)
    assert {(finding.index, finding.code) for finding in report.findings} == {
        (0, "E-KEY-UNTRUSTED"),
        (4, "E-CHECKPOINT-UNSIGNED"),
        (5, "E-CHECKPOINT-UNSIGNED"),
    }


@pytest.mark.verifies("SRS-REC-006")
def test_the_first_entry_names_the_log_and_its_keys(site: Site) -> None:
    with site.read() as ledger:
        said = ledger.read(next(ledger.entries()))
        assert said.predicate_type == statement.GENESIS
        assert policies.from_genesis(said) == site.policy == ledger.declared


@pytest.mark.verifies("SRS-LOG-004")
def test_a_report_is_plain_json(site: Site) -> None:
    document = site.verify().document()
    assert canonical.loads(canonical.dumps(document)) == document
    assert list(document) == ["ok", "size", "root", "claims", "findings"]

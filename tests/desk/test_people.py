# SPDX-License-Identifier: Apache-2.0
"""Patients are found by those who have the passphrase; who was seen long ago can go; old records count too."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from radiomicnet_md import vault
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.errors import IntegrityError, UsageError
from radiomicnet_md.opening import open_keeper
from radiomicnet_md.privacy import erasure, history, holds, people
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.replay import Verdict, replay
from radiomicnet_md_audit import clock, seal
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.patients import PEOPLE, WHY, Case, erase, rest


@pytest.mark.verifies("SRS-PRV-006")
def test_who_was_last_seen_long_ago_goes_and_who_is_held_is_passed_over(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def days_ago(days: int) -> None:
        def then() -> clock.Instant:
            now = clock.now()
            return clock.Instant(now.utc - timedelta(days=days), now.monotonic_ns)

        monkeypatch.setattr(desk.ledger, "_writer", replace(desk.ledger.writer, clock=then))

    picture = desks.write_images(tmp_path / "in", "scan.png")[0]
    days_ago(400)
    old, seen_again, held = case("quill", 1), case("umlaut", 2), case("no id", 3)
    nobody = segment_file(picture, desk, Target(tmp_path / "out", "old picture"))
    (tmp_path / "in" / "text.png").write_bytes(b"no picture")
    segment_file(tmp_path / "in" / "text.png", desk, Target(tmp_path / "out", "refused"))  # nothing is kept of it
    days_ago(10)
    recent = [case("umlaut", 4), case("nameless", 5)]
    days_ago(0)
    holds.place(keeper, people.of_record(keeper, held.record_id), "case 7")
    assert [done for done in erasure.erase_older(keeper, 401, WHY) if done] == []

    found = list(erasure.erase_older(keeper, 365, WHY))

    assert sorted(one.records for one in found if one) == sorted([(old.record_id,), (nobody.record_id,)])
    assert found.count(None) == 1
    assert history.erased(desk.ledger).keys() == {old.record_id, nobody.record_id}
    for answer in (seen_again, held, *recent):
        assert replay(answer.record_id, desk).finding.verdict == Verdict.IDENTICAL
    assert list(erasure.erase_older(keeper, 365, WHY)) == [None]


@pytest.mark.verifies("SRS-PRV-006", "SRS-PRV-002")
def test_what_is_decided_while_the_old_are_erased_keeps_its_files(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = {case(who, seed).record_id: seed for who, seed in (("quill", 1), ("umlaut", 2))}
    in_a_year = clock.Instant(clock.now().utc + timedelta(days=366), 0)
    with monkeypatch.context() as patched:
        patched.setattr(desk.ledger, "_writer", replace(desk.ledger.writer, clock=lambda: in_a_year))
        erasing = erasure.erase_older(keeper, 365, WHY)
        first = next(erasing)
        assert first is not None
        (left,) = seeds.keys() - set(first.records)
        new = case("no id", seeds[left])
        (second,) = erasing
    assert second is not None
    assert (first.removed, first.kept) == (4, 0)
    assert (second.records, second.removed, second.kept) == ((left,), 0, 4)
    assert replay(new.record_id, desk).finding.verdict == Verdict.IDENTICAL


@pytest.mark.verifies("SRS-PRV-007")
def test_a_patient_s_records_are_found_by_id_and_issuer_and_proven(desk: Desk, keeper: Keeper, case: Case) -> None:
    def listed(*whom: str) -> list[str]:
        return [name for one in people.of_patient(keeper, *whom) for name in people.opened(keeper, one)]

    quill = [case("quill", 1).record_id, case("quill", 2).record_id]
    umlaut = case("umlaut", 3).record_id
    assert sorted(listed("QX-7731-KAPPA")) == sorted(listed("QX-7731-KAPPA", "Hospital-Zeta-Nine")) == sorted(quill)
    assert listed("UY-1199-THETA") == listed("UY-1199-THETA", "") == [umlaut]
    elsewhere = case({**PEOPLE["quill"], "IssuerOfPatientID": "Another-House"}, 4).record_id
    assert listed("QX-7731-KAPPA", "Another-House") == [elsewhere]
    for whom, code in (
        (("QX-7731-KAPPA",), "E-SUBJECT-AMBIGUOUS"),
        (("QX-7731-KAPPA", ""), "E-SUBJECT-UNKNOWN"),
        (("qx-7731-kappa",), "E-SUBJECT-UNKNOWN"),
        (("",), "E-SUBJECT-UNKNOWN"),
    ):
        with pytest.raises(UsageError) as caught:
            people.of_patient(keeper, *whom)
        assert caught.value.code == code
    with pytest.raises(UsageError) as caught:
        people.of_record(keeper, desk.ledger.read(next(desk.ledger.entries())).record_id)
    assert caught.value.code == "E-SUBJECT-RECORD"


@pytest.mark.verifies("SRS-PRV-007")
def test_values_that_the_log_did_not_commit_to_are_no_proof(desk: Desk, keeper: Keeper, case: Case) -> None:
    answer = case("quill", 1)
    subject = people.of_record(keeper, answer.record_id)
    blob = vault.place(desk.home.folder, subject.folder, answer.record_id)
    blob.unlink()
    with vault.sharing(desk.home.folder):
        said = {**PEOPLE["quill"], "AccessionNumber": "another"}
        _, sealed = vault.shut(desk.home.folder, desk.home.folder, answer.record_id, bytes(32), said, desk.vault_key)
    blob.write_bytes(sealed)
    with pytest.raises(IntegrityError) as caught:
        list(people.opened(keeper, subject))
    assert caught.value.code == "E-VAULT-DIFFERS"


@pytest.mark.verifies("SRS-PRV-008")
def test_whose_old_record_it_is_takes_the_issuer_where_there_is_one(desk: Desk, keeper: Keeper, case: Case) -> None:
    record_id = case("quill", 1).record_id
    subject = people.of_record(keeper, record_id)
    kept = vault.unshut(desk.home.folder, subject, record_id, desk.vault_key)
    assert kept is not None
    vault.destroy(desk.home.folder, subject.folder, subject.records)
    old = vault.place(desk.home.folder, None, record_id)  # as versions up to 0.3 put it
    old.write_bytes(seal.close(desk.vault_key, kept.salt, record_id.encode()))
    assert people.of_patient(keeper, "QX-7731-KAPPA", "Hospital-Zeta-Nine") == [vault.itself(record_id)]
    for whom, code in (
        (("QX-7731-KAPPA",), "E-SUBJECT-AMBIGUOUS"),
        (("QX-7731-KAPPA", "Another-House"), "E-SUBJECT-UNKNOWN"),
        (("QX-7731-KAPPA", ""), "E-SUBJECT-UNKNOWN"),
    ):
        with pytest.raises(UsageError) as caught:
            people.of_patient(keeper, *whom)
        assert caught.value.code == code
    assert erase(keeper, record_id)[0].removed == 4
    assert not old.exists()


@pytest.fixture
def home_of_3(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home as version 0.3.0 left it, with one decision on an image of the computed phantom."""
    desks.remember_keys(monkeypatch)
    with tarfile.open(root / "tests" / "data" / "old" / "log-1.tar.xz") as stored:
        stored.extractall(tmp_path / "old", filter="data")
    for folder in ("", "keys"):
        (tmp_path / "old" / "home" / folder).chmod(0o700)
    return tmp_path / "old" / "home"


@pytest.mark.verifies("SRS-PRV-008", "SRS-PRV-004")
def test_a_record_of_version_3_is_found_held_and_erased(home_of_3: Path, tmp_path: Path) -> None:
    before = rest(home_of_3)
    with open_keeper(Settings(home=home_of_3)) as keeper:
        (subject,) = people.of_patient(keeper, "PHANTOM-DEMONSTRATION")
        assert people.of_patient(keeper, "PHANTOM-DEMONSTRATION", "") == [subject]
        assert list(people.opened(keeper, subject)) == [subject.id] == list(subject.records)
        assert people.of_record(keeper, subject.id) == subject
        for whom in (("PHANTOM",), ("PHANTOM-DEMONSTRATION", "somebody")):
            with pytest.raises(UsageError):
                people.of_patient(keeper, *whom)
        hold = holds.place(keeper, subject, "case 7")
        with pytest.raises(holds.HeldError):
            erase(keeper, subject.id)
        holds.release(keeper, hold.record_id, "over")
        (done,) = erase(keeper, subject.id)
        assert (done.records, done.removed) == ((subject.id,), 3)
        with pytest.raises(UsageError):
            erase(keeper, subject.id)
        assert verify_ledger(keeper.ledger, keeper.ledger.anchor_text()).ok
        report = verify_bundle(tmp_path / "old" / "export", keeper.home.policy(), keeper.home.anchor.read_bytes())
        assert report.ok
    after = rest(home_of_3)
    assert {name: before[name] for name in after} == after
    assert sorted(name.split("/")[0] for name in before.keys() - after.keys()) == ["artefacts"] * 3 + ["vault"]

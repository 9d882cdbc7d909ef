# SPDX-License-Identifier: Apache-2.0
"""What is known of a person goes, whole, through crashes too; nobody else loses a byte, and every proof holds."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md import bundle, shelf, vault
from radiomicnet_md import home as homes
from radiomicnet_md.config import Settings
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Desk, segment_file
from radiomicnet_md.errors import ConfigurationError, IntegrityError, UsageError
from radiomicnet_md.opening import open_keeper
from radiomicnet_md.privacy import erasure, history, people
from radiomicnet_md.privacy.people import Keeper
from radiomicnet_md.replay import Verdict, replay
from radiomicnet_md.review import proven
from radiomicnet_md_audit import seal
from radiomicnet_md_audit.bundle import verify_bundle
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.statement import ERASURE
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks, patients
from tests.patients import PEOPLE, WHY, Case, erase, everywhere, rest


@pytest.mark.verifies("SRS-PRV-001", "SRS-PRV-002", "SRS-PRV-004", "SRS-INP-008")
def test_no_value_stands_anywhere_before_or_after_and_nobody_else_loses_a_byte(
    desk: Desk, keeper: Keeper, case: Case, tmp_path: Path
) -> None:
    first, again = case("quill", 1), case("quill", 2)
    others = [case("umlaut", 3), case("nameless", 4), case("no id", 5)]
    bundle.export_log(desk.home, tmp_path / "before", "uid:0")
    files = everywhere(desk.home, tmp_path / "before")
    assert any(name.endswith("audit.db-wal") for name in files)
    assert [patients.found(values, files) for values in PEOPLE.values()] == [[]] * 4
    before = rest(desk.home.folder)
    subject = people.of_record(keeper, first.record_id)
    assert subject.records == tuple(sorted((first.record_id, again.record_id)))
    blobs = {name: vault.place(desk.home.folder, subject.folder, name).read_bytes() for name in subject.records}

    (done,) = erasure.erase(keeper, subject, WHY)

    assert (done.records, done.removed, done.kept) == (subject.records, 8, 0)
    after = rest(desk.home.folder)
    assert {name: before[name] for name in after} == after
    gone = sorted(before.keys() - after.keys())
    own = [name for name in gone if name.startswith(f"vault/subjects/{subject.folder}/")]
    assert len(own) == 3
    assert [name.split("/")[0] for name in gone] == ["artefacts"] * 8 + ["vault"] * 3
    bundle.export_log(desk.home, tmp_path / "after", "uid:0")
    files = everywhere(desk.home, tmp_path / "after")
    assert [patients.found(values, files) for values in PEOPLE.values()] == [[]] * 4
    keys = [desk.vault_key, *(vault._opened(folder, desk.vault_key).key for folder in vault._folders(desk.home.folder))]
    assert len(keys) == 4
    for record_id, blob in blobs.items():
        for key in keys:
            with pytest.raises(IntegrityError):
                seal.open_(key, blob, record_id.encode())
    said = desk.ledger.read(desk.ledger.find(done.receipt.record_id))
    assert said.predicate_type == ERASURE
    assert said.predicate["subject"] == subject.id
    assert said.predicate["why"] == WHY
    assert sorted(said.predicate["removed"]) == sorted(name[-64:] for name in gone if name.startswith("artefacts"))  # type: ignore[call-overload]
    _all_is_proven(desk, tmp_path / "before", tmp_path / "after")
    assert replay(again.record_id, desk).finding.verdict == Verdict.INPUT
    assert [replay(one.record_id, desk).finding.verdict for one in others] == [Verdict.IDENTICAL] * 3
    assert replay(again.record_id, desk, tmp_path / "in" / "2.dcm").finding.verdict == Verdict.IDENTICAL
    exported = {name[-64:] for name in desks.tree(tmp_path / "after") if name.startswith("artefacts")}
    assert exported == {name[-64:] for name in after if name.startswith("artefacts")}


def _all_is_proven(desk: Desk, *exports: Path) -> None:
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok
    for entry in desk.ledger.entries():
        proven.prove(desk.ledger, entry)
    for folder in exports:
        report = verify_bundle(folder, desk.home.policy(), desk.home.anchor.read_bytes())
        assert report.ok, report.findings


@pytest.mark.verifies("SRS-PRV-002")
def test_a_file_that_two_people_share_goes_with_the_last_of_them(
    desk: Desk, keeper: Keeper, case: Case, tmp_path: Path, out: Path
) -> None:
    path = desks.write_images(tmp_path / "in", "scan.png")[0]
    one, other = case("quill", 1), case("umlaut", 1)
    pictures = [segment_file(path, desk, Target(out, name)) for name in ("a", "b")]  # a picture names nobody
    shared = other.mask_sha256
    assert one.mask_sha256 == shared
    done = [erase(keeper, answer.record_id)[0] for answer in (one, pictures[0])]
    assert [(len(each.records), each.removed, each.kept) for each in done] == [(1, 0, 4)] * 2
    for answer, verdict in ((one, Verdict.INPUT), (other, Verdict.IDENTICAL), (pictures[1], Verdict.IDENTICAL)):
        assert replay(answer.record_id, desk).finding.verdict == verdict
    done = [erase(keeper, answer.record_id)[0] for answer in (other, pictures[1])]
    assert [(each.removed, each.kept) for each in done] == [(4, 0)] * 2
    assert desks.tree(desk.home.artefacts) == {}
    assert list(vault.subjects(desk.home.folder, desk.vault_key)) == []
    for answer in (one, other, *pictures):
        with pytest.raises(UsageError) as caught:
            erase(keeper, answer.record_id)
        assert caught.value.code == "E-ERASE-NOTHING"
    assert len(history.erased(desk.ledger)) == 4


@pytest.mark.verifies("SRS-PRV-002")
def test_who_comes_again_is_somebody_new_and_the_erased_record_stays_erased(
    desk: Desk, keeper: Keeper, case: Case
) -> None:
    first = case("quill", 1)
    before = people.of_record(keeper, first.record_id)
    erase(keeper, first.record_id)
    second = case("quill", 1)
    after = people.of_record(keeper, second.record_id)
    assert after.id != before.id
    assert after.folder == before.folder
    assert after.records == (second.record_id,)
    assert replay(first.record_id, desk).finding.verdict == Verdict.INPUT
    assert replay(second.record_id, desk).finding.verdict == Verdict.IDENTICAL
    with pytest.raises(UsageError):
        erasure.erase(keeper, before, WHY)
    assert erase(keeper, second.record_id)[0].removed == 4


@pytest.mark.verifies("SRS-PRV-002", "SRS-PRV-004")
def test_more_records_than_an_entry_of_the_log_holds_make_several_erasures(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [case("quill", seed) for seed in (1, 1, 2)]
    monkeypatch.setattr(erasure, "_MOST_BYTES", 700)
    done = erase(keeper, made[0].record_id)
    assert [len(each.records) for each in done] == [2, 1]
    assert {record_id for each in done for record_id in each.records} == {answer.record_id for answer in made}
    assert sum(each.removed for each in done) == 8
    assert desks.tree(desk.home.artefacts) == {}
    assert list(vault.subjects(desk.home.folder, desk.vault_key)) == []
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok


def die_before(step: int, home: Path) -> None:
    """In this process from now on: the step-th thing done to a file of the home is not done any more."""
    left, fsync = step, os.fsync

    def count() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os._exit(9)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        changes = event in ("os.remove", "os.rename", "os.rmdir", "os.mkdir")
        if (changes or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))) and str(home) in str(
            arguments[0]
        ):
            count()

    def synced(handle: int) -> None:
        count()
        fsync(handle)

    os.fsync = synced
    sys.addaudithook(watch)


@pytest.mark.verifies("SRS-PRV-003", "SRS-PRV-004")
def test_killed_at_any_step_an_erasure_is_whole_or_undone_after_the_next_opening(
    desk: Desk, case: Case, tmp_path: Path
) -> None:
    mine, other = case("quill", 1), case("umlaut", 2)
    desk.ledger.close()
    ends = {"undone": 0, "whole": 0}
    code, step = 9, 0
    while code:
        step += 1
        home = tmp_path / f"killed-{step}"
        shutil.copytree(desk.home.folder, home)
        shutil.copyfile(desk.home.anchor, homes.anchor_beside(home))
        before = rest(home)
        child = os.fork()
        if child == 0:
            with open_keeper(Settings(home=home)) as keeper:
                die_before(step, home)
                erase(keeper, mine.record_id)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with open_keeper(Settings(home=home)) as keeper:
            past = history.erased(keeper.ledger)
            assert verify_ledger(keeper.ledger, keeper.ledger.anchor_text()).ok
            everyone = [subject.records for subject in vault.subjects(home, keeper.vault_key)]
        after = rest(home)
        if past:
            assert everyone == [(other.record_id,)]
            gone = sorted(name.split("/")[0] for name in before.keys() - after.keys())
            assert gone == ["artefacts"] * 4 + ["vault"] * 2
            assert {name: before[name] for name in after} == after
        else:
            assert after == before
        ends["whole" if past else "undone"] += 1
    assert ends["undone"] >= 3
    assert ends["whole"] >= 20


@pytest.mark.verifies("SRS-PRV-003")
def test_a_mark_that_was_cut_short_or_names_no_record_is_taken_away(desk: Desk) -> None:
    for mark in (b"", b'{"erasure":"0', b'{"erasure":"01040g2081040g2081040g2081","folder":null}'):
        (desk.home.folder / "vault" / "erasing").write_bytes(mark)
        before = rest(desk.home.folder)
        erasure.finish(desk.home, desk.ledger)
        assert before.keys() - rest(desk.home.folder).keys() == {"vault/erasing"}


@pytest.mark.verifies("SRS-PRV-003")
def test_an_erasure_whose_record_cannot_be_written_changes_nothing(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = case("quill", 1)
    before = rest(desk.home.folder)

    def fails(*_: object) -> None:
        raise ConfigurationError("E-STORE-WRITE", "The disk is full.", remedy="Free space.")

    with monkeypatch.context() as patched:
        patched.setattr(Ledger, "append", fails)
        with pytest.raises(ConfigurationError):
            erase(keeper, answer.record_id)
    erasure.finish(desk.home, desk.ledger)
    assert rest(desk.home.folder) == before
    assert replay(answer.record_id, desk).finding.verdict == Verdict.IDENTICAL


@pytest.mark.verifies("SRS-PRV-002", "SRS-PRV-003")
def test_what_was_decided_since_an_interrupted_erasure_keeps_its_files(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = case("quill", 1)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "_remove", lambda *_: None)
        erase(keeper, first.record_id)
    since = [case("umlaut", 1), case("quill", 1)]  # by a process that was open all the time
    erasure.finish(desk.home, desk.ledger)
    assert [replay(one.record_id, desk).finding.verdict for one in since] == [Verdict.IDENTICAL] * 2
    assert people.of_record(keeper, since[1].record_id).records == (since[1].record_id,)
    assert vault.subject_of(desk.home.folder, first.record_id, desk.vault_key) == vault.itself(first.record_id)


@pytest.mark.verifies("SRS-PRV-003")
def test_an_export_finishes_an_interrupted_erasure_first(
    desk: Desk, keeper: Keeper, case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = case("quill", 1)
    with monkeypatch.context() as patched:
        patched.setattr(erasure, "_remove", lambda *_: None)
        erase(keeper, answer.record_id)
    assert len(desks.tree(desk.home.artefacts)) == 4
    bundle.export_log(desk.home, tmp_path / "export", "uid:0")
    assert not [name for name in desks.tree(tmp_path / "export") if name.startswith("artefacts")]
    assert desks.tree(desk.home.artefacts) == {}


@pytest.mark.verifies("SRS-PRV-002", "SRS-PRV-003")
def test_what_a_killed_case_left_staged_is_erased_with_the_rest(
    desk: Desk, keeper: Keeper, case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = case("quill", 1)
    with monkeypatch.context() as patched:
        patched.setattr(shelf.Staged, "publish", shelf.Staged.leave)
        second = case("quill", 2)
    staged = [name.rpartition("/")[2] for name in desks.tree(desk.home.folder / "staging")]
    assert len([name for name in staged if len(name) == 64]) == 4
    assert len([name for name in staged if name.startswith("identity-")]) == 1
    (done,) = erase(keeper, first.record_id)
    assert done.records == tuple(sorted((first.record_id, second.record_id)))
    assert done.removed == 8
    assert desks.tree(desk.home.folder / "staging") == {}


@pytest.mark.verifies("SRS-PRV-003")
def test_cases_and_erasures_of_one_person_at_once_leave_nothing_half(desk: Desk, case: Case, tmp_path: Path) -> None:
    case("quill", 1)
    desk.ledger.close()
    child = os.fork()
    if child == 0:
        busy = desks.make_desk(desk.home, desks.FakeEngine())
        for seed in range(2, 14):
            path = patients.write(tmp_path / "child" / f"{seed}.dcm", PEOPLE["quill"], seed)
            segment_file(path, busy, Target(tmp_path / "child out", str(seed), "png"))
        os._exit(0)
    erasures = 0
    with open_keeper(Settings(home=desk.home.folder)) as keeper:
        while os.waitpid(child, os.WNOHANG) == (0, 0):
            for subject in vault.subjects(desk.home.folder, keeper.vault_key):
                erasures += len(erasure.erase(keeper, subject, WHY))
        gone = history.erased(keeper.ledger)
        everyone = list(vault.subjects(desk.home.folder, keeper.vault_key))
        kept = {record_id for subject in everyone for record_id in subject.records}
        all_of_them = {
            one.record_id for one in map(keeper.ledger.read, keeper.ledger.entries()) if "state" in one.predicate
        }
        assert kept | gone.keys() == all_of_them
        assert not kept & gone.keys()
        assert all(list(people.opened(keeper, subject)) for subject in everyone)
        assert len(desks.tree(desk.home.artefacts)) == 4 * len(kept)
        assert verify_ledger(keeper.ledger, keeper.ledger.anchor_text()).ok
    assert len(all_of_them) == 13
    assert erasures > 1


@pytest.mark.verifies("SRS-INP-008", "SRS-PRV-001")
def test_a_defect_s_message_about_a_person_goes_no_further(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError(f"cannot decide {PEOPLE['quill']}") from ValueError(PEOPLE["quill"]["PatientName"])

    monkeypatch.setattr(desks.FakeEngine, "decide", breaks)
    path = patients.write(tmp_path / "in" / "scan.dcm", PEOPLE["quill"], 1)
    answer = segment_file(path, desk, Target(out, "scan", "png"))
    assert answer.reason is not None
    assert answer.reason.code == "E-UNEXPECTED"
    assert (desk.home.folder / "logs" / "errors.jsonl").stat().st_size > 0
    files = everywhere(desk.home) | {"answer": repr(answer.line() | {"input": ""}).encode()}
    assert patients.found(PEOPLE["quill"], files) == []


@pytest.mark.verifies("SRS-PRV-002")
def test_what_a_backup_brings_back_is_erased_again(desk: Desk, keeper: Keeper, case: Case, tmp_path: Path) -> None:
    answers, picture = [case("quill", 1), case("quill", 2)], desks.write_images(tmp_path / "in", "scan.png")[0]
    nobody = segment_file(picture, desk, Target(tmp_path / "out", "picture"))
    for part in ("vault", "artefacts"):
        shutil.copytree(desk.home.folder / part, tmp_path / "backup" / part)
    for _ in range(2):
        (of_person,) = erase(keeper, answers[0].record_id)
        (of_nobody,) = erase(keeper, nobody.record_id)
        assert (len(of_person.records), of_person.removed, of_nobody.removed) == (2, 8, 4)
        assert desks.tree(desk.home.artefacts) == {}
        shutil.copytree(tmp_path / "backup", desk.home.folder, dirs_exist_ok=True)

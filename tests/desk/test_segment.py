# SPDX-License-Identifier: Apache-2.0
"""No record, no result: whatever keeps a record from being written keeps every output from being written."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md import delivery, shelf, vault
from radiomicnet_md import desk as desks_
from radiomicnet_md.decision import Decision
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import Answer, Desk, segment_file, segment_files
from radiomicnet_md.engine.state import State
from radiomicnet_md.errors import (
    BusyError,
    ConfigurationError,
    ExitCode,
    IntegrityError,
    NotQualifiedError,
    Problem,
)
from radiomicnet_md.image import Identity
from radiomicnet_md.intent import new_id
from radiomicnet_md.io import Reading, segmentation
from radiomicnet_md_audit.ledger import Ledger
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks, patients


def predicates(desk: Desk) -> list[dict[str, Any]]:
    """Every record after the genesis."""
    return [desk.ledger.read(entry).predicate for entry in desk.ledger.entries(1)]


@pytest.mark.verifies("SRS-REC-001", "SRS-REC-003", "SRS-REC-004", "SRS-OUT-001")
@pytest.mark.usefixtures("real_pictures")
def test_an_accepted_case_has_a_record_outputs_and_artefacts(desk: Desk, tmp_path: Path, out: Path) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    answer = segment_file(path, desk, Target(out, "scan"))
    assert (answer.status, answer.log_index, answer.exit_code) == ("accepted", 1, ExitCode.OK)
    assert sorted(desks.tree(out)) == ["scan/mask.png", "scan/overlay.png", "scan/record.json", "scan/why.png"]
    assert sorted(answer.outputs) == sorted(str(out / name) for name in desks.tree(out))
    (record,) = predicates(desk)
    assert record["record_id"] == answer.record_id
    assert record["state"] == "RESULT"
    assert record["stamps"] == ["unqualified demonstration", "untrusted-key"]
    assert record["input"]["file_sha256"] == answer.input_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    mask = shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"])
    assert mask is not None
    assert hashlib.sha256(mask).hexdigest() == answer.mask_sha256
    assert shelf.fetch(desk.home.folder, record["outputs"]["contributions_sha256"]) is not None
    assert shelf.fetch(desk.home.folder, record["input"]["pixels_sha256"]) is not None
    assert not list((desk.home.folder / "staging").iterdir())
    assert verify_ledger(desk.ledger, desk.ledger.anchor_text()).ok


@pytest.mark.verifies("SRS-REC-001")
@pytest.mark.parametrize(
    "failure",
    [
        BusyError("E-LOG-BUSY", "Busy.", remedy="Try again."),
        ConfigurationError("E-LOG-FULL", "Full.", remedy="Free space."),
        OSError(28, "No space left on device"),
        KeyboardInterrupt(),
    ],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.verifies("SRS-REC-001", rc=("RC-001",))
def test_an_append_that_fails_leaves_nothing_but_the_intent(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    def fails(self: Ledger, document: dict[str, object]) -> None:
        raise failure

    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    monkeypatch.setattr(Ledger, "append", fails)
    with pytest.raises(type(failure)):
        segment_file(path, desk, Target(out, "scan"))
    assert desks.tree(out) == {}
    assert desks.tree(desk.home.artefacts) == {}
    (left,) = (desk.home.folder / "staging").iterdir()
    assert [path.name for path in left.iterdir()] == ["intent"]


@pytest.mark.verifies("SRS-REC-001", "SRS-LOG-007")
def test_a_log_that_cannot_be_written_stops_the_case(desk: Desk, tmp_path: Path, out: Path) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    reading = replace(desk, ledger=desk.home.reading_ledger())
    with pytest.raises(ConfigurationError), reading.ledger:
        segment_file(path, reading, Target(out, "scan"))
    assert desks.tree(out) == {}


@pytest.mark.verifies("SRS-OUT-003", "SRS-REC-005")
def test_an_output_folder_that_cannot_be_written_is_an_error_before_anything_is_decided(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    occupied = tmp_path / "out"
    occupied.write_text("a file")
    answer = segment_file(path, desk, Target(occupied, "scan"))
    assert (answer.status, answer.exit_code) == ("error", ExitCode.CONFIGURATION)
    assert engine.asked == 0
    assert occupied.read_text() == "a file"
    (record,) = predicates(desk)
    assert (record["state"], record["reason"]["code"]) == ("ERROR", "E-OUTPUT-WRITE")
    assert record["decision"] is record["outputs"] is None


@pytest.mark.verifies("SRS-OUT-003")
@pytest.mark.parametrize("fails_at", ["write_mask_png", "write_bytes"])
def test_a_disk_that_fills_after_the_record_leaves_no_output_and_says_which_record_stands(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch, fails_at: str
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    monkeypatch.setattr(delivery.io, fails_at, full)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert (answer.status, answer.outputs, answer.exit_code) == ("error", (), ExitCode.CONFIGURATION)
    assert desks.tree(out) == {}
    (record,) = predicates(desk)
    assert (record["record_id"], record["state"]) == (answer.record_id, "RESULT")
    assert shelf.fetch(desk.home.folder, record["outputs"]["mask_sha256"]) is not None


@pytest.mark.verifies("SRS-OUT-003")
def test_files_of_an_earlier_run_are_replaced_and_files_of_others_are_not(
    desk: Desk, tmp_path: Path, out: Path
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    segment_file(path, desk, Target(out, "scan", "nifti"))
    (out / "scan" / "notes.txt").write_text("mine")
    before = desks.tree(out)
    segment_file(path, desk, Target(out, "scan"))
    after = desks.tree(out)
    assert after["scan/notes.txt"] == b"mine"
    assert "scan/mask.nii.gz" in before
    assert "scan/mask.nii.gz" not in after
    assert after["scan/mask.png"] == before["scan/mask.png"]


@pytest.mark.verifies("SRS-REC-005", "SRS-INP-001")
@pytest.mark.parametrize(
    ("data", "code"),
    [(b"", "E-INPUT-EMPTY"), (b"GIF89a....", "E-INPUT-NOT-AN-IMAGE"), (None, "E-INPUT-MISSING")],
)
@pytest.mark.verifies("SRS-REC-005", rc=("RC-002",))
def test_an_unreadable_input_is_refused_with_a_record(  # noqa: PLR0913 -- what it needs
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, data: bytes | None, code: str
) -> None:
    path = tmp_path / "scan.dcm"
    if data is not None:
        path.write_bytes(data)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert (answer.status, answer.exit_code) == ("refused", ExitCode.INTENDED_USE)
    assert answer.reason is not None
    assert answer.reason.code == code
    assert engine.asked == 0
    (record,) = predicates(desk)
    assert (record["state"], record["reason"]["code"]) == ("REFUSED", code)
    assert record["reason"]["remedy"]
    assert desks.tree(out) == {}


@pytest.mark.verifies("SRS-REC-005")
def test_a_defect_of_the_engine_is_an_error_with_a_record_and_a_place_in_a_file(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    patient = "Doe^" + "Jane"

    def broken(*arguments: object) -> None:
        raise ZeroDivisionError(patient)

    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    monkeypatch.setattr(engine, "decide", broken)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert (answer.status, answer.exit_code) == ("error", ExitCode.UNEXPECTED)
    (record,) = predicates(desk)
    assert (record["state"], record["reason"]["code"]) == ("ERROR", "E-UNEXPECTED")
    noted = (desk.home.folder / "logs" / "errors.jsonl").read_text()
    assert "ZeroDivisionError" in noted
    assert patient not in noted
    assert patient not in str(record)
    assert desks.tree(out) == {}


@pytest.mark.verifies("SRS-OUT-027")
def test_a_defect_in_an_object_is_told_as_one_and_the_record_of_the_result_stands(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(number: int) -> str:
        raise KeyError(number)

    path = patients.write(tmp_path / "in" / "1.dcm", patients.PEOPLE["quill"], 1)
    monkeypatch.setattr(segmentation, "segment_label", broken)
    answer = segment_file(path, desk, Target(out, "scan"))
    assert answer.reason is not None
    assert (answer.status, answer.reason.code, answer.exit_code) == ("error", "E-UNEXPECTED", ExitCode.UNEXPECTED)
    (record,) = predicates(desk)
    assert (record["state"], record["record_id"]) == ("RESULT", answer.record_id)
    assert "segmentation.py" in (desk.home.folder / "logs" / "errors.jsonl").read_text()
    assert desks.tree(out) == {}


@pytest.mark.verifies("SRS-REC-002")
def test_one_terminal_record_a_request(desk: Desk, tmp_path: Path, out: Path) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    first, second = (segment_file(path, desk, Target(out, "scan")) for _ in range(2))
    records = predicates(desk)
    assert len({record["request_id"] for record in records}) == 2
    assert [record["record_id"] for record in records] == [first.record_id, second.record_id]
    again = desks_.record.statement({**records[0], "record_id": new_id()} | {})
    del again["predicate"]["log"]
    with pytest.raises(Problem):
        desk.ledger.append(again)
    assert desk.ledger.size == 3


@pytest.mark.verifies("SRS-REL-004")
@pytest.mark.verifies("SRS-REL-004", rc=("RC-008",))
def test_known_answers_are_asked_again_and_a_wrong_one_bars_the_rest(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desks_, "CASES_BETWEEN_TESTS", 2)
    engine.fails_test_after = 0
    answers = list(segment_files(desks.write_images(tmp_path / "in", "a.png", "b.png", "c.png"), desk, out))
    assert [answer.status for answer in answers] == ["accepted", "accepted", "refused"]
    assert answers[-1].reason is not None
    assert answers[-1].reason.code == "E-KAT"
    assert desks_.exit_code(answers) == ExitCode.NOT_QUALIFIED
    assert sorted(path.name for path in out.iterdir()) == ["a", "b"]


@pytest.mark.verifies("SRS-REL-004", "SRS-REC-005")
def test_an_engine_whose_sums_do_not_hold_decides_no_further_case(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = engine.decide
    broken = IntegrityError("E-COMPLETENESS", "The terms do not add up.", remedy="Report the defect.")

    def second_fails(levels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        decision = decide(levels, spacing_mm)
        if engine.asked == 2:
            raise broken
        return decision

    monkeypatch.setattr(engine, "decide", second_fails)
    paths = desks.write_images(tmp_path / "in", "a.png", "b.png", "c.png", "d.png")
    answers = list(segment_files(paths, desk, out))
    assert [answer.status for answer in answers] == ["accepted", "error", "error", "error"]
    assert {answer.reason.code for answer in answers if answer.reason} == {"E-COMPLETENESS"}
    assert engine.asked == 2
    assert desks_.exit_code(answers) == ExitCode.INTEGRITY
    records = predicates(desk)
    assert [bool(record["checks"]) for record in records] == [True, True, False, False]
    assert [set(record["input"]) for record in records[2:]] == [{"file_sha256"}] * 2
    assert sorted(path.name for path in out.iterdir()) == ["a"]


@pytest.mark.verifies("SRS-REL-004")
@pytest.mark.parametrize("kind", [NotQualifiedError, IntegrityError])
@pytest.mark.verifies("SRS-REL-004", rc=("RC-008",))
def test_a_known_answer_test_that_fails_in_either_way_degrades_the_desk(
    desk: Desk, engine: desks.FakeEngine, monkeypatch: pytest.MonkeyPatch, kind: type[Problem]
) -> None:
    problem = kind("E-COMPLETENESS", "The terms do not add up.", remedy="Report the defect.")

    def fails() -> None:
        raise problem

    monkeypatch.setattr(engine, "known_answer_test", fails)
    tested = desks_.retested(desk)
    assert (tested.engine, tested.state) == (problem, State.DEGRADED)
    assert desks_.retested(tested) is tested


@pytest.mark.verifies("SRS-HOM-002", "SRS-REC-005")
@pytest.mark.verifies("SRS-HOM-002", rc=("RC-020",))
def test_a_barred_desk_records_each_request_and_decodes_nothing(desk: Desk, tmp_path: Path, out: Path) -> None:
    barred = NotQualifiedError("E-NOT-QUALIFIED", "Not qualified.", remedy="Qualify it.")
    paths = desks.write_images(tmp_path / "in", "a.png", "b.png")
    closed = replace(desk, engine=barred)
    answers = list(segment_files(paths, closed, out))
    assert desks_.exit_code(answers) == ExitCode.NOT_QUALIFIED
    records = predicates(desk)
    assert [record["state"] for record in records] == ["REFUSED", "REFUSED"]
    assert [set(record["input"]) for record in records] == [{"file_sha256"}] * 2
    assert desks.tree(out) == {}


@pytest.mark.verifies("SRS-INP-008")
@pytest.mark.verifies("SRS-INP-008", rc=("RC-014",))
def test_identities_go_no_further_than_a_commitment_that_the_vault_can_open(
    desk: Desk, tmp_path: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    read = desks_.io.Reader.read

    def named(reader: desks_.io.Reader, item: desks_.io.Input) -> Reading:
        return replace(read(reader, item), identity=Identity({"PatientID": "4711", "PatientName": "Doe^Jane"}))

    monkeypatch.setattr(desks_.io.Reader, "read", named)
    answer = segment_file(path, desk, Target(out, "scan"))
    (record,) = predicates(desk)
    subject = vault.subject_of(desk.home.folder, answer.record_id, desk.vault_key)
    kept = vault.unshut(desk.home.folder, subject, answer.record_id, desk.vault_key)
    assert kept is not None
    expected = hmac.new(kept.salt, b"PatientID\x004711", hashlib.sha256).hexdigest()
    assert record["input"]["commitments"]["PatientID"] == expected
    everything = b"".join([*desks.tree(desk.home.folder).values(), *desks.tree(out).values()])
    assert b"Doe^Jane" not in everything
    assert kept.salt not in everything


@pytest.mark.verifies("SRS-CLI-001", "SRS-OUT-003")
def test_names_and_folders(desk: Desk, tmp_path: Path, out: Path) -> None:
    paths = desks.write_images(tmp_path, "one/scan.png", "two/scan.png", "two/other.png")
    (tmp_path / "empty").mkdir()
    answers = list(segment_files(desks_.expanded([paths[0], tmp_path / "two", tmp_path / "empty"]), desk, out))
    assert [answer.status for answer in answers] == ["accepted", "accepted", "accepted", "refused"]
    names = sorted(path.name for path in out.iterdir())
    digests = sorted(answer.input_sha256[:8] for answer in answers if answer.input.endswith("scan.png"))  # type: ignore[index]
    assert names == ["other", *(f"scan-{digest}" for digest in digests)]
    assert answers[-1].reason is not None
    assert answers[-1].reason.code == "E-INPUT-NO-IMAGES"
    assert desks_.exit_code(answers) == ExitCode.SOME_FAILED
    assert desks_.exit_code(answers[:3]) == ExitCode.OK
    assert desks_.exit_code(answers[3:]) == ExitCode.INTENDED_USE


@pytest.mark.verifies("SRS-CLI-002")
def test_the_line_of_an_answer_has_the_contract_s_keys(desk: Desk, tmp_path: Path, out: Path) -> None:
    (path,) = desks.write_images(tmp_path / "in", "scan.png")
    answer: Answer = segment_file(path, desk, Target(out, "scan"))
    assert list(answer.line()) == [
        "status", "record_id", "log_index", "reason", "input",
        "input_sha256", "mask_sha256", "contributions_sha256", "outputs", "flags",
    ]  # fmt: skip

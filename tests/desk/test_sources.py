# SPDX-License-Identifier: Apache-2.0
"""Loops, ZIP files, declared spacings and what does not belong together, up to the record and the replay of it."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from numpy.typing import NDArray

from radiomicnet_md import cli, io
from radiomicnet_md import desk as desks_
from radiomicnet_md.desk import Answer, Desk, segment_file, segment_files
from radiomicnet_md.errors import ExitCode
from radiomicnet_md.replay import Verdict, replay
from radiomicnet_md.review import text
from tests import desks, patients
from tests.io import samples


def loop(frames: int) -> NDArray[np.uint8]:
    """A loop in which the lesion grows."""
    return np.stack([patients.levels(seed) for seed in range(frames)])


def predicates(desk: Desk) -> list[dict[str, Any]]:
    """Every record after the genesis."""
    return [desk.ledger.read(entry).predicate for entry in desk.ledger.entries(1)]


def codes(answers: list[Answer]) -> list[str | None]:
    return [answer.reason.code if answer.reason else None for answer in answers]


def lines(predicate: Any) -> str:  # noqa: ANN401
    """What ``audit show`` says of the input."""
    return "\n".join(str(line) for line in text._input(predicate))


@pytest.mark.verifies("SRS-INP-009", "SRS-INP-005", "SRS-OUT-003")
def test_each_frame_of_a_loop_is_a_case_with_its_own_record_and_folder(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path
) -> None:
    path = samples.put(tmp_path, samples.loop(loop(3)), "cine.dcm")
    answers = list(segment_files(desks_.expanded([path]), desk, out))
    assert [(answer.status, answer.input) for answer in answers] == [
        ("accepted", f"{path}#{number}") for number in (1, 2, 3)
    ]
    assert engine.asked == 3
    records = predicates(desk)
    assert [record["input"]["frame"] for record in records] == [{"number": n, "of": 3} for n in (1, 2, 3)]
    assert len({record["input"]["file_sha256"] for record in records}) == 1
    assert len({record["input"]["pixels_sha256"] for record in records}) == 3
    assert [record["input"]["shape"] for record in records] == [[1, 96, 128, 1]] * 3
    assert sorted(folder.name for folder in (out / "cine").iterdir()) == ["frame-0001", "frame-0002", "frame-0003"]
    for number, answer in enumerate(answers, start=1):
        mask = io.read(out / "cine" / f"frame-{number:04d}" / "mask.png").image.pixels
        assert (mask[0, :, :, 0] != 0).sum() == (loop(3)[number - 1] == 20).sum()
        assert replay(answer.record_id, desk).finding.verdict == Verdict.IDENTICAL
        assert replay(answer.record_id, desk, path).finding.verdict == Verdict.IDENTICAL
    assert "frame 2 of 3" in lines(records[1])
    list(segment_files(desks_.expanded([path]), desk, out))
    assert len(list((out / "cine").iterdir())) == 3  # the same input takes the same places


@pytest.mark.verifies("SRS-INP-009", "SRS-OUT-001")
def test_the_segmentation_of_a_frame_refers_to_that_frame(desk: Desk, tmp_path: Path, out: Path) -> None:
    path = samples.put(tmp_path, samples.loop(loop(3)), "cine.dcm")
    answers = list(segment_files(desks_.expanded([path]), desk, out, "dicom"))
    assert [answer.status for answer in answers] == ["accepted"] * 3
    loop_of = pydicom.dcmread(path)
    uids = set()
    for number in (1, 2, 3):
        made = pydicom.dcmread(out / "cine" / f"frame-{number:04d}" / "mask.dcm")
        uids.add(made.SOPInstanceUID)
        groups = made.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence[0].SourceImageSequence
        assert [(one.ReferencedSOPInstanceUID, one.ReferencedFrameNumber) for one in groups] == [
            (loop_of.SOPInstanceUID, number)
        ]
        assert groups[0].ReferencedSOPClassUID == loop_of.SOPClassUID
        assert (made.pixel_array.reshape(96, 128) != 0).sum() == (loop(3)[number - 1] == 20).sum()
    assert len(uids) == 3


@pytest.mark.verifies("SRS-INP-009", "SRS-REC-005")
def test_a_frame_that_cannot_be_read_has_a_record_that_names_it(desk: Desk, tmp_path: Path, out: Path) -> None:
    data = samples.loop(loop(2))
    path = samples.put(tmp_path, data[:-5000], "cine.dcm")
    answers = list(segment_files(desks_.expanded([path]), desk, out))
    assert codes(answers) == ["E-INPUT-TRUNCATED"] * 2
    assert [record["input"]["frame"]["number"] for record in predicates(desk)] == [1, 2]
    assert replay(answers[1].record_id, desk, path).finding.verdict == Verdict.IDENTICAL


@pytest.mark.verifies("SRS-INP-009")
def test_a_folder_of_frames_that_is_a_link_is_not_followed(desk: Desk, tmp_path: Path, out: Path) -> None:
    path = samples.put(tmp_path, samples.loop(loop(2)), "cine.dcm")
    (tmp_path / "elsewhere").mkdir()
    out.mkdir()
    (out / "cine").symlink_to(tmp_path / "elsewhere")
    answers = list(segment_files(desks_.expanded([path]), desk, out))
    assert codes(answers) == ["E-OUTPUT-LINK"] * 2
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.verifies("SRS-INP-010", "SRS-INP-009")
def test_a_zip_file_of_a_study(desk: Desk, tmp_path: Path, out: Path) -> None:
    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        packed.writestr("S1/IM1", samples.ultrasound(levels=patients.levels(1)))
        packed.writestr("S2/IM2", samples.loop(loop(2)))
    answers = list(segment_files(desks_.expanded([tmp_path / "study.zip"]), desk, out))
    assert codes(answers) == ["E-STUDY-DUPLICATE"] * 3  # the samples' UIDs are those of one object

    def other(dataset: Any) -> None:  # noqa: ANN401
        dataset.SOPInstanceUID = "1.2.3"

    with zipfile.ZipFile(tmp_path / "study.zip", "w") as packed:
        packed.writestr("S1/IM1", samples.ultrasound(levels=patients.levels(1)))
        packed.writestr("S2/IM2", samples.loop(loop(2), change=other))
    answers = list(segment_files(desks_.expanded([tmp_path / "study.zip"]), desk, out))
    assert [answer.status for answer in answers] == ["accepted"] * 3
    assert [answer.input.removeprefix(str(tmp_path)) for answer in answers] == [
        "/study.zip/S1/IM1", "/study.zip/S2/IM2#1", "/study.zip/S2/IM2#2"
    ]  # fmt: skip
    assert sorted(path.name for path in out.iterdir()) == ["IM1", "IM2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "home.anchor", "out", "study.zip"]


@pytest.mark.verifies("SRS-INP-010", "SRS-INP-011", "SRS-REC-005")
def test_what_cannot_be_taken_apart_is_one_refusal_with_its_reason(desk: Desk, tmp_path: Path, out: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bad.zip", "w") as packed:
        packed.writestr("../a.png", samples.picture())
    (tmp_path / "disc").mkdir()
    (tmp_path / "disc" / "DICOMDIR").write_bytes(b"no index")
    for path, code in (
        (tmp_path / "bad.zip", "E-INPUT-ARCHIVE-UNSAFE"),
        (tmp_path / "disc", "E-INPUT-INDEX"),
        (tmp_path / "disc" / "DICOMDIR", "E-INPUT-INDEX"),
    ):
        (answer,) = segment_files(desks_.expanded([path]), desk, out)
        assert (answer.exit_code, codes([answer])) == (ExitCode.INTENDED_USE, [code])
        assert predicates(desk)[-1]["reason"]["code"] == code


@pytest.mark.verifies("SRS-INP-012", "SRS-REC-005")
def test_two_patients_in_a_folder_are_refused_on_the_record(
    desk: Desk, engine: desks.FakeEngine, tmp_path: Path, out: Path
) -> None:
    folder = tmp_path / "in"
    patients.write(folder / "a.dcm", patients.PEOPLE["quill"], 1)
    patients.write(folder / "b.dcm", patients.PEOPLE["umlaut"], 2)
    answers = list(segment_files(desks_.expanded([folder]), desk, out))
    assert codes(answers) == ["E-STUDY-PATIENTS"] * 2
    assert engine.asked == 0
    assert [record["input"]["file_sha256"] for record in predicates(desk)] == [one.input_sha256 for one in answers]
    answers = list(segment_files(desks_.expanded(sorted(folder.iterdir())), desk, out))
    assert [answer.status for answer in answers] == ["accepted"] * 2


@pytest.mark.verifies("SRS-INP-013", "SRS-REC-005")
def test_a_growing_file_is_recorded_and_can_be_sent_again(desk: Desk, tmp_path: Path, out: Path) -> None:
    path = samples.put(tmp_path, samples.ultrasound(levels=patients.levels(1)), "a.dcm")
    inputs = desks_.expanded([path])
    with path.open("ab") as file:
        file.write(b"\0\0")
    (answer,) = segment_files(inputs, desk, out)
    assert (answer.exit_code, codes([answer])) == (ExitCode.RETRY, ["E-INPUT-GROWING"])
    assert desks_.exit_code([answer]) == ExitCode.RETRY
    assert predicates(desk)[-1]["reason"]["code"] == "E-INPUT-GROWING"
    assert segment_file(path, desk, desks_.Target(out, "a")).status == "accepted"


@pytest.mark.verifies("SRS-INP-015", "SRS-INP-004")
def test_a_declared_spacing_is_recorded_as_declared(desk: Desk, tmp_path: Path, out: Path) -> None:
    picture = samples.put(tmp_path, samples.picture(patients.levels(1)), "a.png")
    (answer,) = segment_files([picture], desk, out, spacing_mm=(0.08, 0.1))
    about = predicates(desk)[-1]["input"]
    assert [float.fromhex(step) for step in about["spacing_mm"]] == [0.08, 0.1]
    assert about["spacing_declared"] is True
    checks = {check["name"]: check["value"] for check in predicates(desk)[-1]["checks"]}
    assert checks["spacing"] == "0.08 x 0.1 mm, declared by the operator"
    for given in (None, picture):
        assert replay(answer.record_id, desk, given).finding.verdict == Verdict.IDENTICAL
    assert "declared by the operator" in lines(desk.ledger.read(desk.ledger.find(answer.record_id)).predicate)
    list(segment_files([picture], desk, out))
    assert predicates(desk)[-1]["input"]["spacing_declared"] is False


@pytest.mark.verifies("SRS-INP-015")
@pytest.mark.parametrize(
    ("declared", "code"), [((0.08, 0.08), None), ((0.0805, 0.08), None), ((0.08, 0.1), "E-INPUT-SPACING")]
)
def test_a_declared_spacing_does_not_overrule_the_file(
    declared: tuple[float, float], code: str | None, desk: Desk, tmp_path: Path, out: Path
) -> None:
    path = samples.put(tmp_path, samples.ultrasound(levels=patients.levels(1)), "a.dcm")
    answers = list(segment_files([path], desk, out, spacing_mm=declared))
    assert codes(answers) == [code]
    if code is None:
        about = predicates(desk)[-1]["input"]
        assert [float.fromhex(step) for step in about["spacing_mm"]] == [0.08, 0.08]
        assert about["spacing_declared"] is False


@pytest.mark.verifies("SRS-INP-015")
@pytest.mark.parametrize("words", ["1", "1,2,3", "a,b", "0,1", "nan,1", "0.0009,1", "1,10.5", "-1,1", ""])
def test_a_spacing_that_is_none_ends_with_usage(words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["segment", "x.png", "--out", str(tmp_path / "out"), f"--spacing={words}"]
    assert cli.main(given) == ExitCode.USAGE
    assert "--spacing" in capsys.readouterr().err

# SPDX-License-Identifier: Apache-2.0
"""What is given together is listed once, is one person's, and is at rest; else it is refused for that reason."""

from __future__ import annotations

import os
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from radiomicnet_md import io
from radiomicnet_md.errors import ExitCode, InputError
from radiomicnet_md.io import new_images, source, survey
from tests.io import samples


def person(folder: Path, name: str, patient: str, instance: str, **values: str) -> Path:
    """An ultrasound image of a patient."""

    def change(dataset: Any) -> None:  # noqa: ANN401
        dataset.PatientID, dataset.SOPInstanceUID = patient, instance
        for keyword, value in values.items():
            setattr(dataset, keyword, value)

    return samples.put(folder, samples.ultrasound(change), name)


def codes(path: Path) -> dict[str, str]:
    """The problem of each input of a folder, by file name; nothing where there is none."""
    return {item.path.name: item.problem.code if item.problem else "" for item in io.expand(path)}


@pytest.mark.verifies("SRS-INP-012")
def test_two_patients_in_one_folder(tmp_path: Path) -> None:
    person(tmp_path, "a", "one", "1.2.1")
    person(tmp_path, "b", "two", "1.2.2")
    samples.put(tmp_path, samples.picture(), "c.png")
    assert codes(tmp_path) == {"a": "E-STUDY-PATIENTS", "b": "E-STUDY-PATIENTS", "c.png": ""}
    item = io.expand(tmp_path)[0]
    with pytest.raises(InputError) as caught:
        io.read(item)
    assert caught.value.code == "E-STUDY-PATIENTS"
    assert getattr(caught.value, "file_sha256", None) == item.sha256()
    assert "one" not in str(caught.value).split()
    assert io.read(tmp_path / "a").image.pixels.any()  # named by itself it stands for one patient
    (tmp_path / "b").unlink()
    assert codes(tmp_path) == {"a": "", "c.png": ""}


@pytest.mark.verifies("SRS-INP-012")
def test_one_id_of_two_issuers_is_two_patients(tmp_path: Path) -> None:
    person(tmp_path, "a", "one", "1.2.1", IssuerOfPatientID="here")
    person(tmp_path, "b", "one", "1.2.2", IssuerOfPatientID="there")
    assert set(codes(tmp_path).values()) == {"E-STUDY-PATIENTS"}


@pytest.mark.verifies("SRS-INP-012")
def test_the_same_rule_in_a_zip_file(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    person(folder, "a", "one", "1.2.1")
    person(folder, "b", "two", "1.2.2")
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as packed:
        for path in folder.iterdir():
            packed.write(path, path.name)
    assert {item.problem.code for item in io.expand(tmp_path / "x.zip") if item.problem} == {"E-STUDY-PATIENTS"}


@pytest.mark.verifies("SRS-INP-012")
def test_copies_of_one_object_are_one_case_and_two_contents_are_none(tmp_path: Path) -> None:
    first = person(tmp_path, "a", "one", "1.2.1")
    dataset = pydicom.dcmread(first)
    dataset.file_meta.SourceApplicationEntityTitle = "ELSEWHERE"
    samples.put(tmp_path, new_images.encode(dataset), "b")
    person(tmp_path, "c", "one", "1.2.2")
    assert codes(tmp_path) == {"a": "", "c": ""}
    person(tmp_path, "d", "one", "1.2.1", StudyDate="20200101")
    assert codes(tmp_path) == {"a": "E-STUDY-DUPLICATE", "b": "E-STUDY-DUPLICATE", "c": "", "d": "E-STUDY-DUPLICATE"}


@pytest.mark.verifies("SRS-INP-013")
def test_a_file_that_grew_since_it_was_listed(tmp_path: Path) -> None:
    path = person(tmp_path, "a", "one", "1.2.1")
    (item,) = io.expand(path)
    with path.open("ab") as file:
        file.write(b"\0\0")
    with pytest.raises(InputError) as caught:
        io.read(item)
    assert (caught.value.code, caught.value.exit_code) == ("E-INPUT-GROWING", ExitCode.RETRY)
    assert io.read(path).image.pixels.any()


@pytest.mark.verifies("SRS-INP-013")
def test_a_file_that_grows_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = person(tmp_path, "a", "one", "1.2.1")
    before = os.fstat

    def grows(descriptor: int) -> os.stat_result:
        with path.open("ab") as file:
            file.write(b"\0")
        return before(descriptor)

    monkeypatch.setattr(source.os, "fstat", grows)
    with pytest.raises(InputError) as caught:
        io.read(path)
    assert (caught.value.code, caught.value.exit_code) == ("E-INPUT-GROWING", ExitCode.RETRY)


@pytest.mark.verifies("SRS-INP-013", "SRS-INP-010")
def test_a_zip_file_that_changes(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("a.png", samples.picture())
    (item,) = io.expand(path)
    with zipfile.ZipFile(path, "a") as packed:
        packed.writestr("b.png", samples.picture())
    with pytest.raises(InputError) as caught:
        io.read(item)
    assert caught.value.code == "E-INPUT-GROWING"


def directory(folder: Path, *names: tuple[str, ...]) -> Path:
    """A DICOMDIR that names files; of pydicom's own, so that all else is as it should be."""
    dataset = pydicom.dcmread(str(get_testdata_file("DICOMDIR", read=False)))
    images = [one for one in dataset.DirectoryRecordSequence if one.DirectoryRecordType == "IMAGE"]
    others = [one for one in dataset.DirectoryRecordSequence if one.DirectoryRecordType != "IMAGE"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that lead elsewhere pydicom complains too
        for record, name in zip(images, names, strict=False):
            record.ReferencedFileID = list(name)
        dataset.DirectoryRecordSequence = others + images[: len(names)]
        dataset.save_as(folder / "DICOMDIR")
    return folder / "DICOMDIR"


@pytest.mark.verifies("SRS-INP-011")
def test_a_dicomdir_and_its_folder_stand_for_the_images_it_names(tmp_path: Path) -> None:
    (tmp_path / "IMAGES").mkdir()
    one = person(tmp_path / "IMAGES", "IM1", "one", "1.2.1")
    two = person(tmp_path, "IM2", "one", "1.2.2")
    person(tmp_path / "IMAGES", "IM9", "nobody", "1.2.9")  # in a folder below, and not named
    index = directory(tmp_path, ("IMAGES", "IM1"), ("IM2",), ("IMAGES", "ABSENT"))
    absent = tmp_path / "IMAGES" / "ABSENT"
    assert [item.path for item in io.expand(index)] == [one, two, absent]
    assert [item.path for item in io.expand(tmp_path)] == [two, one, absent]
    with pytest.raises(InputError) as caught:
        io.read(io.Input(absent))
    assert caught.value.code == "E-INPUT-MISSING"


@pytest.mark.verifies("SRS-INP-011")
@pytest.mark.parametrize("name", [("..", "IM1"), ("/etc", "hostname"), ("A", "..", "..", "B"), ("a/b",), ("A",) * 9])
def test_a_dicomdir_that_leads_elsewhere(name: tuple[str, ...], tmp_path: Path) -> None:
    index = directory(tmp_path, ("IM1",), name)
    with pytest.raises(InputError) as caught:
        io.expand(index)
    assert caught.value.code == "E-INPUT-INDEX"
    assert [item.path for item in io.expand(tmp_path)] == [index]  # the folder has that one thing to refuse


@pytest.mark.verifies("SRS-INP-011")
def test_an_empty_or_broken_dicomdir(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        io.expand(directory(tmp_path))
    assert caught.value.code == "E-INPUT-NO-IMAGES"
    (tmp_path / "DICOMDIR").write_bytes(b"nothing of the kind")
    with pytest.raises(InputError) as caught:
        io.expand(tmp_path / "DICOMDIR")
    assert caught.value.code == "E-INPUT-INDEX"


@pytest.mark.verifies("SRS-INP-011")
def test_the_discs_of_the_data_folder(data: Path, tmp_path: Path) -> None:
    folder = data / "dicom" / "pydicom_test_files" / "dicomdirtests"
    assert len(io.expand(folder / "DICOMDIR")) == 31
    shutil.copytree(folder / "TINY_ALPHA", tmp_path / "disc")
    alone = io.expand(tmp_path / "disc")
    assert len(alone) == 50
    assert all(item.problem is None for item in alone)


@pytest.mark.verifies("SRS-INP-011", "SRS-INP-006")
def test_a_folder_is_surveyed_by_its_headers_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        samples.put(
            tmp_path,
            samples.ultrasound(lambda one, n=number: setattr(one, "SOPInstanceUID", f"1.2.{n}")),
            f"{number}.dcm",
        )
    deflated = get_testdata_file("image_dfl.dcm")
    assert deflated is not None
    loaded: list[Path] = []
    load = source.load
    monkeypatch.setattr(survey, "load", lambda path, *more: loaded.append(path) or load(path, *more))  # type: ignore[func-returns-value]
    monkeypatch.setattr(io.Input, "load", lambda item: pytest.fail(f"{item.path} is read whole"))
    assert [item.problem for item in io.expand(tmp_path)] == [None] * 3
    assert loaded == []
    shutil.copy(deflated, tmp_path / "deflated.dcm")
    io.expand(tmp_path / "deflated.dcm")
    assert loaded == [tmp_path / "deflated.dcm"]  # whole, for what it inflates to has to be bounded first

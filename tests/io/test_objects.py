# SPDX-License-Identifier: Apache-2.0
"""The DICOM objects of a decision are valid, exact, the same whenever they are written, and read back by others."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pydicom.data
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from radiomicnet_md import delivery, findings, io
from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Decision
from radiomicnet_md.image import Frame
from radiomicnet_md.io import segmentation
from radiomicnet_md.io.parametric_map import exact
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from tests import desks
from tests.io import samples
from tests.io.sources import SOURCES

OBJECTS = ("mask", "measurements", "picture", "contributions", "probability")
STAMP = "not a cleared device · record 0123456789abcdefghjkmnpqrs"
UNDEFINED = {"undefined": "the size of a pixel is not known"}
PATIENT_AND_STUDY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "StudyID", "ReferringPhysicianName", "StudyDescription"),
)


def reading(folder: Path, change: Callable[[Any], None] | None = None) -> io.Reading:
    return io.read(samples.put(folder, samples.ultrasound(change)))


def decided(source: io.Reading) -> Decision:
    """A decision with one region, a third of whose values are undefined."""
    made = desks.decision(io.grey(source.image), 60)
    values = {
        name: UNDEFINED if place % 3 == 0 else math.sin(place + 1).hex()
        for place, name in enumerate(findings.OF_LESION)
    }
    return replace(made, lesions=tuple({**lesion, "values": values} for lesion in made.lesions))


def delivered(folder: Path, source: io.Reading, decision: Decision | None = None) -> dict[str, Path]:
    """The objects as a case delivers them."""
    target = delivery.Target(folder / "out", "case")
    target.out.mkdir(exist_ok=True)
    marks = delivery.Marks(samples.ALGORITHM, STAMP)
    delivery.deliver(source, decision or decided(source), samples.RECEIPT, target, marks)
    return {name: folder / "out" / "case" / f"{name}.dcm" for name in OBJECTS}


def faults(require: Callable[[str], Path], path: Path) -> list[str]:
    """The errors that dciodvfy reports."""
    done = subprocess.run([require("dciodvfy"), "-new", path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.verifies("SRS-OUT-002", "SRS-OUT-020", "SRS-OUT-021", "SRS-OUT-022", "SRS-OUT-023", "SRS-OUT-024")
@pytest.mark.parametrize("name", SOURCES)
def test_every_object_of_every_source_is_valid_and_its_sources(
    name: str, tmp_path: Path, require: Callable[[str], Path]
) -> None:
    source = reading(tmp_path, SOURCES[name])
    before = source.dataset.to_json()
    for path in delivered(tmp_path, source).values():
        assert faults(require, path) == [], path.name
        made = pydicom.dcmread(path)
        for keyword in PATIENT_AND_STUDY:
            assert (made.get(keyword) or "") == (source.dataset.get(keyword) or ""), (path.name, keyword)
        references = set(_references(made))
        assert (source.dataset.SOPClassUID, source.dataset.SOPInstanceUID) in references
        assert {instance for _, instance in references} <= {source.dataset.SOPInstanceUID, _mask_uid(path)}
        *_, decided_by = made.ContributingEquipmentSequence
        for part in (samples.RECEIPT.record_id, samples.RECEIPT.envelope_sha256, samples.RECEIPT.keyid):
            assert part in decided_by.ContributionDescription
    assert source.dataset.to_json() == before


def _references(dataset: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for item in (item for element in dataset if element.VR == "SQ" for item in element.value):
        if "ReferencedSOPInstanceUID" in item:
            yield item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID
        yield from _references(item)


def _mask_uid(path: Path) -> str:
    return str(pydicom.dcmread(path.with_name("mask.dcm"), stop_before_pixels=True).SOPInstanceUID)


@pytest.mark.verifies("SRS-OUT-024")
def test_a_source_of_another_class_keeps_it_when_it_was_read_before(tmp_path: Path) -> None:
    source = reading(tmp_path, SOURCES["multi-frame"])
    assert source.dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1"
    io.write_segmentation(tmp_path / "mask.dcm", source, decided(source).mask, samples.RECEIPT, samples.ALGORITHM)
    assert source.dataset.SOPClassUID == "1.2.840.10008.5.1.4.1.1.3.1"


@pytest.mark.verifies("SRS-OUT-024")
def test_objects_of_a_frame_refer_to_that_frame(tmp_path: Path, require: Callable[[str], Path]) -> None:
    path = samples.put(tmp_path, samples.loop(np.stack([samples.frame()] * 3)))
    source = io.Reader().read(io.Input(path, frame=Frame(2, 3)))
    for name, made in delivered(tmp_path, source).items():
        assert faults(require, made) == [], name
        dataset = pydicom.dcmread(made)
        assert (source.dataset.SOPClassUID, source.dataset.SOPInstanceUID) in set(_references(dataset))
        numbers = set(_frames(dataset, source.dataset.SOPInstanceUID))
        assert numbers == {2}, name


def _frames(dataset: Any, instance: str) -> Iterator[int]:  # noqa: ANN401
    for item in (item for element in dataset if element.VR == "SQ" for item in element.value):
        if item.get("ReferencedSOPInstanceUID") == instance and "ReferencedFrameNumber" in item:
            yield int(item.ReferencedFrameNumber)
        yield from _frames(item, instance)


@pytest.mark.verifies("SRS-OUT-024")
def test_the_same_record_gives_the_same_bytes(tmp_path: Path) -> None:
    source = reading(tmp_path)
    first = {name: path.read_bytes() for name, path in delivered(tmp_path, source).items()}
    assert {name: path.read_bytes() for name, path in delivered(tmp_path, source).items()} == first
    uids = [pydicom.dcmread(path).SOPInstanceUID for path in delivered(tmp_path, source).values()]
    assert len(set(uids)) == len(OBJECTS)


@pytest.mark.verifies("SRS-OUT-024")
@pytest.mark.parametrize("path", sorted(map(Path, pydicom.data.get_charset_files("*.dcm"))), ids=lambda path: path.stem)
def test_names_arrive_whole_in_every_character_set(path: Path, tmp_path: Path) -> None:
    named = pydicom.dcmread(path)

    def name(dataset: Any) -> None:  # noqa: ANN401
        dataset.SpecificCharacterSet = named.get("SpecificCharacterSet")
        dataset.PatientName = named.get("PatientName", "Example^Without")

    source = reading(tmp_path, name)
    whole = source.dataset.PatientName
    for file in delivered(tmp_path, source).values():
        made = pydicom.dcmread(file)
        assert str(made.PatientName) == str(whole) == str(named.get("PatientName", "Example^Without")), file.name
        assert made.PatientName.components == whole.components


@pytest.mark.verifies("SRS-OUT-020")
def test_every_value_is_in_the_report_and_none_is_invented(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    decision = decided(source)
    path = delivered(tmp_path, source, decision)["measurements"]
    (lesion,), (region,) = decision.lesions, decision.chosen
    expected = {
        (findings.OF_LESION[name].scheme, findings.OF_LESION[name].value): float.fromhex(value)
        for name, value in lesion["values"].items()
        if value is not UNDEFINED
    }
    expected |= {("99RNMD", findings.TERMS[n].value): term / (1 << SCORE_BITS) for n, term in region.terms.items()}
    expected |= {("99RNMD", "D006"): lesion["pixels"], ("99RNMD", "D007"): region.score / (1 << SCORE_BITS)}
    expected |= {("99RNMD", "D008"): region.intercept / (1 << SCORE_BITS)}
    report = highdicom.sr.srread(path)
    (group,) = report.content.get_volumetric_roi_measurement_groups()
    found = {(m.name.scheme_designator, m.name.value): m.value for m in group.get_measurements()}
    assert found == expected
    assert group.referenced_segment.referenced_sop_instance_uid == _mask_uid(path)
    (said,) = [item.TextValue for item in group[0].ContentSequence if item.name.meaning == "Comment"]
    assert said.startswith("34 left out, the size of a pixel is not known: ")
    texts = {
        item.ConceptNameCodeSequence[0].CodeValue: item.TextValue
        for item in _items(report)
        if item.ValueType == "TEXT" and item.ConceptNameCodeSequence[0].CodingSchemeDesignator == "99RNMD"
    }
    receipt = samples.RECEIPT
    assert (texts["D101"], texts["D102"], texts["D103"]) == (receipt.record_id, "7", receipt.envelope_sha256)
    _dcmqi_reads(require, path, expected)


def _items(dataset: Any) -> Iterator[Any]:  # noqa: ANN401
    for item in dataset.get("ContentSequence", ()):
        yield item
        yield from _items(item)


def _dcmqi_reads(require: Callable[[str], Path], path: Path, expected: dict[tuple[str, str], float]) -> None:
    told = path.with_suffix(".json")
    command = [require("dcmqi") / "tid1500reader", "--inputDICOM", path, "--outputMetadata", told]
    subprocess.run(command, check=True, capture_output=True)
    *_, group = json.loads(told.read_bytes())["Measurements"]
    read = {
        (item["quantity"]["CodingSchemeDesignator"], item["quantity"]["CodeValue"]): float(item["value"])
        for item in group["measurementItems"]
    }
    assert read.keys() == expected.keys()
    assert read == pytest.approx(expected, rel=1e-12, abs=1e-12)  # a decimal string has 16 characters


@pytest.mark.verifies("SRS-OUT-020")
def test_no_lesion_found_is_a_report_too(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    none = desks.decision(io.grey(source.image), 0)
    assert none.chosen == ()
    path = delivered(tmp_path, source, none)["measurements"]
    assert faults(require, path) == []
    report = highdicom.sr.srread(path)
    assert report.content.get_volumetric_roi_measurement_groups() == []
    (group,) = report.content.get_image_measurement_groups()
    (presence,) = group.get_qualitative_evaluations()
    assert presence.value.meaning == "Absent"
    assert {m.name.meaning: m.value for m in group.get_measurements()}["Number of segmented regions"] == 0


@pytest.mark.verifies("SRS-OUT-020")
def test_dcmtk_shows_each_value_with_its_name(tmp_path: Path, require: Callable[[str], Path]) -> None:
    path = delivered(tmp_path, reading(tmp_path))["measurements"]
    page = subprocess.run(
        [require("dcmtk").with_name("dsr2html"), path], check=True, capture_output=True, text=True
    ).stdout
    names = [*findings.TERMS.values(), *list(findings.OF_LESION.values())[1::3]]
    assert [code.meaning for code in names if f"<b>{code.meaning}:</b>" not in page] == []


@pytest.mark.verifies("SRS-OUT-002", "SRS-OUT-020")
def test_each_of_two_regions_has_a_segment_and_a_group(tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path)
    one = decided(source)
    (region,), rows = one.chosen, np.arange(len(one.levels))[:, None]
    halves = [replace(region, pixels=region.pixels & side) for side in (rows < 24, rows >= 24)]
    two = replace(one, chosen=tuple(halves), lesions=one.lesions * 2)
    paths = delivered(tmp_path, source, two)
    assert faults(require, paths["mask"]) == faults(require, paths["measurements"]) == []
    made = highdicom.seg.segread(paths["mask"])
    assert (made.pixel_array[0] == two.mask).all()
    assert made.pixel_array[1].any()
    assert made.pixel_array[2].any()
    assert not (made.pixel_array[1] & made.pixel_array[2]).any()
    groups = highdicom.sr.srread(paths["measurements"]).content.get_volumetric_roi_measurement_groups()
    assert [group.referenced_segment.referenced_segment_numbers for group in groups] == [[2], [3]]


@pytest.mark.verifies("SRS-OUT-021")
def test_the_picture_is_the_overlay_with_its_warning(tmp_path: Path) -> None:
    from radiomicnet_md.review import pictures

    source = reading(tmp_path)
    decision = decided(source)
    made = pydicom.dcmread(delivered(tmp_path, source, decision)["picture"])
    drawn = pictures.overlay(io.grey(source.image), decision.mask, f"not for clinical use · {STAMP}")
    beside = samples.put(tmp_path, drawn, "drawn.png")
    assert (made.pixel_array == sitk.GetArrayFromImage(sitk.ReadImage(str(beside)))[..., :3]).all()
    assert (made.BurnedInAnnotation, made.PhotometricInterpretation) == ("YES", "RGB")


@pytest.mark.verifies("SRS-OUT-022", "SRS-OUT-025")
@pytest.mark.parametrize("name", ["plain", "odd size", "oblique", "unscaled"])
def test_contributions_are_exact_and_lie_over_the_image(name: str, tmp_path: Path) -> None:
    source = reading(tmp_path, SOURCES[name])
    decision = decided(source)
    made = pydicom.dcmread(delivered(tmp_path, source, decision)["contributions"])
    planes = np.concatenate([decision.contributions, decision.rest[None], decision.logit[None]])
    assert (made.pixel_array.astype(np.float64) * (1 << LOGIT_BITS) == planes).all()
    labels = [frame.FrameContentSequence[0].FrameLabel for frame in made.PerFrameFunctionalGroupsSequence]
    assert labels[0] == "Contribution of GLCM contrast"
    assert labels[-2:] == [findings.REST.meaning, findings.LOGIT.meaning]
    measures = made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    rows, columns = source.image.pixels.shape[1:3]
    if name == "unscaled":
        assert "PixelSpacing" not in measures
        return
    h, w = decision.levels.shape  # a cell is two by two of these, and they cover the image
    down, across = source.image.spacing_mm or (0, 0)
    assert list(measures.PixelSpacing) == pytest.approx([2 * rows / h * down, 2 * columns / w * across], rel=1e-12)
    place = made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0].ImagePositionPatient
    turn = _shared(made, "PlaneOrientationSequence").ImageOrientationPatient
    start = np.array(place) - [
        0.5 * (measures.PixelSpacing[1] * a + measures.PixelSpacing[0] * b) for a, b in _axes(turn)
    ]
    first, axes = np.zeros(3), _axes([1, 0, 0, 0, 1, 0])
    if name == "oblique":
        first, axes = np.array(source.dataset.ImagePositionPatient), _axes(source.dataset.ImageOrientationPatient)
        assert made.FrameOfReferenceUID == source.dataset.FrameOfReferenceUID
    else:
        assert "invented" in made.ImageComments
    assert start == pytest.approx(first - [0.5 * (across * a + down * b) for a, b in axes], abs=1e-6)


def _shared(made: Any, name: str) -> Any:  # noqa: ANN401
    groups = (made.SharedFunctionalGroupsSequence[0], made.PerFrameFunctionalGroupsSequence[0])
    return next(group[name][0] for group in groups if name in group)


def _axes(turn: Any) -> list[tuple[float, float]]:  # noqa: ANN401
    """Parts along the row and along the column, for x, y and z."""
    return list(zip(map(float, turn[:3]), map(float, turn[3:]), strict=True))


@pytest.mark.verifies("SRS-OUT-022")
@given(hnp.arrays(np.int64, (2, 3, 4), elements=st.integers(-(2**52), 2**52)))
def test_law_contributions_are_never_rounded(planes: NDArray[np.int64]) -> None:
    values = exact(planes)
    assert (values.astype(np.float64) * (1 << LOGIT_BITS) == planes).all()
    assert values.dtype == np.float32 or not (values.astype(np.float32) == values).all()


@pytest.mark.verifies("SRS-OUT-023")
@given(st.integers(-(2**36), 2**36))
def test_law_a_level_is_the_nearest_to_the_logistic_function(logit: int) -> None:
    (level,) = segmentation.fractions(np.array([logit])).tolist()
    exactly = 255 / (1 + (-Decimal(logit) / (1 << LOGIT_BITS)).exp())
    assert abs(exactly - level) <= Decimal("0.5")


@pytest.mark.verifies("SRS-OUT-023")
@pytest.mark.parametrize("name", ["plain", "odd size", "oblique"])
def test_the_evidence_is_read_back_and_says_what_it_is_not(name: str, tmp_path: Path) -> None:
    source = reading(tmp_path, SOURCES[name])
    decision = decided(source)
    made = highdicom.seg.segread(delivered(tmp_path, source, decision)["probability"])
    rows, columns = source.image.pixels.shape[1:3]
    stored = pydicom.dcmread(tmp_path / "out" / "case" / "probability.dcm").pixel_array.reshape(rows, columns)
    levels = segmentation.fractions(decision.logit)
    for r, c in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 3)):
        h, w = decision.levels.shape
        assert stored[r, c] == levels[int((r + 0.5) * h / rows) // 2, int((c + 0.5) * w / columns) // 2]
    assert (made.SegmentationFractionalType, made.MaximumFractionalValue) == ("PROBABILITY", 255)
    assert "not calibrated" in made.SegmentSequence[0].SegmentLabel


@pytest.mark.verifies("SRS-OUT-025", "SRS-OUT-002")
@pytest.mark.parametrize("name", ["axial", "coronal", "sagittal", "oblique"])
def test_masks_lie_where_their_source_lies(name: str, tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = reading(tmp_path, SOURCES[name])
    decision = decided(source)
    paths = delivered(tmp_path, source, decision)
    given_ = sitk.ReadImage(str(tmp_path / "input"), imageIO="GDCMImageIO")
    out = tmp_path / "itk"
    out.mkdir()
    command = [require("dcmqi") / "segimage2itkimage", "--inputDICOM", paths["mask"], "--outputDirectory", out]
    subprocess.run([*command, "--outputType", "nrrd"], check=True, capture_output=True)
    read = sitk.ReadImage(str(out / "1.nrrd"))
    assert (sitk.GetArrayFromImage(read)[0] == decision.mask).all()
    columns, rows = read.GetSize()[:2]
    for corner in ((0, 0, 0), (columns - 1, 0, 0), (0, rows - 1, 0), (columns - 1, rows - 1, 0)):
        there = given_.TransformIndexToPhysicalPoint(corner)
        assert read.TransformIndexToPhysicalPoint(corner) == pytest.approx(there, abs=1e-6)
    for kind in ("mask", "probability"):
        assert pydicom.dcmread(paths[kind]).FrameOfReferenceUID == source.dataset.FrameOfReferenceUID


@pytest.mark.verifies("SRS-OUT-025")
@pytest.mark.parametrize("name", ["plain", "half placed", "skewed"])
def test_no_place_is_stated_where_the_source_states_none(name: str, tmp_path: Path) -> None:
    for kind, path in delivered(tmp_path, reading(tmp_path, SOURCES[name])).items():
        made = pydicom.dcmread(path)
        assert ("FrameOfReferenceUID" in made) == (kind == "contributions")


@pytest.mark.verifies("SRS-OUT-002")
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mask=hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(96), st.just(128)), elements=st.integers(0, 1)),
)
def test_law_masks_read_back(mask: NDArray[np.uint8], tmp_path: Path) -> None:
    path = tmp_path / "mask.dcm"
    io.write_segmentation(path, reading(tmp_path), mask, samples.RECEIPT, samples.ALGORITHM)
    assert (pydicom.dcmread(path).pixel_array.reshape(mask.shape) == mask).all()


@pytest.mark.verifies("SRS-OUT-002", "SRS-OUT-020", "SRS-OUT-021", "SRS-OUT-022", "SRS-OUT-023")
def test_objects_of_a_real_ultrasound_file(data: Path, tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = io.read(data / "dicom" / "pydicom_data" / "JPGLosslessP14SV1_1s_1f_8b.dcm")
    for path in delivered(tmp_path, source).values():
        assert faults(require, path) == [], path.name


@pytest.mark.verifies("SRS-OUT-020")
def test_the_page_lists_every_code_of_ours_and_none_changes_its_meaning(root: Path) -> None:
    tables = (findings.OF_IMAGE, findings.OF_LESION, findings.TERMS, findings.SHARES)
    codes = [*findings.OURS, findings.REST, findings.LOGIT, *(code for table in tables for code in table.values())]
    ours = {code.value: code.meaning for code in codes if code.scheme == "99RNMD"}
    page = (root / "docs/reference/dicom-objects.md").read_text(encoding="utf-8")
    assert dict(re.findall(r"^\| `([A-Z]\d{3})` \| (.+) \|$", page, re.MULTILINE)) == ours
    assert list(findings.TERMS) == list(VALUE_NAMES)
    for code in codes:
        assert len(code.value) <= 16
        assert 0 < len(code.meaning) <= 64
        assert code.meaning.isascii()
    for code, meaning in findings.UNITS.values():
        assert code.isascii()
        assert len(code) <= 16
        assert len(meaning) <= 64

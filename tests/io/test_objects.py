# SPDX-License-Identifier: Apache-2.0
"""The DICOM objects of a decision are valid, exact, the same whenever they are written, and read back by others."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
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

from radiomicnet_md import findings, io
from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.image import Frame
from radiomicnet_md.io import segmentation
from radiomicnet_md.io.parametric_map import exact
from tests.io import samples
from tests.io.objects import OBJECTS, STAMP, decided, delivered, faults, mask_uid, reading
from tests.io.sources import SOURCES

PATIENT_AND_STUDY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("AccessionNumber", "StudyID", "ReferringPhysicianName", "StudyDescription"),
)


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
        assert {instance for _, instance in references} <= {source.dataset.SOPInstanceUID, mask_uid(path)}
        *_, decided_by = made.ContributingEquipmentSequence
        for part in (samples.RECEIPT.record_id, samples.RECEIPT.envelope_sha256, samples.RECEIPT.keyid):
            assert part in decided_by.ContributionDescription
    assert source.dataset.to_json() == before


def _references(dataset: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401
    for item in (item for element in dataset if element.VR == "SQ" for item in element.value):
        if "ReferencedSOPInstanceUID" in item:
            yield item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID
        yield from _references(item)


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

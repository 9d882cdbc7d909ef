# SPDX-License-Identifier: Apache-2.0
"""CT and MR series: refused by the intended use of this device, and with a release that is for them decided in place.

The release that is for them is a test's: an engine that only thresholds, and limits that name CT and MR. No model for
such images exists. Places are judged by SimpleITK and highdicom; patients' series are those of the IBSI data.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import highdicom as hd
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from numpy.typing import NDArray
from pydicom import uid

from radiomicnet_md import desk as desks_
from radiomicnet_md import home as homes
from radiomicnet_md import io
from radiomicnet_md.desk import Answer, Desk, segment_files
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.series import Stack, slice_of, stack
from tests import desks
from tests.io import samples
from tests.io.objects import faults
from tests.io.test_contours import filled

FOR_SERIES = Limits.from_json(
    Limits(modalities=("CT", "MR"), sop_classes=(uid.CTImageStorage, uid.MRImageStorage)).to_json()
)
FORMS = {"dicom": "mask.dcm", "nifti": "mask.nii.gz", "nrrd": "mask.nrrd", "rtstruct": "contours.dcm"}
CLOSE, SINGLE = 1e-6, 1e-4  # mm; NIfTI holds places in single precision
TILT = math.radians(18)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)

Series = dict[str, tuple[Sequence[float], Sequence[float], int]]
"""By a name: directions along row and column, from one slice to the next (mm), and along which way files are named."""
SERIES: Series = {
    "axial": (AXIAL, (0, 0, 2.5), 1),
    "reversed order": (AXIAL, (0, 0, -2.5), -1),
    "sagittal": ((0, 1, 0, 0, 0, -1), (3, 0, 0), 1),
    "coronal": ((1, 0, 0, 0, 0, -1), (0, 1.25, 0), 1),
    "oblique": ((0.8, 0.6, 0, -0.6, 0.8, 0), (0, 0, 4), 1),
    "twice oblique": ((0.8, 0.6, 0, -0.48, 0.64, 0.6), (0.36 * 2, -0.48 * 2, 0.8 * 2), 1),
    "gantry tilt": ((1, 0, 0, 0, math.cos(TILT), math.sin(TILT)), (0, 0, 3), 1),
}
SPACING = ("0.71", "0.43")  # between rows, between columns


@pytest.fixture
def desk_for_series(home: homes.Home) -> Iterator[Desk]:
    opened = desks.make_desk(home, desks.FakeEngine(limits=FOR_SERIES))
    yield opened
    opened.ledger.close()


def generated(folder: Path, name: str, modality: str = "CT", count: int = 4) -> list[Path]:
    """Slices with a dark rectangle that grows, their pixels not square."""
    turn, step, sign = SERIES[name]
    folder.mkdir(exist_ok=True)
    paths = []
    for number in range(count):
        levels = 150 + np.random.default_rng(number).integers(0, 40, (80, 96)).astype(np.uint8)
        levels[10 + number : 40, 20 : 50 + number] = 20

        def change(dataset: Any, number: int = number) -> None:  # noqa: ANN401
            becomes(dataset, modality, f"{name} {number}")
            dataset.SeriesInstanceUID = derive_uid(f"series {name}")
            dataset.ImagePositionPatient = [
                f"{at + number * by:.9g}" for at, by in zip((-31, 17.5, 8), step, strict=True)
            ]
            dataset.ImageOrientationPatient = [f"{part:.14g}"[:16] for part in turn]
            dataset.PixelSpacing = list(SPACING)

        paths.append(samples.put(folder, samples.ultrasound(change, levels), f"{number * sign % count:03}.dcm"))
    return paths


def becomes(dataset: Any, modality: str, instance: str) -> None:  # noqa: ANN401
    """Make an image a slice of a class for series, in a frame of reference."""
    del dataset.SequenceOfUltrasoundRegions
    dataset.Modality = modality
    dataset.SOPClassUID = uid.CTImageStorage if modality == "CT" else uid.MRImageStorage
    dataset.SOPInstanceUID = derive_uid(f"instance {instance}")
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.FrameOfReferenceUID = derive_uid("frame of reference")
    dataset.PositionReferenceIndicator = ""
    dataset.SliceThickness = "2.5"


def windowed(source: Path, folder: Path, count: int) -> list[Path]:
    """Neighbouring slices of a patient's series, their values in a window of 8 bits, as a reader sees them."""
    slices = sorted(map(pydicom.dcmread, source.iterdir()), key=lambda one: one.ImagePositionPatient[2])
    middle = len(slices) // 2
    folder.mkdir()
    paths = []
    for number, one in enumerate(slices[middle : middle + count]):
        low, high = np.percentile(one.pixel_array, (2, 98))
        levels = np.clip((one.pixel_array - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
        samples.with_samples(one, levels, "MONOCHROME2")
        for keyword in ("RescaleSlope", "RescaleIntercept", "RescaleType", "SmallestImagePixelValue"):
            if keyword in one:
                delattr(one, keyword)
        one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = derive_uid(f"windowed {one.SOPInstanceUID}")
        one.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
        paths.append(folder / f"{number:03}.dcm")
        one.save_as(paths[-1], enforce_file_format=True)
    return paths


def decided(folder: Path, desk: Desk, out: Path, form: str | None = None) -> list[Answer]:
    return list(segment_files(desks_.expanded([folder]), desk, out, form))


def corners(rows: int, columns: int) -> list[tuple[int, int]]:
    return list(itertools.product((0, rows - 1), (0, columns - 1)))


def volume(paths: Sequence[Path]) -> Stack:
    """The volume that the device makes of the slices."""
    found = [slice_of(pydicom.dcmread(path, stop_before_pixels=True)) for path in paths]
    return stack([one for one in found if one is not None])


def in_nrrd_or_nifti(path: Path, places: Sequence[tuple[int, int]]) -> tuple[NDArray[Any], list[Any]]:
    """Mask and places of pixels, by SimpleITK."""
    made = sitk.ReadImage(str(path))
    assert made.GetDimension() == 3
    return sitk.GetArrayFromImage(made)[0], [made.TransformIndexToPhysicalPoint((x, y, 0)) for y, x in places]


def in_segmentation(path: Path, places: Sequence[tuple[int, int]]) -> tuple[NDArray[Any], list[Any]]:
    """Mask and places of pixels, by highdicom."""
    made = hd.seg.segread(path)
    shared = made.SharedFunctionalGroupsSequence[0]
    frame = made.PerFrameFunctionalGroupsSequence[0]
    place = frame.get("PlanePositionSequence") or shared.PlanePositionSequence
    turned = hd.spatial.PixelToReferenceTransformer(
        place[0].ImagePositionPatient,
        shared.PlaneOrientationSequence[0].ImageOrientationPatient,
        shared.PixelMeasuresSequence[0].PixelSpacing,
    )
    source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
    pixels = made.get_pixels_by_source_instance([source], combine_segments=True)
    return pixels[0], turned(np.array([(x, y) for y, x in places])).tolist()


def in_contours(path: Path, source: Any) -> NDArray[Any]:  # noqa: ANN401
    """The mask that the contours enclose on the plane of the source, by highdicom."""
    made = pydicom.dcmread(path)
    back = hd.spatial.ReferenceToImageTransformer(
        source.ImagePositionPatient, source.ImageOrientationPatient, source.PixelSpacing
    )
    polygons = []
    for contour in made.ROIContourSequence[0].get("ContourSequence", []):
        points = np.reshape(list(map(float, contour.ContourData)), (-1, 3))
        across, down, off = back(points).T
        assert np.abs(off).max() < CLOSE  # in the plane of the slice
        polygons.append(np.stack([down, across], axis=-1))  # corners of pixels
    return filled(polygons, (source.Rows, source.Columns)).astype(np.uint8)


def same_places(paths: Sequence[Path], answers: Sequence[Answer], form: str) -> None:
    """Each slice's output lies where SimpleITK puts the slice and where our volume has it, and holds the mask."""
    made = volume(paths)
    place_in_volume = {paths[index]: at for at, index in enumerate(made.order)}
    for answer in answers:
        source = pydicom.dcmread(answer.input)
        theirs = sitk.ReadImage(answer.input, imageIO="GDCMImageIO")
        where = corners(source.Rows, source.Columns)
        truth = [theirs.TransformIndexToPhysicalPoint((x, y, 0)) for y, x in where]
        index = place_in_volume[Path(answer.input)]
        ours = [made.place(index, row, column) for row, column in where]
        assert np.abs(np.subtract(ours, truth)).max() < CLOSE
        folder = Path(answer.outputs[0]).parent
        expected = io.read(folder / "mask.png").image.pixels[0, :, :, 0] // 255
        if form == "rtstruct":
            assert (in_contours(folder / FORMS[form], source) == expected).all()
            continue
        read = in_segmentation if form == "dicom" else in_nrrd_or_nifti
        mask, found = read(folder / FORMS[form], where)
        assert (mask == expected).all()
        assert np.abs(np.subtract(found, truth)).max() < (SINGLE if form == "nifti" else CLOSE)


@pytest.mark.verifies("SRS-INP-019", "SRS-OUT-025")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SERIES)
def test_each_slice_is_decided_and_its_output_lies_in_the_volume(
    name: str, form: str, desk_for_series: Desk, tmp_path: Path, out: Path
) -> None:
    paths = generated(tmp_path / "series", name)
    answers = decided(tmp_path / "series", desk_for_series, out, form)
    assert [(answer.status, answer.regions) for answer in answers] == [("accepted", 1)] * 4
    records = [desk_for_series.ledger.read(entry).predicate for entry in desk_for_series.ledger.entries(1)]
    assert len({record["record_id"] for record in records}) == 4
    assert {record["input"]["modality"] for record in records} == {"CT"}
    same_places(paths, answers, form)


@pytest.mark.verifies("SRS-INP-019", "SRS-OUT-025")
@pytest.mark.parametrize("name", [name for name in SERIES if name != "gantry tilt"])  # which ITK has no volume for
def test_the_slices_together_are_the_volume_that_simpleitk_reads(
    name: str, desk_for_series: Desk, tmp_path: Path, out: Path
) -> None:
    generated(tmp_path / "series", name)
    decided(tmp_path / "series", desk_for_series, out, "nrrd")
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(tmp_path / "series")))
    theirs = reader.Execute()
    masks = [sitk.ReadImage(str(path)) for path in out.glob("*/mask.nrrd")]
    places = {tuple(np.round(mask.GetOrigin(), 4)): sitk.GetArrayFromImage(mask)[0] for mask in masks}
    for index, levels in enumerate(sitk.GetArrayFromImage(theirs)):
        origin = theirs.TransformIndexToPhysicalPoint((0, 0, index))
        assert (places.pop(tuple(np.round(origin, 4))) == (levels < 60)).all()
    assert not places


@pytest.mark.verifies("SRS-INP-019", "SRS-OUT-025")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", ["CT", "MR_T1"])
def test_a_patient_s_series_is_decided_in_its_place(
    kind: str, form: str, data: Path, desk_for_series: Desk, tmp_path: Path
) -> None:
    source = data / "ibsi" / "ibsi_validation" / "dicom" / "STS_002" / kind / "image"
    paths = windowed(source, tmp_path / "series", 3)
    answers = decided(tmp_path / "series", desk_for_series, tmp_path / "out", form)
    assert [answer.status for answer in answers] == ["accepted"] * 3
    assert all(answer.regions for answer in answers)
    same_places(paths, answers, form)


@pytest.mark.verifies("SRS-OUT-002", "SRS-OUT-020", "SRS-OUT-021", "SRS-OUT-022", "SRS-OUT-023", "SRS-OUT-026")
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_the_objects_of_a_slice_are_valid(
    modality: str, desk_for_series: Desk, tmp_path: Path, out: Path, require: Callable[[str], Path]
) -> None:
    generated(tmp_path / "series", "twice oblique", modality, 1)
    for form in ("dicom", "rtstruct"):
        (answer,) = decided(tmp_path / "series", desk_for_series, out, form)
        objects = [Path(name) for name in answer.outputs if name.endswith(".dcm")]
        assert len(objects) == (5 if form == "dicom" else 1)
        assert [fault for path in objects for fault in faults(require, path)] == []


@pytest.mark.verifies("SRS-INP-019", "SRS-INP-002")
def test_this_device_refuses_each_slice_on_the_record(desk: Desk, tmp_path: Path, out: Path) -> None:
    for modality in ("CT", "MR"):
        folder = tmp_path / modality
        generated(folder, "axial", modality)
        answers = decided(folder, desk, out)
        assert [answer.reason.code for answer in answers if answer.reason] == ["E-GATE-MODALITY"] * 4
        assert [answer.status for answer in answers] == ["refused"] * 4
    assert desk.ledger.size == 1 + 8
    assert not list(out.rglob("mask*"))


@pytest.mark.verifies("SRS-INP-019", "SRS-INP-002", "SRS-INP-014")
def test_stored_values_of_16_bits_and_missing_slices_are_refused_by_any_release(
    desk_for_series: Desk, tmp_path: Path, out: Path
) -> None:
    deep = generated(tmp_path / "deep", "axial")
    for path in deep:
        one = pydicom.dcmread(path)
        samples.with_samples(one, one.pixel_array.astype(np.int16) * 8 - 1024, "MONOCHROME2")
        one.save_as(path, enforce_file_format=True)
    gap = generated(tmp_path / "gap", "axial", count=6)
    gap[1].unlink()
    codes = {
        folder: {answer.reason.code for answer in decided(tmp_path / folder, desk_for_series, out) if answer.reason}
        for folder in ("deep", "gap")
    }
    assert codes == {"deep": {"E-GATE-BITS"}, "gap": {"E-SERIES-MISSING"}}

# SPDX-License-Identifier: Apache-2.0
"""Outputs are whole, valid, the same for the same record, and refer to their source; or nothing is there."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import highdicom
import nibabel
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813 - as everybody calls it
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from PIL import Image as Pillow

from radiomicnet_md import io
from radiomicnet_md.engine.acceptance import Admitted, Limits, admit
from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md.io import files, segmentation
from radiomicnet_md.io.header import Header
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.masks import png
from tests.io import samples

MASK = np.zeros((96, 128), dtype=np.uint8)
MASK[20:50, 30:71] = 1
MASK[60, 100] = 1


def reading(folder: Path, change: Callable[[Any], None] | None = None) -> io.Reading:
    return io.read(samples.put(folder, samples.ultrasound(change)))


def segmented(folder: Path, source: io.Reading, mask: NDArray[np.uint8] = MASK, receipt: Any = samples.RECEIPT) -> Path:  # noqa: ANN401
    path = folder / "mask.dcm"
    io.write_segmentation(path, source, mask, receipt, samples.ALGORITHM)
    return path


def faults(require: Callable[[str], Path], path: Path) -> list[str]:
    """The errors that dciodvfy reports."""
    done = subprocess.run([require("dciodvfy"), "-new", path], capture_output=True, text=True, check=False)
    return [line for line in done.stderr.splitlines() if line.startswith("Error")]


@pytest.mark.verifies("SRS-OUT-001")
@settings(max_examples=60, deadline=2000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mask=hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70), elements=st.integers(0, 1)))
@pytest.mark.verifies("SRS-OUT-001", rc=("RC-022",))
def test_law_masks_read_back_by_others(mask: NDArray[np.uint8], tmp_path: Path) -> None:
    io.write_mask_png(tmp_path / "mask.png", mask, samples.RECEIPT)
    assert (np.asarray(Pillow.open(tmp_path / "mask.png")) == mask * 255).all()
    for name in ("mask.nii", "mask.nii.gz"):
        io.write_mask_nifti(tmp_path / name, mask, Header(mask.shape, (0.2, 0.1)), samples.RECEIPT)
        image = sitk.ReadImage(str(tmp_path / name))
        assert (sitk.GetArrayFromImage(image) == mask).all()
        assert image.GetSpacing() == pytest.approx((0.1, 0.2))
        assert (mask == np.asarray(nibabel.load(tmp_path / name).dataobj).T).all()


@pytest.mark.verifies("SRS-OUT-001", "SRS-INP-004")
def test_an_unknown_spacing_stays_unknown(tmp_path: Path) -> None:
    io.write_mask_nifti(tmp_path / "mask.nii.gz", MASK, Header(MASK.shape), samples.RECEIPT)
    assert nibabel.load(tmp_path / "mask.nii.gz").header.get_xyzt_units()[0] == "unknown"
    assert io.read(tmp_path / "mask.nii.gz").image.spacing_mm is None


@pytest.mark.verifies("SRS-OUT-001")
def test_the_same_mask_gives_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        io.write_mask_png(tmp_path / name / "mask.png", MASK, samples.RECEIPT)
        io.write_mask_nifti(tmp_path / name / "mask.nii.gz", MASK, Header(MASK.shape), samples.RECEIPT)
        written.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert written[0] == written[1]


def _rgb(dataset: Any) -> None:  # noqa: ANN401
    samples.with_samples(dataset, np.stack([samples.frame()] * 3, axis=-1), "RGB")


def _multi_frame(dataset: Any) -> None:  # noqa: ANN401
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    dataset.NumberOfFrames = 1
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = "40"


def _bare(dataset: Any) -> None:  # noqa: ANN401
    for keyword in (
        "AccessionNumber",
        "StudyID",
        "StudyDescription",
        "PatientBirthDate",
        "Manufacturer",
        "SeriesNumber",
    ):
        delattr(dataset, keyword)


def _placed(dataset: Any) -> None:  # noqa: ANN401
    dataset.FrameOfReferenceUID = derive_uid("frame of reference")
    dataset.PixelSpacing = ["0.08", "0.08"]


@pytest.mark.verifies("SRS-OUT-002")
@pytest.mark.parametrize("change", [None, _rgb, _multi_frame, _bare, _placed])
@pytest.mark.verifies("SRS-OUT-002", rc=("RC-022",))
def test_a_segmentation_refers_to_its_source(change: Callable[[Any], None] | None, tmp_path: Path) -> None:
    source = reading(tmp_path, change)
    path = segmented(tmp_path, source)
    made = highdicom.seg.segread(path)
    assert (made.pixel_array.reshape(MASK.shape) == MASK).all()
    assert (made.Rows, made.Columns, made.NumberOfFrames) == (96, 128, 1)
    for keyword in ("PatientName", "PatientID", "StudyInstanceUID", "StudyDate", "StudyTime"):
        assert made.get(keyword) == source.dataset.get(keyword)
    referred = made.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == source.dataset.SeriesInstanceUID
    assert referred.ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == source.dataset.SOPInstanceUID
    assert referred.ReferencedInstanceSequence[0].ReferencedSOPClassUID == source.dataset.SOPClassUID
    assert samples.RECEIPT.record_id in made.ContentDescription
    assert "7" in made.ContentDescription
    assert made.SegmentSequence[0].SegmentationAlgorithmIdentificationSequence[0].AlgorithmName == "busi-locked"
    assert "PixelData" in source.dataset  # the source itself is left as it was


@pytest.mark.verifies("SRS-OUT-002")
@pytest.mark.parametrize("change", [None, _rgb, _multi_frame, _placed])
@pytest.mark.parametrize("mask", [MASK, MASK * 0], ids=["lesion", "no lesion"])
def test_a_segmentation_is_valid(
    change: Callable[[Any], None] | None, mask: NDArray[np.uint8], tmp_path: Path, require: Callable[[str], Path]
) -> None:
    path = segmented(tmp_path, reading(tmp_path, change), mask)
    assert faults(require, path) == []
    assert pydicom.dcmread(path).pixel_array.sum() == mask.sum()


@pytest.mark.verifies("SRS-OUT-002")
def test_a_segmentation_of_a_real_ultrasound_file(data: Path, tmp_path: Path, require: Callable[[str], Path]) -> None:
    source = io.read(data / "dicom" / "pydicom_data" / "JPGLosslessP14SV1_1s_1f_8b.dcm")
    mask = np.zeros(source.image.pixels.shape[1:3], dtype=np.uint8)
    mask[100:300, 200:500] = 1
    path = segmented(tmp_path, source, mask)
    assert faults(require, path) == []
    assert (highdicom.seg.segread(path).pixel_array.reshape(mask.shape) == mask).all()


@pytest.mark.verifies("SRS-OUT-002")
def test_writing_twice_gives_one_object(tmp_path: Path) -> None:
    source = reading(tmp_path)
    first = segmented(tmp_path, source).read_bytes()
    assert segmented(tmp_path, source).read_bytes() == first
    other = type(samples.RECEIPT)(**{**vars(samples.RECEIPT), "record_id": "z" * 26})
    second = segmented(tmp_path, source, receipt=other).read_bytes()
    one, two = (pydicom.dcmread(BytesIO(data)) for data in (first, second))
    assert one.SOPInstanceUID != two.SOPInstanceUID
    assert one.SeriesInstanceUID != two.SeriesInstanceUID


@pytest.mark.verifies("SRS-OUT-002")
@given(st.lists(st.text(max_size=80), max_size=4))
def test_law_derived_uids_are_uids(names: list[str]) -> None:
    uid = derive_uid(*names)
    assert pydicom.uid.UID(uid).is_valid
    number = int(uid.removeprefix("2.25."))
    assert number >> 76 & 0xF == 8
    assert number >> 62 & 0b11 == 0b10
    assert uid == derive_uid(*names)


@pytest.mark.verifies("SRS-OUT-002")
def test_a_picture_becomes_a_source(tmp_path: Path, require: Callable[[str], Path]) -> None:
    picture = io.read(samples.put(tmp_path, samples.picture()))
    with pytest.raises(InputError) as caught:
        segmented(tmp_path, picture)
    assert caught.value.code == "E-OUTPUT-SOURCE"
    source = io.write_secondary_capture(tmp_path / "source.dcm", picture, samples.RECEIPT)
    again = io.read(tmp_path / "source.dcm")
    answer = admit(again.image, Limits())
    assert isinstance(answer, Admitted)
    assert (answer.levels_source == samples.frame()).all()
    assert again.image.spacing_mm is None
    path = segmented(tmp_path, source)
    made = pydicom.dcmread(path)
    assert made.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == (
        again.dataset.SOPInstanceUID
    )
    assert faults(require, tmp_path / "source.dcm") == []
    assert faults(require, path) == []


@pytest.mark.verifies("SRS-OUT-002", rc=("RC-022",))
def test_a_source_without_identifiers_is_a_typed_error(tmp_path: Path) -> None:
    source = reading(tmp_path)
    del source.dataset.StudyInstanceUID
    with pytest.raises(InputError) as caught:
        segmented(tmp_path, source)
    assert caught.value.code == "E-OUTPUT-SOURCE"
    assert not (tmp_path / "mask.dcm").exists()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; where none can be mounted, a limit on the size of files stands in."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    if mounted.returncode:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, before[1]))
    try:
        yield disk
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        if not mounted.returncode:
            subprocess.run(["umount", disk], check=True)


@pytest.mark.verifies("SRS-OUT-003")
def test_a_full_disk_leaves_the_former_file(small_disk: Path) -> None:
    path = small_disk / "mask.png"
    io.write_bytes(path, b"former", samples.RECEIPT)
    with pytest.raises(ConfigurationError) as caught:
        io.write_bytes(path, bytes(2**17), samples.RECEIPT)
    assert caught.value.code == "E-OUTPUT-FULL"
    assert "space" in caught.value.remedy
    assert [item.name for item in small_disk.iterdir()] == ["mask.png"]
    assert path.read_bytes() == b"former"


@pytest.mark.verifies("SRS-OUT-003")
def test_a_folder_that_may_not_be_written(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)  # to the superuser no door is closed
        with pytest.raises(ConfigurationError) as caught:
            io.write_mask_png(folder / "mask.png", MASK, samples.RECEIPT)
    finally:
        os.seteuid(user)
    assert caught.value.code == "E-OUTPUT-DENIED"
    assert list(folder.iterdir()) == []


@pytest.mark.verifies("SRS-OUT-003")
def test_a_name_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigurationError) as caught:
        io.write_bytes(tmp_path / "file" / "mask.png", b"x", samples.RECEIPT)
    assert caught.value.code == "E-OUTPUT-FAILED"


PLACE = (
    "import sys; from pathlib import Path; from radiomicnet_md.io.files import place; place(Path(sys.argv[1]), b'new')"
)
CALLS = {"write": "write,writev", "flush": "fsync", "rename": "rename,renameat,renameat2"}


@pytest.mark.verifies("SRS-OUT-003")
@pytest.mark.parametrize("call", CALLS)
def test_a_kill_at_any_point_leaves_a_whole_file(call: str, tmp_path: Path, require: Callable[[str], Path]) -> None:
    path = samples.put(tmp_path, b"former", "mask.png")
    trace = ["-f", "-o", "/dev/null", f"--trace={CALLS[call]}", f"--inject={CALLS[call]}:signal=KILL"]
    command = [require("strace"), *trace, sys.executable, "-c", PLACE, str(path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode in {-signal.SIGKILL, 128 + signal.SIGKILL}
    assert path.read_bytes() == b"former"
    files.place(path, b"next")  # what a kill left behind does not hinder the next run
    assert path.read_bytes() == b"next"


@pytest.mark.verifies("SRS-OUT-001")
def test_png_of_grey_levels(tmp_path: Path) -> None:
    levels = samples.frame()
    image = io.read(samples.put(tmp_path, png(levels))).image
    assert (image.pixels[0, :, :, 0] == levels).all()


@pytest.mark.verifies("SRS-OUT-001", "SRS-INP-016")
def test_a_source_whose_series_cannot_be_read_is_a_typed_refusal(tmp_path: Path) -> None:
    data = samples.ultrasound()
    at = data.index(b"\x20\x00\x0e\x00UI")  # Series Instance UID, of whose bytes no number can be made
    reading = io.read(samples.put(tmp_path, data[: at + 4] + b"FD" + data[at + 6 :]))
    with pytest.raises(InputError) as caught:
        io.write_segmentation(
            tmp_path / "mask.dcm", reading, np.zeros((96, 128), np.uint8), samples.RECEIPT, samples.ALGORITHM
        )
    assert caught.value.code == "E-OUTPUT-SOURCE"
    assert not (tmp_path / "mask.dcm").exists()


@pytest.mark.verifies("SRS-OUT-027")
@pytest.mark.parametrize("change", [None, _placed, _bare], ids=["plain", "placed", "bare"])
@pytest.mark.parametrize("kind", [KeyError, TypeError, AttributeError, ValueError])
def test_a_defect_of_ours_is_not_laid_on_the_source(
    change: Callable[[Any], None] | None,
    kind: type[Exception],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(number: int) -> str:
        raise kind(number)

    monkeypatch.setattr(segmentation, "segment_label", broken)
    with pytest.raises(kind):
        segmented(tmp_path, reading(tmp_path, change), MASK)
    assert not (tmp_path / "mask.dcm").exists()

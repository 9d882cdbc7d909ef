# SPDX-License-Identifier: Apache-2.0
"""Ultrasound files as they come: each a change to the phantom's, by the name of what is odd about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from radiomicnet_md.io.identifiers import derive_uid
from tests.io import samples

ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "coronal": (1, 0, 0, 0, 0, -1),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "oblique": (0.8, 0.6, 0, -0.6, 0.8, 0),
}


def bare(dataset: Any) -> None:  # noqa: ANN401 - pydicom is untyped
    """What may be empty is not there at all."""
    for keyword in (
        *("AccessionNumber", "StudyID", "StudyDescription", "PatientBirthDate", "PatientSex", "StudyTime"),
        *("Manufacturer", "ManufacturerModelName", "SeriesNumber", "ReferringPhysicianName", "Laterality"),
    ):
        delattr(dataset, keyword)


def empty_laterality(dataset: Any) -> None:  # noqa: ANN401
    dataset.Laterality = ""


def image_laterality(dataset: Any) -> None:  # noqa: ANN401
    del dataset.Laterality
    dataset.ImageLaterality = "R"


def inverted(dataset: Any) -> None:  # noqa: ANN401
    dataset.PhotometricInterpretation = "MONOCHROME1"
    samples.with_samples(dataset, 255 - samples.frame(), "MONOCHROME1")


def lossy(dataset: Any) -> None:  # noqa: ANN401
    dataset.LossyImageCompression = "01"
    dataset.LossyImageCompressionRatio = "12.5"
    dataset.LossyImageCompressionMethod = "ISO_10918_1"


def unscaled(dataset: Any) -> None:  # noqa: ANN401
    """No size of a pixel."""
    del dataset.SequenceOfUltrasoundRegions


def small_and_odd(dataset: Any) -> None:  # noqa: ANN401
    samples.with_samples(dataset, np.ascontiguousarray(samples.frame()[:95, :127]), "MONOCHROME2")


def multi_frame(dataset: Any) -> None:  # noqa: ANN401
    """A multi-frame object of one frame."""
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.3.1"
    dataset.NumberOfFrames = 1
    dataset.FrameIncrementPointer = 0x00181063
    dataset.FrameTime = "40"


def half_placed(dataset: Any) -> None:  # noqa: ANN401
    """A frame of reference, but no position in it."""
    dataset.FrameOfReferenceUID = derive_uid("frame of reference")
    dataset.PixelSpacing = ["0.08", "0.08"]


def skewed(dataset: Any) -> None:  # noqa: ANN401
    """A position, and two axes that are not at right angles."""
    placed("axial")(dataset)
    dataset.ImageOrientationPatient = [1, 0, 0, 0.5, 1, 0]


def placed(orientation: str, thickness: str | None = "2.5") -> Callable[[Any], None]:
    """An image that says where it lies, its pixels not square."""

    def change(dataset: Any) -> None:  # noqa: ANN401
        del dataset.SequenceOfUltrasoundRegions
        dataset.FrameOfReferenceUID = derive_uid("frame of reference")
        dataset.PositionReferenceIndicator = ""
        dataset.ImagePositionPatient = ["-12.25", "30.5", "-101.75"]
        dataset.ImageOrientationPatient = list(ORIENTATIONS[orientation])
        dataset.PixelSpacing = ["0.31", "0.17"]
        if thickness:
            dataset.SliceThickness = thickness

    return change


SOURCES: dict[str, Callable[[Any], None] | None] = {
    "plain": None,
    "bare": bare,
    "empty laterality": empty_laterality,
    "image laterality": image_laterality,
    "MONOCHROME1": inverted,
    "lossy": lossy,
    "unscaled": unscaled,
    "odd size": small_and_odd,
    "multi-frame": multi_frame,
    "half placed": half_placed,
    "skewed": skewed,
    "no thickness": placed("axial", None),
    **{name: placed(name) for name in ORIENTATIONS},
}

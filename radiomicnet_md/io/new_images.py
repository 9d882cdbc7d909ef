# SPDX-License-Identifier: Apache-2.0
"""Two DICOM images that did not exist before: the phantom, and a picture that a segmentation must refer to.

Rules of this module:

- Nothing is claimed that is not known: a picture has no patient, the phantom has an invented one.
- Every UID is derived from the samples, so that the same input gives the same object.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset

from radiomicnet_md.io.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, derive_uid
from radiomicnet_md.io.silence import quiet

_PHANTOM_DATE, _PHANTOM_TIME = "20260101", "120000"


def ultrasound(levels: NDArray[np.uint8], spacing_mm: tuple[float, float], digest: str) -> Dataset:
    """Return the phantom as an Ultrasound Image (PS3.3, A.6) with one calibrated region (C.8.5.5)."""
    rows, columns = levels.shape
    image = _grey_image(levels, digest, uid.UltrasoundImageStorage)
    image.ImageType = ["ORIGINAL", "PRIMARY", "BREAST", "0001"]
    image.PatientName = "Phantom^Demonstration"
    image.PatientID = "PHANTOM-DEMONSTRATION"
    image.AccessionNumber = "DEMONSTRATION"
    image.StudyDate = image.SeriesDate = image.ContentDate = _PHANTOM_DATE
    image.StudyTime = image.SeriesTime = image.ContentTime = _PHANTOM_TIME
    image.StudyDescription = "Computed phantom, no patient"
    image.Manufacturer = "RadiomicNet-MD"
    image.ManufacturerModelName = "Speckle phantom"
    image.BodyPartExamined = "BREAST"
    image.Laterality = "L"
    image.StudyID = "1"
    image.BurnedInAnnotation = "NO"
    image.LossyImageCompression = "00"
    image.UltrasoundColorDataPresent = 0
    region = Dataset()
    region.RegionSpatialFormat = 1  # 2D
    region.RegionDataType = 1  # tissue
    region.RegionFlags = 0
    region.RegionLocationMinX0 = region.RegionLocationMinY0 = 0
    region.RegionLocationMaxX1 = columns - 1
    region.RegionLocationMaxY1 = rows - 1
    region.ReferencePixelX0 = region.ReferencePixelY0 = 0
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3  # centimetre
    region.PhysicalDeltaX = spacing_mm[1] / 10
    region.PhysicalDeltaY = spacing_mm[0] / 10
    image.SequenceOfUltrasoundRegions = [region]
    return image


def secondary_capture(levels: NDArray[np.uint8], spacing_mm: tuple[float, float] | None, digest: str) -> Dataset:
    """Return a picture that its user declared to be ultrasound as a Secondary Capture Image (PS3.3, A.8.1)."""
    image = _grey_image(levels, digest, uid.SecondaryCaptureImageStorage)
    image.ImageType = ["DERIVED", "SECONDARY"]
    image.PatientName = image.PatientID = image.AccessionNumber = ""
    image.StudyDate = image.StudyTime = ""
    image.Manufacturer = image.Laterality = ""
    image.ConversionType = "WSD"
    if spacing_mm is not None:
        image.PixelSpacing = [f"{step:.10g}" for step in spacing_mm]
    return image


def encode(dataset: Dataset) -> bytes:
    """Return the bytes of a DICOM file (PS3.10), explicit VR little endian."""
    buffer = BytesIO()
    with quiet():
        dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()


def file_meta(dataset: Dataset) -> FileMetaDataset:
    """Return the file meta information of a new object, with this project as its writer."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    meta.ImplementationClassUID = uid.UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    return meta


def _grey_image(levels: NDArray[np.uint8], digest: str, sop_class: Any) -> Dataset:  # noqa: ANN401 - pydicom is untyped
    """Return what every 8-bit grey single-frame image has: identifiers, empty patient, pixels."""
    image = Dataset()
    image.SOPClassUID = sop_class
    image.SOPInstanceUID = derive_uid(digest, "instance")
    image.StudyInstanceUID = derive_uid(digest, "study")
    image.SeriesInstanceUID = derive_uid(digest, "series")
    image.Modality = "US"
    image.PatientBirthDate = image.PatientSex = ""
    image.ReferringPhysicianName = image.StudyID = ""
    image.PatientOrientation = ""
    image.SeriesNumber = image.InstanceNumber = 1
    image.SamplesPerPixel = 1
    image.PhotometricInterpretation = "MONOCHROME2"
    image.Rows, image.Columns = levels.shape
    image.BitsAllocated = image.BitsStored = 8
    image.HighBit = 7
    image.PixelRepresentation = 0
    data = np.ascontiguousarray(levels).tobytes()
    image.PixelData = data + b"\0" * (len(data) % 2)
    image["PixelData"].VR = "OB"
    image.file_meta = file_meta(image)
    return image

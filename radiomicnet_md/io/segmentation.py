# SPDX-License-Identifier: Apache-2.0
"""A mask as a DICOM Segmentation that refers to its source and names the record that allows it.

Rules of this module:

- Patient and study are copied from the source data set, from nowhere else.
- UIDs follow from record and source, dates from the record: writing twice gives the same bytes.
- "No lesion found" is a segmentation too: one frame without a pixel set, kept on purpose.
- The object says which record it belongs to: content label, description and series description.

highdicom builds the object. Set afterwards are PatientOrientation, which it leaves out for a flat
ultrasound frame (``dciodvfy`` finds that), and what it takes from the clock or draws at random.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md.image import Identity
from radiomicnet_md.io.files import write_bytes
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.levels import grey
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

_MANUFACTURER = "RadiomicNet-MD"
_SERIES_NUMBER = 9001
_LEFT_OUT = ("FrameOfReferenceUID", "PixelSpacing", "PixelData")
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)


def write_secondary_capture(path: Path, reading: Reading, receipt: Receipt) -> Reading:
    """Write the picture as a DICOM Secondary Capture and return the reading that a segmentation can refer to.

    Raises:
        ConfigurationError: E-OUTPUT-….
        InputError: E-INPUT-NOT-GREY.
    """
    from radiomicnet_md.io import new_images

    image = reading.image
    digest = hashlib.sha256(f"capture {image.origin.file_sha256} {image.pixels_sha256}".encode()).hexdigest()
    dataset = new_images.secondary_capture(grey(image), image.spacing_mm, digest)
    write_bytes(path, new_images.encode(dataset), receipt)
    return Reading(image, Identity(), dataset)


def write_segmentation(
    path: Path, reading: Reading, mask: NDArray[np.uint8], receipt: Receipt, algorithm: tuple[str, str]
) -> None:
    """Write the mask (rows, columns; 0 or 1) as a binary DICOM Segmentation (PS3.3, A.51).

    ``algorithm`` is name and version.

    Raises:
        ConfigurationError: E-OUTPUT-…; E-OUTPUT-HIGHDICOM if the extra ``dicom`` is not installed.
        InputError: E-OUTPUT-SOURCE if the source lacks what a segmentation must copy or refer to.
    """
    try:
        import highdicom as hd
    except ImportError:
        raise ConfigurationError(
            "E-OUTPUT-HIGHDICOM",
            "DICOM segmentations need the package highdicom, which is not installed.",
            remedy="Install 'radiomicnet-md[dicom]', or ask for --format png.",
        ) from None
    from radiomicnet_md.io import new_images

    if reading.dataset is None:
        raise _no_source("The input is no DICOM file, and no Secondary Capture was made of it.")
    source = _referable(reading.dataset)
    with quiet():
        try:
            segmentation = _build(hd, source, mask, receipt, algorithm)
            _complete(segmentation, reading.dataset, receipt)
        except (AttributeError, TypeError, ValueError, KeyError, RuntimeError):
            raise _no_source("The DICOM source lacks what a segmentation must copy from it or refer to.") from None
        segmentation.file_meta = new_images.file_meta(segmentation)
        data = new_images.encode(segmentation)
    write_bytes(path, data, receipt)


def _referable(source: Any) -> Any:  # noqa: ANN401 - pydicom is untyped
    """Return the source without pixels and frame of reference, its elements shared, its gaps made empty.

    An ultrasound frame has no position in a patient: the segmentation lies on its source by being of
    the same size. What the standard lets be empty (type 2), a sloppy source leaves out. The class is
    that of a single frame until the object is built: highdicom expects of a multi-frame object what
    ultrasound, older than that, does not have.
    """
    from pydicom.dataset import Dataset
    from pydicom.tag import Tag
    from pydicom.uid import UltrasoundImageStorage

    left_out = {Tag(keyword) for keyword in _LEFT_OUT}
    copy = Dataset({tag: source.get_item(tag) for tag in source.keys() - left_out})
    implicit, little = source.original_encoding
    copy.set_original_encoding(implicit, little, source.original_character_set)
    copy.file_meta = source.file_meta
    for keyword in _MAY_BE_EMPTY:
        if keyword not in copy:
            setattr(copy, keyword, "")
    copy.SOPClassUID = UltrasoundImageStorage
    return copy


def _build(hd: Any, source: Any, mask: NDArray[np.uint8], receipt: Receipt, algorithm: tuple[str, str]) -> Any:  # noqa: ANN401
    from pydicom.sr.codedict import codes

    name, version = algorithm
    names = (receipt.record_id, str(source.SOPInstanceUID))
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Breast lesion",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=hd.AlgorithmIdentificationSequence(
            name=name, family=codes.DCM.ArtificialIntelligence, version=version, source=_MANUFACTURER
        ),
        tracking_uid=derive_uid(*names, "lesion"),
        tracking_id=receipt.record_id,
        anatomic_regions=[codes.SCT.Breast],
    )
    return hd.seg.Segmentation(
        source_images=[source],
        pixel_array=np.ascontiguousarray(mask[None], dtype=np.uint8),
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[description],
        series_instance_uid=derive_uid(*names, "series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=derive_uid(*names, "segmentation"),
        instance_number=1,
        manufacturer=_MANUFACTURER,
        manufacturer_model_name=name,
        software_versions=version,
        device_serial_number=receipt.keyid[:16],
        content_label="LESION",
        content_description=f"Record {receipt.record_id}, log index {receipt.index}",
        omit_empty_frames=False,
        series_description="RadiomicNet-MD segmentation, not a cleared device",
    )


def _complete(segmentation: Any, source: Any, receipt: Receipt) -> None:  # noqa: ANN401
    """Set what highdicom leaves out or draws at random.

    Dates and times are the record's, in UTC, since a machine's zone must not change the bytes. The
    object states no zone: that would also move the times copied from the source (PS3.3, C.12.1.1.8).
    """
    segmentation.PatientOrientation = ""
    segmentation.walk(lambda _, element: _refer_to(element, str(source.SOPClassUID)))
    moment = datetime.fromisoformat(receipt.time_utc).astimezone(UTC)
    for kind in ("InstanceCreation", "Content", "Series"):
        setattr(segmentation, f"{kind}Date", moment.strftime("%Y%m%d"))
        setattr(segmentation, f"{kind}Time", moment.strftime("%H%M%S"))
    for equipment in segmentation.get("ContributingEquipmentSequence", []):
        if "ContributionDateTime" in equipment:
            equipment.ContributionDateTime = moment.strftime("%Y%m%d%H%M%S+0000")
    dimensions = derive_uid(receipt.record_id, str(source.SOPInstanceUID), "dimensions")
    for item in (*segmentation.DimensionOrganizationSequence, *segmentation.DimensionIndexSequence):
        item.DimensionOrganizationUID = dimensions


def _refer_to(element: Any, sop_class: str) -> None:  # noqa: ANN401
    """Name the source's own class wherever the object refers to it; it refers to nothing else."""
    if element.keyword == "ReferencedSOPClassUID":
        element.value = sop_class


def _no_source(what: str) -> InputError:
    return InputError("E-OUTPUT-SOURCE", what, remedy="Ask for --format png; the record and its mask stay valid.")

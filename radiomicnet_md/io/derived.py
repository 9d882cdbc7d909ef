# SPDX-License-Identifier: Apache-2.0
"""What every DICOM object of a decision shares: its source, its names, its record, and bytes that do not vary.

Rules of this module:

- Patient and study are copied from the source data set, from nowhere else.
- UIDs follow from record and source, dates from the record: writing twice gives the same bytes.
- Each object names, as contributing equipment (PS3.3, C.12.1), what acquired its source and what decided: release,
  record, index in the log and digest of the envelope.
- Where no object can be made, the source is blamed only if a sound one gives one; a defect of ours stays a defect.
- A source that states its place in the patient gives that place on; where none is stated, a frame of reference is
  invented for objects that must have one, and is named as invented.

highdicom builds the objects. Set afterwards is what it leaves out and ``dciodvfy`` finds, and what it takes from
the clock or draws at random.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from radiomicnet_md.errors import ConfigurationError, InputError
from radiomicnet_md.io.coded import SCHEME
from radiomicnet_md.io.elements import floats
from radiomicnet_md.io.files import write_bytes
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import Reading

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

MANUFACTURER = "RadiomicNet-MD"
NO_PLACE = "No position in the patient is known: this frame of reference is invented."
_SERIES = {  # number and description of each object's series
    "segmentation": (9001, "segmentation"),
    "measurements": (9002, "measurements"),
    "picture": (9003, "picture with outline"),
    "contributions": (9004, "contributions"),
    "probability": (9005, "evidence, uncalibrated"),
    "contours": (9006, "contours"),
}
_MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
_PLACE = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
_OF_IMAGES = ("SourceImageSequence", "ContourImageSequence")  # their items may name a frame (PS3.3, 10.3)
_SIDES = ("L", "R")  # PS3.3, C.7.3.1.1.1; an image's may also be unpaired or both
_SQUARE = 1e-3  # how far the products of an orientation's vectors may be from 0 and 1
_DESCRIPTION = 64  # characters of an LO (PS3.5, 6.2)

Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pixels of an image lie (PS3.3, C.7.6.2), in mm."""

    frame_of_reference: str
    first: Vector  # centre of the first pixel
    along_row: Vector  # unit vector, towards growing columns
    along_column: Vector
    spacing_mm: tuple[float, float] | None  # between rows, between columns
    stated: bool  # by the source; else invented

    def at(self, row: float, column: float) -> list[float]:
        """The point at fractions of a pixel from the centre of the first one.

        Without a spacing there is one point only, the first.
        """
        down, across = self.spacing_mm or (0.0, 0.0)
        parts = zip(self.first, self.along_column, self.along_row, strict=True)
        return [start + row * down * v + column * across * u for start, v, u in parts]


@dataclass(frozen=True, slots=True)
class Parents:
    """What one object is made from: the source that it refers to, and the record that allows it."""

    source: Any  # pydicom.Dataset, see :func:`_referable`
    spacing_mm: tuple[float, float] | None
    receipt: Receipt
    algorithm: str
    version: str
    frame: int | None  # of a source of several

    def uid(self, kind: str) -> str:
        """The identifier of something that this record and this source give one of."""
        return derive_uid(self.receipt.record_id, str(self.source.SOPInstanceUID), kind)

    def place(self) -> Place:
        """The source's place; or an invented one: the picture's own plane, its first pixel at 0, 0, 0."""
        if "FrameOfReferenceUID" not in self.source:
            invented = derive_uid(str(self.source.SOPInstanceUID), "frame of reference")
            return Place(invented, (0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), self.spacing_mm, stated=False)
        first, turn, steps = (floats(self.source, keyword) for keyword in _PLACE[1:])
        return Place(
            str(self.source.FrameOfReferenceUID),
            (first[0], first[1], first[2]),
            (turn[0], turn[1], turn[2]),
            (turn[3], turn[4], turn[5]),
            (steps[0], steps[1]),
            stated=True,
        )

    def common(self, kind: str) -> dict[str, Any]:
        """What each constructor of highdicom is told of series, instance and maker."""
        number, description = _SERIES[kind]
        return {
            "series_instance_uid": self.uid(f"{kind} series"),
            "series_number": number,
            "sop_instance_uid": self.uid(kind),
            "instance_number": 1,
            "manufacturer": MANUFACTURER,
            "manufacturer_model_name": self.algorithm,
            "software_versions": self.version,
            "device_serial_number": self.receipt.keyid[:16],
            "specific_character_set": None,  # the source's, see _complete: highdicom refuses an empty first value
            "series_description": f"RadiomicNet-MD {description}, not a cleared device"[:_DESCRIPTION],
        }

    def variant(self, **values: Any) -> Any:  # noqa: ANN401
        """The source with some elements of its own, for what highdicom asks of a source."""
        return _varied(self.source, **values)

    def placed(self, hd: Any, place: Place) -> dict[str, Any]:  # noqa: ANN401 - highdicom is untyped
        """What a constructor of highdicom is told of a source at a place: itself, spacing, orientation and position.

        highdicom asks every source with a place for its thickness; a picture may have none, and then none is written.
        """
        thickness = floats(self.source, "SliceThickness") or (None,)
        spacing = place.spacing_mm or (1.0, 1.0)
        turn = (*place.along_row, *place.along_column)
        told = {
            "FrameOfReferenceUID": place.frame_of_reference,
            "ImagePositionPatient": list(place.first),
            "ImageOrientationPatient": list(turn),
            "PixelSpacing": list(spacing),
            "SliceThickness": thickness[0] or 1,
        }
        return {
            "source_images": [self.variant(**told)],
            "pixel_measures": hd.PixelMeasuresSequence(spacing, slice_thickness=thickness[0]),
            "plane_orientation": hd.PlaneOrientationSequence("PATIENT", turn),
            "plane_positions": [hd.PlanePositionSequence("PATIENT", place.first)],
        }

    def bare(self, hd: Any, kind: str, sop_class: str, modality: str) -> Any:  # noqa: ANN401
        """An object of a class that highdicom does not build, with patient, study, series and equipment."""
        source = self.source
        made = hd.base.SOPClass(
            study_instance_uid=str(source.StudyInstanceUID),
            modality=modality,
            sop_class_uid=sop_class,
            transfer_syntax_uid="1.2.840.10008.1.2.1",
            **self.common(kind),
        )
        made.copy_patient_and_study_information(source)
        return made

    def identification(self, hd: Any) -> Any:  # noqa: ANN401
        """The algorithm as PS3.3, 10.16 describes one."""
        from pydicom.sr.codedict import codes

        return hd.AlgorithmIdentificationSequence(
            name=self.algorithm, family=codes.DCM.ArtificialIntelligence, version=self.version, source=MANUFACTURER
        )

    def record(self) -> str:
        """Which record the object belongs to, for a description."""
        return f"Record {self.receipt.record_id}, log index {self.receipt.index}"


def write_object(
    path: Path, reading: Reading, receipt: Receipt, algorithm: tuple[str, str], build: Callable[[Any, Parents], Any]
) -> None:
    """Write the DICOM object that ``build`` makes with highdicom; ``algorithm`` is name and version.

    Raises:
        ConfigurationError: E-OUTPUT-…; E-OUTPUT-HIGHDICOM if the extra ``dicom`` is not installed.
        InputError: E-OUTPUT-SOURCE if the source lacks what the object must copy or refer to.

    Whatever else ``build`` raises is raised as it is.
    """
    try:
        import highdicom as hd
    except ImportError:
        raise ConfigurationError(
            "E-OUTPUT-HIGHDICOM",
            "DICOM objects need the package highdicom, which is not installed.",
            remedy="Install 'radiomicnet-md[dicom]', or ask for --format png.",
        ) from None
    if reading.dataset is None:
        raise _no_source("The input is no DICOM file, and no Secondary Capture was made of it.")

    def made_of(source: Any) -> bytes:  # noqa: ANN401
        shown = reading.image.origin.frame
        frame = None if shown is None else shown.number
        parents = Parents(_referable(source), reading.image.spacing_mm, receipt, *algorithm, frame)
        return _encoded(hd, build(hd, parents), parents, source)

    with quiet():
        try:
            data = made_of(reading.dataset)
        except Exception:  # noqa: BLE001 - pydicom and highdicom answer a broken source with almost any exception
            made_of(_sound(reading))  # what fails with this one too is no fault of the source, and is raised as it is
            raise _no_source("The DICOM source lacks what an object must copy from it or refer to.") from None
    write_bytes(path, data, receipt)


def _sound(reading: Reading) -> Any:  # noqa: ANN401
    """A source without a fault, of the size of an image, and in a place where that names one."""
    from radiomicnet_md.io import new_images

    image = reading.image
    made = new_images.secondary_capture(np.zeros(image.pixels.shape[1:3], np.uint8), image.spacing_mm, "sound")
    if "FrameOfReferenceUID" in (reading.dataset or ()):
        made.FrameOfReferenceUID = derive_uid("sound", "frame of reference")
        made.ImagePositionPatient, made.ImageOrientationPatient = [0, 0, 0], [1, 0, 0, 0, 1, 0]
        made.PixelSpacing = list(image.spacing_mm or (1, 1))
    return made


def _encoded(hd: Any, made: Any, parents: Parents, source: Any) -> bytes:  # noqa: ANN401
    """The whole file of an object that was built."""
    from radiomicnet_md.io import new_images

    _complete(hd, made, parents, source)
    made.file_meta = new_images.file_meta(made)
    return new_images.encode(made)


def _referable(source: Any) -> Any:  # noqa: ANN401 - pydicom is untyped
    """Return the source without pixels, its elements shared, its gaps made empty.

    Where it does not state its whole place in the patient, no part of that place is kept: the object lies on its
    source by being of the same size. What the standard lets be empty (type 2), a sloppy source leaves out. The class
    and the number of frames are those of a single frame until the object is built: highdicom expects of a multi-frame
    object what ultrasound, older than that, does not have.
    """
    from pydicom.uid import UltrasoundImageStorage

    left_out = dict.fromkeys(("PixelData", "NumberOfFrames", *(() if _placed(source) else _PLACE)))
    empty = {keyword: "" for keyword in _MAY_BE_EMPTY if keyword not in source}
    return _varied(source, **left_out, **empty, SOPClassUID=UltrasoundImageStorage)


def _varied(source: Any, **values: Any) -> Any:  # noqa: ANN401
    """A data set that shares the source's elements, but for some: other values, or None for none.

    An element that both hold is never set: that would change it in both.
    """
    from pydicom.dataset import Dataset
    from pydicom.tag import Tag

    kept = source.keys() - {Tag(keyword) for keyword in values}
    other = Dataset({tag: source.get_item(tag) for tag in kept})
    implicit, little = source.original_encoding
    other.set_original_encoding(implicit, little, source.original_character_set)
    other.file_meta = source.file_meta
    for keyword, value in values.items():
        if value is not None:
            setattr(other, keyword, value)
    return other


def _placed(source: Any) -> bool:  # noqa: ANN401
    """Whether an image says where it lies: frame, position, spacing, and two axes at right angles."""
    first, turn, steps = (floats(source, keyword) for keyword in _PLACE[1:])
    if not source.get("FrameOfReferenceUID") or (len(first), len(turn), len(steps)) != (3, 6, 2) or min(steps) <= 0:
        return False
    axes = np.reshape(turn, (2, 3))
    return bool(np.isfinite([*first, *steps]).all() and np.allclose(axes @ axes.T, np.eye(2), rtol=0, atol=_SQUARE))


def _complete(hd: Any, made: Any, parents: Parents, source: Any) -> None:  # noqa: ANN401
    """Set what highdicom leaves out, takes from the clock or draws at random.

    Dates and times are the record's, in UTC, since a machine's zone must not change the bytes. The
    object states no zone: that would also move the times copied from the source (PS3.3, C.12.1.1.8).
    """
    moment = datetime.fromisoformat(parents.receipt.time_utc).astimezone(UTC)
    kinds = ("InstanceCreation", "Content", "Series", "StructureSet")
    for kind in kinds:
        if kind == "Series" or f"{kind}Date" in made:
            setattr(made, f"{kind}Date", moment.strftime("%Y%m%d"))
            setattr(made, f"{kind}Time", moment.strftime("%H%M%S"))
    if "SpecificCharacterSet" in source:
        made.SpecificCharacterSet = source.SpecificCharacterSet
    made.ContributingEquipmentSequence = _equipment(hd, parents, moment)
    if "Rows" in made:
        made.PatientOrientation = ""
        if "SegmentSequence" not in made:  # a segment has a region of its own
            side = source.get("Laterality") or source.get("ImageLaterality")
            made.Laterality = side if side in _SIDES else ""
    dimensions = parents.uid("dimensions")
    for item in (*made.get("DimensionOrganizationSequence", ()), *made.get("DimensionIndexSequence", ())):
        item.DimensionOrganizationUID = dimensions
    _name_source(made, source, parents.frame)


def _equipment(hd: Any, parents: Parents, moment: datetime) -> list[Any]:  # noqa: ANN401
    """What acquired the source, where it says so, and what decided (PS3.3, C.12.1, and PS3.16, CID 7005)."""
    from pydicom.sr.codedict import codes

    receipt, source = parents.receipt, parents.source
    found = []
    if source.get("Manufacturer"):
        found.append(
            hd.ContributingEquipment(
                str(source.Manufacturer),
                codes.DCM.AcquisitionEquipment,
                manufacturer_model_name=str(source.get("ManufacturerModelName") or "") or None,
            )
        )
    decided = hd.ContributingEquipment(
        MANUFACTURER,
        codes.DCM.ProcessingEquipment,
        manufacturer_model_name=parents.algorithm,
        software_versions=parents.version,
        device_serial_number=receipt.keyid[:16],
        contribution_datetime=moment.strftime("%Y%m%d%H%M%S+0000"),
        contribution_description=(
            f"{parents.record()}, SHA-256 of the envelope {receipt.envelope_sha256}, key {receipt.keyid}"
        ),
    )
    return [*found, decided]


def _name_source(made: Any, source: Any, frame: int | None) -> None:  # noqa: ANN401
    """Name the source's own class, and the frame that it is of, wherever the object refers to the source."""
    for element in made:
        if element.VR != "SQ":
            continue
        image = element.keyword in _OF_IMAGES or (element.keyword == "ReferencedSOPSequence" and "ValueType" in made)
        for item in element.value:
            if item.get("ReferencedSOPInstanceUID") == source.SOPInstanceUID:
                item.ReferencedSOPClassUID = source.SOPClassUID
                if image and frame is not None:
                    item.ReferencedFrameNumber = frame
            _name_source(item, source, frame)


def segment_label(number: int) -> str:
    """What a segment is called, from 1; report and segmentation name and track a region by it."""
    return "Breast lesion" if number == 1 else f"Breast lesion, region {number - 1}"


def coding_scheme(hd: Any) -> Any:  # noqa: ANN401
    """Whose codes :data:`SCHEME` are (PS3.3, C.12.1.1.7)."""
    return hd.coding_schemes.CodingSchemeIdentificationItem(
        designator=SCHEME,
        name="RadiomicNet-MD: values and terms of a decision",
        uid=derive_uid("coding scheme"),
        responsible_organization=MANUFACTURER,
    )


def _no_source(what: str) -> InputError:
    return InputError("E-OUTPUT-SOURCE", what, remedy="Ask for --format png; the record and its mask stay valid.")

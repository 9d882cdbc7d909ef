# SPDX-License-Identifier: Apache-2.0
"""An ultrasound image without its patient: what is not known to be harmless is left out.

Rules of this module:

- An allow-list: what describes pixels, their size and their timing is kept, and of that only what has the standard's
  representation. No attribute of it is in table E.1-1 of PS3.15, so that every action of the Basic Application Level
  Confidentiality Profile is done, removals beyond the table included. No option of the profile is used.
- Private attributes, overlays, curves, references, device and institution, dates and times go.
- Identifiers (PatientID, PatientName, UIDs) become pseudonyms under a key: the same for the same value and key, so
  that a study stays one; without the key nobody can tell or test whose they are.
- Pixels are not looked at. A file that does not say that nothing is burned into them says so here too.
- The samples of what is written are those of what was read, or nothing is written.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.dataset import Dataset

from radiomicnet_md.image import array_sha256
from radiomicnet_md.io import dicom, new_images
from radiomicnet_md.io.dicom_pixels import decode
from radiomicnet_md.io.identifiers import derive_uid
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import UnreadableError, broken, sniff

CLASSES = (uid.UltrasoundImageStorage, uid.UltrasoundMultiFrameImageStorage, uid.SecondaryCaptureImageStorage)
KEPT = (
    *("ImageType", "SOPClassUID", "Modality", "ConversionType", "SeriesNumber", "InstanceNumber"),
    *("Laterality", "ImageLaterality", "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration"),
    *("NumberOfFrames", "FrameIncrementPointer", "Rows", "Columns", "PixelSpacing", "PixelAspectRatio"),
    *("UltrasoundColorDataPresent", "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
    *("BurnedInAnnotation", "LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod"),
    *("RecommendedDisplayFrameRate", "CineRate", "FrameTime", "FrameTimeVector", "PresentationLUTShape"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth"),
    *(
        f"{colour}PaletteColorLookupTable{part}"
        for colour in ("Red", "Green", "Blue")
        for part in ("Descriptor", "Data")
    ),
    *("ExtendedOffsetTable", "ExtendedOffsetTableLengths", "PixelData"),
)
OF_A_REGION = (
    *("RegionSpatialFormat", "RegionDataType", "RegionFlags", "RegionLocationMinX0", "RegionLocationMinY0"),
    *("RegionLocationMaxX1", "RegionLocationMaxY1", "ReferencePixelX0", "ReferencePixelY0", "PhysicalUnitsXDirection"),
    *("PhysicalUnitsYDirection", "ReferencePixelPhysicalValueX", "ReferencePixelPhysicalValueY", "PhysicalDeltaX"),
    *("PhysicalDeltaY", "TransducerFrequency"),
)
EMPTIED = (  # an image has to have them (type 2), and may have them empty
    *("PatientBirthDate", "PatientSex", "StudyDate", "StudyTime", "AccessionNumber", "StudyID"),
    *("ReferringPhysicianName", "Manufacturer", "PatientOrientation"),
)
REPLACED = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
_IMAGE_TYPES = 2  # the values that the standard defines; what follows is anybody's
_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")  # PS3.16, CID 7050


@dataclass(frozen=True, slots=True)
class Deidentified:
    """A file without its patient."""

    data: bytes
    instance: str  # its SOP instance UID
    burned_in: bool | None  # what the source says of text in the picture; None where it says nothing


def deidentified(data: bytes, key: bytes) -> Deidentified:
    """The DICOM file ``data`` without its patient, with pseudonyms under ``key``.

    Raises:
        UnreadableError: E-DEIDENTIFY-CLASS for what is no ultrasound image in DICOM, E-DEIDENTIFY-PIXELS where the
            samples would not be the same; and as :func:`radiomicnet_md.io.dicom.parse`.
    """
    if sniff(data) != "dicom":
        raise _not_ultrasound()
    with quiet():
        try:
            source = _ultrasound(data)
            made = _made(source, key)
            written = new_images.encode(made)
            again, _ = dicom.opened(written)
            samples = [array_sha256(decode(one, raw)[0]) for one, raw in ((source, data), (again, written))]
        except UnreadableError:
            raise
        except Exception:  # noqa: BLE001 - pydicom answers broken bytes with almost any exception
            raise broken("The DICOM data set contradicts its format.") from None
    if samples[0] != samples[1]:
        raise UnreadableError(
            "E-DEIDENTIFY-PIXELS",
            "The samples could not be carried over unchanged; nothing was written.",
            remedy="Export the image again as explicit VR little endian.",
        )
    burned_in = {"YES": True, "NO": False}.get(str(made.get("BurnedInAnnotation", "")))
    return Deidentified(written, str(made.SOPInstanceUID), burned_in)


def pseudonym(key: bytes, keyword: str, value: str) -> str:
    """Sixteen letters and digits for a value; the same for the same key, keyword and value."""
    digest = hmac.new(key, f"{keyword}\0{value}".encode(), hashlib.sha256).digest()
    return base64.b32encode(digest[:10]).decode()


def _ultrasound(data: bytes) -> Dataset:
    """The data set of an ultrasound image."""
    source, _ = dicom.opened(data)
    if source.get("SOPClassUID") not in CLASSES:
        raise _not_ultrasound()
    return source


def _made(source: Dataset, key: bytes) -> Dataset:
    made = _kept(source, KEPT)
    if "ImageType" in made:
        made.ImageType = list(made.ImageType)[:_IMAGE_TYPES]
    regions = source.get("SequenceOfUltrasoundRegions")
    if regions:
        made.SequenceOfUltrasoundRegions = [_kept(region, OF_A_REGION) for region in regions]
    for keyword in EMPTIED:
        setattr(made, keyword, "")
    named = str(source.get("PatientID") or source.get("PatientName") or source.StudyInstanceUID)
    made.PatientID = made.PatientName = pseudonym(key, "PatientID", named)
    for keyword in REPLACED:
        setattr(made, keyword, derive_uid("deidentified", pseudonym(key, "UID", str(source[keyword].value))))
    made.PatientIdentityRemoved = "YES"
    made.DeidentificationMethod = "PS3.15 E.1 Basic Profile, no options; RadiomicNet-MD"
    made.LongitudinalTemporalInformationModified = "REMOVED"
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = _PROFILE
    made.DeidentificationMethodCodeSequence = [code]
    made.file_meta = new_images.file_meta(made)
    syntax = source.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated:
        made.file_meta.TransferSyntaxUID = syntax
        made["PixelData"].is_undefined_length = True
    return made


def _kept(source: Dataset, keywords: tuple[str, ...]) -> Dataset:
    """The elements of some keywords that have the representation that the standard gives them."""
    made = Dataset()
    for keyword in keywords:
        if keyword in source and source[keyword].VR in dictionary_VR(keyword).split(" or "):
            element: Any = source[keyword]
            made.add_new(element.tag, element.VR, element.value)
    return made


def _not_ultrasound() -> UnreadableError:
    return UnreadableError(
        "E-DEIDENTIFY-CLASS",
        "Only ultrasound images and secondary captures in DICOM are de-identified.",
        remedy="Leave this file out; a report or another object may hold its patient anywhere.",
    )

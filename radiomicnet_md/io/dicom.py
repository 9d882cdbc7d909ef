# SPDX-License-Identifier: Apache-2.0
"""A DICOM file becomes samples, geometry, origin and, apart from them, identities.

Rules of this module:

- The size of an image is bounded by its header before its samples are decoded, and the frame of a
  compressed stream must have the size the header claims, before a decoder sees it.
- Decoders are asked in a fixed order; a damaged stream cannot harm the process; the origin names the decoder.
- Samples stay as stored: no rescale, no window, no colour conversion, no shift.
- Millimetres come from ultrasound regions or Pixel Spacing, where they are positive, finite and do
  not contradict each other; else there are none.
- pydicom's exceptions and warnings end here.

``body_sha256`` is over the file's bytes behind group 0002, as stored (a deflated data set: its deflated
bytes). A file without file meta group is all body.
"""

from __future__ import annotations

import hashlib
import math
import re
import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileMetaDataset

from radiomicnet_md.image import Frame, Identity, Image, Origin
from radiomicnet_md.io.dicom_pixels import decode
from radiomicnet_md.io.elements import parsed
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import MAX_FILE_BYTES, Reading, UnreadableError, broken, too_large, truncated

Spacing = tuple[float, float] | None  # between rows, between columns, in mm

IDENTITY_KEYWORDS = (
    "PatientID",
    "IssuerOfPatientID",
    "OtherPatientIDs",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "AccessionNumber",
    "StudyID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "FrameOfReferenceUID",
    "StudyDate",
    "StudyTime",
    "SeriesDate",
    "SeriesTime",
    "AcquisitionDateTime",
    "ContentDate",
    "ContentTime",
    "ReferringPhysicianName",
    "PerformingPhysicianName",
    "OperatorsName",
    "InstitutionName",
    "InstitutionAddress",
    "StationName",
    "DeviceSerialNumber",
)
_EXPLICIT_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_CODE_STRING = re.compile(r"[A-Z0-9_ ]{1,16}")  # PS3.5, 6.2, CS
_UID = re.compile(r"[0-9.]{1,64}")
_UNDEFINED = 0xFFFFFFFF
_ELEMENT_HEAD = 8
_PIXEL_DATA_TAGS = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_PIXEL_KEYWORDS = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")
_CENTIMETRE = 3  # Physical Units X/Y Direction, PS3.3 C.8.5.5.1.15
_TISSUE_FORMAT = 1  # Region Spatial Format 2D, PS3.3 C.8.5.5.1.1
_AGREEMENT = 0.01  # two statements of the spacing within this share of each other say the same


def parse(data: bytes, file_sha256: str) -> Reading:
    """Decode a DICOM file, with or without preamble.

    Raises:
        UnreadableError: E-INPUT-NOT-AN-IMAGE, -NO-PIXELS, -NO-DECODER, -TRUNCATED, -BROKEN, -TOO-LARGE,
            -NO-SAMPLES, -TRANSFER-SYNTAX.
    """
    with quiet():
        try:
            return _parse(data, file_sha256)
        except UnreadableError:
            raise
        except Exception:  # noqa: BLE001 - pydicom answers broken bytes with almost any exception
            raise broken("The DICOM data set contradicts its format.") from None


def _parse(data: bytes, file_sha256: str) -> Reading:
    dataset, start = opened(data)
    pixels, decoder = decode(dataset, data)
    return described(dataset, pixels, Body(file_sha256, body_sha256(data, start), decoder))


def opened(data: bytes) -> tuple[Dataset, int]:
    """The data set of a file with pixel data and a transfer syntax, and where it starts (behind group 0002).

    For callers inside :func:`~radiomicnet_md.io.silence.quiet`, who expect almost any exception of pydicom.
    """
    start, syntax = _file_meta(data)
    deflated = syntax == uid.DeflatedExplicitVRLittleEndian
    if deflated:
        _check_inflation(data[start:])
    dataset = parsed(BytesIO(data), force=True)
    if data[128:132] != b"DICM":
        _complete_meta(dataset)
    _demand_pixels(dataset, data, deflated=deflated)
    return dataset, start


def bounded(data: bytes) -> bytes:
    """The bytes themselves, once it is known that a deflated data set inflates within the bound of a file."""
    start, syntax = _file_meta(data)
    if syntax == uid.DeflatedExplicitVRLittleEndian:
        _check_inflation(data[start:])
    return data


def is_plain(head: bytes) -> bool:
    """Whether the first bytes of a file tell that its data set is not deflated: parsing them needs no bound."""
    start, syntax = _file_meta(head)
    return start < len(head) and syntax != uid.DeflatedExplicitVRLittleEndian


def body_sha256(data: bytes, start: int | None = None) -> str:
    """Digest of the file's bytes behind group 0002."""
    return hashlib.sha256(memoryview(data)[_file_meta(data)[0] if start is None else start :]).hexdigest()


@dataclass(frozen=True, slots=True)
class Body:
    """What is known of a file beside its data set."""

    file_sha256: str
    body_sha256: str
    decoder: str
    frame: Frame | None = None


def described(dataset: Dataset, pixels: NDArray[Any], body: Body) -> Reading:
    """The reading of samples (frames, rows, columns, samples) that were decoded from a data set."""
    syntax = str(dataset.file_meta.TransferSyntaxUID)  # a known one: it was decoded
    origin = Origin(
        format="dicom",
        file_sha256=body.file_sha256,
        body_sha256=body.body_sha256,
        sop_class_uid=_code(dataset, "SOPClassUID", _UID),
        modality=_code(dataset, "Modality", _CODE_STRING),
        transfer_syntax_uid=syntax,
        photometric=_code(dataset, "PhotometricInterpretation", _CODE_STRING),
        bits_allocated=int(dataset.BitsAllocated),
        bits_stored=int(dataset.get("BitsStored", dataset.BitsAllocated)),
        decoder=body.decoder,
        lossy=_lossy(dataset, syntax),
        burned_in={"YES": True, "NO": False}.get(_text(dataset, "BurnedInAnnotation") or ""),
        frame=body.frame,
    )
    return Reading(Image(pixels, origin, _spacing(dataset)), identity(dataset), dataset)


def identity(dataset: Dataset) -> Identity:
    """What a data set says of a person."""
    return Identity({keyword: text for keyword in IDENTITY_KEYWORDS if (text := _text(dataset, keyword))})


def _file_meta(data: bytes) -> tuple[int, str | None]:
    """Return where the data set starts (behind group 0002) and the transfer syntax the file states."""
    at = 132 if data[128:132] == b"DICM" else 0
    syntax = None
    while data[at : at + 2] == b"\x02\x00":
        element, representation = data[at + 2 : at + 4], data[at + 4 : at + 6]
        if not representation.isalpha():  # some writers code the group with implicit VR, against PS3.10, 7.1
            head, length = 8, int.from_bytes(data[at + 4 : at + 8], "little")
        elif representation in _EXPLICIT_LONG:
            head, length = 12, int.from_bytes(data[at + 8 : at + 12], "little")
        else:
            head, length = 8, int.from_bytes(data[at + 6 : at + 8], "little")
        if element == b"\x10\x00":
            syntax = data[at + head : at + head + length].rstrip(b"\0 ").decode("ascii", "replace")
        at += head + length
    return min(at, len(data)), syntax


def _check_inflation(deflated: bytes) -> None:
    """Refuse a deflated data set (PS3.5, A.5) that inflates beyond the bound of a file."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = 0
    while deflated and not inflater.eof:
        size += len(inflater.decompress(deflated, 2**20))
        deflated = inflater.unconsumed_tail
        if size > MAX_FILE_BYTES:
            raise too_large(f"The deflated data set is larger than {MAX_FILE_BYTES} bytes.")
    if not inflater.eof:
        raise truncated("The deflated data set ends too early.")


def _complete_meta(dataset: Dataset) -> None:
    """Give a data set without preamble the file meta that its own bytes prove, or refuse it."""
    if not (_text(dataset, "SOPClassUID") or "").startswith("1.2.840.10008."):
        raise UnreadableError(
            "E-INPUT-NOT-AN-IMAGE",
            "The file has no DICOM preamble and no DICOM object class.",
            remedy="Give an ultrasound image as DICOM (with preamble), PNG, JPEG, TIFF, NIfTI, NRRD or MHA.",
        )
    if not hasattr(dataset, "file_meta"):
        dataset.file_meta = FileMetaDataset()


def _demand_pixels(dataset: Dataset, data: bytes, *, deflated: bool) -> None:
    """Demand pixel data, and a transfer syntax to read them by."""
    if not any(keyword in dataset for keyword in _PIXEL_KEYWORDS):
        if not deflated and _ends_early(dataset, data):
            raise truncated("The DICOM file ends before its pixel data.")
        raise UnreadableError(
            "E-INPUT-NO-PIXELS",
            "The DICOM file has no pixel data; it is no image.",
            remedy="Give the ultrasound image itself, not a report, plan, index or measurement.",
        )
    if "TransferSyntaxUID" in dataset.file_meta:
        return
    implicit, little = dataset.original_encoding
    if "PixelData" in dataset and dataset["PixelData"].is_undefined_length:
        raise UnreadableError(
            "E-INPUT-TRANSFER-SYNTAX",
            "The pixel data are compressed and the file does not say how.",
            remedy="Export the image again as a DICOM file with file meta information.",
        )
    names = {(True, True): uid.ImplicitVRLittleEndian, (False, True): uid.ExplicitVRLittleEndian}
    dataset.file_meta.TransferSyntaxUID = names.get((bool(implicit), bool(little)), uid.ExplicitVRBigEndian)


def _ends_early(dataset: Dataset, data: bytes) -> bool:
    """Whether the file ends within an element, or within pixel data that pydicom gave up on."""
    ends = [(int(item.value_tell), int(item.length)) for item in dataset.values() if isinstance(item, RawDataElement)]
    if not ends:
        return True
    start, length = max(ends)
    if length == _UNDEFINED:
        return False
    left = data[start + length :]
    return start + length > len(data) or 0 < len(left) < _ELEMENT_HEAD or left[:4] in _PIXEL_DATA_TAGS


def _text(dataset: Dataset, keyword: str) -> str | None:
    """Return an element's value as text, None where it is absent, empty or not decodable."""
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - one undecodable name must not hide the image
        return None
    text = "" if value is None else str(value) if not isinstance(value, list) else "\\".join(map(str, value))
    return text.strip("\0 ") or None


def _code(dataset: Dataset, keyword: str, form: re.Pattern[str]) -> str | None:
    """Return a coded value; free text in its place could be a name, and origins go into records."""
    text = _text(dataset, keyword)
    return text if text is None or form.fullmatch(text) else "not a code"


def _lossy(dataset: Dataset, syntax: str) -> bool | None:
    """Whether the samples went through lossy compression, ever (PS3.3, C.7.6.1.1.5); None if not said."""
    stated = _text(dataset, "LossyImageCompression")
    if stated == "01" or syntax in {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless}:
        return True
    return False if stated == "00" else None


def _spacing(dataset: Dataset) -> Spacing:
    """Return (between rows, between columns) in mm, or None where unknown or contradictory."""
    stated = _regions(dataset)
    pixel_spacing = dataset.get("PixelSpacing")
    if pixel_spacing is not None and pixel_spacing != "":
        stated.append(_steps(*pixel_spacing))
    known = [steps for steps in stated if steps is not None]
    if not known or len(known) < len(stated):
        return None
    first = known[0]
    for other in known[1:]:
        if any(abs(a - b) > _AGREEMENT * a for a, b in zip(first, other, strict=True)):
            return None
    return first


def _regions(dataset: Dataset) -> list[Spacing]:
    """Return the spacing of each 2-D tissue region that is measured in centimetres (PS3.3, C.8.5.5)."""
    return [
        _steps(abs(region.get("PhysicalDeltaY") or 0) * 10, abs(region.get("PhysicalDeltaX") or 0) * 10)
        for region in dataset.get("SequenceOfUltrasoundRegions") or []
        if region.get("RegionSpatialFormat") == _TISSUE_FORMAT
        and region.get("PhysicalUnitsXDirection") == _CENTIMETRE
        and region.get("PhysicalUnitsYDirection") == _CENTIMETRE
    ]


def _steps(rows: object, columns: object) -> Spacing:
    pair = (float(str(rows)), float(str(columns)))
    return pair if all(math.isfinite(step) and step > 0 for step in pair) else None

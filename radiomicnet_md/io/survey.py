# SPDX-License-Identifier: Apache-2.0
"""What a DICOM file says of itself before it is read: whose it is, which object, how many frames, where in space.

Rules of this module:

- Only the header is looked at, and of a file only its header is read. One that cannot be read says nothing here; its
  file is refused when it is read.
- What identifies a person is compared and goes no further.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom import uid

from radiomicnet_md.image import Identity
from radiomicnet_md.io import dicom, series
from radiomicnet_md.io.cine import MAX_FRAMES
from radiomicnet_md.io.elements import parsed
from radiomicnet_md.io.inputs import Input
from radiomicnet_md.io.series import Slice
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import UnreadableError, load, sniff

_TAGS = (
    *("SOPClassUID", "SOPInstanceUID", "PatientID", "IssuerOfPatientID", "NumberOfFrames", "SeriesInstanceUID"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns", "SpecificCharacterSet"),
)
_VOLUMES = {uid.CTImageStorage, uid.MRImageStorage, uid.PositronEmissionTomographyImageStorage}
_COMPONENT = re.compile(r"[A-Za-z0-9_.-]{1,64}")  # PS3.10, 8.2 allows less; what leads elsewhere is excluded below
_MAX_DEPTH = 8
_HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Said:
    """What one header says."""

    instance: str
    person: tuple[str, str] | None
    frames: int | None  # of a loop that is decided frame by frame
    series: str
    slice: Slice | None


def look(item: Input) -> Said | None:
    """The header of an input, or None where it has none that can be read."""
    try:
        if item.member is None:
            return _looked(item.path)
        data = item.load()
        return _parsed(data) if sniff(data) == "dicom" else None
    except Exception:  # noqa: BLE001 - pydicom answers broken bytes with almost any exception; reading will say why
        return None


def _looked(path: Path) -> Said | None:
    """What the file says, read up to its pixel data; a data set that is deflated has to be read whole."""
    with path.open("rb") as file, quiet():
        head = file.read(_HEAD_BYTES)
        if sniff(head) != "dicom":
            return None
        if not dicom.is_plain(head):
            return _parsed(load(path))
        file.seek(0)
        return _said(file)


def _parsed(data: bytes) -> Said:
    with quiet():
        return _said(BytesIO(dicom.bounded(data)))


def content(item: Input) -> str | None:
    """Digest of what an object is, whatever its file meta group says; None where it cannot be read."""
    try:
        return dicom.body_sha256(item.load())
    except UnreadableError:
        return None


def identity(path: Path) -> Identity:
    """What the header of a file says of a person; nothing where it cannot be read."""
    tags = ["SpecificCharacterSet", *dicom.IDENTITY_KEYWORDS]
    try:
        with quiet():
            data = BytesIO(dicom.bounded(load(path)))
            return dicom.identity(parsed(data, force=True, stop_before_pixels=True, specific_tags=tags))
    except Exception:  # noqa: BLE001 - the same
        return Identity()


def slices(said: Sequence[Said | None]) -> list[UnreadableError | None]:
    """For each header, in what it does not fit to the other slices of its series; None where it does."""
    together: dict[str, list[int]] = {}
    for at, one in enumerate(said):
        if one is not None and one.slice is not None:
            together.setdefault(one.series, []).append(at)
    found: list[UnreadableError | None] = [None] * len(said)
    for places in together.values():
        if len(places) > 1:
            try:
                series.stack([one.slice for one in (said[at] for at in places) if one is not None and one.slice])
            except UnreadableError as problem:
                for at in places:
                    found[at] = problem
    return found


def image_files(data: bytes) -> list[tuple[str, ...]]:
    """The names, part by part, of the images that a DICOMDIR refers to.

    Raises:
        UnreadableError: E-INPUT-INDEX where it cannot be read or leads out of its folder.
    """
    with quiet():
        try:
            records = parsed(BytesIO(data)).DirectoryRecordSequence
            named = [_parts(one.ReferencedFileID) for one in records if one.DirectoryRecordType == "IMAGE"]
        except Exception:  # noqa: BLE001 - the same
            raise _no_index("The DICOMDIR cannot be read.") from None
    for parts in named:
        if not 0 < len(parts) <= _MAX_DEPTH or not all(map(_COMPONENT.fullmatch, parts)) or {".", ".."} & {*parts}:
            raise _no_index("The DICOMDIR names a file outside its folder.")
    return named


def _said(file: BinaryIO) -> Said:
    dataset = parsed(file, force=True, stop_before_pixels=True, specific_tags=list(_TAGS))
    sop_class, count = _text(dataset, "SOPClassUID"), int(dataset.get("NumberOfFrames") or 1)
    loop = sop_class == uid.UltrasoundMultiFrameImageStorage and 1 < count <= MAX_FRAMES
    patient = _text(dataset, "PatientID")
    return Said(
        instance=_text(dataset, "SOPInstanceUID"),
        person=(patient, _text(dataset, "IssuerOfPatientID")) if patient else None,
        frames=count if loop else None,
        series=_text(dataset, "SeriesInstanceUID"),
        slice=series.slice_of(dataset) if sop_class in _VOLUMES else None,
    )


def _text(dataset: Any, keyword: str) -> str:  # noqa: ANN401 - pydicom is untyped
    return str(dataset.get(keyword) or "").strip("\0 ")


def _parts(value: Any) -> tuple[str, ...]:  # noqa: ANN401
    return (value,) if isinstance(value, str) else tuple(map(str, value))


def _no_index(what: str) -> UnreadableError:
    return UnreadableError("E-INPUT-INDEX", what, remedy="Give the image files themselves, or a folder of them.")

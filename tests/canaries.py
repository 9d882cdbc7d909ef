# SPDX-License-Identifier: Apache-2.0
"""A DICOM image with a canary in every text attribute that the standard knows, and the search for one that got out."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from radiomicnet_md.io.new_images import encode
from tests import patients
from tests.io import samples

WORD = "Zwitscherquill"  # in no dictionary, and long enough not to turn up by chance
NUMBER = "88877766655544"
_LENGTHS = {"AE": 16, "SH": 16, "CS": 0, "LO": 64, "PN": 64, "ST": 1024, "LT": 2000, "UT": 2000, "UC": 2000}
_GROUPS = {0x0008, 0x0010, 0x0012, 0x0018, 0x0020, 0x0028, 0x0032, 0x0038, 0x0040, 0x4008}
_KEPT = {"Modality", "SpecificCharacterSet", "TimezoneOffsetFromUTC"}
_NESTED = ("RequestAttributesSequence", "OtherPatientIDsSequence", "ReferencedStudySequence")


def singing(change: Any = None) -> tuple[bytes, int]:  # noqa: ANN401
    """The file, and how many attributes of it hold a canary; ``change`` has the last word about the data set."""
    dataset = pydicom.dcmread(BytesIO(samples.ultrasound(levels=patients.levels(3))))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    count = _fill(dataset)
    for keyword in _NESTED:
        inner = Dataset()
        count += _fill(inner)
        setattr(dataset, keyword, [inner])
    block = dataset.private_block(0x0011, f"{WORD} maker", create=True)
    block.add_new(1, "LO", f"{WORD} private")
    block.add_new(2, "UN", f"{WORD} unknown".encode())
    count += 3
    for place, keyword in enumerate(("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")):
        setattr(dataset, keyword, f"1.2.826.0.1.{NUMBER}.{place}")
    dataset.PatientBirthDate, dataset.StudyDate = "18770605", "18770606"
    if change:
        change(dataset)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.SourceApplicationEntityTitle = WORD
    data = bytearray(encode(dataset))
    data[:64] = f"{WORD} in the preamble".encode().ljust(64, b"\0")
    return bytes(data), count + 8


def _fill(dataset: Dataset) -> int:
    """Give every text attribute of the standard a canary, as long as it may be or 40 letters; returns how many."""
    count = 0
    for tag, (representation, many, _, retired, keyword) in DicomDictionary.items():
        longest = _LENGTHS.get(representation, 0)
        if tag >> 16 not in _GROUPS or not longest or retired or not many.startswith("1") or keyword in _KEPT:
            continue
        value = f"{WORD} {count:04d}"[:longest]
        dataset.add_new(tag, representation, f"{value}^{WORD}" if representation == "PN" else value)
        count += 1
    return count


def heard(files: dict[str, bytes]) -> list[tuple[str, str]]:
    """Which canary stands in which file, in any spelling."""
    values = {"word": WORD, "number": NUMBER, "birth": "18770605", "study date": "18770606"}
    return patients.found(values, files)


def write(path: Path, change: Any = None) -> Path:  # noqa: ANN401
    """Write the file; its name says nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(singing(change)[0])
    return path

# SPDX-License-Identifier: Apache-2.0
"""DICOM images of made-up people, and every common way in which one of their values could stand in a file."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.desk import Answer
from radiomicnet_md.home import Home
from radiomicnet_md.io.dicom import IDENTITY_KEYWORDS
from radiomicnet_md.io.new_images import encode, ultrasound
from radiomicnet_md.privacy import erasure, people
from radiomicnet_md.privacy.people import Keeper
from tests import desks

WHY = "request 12 of 2026"
Case = Callable[..., Answer]  # decides an image of a person: who, and the seed of the samples
PEOPLE: dict[str, dict[str, str]] = {
    "quill": {
        "PatientID": "QX-7731-KAPPA",
        "IssuerOfPatientID": "Hospital-Zeta-Nine",
        "OtherPatientIDs": "ALT-4450921",
        "PatientName": "Quillfeather^Ottoline",
        "PatientBirthDate": "19310417",
        "AccessionNumber": "ACC-55190-QQ",
        "StudyID": "STUDY-88123",
        "ReferringPhysicianName": "Brambleworth^Ignatius",
        "OperatorsName": "Thistlewick^Perpetua",
        "InstitutionName": "Saint Wilfreda Infirmary",
        "StationName": "ECHO-ROOM-77",
        "DeviceSerialNumber": "SN-99120-XYZ",
        "StudyDate": "19870623",
    },
    "umlaut": {
        "PatientID": "UY-1199-THETA",
        "PatientName": "Grünwäldchen^Jörg",
        "PatientBirthDate": "19520229",
        "AccessionNumber": "ACC-00321-UU",
        "StudyDate": "19880724",
    },
    "nameless": {"AccessionNumber": "ACC-77777-NN", "StudyDate": "19890825"},
    "no id": {"PatientName": "Lindqvist^Astridsdotter", "PatientBirthDate": "19440506", "StudyDate": "19900926"},
}
"""By a short name, what the file of a person says; each value long enough not to turn up by chance."""


def levels(seed: int) -> NDArray[np.uint8]:
    """A grey picture with a dark disc, of which the fake engine makes a region; size and noise are the seed's."""
    rows, columns = np.mgrid[0:96, 0:128]
    noise = np.random.default_rng(seed).integers(0, 40, (96, 128))
    return np.where(np.hypot(rows - 48, columns - 60) < 12 + seed, 20, 150 + noise).astype(np.uint8)


def write(path: Path, who: dict[str, str], seed: int) -> Path:
    """A DICOM file of a person; the seed decides about pixels and UIDs."""
    dataset: Any = ultrasound(levels(seed), (0.08, 0.08), f"{seed:064x}")
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword in IDENTITY_KEYWORDS:
        if keyword in dataset and not keyword.endswith("UID"):
            delattr(dataset, keyword)
    for keyword, value in who.items():
        setattr(dataset, keyword, value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encode(dataset))
    return path


def forms(value: str) -> set[bytes]:
    """A value and its parts as they could stand in a file: letter cases, UTF-8 and UTF-16, hex, base64, JSON."""
    found: set[bytes] = set()
    for text in (value, *(part for part in value.split("^") if len(part) >= 6)):
        for spelled in (text, text.upper(), text.lower(), text.replace("^", " ")):
            for code in ("utf-8", "utf-16-le", "utf-16-be"):
                found |= set(_spellings(spelled.encode(code)))
            found |= {ascii(spelled).strip("'").encode(), spelled.encode("latin-1", "replace")}
    return found


def _spellings(raw: bytes) -> Iterator[bytes]:
    yield raw
    yield raw[::-1]
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for before in range(3):
        # What stands before and behind shares a character with the value's first and last bits.
        first, last = (8 * before + 5) // 6, 8 * (before + len(raw)) // 6
        for code in (base64.b64encode, base64.urlsafe_b64encode):
            yield code(bytes(before) + raw)[first:last]


def found(values: dict[str, str], files: dict[str, bytes]) -> list[tuple[str, str]]:
    """Where in some files one of the values stands, in any of its forms: keyword and file."""
    searched = {keyword: forms(value) for keyword, value in values.items()}
    return [
        (keyword, name)
        for name, data in files.items()
        for keyword, needles in searched.items()
        if any(needle in data for needle in needles)
    ]


def rest(home: Path) -> dict[str, bytes]:
    """The files of a home without its log and its locks."""
    return {
        name: data for name, data in desks.tree(home).items() if not name.startswith("audit.db") and ".lock" not in name
    }


def everywhere(home: Home, *exports: Path) -> dict[str, bytes]:
    """Every file that a device keeps or gives to others."""
    files = {
        f"{folder.name}/{name}": data for folder in (home.folder, *exports) for name, data in desks.tree(folder).items()
    }
    return files | {f"name of {name}": name.encode() for name in files} | {"anchor": home.anchor.read_bytes()}


def erase(keeper: Keeper, record_id: str) -> list[erasure.Erased]:
    """Erase the person that a record is about."""
    return erasure.erase(keeper, people.of_record(keeper, record_id), WHY)

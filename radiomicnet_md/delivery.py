# SPDX-License-Identifier: Apache-2.0
"""What a person asked for appears whole, after its record and never before it.

Rules of this module:

- :func:`deliver` takes the receipt: without a record in the log there is nothing to call it with.
- Files are written into a hidden folder beside their place and renamed from there, so that a crash or a
  full disk leaves no half of a file under a name that somebody reads.
- Only names from ``NAMES`` are ever replaced; what else lies in the folder is not ours.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md import io
from radiomicnet_md.decision import Decision
from radiomicnet_md.errors import ConfigurationError

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Receipt

NAMES = ("mask.png", "mask.dcm", "mask.nii.gz", "source.dcm", "overlay.png", "why.png")

_SUFFIX = re.compile(r"(\.nii\.gz|\.[A-Za-z0-9]{1,6})$")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a case's files go, and in which form beside PNG."""

    out: Path
    name: str  # of the folder in ``out``
    form: str | None = None  # dicom, nifti or png; None: that of the input


@dataclass(frozen=True, slots=True)
class Marks:
    """What every file has to say of its maker."""

    algorithm: tuple[str, str]  # name and version, for the DICOM header
    stamp: str  # the line every picture ends in


def name_of(path: Path) -> str:
    """The folder's name for an input: its file name without suffix and leading dots."""
    return _SUFFIX.sub("", path.name).lstrip(".") or "input"


def check(target: Target) -> None:
    """Raise :class:`ConfigurationError` when nothing can be written at the target; leaves nothing behind."""
    probe = target.out / f".{target.name}.probe-{os.getpid()}"
    try:
        target.out.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _unwritable(error) from error


def deliver(reading: io.Reading, decision: Decision, receipt: Receipt, target: Target, marks: Marks) -> tuple[str, ...]:
    """Write the files of one decision and return their paths.

    Raises :class:`ConfigurationError` when they cannot be written; then none of them is there.
    """
    part = target.out / f".{target.name}.{receipt.record_id}.part"
    try:
        part.mkdir()
        try:
            _write_rasters(part, reading, decision, receipt, target.form)
            if target.form == "dicom" or (target.form is None and reading.dataset is not None):
                _write_dicom(part, reading, decision, receipt, marks)
            _write_pictures(part, reading, decision, receipt, marks)
            return _move_in(part, target.out / target.name)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise _unwritable(error) from error


def _write_rasters(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, form: str | None) -> None:
    io.write_mask_png(part / "mask.png", decision.mask, receipt)
    if form == "nifti":
        io.write_mask_nifti(part / "mask.nii.gz", decision.mask, reading.image.spacing_mm, receipt)


def _write_dicom(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, marks: Marks) -> None:
    """A segmentation refers to a DICOM image; where the input was none, one is made of it."""
    if reading.dataset is None:
        reading = io.write_secondary_capture(part / "source.dcm", reading, receipt)
    io.write_segmentation(part / "mask.dcm", reading, decision.mask, receipt, marks.algorithm)


def _write_pictures(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, marks: Marks) -> None:
    from radiomicnet_md.review import pictures

    io.write_bytes(part / "overlay.png", pictures.overlay(io.grey(reading.image), decision.mask, marks.stamp), receipt)
    io.write_bytes(part / "why.png", pictures.why(decision, marks.stamp), receipt)


def _move_in(part: Path, folder: Path) -> tuple[str, ...]:
    """Rename everything from ``part`` into ``folder``, in place of our own files of an earlier run."""
    names = [name for name in NAMES if (part / name).exists()]
    try:
        part.rename(folder)
    except OSError:  # the folder is there and not empty
        _replace(part, folder, names)
    return tuple(str(folder / name) for name in names)


def _replace(part: Path, folder: Path, names: Iterable[str]) -> None:
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    for name in names:
        (part / name).rename(folder / name)


def _unwritable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-OUTPUT-WRITE",
        f"The output folder cannot be written: {error.strerror}.",
        remedy="Name another folder with --out, or free space and check its permissions.",
    )

# SPDX-License-Identifier: Apache-2.0
"""What a person asked for appears whole, after its record and never before it.

Rules of this module:

- :func:`deliver` takes the receipt: without a record in the log there is nothing to call it with.
- Files are written into a hidden folder beside their place and renamed from there, so that a crash or a
  full disk leaves no half of a file under a name that somebody reads.
- A folder says in ``record.json`` which record and which input its files belong to. Only files of the same
  input are ever replaced or set aside; another input of the same name gets a folder of its own, and our names
  without such a note are somebody else's. What else lies in the folder is not ours: it is kept.
- A replacement renames the former folder aside and puts it back when anything fails.
- An input that is refused now keeps no result of an earlier run under its name. A *changed* file of the same
  name is another input: what its former content gave stays, with the record it belongs to.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import io
from radiomicnet_md.decision import Decision
from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md_audit import canonical

if TYPE_CHECKING:
    from radiomicnet_md_audit.appending import Receipt

RECORD = "record.json"
NOT_CLINICAL = "not for clinical use"  # in every picture that may lie in an archive without its record
NAMES = (
    *("mask.png", "mask.dcm", "mask.nii.gz", "mask.nrrd", "source.dcm", "overlay.png", "why.png"),
    *("measurements.dcm", "picture.dcm", "contributions.dcm", "probability.dcm", "contours.dcm"),
    RECORD,
)

_OCCUPIED = (errno.ENOTEMPTY, errno.EEXIST)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a case's files go, and in which form beside PNG."""

    out: Path
    name: str  # of the folder in ``out``; that of a frame lies in a folder of its file
    form: str | None = None  # dicom, nifti, nrrd, png or rtstruct; None: that of the input

    @property
    def folder(self) -> Path:
        """Where the files go, unless another input's are there."""
        return self.out / self.name

    def hidden(self, why: str) -> Path:
        """A hidden folder beside that place."""
        return self.folder.with_name(f".{self.folder.name}.{why}")


@dataclass(frozen=True, slots=True)
class Marks:
    """What every file has to say of its maker."""

    algorithm: tuple[str, str]  # name and version, for the DICOM header
    stamp: str  # the line every picture ends in


def check(target: Target) -> None:
    """Raise :class:`ConfigurationError` when nothing can be written at the target; leaves nothing behind."""
    probe = target.hidden(f"probe-{os.getpid()}")
    try:
        for folder in (target.folder, *target.folder.parents):
            if folder == target.out:
                break
            _refuse_link(folder)
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.mkdir()
        probe.rmdir()
    except OSError as error:
        raise _unwritable(error) from error


def deliver(reading: io.Reading, decision: Decision, receipt: Receipt, target: Target, marks: Marks) -> tuple[str, ...]:
    """Write the files of one decision and return their paths.

    They go into the folder of the target's name, or, where that holds another input's files, into
    ``<name>-<first 8 digits of the input's sha256>``.

    Raises :class:`ConfigurationError` when they cannot be written; then none of them is there, and what an
    earlier run of the same input left still is.
    """
    part = target.hidden(f"{receipt.record_id}.part")
    shutil.rmtree(part, ignore_errors=True)  # what a crash left of this very record
    try:
        part.mkdir()
        try:
            _write_rasters(part, reading, decision, receipt, target.form)
            if target.form == "dicom" or (target.form is None and reading.dataset is not None):
                _write_dicom(part, reading, decision, receipt, marks)
            if target.form == "rtstruct":
                source = _source(part, reading, receipt)
                io.write_contours(part / "contours.dcm", source, decision.mask, receipt, marks.algorithm)
            _write_pictures(part, reading, decision, receipt, marks)
            origin = {"record_id": receipt.record_id, "input_sha256": reading.image.origin.file_sha256}
            io.write_bytes(part / RECORD, canonical.dumps(origin), receipt)
            return _move_in(part, target, reading.image.origin.file_sha256)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise _unwritable(error) from error


def record_of(folder: Path) -> str | None:
    """The record whose files a folder holds, as :func:`deliver` noted; None where it notes none."""
    return _origin(folder)[0] or None


def withdraw(target: Target, input_sha256: str | None) -> None:
    """Set aside what an earlier run left of an input that is refused now, as ``<name>-withdrawn-<record>``.

    Files of other inputs, an earlier content of the same file among them, stay with the record they name.

    Raises :class:`ConfigurationError` when it cannot be done: then a file is there that must not be taken for
    the answer.
    """
    if input_sha256 is None:
        return
    for folder in _places(target, input_sha256):
        record_id, owner = _origin(folder)
        if owner != input_sha256:
            continue
        try:
            folder.rename(folder.with_name(f"{folder.name}-withdrawn-{record_id[:8]}"))
        except OSError as error:
            raise ConfigurationError(
                "E-OUTPUT-STALE",
                f"The input was refused, and its files of an earlier run cannot be set aside: {error.strerror}.",
                remedy="Remove them by hand; audit show tells why the input was refused.",
            ) from error


def _write_rasters(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, form: str | None) -> None:
    io.write_mask_png(part / "mask.png", decision.mask, receipt)
    if form == "nifti":
        io.write_mask_nifti(part / "mask.nii.gz", decision.mask, io.of_picture(reading), receipt)
    if form == "nrrd":
        io.write_mask_nrrd(part / "mask.nrrd", decision.mask, io.of_picture(reading), receipt)


def _source(part: Path, reading: io.Reading, receipt: Receipt) -> io.Reading:
    """What objects refer to: the DICOM image, or one that is made of an input that was none."""
    if reading.dataset is not None:
        return reading
    return io.write_secondary_capture(part / "source.dcm", reading, receipt)


def _write_dicom(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, marks: Marks) -> None:
    from radiomicnet_md import findings
    from radiomicnet_md.review import pictures

    reading = _source(part, reading, receipt)
    said = findings.findings(decision, receipt, marks.stamp)
    picture = pictures.overlay(io.grey(reading.image), decision.mask, f"{NOT_CLINICAL} · {marks.stamp}")
    io.write_segmentation(part / "mask.dcm", reading, _segments(decision), receipt, marks.algorithm)
    io.write_measurements(part / "measurements.dcm", reading, said, receipt, marks.algorithm)
    io.write_picture(part / "picture.dcm", reading, picture, receipt, marks.algorithm)
    io.write_contributions(part / "contributions.dcm", reading, findings.maps(decision), receipt, marks.algorithm)
    io.write_probability(part / "probability.dcm", reading, decision, receipt, marks.algorithm)


def _segments(decision: Decision) -> NDArray[np.uint8]:
    """The mask; and behind it, where there are several regions, each of them as it was measured."""
    from radiomicnet_md.engine import resample

    if len(decision.chosen) <= 1:
        return decision.mask
    regions = (resample.enlarge_mask(region.pixels, *decision.mask.shape) for region in decision.chosen)
    return np.stack([decision.mask, *regions])


def _write_pictures(part: Path, reading: io.Reading, decision: Decision, receipt: Receipt, marks: Marks) -> None:
    from radiomicnet_md.review import pictures

    io.write_bytes(part / "overlay.png", pictures.overlay(io.grey(reading.image), decision.mask, marks.stamp), receipt)
    io.write_bytes(part / "why.png", pictures.why(decision, marks.stamp), receipt)


def _move_in(part: Path, target: Target, input_sha256: str) -> tuple[str, ...]:
    """Rename ``part`` to the first place that is free or holds files of the same input."""
    names = [name for name in NAMES if (part / name).exists()]
    for folder in _places(target, input_sha256):
        _refuse_link(folder)
        try:
            part.rename(folder)
        except OSError as error:
            if error.errno not in _OCCUPIED:
                raise
            if _is_anothers(folder, input_sha256):
                continue
            _replace(part, folder)
        return tuple(str(folder / name) for name in names)
    raise ConfigurationError(
        "E-OUTPUT-OCCUPIED",
        "The output folder holds files of other inputs, or of unknown origin, under this input's names.",
        remedy="Name another folder with --out, or move those files.",
    )


def _places(target: Target, input_sha256: str) -> tuple[Path, Path]:
    return target.folder, target.folder.with_name(f"{target.folder.name}-{input_sha256[:8]}")


def _origin(folder: Path) -> tuple[str, str | None]:
    """Record id and input digest that a folder names; no digest where it names none."""
    try:
        said = json.loads((folder / RECORD).read_bytes())
    except (OSError, ValueError):
        return "", None
    match said:
        case {"record_id": str(record_id), "input_sha256": str(input_sha256)}:
            return record_id, input_sha256
    return "", None


def _is_anothers(folder: Path, input_sha256: str) -> bool:
    _, owner = _origin(folder)
    if owner is None:
        return any(os.path.lexists(folder / name) for name in NAMES)
    return owner != input_sha256


def _replace(part: Path, folder: Path) -> None:
    """Put ``part`` in the place of ``folder`` and carry over what is not ours; or leave both as they were.

    A process killed in between leaves the former files whole, in the hidden folder ``aside``.
    """
    aside, carried = part.with_suffix(".former"), []
    folder.rename(aside)
    try:
        part.rename(folder)
        for item in [item for item in aside.iterdir() if item.name not in NAMES]:
            item.rename(folder / item.name)
            carried.append(item)
    except BaseException:
        for item in carried:
            (folder / item.name).rename(item)
        if folder.exists():
            folder.rename(part)
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _refuse_link(folder: Path) -> None:
    if folder.is_symlink():
        raise ConfigurationError(
            "E-OUTPUT-LINK",
            "The folder for this input's files is a symbolic link; links are not followed.",
            remedy="Remove the link, or name the folder it leads to with --out.",
        )


def _unwritable(error: OSError) -> ConfigurationError:
    return ConfigurationError(
        "E-OUTPUT-WRITE",
        f"The output folder cannot be written: {error.strerror}.",
        remedy="Name another folder with --out, or free space and check its permissions.",
    )

# SPDX-License-Identifier: Apache-2.0
"""The log's records in the words of other systems: tables, FHIR R4, DICOM audit messages.

What field comes from where, and what these files do not prove, is in ``docs/reference/outside-formats.md``. Rules
of this package:

- Every row, resource and message names its record by log index, record id and SHA-256 of the envelope.
- Nothing is said that the record does not say; of identifying values it holds commitments alone.
- One record gives the same bytes every time: no clock, no random number, no name of this machine.
- Written as it is read: memory does not grow with the log.
- The file appears under its name when it is whole, and never in the place of another.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from pathlib import Path

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_audit.outside import dicom, fhir, table
from radiomicnet_md_audit.outside.rows import Logged, logged

__all__ = ["Form", "Logged", "logged", "save", "write"]


class Form(StrEnum):
    """The forms that records can be given out in."""

    CSV = "csv"  # RFC 4180, for a spreadsheet
    JSONL = "jsonl"  # the same columns, a JSON object a line
    FHIR = "fhir"  # one Bundle of AuditEvent and Provenance resources
    DICOM = "dicom"  # an AuditMessage of PS3.15 A.5 a line


_WRITERS: dict[Form, Callable[[Iterable[Logged]], Iterator[bytes]]] = {
    Form.CSV: table.csv,
    Form.JSONL: table.jsonl,
    Form.FHIR: fhir.bundle,
    Form.DICOM: dicom.messages,
}


def write(form: Form, records: Iterable[Logged]) -> Iterator[bytes]:
    """Yield the file's bytes, piece by piece, as the records come."""
    return _WRITERS[form](records)


def save(form: Form, records: Iterable[Logged], path: Path, release: Callable[[int, str], object]) -> int:
    """Write the records to a new file; return how many there were.

    ``release`` is given that number and the SHA-256 of the file in hex, when the file is whole and has no name yet.

    Raises :class:`ConfigurationError` when the file is there already or cannot be written, and whatever reading the
    records or ``release`` raises; then there is no file.
    """
    if os.path.lexists(path):
        raise ConfigurationError(
            "E-REPORT-EXISTS",
            "The file to write to is already there.",
            remedy="Name a file that does not exist yet.",
        )
    count = 0

    def counted() -> Iterator[Logged]:
        nonlocal count
        for record in records:
            count += 1
            yield record

    try:
        _whole(path, write(form, counted()), lambda digest: release(count, digest))
    except OSError as error:
        raise ConfigurationError(
            "E-REPORT-WRITE",
            f"The file cannot be written ({error.strerror}).",
            remedy="Check that its folder exists, its permissions and the free space.",
        ) from None
    return count


def _whole(path: Path, pieces: Iterator[bytes], release: Callable[[str], object]) -> None:
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("xb") as file:
        try:
            digest = hashlib.sha256()
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
            release(digest.hexdigest())
            part.rename(path)
        except BaseException:
            part.unlink()
            raise

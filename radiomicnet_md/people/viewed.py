# SPDX-License-Identifier: Apache-2.0
"""A file that somebody looked at is taken as what was shown only if the record, or what is kept with it, leads to it.

Rules of this module:

- A result is seen as its picture: image and outline, the ``overlay.png`` of its outputs, byte for byte.
- A refusal has no picture. It is seen as its page: what ``audit show ID`` prints, saved to a file. The proof at its end
  goes on with the log and is not compared; everything above it is.
- A qualification is seen as its report: one of the files whose digests its record names.
- Nothing can be seen any more of what was erased.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from radiomicnet_md import shelf
from radiomicnet_md.engine import record
from radiomicnet_md.errors import UsageError
from radiomicnet_md.review import proven, text
from radiomicnet_md_audit.statement import DECISION, QUALIFICATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from radiomicnet_md_audit.ledger import Ledger

PICTURE, PAGE = "overlay.png", "record.txt"


def picture(home: Path, predicate: Mapping[str, Any]) -> bytes | None:
    """The overlay of a result, made again from what is kept with its record; None where that is not kept (any more).

    Raises :class:`IntegrityError` where it was changed.
    """
    from radiomicnet_md import io
    from radiomicnet_md.review import pictures

    image = shelf.kept_image(home, predicate["input"])
    mask = shelf.fetch(home, predicate["outputs"]["mask_sha256"])
    if image is None or mask is None:
        return None
    outlined = np.frombuffer(mask, dtype=np.uint8).reshape(predicate["outputs"]["mask_shape"])
    return pictures.overlay(io.grey(image), outlined, record.stamp(predicate))


def viewed(home: Path, ledger: Ledger, record_id: str, data: bytes) -> dict[str, str]:
    """What ``data`` shows of a record, as :func:`~radiomicnet_md.people.sign` takes it: name and SHA-256.

    ``record_id`` begins the record's id. Raises :class:`UsageError` ``E-SIGN-VIEWED`` for any other file, and
    :class:`IntegrityError` where record or artefacts do not hold.
    """
    statement, proof = proven.prove(ledger, ledger.find(record_id))
    predicate = statement["predicate"]
    digest = hashlib.sha256(data).hexdigest()
    if statement["predicateType"] == QUALIFICATION:
        for file in predicate["files"]:
            if file["sha256"] == digest:
                return {file["name"]: digest}
        _refuse("a report of this qualification: the report.html or report.pdf that was written with it")
    if statement["predicateType"] == DECISION and predicate["state"] == "RESULT":
        if data == picture(home, predicate):
            return {PICTURE: digest}
        _refuse("the picture of this result: the overlay.png that was written with it")
    if statement["predicateType"] != DECISION or not data.startswith(text.above_proof(statement, proof).encode()):
        _refuse("the page of this record: what `radiomicnet-md audit show ID` prints, saved to a file")
    return {PAGE: digest}


def _refuse(what: str) -> None:
    raise UsageError(
        "E-SIGN-VIEWED",
        f"The file is not {what}.",
        remedy="Look at that very file; where it is gone, use the page (serve), or segment the image again.",
    )

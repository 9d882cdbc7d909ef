# SPDX-License-Identifier: Apache-2.0
"""One door for every input: bytes, digest, format, samples, in this order.

Rules of this module:

- The digest is taken before anything is parsed, so that an unreadable file can still be recorded.
- The frames of one file are read from the same bytes, which are loaded and hashed once.
- A spacing that an operator declares is for a file that states none, and is marked as declared; a file that
  states another one is refused.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.image import Frame
from radiomicnet_md.io.inputs import Input
from radiomicnet_md.io.source import Reading, UnreadableError, sniff

if TYPE_CHECKING:
    from radiomicnet_md.io.cine import Cine

_AGREEMENT = 0.01  # a declared and a stated spacing within this share of each other say the same


def read(given: Path | Input) -> Reading:
    """Read one image file of any supported format, or one frame of it.

    Raises:
        UnreadableError: code E-INPUT-…; its ``file_sha256`` is set whenever the bytes could be read.
    """
    return Reader().read(given)


class Reader:
    """Reads inputs one after the other, and keeps a multi-frame file open until another file is asked for."""

    def __init__(self, spacing_mm: tuple[float, float] | None = None) -> None:
        """``spacing_mm`` (between rows, between columns) is declared for files that state none."""
        self._spacing_mm = spacing_mm
        self._open: tuple[Input, Cine | UnreadableError] | None = None

    def read(self, given: Path | Input) -> Reading:
        """As :func:`read`; E-INPUT-SPACING where the file contradicts the declared spacing."""
        item = given if isinstance(given, Input) else Input(given)
        reading = self._whole(item) if item.frame is None else self._frame(item, item.frame)
        return self._with_spacing(reading)

    def _whole(self, item: Input) -> Reading:
        self._open = None
        data, digest = _loaded(item)
        try:
            return _parse(data, digest)
        except UnreadableError as error:
            error.file_sha256 = digest
            raise

    def _frame(self, item: Input, frame: Frame) -> Reading:
        from radiomicnet_md.io.cine import Cine

        file = replace(item, frame=None)
        if self._open is None or self._open[0] != file:
            self._open = None  # the samples of the one before are let go first
            data, digest = _loaded(item)
            try:
                self._open = (file, Cine(data, digest))
            except UnreadableError as error:
                error.file_sha256 = digest
                self._open = (file, error)
        opened = self._open[1]
        if isinstance(opened, UnreadableError):
            raise opened.with_traceback(None)
        try:
            return opened.frame(frame)
        except UnreadableError as error:
            error.file_sha256 = opened.file_sha256
            raise

    def _with_spacing(self, reading: Reading) -> Reading:
        declared, stated = self._spacing_mm, reading.image.spacing_mm
        if declared is None:
            return reading
        if stated is None:
            return replace(reading, image=replace(reading.image, spacing_mm=declared, spacing_declared=True))
        if all(abs(one - other) <= _AGREEMENT * one for one, other in zip(stated, declared, strict=True)):
            return reading
        error = UnreadableError(
            "E-INPUT-SPACING",
            "The declared spacing contradicts the one that the file states.",
            remedy="Leave --spacing out for this file; it says itself how large its pixels are.",
        )
        error.file_sha256 = reading.image.origin.file_sha256
        raise error


def _loaded(item: Input) -> tuple[bytes, str]:
    """Bytes and digest; what a survey found wrong with the input is raised with its digest."""
    data = item.load()
    digest = hashlib.sha256(data).hexdigest()
    if item.problem is not None:
        item.problem.file_sha256 = digest
        raise item.problem.with_traceback(None)
    return data, digest


def _parse(data: bytes, digest: str) -> Reading:
    kind = sniff(data)
    if kind == "dicom":
        from radiomicnet_md.io import dicom

        return dicom.parse(data, digest)
    if kind in {"png", "jpeg", "tiff"}:
        from radiomicnet_md.io import raster

        return raster.parse(data, digest, kind)
    if kind == "zip":
        raise UnreadableError(
            "E-INPUT-ARCHIVE",
            "The file is a ZIP file, not an image.",
            remedy="Give it to the verb 'segment' as it is; a ZIP file inside another one has to be unpacked first.",
        )
    from radiomicnet_md.io import volume

    return volume.parse(data, digest, kind)

# SPDX-License-Identifier: Apache-2.0
"""One frame of a multi-frame DICOM file at a time, each as if it were the image of a file of its own.

Rules of this module:

- Every frame is of the same bytes: they are read, hashed and parsed once.
- At most ``_HELD_SAMPLES`` decoded samples (or one frame) are held, however long the loop is.
- A frame that cannot be decoded is refused alone; its neighbours are decoded without it. Where a decoder had to be
  stopped, frames are decoded one by one; after the third time the file has had its time, and is refused.
- The samples of a frame are those that decoding the whole file gives.
"""

from __future__ import annotations

from io import BytesIO
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

from radiomicnet_md.image import Frame
from radiomicnet_md.io import dicom, dicom_pixels
from radiomicnet_md.io.dicom import Body
from radiomicnet_md.io.silence import quiet
from radiomicnet_md.io.source import Reading, UnreadableError, broken, check_bounds, too_large

MAX_FRAMES = 600  # a minute at 10 a second; each is a decision and a record of its own
_HELD_SAMPLES = 2**24
_MOST_STOPS = 3
_PIXEL_MODULE = (
    *("SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "Rows", "Columns"),
    *("BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation"),
)


class Cine:
    """A multi-frame file, opened."""

    def __init__(self, data: bytes, file_sha256: str) -> None:
        """Parse the file and bound its frames.

        Raises:
            UnreadableError: as :func:`radiomicnet_md.io.dicom.parse`; E-INPUT-TOO-LARGE above MAX_FRAMES.
        """
        self.file_sha256 = file_sha256
        self._together = 1
        self._stopped: list[UnreadableError] = []  # for each decoder that had to be
        self._first, self._held, self._decoder = 0, np.empty((0, 0, 0, 0), np.uint8), ""
        with quiet():
            try:
                self._dataset, start = dicom.opened(data)
                self._body_sha256 = dicom.body_sha256(data, start)
                self.frames = int(self._dataset.get("NumberOfFrames") or 1)
                self._streams = self._check()
            except UnreadableError:
                raise
            except Exception:  # noqa: BLE001 - pydicom answers broken bytes with almost any exception
                raise broken("The DICOM data set contradicts its format.") from None

    def frame(self, frame: Frame) -> Reading:
        """The reading of one frame.

        Raises:
            UnreadableError: E-INPUT-FRAME where there is no such frame, and those of its decoding.
        """
        if frame.of != self.frames or not 1 <= frame.number <= self.frames:
            raise UnreadableError(
                "E-INPUT-FRAME",
                f"Frame {frame.number} of {frame.of} is asked for; the file holds {self.frames}.",
                remedy="Give the file again as it is now.",
            )
        if len(self._stopped) >= _MOST_STOPS:
            raise self._stopped[-1]
        with quiet():
            try:
                at = frame.number - 1
                if not self._first <= at < self._first + len(self._held):
                    self._decode(at)
                pixels = self._held[at - self._first : at - self._first + 1]
                body = Body(self.file_sha256, self._body_sha256, self._decoder, frame)
                return dicom.described(self._dataset, pixels, body)
            except UnreadableError:
                raise
            except Exception:  # noqa: BLE001 - the same
                raise broken("The DICOM data set contradicts its format.") from None

    def _check(self) -> list[bytes]:
        """Bound every frame by the header; the compressed frames, none for a native file."""
        dataset = self._dataset
        rows, columns, samples = dicom_pixels.extents(dataset)
        check_bounds(1, rows, columns, samples)
        if not 1 <= self.frames <= MAX_FRAMES:
            raise too_large(f"The file announces {self.frames} frames; at most {MAX_FRAMES} are read one by one.")
        self._together = max(1, _HELD_SAMPLES // (rows * columns * samples))
        dicom_pixels.decoder_of(dataset)
        if not dataset.file_meta.TransferSyntaxUID.is_encapsulated:
            dicom_pixels.check_length(dataset, self.frames, rows, columns, samples)
            return []
        streams = list(islice(dicom_pixels.checked_frames(dataset, rows, columns, samples), self.frames + 1))
        if len(streams) != self.frames:
            raise broken(f"The file announces {self.frames} frames and holds {len(streams)}.")
        return streams

    def _decode(self, at: int) -> None:
        """Decode as many frames from ``at`` on as are held together; that one alone where they fail."""
        count = min(self._together, self.frames - at)
        try:
            decoded = self._decoded(at, count)
        except UnreadableError as problem:
            if problem.code == dicom_pixels.SLOW:
                self._stopped.append(problem)
                self._together = 1
            if count == 1:
                raise
            decoded = self._decoded(at, 1)
        self._first, (self._held, self._decoder) = at, decoded

    def _decoded(self, at: int, count: int) -> tuple[NDArray[Any], str]:
        if self._streams:
            part = self._part(at, count)
            buffer = BytesIO()
            dcmwrite(buffer, part, enforce_file_format=True)
            return dicom_pixels.decode(part, buffer.getvalue())
        frames = [dicom_pixels.native_frame(self._dataset, index) for index in range(at, at + count)]
        return np.concatenate(frames), "pydicom"

    def _part(self, at: int, count: int) -> Dataset:
        """A data set of some frames with what decoding needs, and nothing about a person."""
        part = Dataset()
        for keyword in _PIXEL_MODULE:
            if keyword in self._dataset:
                part[keyword] = self._dataset[keyword]
        part.NumberOfFrames = count
        part.PixelData = encapsulate(self._streams[at : at + count])
        part["PixelData"].VR = "OB"
        part["PixelData"].is_undefined_length = True
        part.file_meta = FileMetaDataset()
        part.file_meta.TransferSyntaxUID = self._dataset.file_meta.TransferSyntaxUID
        part.file_meta.MediaStorageSOPClassUID = uid.UltrasoundMultiFrameImageStorage
        part.file_meta.MediaStorageSOPInstanceUID = uid.UID("2.25.0")
        return part

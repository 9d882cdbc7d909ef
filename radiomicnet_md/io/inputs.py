# SPDX-License-Identifier: Apache-2.0
"""What one case is taken from: a file, a member of a ZIP file, or one frame of either.

Rules of this module:

- An :class:`Input` is a name for bytes; nothing is read until somebody asks.
- What a survey of a whole folder found wrong with an input travels with it, and ends its reading with that reason.
- A file is read as it was listed: one that has changed since is still arriving.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from radiomicnet_md.image import Frame
from radiomicnet_md.io import archive
from radiomicnet_md.io.source import Stamp, UnreadableError, load

SUFFIXES = (".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".nii.gz", ".nrrd", ".mha")


@dataclass(frozen=True, slots=True)
class Input:
    """Where the bytes of a case are."""

    path: Path
    member: str | None = None  # the name inside a ZIP file
    frame: Frame | None = None  # of a file that is decided frame by frame
    stamp: Stamp | None = field(default=None, compare=False)  # of the file at ``path`` when it was listed
    problem: UnreadableError | None = field(default=None, compare=False)

    @property
    def shown(self) -> str:
        """For people and scripts: ``path``, ``study.zip/member``, and ``#7`` for a frame."""
        inside = "" if self.member is None else f"/{self.member}"
        return f"{self.path}{inside}" + ("" if self.frame is None else f"#{self.frame.number}")

    @property
    def name(self) -> str:
        """A folder's name for the results: the file's name without a known suffix and leading dots, then the frame."""
        # A UID has dots too: taking off any last part would give all images of a series one name.
        name = self.path.name if self.member is None else PurePosixPath(self.member).name
        suffix = next((suffix for suffix in SUFFIXES if name.lower().endswith(suffix)), "")
        name = name[: len(name) - len(suffix)].lstrip(".") or "input"
        return name + self.frame_folder

    @property
    def frame_folder(self) -> str:
        """What a frame adds to the name of its file's folder; nothing for a whole file."""
        return "" if self.frame is None else f"/frame-{self.frame.number:04d}"

    def load(self) -> bytes:
        """The bytes of the whole file.

        Raises:
            UnreadableError: as :func:`radiomicnet_md.io.source.load` and :func:`radiomicnet_md.io.archive.load`.
        """
        if self.member is None:
            return load(self.path, self.stamp)
        return archive.load(self.path, self.member, self.stamp)

    def sha256(self) -> str | None:
        """Digest of the bytes of a regular file or a member; None where they cannot be read."""
        try:
            if self.member is not None:
                return hashlib.sha256(self.load()).hexdigest()
            if not self.path.is_file():
                return None
            with self.path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except (OSError, UnreadableError):
            return None

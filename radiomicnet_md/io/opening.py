# SPDX-License-Identifier: Apache-2.0
"""One door for every input: bytes, digest, format, samples, in this order.

Rules of this module:

- The digest is taken before anything is parsed, so that an unreadable file can still be recorded.
- A folder lists every file that is, or by its name claims to be, an image: a broken one is then
  refused with a record instead of passed over in silence.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from radiomicnet_md.io.source import Reading, UnreadableError, load, sniff

SUFFIXES = (".dcm", ".dicom", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff", ".nii", ".nii.gz", ".nrrd", ".mha")
_HEAD_BYTES = 1024


def read(path: Path) -> Reading:
    """Read one image file of any supported format.

    Raises:
        UnreadableError: code E-INPUT-…; its ``file_sha256`` is set whenever the bytes could be read.
    """
    data = load(path)
    digest = hashlib.sha256(data).hexdigest()
    try:
        return _parse(data, digest)
    except UnreadableError as error:
        error.file_sha256 = digest
        raise


def _parse(data: bytes, digest: str) -> Reading:
    kind = sniff(data)
    if kind == "dicom":
        from radiomicnet_md.io import dicom

        return dicom.parse(data, digest)
    if kind in {"png", "jpeg", "tiff"}:
        from radiomicnet_md.io import raster

        return raster.parse(data, digest, kind)
    from radiomicnet_md.io import volume

    return volume.parse(data, digest, kind)


def find_inputs(path: Path) -> tuple[Path, ...]:
    """List the image files of a folder in the order of their names; a file stands for itself.

    Subfolders, hidden files and DICOMDIR (an index, PS3.10, 8.6) are left out.

    Raises:
        UnreadableError: E-INPUT-MISSING, E-INPUT-PERMISSION, E-INPUT-NO-IMAGES.
    """
    try:
        if path.is_file():
            return (path,)
        found = tuple(item for item in sorted(path.iterdir()) if _is_candidate(item))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise UnreadableError(
            "E-INPUT-MISSING", "The input folder does not exist.", remedy="Check the path for a typing error."
        ) from None
    except OSError:
        raise UnreadableError(
            "E-INPUT-PERMISSION",
            "The input folder may not be read by this account.",
            remedy="Grant this account read access to the folder.",
        ) from None
    if not found:
        raise UnreadableError(
            "E-INPUT-NO-IMAGES",
            "The folder holds no image file.",
            remedy="Give a folder that itself holds DICOM, PNG, JPEG, TIFF, NIfTI, NRRD or MHA files.",
        )
    return found


def _is_candidate(item: Path) -> bool:
    if item.name.startswith(".") or item.name.upper() == "DICOMDIR" or not item.is_file():
        return False
    if item.name.lower().endswith(SUFFIXES):
        return True
    try:
        with item.open("rb") as file:
            return sniff(file.read(_HEAD_BYTES)) != "gzip"
    except (OSError, UnreadableError):
        return False

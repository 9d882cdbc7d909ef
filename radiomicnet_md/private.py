# SPDX-License-Identifier: Apache-2.0
"""A private file can be read by its owner alone from the moment it exists, and is written whole or not at all.

Rules of this module:

- :func:`write_private` makes a new file, never over another one. :func:`replace_private` puts one in the place of an
  old one; a crash leaves the one or the other.
"""

from __future__ import annotations

import os
from pathlib import Path


def write_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and return when it is on the disk; ``OSError`` where that fails."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def replace_private(path: Path, data: bytes) -> None:
    """Put a file of mode 0600 in the place of another; return when it is on the disk, or raise ``OSError``."""
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)  # what a crash left
    write_private(part, data)
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

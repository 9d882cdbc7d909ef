# SPDX-License-Identifier: Apache-2.0
"""A private file can be read by its owner alone from the moment it exists, and is whole or is not there."""

from __future__ import annotations

import os
from pathlib import Path

from radiomicnet_md_audit.disk import sync_folder


def write_private(path: Path, data: bytes) -> None:
    """Write a new file of mode 0600 and return when it is on the disk; ``OSError`` where that fails."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def replace_private(path: Path, data: bytes) -> None:
    """Put a private file in the place of another; a crash leaves the old one or the new one. ``OSError`` as above."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)  # what a crash left
    write_private(fresh, data)
    fresh.replace(path)
    sync_folder(path.parent)

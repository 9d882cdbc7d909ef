# SPDX-License-Identifier: Apache-2.0
"""A private file can be read by its owner alone from the moment it exists, and is never written over another one."""

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

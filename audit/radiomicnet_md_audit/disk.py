# SPDX-License-Identifier: Apache-2.0
"""A file is safe when the folder that names it is, too."""

from __future__ import annotations

import os
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Return when what was made, renamed or removed in a folder is on the disk; ``OSError`` where that fails."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

# SPDX-License-Identifier: Apache-2.0
"""Where a defect of ours happened is noted in the home, for whoever reports it; what it was about is not."""

from __future__ import annotations

import json
import os
import traceback
from datetime import UTC, datetime
from pathlib import Path


def note_fault(folder: Path, error: BaseException) -> bool:
    """Add where a defect happened to ``logs/errors.jsonl`` of a home; False where there is no such place.

    The error's own message is left out: it may quote from a file about a person.
    """
    frames = traceback.format_tb(error.__traceback__)
    line = json.dumps({"time": datetime.now(UTC).isoformat(), "error": type(error).__name__, "traceback": frames})
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
    try:
        handle = os.open(folder / "logs" / "errors.jsonl", flags, 0o600)
        with os.fdopen(handle, "w") as stream:
            stream.write(line + "\n")
    except OSError:
        return False
    return True

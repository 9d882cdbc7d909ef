# SPDX-License-Identifier: Apache-2.0
"""The command line in a process of its own, with an engine that only thresholds."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from radiomicnet_md import cli, compiling, delivery, opening
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.state import State
from radiomicnet_md.io.masks import png
from radiomicnet_md.io.segmentation import write_segmentation
from radiomicnet_md.review import pictures
from tests import desks

ONLY_MASK = "STUB_ONLY_MASK"


def only_mask(part: Path, reading: Any, decision: Any, receipt: Any, marks: Any) -> None:  # noqa: ANN401
    """The segmentation alone; what the other objects cost says nothing about a burst or a kill."""
    write_segmentation(part / "mask.dcm", reading, decision.mask, receipt, marks.algorithm)


def use_stub() -> None:
    """Exchange the release, the engine and the pictures in this process."""
    manifest = {"id": "fake", "version": "1.2.3", "created": "2026-01-01", "files": {}}
    release = Release(Path("fake"), manifest, "0" * 64, "0" * 64, {})
    replaced: dict[tuple[Any, str], Any] = {
        (opening, "verified_release"): lambda *_: release,
        (opening, "_started"): lambda *_: (desks.FakeEngine(), State.UNQUALIFIED),
        (opening, "use_private_cache"): lambda: None,
        (compiling, "use_private_cache"): lambda: None,
        (pictures, "overlay"): lambda *_: png(np.zeros((16, 16), np.uint8)),
        (pictures, "why"): lambda *_: b"why",
    }
    if os.environ.get(ONLY_MASK):
        replaced[delivery, "_write_dicom"] = only_mask
    for (module, name), value in replaced.items():
        setattr(module, name, value)


if __name__ == "__mp_main__":  # a process that this program has begun
    use_stub()
if __name__ == "__main__":
    use_stub()
    sys.exit(cli.main(sys.argv[1:]))

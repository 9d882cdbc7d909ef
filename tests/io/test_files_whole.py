# SPDX-License-Identifier: Apache-2.0
"""A file is there with every byte of it, or the one before it is, and nothing else beside."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from radiomicnet_md.errors import ConfigurationError
from radiomicnet_md.io import files


@pytest.mark.verifies("SRS-OUT-003", rc=("RC-026",))
def test_a_disk_that_does_not_take_a_file_leaves_the_former_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "out" / "mask.png"
    files.place(path, b"former")
    assert path.read_bytes() == b"former"
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigurationError) as caught:
        files.place(path, b"the next one")
    assert caught.value.code == "E-OUTPUT-FULL"
    assert {item.name: item.read_bytes() for item in path.parent.iterdir()} == {"mask.png": b"former"}

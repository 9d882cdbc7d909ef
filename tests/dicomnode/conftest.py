# SPDX-License-Identifier: Apache-2.0
"""Copies of the home for the processes of a test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from radiomicnet_md import home as homes


@pytest.fixture
def home(made_home: Path, tmp_path: Path) -> Path:
    """A copy of the home, with its anchor beside it."""
    folder = tmp_path / "home"
    shutil.copytree(made_home, folder)
    shutil.copyfile(homes.anchor_beside(made_home), homes.anchor_beside(folder))
    return folder

# SPDX-License-Identifier: Apache-2.0
"""Logs to test with, and the published vectors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.audit.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log of the genesis and five records, closed."""
    made = Site(tmp_path)
    with made.create() as ledger:
        made.append(ledger, 5)
    return made


@pytest.fixture(scope="session")
def vectors(root: Path) -> Callable[[str], dict[str, Any]]:
    """Read a file of ``audit/vectors``."""

    def read(name: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads((root / "audit" / "vectors" / f"{name}.json").read_text("utf-8"))
        return document

    return read

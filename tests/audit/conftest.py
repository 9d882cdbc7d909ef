# SPDX-License-Identifier: Apache-2.0
"""Logs to test with, and the published vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.audit.postgresql import Cluster, ServerSite
from tests.audit.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log of the genesis and five records, closed."""
    made = Site(tmp_path)
    with made.create() as ledger:
        made.append(ledger, 5)
    return made


@pytest.fixture(scope="session")
def cluster(require: Callable[[str], Path], root: Path) -> Iterator[Cluster]:
    """A PostgreSQL server of the tests' own."""
    made = Cluster(require("postgresql").parent, root / "docs" / "how-to" / "log-on-postgresql.md")
    yield made
    made.remove()


@pytest.fixture
def server_site(cluster: Cluster, tmp_path: Path) -> ServerSite:
    """A log of the genesis and five records on that server, closed."""
    made = ServerSite(tmp_path, port=cluster.port, name=cluster.database())
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

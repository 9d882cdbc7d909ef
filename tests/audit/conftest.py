# SPDX-License-Identifier: Apache-2.0
"""Logs to test with, and the published vectors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from radiomicnet_md_audit import export
from tests.audit.postgresql import Cluster, ServerSite
from tests.audit.sites import MASK, MASK_DIGEST, Site
from tests.audit.witnessed import Witnessed


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A log of the genesis and five records, closed."""
    made = Site(tmp_path)
    with made.create() as ledger:
        made.append(ledger, 5)
    return made


@pytest.fixture
def seen(tmp_path: Path) -> Witnessed:
    """The same with a witness to believe; nobody has said anything yet."""
    made = Witnessed(tmp_path)
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


@pytest.fixture
def artefacts(tmp_path: Path) -> Path:
    path = tmp_path / "artefacts" / MASK_DIGEST[:2] / MASK_DIGEST
    path.parent.mkdir(parents=True)
    path.write_bytes(MASK)
    return tmp_path / "artefacts"


@pytest.fixture
def exported(site: Site, artefacts: Path, tmp_path: Path) -> Path:
    with site.open() as ledger:
        ledger.append(site.draft(outputs={"mask_sha256": MASK_DIGEST, "other_sha256": "0" * 64}))
        export.write(ledger, tmp_path / "export", site.policy, artefacts)
    return tmp_path / "export"


@pytest.fixture
def trusted(site: Site, tmp_path: Path) -> Path:
    path = tmp_path / "my-policy.json"
    path.write_bytes(site.policy.to_json())
    return path

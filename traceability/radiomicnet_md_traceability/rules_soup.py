# SPDX-License-Identifier: Apache-2.0
"""Whether the software of others is the one that was reviewed, and the review is young enough."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from radiomicnet_md_traceability import documents, environment, soup
from radiomicnet_md_traceability.findings import Place
from radiomicnet_md_traceability.graph import Graph

SNAPSHOT = Path("traceability") / "soup" / "vulnerabilities.json"
_REVIEW, _SNAPSHOT = timedelta(days=90), timedelta(days=30)


def unequal(graph: Graph) -> Iterator[Place]:
    """T15: items, dependencies, lock file and environment that differ."""
    items = {soup.canonical_name(str(item.values.get("name", ""))): item for item in graph.items.of("soup")}
    declared, locked = soup.declared(graph.root), soup.locked(graph.root)
    for name in sorted(declared - items.keys()):
        yield name, "is a dependency without a SOUP item"
    for name, item in sorted(items.items()):
        if name not in declared:
            yield item.id, f"describes {name}, which is no dependency"
        says = item.values.get("version")
        if locked.get(name) != says:
            yield item.id, f"says version {says}, the lock file says {locked.get(name)}"
        have = soup.installed(str(item.values.get("name", "")))
        if have != says and (item.values.get("scope") == "device" or have is not None):
            yield item.id, f"says version {says}, installed is {have}"


def outdated(graph: Graph) -> Iterator[Place]:
    """T16: reviews of anomalies older than 90 days, vulnerabilities older than 30, on the results' day."""
    if graph.results is None:
        return
    today = date.fromisoformat(graph.results.started[:10])
    for item in graph.items.of("soup"):
        reviewed = str(item.values.get("anomalies", {}).get("reviewed", "1970-01-01"))
        if today - date.fromisoformat(reviewed) > _REVIEW:
            yield item.id, f"its anomalies were last reviewed on {reviewed}"
    file = graph.root / SNAPSHOT
    if not file.is_file():
        return
    seen = json.loads(file.read_text(encoding="utf-8"))
    if today - date.fromisoformat(seen["retrieved"]) > _SNAPSHOT:
        yield SNAPSHOT.as_posix(), f"was retrieved on {seen['retrieved']}"
    if seen["lock_sha256"] != environment.digest(soup.locks(graph.root)):
        yield SNAPSHOT.as_posix(), "is about other packages than the lock file"
    for finding in seen["findings"]:
        if not finding.get("analysis"):
            yield SNAPSHOT.as_posix(), f"{finding['id']} has no analysis"


def drifted(graph: Graph) -> Iterator[Place]:
    """T25: generated pages that are not what the items say."""
    if graph.items.faults:
        return  # T01 and T02 have said why they cannot be written
    for name, text in documents.pages(graph).items():
        file = graph.root / name
        if not file.is_file() or file.read_text(encoding="utf-8") != text:
            yield name, "is not what the items and the lock file say"

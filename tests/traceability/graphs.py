# SPDX-License-Identifier: Apache-2.0
"""Graphs made by hand: a rule sees what is said here and nothing else, so that one file of a checkout is not needed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from radiomicnet_md_traceability import load, stamp
from radiomicnet_md_traceability.collect import BoundTest
from radiomicnet_md_traceability.findings import Place
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Fault, Item, Items
from radiomicnet_md_traceability.results import Outcome, Results
from radiomicnet_md_traceability.reviews import Reviews

LOCK = Path("requirements") / "lock-py311.txt"
STARTED = "2026-11-23T08:00:00Z"
NOWHERE = Path("nowhere")


def item(id_: str, **values: object) -> Item:
    """An item whose kind its id says."""
    return Item(id_, load._PREFIXES[id_.partition("-")[0]], {"id": id_, **values}, "made.yaml")


def bound(name: str, *ids: str, **more: Any) -> BoundTest:  # noqa: ANN401 - the fields of a test
    """A test ``test_it.py::NAME`` of these requirements, whose source has its name for a digest."""
    return BoundTest(f"test_it.py::{name}", ids, source_sha256=name, **more)


def outcome(word: str = "passed", reason: str = "", *, of: str = "a", **more: Any) -> Outcome:  # noqa: ANN401
    """What became of the test ``of``, which said what it expected."""
    return Outcome(word, reason, **{"expected": "It holds.", "source_sha256": of, **more})


def made(  # noqa: PLR0913 - all that a graph holds
    items: Iterable[Item] = (),
    tests: Iterable[BoundTest] = (),
    outcomes: Mapping[str, Outcome] | None = None,
    *,
    head: Mapping[str, object] | None = None,
    reviews: Reviews | None = None,
    faults: Iterable[Fault] = (),
    root: Path = NOWHERE,
) -> Graph:
    """A graph; with ``outcomes`` by the name of a test, results of it as it is."""
    bound_tests, found = tuple(tests), {one.id: one for one in items}
    by_id: dict[str, tuple[BoundTest, ...]] = {}
    for one in bound_tests:
        for id_ in one.ids:
            by_id[id_] = (*by_id.get(id_, ()), one)
    results = None
    if outcomes is not None:
        stamps = {one.id: stamp.of(one) for one in found.values()}
        told = {f"test_it.py::{name}": seen for name, seen in outcomes.items()}
        results = Results(STARTED, told, {"stamps": stamps, **(head or {})})
    items_found = Items(found, tuple(faults))
    return Graph(root, items_found, bound_tests, results, reviews or Reviews(), by_id)


def places(found: Iterable[Place]) -> list[str]:
    """Where a rule is broken, in its order; what it says of it is for people."""
    return [where for where, _ in found]

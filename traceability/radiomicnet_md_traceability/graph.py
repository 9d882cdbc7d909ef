# SPDX-License-Identifier: Apache-2.0
"""Items, tests and outcomes as one graph, with the few questions that rules and the matrix ask of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from radiomicnet_md_traceability import collect, load, results, reviews
from radiomicnet_md_traceability.collect import BoundTest
from radiomicnet_md_traceability.load import Item, Items
from radiomicnet_md_traceability.results import Outcome, Results
from radiomicnet_md_traceability.reviews import Reviews

# Fields that hold ids of other items.
LINKS = (
    "parents",
    "risk_controls",
    "implements",
    "controls",
    "hazards",
    "new_hazards",
    "verified_by",
    "satisfies",
    "evidence",
)


@dataclass(frozen=True, slots=True)
class Graph:
    """A checkout as the trace rules see it; ``results`` is None where structure alone is judged."""

    root: Path
    items: Items
    tests: tuple[BoundTest, ...]
    results: Results | None
    reviews: Reviews
    _tests_of: Mapping[str, tuple[BoundTest, ...]] = field(repr=False)

    def tests_of(self, requirement: str) -> tuple[BoundTest, ...]:
        """The tests that name this requirement."""
        return self._tests_of.get(requirement, ())

    def attackers_of(self, control: str) -> tuple[BoundTest, ...]:
        """The tests whose mark says ``rc=``: they show that the control has its effect, not only that it is there."""
        return tuple(test for test in self.tests if control in test.controls)

    def implementation_tests_of(self, control: Item) -> tuple[BoundTest, ...]:
        """The tests of the requirements that a control implements, each once."""
        found = {test.nodeid: test for id_ in control.links("implements") for test in self.tests_of(id_)}
        return tuple(found.values())

    def children(self, parent: str) -> tuple[Item, ...]:
        """The requirements that name this one as a parent."""
        return tuple(item for item in self.items.by_id.values() if parent in item.links("parents"))

    def outcome(self, test: BoundTest) -> Outcome | None:
        """The test's outcome in the latest results; None where it did not run or there are none."""
        return None if self.results is None else self.results.outcomes.get(test.nodeid)

    def links(self) -> Iterator[tuple[Item, str, str]]:
        """Every link of every item as (item, field, target id)."""
        for item in self.items.by_id.values():
            for name in LINKS:
                for target in item.links(name):
                    yield item, name, target


def build(root: Path, *, structure: bool = False) -> Graph:
    """The graph of the checkout at ``root``; with ``structure`` the latest results are left out."""
    tests = collect.tests(root)
    by_id: dict[str, list[BoundTest]] = {}
    for test in tests:
        for id_ in test.ids:
            by_id.setdefault(id_, []).append(test)
    latest = None if structure else results.read(root)
    items = load.load(root / "traceability")
    seen = reviews.read(root / "traceability")
    return Graph(root, items, tests, latest, seen, {id_: tuple(bound) for id_, bound in by_id.items()})

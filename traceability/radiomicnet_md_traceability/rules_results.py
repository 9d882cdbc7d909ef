# SPDX-License-Identifier: Apache-2.0
"""Whether the results are there, are of this source, and say what was measured; silent where there are none."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from radiomicnet_md_traceability import acceptance, environment, lobster, soup, stamp, verdict
from radiomicnet_md_traceability.collect import BoundTest
from radiomicnet_md_traceability.findings import Place
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.results import Outcome

_RUN = ".results/latest.jsonl"


def not_passed(graph: Graph) -> Iterator[Place]:
    """T07: tests that failed or did not run, and requirements that rest on what this machine lacks."""
    if graph.results is None:
        return
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is None:
            yield test.nodeid, f"is not among the results of {graph.results.started}"
        elif outcome.outcome in {"failed", "error"}:
            yield test.nodeid, f"{outcome.outcome} ({outcome.reason}){_not_verified(test.ids)}"
        elif outcome.absent:
            unproven = [id_ for id_ in test.ids if not _passes(graph, id_)]
            if unproven:
                yield test.nodeid, f"was skipped ({outcome.reason}){_not_verified(unproven)}"


def stale(graph: Graph) -> Iterator[Place]:
    """T08: results of other requirements, tests, code, packages or weights than those that are here."""
    if graph.results is None:
        return
    head = graph.results.head
    now = {
        "code_sha256": (environment.code_digest(graph.root), "the source of the product"),
        "lock_sha256": (environment.digest(soup.locks(graph.root)), "the lock file"),
        "model_sha256": (environment.model_digest(graph.root), "the release"),
    }
    for field, (digest, what) in now.items():
        if head.get(field) != digest:
            yield _RUN, f"{what} has changed since {graph.results.started}"
    stamps = head.get("stamps", {})
    for item in graph.items.of("software"):
        if item.id in stamps and stamps[item.id] != stamp.of(item):
            yield item.id, f"was changed after the tests ran on {graph.results.started}"
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is not None and outcome.source_sha256 != test.source_sha256:
            yield test.nodeid, f"was changed after it ran on {graph.results.started}"


def incomplete(graph: Graph) -> Iterator[Place]:
    """T19: results without surroundings, of a dirty tree, or whose verdict does not follow from what was measured."""
    if graph.results is None:
        return
    for field in environment.MANDATORY:
        if not graph.results.head.get(field):
            yield _RUN, f"does not say the {field.replace('_', ' ')}"
    if graph.results.head.get("dirty") is not False:
        yield _RUN, "was not obtained on a committed source"
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is not None and test.ids:
            yield from ((test.nodeid, text) for text in _hollow(test, outcome))


def _hollow(test: BoundTest, outcome: Outcome) -> Iterator[str]:
    if not outcome.expected:
        yield "does not say what was expected"
    if outcome.outcome != "passed":
        return
    if test.expected and not outcome.actual:
        yield "says what is expected and not what was found"
    for one in outcome.actual:
        if not verdict.holds(one["value"], one["criterion"]):
            yield f"passed with {one['name']} = {one['value']}, demanded is {one['criterion']}"


def platform(graph: Graph) -> Iterator[Place]:
    """T20: platforms that the instructions for use name and on which the tests did not run."""
    if graph.results is None:
        return
    head = graph.results.head
    python = ".".join(str(head.get("python", "")).split(".")[:2])
    for item in graph.items.of("platform"):
        values = item.values
        if not values.get("listed"):
            continue
        cuda = head.get("accelerator", "none") != "none"
        here = values["system"] == head.get("system") and values["machine"] == head.get("machine")
        for version in values["python"]:
            if not here or version != python or (values["accelerator"] == "cuda") != cuda:
                yield item.id, f"is listed, and no results are of it with Python {version}"


def acceptance_objects(graph: Graph) -> Iterator[Place]:
    """T22: acceptance objects changed after their hash, too few cases that passed, and numbers that are none."""
    for item in graph.items.of("acceptance"):
        if item.values.get("sha256") != stamp.of(item):
            yield item.id, "is not what its hash says"
    if graph.results is None:
        return
    for seen in acceptance.read(graph.root):
        found = graph.items.by_id.get(seen.id)
        if found is None or found.kind != "acceptance":
            yield seen.id, "has results and is no acceptance object"
            continue
        if seen.sha256 != stamp.of(found):
            yield seen.id, "was changed after the test set was opened"
        if not math.isfinite(seen.value):
            yield seen.id, f"its value is {seen.value}"
        elif seen.status != acceptance.judge(found, seen):
            yield seen.id, f"is said to be {seen.status}, and is {acceptance.judge(found, seen)} with n = {seen.n}"


def deviated(graph: Graph) -> Iterator[Place]:
    """T24: tests that were skipped or expected to fail, without a deviation that says why this may be."""
    excused = {nodeid for item in graph.items.of("deviation") for nodeid in item.links("tests")}
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is None or outcome.absent or test.nodeid in excused:
            continue
        if outcome.outcome in {"skipped", "xfailed"}:
            yield test.nodeid, f"{outcome.outcome} ({outcome.reason}){_not_verified(test.ids)}"


def second_opinion(graph: Graph) -> Iterator[Place]:
    """T26: requirements that LOBSTER, an independent tool, judges otherwise than this one."""
    if graph.results is not None:
        yield from lobster.disagreements(graph)


def _passes(graph: Graph, requirement: str) -> bool:
    outcomes = (graph.outcome(test) for test in graph.tests_of(requirement))
    return any(outcome is not None and outcome.outcome == "passed" for outcome in outcomes)


def _not_verified(ids: Sequence[str]) -> str:
    return f"; not verified: {', '.join(ids)}" if ids else ""

# SPDX-License-Identifier: Apache-2.0
"""Whether each hazard is controlled, each control is there, and each control was attacked by a test of its own."""

from __future__ import annotations

from collections.abc import Iterator

from radiomicnet_md_traceability import mutants
from radiomicnet_md_traceability.collect import BoundTest, symbol_exists
from radiomicnet_md_traceability.findings import Place
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item


def uncontrolled(graph: Graph) -> Iterator[Place]:
    """T11: hazards without control or rated residual risk."""
    for item in graph.items.of("hazard"):
        if not item.links("controls"):
            yield item.id, "has no risk control"
        if "residual" not in item.values:
            yield item.id, "its residual risk is not rated"


def hollow(graph: Graph) -> Iterator[Place]:
    """T12: controls without requirement, code or test, and links that stand on one side only."""
    for item in graph.items.of("control"):
        requirements = item.links("implements")
        if not requirements:
            yield item.id, "implements no requirement"
        if not item.links("code"):
            yield item.id, "names no code"
        for symbol in item.links("code"):
            if not symbol_exists(graph.root, symbol):
                yield item.id, f"names {symbol}, which is not in the source"
        for mutant in mutants.of(item):
            if not symbol_exists(graph.root, str(mutant.how["symbol"])):
                yield item.id, f"is broken in {mutant.how['symbol']}, which is not in the source"
        if not any(graph.tests_of(requirement) for requirement in requirements):
            yield item.id, "no test verifies what it implements"
    yield from _one_sided(graph)


def _one_sided(graph: Graph) -> Iterator[Place]:
    used = {target for _, field, target in graph.links() if field == "controls"}
    for control in graph.items.of("control"):
        if control.id not in used:
            yield control.id, "no hazard is controlled by it"
        for requirement in graph.items.of("software"):
            says = requirement.id in control.links("implements")
            if says != (control.id in requirement.links("risk_controls")):
                yield control.id, f"the link with {requirement.id} stands on one side only"


def survived(graph: Graph) -> Iterator[Place]:
    """T13: controls that can be broken without a test turning red, or that were changed since ``trace mutate``."""
    seen = None if graph.results is None else mutants.read(graph.root)
    if seen is None:
        return
    for control in graph.items.of("control"):
        yield from ((control.id, text) for text in mutants.faults(graph, control, seen))


def same_tests(graph: Graph) -> Iterator[Place]:
    """T14: controls whose effect rests on the tests of their presence, on tests of something else, or on no test."""
    for control in graph.items.of("control"):
        present = {test.nodeid for test in graph.implementation_tests_of(control)}
        attackers = graph.attackers_of(control.id)
        if present and not attackers:
            yield control.id, "no test says that it attacks it"
        elif present and present == {test.nodeid for test in attackers}:
            yield control.id, "the tests of its effect are those of its presence"
        elif attackers and not any(_fits(graph, control, test) for test in attackers):
            yield control.id, "no test that attacks it is of a requirement it implements, at that requirement's level"


def _fits(graph: Graph, control: Item, test: BoundTest) -> bool:
    """Whether a test looks where the control acts: that a port answers shows nothing about what lies behind it."""
    requirements = [graph.items.by_id[id_] for id_ in control.links("implements") if id_ in graph.items.by_id]
    levels = {one.id: one.values.get("verification", {}).get("level") for one in requirements}
    return any(test.level in ("", levels[id_]) for id_ in test.ids if id_ in levels)


def unrated(graph: Graph) -> Iterator[Place]:
    """T17: anomalies left in without a word on their risk."""
    for item in graph.items.of("anomaly"):
        if item.values.get("decision") == "defer" and not (item.values.get("rationale") and item.links("hazards")):
            yield item.id, "is left in, without hazards and a rationale"

# SPDX-License-Identifier: Apache-2.0
"""Nineteen ways in which a trace can be broken, each with its own function, message and remedy.

Rules of this module:

- A rule is a pure function from the graph to the places where it is broken; the table ``RULES`` is what the
  command runs and what ``docs/reference/trace-rules.md`` lists.
- Each rule has a seeded fault in ``tests/traceability`` that turns it red.
- T17 to T19 judge outcomes and stay silent where no results are given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from radiomicnet_md_traceability import soup
from radiomicnet_md_traceability.collect import symbol_exists
from radiomicnet_md_traceability.graph import Graph

Place = tuple[str, str]  # where, what

_VAGUE = re.compile(
    r"\b(adequate|appropriate|as needed|and/or|easy|easily|efficient|etc|fast|flexible|if possible|minimal|normally|"
    r"optimal|properly|quick|quickly|reasonable|robust|several|sufficient|suitable|timely|user-friendly|usually)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its id, what it demands in one line, how to mend a breach, and the function that finds them."""

    id: str
    demand: str
    remedy: str
    broken: Callable[[Graph], Iterator[Place]]


@dataclass(frozen=True, slots=True)
class Finding:
    """One breach of one rule."""

    rule: str
    where: str
    message: str
    remedy: str


def run(graph: Graph) -> tuple[Finding, ...]:
    """All findings, in the order of the rules."""
    return tuple(
        Finding(rule.id, where, message, rule.remedy) for rule in RULES for where, message in rule.broken(graph)
    )


def _schema(graph: Graph) -> Iterator[Place]:
    return ((fault.where, fault.text) for fault in graph.items.faults if fault.kind == "schema")


def _duplicate(graph: Graph) -> Iterator[Place]:
    return ((fault.where, fault.text) for fault in graph.items.faults if fault.kind == "duplicate")


def _dangling(graph: Graph) -> Iterator[Place]:
    for item, field, target in graph.links():
        if target not in graph.items.by_id:
            yield item.id, f"{field} names {target}, which no item has"


def _orphan(graph: Graph) -> Iterator[Place]:
    for kind in ("system", "software"):
        for item in graph.items.of(kind):
            if not item.links("parents"):
                yield item.id, "has no parent"


def _childless(graph: Graph) -> Iterator[Place]:
    for kind in ("user_need", "system"):
        for item in graph.items.of(kind):
            if not graph.children(item.id):
                yield item.id, "no requirement answers it"


def _untested(graph: Graph) -> Iterator[Place]:
    for item in graph.items.of("software"):
        if not graph.tests_of(item.id):
            yield item.id, "no test verifies it"


def _unknown_id(graph: Graph) -> Iterator[Place]:
    known = {item.id for item in graph.items.of("software")}
    for test in graph.tests:
        for id_ in test.ids:
            if id_ not in known:
                yield test.nodeid, f"verifies {id_}, which is no software requirement"


def _orphan_test(graph: Graph) -> Iterator[Place]:
    for test in graph.tests:
        if not test.ids:
            yield test.nodeid, "verifies no requirement"


def _wording(graph: Graph) -> Iterator[Place]:
    for kind in ("system", "software"):
        for item in graph.items.of(kind):
            text = str(item.values.get("text", ""))
            count = len(re.findall(r"\bshall\b", text))
            if count != 1:
                yield item.id, f'the text has "shall" {count} times'
            for word in _VAGUE.findall(f"{text} {item.values.get('measure', '')}"):
                yield item.id, f'"{word}" cannot be measured'


def _uncontrolled(graph: Graph) -> Iterator[Place]:
    for item in graph.items.of("hazard"):
        if not item.links("controls"):
            yield item.id, "has no risk control"
        if "residual" not in item.values:
            yield item.id, "its residual risk is not rated"


def _hollow_control(graph: Graph) -> Iterator[Place]:
    for item in graph.items.of("control"):
        requirements = item.links("implements")
        if not requirements:
            yield item.id, "implements no requirement"
        if not item.links("code"):
            yield item.id, "names no code"
        for symbol in item.links("code"):
            if not symbol_exists(graph.root, symbol):
                yield item.id, f"names {symbol}, which is not in the source"
        if not any(graph.tests_of(requirement) for requirement in requirements):
            yield item.id, "no test verifies what it implements"


def _one_sided(graph: Graph) -> Iterator[Place]:
    used = {target for _, field, target in graph.links() if field == "controls"}
    for control in graph.items.of("control"):
        if control.id not in used:
            yield control.id, "no hazard is controlled by it"
        for requirement in graph.items.of("software"):
            says = requirement.id in control.links("implements")
            if says != (control.id in requirement.links("risk_controls")):
                yield control.id, f"the link with {requirement.id} stands on one side only"


def _undeclared(graph: Graph) -> Iterator[Place]:
    items = {soup.canonical_name(str(item.values.get("name", ""))): item.id for item in graph.items.of("soup")}
    declared = soup.declared(graph.root)
    for name in sorted(declared - items.keys()):
        yield name, "is a dependency without a SOUP item"
    for name in sorted(items.keys() - declared):
        yield items[name], f"describes {name}, which is no dependency"


def _unlocked(graph: Graph) -> Iterator[Place]:
    locked = soup.locked(graph.root)
    for item in graph.items.of("soup"):
        have = locked.get(soup.canonical_name(str(item.values.get("name", ""))))
        if have != item.values.get("version"):
            yield item.id, f"says version {item.values.get('version')}, the lock file says {have}"


def _uninstalled(graph: Graph) -> Iterator[Place]:
    for item in graph.items.of("soup"):
        have = soup.installed(str(item.values.get("name", "")))
        needed = item.values.get("scope") == "device"
        if have != item.values.get("version") and (needed or have is not None):
            yield item.id, f"says version {item.values.get('version')}, installed is {have}"


def _soup_document(graph: Graph) -> Iterator[Place]:
    if any(fault.where.startswith("soup/") for fault in graph.items.faults):
        return  # T01 and T02 have said why it cannot be written
    file = graph.root / soup.DOCUMENT
    if not file.is_file() or file.read_text(encoding="utf-8") != soup.document(graph.root, graph.items.of("soup")):
        yield soup.DOCUMENT, "is not what the items and the lock file say"


def _failed(graph: Graph) -> Iterator[Place]:
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is not None and outcome.outcome == "failed":
            yield test.nodeid, f"failed ({outcome.reason}){_not_verified(test.ids)}"


def _skipped(graph: Graph) -> Iterator[Place]:
    for test in graph.tests:
        outcome = graph.outcome(test)
        if outcome is None or outcome.outcome != "skipped":
            continue
        unproven = [id_ for id_ in test.ids if not (outcome.absent and _passes(graph, id_))]
        if unproven:
            yield test.nodeid, f"was skipped ({outcome.reason}){_not_verified(unproven)}"


def _not_run(graph: Graph) -> Iterator[Place]:
    if graph.results is None:
        return
    for test in graph.tests:
        if graph.outcome(test) is None:
            yield test.nodeid, f"is not among the results of {graph.results.started}"


def _passes(graph: Graph, requirement: str) -> bool:
    outcomes = (graph.outcome(test) for test in graph.tests_of(requirement))
    return any(outcome is not None and outcome.outcome == "passed" for outcome in outcomes)


def _not_verified(ids: Sequence[str]) -> str:
    return f"; not verified: {', '.join(ids)}" if ids else ""


RULES = (
    Rule("T01", "every item is valid against its JSON Schema", "correct the item's fields", _schema),
    Rule("T02", "an id is used once", "give one of the two items a new id; ids are never reused", _duplicate),
    Rule("T03", "every link ends at an item", "correct the id or write the missing item", _dangling),
    Rule("T04", "every system and software requirement has a parent", "name the need or requirement above", _orphan),
    Rule("T05", "every need and system requirement has a child", "write the requirement below, or drop it", _childless),
    Rule("T06", "every software requirement has a test", 'mark a test with @pytest.mark.verifies("<id>")', _untested),
    Rule("T07", "a test verifies only known requirements", "correct the id in the mark", _unknown_id),
    Rule("T08", "every test verifies a requirement", "mark it with literal ids", _orphan_test),
    Rule("T09", 'a requirement has one "shall" and no vague word', "split it, or say what is measured", _wording),
    Rule("T10", "every hazard has a control and a rated residual risk", "add what is missing", _uncontrolled),
    Rule("T11", "a control has a requirement, code and a test", "name what carries it out", _hollow_control),
    Rule("T12", "controls, requirements and hazards name each other", "write the link on both sides", _one_sided),
    Rule("T13", "dependencies and SOUP items are the same set", "write or retire the SOUP item", _undeclared),
    Rule("T14", "SOUP items and the lock file agree", "review the new version, then change item and lock", _unlocked),
    Rule("T15", "SOUP items and the environment agree", "run `make setup`, or review the new version", _uninstalled),
    Rule(
        "T16",
        "SOUP.md is what the items say",
        "run `python -m radiomicnet_md_traceability soup --write`",
        _soup_document,
    ),
    Rule("T17", "no test of a requirement failed", "mend the cause, then run `make test`", _failed),
    Rule(
        "T18",
        "no requirement rests on a skipped test",
        "bring what is absent (a program, RADIOMICNET_MD_DATA) or remove the skip, then run `make test`",
        _skipped,
    ),
    Rule("T19", "every test is among the latest results", "run `make test`", _not_run),
)

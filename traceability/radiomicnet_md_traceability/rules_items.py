# SPDX-License-Identifier: Apache-2.0
"""Whether the items hold together and say what can be measured: no outcome of a test is looked at here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from radiomicnet_md_traceability import reviews, stamp
from radiomicnet_md_traceability.collect import symbol_exists
from radiomicnet_md_traceability.environment import CODE
from radiomicnet_md_traceability.findings import Place
from radiomicnet_md_traceability.graph import Graph

INSTRUCTIONS = "docs/regulatory/ifu.md"
_VAGUE = re.compile(
    r"\b(adequate|appropriate|as needed|and/or|easy|easily|efficient|etc|fast|flexible|if possible|minimal|normally|"
    r"optimal|properly|quick|quickly|reasonable|robust|several|sufficient|suitable|timely|user-friendly|usually)\b",
    re.IGNORECASE,
)
_UNFILLED = re.compile(r"\{\{.*?\}\}|\$\{.*?\}|<[A-Z_ -]{3,}>|\[\[.*?\]\]|\b(?:TBD|TODO|FIXME)\b")
_METRIC = re.compile(
    r"\b(ASSD|AUC|AUROC|Brier|Dice|ECE|HD95|Hausdorff|ICC|IoU|Jaccard|NSD|precision|recall|"
    r"sensitivity|specificity)\b",
    re.IGNORECASE,
)


def schema(graph: Graph) -> Iterator[Place]:
    """T01: what breaks its schema."""
    return ((fault.where, fault.text) for fault in graph.items.faults if fault.kind == "schema")


def duplicate(graph: Graph) -> Iterator[Place]:
    """T02: ids used twice."""
    return ((fault.where, fault.text) for fault in graph.items.faults if fault.kind == "duplicate")


def dangling(graph: Graph) -> Iterator[Place]:
    """T03: links of items and marks of tests that end nowhere."""
    for item, field, target in graph.links():
        if target not in graph.items.by_id:
            yield item.id, f"{field} names {target}, which no item has"
    software = {item.id for item in graph.items.of("software")}
    controls = {item.id for item in graph.items.of("control")}
    for test in graph.tests:
        for id_ in sorted(set(test.ids) - software):
            yield test.nodeid, f"verifies {id_}, which is no software requirement"
        for id_ in sorted(set(test.controls) - controls):
            yield test.nodeid, f"attacks {id_}, which is no risk control"
    known_tests = {test.nodeid for test in graph.tests}
    for item in graph.items.of("deviation"):
        for nodeid in item.links("tests"):
            if nodeid not in known_tests:
                yield item.id, f"names {nodeid}, which is no test"


def orphan(graph: Graph) -> Iterator[Place]:
    """T04: requirements without a parent, tests without a requirement."""
    for kind in ("system", "software"):
        for item in graph.items.of(kind):
            if not item.links("parents"):
                yield item.id, "has no parent"
    for test in graph.tests:
        if not test.ids:
            yield test.nodeid, "verifies no requirement"


def childless(graph: Graph) -> Iterator[Place]:
    """T05: needs and system requirements that nothing answers."""
    parents = {target for item in graph.items.of("software") for target in item.links("parents")}
    parents |= {target for item in graph.items.of("system") for target in item.links("parents")}
    for kind in ("user_need", "system"):
        for item in graph.items.of(kind):
            if item.id not in parents:
                yield item.id, "no requirement answers it"


def untested(graph: Graph) -> Iterator[Place]:
    """T06: requirements without a test at their level; a mark that names no level is at the requirement's."""
    for item in graph.items.of("software"):
        level = item.values.get("verification", {}).get("level")
        tests = graph.tests_of(item.id)
        if not tests:
            yield item.id, "no test verifies it"
        elif not any(test.level in ("", level) for test in tests):
            yield item.id, f"no test verifies it at the level {level}"


def suspect(graph: Graph) -> Iterator[Place]:
    """T09: reviewed links of which an end has changed since."""
    for entry in graph.reviews.entries:
        for end in ("parent", "child"):
            item = graph.items.by_id.get(str(entry[end]))
            if item is None or stamp.of(item) != entry[f"{end}_stamp"]:
                yield f"{entry['parent']} - {entry['child']}", f"{entry[end]} is not as it was reviewed"


def wording(graph: Graph) -> Iterator[Place]:
    """T10: requirements that cannot be measured."""
    for kind in ("system", "software"):
        for item in graph.items.of(kind):
            text = str(item.values.get("text", ""))
            count = len(re.findall(r"\bshall\b", text))
            if count != 1:
                yield item.id, f'the text has "shall" {count} times'
            for word in _VAGUE.findall(f"{text} {item.values.get('measure', '')}"):
                yield item.id, f'"{word}" cannot be measured'


def clause(graph: Graph) -> Iterator[Place]:
    """T18: clauses with neither evidence nor a word on who supplies it."""
    for item in graph.items.of("clause"):
        if not any(item.values.get(field) for field in ("evidence", "pages", "manufacturer", "not_applicable")):
            yield item.id, "has no evidence, and nobody is said to supply it"
        for page in item.links("pages"):
            if not (graph.root / page).exists():
                yield item.id, f"rests on {page}, which is not there"


def labelling(graph: Graph) -> Iterator[Place]:
    """T21: labelling requirements that the instructions for use do not meet, and words there that mean nothing yet."""
    file = graph.root / INSTRUCTIONS
    text = " ".join(file.read_text(encoding="utf-8").split()) if file.is_file() else ""
    for item in graph.items.of("labelling"):
        for phrase in item.links("phrases"):
            if phrase not in text:
                yield item.id, f'"{phrase}" does not stand in {INSTRUCTIONS}'
    for word in sorted(set(_UNFILLED.findall(text))):
        yield INSTRUCTIONS, f'"{word}" was never filled in'
    for word in sorted({found.lower() for found in _METRIC.findall(text)}):
        if f"**{word}**" not in text.lower():
            yield INSTRUCTIONS, f'"{word}" is used and nowhere defined, as **{word}**'


def design(graph: Graph) -> Iterator[Place]:
    """T23: designs whose code is gone, code without a design."""
    covered: list[str] = []
    for item in graph.items.of("design"):
        covered += item.links("modules")
        for symbol in item.links("code"):
            if not symbol_exists(graph.root, symbol):
                yield item.id, f"names {symbol}, which is not in the source"
    for folder in CODE:
        base = graph.root / folder
        for file in sorted(base.rglob("*.py")):
            module = ".".join(file.relative_to(base.parent).with_suffix("").parts).removesuffix(".__init__")
            if module == base.name:
                continue  # the package's own first line is no module of its own
            if not any(module == name or module.startswith(f"{name}.") for name in covered):
                yield module, "is described by no software design"


def self_approved(graph: Graph) -> Iterator[Place]:
    """T27: reviews by whoever wrote the item."""
    for entry in graph.reviews.entries:
        for end in ("parent", "child"):
            item = graph.items.by_id.get(str(entry[end]))
            if item is not None and item.values.get("author") == entry["by"]:
                yield f"{entry['parent']} - {entry['child']}", f"{entry['by']} wrote {item.id} and reviewed it"


def unsigned(graph: Graph) -> Iterator[Place]:
    """T28: reviews whose key was not valid, or whose signature does not hold."""
    for entry in graph.reviews.entries:
        reason = reviews.fault(entry, graph.reviews.signers)
        if reason:
            yield f"{entry['parent']} - {entry['child']}", reason

# SPDX-License-Identifier: Apache-2.0
"""One word for a test and for a requirement, computed from results, source, reviews and acceptance; PASS verifies.

``FAIL`` and ``ERROR`` weigh the same; a failing child makes its parents fail. ``UNTESTED`` and ``NOT_JUDGED`` (no
results) are no verdicts.
"""

from __future__ import annotations

from radiomicnet_md_traceability import acceptance, stamp, verdict
from radiomicnet_md_traceability.collect import BoundTest
from radiomicnet_md_traceability.graph import Graph

WORST_FIRST = (
    "FAIL",
    "ERROR",
    "STALE",
    "SUSPECT",
    "INCONCLUSIVE",
    "UNTESTED",
    "NOT_RUN",
    "XFAIL",
    "SKIP",
    "DEVIATED",
    "NOT_JUDGED",
    "PASS",
)
_WORDS = {"passed": "PASS", "failed": "FAIL", "error": "ERROR", "skipped": "SKIP", "xfailed": "XFAIL"}


def of_test(graph: Graph, test: BoundTest) -> str:
    """The status of one test."""
    if graph.results is None:
        return "NOT_JUDGED"
    seen = graph.results.outcomes.get(test.nodeid)
    if seen is None:
        return "NOT_RUN"
    if seen.source_sha256 != test.source_sha256:
        return "STALE"
    word = _WORDS[seen.outcome]
    if word == "PASS" and not all(verdict.holds(one["value"], one["criterion"]) for one in seen.actual):
        return "FAIL"
    excused = any(test.nodeid in item.links("tests") for item in graph.items.of("deviation"))
    return "DEVIATED" if excused and word in {"SKIP", "XFAIL"} else word


def of_requirement(graph: Graph, id_: str) -> str:
    """The status of one software requirement: the worst that any of its tests, reviews and acceptances says.

    A test that was skipped for want of a part counts for nothing beside one that passed.
    """
    tests = graph.tests_of(id_)
    if not tests:
        return "UNTESTED"
    words = {of_test(graph, test) for test in tests if not _absent(graph, test)} or {"SKIP"}
    if "PASS" not in words:
        words |= {of_test(graph, test) for test in tests}
    if graph.results is not None and graph.results.head.get("stamps", {}).get(id_) != stamp.of(graph.items.by_id[id_]):
        words.add("STALE")
    if _suspect(graph, id_):
        words.add("SUSPECT")
    for seen in acceptance.read(graph.root) if graph.results is not None else ():
        item = graph.items.by_id.get(seen.id)
        if item is not None and id_ in item.links("verified_by"):
            words.add(acceptance.judge(item, seen))
    return worst(words)


def of_parent(graph: Graph, id_: str) -> str:
    """The status of a need or a system requirement: the worst of what stands below it."""
    words = set()
    for child in graph.children(id_):
        if child.kind == "software":
            words.add(of_requirement(graph, child.id))
        elif child.kind == "system":
            words.add(of_parent(graph, child.id))
    return worst(words or {"UNTESTED"})


def worst(words: set[str]) -> str:
    """The word that weighs most."""
    return min(words, key=WORST_FIRST.index)


def _absent(graph: Graph, test: BoundTest) -> bool:
    seen = graph.outcome(test)
    return seen is not None and seen.absent


def _suspect(graph: Graph, id_: str) -> bool:
    for entry in graph.reviews.entries:
        if id_ in {entry["parent"], entry["child"]}:
            for end in ("parent", "child"):
                item = graph.items.by_id.get(str(entry[end]))
                if item is None or stamp.of(item) != entry[f"{end}_stamp"]:
                    return True
    return False

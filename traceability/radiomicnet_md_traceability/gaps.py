# SPDX-License-Identifier: Apache-2.0
"""What no program can supply: approvals, people's work, data that need a network; named, and never invented."""

from __future__ import annotations

from dataclasses import dataclass

from radiomicnet_md_traceability import acceptance, mutants, rules_soup, stamp
from radiomicnet_md_traceability.graph import LINKS, Graph


@dataclass(frozen=True, slots=True)
class Gap:
    """One thing that is missing; ``id`` is a clause's id or one of this module's own."""

    id: str
    text: str


def of_items(graph: Graph) -> tuple[Gap, ...]:
    """The gaps that the items alone tell: rows of a checklist that await what a manufacturer supplies."""
    return tuple(
        Gap(item.id, str(item.values["manufacturer"]))
        for item in graph.items.of("clause")
        if "manufacturer" in item.values
    )


def of_state(graph: Graph) -> tuple[Gap, ...]:
    """The gaps that reviews, data of others and results tell, beside those of the items."""
    found: list[Gap] = []
    links = {(target, item.id) for item, _, target in graph.links() if target in graph.items.by_id}
    reviewed = {(entry["parent"], entry["child"]) for entry in graph.reviews.entries}
    missing = len(links - reviewed)
    if missing:
        found.append(Gap("GAP-REVIEW", f"Signed reviews of {missing} links over {', '.join(LINKS)}"))
    if not (graph.root / rules_soup.SNAPSHOT).is_file():
        found.append(Gap("GAP-VULNERABILITIES", "Dated vulnerability data for the lock file, which need a network"))
    if graph.results is None:
        return (*found, Gap("GAP-RESULTS", "Results of a test run"))
    if not (graph.root / mutants.FILE).is_file():
        found.append(Gap("GAP-MUTATION", "A run in which each control is broken (trace mutate)"))
    seen = {one.id: one for one in acceptance.read(graph.root)}
    for item in graph.items.of("acceptance"):
        one = seen.get(item.id)
        word = "was not judged" if one is None else f"is {acceptance.judge(item, one)}"
        if one is None or acceptance.judge(item, one) != "PASS" or one.sha256 != stamp.of(item):
            found.append(Gap(item.id, f"Acceptance object that {word}"))
    return tuple(found)

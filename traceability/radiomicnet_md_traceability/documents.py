# SPDX-License-Identifier: Apache-2.0
"""Pages and pictures made from items and source, never by hand; the trace check finds any that was changed.

Every regulatory page opens with the stamp: what these pages say is a demonstration on public data, proposed by the
project and approved by nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from radiomicnet_md_traceability import boundary, floors, gaps, interface, models, mutants, soup, walk
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

FOLDER = "docs/regulatory"
PICTURES = f"{FOLDER}/architecture"
STAMP = (
    "> **Demonstration on public data; not clinical evidence; not a cleared medical device.** Every item is proposed "
    "and none is approved.\n"
)
_WRITTEN = (
    "Written from `traceability/` by `python -m radiomicnet_md_traceability docs`; change the items, not this page.\n"
)
_RELEASED = (
    "Written from the signed files of `radiomicnet_md/releases/` by `python -m radiomicnet_md_traceability docs`; "
    "their words are the release's own, but for what was learned after it was signed.\n"
)


def pages(graph: Graph) -> dict[str, str]:
    """The name (below the checkout) and the text of every generated page; results take no part in any of them."""
    return {
        soup.DOCUMENT: soup.document(graph.root, graph.items.of("soup")),
        f"{FOLDER}/hazard_analysis.md": _page("Hazard analysis", _hazards(graph)),
        f"{FOLDER}/risk_control_verification.md": _page("Verification of risk controls", _breaks(graph)),
        f"{FOLDER}/threat_model.md": _page("Threat model", _threats(graph)),
        f"{FOLDER}/design.md": _page("Software design", _designs(graph)),
        f"{FOLDER}/checklists.md": _page("Checklists", _clauses(graph)),
        f"{FOLDER}/gaps.md": _page("Gaps", _gaps(graph)),
        f"{FOLDER}/model/model_card.md": _page("Model card", models.card(graph.root), _RELEASED),
        f"{FOLDER}/model/data_sheet.md": _page("Data sheet", models.sheet(graph.root), _RELEASED),
        **_drawn(graph),
    }


def _drawn(graph: Graph) -> dict[str, str]:
    """Pictures and reference from items and source, of what a checkout has of these."""
    drawn = {f"{PICTURES}/trust-boundary.svg": boundary.draw(graph.items.of("threat"))}
    if (graph.root / floors.CONTRACTS).is_file():
        drawn[f"{PICTURES}/floor-plan.svg"] = floors.draw(graph.root)
    if (graph.root / walk.DESK).is_file():
        drawn[f"{PICTURES}/data-walk.svg"] = walk.draw(graph.root)
        drawn[interface.PAGE] = interface.page(graph.root)
    return drawn


def requirements(graph: Graph) -> str:
    """All requirements on one page, for the evidence bundle; too many to be kept beside their items."""
    return _page("Requirements", _requirements(graph))


def _page(title: str, lines: Iterator[str], written: str = _WRITTEN) -> str:
    return "\n".join([f"# {title}\n", STAMP, written, *lines, ""])


def _hazards(graph: Graph) -> Iterator[str]:
    yield (
        "Severity 1 negligible, 2 minor, 3 serious, 4 critical, 5 catastrophic; probability of harm 1 improbable, "
        "2 remote, 3 occasional, 4 probable, 5 frequent.\n"
    )
    for item in graph.items.of("hazard"):
        values = item.values
        first, rest = values["initial"], values["residual"]
        yield f"## {item.id} {values['title']}\n"
        yield from (f"{number}. {step}" for number, step in enumerate(values["sequence"], 1))
        yield f"\n- Situation: {values['situation']}\n- Harm: {values['harm']}"
        yield f"- Before: severity {first['severity']}, probability {first['probability']}{_split(first)}"
        yield f"- After: severity {rest['severity']}, probability {rest['probability']}. {rest['rationale']}"
        yield f"- Controls: {_list(item, 'controls')}"
        yield f"- Hazards that the controls bring: {_list(item, 'new_hazards')}\n"
    yield "## Controls\n"
    yield "| Control | Kind | What it does | Requirements, whose tests show that it is there | Tests that attack it |"
    yield "|---|---|---|---|---|"
    for item in graph.items.of("control"):
        values, attacks = item.values, graph.attackers_of(item.id)
        yield (
            f"| {item.id} {values['title']} | {values['kind']} | {values['text']} "
            f"| {_list(item, 'implements')} | {', '.join(f'`{test.nodeid}`' for test in attacks)} |"
        )


def _breaks(graph: Graph) -> Iterator[str]:
    yield (
        "How `trace mutate` breaks each control. Each time at least one of the tests that attack it must fail: a test "
        "that stays green says nothing about the control. What became of each break in the latest run that was written "
        "down stands in [risk controls, broken](../reference/risk-controls.md), beside what the five ways mean.\n"
    )
    for item in graph.items.of("control"):
        yield f"## {item.id} {item.values['title']}\n"
        yield f"{item.values['text']}\n"
        yield f"Attacked by {', '.join(f'`{test.nodeid}`' for test in graph.attackers_of(item.id)) or 'no test'}.\n"
        yield "| Way | Broken | How |"
        yield "|---|---|---|"
        for mutant in mutants.of(item):
            yield f"| {mutant.way} | `{mutant.how['symbol']}` | {_how(mutant.how)} |"
        for how in item.values.get("breaks", ()):
            if "not_applicable" in how:
                yield f"| {how['way'].replace('_', ' ')} | not applicable | {how['not_applicable']} |"
        yield ""


def _how(how: Mapping[str, Any]) -> str:
    """A break in words; a text of the source as it stands there, on one line."""

    def code(text: object) -> str:
        return f"`{' '.join(str(text).split())}`".replace("|", "\\|")

    match how:
        case {"return": value}:
            return f"gives back {code(value)} at once"
        case {"swallow": caught, **more}:
            return f"lets no {code(caught)} out, and gives {code(more.get('give', 'None'))}"
        case {"log": raised}:
            return f"logs {code(raised)} where it was raised, and goes on"
        case {"value": value}:
            return f"is {code(value)}"
    old, new = how["replace"]
    return f"{code(old)} becomes {code(new)}" if new else f"{code(old)} is left out"


def _split(rating: dict[str, int]) -> str:
    return f" (P1 {rating['p1']}, P2 {rating['p2']})" if "p1" in rating else ""


def _threats(graph: Graph) -> Iterator[str]:
    counted = Counter(str(item.values["stride"]) for item in graph.items.of("threat"))
    yield f"STRIDE over the data flow: {', '.join(f'{kind} {n}' for kind, n in sorted(counted.items()))}.\n"
    yield "![The border of trust, and the threats on each flow](architecture/trust-boundary.svg)\n"
    for item in graph.items.of("threat"):
        values = item.values
        yield f"## {item.id} {values['title']}\n"
        yield f"*{values['stride']}*, on the flow *{values['flow']}*, exploitability {values['exploitability']}.\n"
        yield f"- Attack: {values['attack']}\n- Effect: {values['effect']}\n- Controls: {_list(item, 'controls')}"
        yield f"- Tested by: {_list(item, 'verified_by')}\n- Hazards: {_list(item, 'hazards')}"
        yield f"- What remains: {values['residual']}\n"


def _requirements(graph: Graph) -> Iterator[str]:
    titles = {"user_need": "User needs", "system": "System", "software": "Software", "labelling": "Labelling"}
    for kind, title in titles.items():
        yield f"## {title}\n"
        for item in graph.items.of(kind):
            parents = f" ({_list(item, 'parents')})" if item.links("parents") else ""
            measure = f" *{item.values['measure']}*" if "measure" in item.values else ""
            yield f"- **{item.id}** {item.values['title']}{parents}. {item.values['text']}{measure}"
        yield ""


def _designs(graph: Graph) -> Iterator[str]:
    for item in graph.items.of("design"):
        yield f"## {item.id} {item.values['title']}\n"
        yield f"{item.values['text']}\n"
        yield f"- Satisfies: {_list(item, 'satisfies')}"
        yield f"- Modules: {', '.join(f'`{name}`' for name in item.links('modules'))}"
        yield f"- Code: {', '.join(f'`{name}`' for name in item.links('code'))}\n"


def _clauses(graph: Graph) -> Iterator[str]:
    documents = dict.fromkeys(str(item.values["document"]) for item in graph.items.of("clause"))
    for document in documents:
        yield f"## {document}\n"
        yield "| Row | Subject | Evidence |"
        yield "|---|---|---|"
        for item in graph.items.of("clause"):
            if item.values["document"] == document:
                yield f"| {item.id} | {item.values['title']} | {_evidence(item)} |"
        yield ""


def _evidence(item: Item) -> str:
    values = item.values
    parts = [_list(item, "evidence")] if item.links("evidence") else []
    parts += [f"[{page}](../../{page})" for page in item.links("pages")]
    if "manufacturer" in values:
        parts.append(f"manufacturer to supply: {values['manufacturer']}")
    if "not_applicable" in values:
        parts.append(f"not applicable: {values['not_applicable']}")
    return "; ".join(parts)


def _gaps(graph: Graph) -> Iterator[str]:
    yield "What only a manufacturer or a person can supply. Each blocks `evidence build --release` and nothing else.\n"
    yield "| Gap | What is missing |"
    yield "|---|---|"
    for gap in gaps.of_items(graph):
        yield f"| {gap.id} | {gap.text} |"


def _list(item: Item, field: str) -> str:
    return ", ".join(item.links(field)) or "none"

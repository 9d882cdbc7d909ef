# SPDX-License-Identifier: Apache-2.0
"""The trace in the form of LOBSTER, and LOBSTER's verdict beside ours.

LOBSTER is another project's tool under another licence: it runs as a program of its own, and no byte of it is here. Its
three inputs are needs and requirements (``req``), code (``imp``) and tests (``act``), each item with the tags of
the items above it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

REPORT = Path(".results") / "lobster.json"
POLICY = """\
requirements "Requirements" { source: "requirements.lobster"; }
activity "Tests" { source: "tests.lobster"; trace to: "Requirements"; }
"""


def render(graph: Graph) -> dict[str, str]:
    """File names and contents: requirements, tests, and the policy that ``lobster-report`` reads."""
    requirements = [_requirement(item) for item in graph.items.of("software")]
    tests = [_test(test.nodeid, test.ids, _status(graph, test.nodeid)) for test in graph.tests]
    return {
        "requirements.lobster": _file("lobster-req-trace", 4, requirements),
        "tests.lobster": _file("lobster-act-trace", 3, tests),
        "lobster.conf": POLICY,
    }


def disagreements(graph: Graph) -> Iterator[tuple[str, str]]:
    """Requirements that ``.results/lobster.json`` (written by ``lobster-report``) judges otherwise than we do."""
    file = graph.root / REPORT
    if not file.is_file():
        return
    report = json.loads(file.read_text(encoding="utf-8"))
    levels = {level["name"]: level["items"] for level in report["levels"]}
    theirs = {item["name"]: bool(item.get("ref_down")) for item in levels.get("Requirements", [])}
    ours = {item.id: bool(graph.tests_of(item.id)) for item in graph.items.of("software")}
    for id_ in sorted(theirs.keys() | ours.keys()):
        if theirs.get(id_) != ours.get(id_):
            yield id_, f"tested here: {_word(ours.get(id_))}; tested says LOBSTER: {_word(theirs.get(id_))}"


def _word(tested: bool | None) -> str:  # noqa: FBT001 - three answers, one of them that nobody knows
    return {True: "yes", False: "no", None: "unknown"}[tested]


def _status(graph: Graph, nodeid: str) -> str | None:
    found = None if graph.results is None else graph.results.outcomes.get(nodeid)
    if found is None:
        return None
    return {"passed": "ok", "failed": "fail", "error": "fail"}.get(found.outcome, "not run")


def _requirement(item: Item) -> dict[str, Any]:
    values = {"framework": "RadiomicNet-MD", "kind": "software requirement", "text": item.values.get("text")}
    return {**_common(f"req {item.id}", item.id, f"traceability/{item.file}"), **values, "status": None}


def _test(nodeid: str, ids: tuple[str, ...], status: str | None) -> dict[str, Any]:
    values = {"framework": "pytest", "kind": "test", "status": status, "refs": [f"req {id_}" for id_ in ids]}
    return {**_common(f"act {nodeid}", nodeid, nodeid.partition("::")[0]), **values}


def _common(tag: str, name: str, file: str) -> dict[str, Any]:
    location = {"kind": "file", "file": file, "line": None, "column": None}
    empty: dict[str, Any] = {"messages": [], "just_up": [], "just_down": [], "just_global": []}
    return {"tag": tag, "location": location, "name": name, **empty}


def _file(schema: str, version: int, items: list[dict[str, Any]]) -> str:
    whole = {"data": items, "generator": "radiomicnet-md", "schema": schema, "version": version}
    return json.dumps(whole, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

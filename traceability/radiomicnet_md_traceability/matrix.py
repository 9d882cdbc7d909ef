# SPDX-License-Identifier: Apache-2.0
"""The trace as a table: need, system and software requirement, risk, tests and their outcome, row by row.

One row a software requirement, with the same cells in every format, so that two formats cannot disagree.
"""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import asdict, dataclass

from radiomicnet_md_traceability import exchange, status
from radiomicnet_md_traceability.graph import Graph
from radiomicnet_md_traceability.load import Item

FORMATS = ("markdown", "csv", "json", "html", "reqif", "lobster")
_HEADS = ("Need", "System", "Software requirement", "Title", "Risk controls", "Hazards", "Tests", "Outcome")


@dataclass(frozen=True, slots=True)
class Row:
    """One software requirement and all that hangs on it; ``outcome`` is a word of :mod:`status`."""

    needs: tuple[str, ...]
    system: tuple[str, ...]
    id: str
    title: str
    risk_controls: tuple[str, ...]
    hazards: tuple[str, ...]
    tests: tuple[str, ...]
    outcome: str


def rows(graph: Graph) -> tuple[Row, ...]:
    """A row for every software requirement, ordered by id."""
    return tuple(_row(graph, item) for item in graph.items.of("software"))


def render(graph: Graph, form: str) -> str:
    """The matrix in one of ``FORMATS`` but the last, which is a folder of files (:mod:`lobster`)."""
    forms = {"markdown": _markdown, "csv": _csv, "json": _json, "html": _html, "reqif": exchange.render}
    return forms[form](graph)


def _row(graph: Graph, item: Item) -> Row:
    by_id = graph.items.by_id
    system = item.links("parents")
    needs = {need for parent in system if parent in by_id for need in by_id[parent].links("parents")}
    controls = item.links("risk_controls")
    hazards = [hazard.id for hazard in graph.items.of("hazard") if set(controls) & set(hazard.links("controls"))]
    return Row(
        needs=tuple(sorted(needs)),
        system=system,
        id=item.id,
        title=str(item.values.get("title", "")),
        risk_controls=controls,
        hazards=tuple(hazards),
        tests=tuple(test.nodeid for test in graph.tests_of(item.id)),
        outcome=status.of_requirement(graph, item.id),
    )


def _cells(row: Row) -> tuple[str, ...]:
    lists = [" ".join(cell) if isinstance(cell, tuple) else str(cell) for cell in asdict(row).values()]
    lists[6] = str(len(row.tests))
    return tuple(lists)


def _markdown(graph: Graph) -> str:
    lines = [f"| {' | '.join(_HEADS)} |", f"|{'---|' * len(_HEADS)}"]
    lines += [f"| {' | '.join(_cells(row))} |" for row in rows(graph)]
    return "\n".join(["# Traceability matrix", "", _source(graph), "", *lines, ""])


def _csv(graph: Graph) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADS)
    writer.writerows(_cells(row) for row in rows(graph))
    return out.getvalue()


def _json(graph: Graph) -> str:
    return json.dumps([asdict(row) for row in rows(graph)], indent=2, ensure_ascii=False) + "\n"


def _html(graph: Graph) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEADS)
    body = "\n".join(
        f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in _cells(row))}</tr>" for row in rows(graph)
    )
    return (
        '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Traceability matrix</title>\n'
        "<style>body{font:14px sans-serif}table{border-collapse:collapse}td,th{border:1px solid #999;padding:4px 8px;"
        "text-align:left;vertical-align:top}th{background:#eee;position:sticky;top:0}</style>\n"
        f"<h1>Traceability matrix</h1>\n<p>{html.escape(_source(graph))}</p>\n"
        f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table></html>\n"
    )


def _source(graph: Graph) -> str:
    if graph.results is None:
        return "Structure alone: no test results were judged."
    return f"Outcomes of the test run started {graph.results.started}."

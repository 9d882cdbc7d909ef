# SPDX-License-Identifier: Apache-2.0
"""What lies in which folder of the evidence bundle: pages and files of the checkout, and tables made from the graph.

Rules of this module:

- ``PLACES`` is the one table of what goes in as it is. A page that a folder should have and has not leaves a word.
- A folder is never empty: what is missing is named in it, and among the gaps.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path

from radiomicnet_md_traceability import (
    acceptance,
    documents,
    lobster,
    matrix,
    mutants,
    results,
    rules,
    rules_items,
    sbom,
    status,
    verify,
)  # fmt: skip
from radiomicnet_md_traceability.graph import Graph

PLACES: dict[str, tuple[str, ...]] = {
    "01_description": (
        "README.md",
        "docs/regulatory/index.md",
        "docs/regulatory/intended_use.md",
        "docs/regulatory/classification_and_documentation_level.md",
        "docs/regulatory/regulatory_status.md",
    ),
    "02_risk": (
        "docs/regulatory/plans/risk_management_plan.md",
        "docs/regulatory/hazard_analysis.md",
        "docs/regulatory/risk_control_verification.md",
        "docs/reference/risk-controls.md",
    ),
    "04_architecture": ("docs/regulatory/architecture/*.md", "docs/regulatory/architecture/*.svg", "docs/adr/*.md"),
    "05_sds": ("docs/regulatory/design.md",),
    "06_lifecycle": (
        "docs/regulatory/plans/sdp.md",
        "docs/regulatory/plans/config_management.md",
        "docs/regulatory/plans/maintenance_and_problem_resolution.md",
        "pyproject.toml",
    ),
    "07_vv": ("docs/regulatory/plans/verification_plan.md", "docs/regulatory/plans/validation_plan.md"),
    "09_version": ("CHANGELOG.md",),
    "10_soup": ("SOUP.md",),
    "11_cyber": (
        "docs/regulatory/threat_model.md",
        "docs/regulatory/plans/cyber_management_plan.md",
        "docs/reference/audit-evidence.md",
        "docs/reference/dicom-robustness.md",
    ),
    "12_ai": ("docs/regulatory/model/*.md",),
    "13_performance": (
        "docs/reference/performance.md",
        "validation/recorded/performance.json",
        "docs/reference/results.md",
        "docs/reference/out-of-domain.md",
        "docs/reference/determinism.md",
        "docs/reference/quantitation.md",
        "docs/reference/repeatability.md",
        "docs/reference/robustness.md",
        "docs/reference/ibsi.md",
        "docs/reference/results/*.png",
        "docs/reference/quantities/*.png",
    ),
    "14_part11": ("docs/reference/part-11.md", "docs/reference/record.md", "audit/FORMAT.md"),
    "15_iqoqpq": ("docs/regulatory/*_protocol.md",),
    "16_labelling": (
        rules_items.INSTRUCTIONS,
        "docs/regulatory/sop/*.md",
        "docs/regulatory/plans/usability_plan.md",
        "docs/regulatory/plans/pms_monitoring.md",
        "docs/reference/exit-codes.md",
    ),
    "17_checklists": ("docs/regulatory/checklists.md",),
    "18_tools": ("docs/regulatory/tools/tool_qualification.md", "docs/reference/trace-rules.md"),
}
_RENAMED = {"README.md": "software_description.md", "CHANGELOG.md": "version_history.md"}
_EMPTY = "# Nothing is here yet\n\n{} is not in the checkout that this bundle was built from.\n"
_SITE = """\
# Qualification is a site's

Each installation is qualified where it runs; its signed reports are in that site's own log
and export, and none is here.
"""


def of(graph: Graph) -> tuple[dict[str, bytes], dict[str, str]]:
    """Name to content of every file but the index; and, of those that are a file of the checkout, which."""
    copied = _copied(graph.root)
    files = {place: (graph.root / name).read_bytes() for place, name in copied.items()}
    files |= _made(graph) | _releases(graph.root) | _runs(graph.root)
    for folder, wanted in PLACES.items():
        if not any(name.startswith(f"{folder}/") for name in files):
            files[f"{folder}/README.md"] = _EMPTY.format(", ".join(f"`{name}`" for name in wanted)).encode("utf-8")
    return files, copied


def _copied(root: Path) -> dict[str, str]:
    places = {}
    for folder, wanted in PLACES.items():
        for pattern in wanted:
            for file in sorted(root.glob(pattern)):
                name = file.relative_to(root).as_posix()
                below = "/".join(part for part in file.parts[-2:-1] if part in {"adr", "sop", "results", "quantities"})
                places["/".join(filter(None, (folder, below, _RENAMED.get(name, file.name))))] = name
    return places


def _releases(root: Path) -> dict[str, bytes]:
    names = ("model_card.json", "manifest.json", "training_record.json")
    found = (file for name in names for file in (root / "radiomicnet_md" / "releases").glob(f"*/{name}"))
    return {f"12_ai/{file.parent.name}/{file.name}": file.read_bytes() for file in found}


def _runs(root: Path) -> dict[str, bytes]:
    """What the runs of tests left, without the computer's name."""
    places = {"02_risk/rc_mutation.json": mutants.FILE, "07_vv/results.jsonl": results.LATEST}
    found = {place: (root / file).read_bytes() for place, file in places.items() if (root / file).is_file()}
    junit = root / ".results" / "latest.xml"
    if junit.is_file():
        found["07_vv/junit.xml"] = re.sub(rb' hostname="[^"]*"', b"", junit.read_bytes())
    return found


def _made(graph: Graph) -> dict[str, bytes]:
    files = {
        "00_index/verify.py": Path(str(verify.__file__)).read_bytes(),
        "02_risk/rc_verification.csv": _table(
            ("control", "kind", "tests of its presence", "tests that attack it"),
            ((item.id, item.values["kind"], " ".join(test.nodeid for test in graph.implementation_tests_of(item)),
              " ".join(test.nodeid for test in graph.attackers_of(item.id))) for item in graph.items.of("control")),
        ),
        "03_srs/requirements.md": documents.requirements(graph).encode("utf-8"),
        "03_srs/trace.reqif": matrix.render(graph, "reqif").encode("utf-8"),
        "07_vv/environment.json": as_json({} if graph.results is None else graph.results.head),
        "07_vv/report.csv": _report(graph),
        "09_version/unresolved.csv": _items(graph, "anomaly", ("title", "impact", "decision", "rationale", "security")),
        "10_soup/sbom.cdx.json": sbom.render(graph).encode("utf-8"),
        "10_soup/vex.cdx.json": sbom.vex(graph).encode("utf-8"),
        "13_performance/acceptance.json": _acceptance(graph),
        "15_iqoqpq/README.md": _SITE.encode("utf-8"),
        "18_tools/rules.csv": _table(("rule", "demand"), ((rule.id, rule.demand) for rule in rules.RULES)),
    }  # fmt: skip
    files |= {f"08_trace/matrix.{end}": matrix.render(graph, end).encode("utf-8") for end in ("csv", "html", "json")}
    return files | {f"08_trace/lobster/{name}": text.encode("utf-8") for name, text in lobster.render(graph).items()}


def _report(graph: Graph) -> bytes:
    """Expected, actual and verdict of every test."""
    rows = []
    for test in graph.tests:
        seen = graph.outcome(test)
        actual = [] if seen is None else [f"{one['name']} = {one['value']} {one['unit']}" for one in seen.actual]
        expected = "" if seen is None else seen.expected
        found = "; ".join(actual) or ("" if seen is None else f"{seen.outcome} {seen.reason}".strip())
        rows.append((test.nodeid, " ".join(test.ids), expected, found, status.of_test(graph, test)))
    return _table(("test", "requirements", "expected", "actual", "verdict"), rows)


def _acceptance(graph: Graph) -> bytes:
    seen = {one.id: asdict(one) for one in acceptance.read(graph.root)}
    return as_json([{**item.values, "result": seen.get(item.id)} for item in graph.items.of("acceptance")])


def _items(graph: Graph, kind: str, fields: tuple[str, ...]) -> bytes:
    rows = ((item.id, *(item.values.get(field, "") for field in fields)) for item in graph.items.of(kind))
    return _table(("id", *fields), rows)


def as_json(value: object) -> bytes:
    """JSON as the bundle's files have it: sorted, indented, UTF-8."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode("utf-8")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")

# SPDX-License-Identifier: Apache-2.0
"""One archive with everything a reviewer asks for, signed, and the same bytes from the same state.

Rules of this module:

- The archive's only time is that of the test run; nothing in it depends on when or where it was built.
- What is missing is named in ``00_index/GAPS.md``. With ``release`` a single gap or finding stops the build.
- The form of the archive and every check stand in :mod:`verify`, which builder and verifier share.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from radiomicnet_md_audit import dsse
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, Problem
from radiomicnet_md_audit.sign import Signer
from radiomicnet_md_traceability import (
    acceptance,
    documents,
    gaps,
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

_VERIFY = """\
# Verify this bundle

    python3 verify.py BUNDLE.zip public.pem

`verify.py` needs Python and nothing else. Take it, and the key, from somewhere else than this bundle. The signature
alone, with stock `openssl`, over the bytes `DSSEv1 <length> <type> <length> <MANIFEST.json>`:

    python3 - <<'END'
    import base64, json
    e = json.load(open("00_index/MANIFEST.dsse.json"))
    p, t = base64.b64decode(e["payload"]), e["payloadType"].encode()
    open("pae.bin", "wb").write(b"DSSEv1 %d %b %d %b" % (len(t), t, len(p), p))
    open("sig.bin", "wb").write(base64.b64decode(e["signatures"][0]["sig"]))
    END
    openssl pkeyutl -verify -pubin -inkey public.pem -rawin -in pae.bin -sigfile sig.bin
"""
_EMPTY = "Nothing is here yet: {}. It is among the gaps.\n"


class GapsError(Problem):
    """What a release must not lack is lacking."""

    exit_code = ExitCode.NOT_QUALIFIED


def build(graph: Graph, key: Signer, *, release: bool = False) -> bytes:
    """The bundle's bytes.

    Raises:
        ConfigurationError: there are no results of a test run (``E-EVIDENCE-RESULTS``).
        GapsError: ``release`` is asked for, and gaps or findings remain (``E-EVIDENCE-GAPS``).
    """
    if graph.results is None:
        raise ConfigurationError("E-EVIDENCE-RESULTS", "There are no test results to bundle.", remedy="Run: make test")
    missing = (*gaps.of_items(graph), *gaps.of_state(graph))
    findings = rules.run(graph)
    if release and (missing or findings):
        raise GapsError(
            "E-EVIDENCE-GAPS",
            f"A release needs evidence without gaps; {len(missing)} gaps and {len(findings)} findings remain.",
            remedy="Close what docs/regulatory/gaps.md and trace check name, or build without --release.",
        )
    files = _contents(graph)
    files["00_index/GAPS.md"] = _gaps(missing)
    files["08_trace/gate_report.json"] = _json({"ok": not findings, "findings": [asdict(one) for one in findings]})
    counted = dict(sorted(Counter(row.outcome for row in matrix.rows(graph)).items()))
    files["00_index/INDEX.html"] = _index(graph, files, counted, len(findings), len(missing))
    manifest = {
        "format": verify.FORMAT,
        "run": graph.results.started,
        "commit": graph.results.head["commit"],
        "release": release,
        "gaps": len(missing),
        "statuses": counted,
        "files": [
            {"path": name, "bytes": len(content), "sha256": sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        ],
    }
    return seal(files, manifest, key)


def seal(files: dict[str, bytes], manifest: dict[str, Any], key: Signer) -> bytes:
    """The archive of these files with their list, signed."""
    listed = verify.canonical(manifest)
    envelope = dsse.seal(listed, verify.PAYLOAD_TYPE, key)
    return verify.pack({**files, verify.MANIFEST: listed, verify.ENVELOPE: envelope})


def _contents(graph: Graph) -> dict[str, bytes]:
    pages = {Path(name).name: text for name, text in documents.pages(graph).items()}
    page = {name: text.encode("utf-8") for name, text in pages.items()}
    head = {} if graph.results is None else graph.results.head
    files = {
        "00_index/VERIFY.md": _VERIFY.encode("utf-8"),
        "00_index/verify.py": Path(str(verify.__file__)).read_bytes(),
        "02_risk/hazard_analysis.md": page["hazard_analysis.md"],
        "02_risk/risk_control_verification.md": page["risk_control_verification.md"],
        "02_risk/rc_verification.csv": _table(
            ("control", "kind", "tests of its presence", "tests that attack it"),
            ((item.id, item.values["kind"], " ".join(test.nodeid for test in graph.implementation_tests_of(item)),
              " ".join(test.nodeid for test in graph.attackers_of(item.id))) for item in graph.items.of("control")),
        ),
        "03_srs/requirements.md": documents.requirements(graph).encode("utf-8"),
        "03_srs/trace.reqif": matrix.render(graph, "reqif").encode("utf-8"),
        "05_sds/design.md": page["design.md"],
        "07_vv/environment.json": _json(head),
        "07_vv/report.csv": _report(graph),
        "09_version/unresolved.csv": _items(graph, "anomaly", ("title", "impact", "decision", "rationale", "security")),
        "10_soup/SOUP.md": page["SOUP.md"],
        "10_soup/sbom.cdx.json": sbom.render(graph).encode("utf-8"),
        "10_soup/vex.cdx.json": sbom.vex(graph).encode("utf-8"),
        "11_cyber/threat_model.md": page["threat_model.md"],
        "13_performance/acceptance.json": _acceptance(graph),
        "15_iqoqpq/README.md": _EMPTY.format("signed qualification of a site's installation").encode("utf-8"),
        "17_checklists/checklists.md": page["checklists.md"],
        "18_tools/rules.csv": _table(("rule", "demand"), ((rule.id, rule.demand) for rule in rules.RULES)),
    }  # fmt: skip
    files |= {f"08_trace/matrix.{end}": matrix.render(graph, end).encode("utf-8") for end in ("csv", "html", "json")}
    files |= {f"08_trace/lobster/{name}": text.encode("utf-8") for name, text in lobster.render(graph).items()}
    return files | _copied(graph.root)


def _copied(root: Path) -> dict[str, bytes]:
    """Files of the checkout that go in as they are; one that is missing leaves a word in its place."""
    places = {
        "01_description/software_description.md": "README.md",
        "06_lifecycle/conventions.toml": "pyproject.toml",
        "07_vv/results.jsonl": str(results.LATEST),
        "09_version/version_history.md": "CHANGELOG.md",
        "13_performance/results.md": "docs/reference/results.md",
        "14_part11/part-11.md": "docs/reference/part-11.md",
        "16_labelling/ifu.md": rules_items.INSTRUCTIONS,
    }
    places |= {f"04_architecture/{file.name}": str(file.relative_to(root)) for file in (root / "docs/adr").glob("*.md")}
    for folder in (root / "radiomicnet_md" / "releases").glob("*"):
        for name in ("model_card.json", "manifest.json", "training_record.json"):
            places[f"12_ai/{folder.name}/{name}"] = str((folder / name).relative_to(root))
    if (root / mutants.FILE).is_file():
        places["02_risk/rc_mutation.json"] = str(mutants.FILE)
    found = {
        place: (root / name).read_bytes() if (root / name).is_file() else _EMPTY.format(name).encode("utf-8")
        for place, name in places.items()
    }
    for place in ("04_architecture", "12_ai"):
        if not any(name.startswith(place) for name in found):
            found[f"{place}/README.md"] = _EMPTY.format("no such file in this checkout").encode("utf-8")
    junit = root / ".results" / "latest.xml"
    if junit.is_file():  # the same outcomes in the form of others, without the computer's name
        found["07_vv/junit.xml"] = re.sub(rb' hostname="[^"]*"', b"", junit.read_bytes())
    return found


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
    return _json([{**item.values, "result": seen.get(item.id)} for item in graph.items.of("acceptance")])


def _items(graph: Graph, kind: str, fields: tuple[str, ...]) -> bytes:
    rows = ((item.id, *(item.values.get(field, "") for field in fields)) for item in graph.items.of(kind))
    return _table(("id", *fields), rows)


def _gaps(missing: Iterable[gaps.Gap]) -> bytes:
    rows = "".join(f"| {gap.id} | {gap.text} |\n" for gap in missing)
    return f"# Gaps\n\n{documents.STAMP}\n| Gap | What is missing |\n|---|---|\n{rows}".encode()


def _index(graph: Graph, files: dict[str, bytes], counted: dict[str, int], findings: int, missing: int) -> bytes:
    started = "" if graph.results is None else graph.results.started
    said = ", ".join(f"{number} {word}" for word, number in counted.items())
    parts = [
        (
            '<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>Evidence</title>\n'
            "<style>body{font:15px sans-serif;max-width:60em;margin:2em auto}strong{color:#a00}</style>\n"
            "<h1>Evidence bundle</h1>\n<p><strong>Demonstration on public data; not clinical evidence; "
            f"{verify.STAMP}.</strong></p>\n<p>Tests started {started}. Requirements: {html.escape(said)}. Findings of "
            f'the gate: {findings}. <a href="GAPS.md">Gaps</a>: {missing}. <a href="VERIFY.md">How to verify</a>.</p>\n'
        )
    ]
    for folder in verify.FOLDERS[1:]:
        links = (f'<li><a href="../{name}">{name}</a></li>' for name in sorted(files) if name.startswith(f"{folder}/"))
        parts.append(f"<h2>{folder}</h2>\n<ul>{''.join(links)}</ul>\n")
    return ("".join(parts) + "</html>\n").encode("utf-8")


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=str) + "\n").encode("utf-8")


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return out.getvalue().encode("utf-8")

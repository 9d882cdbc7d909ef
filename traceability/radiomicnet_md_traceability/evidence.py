# SPDX-License-Identifier: Apache-2.0
"""One archive with everything a reviewer asks for, signed, and the same bytes from the same state.

Rules of this module:

- The archive's only time is that of the test run; nothing in it depends on when or where it was built.
- What is missing is named in ``00_index/GAPS.md``. With ``release`` a single gap or finding stops the build.
- The form of the archive and every check stand in :mod:`verify`, which builder and verifier share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict
from hashlib import sha256
from typing import Any

from radiomicnet_md_audit import dsse
from radiomicnet_md_audit.errors import ConfigurationError, ExitCode, Problem
from radiomicnet_md_audit.sign import Signer
from radiomicnet_md_traceability import contents, cover, documents, gaps, matrix, rules, verify
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
    files, copied = contents.of(graph)
    files["00_index/VERIFY.md"] = _VERIFY.encode("utf-8")
    files["00_index/GAPS.md"] = _gaps(missing)
    files["08_trace/gate_report.json"] = contents.as_json(
        {"ok": not findings, "findings": [asdict(one) for one in findings]}
    )
    files |= cover.pages(files, copied)
    counted = dict(sorted(Counter(row.outcome for row in matrix.rows(graph)).items()))
    files["00_index/INDEX.html"] = cover.index(
        graph.results.started,
        _numbers(graph, counted, len(findings), len(missing)),
        files,
        missing,
        _open(counted, len(findings)),
    )
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


def _gaps(missing: Iterable[gaps.Gap]) -> bytes:
    rows = "".join(f"| {gap.id} | {gap.text} |\n" for gap in missing)
    return f"# Gaps\n\n{documents.STAMP}\n| Gap | What is missing |\n|---|---|\n{rows}".encode()


def _numbers(graph: Graph, counted: dict[str, int], findings: int, missing: int) -> dict[str, int]:
    outcomes = Counter("" if seen is None else seen.outcome for seen in map(graph.outcome, graph.tests))
    return {
        "requirements": sum(counted.values()),
        "of these PASS": counted.get("PASS", 0),
        "tests": len(graph.tests),
        "passed": outcomes["passed"],
        "failed": outcomes["failed"] + outcomes["error"],
        "hazards": len(graph.items.of("hazard")),
        "findings of the gate": findings,
        "gaps": missing,
    }


def _open(counted: dict[str, int], findings: int) -> dict[str, str]:
    """What else than gaps is open, by section."""
    words = [f"{number} {word}" for word, number in counted.items() if word != "PASS"]
    said = {"03_srs": f"requirements: {', '.join(words)}"} if words else {}
    return said | ({"08_trace": f"{findings} findings of the gate"} if findings else {})

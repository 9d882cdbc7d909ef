# SPDX-License-Identifier: Apache-2.0
"""One account of a measurement in three forms: signed JSON for programs, a page and a PDF for people.

Rules of this module:

- ``report.json`` is a DSSE envelope signed with the home's engine key; its decimals are text. Page and PDF are made
  from the same blocks and say nothing that it does not hold.
- Every form opens with what the figures are not. No mean stands without its number of cases.
- Every case is listed, the worst first.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md import __version__
from radiomicnet_md.io.files import place
from radiomicnet_md.review import page, pdf
from radiomicnet_md_audit import canonical, dsse
from radiomicnet_md_audit.sign import Signer
from radiomicnet_md_validation import acceptance, performance, performance_page
from radiomicnet_md_validation.acceptance import Judged
from radiomicnet_md_validation.case_set import SEALED, CaseSet
from radiomicnet_md_validation.performance import Figure, Scored
from radiomicnet_md_validation.performance_pictures import Shown
from radiomicnet_md_validation.pixel_probability import Evidence
from radiomicnet_md_validation.unsealing import Opening

PAYLOAD_TYPE = "application/vnd.radiomicnet-md.performance+json"
FORMAT = "radiomicnet-md-performance/1"
JSON, PAGE, PDF, RESULTS, FOR_TRACE = "report.json", "report.html", "report.pdf", "results.jsonl", "acceptance.jsonl"
PUBLIC = "demonstration on public data, not clinical evidence"
SITE = "site verification, not clinical evidence"


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that is reported."""

    site: bool
    cases: CaseSet
    release: Mapping[str, str]
    origin: str
    size: int  # of the log when the report was made
    time_utc: str  # of then
    opening: Opening | None
    judged: tuple[Judged, ...]
    scored: tuple[Scored, ...]
    seen: tuple[str, ...]  # ids that training has seen
    evidence: Evidence
    shown: tuple[Shown, ...]  # the worst results

    @property
    def stamp(self) -> str:
        """What the figures are not."""
        return SITE if self.site else PUBLIC

    @property
    def verdict(self) -> str:
        """Over all acceptance objects."""
        return acceptance.overall(self.judged)

    @property
    def worst_first(self) -> list[Scored]:
        """All cases: lesions by Dice, then normal images with a region, then the others."""
        return sorted(self.scored, key=lambda one: (one.scores.dice, not one.lesion, one.id))


def written(report: Report, out: Path, key: Signer) -> dict[str, str]:
    """Write the files of a report; their SHA-256 by name."""
    blocks = performance_page.blocks(report)
    title = f"performance, {report.verdict}"
    files = {
        JSON: dsse.seal(canonical.dumps(content(report)), PAYLOAD_TYPE, key),
        PAGE: page.html(title, blocks, performance_page.caution(report)).encode(),
        PDF: pdf.document(f"RadiomicNet-MD: {title}", f"RadiomicNet-MD {__version__} · {report.stamp}", blocks),
        RESULTS: _lines([case(one) for one in report.worst_first]),
        FOR_TRACE: _lines(_for_trace(report)),
    }
    for name, data in files.items():
        place(out / name, data)
    return {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}


def content(report: Report) -> dict[str, Any]:
    """The payload of ``report.json``."""
    return {
        "format": FORMAT,
        "stamp": report.stamp,
        "verdict": report.verdict,
        "time_utc": report.time_utc,
        "program": __version__,
        "release": dict(report.release),
        "log": {"origin": report.origin, "size": report.size},
        "set": {
            "split": report.cases.split,
            "cases": len(report.scored),
            "sha256": report.cases.sha256,
            "images_sha256": report.cases.images_sha256,
            "seen_in_training": list(report.seen),
        },
        "unsealing": None if report.opening is None else asdict(report.opening),
        "acceptance": [_judged(one) for one in report.judged],
        "figures": [_figure(one) for one in performance.figures(report.scored)],
        "subgroups": [
            {"group": name, "dice": _figure(dice), "missed": _figure(missed)}
            for name, dice, missed in performance.subgroups(report.scored)
        ],
        "pixel_probability": {
            "cases": report.evidence.cases,
            "left_out": report.evidence.left_out,
            **{name: _text(value) for name, value in report.evidence.figures().items()},
        },
        "cases": [case(one) for one in report.worst_first],
    }


def case(one: Scored) -> dict[str, Any]:
    """One case as it is written down."""
    return {
        "id": one.id,
        "group": one.group,
        "class": one.kind,
        "device": one.device,
        **asdict(one.told),
        "truth_px": one.truth_px,
        "found_px": one.found_px,
        "common_px": one.common_px,
        **{name: _text(value) for name, value in asdict(one.scores).items()},
    }


def _judged(one: Judged) -> dict[str, Any]:
    return {
        **asdict(one.objective),
        "n": one.n,
        "groups": one.groups,
        "left_out": one.left_out,
        "value": _text(one.point),
        "bound": _text(one.bound),
        "verdict": one.verdict,
        "why": one.why,
    }


def _figure(one: Figure) -> dict[str, Any]:
    return {**asdict(one), **{name: _text(getattr(one, name)) for name in ("point", "low", "high")}}


def _for_trace(report: Report) -> list[dict[str, Any]]:
    """The lines that ``trace`` reads from ``.results/``, where the bound says it all.

    None of another split than the closed one, for which the demands were fixed, nor where training has seen a case.
    """
    if report.seen or report.cases.split != SEALED:
        return []
    return [
        {
            "id": one.objective.id,
            "sha256": one.objective.sha256,
            "n": one.n,
            "value": one.bound if one.bound is not None else one.point,
            "status": one.verdict,
        }
        for one in report.judged
        if one.bound is not None or one.verdict == acceptance.FAIL
    ]


def _text(value: float | None) -> str | None:
    return None if value is None else f"{value:.6f}"


def _lines(rows: Sequence[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()

# SPDX-License-Identifier: Apache-2.0
"""A decision on paper: picture, sum, proof, and each signature with its name, time and meaning (21 CFR 11.50).

The file says when its newest signature was made and not when it was printed: the same record gives the same bytes.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, Response

from radiomicnet_md.review import pdf
from radiomicnet_md.review.names import printable
from radiomicnet_md.web import case
from radiomicnet_md.web.admission import Here, Who
from radiomicnet_md.web.case import View
from radiomicnet_md.web.pages import decision, shown
from radiomicnet_md.web.rendering import page, utc
from radiomicnet_md.web.words import say

router = APIRouter(include_in_schema=False)


@router.get("/records/{record_id}/print")
def printed(request: Request, house: Here, who: Who, record_id: str) -> HTMLResponse:
    """As a page for the browser's printer."""
    return page(request, "print.html", **shown(house, who, decision(house, record_id)))


@router.get("/records/{record_id}/print.pdf")
def paper(house: Here, who: Who, record_id: str) -> Response:
    """As a file."""
    told = shown(house, who, decision(house, record_id))
    said, opened = told["said"], told["opened"]
    release = said["release"]
    where = [
        utc(said["log"]["time_utc"]),
        f"{say('case.record')} {opened.record_id}",
        f"{say('case.entry')} {opened.proof.index}",
        *([f"{say('case.release')} {release['id']} {release['version']}"] if release else []),
    ]
    title = f"{said['state']}: {told['line']}"
    stamps = [pdf.Text("; ".join(said["stamps"]))] if said["stamps"] else []
    blocks = [
        pdf.Heading(title, 1),
        pdf.Text(" · ".join(where)),
        *stamps,
        pdf.Text(say("notice")),
        *_picture(told["view"]),
        *_reason(said["reason"]),
        pdf.Heading(say("sig.title")),
        *_signatures(told["signatures"]),
        *_sum(told["sums"]),
        pdf.Heading(say("proof.title")),
        *(pdf.Text(printable(claim)) for claim in told["claims"]),
    ]
    made = pdf.document(title, f"RadiomicNet-MD · {opened.record_id} · {say('notice')}", blocks)
    name = f'inline; filename="{opened.record_id}.pdf"'
    return Response(made, media_type="application/pdf", headers={"content-disposition": name})


def _picture(seen: View) -> list[pdf.Block]:
    if seen.problem is not None:
        return [pdf.Text(f"{seen.problem} [{seen.problem.code}]"), pdf.Text(say("case.blank"))]
    layers = [case.layer(seen, name) for name in ("image", "outline")]
    return [pdf.Picture([layer for layer in layers if layer is not None])] if seen.shown is not None else []


def _reason(reason: dict[str, str] | None) -> list[pdf.Block]:
    if reason is None:
        return []
    return [pdf.Heading(say("case.reason")), pdf.Text(f"{printable(reason['text'])} [{reason['code']}]")]


def _signatures(signatures: list[Any]) -> list[pdf.Block]:
    if not signatures:
        return [pdf.Text(say("sig.none"))]
    told: list[pdf.Block] = []
    for one in signatures:
        reason = f": “{printable(one.reason)}”" if one.reason else ""
        told.append(
            pdf.Text(
                f"{say('meaning.' + one.meaning)} · {printable(one.name)} ({one.user}) · {utc(one.time_utc)}{reason}"
            )
        )
        digests = ", ".join(f"{name} {digest}" for name, digest in one.shown)
        told.append(
            pdf.Text(
                f"{say('sig.record')} {one.record_id}; {say('sig.key')} {one.keyid}; {say('sig.shown')} {digests}",
                small=True,
            )
        )
    return told


def _sum(sums: dict[str, Any] | None) -> list[pdf.Block]:
    if sums is None:
        return []
    head = [say("why.term"), say("why.measured"), say("why.value")]
    beside = [say("why.runner_up"), say("why.difference")] if sums["other"] else []
    rows = [
        [
            f"{row['name']} (IBSI {row['ibsi']})" if row["ibsi"] else row["name"],
            row["measured"],
            row["text"],
            *([row["theirs"] or "", row["difference"] or ""] if beside else []),
        ]
        for row in (*sums["rows"], sums["intercept"], sums["total"])
    ]
    numbers = frozenset(range(2, len(head) + len(beside)))
    title = say("why.title") if sums["chosen"] else say("why.none")
    return [pdf.Heading(title), pdf.Table([*head, *beside], rows, numbers), pdf.Text(say("why.units"), small=True)]

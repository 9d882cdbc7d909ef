# SPDX-License-Identifier: Apache-2.0
"""What a reviewer reads: the worklist, a case with its pictures and sums, and the log.

Rules of this module:

- A record that does not verify is not shown: its page says so, with the code, and nothing of its content.
- What is sent for a case is noted in the session that asked, so that a signature can name what was displayed.
"""

from __future__ import annotations

import json
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response

from radiomicnet_md import people
from radiomicnet_md.review import text
from radiomicnet_md.web import case, layers
from radiomicnet_md.web.admission import Caller, DeniedError, Here, Who
from radiomicnet_md.web.books import SORTS, STATES, Wanted
from radiomicnet_md.web.house import House, Opened
from radiomicnet_md.web.lines import lines, wanted
from radiomicnet_md.web.rendering import page

router = APIRouter(include_in_schema=False)
RECORD = "record.txt"


@router.get("/")
def worklist(request: Request, house: Here, asked: Annotated[Wanted, Depends(wanted)]) -> HTMLResponse:
    """The decisions, filtered, sorted and paged."""
    found = house.books.page(asked)
    given = {name: value for name, value in request.query_params.items() if value and name != "after"}
    after = found.after and f"{found.after[0]}:{found.after[1]}"
    return page(
        request,
        "worklist.html",
        rows=lines(house, found.indices),
        found=found,
        given=given,
        first="/?" + urlencode(given),
        following=None if after is None else "/?" + urlencode({**given, "after": after}),
        is_first=asked.after is None,
        releases=house.books.releases(),
        states=STATES,
        sorts=SORTS,
    )


@router.get("/records/{record_id}")
def record(request: Request, house: Here, who: Who, record_id: str) -> HTMLResponse:
    """One case: what was segmented and why, what was checked, what is proven, and who signed."""
    opened = house.open(record_id)
    if not opened.is_decision:
        return page(request, "other.html", opened=opened, said=json.dumps(opened.predicate, indent=2))
    return page(request, "case.html", **shown(house, who, opened))


def shown(house: House, who: Caller, opened: Opened) -> dict[str, Any]:
    """What the page of a case says, and its printed view."""
    seen, predicate = case.view(house, opened), opened.predicate
    checks = sorted(predicate["checks"], key=lambda check: bool(check["held"]))
    return {
        "opened": opened,
        "said": predicate,
        "line": case.line(opened),
        "view": seen,
        "shape": None if seen.shown is None else seen.shown.levels.shape,
        "sums": case.sums(predicate) if opened.is_result else None,
        "maps": case.maps(seen),
        "reach": None if seen.evidence is None else f"{layers.reach(seen.evidence):.3g}",
        "checks": checks,
        "failed": sum(not check["held"] for check in checks),
        "features": case.features(house, predicate) if opened.is_result else [],
        "claims": case.claims(house, opened),
        "report": house.report,
        "signatures": people.signatures(house.keeper.ledger, opened.record_id),
        "meanings": people.MEANINGS,
        "need_reason": people.NEED_REASON,
        "may_sign": who.person.may("sign") and opened.past is None and predicate["state"] != "ERROR",
        "may_replay": who.person.may("replay") and opened.past is None and predicate["state"] != "ERROR",
        "needed": needed(opened),
    }


def needed(opened: Opened) -> tuple[str, ...]:
    """What must have been displayed of a decision before it is signed."""
    return ("image", "outline", RECORD) if opened.is_result else (RECORD,)


@router.get("/records/{record_id}/record.txt")
def record_text(house: Here, who: Who, record_id: str) -> Response:
    """The record as text, as ``audit show`` prints it above its proof."""
    opened = decision(house, record_id)
    said = text.above_proof(opened.statement, opened.proof)
    _serve(who, record_id, RECORD, said.encode())
    return PlainTextResponse(said)


@router.get("/records/{record_id}/layers/{name}.png")
def layer(house: Here, who: Who, record_id: str, name: str) -> Response:
    """One layer of the view."""
    opened = decision(house, record_id)
    seen = case.view(house, opened)
    if seen.problem is not None:
        raise seen.problem
    data = case.layer(seen, name)
    if data is None:
        raise _nothing("This record has no such picture, or it is not kept.")
    _serve(who, record_id, name, data)
    return Response(data, media_type="image/png")


@router.get("/records/{record_id}/pixels/{row}/{column}")
def pixel(house: Here, record_id: str, row: int, column: int) -> JSONResponse:
    """The sum of one pixel, name by name."""
    seen = case.view(house, decision(house, record_id), beside=False)
    if seen.problem is not None:
        raise seen.problem
    said = case.pixel(seen, row, column)
    if said is None:
        raise _nothing("There is no evidence at this pixel, or it is not kept.")
    return JSONResponse(said)


@router.get("/log")
def log(request: Request, house: Here) -> HTMLResponse:
    """The newest checkpoint, and what the latest verification found."""
    checkpoint = house.keeper.ledger.latest_checkpoint()
    return page(request, "log.html", report=house.report, checkpoint=checkpoint, size=house.keeper.ledger.size)


@router.post("/log/verify")
def verify(house: Here) -> Response:
    """Verify the whole log against its anchor; one verification at a time."""
    from radiomicnet_md_audit.stored import verify_ledger

    if not house.verifying.acquire(blocking=False):
        raise DeniedError(503, "E-WEB-BUSY", "A verification is under way.", remedy="Open this page again later.")
    try:
        house.report = verify_ledger(house.keeper.ledger, house.keeper.ledger.anchor_text())
    finally:
        house.verifying.release()
    return RedirectResponse("/log", 303)


def decision(house: House, record_id: str) -> Opened:
    """A record that is a decision, proven; :class:`DeniedError` for another one."""
    opened = house.open(record_id)
    if not opened.is_decision:
        raise _nothing("This record is no decision.")
    return opened


def _serve(who: Caller, record_id: str, name: str, data: bytes) -> None:
    if who.session is not None:
        who.session.serve(record_id, name, data)


def _nothing(text_: str) -> DeniedError:
    return DeniedError(404, "E-WEB-NOTHING", text_, remedy="Go back to the case.")

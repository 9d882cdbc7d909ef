# SPDX-License-Identifier: Apache-2.0
"""A decision is signed after it was looked at, by who gives the passphrase again, and never by default.

Rules of this module:

- The browser says which layers it has decoded and drawn, by the SHA-256 of the bytes it was given. What was not served
  to this very session, or not drawn by it, cannot be signed for.
- Which digests go into the record is what this server noted; the form's are compared and otherwise ignored.
- A replay is decided by the engine and recorded with the person who asked for it.
"""

from __future__ import annotations

import json
import re
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from radiomicnet_md import people
from radiomicnet_md.errors import Problem
from radiomicnet_md.web import case
from radiomicnet_md.web.admission import DeniedError, Form, Here, Who
from radiomicnet_md.web.entrance import count_failure, refuse_guesses
from radiomicnet_md.web.house import House, Opened
from radiomicnet_md.web.pages import needed
from radiomicnet_md.web.rendering import page

router = APIRouter(include_in_schema=False)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@router.post("/records/{record_id}/displayed")
def displayed(house: Here, who: Who, record_id: str, form: Form) -> JSONResponse:
    """Note what the browser has drawn; the answer says whether that is enough to sign."""
    opened = house.open(record_id)
    try:
        shown = json.loads(form.get("shown", ""))
    except ValueError:
        shown = None
    if not isinstance(shown, dict) or not all(isinstance(x, str) for pair in shown.items() for x in pair):
        raise DeniedError(400, "E-WEB-SHOWN", "This is no list of what was shown.", remedy="Open the case again.")
    if who.session is None or not who.session.display(record_id, shown):
        raise DeniedError(
            409,
            "E-WEB-SHOWN",
            "The browser shows something else than this server has sent it.",
            remedy="Open the case again; if it stays so, do not use this browser.",
        )
    seen = who.session.displayed[record_id]
    return JSONResponse({"enough": set(needed(opened)) <= set(seen), "shown": seen})


@router.post("/records/{record_id}/sign")
def sign(request: Request, house: Here, who: Who, record_id: str, form: Form) -> Response:
    """Sign with the passphrase, if image and outline were displayed; back to the case, or the reason why not."""
    opened = house.open(record_id)
    if who.session is None:
        raise DeniedError(403, "E-WEB-SESSION", "Only a person signs.", remedy="Sign in.")
    refuse_guesses(request, house)
    shown = who.session.displayed.get(record_id, {})
    _check_seen(house, opened, shown, form.get("shown", ""))
    user, reason = who.person.id, form.get("reason", "").strip() or None
    try:
        with house.writing:
            people.sign(
                house.keeper, (user, form.get("passphrase", "")), record_id, form.get("meaning", ""), reason, shown
            )
    except people.SignInError as problem:
        count_failure(request, house, user)
        return _not_signed(request, opened, problem, 403)
    except Problem as problem:
        return _not_signed(request, opened, problem, 400)
    return RedirectResponse(f"/records/{record_id}#signatures", 303)


def _check_seen(house: House, opened: Opened, shown: dict[str, str], said: str) -> None:
    if not set(needed(opened)) <= set(shown):
        raise DeniedError(
            409,
            "E-WEB-UNSEEN",
            "This decision was not displayed in your session yet.",
            remedy="Open the case, and wait until image and outline are there.",
        )
    digests = dict(line.split("=", 1) for line in said.split() if "=" in line)
    if digests != shown or not all(map(_SHA256.fullmatch, shown.values())):
        raise DeniedError(
            409,
            "E-WEB-SHOWN",
            "What this form was filled in for is not what is displayed now.",
            remedy="Open the case again; it may be open in two windows.",
        )
    if case.view(house, opened).problem is not None:
        raise DeniedError(
            409, "E-WEB-UNSEEN", "What is kept of this decision was changed.", remedy="Tell who keeps this home."
        )


def _not_signed(request: Request, opened: Opened, problem: Problem, status: int) -> Response:
    return page(request, "not_signed.html", status=status, problem=problem, opened=opened)


@router.post("/records/{record_id}/replay")
def replay(request: Request, house: Here, who: Who, record_id: str) -> Response:
    """Decide the case again from its kept samples, and show what came out."""
    from radiomicnet_md.opening import open_desk
    from radiomicnet_md.replay import replay as again

    opened = house.open(record_id)
    named = house.settings.model_copy(update={"operator": who.person.id})
    if not house.verifying.acquire(blocking=False):
        raise DeniedError(503, "E-WEB-BUSY", "The engine is at work.", remedy="Try again when it has finished.")
    try:
        with open_desk(named) as desk:
            found = again(record_id, desk)
    finally:
        house.verifying.release()
    said: dict[str, Any] = found.line()
    return page(request, "replayed.html", found=said, opened=opened)

# SPDX-License-Identifier: Apache-2.0
"""Who may do what here, seen and changed by an administrator: the same changes as ``users`` on the command line.

Rules of this module:

- Every change takes the administrator's own passphrase again, and is a record that their key signs.
- A person who is changed leaves at their next request; what they have signed stays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from radiomicnet_md import people
from radiomicnet_md.errors import Problem
from radiomicnet_md.web.admission import DeniedError, Form, Here, Who
from radiomicnet_md.web.entrance import count_failure, refuse_guesses
from radiomicnet_md.web.house import House
from radiomicnet_md.web.rendering import page
from radiomicnet_md_audit.appending import Receipt

router = APIRouter(include_in_schema=False)
_STATES: Final[dict[str, Callable[[people.Place, people.Identity | None, str], Receipt]]] = {
    "disable": people.disable,
    "enable": people.enable,
    "unlock": people.unlock,
}


@router.get("/people")
def everybody(request: Request, house: Here) -> HTMLResponse:
    """Everyone with their roles and state, and a form for each change."""
    return _page(request, house, None, 200)


@router.post("/people")
def change(request: Request, house: Here, who: Who, form: Form) -> Response:
    """Make one change, signed by who asks for it."""
    refuse_guesses(request, house)
    try:
        with house.writing, people.enter(house.keeper, who.person.id, form.get("passphrase", "")) as by:
            _change(house, by, form)
    except people.SignInError as problem:
        count_failure(request, house, who.person.id)
        return _page(request, house, problem, 403)
    except Problem as problem:
        return _page(request, house, problem, 400)
    return RedirectResponse("/people", 303)


def _change(house: House, by: people.Identity, form: dict[str, str]) -> None:
    verb, user = form.get("change", ""), form.get("user", "")
    roles = [role for role in people.ROLES if form.get(f"role-{role}")]
    if verb in _STATES:
        _STATES[verb](house.keeper, by, user)
    elif verb == "roles":
        people.set_roles(house.keeper, by, user, roles)
    elif verb == "add":
        people.add(house.keeper, by, user, form.get("name", ""), roles, _first(form))
    elif verb == "passphrase":
        people.set_passphrase(house.keeper, by, user, _first(form))
    else:
        raise DeniedError(400, "E-WEB-VALUE", "There is no such change.", remedy="Open the page again.")


def _first(form: dict[str, str]) -> str:
    first, again = form.get("first", ""), form.get("again", "")
    if first != again:
        raise DeniedError(400, "E-WEB-VALUE", "The two first passphrases differ.", remedy="Type it again.")
    return first


def _page(request: Request, house: House, problem: Problem | None, status: int) -> HTMLResponse:
    everyone = sorted(people.roster(house.keeper.ledger).values(), key=lambda person: person.id)
    return page(request, "people.html", status=status, problem=problem, everyone=everyone, roles=people.ROLES)

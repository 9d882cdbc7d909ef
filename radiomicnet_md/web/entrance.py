# SPDX-License-Identifier: Apache-2.0
"""The doors: signing in and out, one's own passphrase, and the few files that every page needs."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from radiomicnet_md import people
from radiomicnet_md.errors import Problem
from radiomicnet_md.web.admission import DeniedError, Form, Here, Who, cookie_name
from radiomicnet_md.web.house import House
from radiomicnet_md.web.rendering import page
from radiomicnet_md.web.sessions import LONGEST_S

router = APIRouter(include_in_schema=False)
_KINDS: Final = {
    "icon.svg": "image/svg+xml",
    "style.css": "text/css",
    "viewer.js": "text/javascript",
    "page.js": "text/javascript",
}
_LONGEST = 1024  # characters of a passphrase


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A file of the page, one of a fixed list."""
    if name not in _KINDS:
        raise DeniedError(404, "E-WEB-ROUTE", "There is no such file.", remedy="Open the page again.")
    return Response(_file(name), media_type=_KINDS[name])


@cache
def _file(name: str) -> bytes:
    return (Path(__file__).parent / "static" / name).read_bytes()


@router.get("/sign-in")
def sign_in_page(request: Request, house: Here) -> HTMLResponse:
    """The form of id and passphrase."""
    return _form(request, house)


def _form(request: Request, house: House, problem: Problem | None = None, status: int = 200) -> HTMLResponse:
    nobody = not people.roster(house.keeper.ledger)
    return page(request, "sign_in.html", status=status, problem=problem, nobody=nobody)


@router.post("/sign-in")
def sign_in(request: Request, house: Here, form: Form) -> Response:
    """Begin a session for who gives an id and its passphrase; every failure is counted in the log."""
    user, passphrase = form.get("user", ""), form.get("passphrase", "")
    try:
        refuse_guesses(request, house)
        _check_length(passphrase)
        with house.writing, people.enter(house.keeper, user, passphrase) as identity:
            cookie, _ = house.sessions.begin(identity.id, identity.public.keyid)
    except people.SignInError as problem:
        count_failure(request, house, user)
        return _form(request, house, problem, 403)
    except DeniedError as problem:
        return _form(request, house, problem, problem.status)
    person = house.person(user)
    elsewhere = person is not None and not person.may("read") and person.may("users")
    answer = RedirectResponse("/people" if elsewhere else "/", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(cookie_name(request), cookie, max_age=LONGEST_S, secure=secure, httponly=True, samesite="strict")
    return answer


def refuse_guesses(request: Request, house: House) -> None:
    """Raise :class:`DeniedError` where this address has failed too often in the last minute."""
    if not house.failures.left(_address(request)):
        raise DeniedError(429, "E-WEB-RATE", "Too many failures in one minute.", remedy="Wait a minute.")


def count_failure(request: Request, house: House, user: str) -> None:
    """Count a passphrase that was not right; whom that has locked leaves."""
    house.failures.takes(_address(request))
    person = house.person(user)
    if person is not None and person.locked:
        house.sessions.end_of(user)


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _check_length(passphrase: str) -> None:
    if len(passphrase) > _LONGEST:
        raise DeniedError(400, "E-WEB-VALUE", "No passphrase is so long.", remedy="Try again.")


@router.post("/sign-out")
def sign_out(request: Request, house: Here, who: Who) -> Response:
    """End the session."""
    if who.session is not None:
        house.sessions.end(who.session)
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(cookie_name(request), httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return answer


@router.get("/passphrase")
def passphrase_page(request: Request, who: Who) -> HTMLResponse:
    """The form of a new passphrase of one's own."""
    return page(request, "passphrase.html", problem=None, must=who.person.must_change)


@router.post("/passphrase")
def passphrase(request: Request, house: Here, who: Who, form: Form) -> Response:
    """Set one's own passphrase; the session ends, and the next one begins with the new key."""
    old, new, again = (form.get(name, "") for name in ("old", "new", "again"))
    try:
        _check_length(new)
        if new != again:
            raise DeniedError(400, "E-WEB-VALUE", "The two new passphrases differ.", remedy="Type it again.")
        with house.writing, people.enter(house.keeper, who.person.id, old) as identity:
            people.set_passphrase(house.keeper, identity, who.person.id, new)
    except Problem as problem:
        return page(request, "passphrase.html", status=400, problem=problem, must=who.person.must_change)
    house.sessions.end_of(who.person.id)
    return RedirectResponse("/sign-in", 303)

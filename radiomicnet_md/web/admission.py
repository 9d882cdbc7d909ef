# SPDX-License-Identifier: Apache-2.0
"""Who is let in to which route: a session or a token, then the person as the log has them now, then the table of roles.

Rules of this module:

- A route that is not in the table is refused, so that a forgotten line closes a door and opens none.
- A person who was disabled or locked, or whose key was changed, leaves at the next request.
- What changes something with a session carries that session's secret (CSRF), in the form or in a header.
- Forms are read as text, a field once; there is no way to send a file.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool

from radiomicnet_md.errors import Problem
from radiomicnet_md.people import Person, tokens
from radiomicnet_md.web.access import API, OPEN, ROUTES, SIGNED_IN
from radiomicnet_md.web.house import House
from radiomicnet_md.web.sessions import Session

_MOST_FIELDS = 40


class DeniedError(Problem):
    """A request that this caller may not make; ``status`` is the answer's."""

    def __init__(self, status: int, code: str, message: str, *, remedy: str) -> None:
        """Keep the status beside the words."""
        super().__init__(code, message, remedy=remedy)
        self.status = status


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks; ``session`` is None for a token."""

    person: Person
    session: Session | None


def house_of(request: Request) -> House:
    """The home that this application serves."""
    found: House = request.app.state.house
    return found


def cookie_name(request: Request) -> str:
    """The session's cookie; over TLS the prefix ties it to this host and to TLS."""
    return "__Host-radiomicnet-md" if request.url.scheme == "https" else "radiomicnet-md"


async def admit(request: Request) -> None:
    """Let the request go on with ``request.state.caller``, or raise :class:`DeniedError`."""
    route = request.scope["route"].path
    needed = ROUTES.get((request.method, route))
    if needed is None:
        raise _unknown()
    form = await _form(request) if request.method == "POST" else {}
    request.state.form = form
    request.state.caller = None
    if needed == OPEN:
        return
    caller = await run_in_threadpool(_caller, request, route)
    if caller.session is not None and request.method == "POST":
        given = request.headers.get("x-csrf") or form.get("csrf", "")
        if not secrets.compare_digest(given.encode(), caller.session.csrf.encode()):
            raise DeniedError(403, "E-WEB-CSRF", "This form is not of your session.", remedy="Open the page again.")
    if not house_of(request).requests.takes(caller.person.id):
        raise DeniedError(429, "E-WEB-RATE", "Too many requests in one minute.", remedy="Wait a minute.")
    if needed != SIGNED_IN:
        _allowed(caller, needed)
    request.state.caller = caller


def _allowed(caller: Caller, action: str) -> None:
    if caller.person.must_change:
        raise DeniedError(
            403,
            "E-WEB-PASSPHRASE",
            "Somebody else has set your passphrase.",
            remedy="Set your own first; then everything that your roles may do is open.",
        )
    if not caller.person.may(action):
        raise DeniedError(
            403,
            "E-WEB-ROLE",
            f"None of your roles may do this ({action}).",
            remedy="Ask an administrator, who gives roles with: radiomicnet-md users roles",
        )


def _caller(request: Request, route: str) -> Caller:
    house = house_of(request)
    if house.keys_changed():
        raise DeniedError(
            503,
            "E-WEB-KEYS",
            "The keys of the log were changed since this server started.",
            remedy="Whoever keeps it starts `serve` again.",
        )
    if request.headers.get("authorization") is not None:
        return Caller(_by_token(house, request.headers["authorization"], route), None)
    session = house.sessions.find(request.cookies.get(cookie_name(request)))
    person = None if session is None else house.person(session.user)
    if session is None or person is None or not _same(session, person):
        if session is not None:
            house.sessions.end(session)
        raise DeniedError(401, "E-WEB-SIGN-IN", "You are not signed in, or not any more.", remedy="Sign in.")
    return Caller(person, session)


def _same(session: Session, person: Person) -> bool:
    return person.enabled and not person.locked and person.key.keyid == session.keyid


def _by_token(house: House, said: str, route: str) -> Person:
    scheme, _, token = said.partition(" ")
    user = tokens.owner(house.keeper.home.folder, token) if scheme.lower() == "bearer" else None
    person = None if user is None else house.person(user)
    if person is None or not person.enabled or person.locked or not route.startswith(API):
        raise DeniedError(
            401,
            "E-WEB-TOKEN",
            "This token opens nothing here.",
            remedy="Make one with: radiomicnet-md users token ID; it opens what is under /api/.",
        )
    return person


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form; empty for another content."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await request.body()
    if not body:
        return {}
    if kind != "application/x-www-form-urlencoded":
        raise DeniedError(415, "E-WEB-FORM", "This is no form of this page.", remedy="Open the page again.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise DeniedError(400, "E-WEB-FORM", "This form cannot be read.", remedy="Open the page again.") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise DeniedError(400, "E-WEB-FORM", "A field of this form is there twice.", remedy="Open the page again.")
    return fields


def _unknown() -> DeniedError:
    return DeniedError(404, "E-WEB-ROUTE", "There is no such page.", remedy="Go back to the worklist.")


def _present(request: Request) -> Caller:
    caller: Caller | None = request.state.caller
    if caller is None:
        raise _unknown()
    return caller


def _fields(request: Request) -> dict[str, str]:
    fields: dict[str, str] = request.state.form
    return fields


Here = Annotated[House, Depends(house_of)]
Who = Annotated[Caller, Depends(_present)]
Form = Annotated[dict[str, str], Depends(_fields)]

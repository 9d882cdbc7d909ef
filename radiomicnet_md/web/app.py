# SPDX-License-Identifier: Apache-2.0
"""The application: every route of the table behind one guard and one admission, and every failure said in words.

Rules of this module:

- No page is served from elsewhere and none names another host: style, script and the API's own page lie in the package.
- A failure is a page (under ``/api/`` an object) with its fact, its code and its remedy. What we did not expect is
  noted in the home, without what it was about; nobody is shown a traceback.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Final

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response

from radiomicnet_md import __version__
from radiomicnet_md.errors import BusyError, ConfigurationError, ExitCode, IntegrityError, Problem, UsageError
from radiomicnet_md.faults import note_fault
from radiomicnet_md.web import api, comparing, entrance, pages, printing, signing, staff
from radiomicnet_md.web.admission import DeniedError, admit
from radiomicnet_md.web.guard import App, Guard
from radiomicnet_md.web.house import House
from radiomicnet_md.web.rendering import page
from radiomicnet_md_audit.errors import RecordError

_STATUS: Final[tuple[tuple[type[Problem], int], ...]] = (
    (IntegrityError, 409),
    (RecordError, 404),
    (BusyError, 503),
    (UsageError, 400),
    (ConfigurationError, 503),
)


class _DefectError(Problem):
    exit_code = ExitCode.UNEXPECTED


def application(house: House, hosts: Iterable[str], *, tls: bool = False) -> Guard:
    """The application over a home, answering to these hosts (names with port)."""
    return Guard(_application(house), hosts, tls=tls)


def _application(house: House) -> App:
    @asynccontextmanager
    async def living(_: FastAPI) -> AsyncIterator[None]:
        house.books.start()
        yield
        house.books.stop()

    app = FastAPI(
        title="RadiomicNet-MD",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        lifespan=living,
        dependencies=[Depends(admit)],
    )
    app.state.house = house
    for router in (m.router for m in (entrance, staff, pages, printing, comparing, signing, api)):
        app.include_router(router)
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    return app


async def _problem(request: Request, error: Exception) -> Response:
    """A failure in words."""
    problem = error if isinstance(error, Problem) else _unexpected(request, error)
    if isinstance(problem, DeniedError):
        status = problem.status
    else:
        status = next((status for kind, status in _STATUS if isinstance(problem, kind)), 500)
    return _said(request, problem, status)


async def _http(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    text = "This page takes no such request." if status == 405 else "There is no such page."  # noqa: PLR2004
    return _said(request, DeniedError(status, "E-WEB-ROUTE", text, remedy="Go back to the worklist."), status)


async def _invalid(request: Request, _: Exception) -> Response:
    problem = DeniedError(400, "E-WEB-VALUE", "A value of this request is none that is known.", remedy="Correct it.")
    return _said(request, problem, problem.status)


def _unexpected(request: Request, error: Exception) -> Problem:
    note_fault(request.app.state.house.keeper.home.folder, error)
    return _DefectError(
        "E-UNEXPECTED",
        f"An unexpected {type(error).__name__} stopped this request. This is a defect of RadiomicNet-MD.",
        remedy="Report it with logs/errors.jsonl in the home.",
    )


def _said(request: Request, problem: Problem, status: int) -> Response:
    if request.url.path.startswith("/api/") or "application/json" in request.headers.get("accept", ""):
        said = {"error": {"code": problem.code, "text": str(problem), "remedy": problem.remedy}}
        headers = {"www-authenticate": "Bearer"} if status == 401 else None  # noqa: PLR2004
        return JSONResponse(said, status, headers)
    code = problem.code
    if code == "E-WEB-SIGN-IN" and request.method == "GET":
        return RedirectResponse("/sign-in", 303)
    if code == "E-WEB-PASSPHRASE" and request.method == "GET":
        return RedirectResponse("/passphrase", 303)
    return page(request, "problem.html", status=status, problem=problem, broken=isinstance(problem, IntegrityError))


_HANDLERS: Final[dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    Problem: _problem,
    Exception: _problem,
    HTTPException: _http,
    RequestValidationError: _invalid,
}

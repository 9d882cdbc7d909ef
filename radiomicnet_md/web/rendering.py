# SPDX-License-Identifier: Apache-2.0
"""A page is a template filled with values; every value is escaped, and every word comes from the catalogue."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from radiomicnet_md import __version__
from radiomicnet_md.review.names import printable
from radiomicnet_md.web.words import say

_HERE = Path(__file__).parent


@cache
def environment() -> Environment:
    """The templates; what is not given to one is an error and no blank."""
    made = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(t=say, version=__version__, pairs=lambda words: [(word, word) for word in words])
    made.filters.update(plain=printable, utc=utc)
    return made


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401
    """The filled template as an answer."""
    caller = getattr(request.state, "caller", None)
    common = {
        "nonce": request.scope["state"]["nonce"],
        "caller": caller,
        "csrf": caller.session.csrf if caller is not None and caller.session is not None else "",
        "path": request.url.path,
    }
    return HTMLResponse(environment().get_template(template).render(**common, **values), status)


def utc(time: str) -> str:
    """A time of the log to the second."""
    return f"{time[:10]} {time[11:19]} UTC" if time else ""

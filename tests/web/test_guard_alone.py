# SPDX-License-Identifier: Apache-2.0
"""The guard by itself: whatever is for another host, from another page or too large never reaches the application."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from radiomicnet_md.web.guard import LARGEST, Guard

HOST = "127.0.0.1:8470"


def asked(body: bytes = b"", method: str = "POST", **headers: str) -> tuple[int, bool]:
    """The status that a request gets, and whether the application saw it."""
    said: list[Any] = []
    seen: list[bytes] = []

    async def application(_: object, receive: Any, send: Any) -> None:  # noqa: ANN401
        seen.append((await receive())["body"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:  # noqa: ANN401
        said.append(message)

    pairs = {"host": HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope = {"type": "http", "method": method, "headers": [(n.encode(), v.encode()) for n, v in pairs.items()]}
    with ThreadPoolExecutor(1) as pool:  # another test may have a loop in this thread
        pool.submit(asyncio.run, Guard(application, [HOST], tls=False)(scope, receive, send)).result()
    return said[0]["status"], bool(seen)


@pytest.mark.verifies("SRS-PAG-008", rc=("RC-032",))
def test_what_is_foreign_or_too_large_is_refused_and_not_looked_at() -> None:
    assert asked(b"x" * LARGEST, origin=f"http://{HOST}", sec_fetch_site="same-origin") == (200, True)
    for status, request in (
        (421, {"host": "evil.example"}),
        (421, {"host": f"{HOST}.evil.example", "method": "GET"}),
        (403, {"origin": "http://evil.example"}),
        (403, {"origin": f"https://{HOST}"}),
        (403, {"sec_fetch_site": "same-site"}),
        (413, {"body": b"x" * (LARGEST + 1)}),
        (413, {"content_length": str(LARGEST + 1)}),
    ):
        assert asked(**request) == (status, False), request  # type: ignore[arg-type]

# SPDX-License-Identifier: Apache-2.0
"""A request is looked at when it is small, complete, for this host and from this page; an answer says how to keep it.

Rules of this module:

- A request for another host name is refused: else a name that somebody else resolves to this address could read here
  with a reviewer's browser (DNS rebinding).
- A request that changes something and says that it comes from another page is refused, whatever cookie it carries.
- A body has at most :data:`LARGEST` bytes and comes within :data:`BODY_S` seconds. No route takes a file.
- The browser is told to run no script and to apply no style without this answer's nonce, to fetch from here alone, to
  put the page into no frame, and to keep no copy.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

LARGEST = 64 * 1024
BODY_S = 10.0
_READING = frozenset({"GET", "HEAD"})

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class RefusedError(Exception):
    """A request that is not looked at."""

    def __init__(self, status: int, text: str) -> None:
        """Keep what is answered."""
        super().__init__(text)
        self.status, self.text = status, text


class Guard:
    """Wraps the application; ``hosts`` are the names, with their port, that it answers to."""

    def __init__(self, app: App, hosts: Iterable[str], *, tls: bool) -> None:
        """Answer to these hosts, over TLS or not."""
        self._app, self._hosts, self._tls = app, frozenset(hosts), tls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; anything but HTTP goes on to the application unless it is a web socket."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        started = False

        async def kept(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                told = {name for name, _ in message["headers"]}
                more = [pair for pair in self._headers(nonce) if pair[0] not in told]
                message["headers"] = [*message["headers"], *more]
            await send(message)

        try:
            self._check(scope)
            body = await _body(scope, receive)
        except RefusedError as refused:
            await _answer(kept, refused)
            return

        given = False

        async def once() -> Message:
            nonlocal given
            if given:
                return await receive()
            given = True
            return {"type": "http.request", "body": body, "more_body": False}

        try:
            await self._app(scope, once, kept)
        except Exception:
            if not started:  # else the application has answered, and noted what it was
                raise

    def _check(self, scope: Scope) -> None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        if len(hosts) != 1 or hosts[0].lower() not in self._hosts:
            raise RefusedError(421, "This server does not answer to that name.")
        if scope["method"] in _READING:
            return
        said = {name: value.decode("latin-1") for name, value in scope["headers"]}
        scheme = "https" if self._tls else "http"
        if said.get(b"origin", f"{scheme}://{hosts[0]}").lower() != f"{scheme}://{hosts[0].lower()}":
            raise RefusedError(403, "This request comes from another page.")
        if said.get(b"sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise RefusedError(403, "This request comes from another page.")

    def _headers(self, nonce: str) -> list[tuple[bytes, bytes]]:
        policy = (
            f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; img-src 'self' blob:; "
            "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        )
        headers = [
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"cross-origin-resource-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
            (b"cache-control", b"no-store"),
        ]
        return [*headers, (b"strict-transport-security", b"max-age=31536000")] if self._tls else headers


async def _body(scope: Scope, receive: Receive) -> bytes:
    """The whole body."""
    said = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
    if not said.isdigit() or int(said) > LARGEST:
        raise RefusedError(413, "The request is too large; nothing is uploaded here.")
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise RefusedError(400, "The request was not finished.")
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > LARGEST:
                    raise RefusedError(413, "The request is too large; nothing is uploaded here.")
                if not message.get("more_body", False):
                    return b"".join(parts)
    except TimeoutError:
        raise RefusedError(408, "The request came too slowly.") from None


async def _answer(send: Send, refused: RefusedError) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": refused.text.encode() + b"\n"})

# SPDX-License-Identifier: Apache-2.0
"""One request to one address that somebody named, and no more bytes or seconds of an answer than were asked for.

Rules of this module:

- One connection: no redirect is followed, no proxy of the environment is used.
- Connecting, each read, and the whole exchange have a time limit.
- It judges nothing: what an answer is worth is for its caller to verify.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import (  # noqa: TID251 -- the one connection that whoever names an address asks for
    HTTPConnection,
    HTTPException,
    HTTPSConnection,
)
from urllib.parse import urlsplit

SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    """What the other side answered."""

    status: int
    content_type: str
    body: bytes


def post(url: str, body: bytes, content_type: str, *, most: int, seconds: float) -> Reply:
    """Send ``body`` to ``url``; of the answer's body at most ``most`` bytes are read.

    Raises :class:`ValueError` for an address that is not ``http[s]://HOST[:PORT][/PATH]``, and :class:`OSError` where
    there is no answer within so many seconds.
    """
    connection, path = connection_to(url, seconds)
    try:
        connection.connect()
        with _deadline(connection.sock, seconds):
            connection.request("POST", path, body, {"Content-Type": content_type})
            response = connection.getresponse()
            data = response.read(most)
    except HTTPException as error:
        raise OSError(str(error)) from None
    finally:
        connection.close()
    return Reply(response.status, response.getheader("Content-Type", ""), data)


def connection_to(url: str, seconds: float) -> tuple[HTTPConnection, str]:
    """Return an unopened connection and the path to post to; raise :class:`ValueError` for another form of address."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port
    kinds = {"http": HTTPConnection, "https": HTTPSConnection}
    if parts.scheme not in kinds or not host or parts.username is not None or parts.query or parts.fragment:
        raise ValueError(url)
    return kinds[parts.scheme](host, port, timeout=seconds), parts.path or "/"


@contextmanager
def _deadline(sock: socket.socket, seconds: float) -> Iterator[None]:
    """End the exchange after so many seconds: a side that sends a byte now and then never meets a read's limit."""
    timer = threading.Timer(seconds, _cut, (sock,))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _cut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # it is closed already

# SPDX-License-Identifier: Apache-2.0
"""Answers ``POST /add-checkpoint`` over HTTP, and nothing else.

Source: c2sp.org/tlog-witness. Rules of this module:

- It holds no judgement: bytes go in to :meth:`Witness.add_checkpoint`, status, type and body come out.
- It listens where it is told to, on the loopback address unless asked otherwise. There is no TLS here: a witness that
  others reach over a network stands behind a server that has it. Requests need no authentication but the checkpoint's.
- A request has one ``Content-Length`` of decimal digits and at most :data:`LARGEST_REQUEST` bytes. Every other one is
  answered with 400 and its connection closed, because where it ends is not known.
- A witness that cannot decide (state busy, damaged or not writable, clock set back) answers 503 or 500, and signs
  nothing.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from radiomicnet_md_audit.errors import BusyError, ConfigurationError, Problem
from radiomicnet_md_audit.witness import LARGEST_REQUEST, PATH, Answer, Witness

LOOPBACK = "127.0.0.1"

_SECONDS_PER_READ = 10.0
_LENGTH = re.compile(r"[0-9]{1,7}")


class WitnessServer(ThreadingHTTPServer):
    """A witness behind a port; ``serve_forever`` runs it, ``shutdown`` from another thread ends it."""

    daemon_threads = True

    def __init__(self, witness: Witness, address: tuple[str, int], said: Callable[[str], None]) -> None:
        """Bind to ``address`` (port 0 takes a free one); ``said`` hears one line a request and one a failure.

        Raises :class:`ConfigurationError` ``E-WITNESS-STATE-FOLDER`` or ``E-WITNESS-LISTEN``.
        """
        self.witness = witness
        self.said = said
        try:
            witness.state.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                "E-WITNESS-STATE-FOLDER",
                f"The folder for the witness's state cannot be made ({error.strerror}).",
                remedy="Name a folder whose parent exists and may be written.",
            ) from None
        try:
            super().__init__(address, _Handler)
        except OSError as error:
            raise ConfigurationError(
                "E-WITNESS-LISTEN",
                f"The witness cannot listen at the given address ({error.strerror}).",
                remedy="Choose an address of this machine and a port that is free.",
            ) from None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in a line that the other side broke the connection; show any other failure, a defect, in full."""
        if isinstance(sys.exc_info()[1], OSError):
            self.said("the other side broke the connection")
        else:
            super().handle_error(request, client_address)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        """The submission prefix."""
        host, port = self.server_address[:2]
        return f"http://{host!s}:{port}"


class _Handler(BaseHTTPRequestHandler):
    """One connection, kept open between requests."""

    protocol_version = "HTTP/1.1"
    server_version = "radiomicnet-md-witness"
    sys_version = ""
    timeout = _SECONDS_PER_READ
    server: WitnessServer

    def do_POST(self) -> None:
        """Answer a submission; any other path is not found."""
        body = self._body()
        if body is None:
            self.close_connection = True
            self._send(Answer(HTTPStatus.BAD_REQUEST, "The request's length is missing, too large or not kept.\n"))
        elif self.path != PATH:
            self._send(Answer(HTTPStatus.NOT_FOUND, f"There is only {PATH} here.\n"))
        else:
            self._send(self._judged(body))

    def _judged(self, body: bytes) -> Answer:
        try:
            return self.server.witness.add_checkpoint(body)
        except Problem as problem:
            self.server.said(f"{problem} [{problem.code}] {problem.remedy}")
            busy = isinstance(problem, BusyError)
            status = HTTPStatus.SERVICE_UNAVAILABLE if busy else HTTPStatus.INTERNAL_SERVER_ERROR
            return Answer(status, f"{problem} [{problem.code}]\n")

    def _body(self) -> bytes | None:
        """Read the body, or return None where its length is not given properly or not kept."""
        lengths = self.headers.get_all("Content-Length", [])
        if len(lengths) != 1 or "Transfer-Encoding" in self.headers or not _LENGTH.fullmatch(lengths[0]):
            return None
        length = int(lengths[0])
        if length > LARGEST_REQUEST:
            return None
        try:
            body = self.rfile.read(length)
        except OSError:  # the time for one read is over, or the other side is gone
            return None
        return body if len(body) == length else None

    def _send(self, answer: Answer) -> None:
        data = answer.body.encode()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        try:
            self.wfile.write(data)
        except OSError:  # nobody waits any more; the state holds what was cosigned
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the library's own parameter name
        """Hand the server's line on; what the other side sent is shown without control characters."""
        self.server.said((format % args).encode("unicode_escape").decode("ascii"))

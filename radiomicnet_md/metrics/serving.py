# SPDX-License-Identifier: Apache-2.0
"""``/metrics`` and ``/health`` on this machine, and nothing else anywhere.

Rules of this module:

- It listens on 127.0.0.1 alone, and answers to the names of this machine alone (a page elsewhere whose name was made to
  lead here reads nothing). Another machine's Prometheus comes through an agent or a tunnel of this one.
- A request changes nothing, and one is answered after the other.
- Where home, release or log cannot be read, the answer is 503 with the code alone, and Prometheus says that it is down.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Final

from radiomicnet_md import checkup
from radiomicnet_md.errors import Problem, UsageError
from radiomicnet_md.faults import note_fault
from radiomicnet_md.metrics.exposition import CONTENT_TYPE, page
from radiomicnet_md.metrics.reading import Reader

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings

HOST: Final = "127.0.0.1"
HEALTH: Final = ("release", "home", "anchor", "disk", "qualification")
_JSON: Final = "application/json"
WAIT_S: Final = 10.0  # for the rest of a request


def health(settings: Settings) -> tuple[bool, str]:
    """Whether what a device needs at any moment is there, and which part is, as JSON."""
    found = [checkup.look(name, settings) for name in HEALTH]
    well = all(one.ok for one in found)
    said = {"status": "ok" if well else "fail", "checks": {one.name: "ok" if one.ok else "fail" for one in found}}
    return well, json.dumps(said) + "\n"


def serve(settings: Settings, port: int, ready: Callable[[str], None]) -> None:
    """Answer until interrupted, once the log was read to its end.

    Raises :class:`UsageError` ``E-METRICS-PORT`` where the port cannot be used, and as :meth:`Reader.families`.
    """
    reader = Reader(settings)
    reader.families()

    class Answer(BaseHTTPRequestHandler):
        timeout = WAIT_S
        server_version, sys_version = "radiomicnet-md", ""

        def do_GET(self) -> None:
            self._say(*_answer(self.path, self.headers.get("host", ""), reader, settings))

        def _say(self, status: int, kind: str, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(text.encode())))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None:
            """No access log."""

    try:
        server = HTTPServer((HOST, port), Answer)
    except OSError as error:
        raise UsageError(
            "E-METRICS-PORT",
            f"Port {port} of {HOST} cannot be used: {error.strerror}.",
            remedy="Name another one with --port; 0 takes a free one.",
        ) from error
    with server:
        ready(f"http://{HOST}:{server.server_address[1]}/metrics")
        server.serve_forever()


def _answer(path: str, host: str, reader: Reader, settings: Settings) -> tuple[int, str, str]:
    """Status, content type and text."""
    if host.partition(":")[0] not in (HOST, "localhost"):
        return 421, "text/plain", "This server does not answer to that name.\n"
    try:
        if path == "/metrics":
            return 200, CONTENT_TYPE, page(reader.families())
        if path == "/health":
            well, text = health(settings)
            return 200 if well else 503, _JSON, text
    except Problem as problem:
        return 503, "text/plain", f"{problem.code}\n"
    except Exception as error:  # noqa: BLE001 -- the last net: it is noted in the home, and the next request is answered
        note_fault(settings.home, error)
        return 500, "text/plain", "E-UNEXPECTED\n"
    return 404, "text/plain", "There are /metrics and /health.\n"

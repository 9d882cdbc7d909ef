# SPDX-License-Identifier: Apache-2.0
"""``serve``: the reviewer's page and its REST API, on this machine.

What it shows and how to sign there is in ``docs/how-to/review-a-decision.md``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

PORT = 8470
_EXAMPLE = """\
examples:
  radiomicnet-md serve                                   then open http://127.0.0.1:8470/
  radiomicnet-md serve --host 10.0.0.5 --name review.example.org --tls-certificate chain.pem --tls-key key.pem
"""


def arguments(parser: argparse.ArgumentParser, _shared: argparse.ArgumentParser) -> None:
    """Add where to listen."""
    parser.epilog = _EXAMPLE
    parser.add_argument("--port", type=port, default=PORT, metavar="N", help=f"default: {PORT}; 0: a free one")
    parser.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1; others need TLS")
    parser.add_argument("--name", action="append", default=[], metavar="NAME", help="what browsers call this machine")
    parser.add_argument("--tls-certificate", type=Path, metavar="FILE", help="certificate and chain, PEM")
    parser.add_argument("--tls-key", type=Path, metavar="FILE", help="its private key, PEM")


def run(call: Call) -> int:
    """Serve until interrupted."""
    from radiomicnet_md.web.server import Address, serve

    given = call.given
    address = Address(given.host, given.port, given.tls_certificate, given.tls_key, tuple(given.name))

    def ready(url: str) -> None:
        call.console.emit({"url": url}, f"the page is at {url}\n  interrupt (Ctrl+C) to end")

    serve(call.settings(), address, call.console.note, ready)
    return ExitCode.OK


def port(text: str) -> int:
    """A port of the command line."""
    if not (text.isascii() and text.isdecimal()) or int(text) > 0xFFFF:  # noqa: PLR2004 -- the largest port
        raise argparse.ArgumentTypeError("not a port: 0 to 65535")
    return int(text)

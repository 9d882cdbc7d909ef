# SPDX-License-Identifier: Apache-2.0
"""``metrics``: numbers for Prometheus, once on stdout or at an address of this machine; no passphrase, no patient."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from radiomicnet_md.commands.call import Call
from radiomicnet_md.commands.serve import port
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
examples:
  radiomicnet-md metrics > /var/lib/node_exporter/radiomicnet.prom
  radiomicnet-md metrics --port 8471          then: curl http://127.0.0.1:8471/metrics and /health

The whole log is read first, 100,000 records in one to four minutes; then, with --port, only what is new.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add where to listen."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--port", type=port, metavar="N", help="serve on 127.0.0.1 until interrupted; 0: a free port")


def run(call: Call) -> int:
    """Print the numbers once, or serve them."""
    from radiomicnet_md.metrics.exposition import page
    from radiomicnet_md.metrics.reading import Reader
    from radiomicnet_md.metrics.serving import serve

    settings = call.settings()
    if call.given.port is not None:
        serve(settings, call.given.port, lambda url: call.console.emit({"url": url}, f"the numbers are at {url}"))
        return ExitCode.OK
    families = Reader(settings).families()
    if call.console.as_json:
        for family in families:
            call.console.emit(asdict(family), "")
    else:
        call.console.page(page(families))
    return ExitCode.OK

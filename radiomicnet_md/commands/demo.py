# SPDX-License-Identifier: Apache-2.0
"""``demo``: the whole story once, from keys to a verified export."""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call

_EXAMPLE = """\
example:
  radiomicnet-md demo --out demo

Makes a home, verifies the release, decides a few cases, verifies and exports the log, replays a record,
and leaves home/, out/, export/ and report.html in the folder.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``demo`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--out", default="demo", metavar="DIR", help="where everything goes (demo)")


def run(call: Call) -> int:
    """Run the demonstration."""
    from radiomicnet_md import compiling, demo

    compiling.announce(call.console.note)

    release = None if call.given.release is None else Path(call.given.release)
    return demo.run(Path(call.given.out), call.console, release)

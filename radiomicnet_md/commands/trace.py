# SPDX-License-Identifier: Apache-2.0
"""``trace``: whether every requirement has a test, every test a requirement, and every id a meaning."""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md_traceability import command, matrix

_EXAMPLE = """\
examples:
  radiomicnet-md trace check
  radiomicnet-md trace matrix --out matrix.md
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the trace."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="trace_verb", required=True, metavar="VERB", parser_class=type(parser))
    checking = verbs.add_parser("check", parents=[shared], help="name every gap; exit code 3 if there is one")
    checking.add_argument("--structure", action="store_true", help="leave the latest test results out")
    table = verbs.add_parser("matrix", parents=[shared], help="the traceability matrix")
    table.add_argument("--format", choices=matrix.FORMATS, default="markdown")
    table.add_argument("--out", type=Path, metavar="FILE", help="write to FILE instead of stdout")


def run(call: Call) -> int:
    """Do one of the verbs of the trace."""
    return command.run(call.given)

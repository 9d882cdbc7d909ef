# SPDX-License-Identifier: Apache-2.0
"""``trace``: whether every requirement has a test, every test a requirement, and every id a meaning."""

from __future__ import annotations

import argparse

from radiomicnet_md.commands.call import Call
from radiomicnet_md_traceability import command

_EXAMPLE = """\
examples:
  radiomicnet-md trace check
  radiomicnet-md trace matrix --out matrix.md
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the trace."""
    parser.epilog = _EXAMPLE
    command.arguments(parser, [shared])


def run(call: Call) -> int:
    """Do one of the verbs of the trace."""
    return command.run(call.given)

# SPDX-License-Identifier: Apache-2.0
"""``evidence``: everything a reviewer asks for in one signed file, and whether such a file holds."""

from __future__ import annotations

import argparse

from radiomicnet_md.commands.call import Call
from radiomicnet_md_traceability import bundling

_EXAMPLE = """\
examples:
  radiomicnet-md evidence build --out evidence.zip --key evidence.key --passphrase-file phrase
  radiomicnet-md evidence verify evidence.zip --key evidence.pem
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the evidence."""
    parser.epilog = _EXAMPLE
    bundling.arguments(parser, [shared])


def run(call: Call) -> int:
    """Do one of the verbs of the evidence."""
    return bundling.run(call.given)

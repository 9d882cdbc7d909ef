# SPDX-License-Identifier: Apache-2.0
"""``sbom``: the bill of materials of a checkout, CycloneDX 1.6, the same bytes every time."""

from __future__ import annotations

import argparse

from radiomicnet_md.commands.call import Call
from radiomicnet_md_traceability import bundling

_EXAMPLE = """\
examples:
  radiomicnet-md sbom --out sbom.cdx.json
  radiomicnet-md sbom --vex --out vex.cdx.json
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the options of the bill."""
    del shared  # there are no verbs below this one
    parser.epilog = _EXAMPLE
    bundling.sbom_arguments(parser)


def run(call: Call) -> int:
    """Write the bill."""
    return bundling.run_sbom(call.given)

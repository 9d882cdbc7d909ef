# SPDX-License-Identifier: Apache-2.0
"""The trace commands without the device: ``python -m radiomicnet_md_traceability trace check``."""

from __future__ import annotations

import argparse
import sys

from radiomicnet_md_audit.errors import Problem
from radiomicnet_md_traceability import bundling, command


def main() -> int:
    """Parse, call, print; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_traceability")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    command.arguments(verbs.add_parser("trace", help="check or show the trace from needs to test results"))
    bundling.arguments(verbs.add_parser("evidence", help="build or verify the signed bundle of all evidence"))
    bundling.sbom_arguments(verbs.add_parser("sbom", help="the bill of materials, CycloneDX 1.6"))
    verbs.add_parser("docs", help="write the generated pages from the items")
    args = parser.parse_args()
    runs = {"trace": command.run, "evidence": bundling.run, "sbom": bundling.run_sbom}
    try:
        if args.verb in runs:
            return runs[args.verb](args)
        command.write_pages(command.checkout())
    except Problem as problem:
        print(f"{problem.code}: {problem}\n{problem.remedy}", file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

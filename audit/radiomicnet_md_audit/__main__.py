# SPDX-License-Identifier: Apache-2.0
"""The auditor's door: verify an export, or prove one of its entries, without the product that wrote it."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from radiomicnet_md_audit import anchor as anchors
from radiomicnet_md_audit import policy as policies
from radiomicnet_md_audit import tiles
from radiomicnet_md_audit.bundle import LATEST, BundleError, verify_bundle
from radiomicnet_md_audit.errors import ExitCode, Problem
from radiomicnet_md_audit.verify import Report

_Read = TypeVar("_Read")
_MARKS = {True: "holds", False: "FAILS", None: "not checked"}


def main(arguments: Sequence[str] | None = None) -> ExitCode:
    """Run the command line; return the exit code: 0 all claims hold, 4 something does not, 2 nothing to verify.

    With ``--structure`` signatures are no claim, and 0 says that the rest holds.
    """
    options = _parser().parse_args(arguments)
    run: Callable[[argparse.Namespace], ExitCode] = options.run
    return run(options)


def _verify(options: argparse.Namespace) -> ExitCode:
    try:
        policy = policies.parse(_read(Path.read_bytes, options.policy))
        anchor = None if options.anchor is None else _read(anchors.mapped, options.anchor)
        outside = b"" if options.outside is None else _read(Path.read_bytes, options.outside)
        report = verify_bundle(options.bundle, policy, anchor, signatures=not options.structure, outside=outside)
    except Problem as problem:
        _print_problem(problem, as_json=options.json)
        return problem.exit_code
    if options.json:
        less = {"structure_only": True} if options.structure else {}
        print(json.dumps({**report.document(), **less}, ensure_ascii=False))
    else:
        _print_report(report)
        if options.structure:
            print("STRUCTURE ONLY: this is not a verification of signatures")
        if options.policy.resolve().is_relative_to(options.bundle.resolve()):
            print("note: this policy came with the export; a policy from somebody you trust proves more")
    return ExitCode.OK if report.ok or (options.structure and report.sound) else ExitCode.INTEGRITY


def _prove(options: argparse.Namespace) -> ExitCode:
    def read(path: str) -> bytes:
        if not (options.bundle / path).is_file():  # a pipe would be waited for
            raise BundleError(
                "E-BUNDLE-MISSING",
                f"There is no file {path} in the given folder.",
                remedy="Name the folder that `audit export` wrote; one of version 0.2 has its proofs ready in proofs/.",
            )
        return _read(Path.read_bytes, options.bundle / path)

    try:
        made = tiles.inclusion(read, options.entry, read(LATEST).decode("utf-8", "replace"))
    except Problem as problem:
        _print_problem(problem, as_json=False)
        return problem.exit_code
    sys.stdout.buffer.write(str(made).encode())
    return ExitCode.OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md_audit", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    verify = verbs.add_parser("verify", help="verify an export")
    verify.set_defaults(run=_verify)
    verify.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder that `audit export` wrote")
    verify.add_argument("--policy", type=Path, required=True, metavar="FILE", help="whom you trust")
    verify.add_argument("--anchor", type=Path, metavar="FILE", help="a copy of the log's anchor, from elsewhere")
    verify.add_argument("--outside", type=Path, metavar="FILE", help="what others said of the log, kept elsewhere")
    verify.add_argument(
        "--structure", action="store_true", help="leave signatures and anchor out: quicker, and never a verification"
    )
    verify.add_argument("--json", action="store_true", help="one JSON object on standard output")
    prove = verbs.add_parser("prove", help="print the proof of one entry of an export (C2SP tlog-proof)")
    prove.set_defaults(run=_prove)
    prove.add_argument("bundle", type=Path, metavar="BUNDLE", help="folder that `audit export` wrote")
    prove.add_argument("entry", type=int, metavar="INDEX", help="the entry's number, counted from 0")
    return parser


def _read(how: Callable[[Path], _Read], path: Path) -> _Read:
    try:
        return how(path)
    except OSError as error:
        raise BundleError(
            "E-FILE-MISSING",
            f"A file named on the command line cannot be read ({error.strerror}).",
            remedy="Check the path after --policy, --anchor or --outside.",
        ) from None


def _print_problem(problem: Problem, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": False, "code": problem.code, "text": str(problem), "remedy": problem.remedy}))
    else:
        print(f"{problem.code}: {problem}\n  {problem.remedy}", file=sys.stderr)


def _print_report(report: Report) -> None:
    for claim in report.claims:
        print(f"{_MARKS[claim.ok]:>11}  {claim.name}: {claim.text}")
    for finding in report.findings:
        where = "" if finding.index is None else f"entry {finding.index}: "
        print(f"{'finding':>11}  {finding.code}: {where}{finding.text}")
    print(f"{report.size} entries, root {report.root}")


if __name__ == "__main__":
    sys.exit(main())

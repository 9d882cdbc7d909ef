# SPDX-License-Identifier: Apache-2.0
"""``trace check`` ends with 0 only when nothing was found; ``trace matrix`` shows what hangs on what.

``trace mutate`` breaks the risk controls. The judgement is in :mod:`rules`, :mod:`matrix` and :mod:`mutating`; here are
arguments, printing and the exit code.
"""

from __future__ import annotations

import argparse
import json as json_format
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from radiomicnet_md_audit.errors import ConfigurationError, ExitCode
from radiomicnet_md_traceability import documents, graph, load, lobster, matrix, mutants, mutating, rules
from radiomicnet_md_traceability.findings import Finding


def arguments(parser: argparse.ArgumentParser, parents: Sequence[argparse.ArgumentParser] = ()) -> None:
    """Give ``trace`` its verbs ``check``, ``matrix`` and ``mutate``; what is parsed goes to :func:`run`."""
    verbs = parser.add_subparsers(dest="trace_verb", required=True, metavar="VERB", parser_class=type(parser))
    checking = verbs.add_parser("check", parents=parents, help="name every gap; exit code 3 if there is one")
    checking.add_argument("--structure", action="store_true", help="leave the latest test results out")
    table = verbs.add_parser("matrix", parents=parents, help="the traceability matrix")
    table.add_argument("--format", choices=matrix.FORMATS, default="markdown")
    table.add_argument("--out", type=Path, metavar="FILE", help="write to FILE (lobster: a folder), not to stdout")
    breaking = verbs.add_parser(
        "mutate", parents=parents, help="break every risk control in five ways; exit code 3 where no test notices"
    )
    breaking.add_argument("--only", nargs="+", default=(), metavar="RC", help="restrict the run to these controls")
    breaking.add_argument("--write", action="store_true", help=f"also write the table into {mutating.PAGE}")


def run(args: argparse.Namespace) -> int:
    """Do what the parsed arguments say; the exit code."""
    root = checkout()
    if args.trace_verb == "check":
        return check(root, json=bool(getattr(args, "json", False)), structure=args.structure)
    if args.trace_verb == "mutate":
        return mutate(root, args.only, json=bool(getattr(args, "json", False)), write=args.write)
    seen = graph.build(root)
    if args.format == "lobster":
        _write_lobster(seen, args.out or root / ".results" / "lobster")
        return ExitCode.OK
    text = matrix.render(seen, args.format)
    if args.out is None:
        print(text, end="")
    else:
        args.out.write_text(text, encoding="utf-8")
    return ExitCode.OK


def checkout() -> Path:
    """The checkout to judge: the current folder if it is one, else the one this package runs from.

    Raises:
        ConfigurationError: neither is a checkout (``E-TRACE-ROOT``).
    """
    for root in (Path.cwd(), load.folder().parent):
        if (root / "traceability" / "requirements").is_dir() and (root / "pyproject.toml").is_file():
            return root
    raise ConfigurationError(
        "E-TRACE-ROOT",
        "The trace is judged in a checkout of the source, and this folder is none.",
        remedy="Change to the folder of a checkout and run the command again.",
    )


def check(root: Path, *, json: bool = False, structure: bool = False) -> int:
    """Print every finding of the checkout at ``root``; the exit code, 3 when there is one."""
    seen = graph.build(root, structure=structure)
    findings = rules.run(seen)
    summary = {
        "ok": not findings,
        "findings": len(findings),
        "requirements": len(seen.items.of("software")),
        "hazards": len(seen.items.of("hazard")),
        "tests": len(seen.tests),
        "results": None if seen.results is None else seen.results.started,
    }
    if json:
        for row in (*map(asdict, findings), summary):
            print(json_format.dumps(row, sort_keys=True))
    else:
        _print_findings(findings)
        basis = f"results of {summary['results']}" if seen.results else "structure alone, no test results judged"
        print(
            f"trace check: {summary['requirements']} requirements, {summary['hazards']} hazards, "
            f"{summary['tests']} tests, {len(findings)} findings ({basis})"
        )
    return ExitCode.SOME_FAILED if findings else ExitCode.OK


def mutate(root: Path, only: Sequence[str] = (), *, json: bool = False, write: bool = False) -> int:
    """Print the fate of every mutant of the risk controls; the exit code, 3 where one was not killed.

    Raises:
        UnknownControlError: no control has such an id.
        ConfigurationError: the tests cannot be run, or the page has no place for the table.
    """
    seen = graph.build(root, structure=True)
    fates = []
    for fate in mutating.judge(seen, mutating.asked(seen, only)):
        fates.append(fate)
        said = fate.by if fate.fate == mutants.KILLED else f"{fate.by} {fate.reason}".strip()
        row = json_format.dumps(asdict(fate), sort_keys=True)
        print(row if json else f"{fate.fate:8} {fate.name}  {said}".rstrip(), flush=True)
    mutants.write(seen, fates)
    if write:
        mutating.write_page(seen, mutants.fates(root))
    if not json:
        print(f"\n{mutating.overview(fates)}\n{mutating.summary(fates)}")
    return ExitCode.OK if all(fate.fate == mutants.KILLED for fate in fates) else ExitCode.SOME_FAILED


def write_pages(root: Path) -> None:
    """Write every generated page of the checkout (:mod:`documents`)."""
    for name, text in documents.pages(graph.build(root, structure=True)).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


def _write_lobster(seen: graph.Graph, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for name, text in lobster.render(seen).items():
        (out / name).write_text(text, encoding="utf-8")


def _print_findings(findings: tuple[Finding, ...]) -> None:
    for rule in rules.RULES:
        own = [finding for finding in findings if finding.rule == rule.id]
        if own:
            print(f"{rule.id}  {rule.demand}")
            for finding in own:
                print(f"     {finding.where}: {finding.message}")
            print(f"     -> {rule.remedy}\n")

# SPDX-License-Identifier: Apache-2.0
"""The door: finds the verb, hands it its arguments, and turns what comes back into an exit code.

Rules of this module:

- It holds no logic, and imports the module of one verb only: the one that was asked for.
- Global options are taken before or after the verb.
- A :class:`Problem` is shown as its fact and its remedy. Anything else is a defect of ours: it is said so,
  and its traceback goes to a file in the home, never to the screen.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from radiomicnet_md import __version__
from radiomicnet_md.commands.call import Call, Console, Run, close_stdout
from radiomicnet_md.errors import ConfigurationError, ExitCode, Problem

PROGRAM = "radiomicnet-md"
VERBS = {
    "demo": "run the whole story once, on files this package brings along",
    "init": "make a home: keys, an empty log and its anchor",
    "segment": "decide images: a signed record each, then masks and pictures",
    "batch": "decide many images on several processors, and go on where it was stopped",
    "worker": "decide for the batches of a cluster of machines",
    "features": "measure radiomic values and maps alone (no decision)",
    "audit": "list, show, verify, export, report and replay what the log holds",
    "sign": "sign a decision: approve, reject or override it",
    "users": "people: add, list, disable, roles, passphrases",
    "keys": "show, replace and revoke the keys of the log",
    "release": "show or verify the signed release",
    "qualify": "test this installation where it runs, with a signed report",
    "serve": "the reviewer's page and its REST API, on this machine",
    "dicom": "receive, decide and send as a DICOM node; fetch studies",
    "mercure": "be a processing module of the orchestrator mercure",
    "monitor": "watch the log for drift: images, values and refusals against their reference",
    "metrics": "numbers for Prometheus, and whether the device is well, on this machine",
    "backup": "the whole home in one file, while work goes on",
    "restore": "a home from a backup, verified against its anchor",
    "upgrade": "take another installation or release into a home, or go back, on the record",
    "doctor": "check everything this device needs, with a remedy for each failure",
    "validate": "score a folder of images with masks against what was demanded, and sign the report",
    "trace": "check requirements against tests",
    "evidence": "build or verify the signed bundle of all evidence",
    "sbom": "the bill of materials: every package and the weights",
}
_INTRODUCTION = "Ultrasound segmentation, every decision signed, explained and replayable. Not a cleared device."
_EPILOGUE = """\
first steps:
  radiomicnet-md demo --out demo          see the whole story in a minute or two
  radiomicnet-md init                     make your own home
  radiomicnet-md segment scan.dcm --out results
  radiomicnet-md audit list

exit codes:
  0 ok   1 defect   2 usage   3 some of several cases failed or were refused   4 integrity
  5 input outside intended use   6 not qualified   7 configuration   8 replay diverged
  75 busy, retry   130 interrupted
"""


class Parser(argparse.ArgumentParser):
    """A parser whose errors end with the exit code of the table, and a hint where help is."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong on stderr and leave with USAGE."""
        self.exit(ExitCode.USAGE, f"{self.prog}: {message}\n  → {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except SystemExit as leaving:  # argparse: help, version, usage
        return int(leaving.code or 0)


def _run(arguments: Sequence[str]) -> int:
    front = _front_parser()
    known = front.parse_args(arguments)
    if known.verb is None:
        front.print_help()
        return ExitCode.OK if not arguments else ExitCode.USAGE
    if known.verb not in VERBS:
        front.error(f"there is no verb {known.verb!r}; the verbs are: {', '.join(VERBS)}")
    given = parser_of(known.verb).parse_args(known.rest, argparse.Namespace(**vars(known)))
    call = Call(given, Console(as_json=given.json, quiet=given.quiet))
    return _guarded(_module(known.verb).run, call)


def _front_parser() -> Parser:
    """Everything before the verb, and the page that ``--help`` shows."""
    verbs = "\n".join(f"  {verb:<10} {does}" for verb, does in VERBS.items())
    parser = Parser(
        prog=PROGRAM,
        usage=f"{PROGRAM} [options] VERB …",
        description=f"{_INTRODUCTION}\n\nverbs ({PROGRAM} VERB --help says more):\n{verbs}",
        epilog=_EPILOGUE,
        parents=[global_options(None)],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument("verb", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    return parser


def parser_of(verb: str) -> Parser:
    """The parser of one verb, with what its module takes."""
    does = VERBS[verb]
    parser = Parser(
        prog=f"{PROGRAM} {verb}",
        description=does[0].upper() + does[1:] + ".",
        parents=[global_options(argparse.SUPPRESS)],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    _module(verb).arguments(parser, global_options(argparse.SUPPRESS))
    return parser


def _module(verb: str) -> ModuleType:
    return importlib.import_module(f"radiomicnet_md.commands.{verb}")


def global_options(default: str | None) -> argparse.ArgumentParser:
    """The options that every verb takes; SUPPRESS keeps what was given before the verb."""
    options = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    group = options.add_argument_group("global options (before or after the verb)")
    flag = default if default is not None else False
    group.add_argument("--home", metavar="DIR", default=default, help="the home: keys, log, artefacts")
    group.add_argument("--audit-db", metavar="URL", default=default, help="the log, where it is not in the home")
    group.add_argument("--release", metavar="DIR", default=default, help="the release, where it is not the one shipped")
    group.add_argument("--json", action="store_true", default=flag, help="one JSON object per line on stdout")
    group.add_argument("--quiet", action="store_true", default=flag, help="no progress or notes on stderr")
    return options


def _guarded(run: Run, call: Call) -> int:
    """Run a verb; every way to fail has its exit code."""
    try:
        code = run(call)
        sys.stdout.flush()
    except Problem as problem:
        call.console.problem(problem)
        return problem.exit_code
    except BrokenPipeError:
        close_stdout()  # whoever read our output has enough, and so stopped us
        return ExitCode.INTERRUPTED
    except KeyboardInterrupt:
        call.console.note("interrupted")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- the last net: a user never meets a traceback
        seen = _absent(error) or call.defect(error)
        call.console.problem(seen)
        return seen.exit_code
    return code


def _absent(error: Exception) -> Problem | None:
    """What to say when a package of somebody else is not installed; None for any other error."""
    if not isinstance(error, ModuleNotFoundError) or str(error.name).startswith("radiomicnet_md"):
        return None
    return ConfigurationError(
        "E-PART-ABSENT",
        f"This needs the Python package {error.name}, which is not installed.",
        remedy="Install the optional parts: pip install 'radiomicnet-md[cluster,dicom,report,web]'",
    )

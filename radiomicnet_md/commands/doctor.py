# SPDX-License-Identifier: Apache-2.0
"""``doctor``: every precondition of this device, with a remedy where one does not hold."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
example:
  radiomicnet-md doctor

Looks and changes nothing: which platform this is, what is installed, which release would run, how this device is
qualified, and whether a case would be decided or why it would be refused. Reads every byte of the installed packages,
which takes some seconds. Exit code 3 when something does not hold.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Say what ``doctor`` does; it takes nothing of its own."""
    del shared
    parser.epilog = _EXAMPLE


def run(call: Call) -> int:
    """Run every check and show it as it ends."""
    from radiomicnet_md import checkup, compiling

    compiling.announce(call.console.note)
    failed = 0
    for found in checkup.examine(call.settings()):
        failed += not found.ok
        remedy = "" if found.ok else f"\n      {'':<16} → {found.remedy}"
        call.console.emit(asdict(found), f"{'ok' if found.ok else 'FAIL':<5} {found.name:<16} {found.seen}{remedy}")
    call.console.note(f"{failed} of the checks failed" if failed else "everything holds")
    return ExitCode.SOME_FAILED if failed else ExitCode.OK

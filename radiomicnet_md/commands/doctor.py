# SPDX-License-Identifier: Apache-2.0
"""``doctor``: every precondition of this device, with a remedy where one does not hold."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
examples:
  radiomicnet-md doctor
  radiomicnet-md doctor --plan 10000/day

Looks and changes nothing: which platform this is, what is installed, which release would run, how this device is
qualified, and whether a case would be decided or why it would be refused. Reads every byte of the installed packages,
which takes some seconds. Exit code 3 when something does not hold. With --plan, what so many cases a day take instead:
processors, disk, log, verification, backup; from what this home measured, else from recorded figures, as each row says.
"""

_THOUSAND, _EXACT = 1000, 100
_MOST = 10**8  # cases a day


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what to plan for."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--plan", type=_a_day, metavar="N/day", help="what so many cases a day take, as 10000/day")


def run(call: Call) -> int:
    """Run every check and show it as it ends, or plan."""
    from radiomicnet_md import checkup, compiling

    if call.given.plan is not None:
        return _plan(call)
    compiling.announce(call.console.note)
    failed = 0
    for found in checkup.examine(call.settings()):
        failed += not found.ok
        remedy = "" if found.ok else f"\n      {'':<16} → {found.remedy}"
        call.console.emit(asdict(found), f"{'ok' if found.ok else 'FAIL':<5} {found.name:<16} {found.seen}{remedy}")
    call.console.note(f"{failed} of the checks failed" if failed else "everything holds")
    return ExitCode.SOME_FAILED if failed else ExitCode.OK


def _plan(call: Call) -> int:
    from radiomicnet_md import capacity

    for row in capacity.plan(call.settings(), call.given.plan):
        call.console.emit(asdict(row), f"{row.name:<24} {_shown(row.value, row.unit):>14}   {row.how}")
    for assumed in capacity.ASSUMED:
        call.console.note(f"assumed: {assumed}")
    return ExitCode.OK


def _shown(value: float, unit: str) -> str:
    if unit != "bytes":
        return f"{value:,.{0 if value >= _EXACT or float(value).is_integer() else 1}f} {unit}".strip()
    for name in ("B", "kB", "MB", "GB"):
        if value < _THOUSAND:
            return f"{value:,.1f} {name}"
        value /= _THOUSAND
    return f"{value:,.1f} TB"


def _a_day(text: str) -> int:
    number, _, unit = text.partition("/")
    if unit != "day" or not (number.isascii() and number.isdecimal()) or not 0 < int(number) <= _MOST:
        raise argparse.ArgumentTypeError("write a number of cases a day, as 10000/day")
    return int(number)

# SPDX-License-Identifier: Apache-2.0
"""``upgrade``: take the installation that runs this command into a home, forward or back, on the record.

The whole procedure, backup first, is in ``docs/regulatory/sop/upgrade.md``.
"""

from __future__ import annotations

import argparse

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
examples:
  new/.venv/bin/radiomicnet-md upgrade --reason "change request 12: version 0.5.0"
  old/.venv/bin/radiomicnet-md upgrade --reason "change request 13: back to 0.4.0, see problem 8"

Records from what to what, and reads every byte of the installed packages first. From then on the home is held to
this installation and this release, and to no qualification from before: a clinical home refuses until iq and oq
are signed again.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add why."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it stays in the log for ever")


def run(call: Call) -> int:
    """Record it, and say what was changed."""
    from radiomicnet_md import upgrade
    from radiomicnet_md.opening import open_keeper

    settings = call.settings()
    with open_keeper(settings) as keeper:
        done = upgrade.take_in(settings, keeper, call.given.reason)
        clinical = keeper.home.clinical
    said = done.said
    line = {
        "record_id": done.receipt.record_id,
        "log_index": done.receipt.index,
        "changed": list(done.changed),
        **{name: part for name, part in said.predicate().items() if name in ("from", "code", "release")},
    }
    before = said.before.get("release", {}).get("version", "none")
    text = (
        f"changed: {', '.join(done.changed)}; release {before} → {said.now.release['version']}\n"
        f"  record  {done.receipt.record_id} at {done.receipt.index} in the log"
    )
    call.console.emit(line, text)
    refuses = "It refuses until both are signed." if clinical else "A demonstration home decides all the same."
    call.console.note(f"This home is UNQUALIFIED: radiomicnet-md qualify iq, then oq. {refuses}")
    return ExitCode.OK

# SPDX-License-Identifier: Apache-2.0
"""``init``: a home with its own keys, an empty log and an anchor beside it."""

from __future__ import annotations

import argparse

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

_EXAMPLE = """\
example:
  radiomicnet-md init --home ~/radiomicnet-home

A demonstration home works at once and stamps every record "unqualified demonstration". A clinical home
needs a passphrase (asked for, or in the file that RADIOMICNET_MD_KEY_PASSPHRASE_FILE names) and refuses
to decide until this installation is qualified, which this version cannot do yet.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``init`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--clinical", action="store_true", help="a home that refuses until it is qualified")


def run(call: Call) -> int:
    """Make the home and say where everything is."""
    from radiomicnet_md import home
    from radiomicnet_md.engine.installation import record_digests

    settings = call.settings()
    clinical, installed = call.given.clinical, record_digests()
    made = home.create(settings.home, clinical=clinical, audit_db=settings.audit_db, installed=installed)
    kind = "clinical" if made.clinical else "demonstration"
    line = {
        "home": str(made.folder),
        "kind": kind,
        "origin": made.origin,
        "anchor": str(made.anchor),
        "stamps": list(made.stamps),
    }
    text = f"{kind} home   {made.folder}\nlog            {made.origin}\nanchor         {made.anchor}"
    call.console.emit(line, text)
    if made.stamps:
        call.console.note(f"Every record and output of this home is stamped: {', '.join(made.stamps)}.")
    if made.clinical:
        call.console.note("This home refuses to decide until this installation is qualified; that comes later.")
    return ExitCode.OK

# SPDX-License-Identifier: Apache-2.0
"""``init``: a home with its own keys, an empty log and an anchor beside it."""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, UsageError

_EXAMPLE = """\
example:
  radiomicnet-md init --home ~/radiomicnet-home
  radiomicnet-md init --pkcs11-module /usr/lib/softhsm/libsofthsm2.so --pkcs11-token radiomicnet

A demonstration home works at once and stamps every record "unqualified demonstration". A clinical home
needs a passphrase (asked for, or in the file that RADIOMICNET_MD_KEY_PASSPHRASE_FILE names) and refuses
to decide until this installation is qualified (radiomicnet-md qualify --help). With a token (an HSM or a
smart card), the keys of engine and log are made in it and never leave it; the passphrase is its user PIN.
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add what ``init`` takes."""
    del shared
    parser.epilog = _EXAMPLE
    parser.add_argument("--clinical", action="store_true", help="a home that refuses until it is qualified")
    parser.add_argument("--pkcs11-module", type=Path, metavar="FILE", help="the library that speaks to a token")
    parser.add_argument("--pkcs11-token", metavar="LABEL", help="the token to make the private keys in")


def run(call: Call) -> int:
    """Make the home and say where everything is."""
    from radiomicnet_md import home, keyring
    from radiomicnet_md.engine.installation import record_digests

    settings = call.settings()
    given, token = call.given, None
    if (given.pkcs11_module is None) != (given.pkcs11_token is None):
        remedy = "Name both --pkcs11-module and --pkcs11-token, or neither for keys in encrypted files."
        raise UsageError("E-USAGE-TOKEN", "A token is named by its module and its label.", remedy=remedy)
    if given.pkcs11_module is not None:
        token = keyring.token(given.pkcs11_module, given.pkcs11_token)
    made = home.create(
        settings.home, clinical=given.clinical, audit_db=settings.audit_db, installed=record_digests(), token=token
    )
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
        call.console.note("This home refuses until this installation is qualified: radiomicnet-md qualify --help")
    return ExitCode.OK

# SPDX-License-Identifier: Apache-2.0
"""``sign``: a person's electronic signature on one decision or qualification, with its meaning and what was looked at.

How to sign, and what a signature is worth, is in ``docs/how-to/sign-a-decision.md``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, UsageError

_LARGEST = 64 * 1024 * 1024  # bytes of a file that was looked at
_EXAMPLE = """\
examples:
  radiomicnet-md sign 3kq8 --meaning approve --user rita --viewed results/scan/overlay.png
  radiomicnet-md audit show 7ac2 > page.txt      (a refusal has no picture: read its page)
  radiomicnet-md sign 7ac2 --meaning reject --reason "readable frame, try again" --user rita --viewed page.txt
  radiomicnet-md sign 5xy1 --meaning qualify --user quinn --viewed iq/report.html
"""


def arguments(parser: argparse.ArgumentParser, _shared: argparse.ArgumentParser) -> None:
    """Add what is signed, by whom, and what it means."""
    from radiomicnet_md_audit.esignature import MEANINGS, QUALIFYING

    parser.epilog = _EXAMPLE
    parser.add_argument("id", metavar="ID", help="the record's id, or the beginning of it")
    parser.add_argument("--meaning", required=True, choices=MEANINGS + QUALIFYING, help="what the signature says")
    parser.add_argument("--reason", metavar="TEXT", help="why; reject and override need one. Name no patient in it")
    parser.add_argument("--user", required=True, metavar="USER", help="who signs; their passphrase is asked for")
    parser.add_argument(
        "--viewed",
        required=True,
        type=Path,
        metavar="FILE",
        help="what was looked at: overlay.png, a refusal's page, or a qualification's report",
    )


def run(call: Call) -> int:
    """Sign, and say where the signature is."""
    from radiomicnet_md import passphrases, people
    from radiomicnet_md.opening import open_keeper

    given = call.given
    data = _read(given.viewed)
    with open_keeper(call.settings()) as keeper:
        shown = people.viewed(keeper.home.folder, keeper.ledger, given.id, data)
        who = (given.user, passphrases.of_person(given.user))
        signature, receipt = people.sign(keeper, who, given.id, given.meaning, given.reason, shown)
    text = (
        f"{signature.meaning}  {signature.signed.record_id}\n"
        f"  by {signature.name} ({signature.user}), {signature.time_utc[:19].replace('T', ' ')} UTC\n"
        f"  record of this signature: {receipt.record_id} at {receipt.index} in the log"
    )
    call.console.emit({"log_index": receipt.index, **signature.document()}, text)
    return ExitCode.OK


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
    except OSError as error:
        raise UsageError(
            "E-SIGN-VIEWED",
            f"The file that was looked at cannot be read: {error.strerror}.",
            remedy="Name the overlay.png of the result, or the saved page of a refusal, with --viewed.",
        ) from None
    return data if len(data) <= _LARGEST else b""

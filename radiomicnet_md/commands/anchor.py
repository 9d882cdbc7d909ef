# SPDX-License-Identifier: Apache-2.0
"""``audit anchor``: get the log's newest checkpoint out of the house: to a witness, a time stamp, a file, a screen.

Why and how often is in ``docs/how-to/run-a-witness.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md_audit.cosignature import Cosigner
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.timestamp import Stamp


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: whom to ask, and whom to believe."""
    parser.add_argument("--out", type=Path, metavar="FILE", help="a new file for the checkpoint, cosigned if it is")
    parser.add_argument("--witness-url", metavar="URL", help="have it cosigned by the witness there; with --witness")
    parser.add_argument("--witness", metavar="VKEY", help="that witness's verifier key")
    parser.add_argument("--timestamp-url", metavar="URL", help="have it time-stamped by the authority there")
    parser.add_argument(
        "--timestamp-request", type=Path, metavar="FILE", help="a new file to carry to an authority (.tsq)"
    )
    parser.add_argument("--timestamp-response", type=Path, metavar="FILE", help="the authority's answer to it (.tsr)")
    parser.add_argument("--trust-witness", metavar="VKEY", help="believe this witness from now on")
    parser.add_argument("--trust-authority", type=Path, metavar="FILE", help="believe this authority (PEM) from now on")


def run(call: Call) -> int:
    """Do what the options ask, whom to believe first; without any, show the newest checkpoint."""
    from radiomicnet_md.home import open_home

    given, settings = call.given, call.settings()
    if (given.witness_url is None) is not (given.witness is None):
        remedy = "Give both, or neither: `audit witness serve` prints the two."
        raise UsageError("E-WITNESS-ARGUMENT", "--witness-url and --witness go together.", remedy=remedy)
    trusted = None if given.trust_witness is None else _cosigner(given.trust_witness, "--trust-witness")
    asked = None if given.witness is None else _cosigner(given.witness, "--witness")
    home = open_home(settings.home)
    _trust(call, home, trusted)
    with home.reading_ledger(settings.audit_db) as ledger:
        _ask(call, home, ledger, asked)
    return ExitCode.OK


def _trust(call: Call, home: Home, witness: Cosigner | None) -> None:
    from radiomicnet_md import outsiders

    if witness is not None:
        outsiders.trust_witness(home, witness)
        call.console.emit({"trusted": witness.vkey()}, f"{witness.name} is believed from now on")
    if call.given.trust_authority is not None:
        outsiders.trust_authority(home, _read(call.given.trust_authority))
        text = "this time-stamping authority is believed from now on"
        call.console.emit({"trusted": str(call.given.trust_authority)}, text)


def _ask(call: Call, home: Home, ledger: Ledger, witness: Cosigner | None) -> None:
    from radiomicnet_md import outsiders

    given, note = call.given, ledger.latest_checkpoint()
    if witness is not None:
        note = outsiders.cosigned(home, ledger, given.witness_url, witness)
        _cosigned(call, note, witness)
        if witness not in home.policy().witnesses:
            call.console.note(
                f"The home does not believe this witness yet: audit anchor --trust-witness {given.witness}"
            )
    if given.timestamp_url is not None:
        _stamped(call, *outsiders.stamped(home, ledger, given.timestamp_url))
    if given.timestamp_response is not None:
        _stamped(call, *outsiders.answered(home, _read(given.timestamp_response)))
    if given.timestamp_request is not None:
        _write(given.timestamp_request, outsiders.request(home, ledger))
        text = f"request in {given.timestamp_request}; give the answer to --timestamp-response"
        call.console.emit({"request": str(given.timestamp_request)}, text)
    if given.out is not None:
        _write(given.out, note.encode())
    others = (witness, given.timestamp_url, given.timestamp_response, given.timestamp_request)
    if not any((*others, given.trust_witness, given.trust_authority)):
        _state(call, home, note)


def _cosigned(call: Call, note: str, witness: Cosigner) -> None:
    from radiomicnet_md_audit.cosignature import cosigned_at

    line, time = _head(note), _text(datetime.fromtimestamp(cosigned_at(note, witness), UTC))
    text = f"{witness.name} cosigned {line['size']} entries at {time}"
    call.console.emit({**line, "witness": witness.name, "time": time, "checkpoint": note}, text)


def _stamped(call: Call, note: str, stamp: Stamp) -> None:
    line, time, within = _head(note), _text(stamp.time), stamp.accuracy.total_seconds()
    text = f"{line['size']} entries time-stamped at {time}" + (f", within {within:g} s" if within else "")
    call.console.emit({**line, "time": time, "accuracy_seconds": within, "checkpoint": note}, text)


def _state(call: Call, home: Home, note: str) -> None:
    """Show the newest checkpoint as it is, and what is kept where."""
    from radiomicnet_md import outsiders
    from radiomicnet_md_audit import testimony
    from radiomicnet_md_audit.anchor import AnchorFile

    last, outside = AnchorFile(home.anchor).last(), outsiders.outside(home)
    said = len(testimony.split(outside.read()))
    anchor = {"file": str(home.anchor), "lines": last.size if last else 0, "time": last.time_utc if last else None}
    line = {**_head(note), "checkpoint": note, "anchor": anchor, "outside": {"file": str(outside.path), "lines": said}}
    call.console.emit(line, note.removesuffix("\n"))
    call.console.note(f"anchor: {anchor['lines']} checkpoints, the last of {anchor['time']}, in {home.anchor}")
    call.console.note(f"said by others: {said} statements in {outside.path}; `audit verify` judges them")
    call.console.note("Both files lie on this machine. Keep copies elsewhere, and this checkpoint too.")


def _head(note: str) -> Mapping[str, Any]:
    from radiomicnet_md_audit.checkpoint import parse_unverified

    head, _ = parse_unverified(note)
    return {"origin": head.origin, "size": head.size, "root": head.root.hex()}


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _cosigner(text: str, option: str) -> Cosigner:
    from radiomicnet_md_audit.cosignature import Cosigner

    try:
        return Cosigner.from_vkey(text)
    except IntegrityError as problem:
        remedy = "Copy the key from where `audit witness serve` printed it."
        raise UsageError("E-WITNESS-ARGUMENT", f"{option}: {problem}", remedy=remedy) from None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        fact = f"A file named on the command line cannot be read ({error.strerror})."
        raise ConfigurationError("E-ANCHOR-READ", fact, remedy="Check its path and permissions.") from None


def _write(path: Path, data: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(data)
    except OSError as error:
        fact = f"The file cannot be written ({error.strerror})."
        remedy = "Name a new file in a folder that may be written, and ask again."
        raise ConfigurationError("E-ANCHOR-OUT", fact, remedy=remedy) from None

# SPDX-License-Identifier: Apache-2.0
"""``audit witness``: cosign other logs' checkpoints, or have this log's newest one cosigned.

How to run one, and what its word is worth, is in ``docs/how-to/run-a-witness.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ConfigurationError, ExitCode, IntegrityError, UsageError

if TYPE_CHECKING:
    from radiomicnet_md_audit.note import NoteKey
    from radiomicnet_md_audit.sign import SigningKey

_T = TypeVar("_T")
_LISTEN = "127.0.0.1:6962"


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the witness."""
    verbs = parser.add_subparsers(dest="witness_verb", required=True, metavar="VERB", parser_class=type(parser))
    serving = verbs.add_parser("serve", parents=[shared], help="cosign logs' checkpoints over HTTP until interrupted")
    serving.add_argument(
        "--name", required=True, metavar="NAME", help="what this witness is called, as witness.example/w1"
    )
    serving.add_argument("--key", required=True, type=Path, metavar="FILE", help="its own Ed25519 key, no other log's")
    serving.add_argument(
        "--log", required=True, action="append", metavar="VKEY", help="a log's verifier key; repeatable"
    )
    serving.add_argument("--state", required=True, type=Path, metavar="DIR", help="where it remembers what it cosigned")
    serving.add_argument(
        "--listen", default=_LISTEN, metavar="HOST:PORT", help=f"default: {_LISTEN}; port 0: a free one"
    )
    adding = verbs.add_parser("add", parents=[shared], help="have this log's newest checkpoint cosigned")
    adding.add_argument("--url", required=True, metavar="URL", help="the witness's address (submission prefix)")
    adding.add_argument("--witness", required=True, metavar="VKEY", help="the witness's verifier key")
    adding.add_argument("--out", type=Path, metavar="FILE", help="a new file for the cosigned checkpoint")


def run(call: Call) -> int:
    """Do one of the verbs of the witness."""
    return {"serve": _serve, "add": _add}[call.given.witness_verb](call)


def _serve(call: Call) -> int:
    from radiomicnet_md_audit.note import NoteKey
    from radiomicnet_md_audit.witness import Witness
    from radiomicnet_md_audit.witness_server import WitnessServer

    given = call.given
    logs: dict[str, list[NoteKey]] = {}
    for text in given.log:
        key = _parsed(NoteKey.from_vkey, text, "--log")
        logs.setdefault(key.name, []).append(key)
    witness = Witness(given.name, _key(given.key), logs, given.state)
    vkey = _parsed(lambda _: witness.cosigner.vkey(), given.name, "--name")
    with WitnessServer(witness, _address(given.listen), call.console.note) as server:
        line = {"url": server.url, "vkey": vkey, "logs": sorted(logs)}
        call.console.emit(line, f"witness at {server.url} of {', '.join(sorted(logs))}\n  {vkey}")
        server.serve_forever()
    return ExitCode.OK


def _add(call: Call) -> int:
    from radiomicnet_md.home import open_home
    from radiomicnet_md_audit.checkpoint import parse_unverified
    from radiomicnet_md_audit.cosignature import Cosigner, cosigned_at
    from radiomicnet_md_audit.witness_client import Remote, cosigned

    settings = call.settings()
    cosigner = _parsed(Cosigner.from_vkey, call.given.witness, "--witness")
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        note = cosigned(Remote(call.given.url, cosigner), ledger.consistency)
    if call.given.out is not None:
        _write(call.given.out, note)
    head, _ = parse_unverified(note)
    time = datetime.fromtimestamp(cosigned_at(note, cosigner), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = {"origin": head.origin, "size": head.size, "root": head.root.hex(), "witness": cosigner.name, "time": time}
    call.console.emit({**line, "checkpoint": note}, f"{cosigner.name} cosigned {head.size} entries at {time}\n{note}")
    return ExitCode.OK


def _parsed(parse: Callable[[str], _T], text: str, option: str) -> _T:
    try:
        return parse(text)
    except IntegrityError as problem:
        remedy = (
            "Copy the key from where it was printed: `audit witness serve` prints a witness's, a policy holds a log's."
        )
        raise UsageError("E-WITNESS-ARGUMENT", f"{option}: {problem}", remedy=remedy) from None


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit()) or int(port) > 0xFFFF:  # noqa: PLR2004 -- the largest port
        remedy = f"Give an address of this machine and a port, as {_LISTEN}."
        raise UsageError("E-WITNESS-ARGUMENT", "--listen: not of the form HOST:PORT.", remedy=remedy)
    return host, int(port)


def _key(path: Path) -> SigningKey:
    from radiomicnet_md import passphrases
    from radiomicnet_md_audit import sign

    beside = path.with_name(path.name + ".passphrase")
    return sign.load_private(path, passphrases.existing(beside, of="the witness's key"))


def _write(path: Path, note: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(note)
    except OSError as error:
        remedy = "Name a new file in a folder that may be written; the witness cosigns the same checkpoint again."
        raise ConfigurationError(
            "E-WITNESS-OUT", f"The file cannot be written ({error.strerror}).", remedy=remedy
        ) from None

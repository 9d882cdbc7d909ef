# SPDX-License-Identifier: Apache-2.0
"""``audit witness``: cosign other logs' checkpoints. To have this log's cosigned, there is ``audit anchor``.

How to run one, and what its word is worth, is in ``docs/how-to/run-a-witness.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, IntegrityError, UsageError

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


def run(call: Call) -> int:
    """Serve until interrupted, the one verb of the witness."""
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


def _parsed(parse: Callable[[str], _T], text: str, option: str) -> _T:
    try:
        return parse(text)
    except IntegrityError as problem:
        remedy = "Copy a log's verifier key from a policy, where it stands under log_keys; names have no space or plus."
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

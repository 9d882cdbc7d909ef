# SPDX-License-Identifier: Apache-2.0
"""``keys``: which keys the log has had, a new key file for something else, and one key in the place of another."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ConfigurationError, ExitCode, UsageError

if TYPE_CHECKING:
    from radiomicnet_md_audit.note import NoteKey
    from radiomicnet_md_audit.policy import Span
    from radiomicnet_md_audit.sign import VerifyingKey

_ROLES = ("engine", "log", "cosigner")
_EXAMPLE = """\
examples:
  radiomicnet-md keys show
  radiomicnet-md keys rotate engine
  radiomicnet-md keys revoke log --since 2026-11-03T08:00
  radiomicnet-md keys new witness.pem       (a key of its own, as for a witness)
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of the keys."""
    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="keys_verb", required=True, metavar="VERB", parser_class=type(parser))
    verbs.add_parser("show", parents=[shared], help="the log's keys, those of before too")
    making = verbs.add_parser("new", parents=[shared], help="an encrypted Ed25519 key file of its own")
    making.add_argument("file", type=Path, metavar="FILE", help="a new file; the public half goes to FILE.pub")
    rotating = verbs.add_parser("rotate", parents=[shared], help="a new key in the place of one of the log's")
    rotating.add_argument("role", choices=_ROLES, help="which one")
    revoking = verbs.add_parser("revoke", parents=[shared], help="the same, for a key that others may have")
    revoking.add_argument("role", choices=_ROLES, help="which one")
    revoking.add_argument("--since", required=True, metavar="TIME", help="UTC, as 2026-11-03 or 2026-11-03T08:00")


def run(call: Call) -> int:
    """Do one of the verbs of the keys."""
    return {"show": _show, "new": _new, "rotate": _replace, "revoke": _replace}[call.given.keys_verb](call)


def _show(call: Call) -> int:
    from radiomicnet_md.home import open_home

    settings = call.settings()
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        declared = ledger.declared
    for key, span in declared.engine_keys:
        _line(call, "engine", key, span)
    for note_key, span in declared.log_keys:
        _line(call, "log" if _algorithm(note_key.key) == "Ed25519" else "cosigner", note_key, span)
    return ExitCode.OK


def _line(call: Call, role: str, key: VerifyingKey | NoteKey, span: Span) -> None:
    from radiomicnet_md_audit.note import NoteKey

    public, vkey = (key.key, key.vkey()) if isinstance(key, NoteKey) else (key, None)
    line = {
        "role": role,
        "algorithm": _algorithm(public),
        "keyid": public.keyid,
        "vkey": vkey,
        "from_size": span.start,
        "until_size": span.stop,
        "compromised_from_size": span.compromised,
    }
    until = "in force" if span.stop is None else f"until entry {span.stop - 2}"
    stolen = "" if span.compromised is None else f", perhaps in other hands from entry {span.compromised - 1}"
    text = f"{role:<8}  {line['algorithm']:<9}  {public.keyid[:16]}…  from entry {span.start - 1}, {until}{stolen}"
    call.console.emit(line, text)


def _algorithm(key: object) -> str:
    from radiomicnet_md_audit.sign import VerifyingKey

    return "Ed25519" if isinstance(key, VerifyingKey) else "ML-DSA-44"


def _new(call: Call) -> int:
    from radiomicnet_md import passphrases
    from radiomicnet_md.private import write_private
    from radiomicnet_md_audit import sign

    path: Path = call.given.file
    public = path.with_name(path.name + ".pub")
    passphrase = passphrases.chosen(f"the key {path.name}")
    key = sign.generate()
    sign.save_private(key, path, passphrase)
    try:
        write_private(public, key.public.to_pem())
    except OSError as error:
        path.unlink()
        fact = f"The public half cannot be written ({error.strerror})."
        remedy = f"Move {public.name} away, or name another file."
        raise ConfigurationError("E-KEY-WRITE", fact, remedy=remedy) from None
    line = {"file": str(path), "public": str(public), "keyid": key.public.keyid}
    call.console.emit(line, f"{path}\n  key {key.public.keyid}\n  public half in {public}")
    return ExitCode.OK


def _replace(call: Call) -> int:
    from radiomicnet_md.home import open_home
    from radiomicnet_md.rekeying import replace_key
    from radiomicnet_md_audit.keychange import Role

    settings = call.settings()
    stolen = _time(call.given.since) if call.given.keys_verb == "revoke" else None
    home = open_home(settings.home)
    done = replace_key(home, Role(call.given.role), home.passphrase(), settings.audit_db, stolen)
    policy = home.folder / "policy.json"
    line = {
        "role": done.role.value,
        "retired": done.retired,
        "introduced": done.introduced,
        "record_id": done.record_id,
        "log_index": done.log_index,
        "compromised_from_size": done.since,
        "policy": str(policy),
    }
    text = (
        f"{done.role} key   {done.introduced[:16]}… in the place of {done.retired[:16]}…\n"
        f"record       {done.record_id} at {done.log_index} in the log\npolicy       {policy}"
    )
    call.console.emit(line, text)
    if done.since is not None:
        call.console.note(f"Entries {done.since - 1} to {done.log_index} may be another's; audit verify says so.")
    call.console.note("Whoever verifies this log needs the new policy, and a witness the new key of the log.")
    return ExitCode.OK


def _time(text: str) -> str:
    """A time as records have it; a time without zone is taken as UTC."""
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        remedy = "Write it as 2026-11-03 or 2026-11-03T08:00, in UTC."
        raise UsageError("E-TIME", f"--since: {text!r} is not a time.", remedy=remedy) from None
    moment = given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

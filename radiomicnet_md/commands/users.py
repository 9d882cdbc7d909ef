# SPDX-License-Identifier: Apache-2.0
"""``users``: who may do what here; every change is a record that an administrator's own key signs.

The first person is added with the home's passphrase alone: docs/how-to/sign-a-decision.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

if TYPE_CHECKING:
    from radiomicnet_md.people import Identity, Person, Place
    from radiomicnet_md_audit.appending import Receipt

_EXAMPLE = """\
examples:
  radiomicnet-md users add anna --name "Anna Berg" --role admin      (the first one: the home's passphrase is enough)
  radiomicnet-md users passphrase anna                               (everybody changes their first passphrase)
  radiomicnet-md users add rita --name "Rita Sol" --role reviewer --by anna
  radiomicnet-md users unlock rita --by anna
"""


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of people."""
    from radiomicnet_md_audit.roles import ROLES

    parser.epilog = _EXAMPLE
    verbs = parser.add_subparsers(dest="users_verb", required=True, metavar="VERB", parser_class=type(parser))

    def verb(name: str, does: str, *, by: str = "the administrator who does this") -> argparse.ArgumentParser:
        made: argparse.ArgumentParser = verbs.add_parser(name, parents=[shared], help=does)
        made.add_argument("id", metavar="ID", help="the person's id")
        made.add_argument("--by", metavar="ADMIN", help=f"{by}; their passphrase is asked for")
        return made

    adding = verb("add", "add a person, with a first passphrase")
    adding.add_argument("--name", required=True, metavar="NAME", help="as it is printed with signatures")
    roles = verb("roles", "give a person these roles and no other")
    for one in (adding, roles):
        one.add_argument("--role", required=True, action="append", choices=ROLES, help="may be given several times")
    verbs.add_parser("list", parents=[shared], help="everyone, and their state")
    verb("disable", "let a person do nothing any more")
    verb("enable", "let a disabled person in again")
    verb("unlock", "let a person try again after five failures")
    verb("passphrase", "change one's own passphrase, or set another's first one", by="the administrator, for another")


def run(call: Call) -> int:
    """Do one of the verbs of people."""
    return _list(call) if call.given.users_verb == "list" else _change(call)


def _list(call: Call) -> int:
    from radiomicnet_md import people
    from radiomicnet_md.home import open_home

    settings = call.settings()
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        roster = people.roster(ledger)
    for person in sorted(roster.values(), key=lambda person: person.id):
        line = {
            "user": person.id,
            "name": person.name,
            "roles": list(person.roles),
            "enabled": person.enabled,
            "locked": person.locked,
            "failures": person.failures,
            "must_change": person.must_change,
            "keyid": person.key.keyid,
        }
        call.console.emit(line, f"{person.id:<16}  {', '.join(person.roles):<24}  {_state(person):<16}  {person.name}")
    call.console.note(f"{len(roster)} people")
    return ExitCode.OK


def _state(person: Person) -> str:
    if not person.enabled:
        return "disabled"
    return "locked" if person.locked else "first passphrase" if person.must_change else "enabled"


def _change(call: Call) -> int:
    from radiomicnet_md import passphrases, people
    from radiomicnet_md.opening import open_keeper

    given, verb = call.given, call.given.users_verb
    with open_keeper(call.settings()) as keeper, _acting(call, keeper) as by:
        if verb == "add":
            first = passphrases.new_of_person(given.id)
            receipt = people.add(keeper, by, given.id, given.name, given.role, first)
        elif verb == "roles":
            receipt = people.set_roles(keeper, by, given.id, given.role)
        elif verb == "passphrase":
            receipt = people.set_passphrase(keeper, by, given.id, passphrases.new_of_person(given.id))
        else:
            change = {"disable": people.disable, "enable": people.enable, "unlock": people.unlock}[verb]
            receipt = change(keeper, by, given.id)
        _say(call, receipt, people.roster(keeper.ledger)[given.id])
    return ExitCode.OK


@contextmanager
def _acting(call: Call, place: Place) -> Iterator[Identity | None]:
    """Who makes the change: --by, or the person for their own passphrase, or nobody but the keys of the log."""
    from radiomicnet_md import passphrases, people

    given = call.given
    own = given.users_verb == "passphrase" and people.roster(place.ledger).get(given.id) is not None
    user = given.by or (given.id if own else None)
    if user is None:
        yield None
        return
    with people.enter(place, user, passphrases.of_person(user)) as identity:
        yield identity


def _say(call: Call, receipt: Receipt, person: Person) -> None:
    line = {
        "user": person.id,
        "change": call.given.users_verb,
        "record_id": receipt.record_id,
        "log_index": receipt.index,
    }
    text = f"{person.id}  {', '.join(person.roles)}, {_state(person)}"
    call.console.emit(line, f"{text}\n  record {receipt.record_id} at {receipt.index} in the log")
    if person.must_change:
        call.console.note(
            f"Before anything else {person.id} sets their own: radiomicnet-md users passphrase {person.id}"
        )

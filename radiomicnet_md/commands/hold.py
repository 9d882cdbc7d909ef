# SPDX-License-Identifier: Apache-2.0
"""``audit hold``: place and release legal holds, and list those that stand."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from radiomicnet_md.commands import erase
from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode

if TYPE_CHECKING:
    from radiomicnet_md.vault import Subject


def arguments(parser: argparse.ArgumentParser, shared: argparse.ArgumentParser) -> None:
    """Add the verbs of holds."""
    verbs = parser.add_subparsers(dest="hold_verb", required=True, metavar="VERB", parser_class=type(parser))
    placing = verbs.add_parser("place", parents=[shared], help="forbid to erase a person, or anything")
    erase.whom(placing)
    placing.add_argument("--all", action="store_true", help="everything this log is about")
    erase.reason(placing)
    releasing = verbs.add_parser("release", parents=[shared], help="lift a hold")
    releasing.add_argument("hold", metavar="HOLD", help="its id, or the beginning of it")
    erase.reason(releasing)
    verbs.add_parser("list", parents=[shared], help="the holds that stand")


def run(call: Call) -> int:
    """Do one of the verbs of holds."""
    return {"place": _place, "release": _release, "list": _list}[call.given.hold_verb](call)


def _place(call: Call) -> int:
    from radiomicnet_md.opening import open_keeper
    from radiomicnet_md.privacy import holds

    given = call.given
    erase.one_of(call, given.all, "--all")
    with open_keeper(call.settings()) as keeper:
        covered: list[Subject | None] = [None] if given.all else [*erase.subjects(call, keeper)]
        for subject in covered:
            receipt = holds.place(keeper, subject, given.reason)
            about = {"hold": receipt.record_id, "log_index": receipt.index, "subject": subject and subject.id}
            over = "everything" if subject is None else f"{subject.id}, {len(subject.records)} records"
            call.console.emit(about, f"held  {receipt.record_id}  {over}")
    return ExitCode.OK


def _release(call: Call) -> int:
    from radiomicnet_md.opening import open_keeper
    from radiomicnet_md.privacy import holds

    with open_keeper(call.settings()) as keeper:
        receipt = holds.release(keeper, call.given.hold, call.given.reason)
    line = {"record_id": receipt.record_id, "log_index": receipt.index}
    call.console.emit(line, f"released; record {receipt.record_id} at {receipt.index} in the log")
    return ExitCode.OK


def _list(call: Call) -> int:
    from radiomicnet_md.home import open_home
    from radiomicnet_md.privacy.history import standing

    settings = call.settings()
    with open_home(settings.home).reading_ledger(settings.audit_db) as ledger:
        for hold in standing(ledger):
            line = {
                "hold": hold.id,
                "subject": hold.subject,
                "time": hold.time_utc,
                "operator": hold.operator,
                "reason": hold.why,
            }
            call.console.emit(line, f"{hold.time_utc[:19]}Z  {hold.id}  {hold.subject or 'everything':<26}  {hold.why}")
    return ExitCode.OK

# SPDX-License-Identifier: Apache-2.0
"""``audit erase``: destroy what is kept of a person, on the record; and how a patient is named on the command line.

How to use it, and what it cannot reach, is in ``docs/how-to/erase-and-hold.md``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import TYPE_CHECKING

from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.home import Home
    from radiomicnet_md.privacy.erasure import Erased
    from radiomicnet_md.privacy.people import Keeper
    from radiomicnet_md.vault import Subject
    from radiomicnet_md_audit.ledger import Ledger

_MOST_DAYS = 36_500


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add whom to erase, and why."""
    whom(parser)
    parser.add_argument(
        "--older-than",
        type=_days,
        metavar="DAYS",
        help="everyone whose newest decision is older; passes over who is held",
    )
    reason(parser)


def run(call: Call) -> int:
    """Erase, and say what went."""
    from radiomicnet_md.opening import open_keeper
    from radiomicnet_md.privacy import erasure

    given = call.given
    one_of(call, given.older_than is not None, "--older-than DAYS")
    count = held = 0
    with open_keeper(call.settings()) as keeper:
        if given.older_than is None:
            found: Iterable[Erased | None] = (
                one for subject in subjects(call, keeper) for one in erasure.erase(keeper, subject, given.reason)
            )
        else:
            found = erasure.erase_older(keeper, given.older_than, given.reason)
        for one in found:
            if one is None:
                held += 1
            else:
                count += 1
                _say(call, one)
    if given.older_than is not None:
        call.console.emit({"erased": count, "held": held}, f"{count} erased, {held} passed over by a legal hold")
    call.console.note("Results, exports and backups outside the home were not touched: docs/how-to/erase-and-hold.md.")
    return ExitCode.OK


def whom(parser: argparse.ArgumentParser) -> None:
    """Add a person: by one of the records, or by the patient's id."""
    parser.add_argument(
        "record", nargs="?", metavar="RECORD", help="the person this decision is about (id or beginning)"
    )
    patient(parser)


def patient(parser: argparse.ArgumentParser) -> None:
    """Add a patient's id and its issuer."""
    parser.add_argument("--patient-id", metavar="ID", help="the patient, as DICOM's PatientID; needs the passphrase")
    parser.add_argument(
        "--issuer", metavar="ISSUER", help="and IssuerOfPatientID, where several use this id; '' for none"
    )


def reason(parser: argparse.ArgumentParser) -> None:
    """Add why something is done; it stays in the log for ever."""
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it stays in the log: name nobody in it")


def one_of(call: Call, other: bool, name: str) -> None:  # noqa: FBT001 -- whether the option was given
    """Raise :class:`UsageError` unless exactly one of RECORD, --patient-id and the other option is given."""
    given = call.given
    if [given.record is not None, given.patient_id is not None, other].count(True) != 1:
        raise UsageError(
            "E-USAGE-WHOM",
            f"Exactly one of RECORD, --patient-id ID and {name} is needed.",
            remedy="See --help of the verb.",
        )
    _issuer_with_patient(call)


def subjects(call: Call, keeper: Keeper) -> list[Subject]:
    """Whom RECORD or --patient-id means."""
    from radiomicnet_md.privacy import people

    given = call.given
    if given.record is not None:
        return [people.of_record(keeper, given.record)]
    return people.of_patient(keeper, given.patient_id, given.issuer)


def chosen(call: Call, home: Home, ledger: Ledger) -> set[str] | None:
    """The records that are proven to be about the patient who was named; None where nobody was."""
    _issuer_with_patient(call)
    if call.given.patient_id is None:
        return None
    from radiomicnet_md.privacy import people

    vault_key = home.vault_key(home.passphrase())
    keeper = people.Keeper(home, ledger, vault_key, call.settings().account, lambda: None)
    found = people.of_patient(keeper, call.given.patient_id, call.given.issuer)
    return {record_id for subject in found for record_id in people.opened(keeper, subject)}


def _issuer_with_patient(call: Call) -> None:
    if call.given.issuer is not None and call.given.patient_id is None:
        raise UsageError("E-USAGE-WHOM", "--issuer goes with --patient-id.", remedy="See --help of the verb.")


def _say(call: Call, one: Erased) -> None:
    receipt = one.receipt
    line = {
        "subject": one.subject,
        "record_id": receipt.record_id,
        "log_index": receipt.index,
        "records": list(one.records),
        "removed": one.removed,
        "kept": one.kept,
    }
    text = f"erased  {one.subject}  {len(one.records)} records, {one.removed} files"
    shared = f"; {one.kept} files stay: a record of somebody else names them" if one.kept else ""
    call.console.emit(
        line, f"{text}{shared}\n  record of this erasure: {receipt.record_id} at {receipt.index} in the log"
    )


def _days(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_DAYS:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of days from 1 to {_MOST_DAYS}")
    return int(text)

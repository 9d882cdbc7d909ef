# SPDX-License-Identifier: Apache-2.0
"""``audit list``: a line a decision, as the log is read, from the first entry to the last.

Rules of this module:

- Nothing is kept but the lines asked for with ``--last``: a log of any length streams.
- A filter that cannot be met by this log (another site, a time that ends before it begins) is refused: an empty
  list would read as "there were none".
- Times are UTC. A date stands for its whole day, at either end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from radiomicnet_md.commands import erase
from radiomicnet_md.commands.call import Call
from radiomicnet_md.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from radiomicnet_md.people import Signature
    from radiomicnet_md.privacy.history import Past
    from radiomicnet_md_audit.ledger import Ledger
    from radiomicnet_md_audit.statement import Statement

_STATES = ("RESULT", "REFUSED", "ERROR")
_INSTANT = timedelta(microseconds=1)  # what the log counts in
_ABOUT = (
    "verdict",
    "user",
    "change",
    "outcome",
    "meaning",
    "destination",
)  # of what is no decision: its line ends in what there is
_EXAMPLE = """\
examples:
  radiomicnet-md audit list --last 10
  radiomicnet-md audit list --since 2026-11-01 --until 2026-11-30 --state REFUSED
  radiomicnet-md audit list --by-release busi-locked@0.3.0 --json

A line holds: place in the log, time (UTC), record id, state, the reason's code where there is one, and signatures.
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """What a record must be for its line to be shown; None asks nothing."""

    since: datetime | None
    until: datetime | None  # excluded
    state: str | None
    release: tuple[str, str | None] | None  # id, version
    all_kinds: bool
    records: set[str] | None  # ids, those of a patient

    def takes(self, record: Statement) -> bool:
        """Whether this record is to be shown."""
        from radiomicnet_md_audit.statement import DECISION

        predicate = record.predicate
        if self.records is not None and record.record_id not in self.records:
            return False
        if record.predicate_type != DECISION and not self.all_kinds:
            return False
        if self.state is not None and predicate.get("state") != self.state:
            return False
        if self.release is not None and not self._is_by(predicate.get("release")):
            return False
        time = datetime.fromisoformat(record.log.time_utc)
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)

    def _is_by(self, named: object) -> bool:
        identity, version = self.release or (None, None)
        return isinstance(named, dict) and named.get("id") == identity and version in (None, named.get("version"))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what ``audit list`` takes."""
    parser.epilog = _EXAMPLE
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "--all", action="store_true", help="also genesis, replays, exports and whatever else is no decision"
    )
    parser.add_argument("--since", metavar="TIME", help="from this time on: 2026-11-27 or 2026-11-27T06:05:00, UTC")
    parser.add_argument("--until", metavar="TIME", help="up to this time and including it; a date is its whole day")
    parser.add_argument("--state", choices=_STATES, type=str.upper, help="decisions that ended so")
    parser.add_argument("--by-release", metavar="ID[@VERSION]", help="decisions made with this release")
    parser.add_argument(
        "--site", metavar="ORIGIN", help="refuse any log but this site's (its origin, as --json shows it)"
    )
    erase.patient(parser)
    parser.add_argument("--last", metavar="N", type=count, help="the newest N of them")


def show(call: Call, ledger: Ledger, records: set[str] | None) -> int:
    """List what the filters leave, of ``records`` where these are given (a patient's).

    Raises :class:`UsageError` for a filter that makes no sense here.
    """
    from radiomicnet_md.people import signatures
    from radiomicnet_md.privacy.history import erased

    wanted, past = _filter(call.given, records), erased(ledger)
    if call.given.site not in (None, ledger.origin):
        raise UsageError(
            "E-LIST-SITE",
            f"This log is of {ledger.origin}, not of {call.given.site}.",
            remedy="Name the site's own home with --home, or its log with --audit-db.",
        )
    shown = 0
    for index, record in _chosen(ledger, wanted, call.given.last):
        _line(call, index, record, past.get(record.record_id), signatures(ledger, record.record_id))
        shown += 1
    call.console.note(f"{shown} of {ledger.size} entries" + ("; audit show ID explains one" if shown else ""))
    return ExitCode.OK


def _chosen(ledger: Ledger, wanted: Filter, last: int | None) -> Iterator[tuple[int, Statement]]:
    if last is None:
        records = ((entry.index, ledger.read(entry)) for entry in ledger.entries())
        yield from (one for one in records if wanted.takes(one[1]))
        return
    from radiomicnet_md.opening import newest_first

    records = ((entry.index, ledger.read(entry)) for entry in newest_first(ledger))
    yield from reversed(list(islice((one for one in records if wanted.takes(one[1])), last)))


def _line(call: Call, index: int, record: Statement, past: Past | None, signed: list[Signature]) -> None:
    predicate, time = record.predicate, record.log.time_utc
    kind = record.predicate_type.split(":")[-2]
    release = _part(predicate, "release")
    line = {
        "record_id": record.record_id,
        "log_index": index,
        "origin": record.log.origin,
        "time": time,
        "kind": kind,
        "state": predicate.get("state"),
        "release": f"{release['id']}@{release['version']}" if release else None,
        "input_sha256": _part(predicate, "input").get("file_sha256"),
        "mask_sha256": _part(predicate, "outputs").get("mask_sha256"),
        "erased": past and past.record_id,
        "signatures": [{"meaning": one.meaning, "user": one.user, "time": one.time_utc} for one in signed],
    }
    gone = "erased  " if past else ""
    by = "".join(f"  {one.meaning} by {one.user}" for one in signed)
    about = " ".join(str(predicate[name]) for name in _ABOUT if predicate.get(name))
    said = f"{gone}{_part(predicate, 'reason').get('code') or about}{by}".strip()
    call.console.emit(
        line, f"{index:>5}  {time[:19]}Z  {record.record_id}  {line['state'] or kind:<8}  {said}".rstrip()
    )


def _part(predicate: dict[str, object], name: str) -> dict[str, object]:
    part = predicate.get(name)
    return part if isinstance(part, dict) else {}


def _filter(given: argparse.Namespace, records: set[str] | None) -> Filter:
    since = None if given.since is None else span(given.since)[0]
    until = None if given.until is None else span(given.until)[1]
    if since is not None and until is not None and since >= until:
        raise UsageError(
            "E-LIST-TIME", "The time after --until is before the one after --since.", remedy="Exchange the two."
        )
    identity, _, version = (given.by_release or "").partition("@")
    return Filter(since, until, given.state, (identity, version or None) if identity else None, given.all, records)


def span(text: str) -> tuple[datetime, datetime]:
    """The moments that a time stands for, the end excluded: a day, or one microsecond.

    Raises :class:`UsageError` (``E-LIST-TIME``) for what is no time.
    """
    try:
        with suppress(ValueError):
            day = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return day, day + timedelta(days=1)
        moment = datetime.fromisoformat(text)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        return moment, moment + _INSTANT
    except (ValueError, OverflowError):
        raise UsageError(
            "E-LIST-TIME",
            f"{text!r} is not a time.",
            remedy="Write 2026-11-27 for a day, or 2026-11-27T06:05:00 (UTC).",
        ) from None


def count(text: str) -> int:
    """A whole number from 1 on, for argparse."""
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError("not a whole number from 1 on")
    return int(text)

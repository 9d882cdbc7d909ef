# SPDX-License-Identifier: Apache-2.0
"""What is asked of the worklist, and its lines, each of the bytes that the log holds when somebody looks."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import Query

from radiomicnet_md import people
from radiomicnet_md.errors import IntegrityError, UsageError
from radiomicnet_md.privacy.history import erased
from radiomicnet_md.web.books import Wanted
from radiomicnet_md.web.house import House

_LAST = date(9998, 12, 31)  # the day after it can still be written

State = Literal["", "RESULT", "REFUSED", "ERROR", "UNVERIFIED"]
Choice = Literal["", "yes", "no"]
Sort = Literal["newest", "oldest", "state", "release", "flags"]


def wanted(  # noqa: PLR0913 -- the filters, each of them a field of the form
    state: State = "",
    release: Annotated[str, Query(max_length=130)] = "",
    flagged: Choice = "",
    signed: Choice = "",
    since: Annotated[str, Query(max_length=10)] = "",
    until: Annotated[str, Query(max_length=10)] = "",
    sort: Sort = "newest",
    after: Annotated[str, Query(pattern=r"^(-?\d{1,9}:\d{1,12})?$")] = "",
    size: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Wanted:
    """What a request asks; raises :class:`UsageError` for a day that is none. Days are UTC, the last one included."""
    begin, end = _day(since), _day(until)
    value, _, index = after.partition(":")
    return Wanted(
        state=state or None,
        release=release or None,
        flagged=None if not flagged else flagged == "yes",
        signed=None if not signed else signed == "yes",
        since=None if begin is None else begin.isoformat(),
        until=None if end is None else (end + timedelta(days=1)).isoformat(),
        sort=sort,
        after=(int(value), int(index)) if after else None,
        size=size,
    )


def _day(said: str) -> date | None:
    if not said:
        return None
    try:
        return min(date.fromisoformat(said), _LAST)
    except ValueError:
        raise UsageError("E-WEB-DAY", "A day is written like 2026-11-27.", remedy="Correct the filter.") from None


def lines(house: House, indices: tuple[int, ...]) -> list[dict[str, Any]]:
    """The lines at these places of the log; one that does not verify says its code and nothing else."""
    gone = erased(house.keeper.ledger)
    return [_line(house, index, gone) for index in indices]


def _line(house: House, index: int, gone: dict[str, Any]) -> dict[str, Any]:
    try:
        line = house.books.line(index)
        signed = people.signatures(house.keeper.ledger, line.record_id)
    except IntegrityError as problem:
        return {"index": index, "verified": False, "code": problem.code}
    return {
        "index": index,
        "verified": True,
        **asdict(line),
        "signatures": [{"meaning": one.meaning, "name": one.name, "time": one.time_utc} for one in signed],
        "erased": line.record_id in gone,
    }

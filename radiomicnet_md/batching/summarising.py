# SPDX-License-Identifier: Apache-2.0
"""What came of a batch: ``cases.csv`` with a line a case, and ``summary.html`` for a person.

Rules of this module:

- What was refused, failed or not decided comes first on the page; nothing is counted as decided that was not.
- The page lists :data:`SHOWN` cases at most, those with a reason before the others, and says where all are.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from radiomicnet_md.batching.planning import Plan
from radiomicnet_md.batching.telling import Told
from radiomicnet_md.io.files import place, place_written
from radiomicnet_md.review.page import html
from radiomicnet_md.review.pdf import Block, Heading, Table, Text

CASES, PAGE = "cases.csv", "summary.html"
SHOWN = 1000
_RIGHT, _NUMBERS = frozenset({1, 2}), frozenset({0, 3})  # columns of numbers
_COLUMNS = ("row", "input", "status", "record_id", "log_index", "regions", "code", "flags", "mask_sha256")
_CAUTION = "Not a cleared medical device. Not for clinical use unless the release and this installation are qualified."


class Summary:
    """Counts and cases, as they are met in the order of the rows."""

    def __init__(self, plan: Plan) -> None:
        """Of this batch."""
        self._plan = plan
        self.states: Counter[str] = Counter()
        self._reasons: Counter[tuple[str, str, str]] = Counter()
        self._flags: Counter[str] = Counter()
        self._told: list[Told] = []
        self._plain: list[Told] = []

    def write(self, answers: Iterable[Told], release: Mapping[str, str], stamps: Sequence[str]) -> None:
        """``cases.csv`` and ``summary.html``; raises as :func:`io.files.place_written`."""
        place_written(self._plan.out / CASES, lambda file: self._list(file, answers))
        title = "a batch of images"
        place(self._plan.out / PAGE, html(title, list(self._blocks(release, stamps)), _CAUTION).encode())

    @property
    def left(self) -> int:
        """Rows without an answer."""
        return len(self._plan.rows) - self.states.total()

    def _list(self, file: BinaryIO, answers: Iterable[Told]) -> None:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for told in answers:
            self._count(told)
            writer.writerow([_cell(told, column) for column in _COLUMNS])
        text.detach()

    def _count(self, told: Told) -> None:
        self.states[told.line["status"]] += 1
        self._flags.update(told.line["flags"])
        reason = told.line["reason"]
        if reason:
            self._reasons[reason["code"], reason["text"], reason["remedy"]] += 1
        kept = self._told if reason or told.line["flags"] else self._plain
        if len(kept) < SHOWN:
            kept.append(told)

    def _blocks(self, release: Mapping[str, str], stamps: Sequence[str]) -> Iterable[Block]:
        rows = len(self._plan.rows)
        yield Heading("What came of a batch", 1)
        said = f"Release {release['id']} {release['version']}; {rows} cases."
        yield Text(f"{said} Stamped: {', '.join(stamps)}." if stamps else said, small=True)
        states = [*sorted(self.states.items()), *([("not decided", self.left)] if self.left else [])]
        yield Table(("State", "Cases", "Share"), [(name, str(n), f"{n / rows:.1%}") for name, n in states], _RIGHT)
        if self._reasons:
            yield Heading("Why cases were refused or failed")
            reasons = [(code, text, remedy, str(n)) for (code, text, remedy), n in self._reasons.most_common()]
            yield Table(("Code", "What", "What to do", "Cases"), reasons, frozenset({3}))
        if self._flags:
            yield Heading("Results that are implausible")
            yield Table(("Flag", "Cases"), [(name, str(n)) for name, n in self._flags.most_common()], frozenset({1}))
        yield Heading("Cases")
        shown = sorted((*self._told, *self._plain[: SHOWN - len(self._told)]), key=lambda told: told.row)
        if len(shown) < self.states.total():
            yield Text(f"{len(shown)} of {self.states.total()} are shown, those with a reason or a flag first.")
        yield Text(f"All of them are in {CASES}, and their values in values.csv.", small=True)
        yield Table(
            ("Row", "Input", "State", "Regions", "Reason or flags", "Record"), list(map(_line, shown)), _NUMBERS
        )


def _line(told: Told) -> tuple[str, ...]:
    line = told.line
    why = f"{line['reason']['text']} [{told.code}]" if line["reason"] else "; ".join(line["flags"])
    regions = "" if told.regions is None else str(told.regions)
    return str(told.row), line["input"], line["status"], regions, why, str(line["record_id"] or "none")


def _cell(told: Told, column: str) -> Any:  # noqa: ANN401 -- a number or a text
    if column == "code":
        return told.code
    if column == "flags":
        return "; ".join(told.line["flags"])
    value = told.regions if column == "regions" else told.line[column]
    return "" if value is None else value

# SPDX-License-Identifier: Apache-2.0
"""The answer of one row, as it is told, written down in ``batch.jsonl``, and read back by a later run.

Rules of this module:

- A line is in the file before it is told.
- An earlier answer counts while the files that it names are there; an error does not count, for it ended nothing.
- However long a batch is, its answers are in the file and not in memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from radiomicnet_md.batching.planning import LINES, Plan, Row
from radiomicnet_md.desk import Answer
from radiomicnet_md.errors import ExitCode, Problem

_NAMES = ("record_id", "log_index", "input_sha256", "mask_sha256", "contributions_sha256")


@dataclass(frozen=True, slots=True)
class Told:
    """The answer of one row."""

    line: dict[str, Any]  # of the interface contract, with the row's number
    exit_code: ExitCode
    regions: int | None

    @property
    def row(self) -> int:
        """Its number."""
        return int(self.line["row"])

    @property
    def code(self) -> str:
        """Of the reason; empty where the case was accepted."""
        return str((self.line["reason"] or {}).get("code", ""))

    @classmethod
    def of(cls, row: Row, answer: Answer) -> Told:
        """The answer as it is written down."""
        line = {**answer.line(), "outputs": list(answer.outputs), "flags": list(answer.flags)}
        return cls({"row": row.number, **line}, answer.exit_code, answer.regions)

    @classmethod
    def stopped(cls, row: Row, problem: Problem) -> Told:
        """What to say of a row that ended without an answer: its record could not be written, or says otherwise."""
        reason = {"code": problem.code, "text": str(problem), "remedy": problem.remedy}
        line = {"row": row.number, "status": "error", "input": row.item.shown, "reason": reason}
        return cls({**dict.fromkeys(_NAMES), **line, "outputs": [], "flags": []}, problem.exit_code, None)


class Book:
    """``batch.jsonl`` of a batch: every answer as it came, and where the newest of each row is."""

    def __init__(self, plan: Plan) -> None:
        """Open the book in the batch's folder, empty or with what earlier runs have written."""
        self._path, self._rows = plan.out / LINES, len(plan.rows)
        self._places: dict[int, int] = {}  # of the newest whole line, in bytes, by row
        with self._path.open("a+b") as file:
            file.seek(0)
            end = 0
            for line in file:
                told = _parsed(line)
                if told is not None and told.row <= self._rows:
                    self._places[told.row] = end
                end += len(line)
            if end and not line.endswith(b"\n"):  # a crash cut it short: its row is asked for again
                file.write(b"\n")

    def answers(self) -> Iterator[Told]:
        """The newest answer of each row that has one, in the order of the rows."""
        with self._path.open("rb") as file:
            for _, place in sorted(self._places.items()):
                file.seek(place)
                told = _parsed(file.readline())
                if told is not None:
                    yield told

    def finished(self) -> Iterator[Told]:
        """Those whose case has ended, and whose files are still there."""
        return (told for told in self.answers() if told.line["status"] != "error" and _delivered(told))

    def written(self, answers: Iterable[Told]) -> Iterator[Told]:
        """The answers, each after its line is on the disk."""
        with self._path.open("ab") as file:
            for told in answers:
                place = file.tell()
                kept = {**told.line, "exit_code": told.exit_code, "regions": told.regions}
                file.write(json.dumps(kept).encode() + b"\n")
                file.flush()
                os.fsync(file.fileno())
                self._places[told.row] = place
                yield told


def _parsed(line: bytes) -> Told | None:
    try:
        said = json.loads(line)
        code, regions = ExitCode(said.pop("exit_code")), said.pop("regions")
        told = Told({**said, "flags": list(said["flags"])}, code, regions)
        known = told.row >= 1
    except (ValueError, KeyError, TypeError):
        return None
    return told if known else None


def _delivered(told: Told) -> bool:
    return all(Path(name).exists() for name in told.line["outputs"])

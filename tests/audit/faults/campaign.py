# SPDX-License-Identifier: Apache-2.0
"""All parts of the campaign, one table of what they did, and the block of the page that shows it."""

from __future__ import annotations

import os
import platform
import random
import sqlite3
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import NamedTuple

from tests.audit.faults import clocks, disk, server, strikes
from tests.audit.faults.outcome import WAYS, Outcome

BLOCK = "faults"

Run = Callable[[int | None, random.Random], Iterator[Outcome]]


class Part(NamedTuple):
    """A part of the campaign, its share of a shorter run, and the parts of a machine that it cannot do without."""

    run: Run
    share: int
    programs: tuple[str, ...]
    title: str


PARTS = {
    "log": Part(
        partial(strikes.calls, "log", strikes.LOGS), 8, ("strace",), "a log is made, used, closed and exported"
    ),
    "home": Part(partial(strikes.calls, "home", strikes.HOMES), 8, ("strace",), "`init`, and a desk with a case"),
    "double": Part(strikes.doubled, 2, ("strace",), "the disk fails at a sync, and the process is killed after it"),
    "short": Part(strikes.torn, 2, (), "short writes (RLIMIT_FSIZE)"),
    "full": Part(disk.outcomes, 1, ("unshare",), "a full disk (a small tmpfs)"),
    "server": Part(
        server.outcomes, 2, ("postgresql", "strace"), "PostgreSQL: connection cut, server killed, its calls struck"
    ),
    "clock": Part(clocks.outcomes, 1, (), "the clock jumps"),
}


def shares(points: int | None, names: Sequence[str]) -> dict[str, int | None]:
    """Divide a number of points among parts; None is every point of each."""
    whole = sum(PARTS[name].share for name in names)
    return {name: None if points is None else max(1, points * PARTS[name].share // whole) for name in names}


def run(name: str, points: int | None, seed: int) -> Iterator[Outcome]:
    """Run a part; nothing comes where this machine lacks what it needs."""
    yield from PARTS[name].run(points, random.Random(f"{seed} {name}"))  # noqa: S311 -- not a secret


class Row(NamedTuple):
    """What became of all points at one system call, or one kind of message."""

    part: str
    call: str
    faults: tuple[str, ...]
    points: int
    wrong: tuple[int, ...]  # by WAYS


def rows(outcomes: Sequence[Outcome]) -> list[Row]:
    """Count by part and call."""
    points: Counter[tuple[str, str]] = Counter()
    wrong: Counter[tuple[str, str, str]] = Counter()
    faults: dict[tuple[str, str], dict[str, None]] = {}
    for one in outcomes:
        points[one.part, one.call] += 1
        faults.setdefault((one.part, one.call), {})[one.fault] = None
        for way in one.wrong:
            wrong[one.part, one.call, way] += 1
    return [
        Row(part, call, tuple(faults[part, call]), count, tuple(wrong[part, call, way] for way in WAYS))
        for (part, call), count in points.items()
    ]


def table(counted: Sequence[Row]) -> str:
    """The rows as a Markdown table with their sum."""
    lines = [f"| part | call | faults | points | {' | '.join(WAYS)} |", "|---|---|---|" + "---:|" * (1 + len(WAYS))]
    for row in counted:
        names = ", ".join(row.faults) if len(row.faults) <= 4 else f"{len(row.faults)} kinds"
        lines.append(f"| {row.part} | `{row.call}` | {names} | {row.points} | {' | '.join(map(str, row.wrong))} |")
    sums = [sum(row.wrong[n] for row in counted) for n in range(len(WAYS))]
    points = sum(row.points for row in counted)
    lines.append(f"| **all** | | | **{points}** | {' | '.join(f'**{n}**' for n in sums)} |")
    return "\n".join(lines)


@dataclass(frozen=True)
class Summary:
    """A whole run; ``asked`` is None where every point was asked for."""

    asked: int | None
    seed: int
    seconds: float
    machine: str
    rows: list[Row]
    codes: dict[str, int]
    wrong: list[dict[str, object]]

    def document(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {**asdict(self), "rows": [row._asdict() for row in self.rows]}

    def page(self) -> str:
        """The block of ``docs/reference/audit-evidence.md``."""
        points, ran = sum(row.points for row in self.rows), {row.part for row in self.rows}
        which = "every point" if self.asked is None else f"some of all, spread evenly, seed {self.seed}"
        absent = [name for name in PARTS if name not in ran]
        codes = ", ".join(f"`{code}` {count}" for code, count in sorted(self.codes.items()))
        parts = [
            f"`make faults`: {points:,} points in {self.seconds / 60:.0f} minutes ({which}). {self.machine}.",
            "\n".join(f"- **{name}**: {part.title}" for name, part in PARTS.items() if name in ran),
            *([f"Not run on this machine: {', '.join(absent)}."] if absent else []),
            table(self.rows),
            f"What the program told: {codes}.",
            _LIMITS,
        ]
        return "\n\n".join(parts)


def summary(outcomes: Sequence[Outcome], asked: int | None, seed: int, seconds: float) -> Summary:
    """Sum a run up."""
    told = Counter(code for one in outcomes for code in one.codes)
    wrong = [one.document() for one in outcomes if one.wrong]
    return Summary(asked, seed, round(seconds), machine(), rows(outcomes), dict(told), wrong)


_LIMITS = """\
Each point is one fault at one place, put there by the kernel (`strace`, RLIMIT_FSIZE, a full tmpfs) or by a proxy
before the server; a point counts only where the fault is seen to have happened. Afterwards the log is verified as it
was found, with its anchor; opened by the next writer; searched for every record whose receipt was given out; appended
to; and verified again. For a desk, every artefact that a record names must be there too, and every folder in the output
must name a record of the log.

Not tested: loss of power of a real disk, a crash of the kernel, a disk that says "synced" and lies, and network file
systems. A killed process leaves what it wrote in the kernel's memory; that a receipt comes only after the sync of log
and anchor is shown by the order of system calls (`test_a_receipt_comes_after_the_disk`)."""


def machine() -> str:
    """What the run depends on, without a name."""
    kind = subprocess.run(
        ["stat", "-f", "-c", "%T", tempfile.gettempdir()], capture_output=True, text=True, check=False
    ).stdout.strip()
    system = f"Linux {platform.release().split('-')[0]}, {platform.machine()}, {os.cpu_count()} cores"
    programs = f"SQLite {sqlite3.sqlite_version}, Python {platform.python_version()}"
    return f"{system}; {kind or 'unknown'} file system; {programs}"

# SPDX-License-Identifier: Apache-2.0
"""Append, verification and proof of this project's log beside pymerkle, a chain of hashes, and bare rows, in one run.

``make bench-log-peers`` installs pymerkle beside the product and runs ``python -P benchmarks/log_peers.py``;
``--write`` also puts the tables into ``docs/reference/benchmarks-log.md``; ``--sizes N …`` measures at other lengths.
The machine should be idle, and its folder for temporary files on a disk.

Rules of this module:

- All sides in turn: so many appends each, until the log is as long as it should be, then verification and proofs,
  round after round. A ratio is taken within a turn and shown with the least and the largest of them.
- Entries are a record of this device's own, decided in the same run, under another identity each time; every side
  keeps the same bytes.
- At the end one byte is changed in every file, and what notices it is found by asking, not known beforehand.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.log_pymerkle import Pymerkle
from benchmarks.log_sides import BarePostgreSQL, BareSQLite, Chain, Ours, another, server, spoil
from radiomicnet_md import phantom
from radiomicnet_md_audit import dsse, statement
from radiomicnet_md_audit.ledger import Ledger
from tests.audit import evidence_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks-log.md"
SIZES = (1000, 10_000)
AT_ONCE = 100  # appends of a side in a turn
ROUNDS, PROOFS = 3, 100

OURS, COSIGNED = "this log, Ed25519", "this log, and ML-DSA-44"
PYMERKLE, CHAIN, SQLITE, POSTGRESQL = "pymerkle", "chain of hashes, SQLite", "bare row, SQLite", "bare row, PostgreSQL"
ELSEWHERE = "only beside a {} kept elsewhere"
KEYS = "yes, by its keys and its anchor"
GIVES = {  # signature; proof of one entry; order; whether it is noticed that all was made anew
    OURS: ("of each entry and each state", "yes, up to a signed state", "place in the tree, signed counter", KEYS),
    COSIGNED: ("and a cosignature of each state", "yes, up to a signed state", "the same", KEYS),
    PYMERKLE: ("none", "yes, up to a root", "place in the tree", ELSEWHERE.format("root")),
    CHAIN: ("none", "none", "place in the chain", ELSEWHERE.format("last hash")),
    SQLITE: ("none", "none", "number of the row", "no"),
    POSTGRESQL: ("none", "none", "number of the row", "no"),
}
WORKS = {"append": "append, ms", "verify": "verify all, s", "prove": "make and check a proof, ms"}


@dataclass(slots=True)
class Figures:
    """What each turn gave, by side and work; all sides have the same turns."""

    turns: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    def add(self, side: str, work: str, value: float) -> None:
        """Keep one turn's."""
        self.turns.setdefault((side, work), []).append(value)

    def cells(self, side: str, work: str) -> str:
        """Median, and how many times ours it takes."""
        found = self.turns.get((side, work))
        if found is None:
            return "— | —"
        ratios = [one / ours for one, ours in zip(found, self.turns[OURS, work], strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}–{max(ratios):.2f})"
        return f"{statistics.median(found):.3g} | {spread}"


def real(folder: Path) -> dict[str, object]:
    """What the device recorded of one phantom, without the part that the log adds."""
    home, image = folder / "home", folder / "phantom.dcm"
    phantom.write_dicom(phantom.make(1), image)
    device = (sys.executable, "-m", "radiomicnet_md", "--quiet", "--home", str(home))
    for words in (("init",), ("segment", str(image), "--out", str(folder / "out"))):
        subprocess.run([*device, *words], check=True, stdout=subprocess.DEVNULL)
    with Ledger.open(f"sqlite:///{home / 'audit.db'}", None, None, None) as ledger:
        newest = next(ledger.entries(ledger.size - 1)).envelope
    said = statement.parse(dsse.parse_unverified(newest).payload)
    if said.predicate_type != statement.DECISION:
        raise RuntimeError(said.predicate_type)
    return {**said.document, "predicate": {name: value for name, value in said.predicate.items() if name != "log"}}


def opened(stack: ExitStack, folder: Path) -> tuple[dict[str, Ours], dict[str, Any], dict[str, str]]:
    """Our logs, the others, and why one of those is absent."""
    ours = {OURS: Ours(folder / "ours", cosigned=False), COSIGNED: Ours(folder / "cosigned", cosigned=True)}
    makers: dict[str, Callable[[], Any]] = {
        PYMERKLE: lambda: Pymerkle(folder),
        CHAIN: lambda: Chain(folder),
        SQLITE: lambda: BareSQLite(folder),
        POSTGRESQL: lambda: BarePostgreSQL(stack.enter_context(server())),
    }
    others, absent = {}, {}
    for name, make in makers.items():
        try:
            others[name] = make()
        except ModuleNotFoundError as problem:
            absent[name] = str(problem)
    for side in (*ours.values(), *others.values()):
        stack.callback(side.close)
    return ours, others, absent


def grow(ours: Mapping[str, Ours], others: Mapping[str, Any], document: dict[str, object], count: int) -> Figures:
    """So many appends more on every side, in turns."""
    figures = Figures()
    for start in range(0, count, AT_ONCE):
        given = [another(document) for _ in range(min(AT_ONCE, count - start))]
        for name, log in ours.items():
            figures.add(name, "append", statistics.median(log.append(given)))
        envelopes = ours[OURS].newest(len(given))
        for name, side in others.items():
            figures.add(name, "append", statistics.median(side.append(envelopes)))
    return figures


def look(sides: Mapping[str, Any], figures: Figures, size: int) -> None:
    """Verify whole logs, and make and check proofs, in turns."""
    numbers = random.Random(size)  # noqa: S311 -- which entries are proven is no secret
    for _ in range(ROUNDS):
        indices = [numbers.randrange(size) for _ in range(PROOFS)]
        for name, side in sides.items():
            if side.verify is not None:
                figures.add(name, "verify", side.verify())
            if side.prove is not None:
                figures.add(name, "prove", statistics.median(side.prove(indices)))


def noticed(side: Any) -> str:  # noqa: ANN401 -- any of the sides
    """Whether the side's own verification notices a changed byte; it found nothing before."""
    if side.verify is None:
        return "no: nothing looks"
    spoil(side.path, side.file_table)
    try:
        side.verify()
    except (RuntimeError, ValueError):
        return "yes"
    return "no"


def tables(measured: Mapping[int, Figures], changed: Mapping[str, str], absent: Mapping[str, str]) -> str:
    """What each side takes at each length, and what each gives."""
    lines = []
    for size, figures in measured.items():
        lines += [f"| {size:,} entries | {' | '.join(f'{title} | times ours' for title in WORKS.values())} |"]
        lines += [f"|---|{'---:|' * 2 * len(WORKS)}"]
        for name in GIVES:
            cells = [absent[name], *[""] * 5] if name in absent else [figures.cells(name, work) for work in WORKS]
            lines.append(f"| {name} | {' | '.join(cells)} |")
        lines.append("")
    heads = "signature | proof of one entry | order | a changed byte is noticed | a log made anew is noticed"
    lines += [f"| what it gives | {heads} |", "|---|---|---|---|---|---|"]
    for name, (signature, proof, order, anew) in GIVES.items():
        lines.append(f"| {name} | {' | '.join((signature, proof, order, changed.get(name, ''), anew))} |")
    return "\n".join(lines)


def measure(folder: Path, sizes: Sequence[int]) -> str:
    """The text of the page's block."""
    document = real(folder)
    with ExitStack() as stack:
        ours, others, absent = opened(stack, folder)
        sides = {**ours, **others}
        measured, length = {}, 0
        for size in sorted(sizes):
            measured[size] = grow(ours, others, document, size - length)
            look(sides, measured[size], size)
            length = size
            print(f"{size:,} entries are measured", file=sys.stderr)
        bytes_each = statistics.median(map(len, ours[OURS].newest(min(length, 100))))
        told = others[PYMERKLE].settings if PYMERKLE in others else f"pymerkle: {absent[PYMERKLE]}"
        changed = {name: noticed(side) for name, side in sides.items()}
    return f"Entries of {bytes_each / 1024:.1f} KiB. {told}.\n\n{tables(measured, changed, absent)}"


def main() -> None:
    """Measure, print, and write where asked."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="lengths to measure at (1000 10000)")
    parser.add_argument("--write", action="store_true", help="write this part of the page")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        text = measure(Path(folder), given.sizes)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    said = f"Written by `python -P benchmarks/log_peers.py --write` on {machine}; load before the run {load:.2f}."
    text = f"{said}\n{text}"
    print(text)
    if given.write:
        PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), "log-peers", text), encoding="utf-8")


if __name__ == "__main__":
    main()

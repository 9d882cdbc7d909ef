# SPDX-License-Identifier: Apache-2.0
"""What the network costs a node: its throughput beside the engine's own on the same cases, and its memory over many.

``make bench-node`` or ``python -P benchmarks/dicom_node.py [--cases N] [--studies N]`` prints two tables; ``--write``
also puts them into ``docs/reference/benchmarks-dicom.md``. The machine should be idle. Ends with 3 where a limit is
broken.

Rules of this module:

- Throughput: phantoms of 256 × 256, each with its own speckle. ``segment`` decides the files of a folder; ``dicom
  listen`` is sent the same files over one association. Both are timed from the line of the first case to that of the
  last, so that neither start nor compilation counts, and take turns, round after round. ``batch --jobs 2``, which
  decides in two processes and not in one as a node does, is there to compare, and no limit is about it.
- Memory: small studies, decided by an engine that only thresholds, for the node's own memory is in question: its
  resident set after a tenth of them, and at the end.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from pydicom import dcmread

from radiomicnet_md import home as homes
from radiomicnet_md import phantom
from tests import desks
from tests.audit import evidence_page
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks-dicom.md"
SIDE, ROUNDS, BROKEN = 256, 3, 3
LEAST_SHARE, MOST_GROWTH = 0.95, 1.05
CACHE = {"XDG_CACHE_HOME": str(Path.home() / ".cache")}


def between(lines: Iterator[str], count: int) -> float:
    """Cases a second, from the line of the first case to that of the last."""
    start, seen = 0.0, 0
    for line in lines:
        if "record_id" in json.loads(line):
            seen += 1
            start = start or time.perf_counter()
            if seen == count:
                return (count - 1) / (time.perf_counter() - start)
    message = f"{seen} of {count} cases were told"
    raise RuntimeError(message)


def called(verb: str, folder: Path, cases: Path, count: int) -> float:
    """The throughput of a verb that decides a folder."""
    home = homes.create(folder / "home").folder
    words = [*verb.split(), str(cases), "--out", str(folder / "out"), "--home", str(home), "--json", "--quiet"]
    command = [sys.executable, "-m", "radiomicnet_md", *words]
    environment = desks.environment(folder, **CACHE)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        return between(iter(process.stdout or ()), count)


def listened(folder: Path, cases: Path, count: int) -> float:
    """The throughput of ``dicom listen``, which receives while it decides."""
    home = homes.create(folder / "home").folder
    with Node(home, program=nodes.REAL) as node:
        sender = [sys.executable, "-P", __file__, "--send", str(node.port), str(cases)]
        with subprocess.Popen(sender):
            start = 0.0
            node.until(lambda said: len(said) == 1, 600)
            start = time.perf_counter()
            node.until(lambda said: len(said) == count, 3600)
            return (count - 1) / (time.perf_counter() - start)


def send(port: int, cases: Path) -> None:
    """Send every file of a folder over one association."""
    statuses = nodes.send(port, [dcmread(path) for path in sorted(cases.iterdir())])
    if set(statuses) != {0}:
        raise RuntimeError(statuses)


MEASURED: dict[str, Callable[[Path, Path, int], float]] = {
    "segment": partial(called, "segment"),
    "dicom listen": listened,
    "batch --jobs 2": partial(called, "batch --jobs 2"),
}


def throughput(count: int) -> tuple[str, bool]:
    """The table of throughputs; whether the node's is at least :data:`LEAST_SHARE` of that of ``segment``."""
    rates: dict[str, list[float]] = {name: [] for name in MEASURED}
    with tempfile.TemporaryDirectory() as place:
        cases = Path(place, "cases")
        cases.mkdir()
        for number in range(count):
            phantom.write_dicom(phantom.make(number, SIDE, SIDE), cases / f"{number:04}.dcm")
        for turn in range(ROUNDS):
            for name, measure in MEASURED.items():
                folder = Path(place, f"{name} {turn}")
                folder.mkdir()
                rates[name].append(measure(folder, cases, count))
                print(f"round {turn + 1} of {ROUNDS}, {name}: {rates[name][-1]:.2f} cases a second", file=sys.stderr)
    share = statistics.median(b / a for a, b in zip(rates["segment"], rates["dicom listen"], strict=True))
    head = f"{count} cases of {SIDE} × {SIDE}, {ROUNDS} rounds"
    lines = [f"| {head} | cases a second, median (each round) |", "|---|---|"]
    for name, found in rates.items():
        lines.append(f"| `{name}` | {statistics.median(found):.2f} ({', '.join(f'{rate:.2f}' for rate in found)}) |")
    lines.append(f"| node / `segment`, median of the rounds (limit: at least {LEAST_SHARE:.2f}) | {share:.3f} |")
    return "\n".join(lines), share >= LEAST_SHARE


def memory(studies: int) -> tuple[str, bool]:
    """The table of the node's memory early and late; whether it grew by less than :data:`MOST_GROWTH`."""
    with tempfile.TemporaryDirectory() as place:
        home = homes.create(Path(place, "home")).folder
        early = 0
        with Node(home, STUB_ONLY_MASK="yes") as node:
            for number in range(studies):
                nodes.send(node.port, [nodes.study(number)])
                if not early and number >= studies // 10:
                    early = resident(node.process.pid)
                    print(f"{number + 1} of {studies} studies: {early / 1024:.0f} MB resident", file=sys.stderr)
            node.until(lambda said: len(said) == studies, 3600)
            late = resident(node.process.pid)
    text = f"""| {studies} studies | MB resident |
|---|---|
| after a tenth | {early / 1024:.0f} |
| at the end (limit: {MOST_GROWTH:.2f} times that) | {late / 1024:.0f} |"""
    return text, late <= MOST_GROWTH * early


def resident(process: int) -> int:
    """The resident set of a process now, in KiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--write", action="store_true", help="write this part of the page")
    parser.add_argument("--send", nargs=2, metavar=("PORT", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        send(int(given.send[0]), Path(given.send[1]))
        return 0
    load = os.getloadavg()[0]
    parts = [throughput(given.cases), memory(given.studies)]
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    said = f"Written by `python -P benchmarks/dicom_node.py --write` on {machine}; load before the run {load:.2f}."
    text = "\n\n".join((said, *(part for part, _ in parts)))
    print(text)
    if given.write:
        PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), "node", text), encoding="utf-8")
    return 0 if all(held for _, held in parts) else BROKEN


if __name__ == "__main__":
    sys.exit(main())

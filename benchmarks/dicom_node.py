# SPDX-License-Identifier: Apache-2.0
"""What the network costs a node: its throughput beside the engine's own on the same cases, and its memory over many.

``python -P benchmarks/dicom_node.py [--cases N] [--studies N]``; the machine should be idle. Ends with 3 where a limit
is broken.

Rules of this module:

- Throughput: phantoms of 256 × 256, each with its own speckle. ``segment`` decides the files of a folder; ``dicom
  listen`` is sent the same files over one association. Both are timed from the line of the first case to that of the
  last, so that neither start nor compilation counts, and take turns, round after round.
- Memory: small studies, decided by an engine that only thresholds, for the node's own memory is in question: its
  resident set after a tenth of them, and at the end.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from pydicom import dcmread

from radiomicnet_md import home as homes
from radiomicnet_md import phantom
from tests import desks
from tests.dicomnode import nodes
from tests.dicomnode.nodes import Node

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


def batch(folder: Path, cases: Path, count: int) -> float:
    """The throughput of ``segment``."""
    home = homes.create(folder / "home").folder
    words = ["segment", str(cases), "--out", str(folder / "out"), "--home", str(home), "--json", "--quiet"]
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


def throughput(count: int) -> bool:
    """Print both throughputs; whether the node's is at least :data:`LEAST_SHARE` of the other."""
    rates: dict[str, list[float]] = {"segment": [], "dicom listen": []}
    with tempfile.TemporaryDirectory() as place:
        cases = Path(place, "cases")
        cases.mkdir()
        for number in range(count):
            phantom.write_dicom(phantom.make(number, SIDE, SIDE), cases / f"{number:04}.dcm")
        for turn in range(ROUNDS):
            for name, measure in (("segment", batch), ("dicom listen", listened)):
                folder = Path(place, f"{name} {turn}")
                folder.mkdir()
                rates[name].append(measure(folder, cases, count))
    share = statistics.median(b / a for a, b in zip(*rates.values(), strict=True))
    print(f"| {count} cases of {SIDE} × {SIDE}, {ROUNDS} rounds | cases a second, median (each round) |")
    print("|---|---|")
    for name, found in rates.items():
        print(f"| `{name}` | {statistics.median(found):.2f} ({', '.join(f'{rate:.2f}' for rate in found)}) |")
    print(f"| node / batch, median of the rounds (limit: at least {LEAST_SHARE:.2f}) | {share:.3f} |\n")
    return share >= LEAST_SHARE


def memory(studies: int) -> bool:
    """Print the node's memory early and late; whether it grew by less than :data:`MOST_GROWTH`."""
    with tempfile.TemporaryDirectory() as place:
        home = homes.create(Path(place, "home")).folder
        early = 0
        with Node(home, STUB_ONLY_MASK="yes") as node:
            for number in range(studies):
                nodes.send(node.port, [nodes.study(number)])
                if not early and number >= studies // 10:
                    early = resident(node.process.pid)
            node.until(lambda said: len(said) == studies, 3600)
            late = resident(node.process.pid)
    print(f"| {studies} studies | MB resident |")
    print("|---|---|")
    print(f"| after a tenth | {early / 1024:.0f} |")
    print(f"| at the end (limit: {MOST_GROWTH:.2f} times that) | {late / 1024:.0f} |")
    return late <= MOST_GROWTH * early


def resident(process: int) -> int:
    """The resident set of a process now, in KiB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0])


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--send", nargs=2, metavar=("PORT", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        send(int(given.send[0]), Path(given.send[1]))
        return 0
    held = [throughput(given.cases), memory(given.studies)]
    return 0 if all(held) else BROKEN


if __name__ == "__main__":
    sys.exit(main())

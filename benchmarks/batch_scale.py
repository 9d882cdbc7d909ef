# SPDX-License-Identifier: Apache-2.0
"""What a batch costs a case: by one process and two, by the pool and by Dask, and from a hundred cases to many.

``make bench-batch`` or ``python -P benchmarks/batch_scale.py [--only PART] [--cases N] [--longest N]`` prints two
tables; ``--write`` also puts them into ``docs/reference/scale.md``. The machine should be idle. Ends with 3 where a
limit is broken.

Rules of this module:

- Throughput: phantoms of 256 × 256, each with its own speckle, decided by the shipped release; the pool with one
  process and two, and Dask with one worker process, two and four. Timed from the line of the first case to that of the
  last, so that neither start nor compilation counts; all take turns, round after round.
- Growth: small pictures and an engine that only thresholds, for what is asked is what a batch's own length costs:
  seconds a case, and the largest resident set of the program that deals the rows. The least of three runs of a length.
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
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

from radiomicnet_md import home as homes
from radiomicnet_md import phantom
from tests.audit import evidence_page
from tests.batching import clusters

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "scale.md"
SIDE, ROUNDS, BROKEN = 256, 3, 3
LEAST_GAIN, MOST_OVERHEAD, MOST_GROWTH = 1.8, 1.10, 1.05
POOL = {"pool, 1 process": 1, "pool, 2 processes": 2}
DASK = {"Dask, 1 process": 1, "Dask, 2 processes": 2, "Dask, 4 processes": 4}


def timed(program: tuple[str, ...], home: Path, source: Path, out: Path, *how: str) -> tuple[float, int]:
    """Cases a second from the first line to the last, and the largest resident set of the caller, in KiB."""
    command = [sys.executable, *program, "batch", str(source), "--out", str(out), "--home", str(home)]
    start, seen, size = 0.0, 0, 0
    environment = clusters.environment(home.parent)
    with subprocess.Popen(
        [*command, "--format", "png", "--json", "--quiet", *how], stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        for line in process.stdout or ():
            if json.loads(line)["status"] not in ("accepted", "refused"):
                raise RuntimeError(line)
            seen += 1
            now = time.perf_counter()
            start = start or now
            if seen % 100 == 0:
                size = max(size, _largest(process.pid))
        last = now
    if process.returncode not in (0, 3) or seen < 2:  # noqa: PLR2004 -- 3: some phantoms are refused, and cost as much
        message = f"{command} ended with {process.returncode} after {seen} cases"
        raise RuntimeError(message)
    return (seen - 1) / (last - start), size


def _largest(process: int) -> int:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0])


def pooled(jobs: int, folder: Path, cases: Path) -> float:
    """The rate of a pool."""
    home = homes.create(folder / "home").folder
    return timed(clusters.REAL, home, cases, folder / "out", "--jobs", str(jobs))[0]


def dealt(jobs: int, folder: Path, cases: Path) -> float:
    """The rate of a cluster of one scheduler and one worker with so many processes."""
    home = homes.create(folder / "home").folder
    with clusters.cluster(folder, home, jobs, clusters.REAL) as (address, _):
        return timed(clusters.REAL, home, cases, folder / "out", "--scheduler", address)[0]


MEASURED: dict[str, Callable[[Path, Path], float]] = {
    **{name: partial(pooled, jobs) for name, jobs in POOL.items()},
    **{name: partial(dealt, jobs) for name, jobs in DASK.items()},
}


def throughput(place: Path, count: int) -> tuple[str, bool]:
    """The table of rates; whether two processes gain enough and Dask costs little enough."""
    cases = place / "cases"
    cases.mkdir()
    for number in range(count):
        phantom.write_dicom(phantom.make(number, SIDE, SIDE), cases / f"{number:04}.dcm")
    rates: dict[str, list[float]] = {name: [] for name in MEASURED}
    for turn in range(ROUNDS):
        for name, measure in MEASURED.items():
            folder = place / f"{name} {turn}"
            folder.mkdir()
            rates[name].append(measure(folder, cases))
            print(f"round {turn + 1} of {ROUNDS}, {name}: {rates[name][-1]:.2f} cases a second", file=sys.stderr)
    gain = _ratio(rates["pool, 2 processes"], rates["pool, 1 process"])
    overhead = _ratio(rates["pool, 2 processes"], rates["Dask, 2 processes"])
    lines = [
        f"| {count} cases of {SIDE} × {SIDE}, {ROUNDS} rounds | cases a second, median (each round) |",
        "|---|---|",
    ]
    for name, found in rates.items():
        lines.append(f"| {name} | {statistics.median(found):.2f} ({', '.join(f'{rate:.2f}' for rate in found)}) |")
    lines.append(f"| two processes / one, pool (limit: at least {LEAST_GAIN:.2f}) | {gain:.2f} |")
    lines.append(f"| pool / Dask, two processes each (limit: at most {MOST_OVERHEAD:.2f}) | {overhead:.2f} |")
    return "\n".join(lines), gain >= LEAST_GAIN and overhead <= MOST_OVERHEAD


def _ratio(one: list[float], other: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


def growth(place: Path, longest: int) -> tuple[str, bool]:
    """The table of seconds a case and memory by length; whether neither grows from the second length on."""
    lengths = [10**power for power in range(2, 7) if 10**power <= longest]
    lines = ["| cases | ms a case | largest resident set of the caller, MB |", "|---:|---:|---:|"]
    found: dict[int, tuple[float, float]] = {}
    for length in lengths:
        runs = []
        with ExitStack() as stack:
            source = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place)))
            _pictures(source, length)
            for turn in range(ROUNDS if length <= 1000 else 1):  # noqa: PLR2004 -- a long run is its own repetition
                folder = place / f"{length} {turn}"
                folder.mkdir()
                home = homes.create(folder / "home").folder
                rate, size = timed(clusters.STUB, home, source, folder / "out", "--jobs", "2")
                runs.append((1e3 / rate, size / 1024))
        found[length] = min(runs)
        lines.append(f"| {length:,} | {found[length][0]:.1f} | {found[length][1]:.0f} |")
        print(lines[-1], file=sys.stderr)
    first, last = found[lengths[min(1, len(lengths) - 1)]], found[lengths[-1]]
    cost, memory = last[0] / first[0], last[1] / first[1]
    lines.append(f"| last / second length (limit: at most {MOST_GROWTH:.2f}) | {cost:.2f} | {memory:.2f} |")
    return "\n".join(lines), max(cost, memory) <= MOST_GROWTH


def _pictures(folder: Path, count: int) -> None:
    for number in range(count):
        levels = np.random.default_rng(number).integers(100, 200, (96, 128), np.uint8)
        levels[30:60, 40:80] = 20
        Image.fromarray(levels).save(folder / f"{number:06}.png", compress_level=1)


def main() -> int:
    """Measure both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--cases", type=int, default=40)
    parser.add_argument("--longest", type=int, default=10_000)
    parser.add_argument("--only", choices=("throughput", "growth"))
    parser.add_argument("--write", action="store_true", help="write these tables of the page")
    given = parser.parse_args()
    asked = {"throughput": (throughput, given.cases), "growth": (growth, given.longest)}
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    all_held = True
    for name in (given.only,) if given.only else asked:
        measure, size = asked[name]
        load = os.getloadavg()[0]
        with tempfile.TemporaryDirectory() as place:
            table, held = measure(Path(place), size)
        command = f"python -P benchmarks/batch_scale.py --only {name} --write"
        text = f"Written by `{command}` on {machine}; load before the run {load:.2f}.\n\n{table}"
        print(text)
        if given.write:
            PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), name, text), encoding="utf-8")
        all_held &= held
    return 0 if all_held else BROKEN


if __name__ == "__main__":
    sys.exit(main())

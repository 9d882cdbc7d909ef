# SPDX-License-Identifier: Apache-2.0
"""Measures what the project promises about speed and size, each figure beside its limit.

``make bench`` prints the table; ``--write`` also puts it into ``docs/reference/benchmarks.md``, and ``--from-nothing``
adds the first ``make demo`` of a fresh copy, environment included. Ends with 3 where a limit is broken.

Times are wall-clock, memory is the largest resident set of the process (``ru_maxrss``); the machine should be idle.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
DEVICE = (sys.executable, "-m", "radiomicnet_md", "--quiet")
REPEATS = 5
BROKEN = 3  # the exit code where a limit is broken, of this program and of its sections
START = """
import sys, time
from radiomicnet_md import config
from radiomicnet_md.compiling import use_private_cache
use_private_cache()
from radiomicnet_md.engine import starting
from radiomicnet_md.opening import open_desk
started = time.perf_counter()
with open_desk(config.load({"home": sys.argv[1]})) as desk:
    print(time.perf_counter() - started)
"""
SECTIONS = ("decision.py", "maps.py", "log.py", "log_writers.py")


@dataclass(frozen=True)
class Cost:
    """What one process took: wall-clock and processor seconds, and its largest resident set in megabytes."""

    seconds: float
    processor: float
    megabytes: float


@dataclass(frozen=True)
class Row:
    """One figure; ``limit`` is the largest value allowed, None where none is promised."""

    what: str
    value: float
    unit: str
    limit: float | None

    @property
    def broken(self) -> bool:
        """Whether the figure is beyond its limit."""
        return self.limit is not None and self.value > self.limit

    def cells(self) -> str:
        """The row of a Markdown table."""
        limit = "" if self.limit is None else f"{self.limit:g}"
        return f"| {self.what} | {self.value:.3g} | {self.unit} | {limit} | {'BROKEN' if self.broken else ''} |"


def run(*command: str) -> Cost:
    """The cost of one process; its output goes nowhere, its failure ends the benchmark."""
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:  # stderr stays: it says what failed
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Cost(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def imports_torch(*command: str) -> bool:
    """Whether the interpreter loads torch while it runs the command."""
    traced = (command[0], "-X", "importtime", *command[1:])
    seen = subprocess.run(traced, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    return any(line.rpartition("|")[2].strip() == "torch" for line in seen.splitlines())


def small(folder: Path) -> list[Row]:
    """Help, one case, and verification, in a home of their own."""
    from radiomicnet_md import phantom

    home = ("--home", str(folder / "home"))
    run(*DEVICE, *home, "init")
    image = folder / "phantom.dcm"
    phantom.write_dicom(phantom.make(seed=1), image)
    case = (*DEVICE, *home, "segment", str(image), "--out", str(folder / "out"))
    run(*case)  # compiles the counters, once a home
    cost = run(*case)
    verify = (*DEVICE, *home, "audit", "verify")
    start = (sys.executable, "-c", START, str(folder / "home"))
    seconds = min(float(subprocess.run(start, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout) for _ in range(3))
    return [
        Row("`--help`, best of 5", min(run(*DEVICE, "--help").seconds for _ in range(REPEATS)), "s", 0.3),
        Row("one `segment`, process and all", cost.seconds, "s", None),
        Row("one `segment`, processor time", cost.processor, "s", None),
        Row("one `segment`, peak memory", cost.megabytes, "MB", 1500),
        Row("start: release, packages and known answers, imports apart", seconds, "s", 5),
        Row("`audit verify`, best of 5", min(run(*verify).seconds for _ in range(REPEATS)), "s", None),
        Row("`audit verify` imports torch (1 = yes)", imports_torch(*verify), "", 0),
    ]


def imports() -> list[Row]:
    """What imports alone take, each in a new process."""
    told = {
        "the interpreter alone": "pass",
        "import of the verifier": "import radiomicnet_md_audit.verify",
        "import of the engine": "import radiomicnet_md.engine.segment",
        "import of torch, to compare with": "import torch",
    }
    fastest = {
        what: min(run(sys.executable, "-c", code).seconds for _ in range(REPEATS)) for what, code in told.items()
    }
    return [Row(f"{what}, best of {REPEATS}", seconds, "s", None) for what, seconds in fastest.items()]


def sizes(folder: Path) -> list[Row]:
    """The wheels as they are built here and unpacked; and everything that an installation without extras brings."""
    rows = []
    for name, source in (("radiomicnet-md", ROOT), ("radiomicnet-md-audit", ROOT / "audit")):
        build = (sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / name))
        subprocess.run(build, cwd=source, check=True, capture_output=True)
        (wheel,) = (folder / name).glob("*.whl")
        with zipfile.ZipFile(wheel) as opened:
            unpacked = sum(entry.file_size for entry in opened.infolist())
        rows.append(Row(f"wheel of `{name}`", wheel.stat().st_size / 1e6, "MB", None))
        rows.append(Row(f"`{name}` installed, its own files", unpacked / 1e6, "MB", None))
    needed = {name: installed_bytes(name) / 1e9 for name in closure("radiomicnet-md") if "radiomicnet" not in name}
    rows.append(Row(f"the {len(needed)} packages that it needs, installed", sum(needed.values()), "GB", None))
    rows.append(Row("of these torch", needed["torch"], "GB", None))
    return rows


def closure(name: str) -> set[str]:
    """The distributions that one needs without extras on this machine, itself among them."""
    found, waiting = set(), [(name, "")]
    while waiting:
        one = waiting.pop()
        if one in found:
            continue
        found.add(one)
        for line in importlib.metadata.requires(one[0]) or ():
            wanted = Requirement(line)
            if wanted.marker is None or wanted.marker.evaluate({"extra": one[1]}):
                waiting += [(wanted.name.lower().replace("_", "-"), extra) for extra in ("", *wanted.extras)]
    return {one for one, _ in found}


def installed_bytes(name: str) -> int:
    """The bytes of a distribution's files, as its record lists them, without the bytecode that Python makes of them."""
    files = importlib.metadata.files(name) or ()
    paths = [Path(str(file.locate())) for file in files if file.suffix != ".pyc"]
    return sum(path.stat().st_size for path in paths if path.is_file())


def demo(folder: Path) -> list[Row]:
    """The demo with everything installed: in a new folder, and there again."""
    first = run(*DEVICE, "demo", "--out", str(folder / "demo"))
    cost = run(*DEVICE, "demo", "--out", str(folder / "demo"))
    return [
        Row("demo in a new folder, everything installed", first.seconds, "s", None),
        Row("`make demo` again", cost.seconds, "s", 40),
        Row("`make demo` again, processor time", cost.processor, "s", None),
    ]


def from_nothing(folder: Path) -> Row:
    """The first ``make demo`` of a fresh copy: environment, compilation, demo."""
    copy = folder / "copy"
    copy.mkdir()
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")[:-1]:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, copy / name)
    started = time.perf_counter()
    subprocess.run(["make", "demo"], cwd=copy, stdout=sys.stderr, check=True)
    return Row("`make demo` from nothing", time.perf_counter() - started, "s", 240)


def section(script: str) -> str:
    """What another benchmark prints, under its own name. ``-P``: ``radiomics.py`` beside it is not PyRadiomics."""
    command = [sys.executable, "-P", str(ROOT / "benchmarks" / script)]
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode not in {0, BROKEN}:
        raise SystemExit(f"{script} ended with {done.returncode}")
    return f"## `benchmarks/{script}`\n\n{done.stdout.strip()}\n"


def page(rows: list[Row], sections: list[str]) -> str:
    """The page of figures."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, no GPU used"
    return "\n".join(
        [
            "# Speed and size",
            "",
            f"Written by `python benchmarks/run.py --write` on {machine}.",
            "A limit is a promise; the other figures are information.",
            "",
            "| What | Measured | Unit | Limit | |",
            "|---|---|---|---|---|",
            *(row.cells() for row in rows),
            "",
            *sections,
        ]
    )


def main() -> int:
    """Measure, print, and say by the exit code whether the promises hold."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--write", action="store_true", help="write the page of figures")
    parser.add_argument("--from-nothing", action="store_true", help="also the first `make demo` of a fresh copy")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [*small(folder), *imports(), *demo(folder), *sizes(folder)]
        if given.from_nothing:
            rows.append(from_nothing(folder))
    text = page(rows, [section(script) for script in SECTIONS])
    print(text)
    if given.write:
        PAGE.write_text(text, encoding="utf-8")
    return BROKEN if "BROKEN" in text else 0


if __name__ == "__main__":
    raise SystemExit(main())

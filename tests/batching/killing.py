# SPDX-License-Identifier: Apache-2.0
"""Kills what decides a batch, at random moments, until the batches are done; then looks whether a case is missing.

``make kills`` or ``python -m tests.batching.killing [--cases N] [--kills N] [--write]``. Ends with 3 where something
broke.

Rules of this module:

- Real processes: a PostgreSQL server keeps the log, Dask's scheduler leads, workers of ours decide, ``batch`` calls.
  The engine only thresholds, for what is asked is who records a case, and the answer of every case is known without it.
- SIGKILL, and the database both killed whole and shut down at once. What was killed is begun again, as a service would.
- The moments follow from a seed as far as the machine lets them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from radiomicnet_md import home as homes
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.audit import evidence_page, postgresql
from tests.batching import clusters

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "scale.md"
BROKEN = 3
_SHAPE = (96, 128)
_VICTIMS = {"worker process": 9, "worker": 2, "database": 2, "scheduler": 1, "batch": 1}  # and how often, relatively
_LONGEST = 1.5  # seconds between two kills, at most


def main() -> int:
    """Kill, and say what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument(
        "--cases", type=int, default=2000, help="of one batch; another is begun until the kills are done"
    )
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=90, help="give up killing after that, and let the batch end")
    parser.add_argument("--write", action="store_true", help="write this part of the page")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        outcome = campaign(Path(place), given.cases, given.kills, random.Random(given.seed), given.minutes)  # noqa: S311 -- nothing secret
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = (
        f"Written by `python -m tests.batching.killing --write` on {machine}, seed {given.seed}.\n\n{outcome.table()}"
    )
    sys.stdout.write(text + "\n")
    if given.write:
        PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), "kills", text), encoding="utf-8")
    return 0 if outcome.held() else BROKEN


@dataclass
class Outcome:
    """What was done, and what was found."""

    cases: int = 0
    batches: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    starts: int = 0  # of ``batch``
    ended: Counter[int] = field(default_factory=Counter)  # exit codes of ``batch`` where nobody had killed it
    requests: Counter[int] = field(default_factory=Counter)  # requests by the number of their terminal records
    wrong: list[str] = field(default_factory=list)
    interrupted: int = 0
    seconds: float = 0.0
    log: str = ""

    def held(self) -> bool:
        """Whether each case has one terminal record and the known answer, and the log verifies."""
        return not self.wrong and self.requests == {1: self.cases} and self.log == "holds"

    def table(self) -> str:
        """In Markdown."""
        kills = ", ".join(f"{count} of a {name}" for name, count in self.kills.most_common())
        codes = ", ".join(f"{code}: {count}" for code, count in sorted(self.ended.items()))
        rows = {
            "kills": f"{self.kills.total()} ({kills})",
            "batches and cases": f"{self.batches}, {self.cases}",
            "starts of `batch`; exit codes where it was not killed itself": f"{self.starts}; {codes}",
            "attempts that were recorded as interrupted": str(self.interrupted),
            "requests by their terminal records (wanted: all 1)": str(dict(self.requests)),
            "cases with another answer than the known one (wanted: 0)": str(len(self.wrong)),
            "the log (wanted: holds)": self.log,
            "minutes": f"{self.seconds / 60:.0f}",
        }
        return "\n".join(("| What | |", "|---|---|", *(f"| {name} | {text} |" for name, text in rows.items())))


def campaign(place: Path, cases: int, kills: int, rng: random.Random, minutes: float = 60) -> Outcome:
    """Batches of ``cases`` until ``kills`` were made, and what is in the log after that."""
    outcome, begun = Outcome(), time.monotonic()
    server = postgresql.Cluster(_binaries(), ROOT / "docs" / "how-to" / "log-on-postgresql.md")
    try:
        url = f"postgresql+psycopg://device@127.0.0.1:{server.port}/{server.database()}"
        home = homes.create(place / "home", audit_db=url)
        ground = _Ground(place, home.folder, url, server, outcome)
        try:
            while outcome.kills.total() < kills:
                source = _images(place / f"in-{outcome.batches}", cases, rng)
                left = min(kills, (outcome.batches + 1) * kills)
                ground.batch(source, place / f"out-{outcome.batches}", left, rng, begun + 60 * minutes)
                _compare(source, place / f"out-{outcome.batches}", outcome)
                outcome.batches, outcome.cases = outcome.batches + 1, outcome.cases + cases
                if time.monotonic() > begun + 60 * minutes:
                    break
        finally:
            ground.end()
        _read(home, url, outcome)
    finally:
        server.recover()
        server.remove()
    outcome.seconds = time.monotonic() - begun
    return outcome


class _Ground:
    """The processes that are killed and begun again."""

    def __init__(self, place: Path, home: Path, url: str, server: postgresql.Cluster, outcome: Outcome) -> None:
        self._place, self._home, self._server, self._outcome = place, home, server, outcome
        self._log = ("--audit-db", url)
        self._scheduler, self._address = clusters.scheduler(place)
        self._port = int(self._address.rpartition(":")[2])
        self._workers = [self._worker() for _ in range(2)]
        self._batch: subprocess.Popen[str] | None = None
        self._killed = False  # whether the batch that runs was killed by us

    def batch(self, source: Path, out: Path, kills: int, rng: random.Random, until: float) -> None:
        """One batch to its end, with kills in it until there were enough."""
        strikes: dict[str, Callable[[random.Random], bool]] = {
            "worker process": self._kill_process,
            "worker": self._kill_worker,
            "database": self._kill_database,
            "scheduler": self._kill_scheduler,
            "batch": self._kill_batch,
        }
        self._begin(source, out)
        while not self._done(source, out):
            time.sleep(rng.uniform(0.1, _LONGEST))
            if self._outcome.kills.total() < kills and time.monotonic() < until:
                name = rng.choices(list(_VICTIMS), list(_VICTIMS.values()))[0]
                if strikes[name](rng):
                    self._outcome.kills[name] += 1
            self._repair()

    def end(self) -> None:
        """Kill everything."""
        for process in (*self._workers, self._scheduler, *([self._batch] if self._batch else [])):
            clusters.end(process)

    def _begin(self, source: Path, out: Path) -> None:
        words = ["batch", str(source), "--out", str(out), "--home", str(self._home), *self._log, "--format", "png"]
        words += ["--scheduler", self._address, "--json", "--quiet", *(["--resume"] if out.exists() else [])]
        self._batch = subprocess.Popen(
            [sys.executable, *clusters.STUB, *words],
            env=clusters.environment(self._place),
            stdout=subprocess.DEVNULL,
            stderr=(self._place / "batch.err").open("a"),
            text=True,
            start_new_session=True,
        )
        self._killed = False
        self._outcome.starts += 1

    def _done(self, source: Path, out: Path) -> bool:
        """Whether the batch has ended well; where it has ended otherwise, it is begun again."""
        assert self._batch is not None
        code = self._batch.poll()
        if code is None:
            return False
        if not self._killed:
            self._outcome.ended[code] += 1
        if code == 0:
            return True
        self._begin(source, out)
        return False

    def _worker(self) -> subprocess.Popen[str]:
        words = ["worker", self._address, "--home", str(self._home), *self._log, "--jobs", "2", "--quiet"]
        return subprocess.Popen(
            [sys.executable, *clusters.STUB, *words],
            env=clusters.environment(self._place),
            stdout=subprocess.DEVNULL,
            stderr=(self._place / "worker.err").open("a"),
            text=True,
            start_new_session=True,
        )

    def _repair(self) -> None:
        self._server.recover()
        if self._scheduler.poll() is not None:
            clusters.end(self._scheduler)
            with suppress(RuntimeError):  # the port is still held: at the next turn
                self._scheduler, _ = clusters.scheduler(self._place, port=self._port)
        for place, worker in enumerate(self._workers):
            if worker.poll() is not None:
                clusters.end(worker)
                self._workers[place] = self._worker()

    def _kill_process(self, rng: random.Random) -> bool:
        worker = rng.choice(self._workers)
        with suppress(OSError, IndexError):
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text("ascii").split()
            os.kill(int(rng.choice(children)), signal.SIGKILL)
            return True
        return False

    def _kill_worker(self, rng: random.Random) -> bool:
        worker = rng.choice(self._workers)
        if worker.poll() is not None:
            return False
        os.killpg(worker.pid, signal.SIGKILL)
        return True

    def _kill_database(self, rng: random.Random) -> bool:
        (self._server.kill if rng.random() < 0.5 else self._server.abort)()
        return True

    def _kill_scheduler(self, _: random.Random) -> bool:
        self._scheduler.kill()
        self._scheduler.wait()
        return True

    def _kill_batch(self, _: random.Random) -> bool:
        if self._batch is None or self._batch.poll() is not None:
            return False
        self._batch.kill()
        self._batch.wait()
        self._killed = True
        return True


def _images(folder: Path, count: int, rng: random.Random) -> Path:
    """Grey noise with a dark disc in each, and no two alike."""
    folder.mkdir()
    down, across = np.mgrid[0 : _SHAPE[0], 0 : _SHAPE[1]]
    for number in range(count):
        noise = np.random.default_rng(rng.getrandbits(32))
        middle = noise.integers(30, 66), noise.integers(30, 98)
        levels = np.where(np.hypot(down - middle[0], across - middle[1]) < 18, 20, noise.integers(150, 190, _SHAPE))
        Image.fromarray(levels.astype(np.uint8)).save(folder / f"scan-{number:05}.png")
    return folder


def _compare(source: Path, out: Path, outcome: Outcome) -> None:
    """Each mask against the one that the engine of the tests gives, made here and now."""
    for path in sorted(source.iterdir()):
        levels = np.asarray(Image.open(path))
        known = (levels < desks.FakeEngine().level).astype(np.uint8)
        file = out / path.stem / "mask.png"
        if not file.is_file() or not np.array_equal(np.asarray(Image.open(file)) > 0, known > 0):
            outcome.wrong.append(path.stem)
    rows = [json.loads(line)["row"] for line in (out / "batch.jsonl").read_text("utf-8").splitlines()]
    if set(rows) != set(range(1, len(list(source.iterdir())) + 1)):
        outcome.wrong.append(f"{out.name}: lines")


def _read(home: homes.Home, url: str, outcome: Outcome) -> None:
    """Every record there is, and whether the log holds."""
    found: Counter[str] = Counter()
    files: dict[str, str] = {}
    with home.reading_ledger(url) as ledger:
        outcome.log = "holds" if verify_ledger(ledger, ledger.anchor_text()).ok else "DOES NOT HOLD"
        for entry in ledger.entries(1):
            said = ledger.read(entry).predicate
            if said.get("state") in ("RESULT", "REFUSED"):
                found[said["request_id"]] += 1
                files[said["request_id"]] = said["input"]["file_sha256"]
                if said["state"] == "REFUSED":
                    outcome.wrong.append(said["reason"]["code"])
            outcome.interrupted += (said.get("reason") or {}).get("code") == "E-INTERRUPTED"
    outcome.requests = Counter(found.values())
    if len(set(files.values())) != len(files):
        outcome.wrong.append("a file under two requests")


def _binaries() -> Path:
    return max(Path("/usr/lib/postgresql").glob("*/bin"))


if __name__ == "__main__":
    sys.exit(main())

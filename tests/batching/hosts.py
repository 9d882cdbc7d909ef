# SPDX-License-Identifier: Apache-2.0
"""Two hosts in one machine, each a network namespace, set up as ``docs/how-to/scale-out.md`` says.

``make hosts`` or ``python -m tests.batching.hosts [--write]``, as root. Ends with 3 where something broke.

Rules of this module:

- The first host has the database, the scheduler, a worker and the batch; the second has a worker. One cable joins them,
  and all that passes between them passes through it. Each has its own home; images and results lie at one path on both.
- Real processes over TLS, with an engine that only thresholds: what is asked is who decides and records.
- What the page has people type is typed: the certificates come from its own lines.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from radiomicnet_md import home as homes
from radiomicnet_md_audit.stored import verify_ledger
from tests import desks
from tests.audit import evidence_page, postgresql
from tests.batching import clusters

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "reference" / "scale.md"
GUIDE = ROOT / "docs" / "how-to" / "scale-out.md"
FIRST, SECOND, PORT = "10.77.0.1", "10.77.0.2", 8786
CASES = 400
BROKEN = 3
_PATIENCE = 180  # seconds until a process says that it is ready


@contextmanager
def joined(name: str) -> Iterator[tuple[str, str]]:
    """Two namespaces with a cable between them; gone at the end, with the processes that are still in them."""
    first, second = f"{name}-a", f"{name}-b"
    try:
        for space in (first, second):
            _ip("netns", "add", space)
            _ip("-n", space, "link", "set", "lo", "up")
        _ip("link", "add", "cable", "netns", first, "type", "veth", "peer", "name", "cable", "netns", second)
        for space, address in ((first, FIRST), (second, SECOND)):
            _ip("-n", space, "address", "add", f"{address}/24", "dev", "cable")
            _ip("-n", space, "link", "set", "cable", "up")
        yield first, second
    finally:
        for space in (first, second):
            with suppress(subprocess.CalledProcessError):
                found = subprocess.run(["ip", "netns", "pids", space], capture_output=True, text=True, check=True)
                subprocess.run(["kill", "-KILL", *found.stdout.split()], check=False, stderr=subprocess.DEVNULL)
                _ip("netns", "delete", space)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Hosts:
    """Both hosts as they are when the page was followed up to its sixth step; run in the first one's namespace."""

    def __init__(self, folder: Path, second: str) -> None:
        self._folder, self._second = folder, second
        self.server = postgresql.Cluster(_binaries(), ROOT / "docs" / "how-to" / "log-on-postgresql.md")
        self._let_in()
        self.url = f"postgresql+psycopg://device@{FIRST}:{self.server.port}/{self.server.database()}"
        self.places = [folder / "host1", folder / "host2"]
        for place in self.places:
            (place / ".config" / "radiomicnet-md").mkdir(parents=True)
        self.home = homes.create(self.places[0] / "home", audit_db=self.url)
        copied = ["cp", "-a", str(self.home.folder), str(self.home.anchor), str(self.places[1])]
        subprocess.run(copied, check=True)
        self._certify()
        self._running = [self._scheduler()]
        self._await(0, "Scheduler at")
        self._running += [self.worker(number) for number in (0, 1)]
        for number in (0, 1):
            self._await(number, '"working"')
        desks.write_images(folder / "images", *(f"case-{n:03}.png" for n in range(CASES)))

    def _await(self, number: int, words: str) -> None:
        """Return when a process of a host has said this."""
        said = self.places[number] / "said"
        for _ in range(_PATIENCE * 10):
            if words in said.read_text("utf-8"):
                return
            if any(process.poll() is not None for process in self._running):
                break
            time.sleep(0.1)
        raise RuntimeError(said.read_text("utf-8"))

    def _let_in(self) -> None:
        """The server listens to the second host too."""
        access = self.server.folder / "data" / "pg_hba.conf"
        with access.open("a", encoding="utf-8") as file:
            file.write(f"host all all {FIRST}/24 trust\n")
        self.server.addresses = f"127.0.0.1,{FIRST}"
        self.server.abort()
        self.server.start()

    def _certify(self) -> None:
        """The page's own lines, for both hosts."""
        for line in re.findall(r"^ {8}(openssl .+)$", GUIDE.read_text("utf-8"), re.MULTILINE):
            for host in ("host1", "host2") if "host1" in line else ("",):
                words = shlex.split(line.replace("host1", host))
                subprocess.run(words, cwd=self._folder, check=True, capture_output=True)
        for number, place in enumerate(self.places, start=1):
            files = {"certificate_file": f"host{number}.pem", "key_file": f"host{number}.key", "ca_file": "ca.pem"}
            said = {"cluster": {name: str(self._folder / file) for name, file in files.items()}}
            (place / ".config" / "radiomicnet-md" / "config.yaml").write_text(json.dumps(said), encoding="utf-8")

    def _scheduler(self) -> subprocess.Popen[Any]:
        found = re.search(r"^ {8}(dask scheduler .+?\\\n.+)$", GUIDE.read_text("utf-8"), re.MULTILINE)
        assert found is not None
        words = shlex.split(found[1].replace("\\\n", " "))[2:]
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", *words]
        return self._begin(command, 0, cwd=self._folder)

    def worker(self, number: int) -> subprocess.Popen[Any]:
        """A worker with two processes on one of the hosts."""
        words = ["worker", f"tls://{FIRST}:{PORT}", "--jobs", "2", "--json", *self._own(number)]
        return self._begin([sys.executable, *clusters.STUB, *words], number)

    def _own(self, number: int) -> list[str]:
        return ["--home", str(self.places[number] / "home"), "--audit-db", self.url]

    def _begin(self, command: list[str], number: int, cwd: Path = ROOT) -> subprocess.Popen[Any]:
        there = ["ip", "netns", "exec", self._second] if number else []
        with (self.places[number] / "said").open("a") as said:
            return subprocess.Popen(
                [*there, *command], cwd=cwd, env=clusters.environment(self.places[number]), stdout=said, stderr=said
            )

    def batch(self, *more: str) -> subprocess.Popen[str]:
        """The batch, from the first host."""
        words = ["batch", "images", "--out", "results", "--scheduler", f"tls://{FIRST}:{PORT}", *self._own(0)]
        return subprocess.Popen(
            [sys.executable, *clusters.STUB, *words, "--format", "png", "--json", *more],
            cwd=self._folder,
            env={**clusters.environment(self.places[0]), "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def cable(self, state: str) -> None:
        """Pull the cable out ("down"), or put it in again ("up")."""
        _ip("link", "set", "cable", state)

    def await_decided(self, count: int) -> None:
        """Return when the log has so many terminal records."""
        while self.requests().total() < count:
            time.sleep(0.1)

    def requests(self) -> Counter[str]:
        """Each request by the number of its terminal records."""
        found: Counter[str] = Counter()
        with self.home.reading_ledger(self.url) as ledger:
            for entry in ledger.entries(1):
                said = ledger.read(entry).predicate
                if said.get("state") in ("RESULT", "REFUSED"):
                    found[str(said["request_id"])] += 1
        return found

    def found(self, done: subprocess.Popen[str]) -> dict[str, Any]:
        """What came of a batch: its end, who decided, what the log has, and whether it verifies."""
        begun = time.monotonic()
        out, error = done.communicate(timeout=900)
        hosts: Counter[str] = Counter()
        requests = Counter(self.requests().values())
        with self.home.reading_ledger(self.url) as ledger:
            holds = verify_ledger(ledger, ledger.anchor_text()).ok
        masks = {json.loads(line)["mask_sha256"] for line in out.splitlines()}
        for place, name in ((0, "first"), (1, "second")):
            hosts[name] = len(list((self.places[place] / "home" / "artefacts").rglob("*")))
        return {
            "exit_code": done.returncode,
            "seconds": time.monotonic() - begun,
            "said": error,
            "lines": len(out.splitlines()),
            "masks": sorted(masks),
            "requests": dict(requests),
            "artefacts": dict(hosts),
            "holds": holds,
        }

    def end(self) -> None:
        """Kill all that runs."""
        for process in self._running:
            process.kill()
            process.wait()
        self.server.remove()


def _binaries() -> Path:
    return Path(max(map(str, Path("/usr/lib/postgresql").glob("*/bin"))))


def plain(hosts: Hosts) -> dict[str, Any]:
    """Nothing happens."""
    return {"both hosts decide": hosts.found(hosts.batch())}


def cut(hosts: Hosts) -> dict[str, Any]:
    """The cable is out for some seconds in the middle of the batch."""
    batch = hosts.batch()
    hosts.await_decided(20)
    hosts.cable("down")
    time.sleep(8)
    hosts.cable("up")
    return {"the cable is out for 8 seconds": hosts.found(batch)}


def cut_for_good(hosts: Hosts) -> dict[str, Any]:
    """The cable is out from the middle of the batch to its end; then it is put in, and the batch is resumed."""
    batch = hosts.batch()
    hosts.await_decided(20)
    hosts.cable("down")
    alone = hosts.found(batch)
    hosts.cable("up")
    time.sleep(5)
    return {
        "the cable is out until the end": alone,
        "the same resumed, with the cable in": hosts.found(hosts.batch("--resume")),
    }


SCENARIOS: dict[str, Callable[[Hosts], dict[str, Any]]] = {"plain": plain, "cut": cut, "cut for good": cut_for_good}


def held(found: dict[str, Any]) -> bool:
    """Whether each case has one terminal record and the one answer, and the log verifies."""
    whole = (found["exit_code"], found["lines"], len(found["masks"])) == (0, CASES, 1)
    return whole and found["requests"] == {"1": CASES} and found["holds"]


def told(name: str, found: dict[str, Any]) -> str:
    """A row of the table."""
    kept = " and ".join(f"{count} by the {host}" for host, count in found["artefacts"].items())
    said = " ".join(re.findall(r"E-[A-Z-]+", found["said"])) or "nothing"
    return (
        f"| {name} | {found['seconds']:.0f} | {found['exit_code']} | {said} | {found['requests']} | {kept} "
        f"| {'holds' if found['holds'] else 'DOES NOT HOLD'} |"
    )


def campaign() -> tuple[str, bool]:
    """Every scenario, each with hosts of its own: the table, and whether all held."""
    rows = [
        f"| {CASES} cases | seconds | exit code | errors told | cases by terminal records | artefacts | log |",
        "|---|---:|---:|---|---|---|---|",
    ]
    all_held = True
    for name in SCENARIOS:
        with joined("radiomicnet") as (first, second), tempfile.TemporaryDirectory() as place:
            inside = ["ip", "netns", "exec", first, sys.executable, "-m", "tests.batching.hosts"]
            done = subprocess.run(
                [*inside, "--inside", place, second, name], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
            )
        for part, found in json.loads(done.stdout).items():
            rows.append(told(part, found))
            all_held &= held(found)
    return "\n".join(rows), all_held


def main() -> int:
    """Run all, or one in the first host's namespace."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--inside", nargs=3, metavar=("FOLDER", "SECOND", "SCENARIO"), help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true", help="write this part of the page")
    given = parser.parse_args()
    if given.inside:
        folder, second, name = given.inside
        hosts = Hosts(Path(folder), second)
        try:
            sys.stdout.write(json.dumps(SCENARIOS[name](hosts)) + "\n")
        finally:
            hosts.end()
        return 0
    table, all_held = campaign()
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    text = f"Written by `python -m tests.batching.hosts --write` on {machine}.\n\n{table}"
    sys.stdout.write(text + "\n")
    if given.write:
        PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), "hosts", text), encoding="utf-8")
    return 0 if all_held else BROKEN


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: Apache-2.0
"""How long a page of the worklist, a case and its layers take in a log of a hundred thousand decisions.

``python -P benchmarks/web.py [--records N] [--folder DIR]``. The records are of the size of real ones, from one real
decision of a phantom with new ids, appended by the log's own code in a folder that should be in memory: the loader is
not what is measured. The server is a process of its own, asked over HTTP by one client and then by fifty at once.
"""

from __future__ import annotations

import argparse
import copy
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from radiomicnet_md import config, opening, people, phantom
from radiomicnet_md import home as homes
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import segment_file
from radiomicnet_md.intent import new_id
from radiomicnet_md_audit.statement import DECISION, build
from tests import desks
from tests.web.serving import Served

QUERIES = ("", "state=REFUSED", "flagged=yes", "sort=flags", "sort=oldest", "sort=release&state=RESULT", "signed=no")


def load(folder: Path, records: int) -> str:
    """Make the home; return the id of its one real decision."""
    made = homes.create(folder / "home")
    with opening.open_desk(config.Settings(home=made.folder)) as desk:
        desks.add_person(desk, "rita", "reviewer")
        picture = folder / "phantom.dcm"
        phantom.write_dicom(phantom.make(1), picture)
        real = segment_file(picture, desk, Target(folder / "out", "phantom")).record_id
        said: dict[str, Any] = desk.ledger.read(desk.ledger.find(real)).predicate
        del said["log"]
        for number in range(records):
            desk.ledger.append(build(DECISION, {"input": secrets.token_hex(32)}, _varied(said, number)))
        people.roster(desk.ledger)
    return real


def _varied(said: dict[str, Any], number: int) -> dict[str, Any]:
    """One more decision: other ids, one in ten refused, one in seven flagged."""
    one = copy.copy(said)
    one |= {"record_id": new_id(), "request_id": secrets.token_hex(16)}
    if number % 10 == 0:
        nothing = dict.fromkeys(("radiomics", "decision", "pixels", "gates", "arithmetic", "stages", "outputs"))
        reason = {"code": "E-GATE-SIZE", "text": "The image is too small.", "remedy": "Send a larger one."}
        return one | nothing | {"state": "REFUSED", "reason": reason}
    if number % 7 == 0:
        one["checks"] = [{**one["checks"][0], "held": False}, *one["checks"][1:]]
    return one


def at(times: list[float], percent: int) -> float:
    """A percentile in milliseconds."""
    return statistics.quantiles(times, n=100)[percent - 1] * 1000


def timed(work: Callable[[], httpx.Response]) -> float:
    """Seconds of a request that is answered."""
    start = time.perf_counter()
    work().raise_for_status()
    return time.perf_counter() - start


def measure(folder: Path, real: str) -> list[tuple[str, str]]:
    """The rows of the table."""
    rows = []
    with Served(folder / "home") as served, httpx.Client(base_url=served.url, timeout=60) as client:
        client.post("/sign-in", data={"user": "rita", "passphrase": desks.OWN})
        first = timed(lambda: client.get("/"))
        during = [timed(lambda: client.get("/")) for _ in range(40)]
        start = time.perf_counter()
        while (said := client.get("/api/records?size=1").json())["entries_read"] < said["entries"]:
            time.sleep(1)
        rows += [("first page after the start", f"{first * 1000:.0f} ms")]
        rows += [("pages while older records are read, p95", f"{at(during, 95):.0f} ms")]
        rows += [("until all were read", f"{time.perf_counter() - start:.0f} s more")]
        times: list[float] = []
        for query in QUERIES:
            address: str | None = f"/?{query}"
            for _ in range(15):
                if address is None:
                    break
                began = time.perf_counter()
                answer = client.get(address).raise_for_status()
                times.append(time.perf_counter() - began)
                found = answer.text.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
                address = found or None
        listed = f"{len(times)} pages of 50 lines, filtered and sorted, p50 / p95"
        rows += [(listed, f"{at(times, 50):.0f} / {at(times, 95):.0f} ms")]
        case = [timed(lambda: client.get(f"/records/{real}")) for _ in range(15)]
        rows += [("case page, p50 / p95", f"{at(case, 50):.0f} / {at(case, 95):.0f} ms")]
        names = ("image", "outline", "runner-up")
        layers = [timed(partial(client.get, f"/records/{real}/layers/{name}.png")) for name in names]
        rows += [("its three layers, one after the other", f"{sum(layers) * 1000:.0f} ms")]
        pixel = [timed(partial(client.get, f"/records/{real}/pixels/{k}/{k}")) for k in range(40)]
        rows += [("a pixel, p95", f"{at(pixel, 95):.0f} ms")]
        rows += [("fifty users at once, two requests each", _crowd(served.url, dict(client.cookies), real))]
    return rows


def _crowd(url: str, cookies: dict[str, str], real: str) -> str:
    def one(_: int) -> tuple[float, int]:
        with httpx.Client(base_url=url, cookies=cookies, timeout=120) as client:
            start = time.perf_counter()
            answers = [client.get(path) for path in ("/", f"/records/{real}/layers/outline.png")]
            return time.perf_counter() - start, sum(answer.status_code >= 400 for answer in answers)  # noqa: PLR2004

    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(one, range(50)))
    return f"{sum(errors for _, errors in found)} errors, slowest {max(seconds for seconds, _ in found):.1f} s"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the home is made (/dev/shm where there is one)")
    given = parser.parse_args()
    base = given.folder or (Path("/dev/shm") if Path("/dev/shm").is_dir() else None)  # noqa: S108
    with tempfile.TemporaryDirectory(dir=base) as folder:
        start = time.perf_counter()
        real = load(Path(folder), given.records)
        print(f"{given.records:,} records made in {time.perf_counter() - start:.0f} s")
        for name, value in measure(Path(folder), real):
            print(f"| {name} | {value} |")


if __name__ == "__main__":
    main()

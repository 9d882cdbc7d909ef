# SPDX-License-Identifier: Apache-2.0
"""The parts of the campaign, each of them a piece of work for a process of its own, and their results added up."""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.audit import corpus, flips, histories
from tests.audit.postgresql import Cluster
from tests.audit.tampering import catalogue
from tests.audit.tampering.scene import Template

GUIDE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "log-on-postgresql.md"
HISTORIES_EACH = 500
BYTES_PARTS = 4


def attacks(stores: tuple[str, ...]) -> dict[str, Any]:
    """Run every case on these stores; return how many there are of each verdict, and what came out otherwise."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)
    if "postgresql" in stores and binaries is None:
        return {"runs": {}, "unlike": ["there is no PostgreSQL here"]}
    cluster = Cluster(binaries.parent, GUIDE) if binaries is not None and "postgresql" in stores else None
    template, runs, unlike = Template(), Counter[str](), []
    try:
        for case in catalogue.load():
            for store in [store for store in case.stores if store in stores]:
                scene = template.scene(cluster)
                unlike += [f"{case.id}, {store}: {wrong}" for wrong in catalogue.run(case, store, scene)]
                runs[f"{store} {case.verdict}"] += 1
                template.remove([scene])
    finally:
        template.remove()
        if cluster is not None:
            cluster.remove()
    return {"runs": dict(runs), "unlike": unlike}


def honest(count: int, seed: int) -> dict[str, Any]:
    """Let so many honest histories happen."""
    before = histories.History.ended
    try:
        histories.run(count, seed)
    except Exception as error:  # noqa: BLE001 -- whatever it is, it is a result
        return {"ended": histories.History.ended - before, "alarms": [f"seed {seed}: {error!r}"]}
    return {"ended": histories.History.ended - before, "alarms": []}


def judged(count: int, seed: int) -> dict[str, Any]:
    """Let Go and this verifier judge a corpus."""
    go = shutil.which("go")
    if go is None:
        return vars(corpus.Agreement(unexplained=["there is no Go here"]))
    with tempfile.TemporaryDirectory() as folder:
        judge = corpus.build(Path(go), Path(folder))
        return vars(corpus.compare(judge, *corpus.make(count, seed)))


def changed(records: int, count: int | None, part: int, parts: int) -> dict[str, Any]:
    """Change a part of the bytes of an export, each in turn: about ``count`` of them, or all."""
    fast = histories.IN_MEMORY
    with tempfile.TemporaryDirectory(dir=fast if fast.is_dir() else None) as folder:
        made = flips.Exported(Path(folder), records)
        places = made.every_byte() if count is None else made.scattered(count)
        share = places[part::parts]
        return {"files": len(made.files), "bytes": len(share), "missed": made.unnoticed(share)}


def run(count: int, notes: int, places: int, seed: int, jobs: int) -> dict[str, Any]:
    """Run all of it on so many processes; return plain values."""
    started = time.monotonic()
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:

        def begin(work: Callable[..., dict[str, Any]], *given: object) -> Future[dict[str, Any]]:
            return pool.submit(_timed, work, *given)

        on_server, in_file = begin(attacks, ("postgresql",)), begin(attacks, ("sqlite", "export"))
        small = begin(changed, 1, None, 0, 1)
        large = [begin(changed, 200, places, part, BYTES_PARTS) for part in range(BYTES_PARTS)]
        both = begin(judged, notes, seed)
        sizes = [min(HISTORIES_EACH, count - start) for start in range(0, count, HISTORIES_EACH)]
        lives = [begin(honest, size, seed * 1_000_003 + number) for number, size in enumerate(sizes)]
        return {
            "date": datetime.now(UTC).strftime("%Y-%m-%d"),
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "seed": seed,
            "catalogue": {"cases": len(catalogue.load()), **_sum(on_server, in_file)},
            "histories": _sum(*lives),
            "corpus": both.result(),
            "small export": small.result(),
            "large export": _sum(*large),
            "seconds": round(time.monotonic() - started),
        }


def _timed(work: Callable[..., dict[str, Any]], *given: object) -> dict[str, Any]:
    started = time.monotonic()
    return {**work(*given), "seconds": round(time.monotonic() - started, 1)}


def _sum(*futures: Future[dict[str, Any]]) -> dict[str, Any]:
    """Add up numbers, counters and lists; how many files an export has is the same in each part."""
    total: dict[str, Any] = {}
    for future in futures:
        for name, value in future.result().items():
            if isinstance(value, dict):
                total[name] = dict(Counter(total.get(name, {})) + Counter(value))
            elif name == "files":
                total[name] = value
            else:
                total[name] = total[name] + value if name in total else value
    return total

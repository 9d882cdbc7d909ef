# SPDX-License-Identifier: Apache-2.0
"""What so many cases a day take: processors, disk, log, verification and backup, each with where its figure comes from.

Rules of this module:

- A figure is measured in this home where it has decided enough, else it is a recorded one (:data:`RECORDED`); each row
  says which. What can only be assumed is listed as an assumption. Nothing is written.
- How long a case takes stands in no record, and a short measurement on a machine that does other work says nothing
  of it (each parallel step then waits for a processor). So it is the recorded time, and assumed is that this machine is
  as fast.
- A verification was recorded with smaller records than decisions make; it is taken to grow with their size.
- Disk is what the files take on it, in whole blocks.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from radiomicnet_md import shelf
from radiomicnet_md.home import Home, open_home
from radiomicnet_md_audit.export import digests
from radiomicnet_md_audit.statement import DECISION

if TYPE_CHECKING:
    from radiomicnet_md.config import Settings

FEWEST = 20  # decisions, for a home to be measured
NEWEST = 500  # entries that are looked at
DAYS: Final = 365
HOURS: Final = 8  # in which a day's cases come
LOAD: Final = 0.7  # of a processor, so that a queue goes down again


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure, and where it comes from."""

    value: float
    source: str


RECORDED: Final = {
    "case_s": Measure(2 / 3.07, "docs/reference/benchmarks-dicom.md"),  # of each of two processes, all five objects
    "verified_bytes": Measure(9.6 * 1024, "docs/reference/benchmarks.md"),  # a record, where verify_s was measured
    "verify_s": Measure(332 / 1_000_400, "docs/reference/benchmarks-log.md"),  # a record, 2 processors
    "log_bytes": Measure(28_344, "docs/how-to/operate.md"),  # a record
    "anchor_bytes": Measure(3_579, "docs/how-to/operate.md"),  # a record
    "file_bytes": Measure(1_133_739, "docs/how-to/operate.md"),  # a decision
    "records": Measure(1.0, "one a case: no signatures, no sendings"),  # a decision
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a plan."""

    name: str
    value: float
    unit: str
    how: str


def plan(settings: Settings, a_day: int) -> Iterator[Row]:
    """What ``a_day`` cases take.

    Raises :class:`ConfigurationError` where there is no home, and whatever keeps its log from being read.
    """
    home = open_home(settings.home)
    found = {**RECORDED, **_measured(home, settings.audit_db)}
    case_s = found["case_s"].value
    records = found["records"].value * a_day
    log, anchor = (found[name].value * records * DAYS for name in ("log_bytes", "anchor_bytes"))
    files = found["file_bytes"].value * a_day * DAYS
    whole, free = log + anchor + files, shutil.disk_usage(home.folder).free
    yield Row("seconds a case", case_s, "s", f"one process on one core: {found['case_s'].source}")
    processes = math.ceil(a_day * case_s / (HOURS * 3600 * LOAD))
    yield Row("processor cores", processes, "", f"a day's cases in {HOURS} hours, {LOAD:.0%} busy, one process each")
    yield Row("records a year", records * DAYS, "", f"{found['records'].value:.2f} a case: {found['records'].source}")
    yield Row("log a year", log, "bytes", found["log_bytes"].source)
    yield Row("anchor a year", anchor, "bytes", found["anchor_bytes"].source)
    yield Row("files a year", files, "bytes", found["file_bytes"].source)
    yield Row("disk a year", whole, "bytes", "log, anchor and files; nothing is erased")
    yield Row("disk lasts", free / whole * DAYS, "days", f"{free} bytes free on the disk of the home now")
    larger = max(1.0, found["log_bytes"].value / found["verified_bytes"].value)
    verify = found["verify_s"].value * larger * records * DAYS
    how = f"every signature, 2 cores: {found['verify_s'].source}, records {larger:.1f} times as large"
    yield Row("verification of a year", verify, "s", how)
    yield Row("backup after a year", whole, "bytes", "the whole home each time; while it is taken, the log once more")


ASSUMED: Final = (
    f"A day's cases come within {HOURS} hours, and a core is busy for {LOAD:.0%} of them; a peak takes more.",
    "A core is as fast as those of the recorded figures (x86_64); `make bench` measures this machine while it is idle.",
    "Images are like those that were measured: a larger one takes more time and more disk.",
    "Nothing is erased in the first year, and what waits in inbox and outbox is not counted.",
    "A log in a file has one writer at a time; one record takes milliseconds, far below a case.",
)


def _measured(home: Home, audit_db: str | None) -> dict[str, Measure]:
    """What the newest entries of this home's log tell; nothing where they are too few."""
    with home.reading_ledger(audit_db) as ledger:
        size, path = ledger.size, ledger.store.path
        newest = [ledger.read(entry) for entry in ledger.entries(max(size - NEWEST, 1))]
    decisions = [said.predicate for said in newest if said.predicate_type == DECISION]
    if len(decisions) < FEWEST:
        return {}
    where = f"measured here, newest {len(newest)} records"
    named = {digest for said in decisions for digest in digests(said)}
    files = sum(_on_disk(shelf.artefact(home.folder, digest)) for digest in named)
    found = {
        "records": Measure(len(newest) / len(decisions), where),
        "file_bytes": Measure(files / len(decisions), where),
        "anchor_bytes": Measure(home.anchor.stat().st_size / size, f"measured here, {size} records"),
    }
    if path is not None:
        found["log_bytes"] = Measure(path.stat().st_size / size, f"measured here, {size} records")
    return found


def _on_disk(path: Path) -> int:
    """What a file takes on the disk; nothing where it is not kept."""
    try:
        return path.stat().st_blocks * 512
    except FileNotFoundError:
        return 0

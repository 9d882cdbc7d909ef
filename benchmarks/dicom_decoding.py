# SPDX-License-Identifier: Apache-2.0
"""What share of a decision's time goes into reading: a loop of 60 frames, and a series of 300 slices.

``make bench-decoding`` or ``python -P benchmarks/dicom_decoding.py`` prints the table; ``--write`` also puts it into
``docs/reference/benchmarks-dicom.md``; ``--quick`` only tries the script. The machine should be idle. Ends with 3 where
a limit is broken.

Rules of this module:

- All frames and slices are read, as ``segment`` reads them: listed, surveyed, loaded, hashed, parsed, decoded.
- Every sixth frame is decided, and the mean stands for each. A CT slice is refused by the intended use, so that the
  decision of an ultrasound image of its size stands for it: what a release for CT would take at least.
- The engine is asked once, unmeasured, before it is timed: its code is compiled then.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import uid

from radiomicnet_md import config, io, phantom
from radiomicnet_md import home as homes
from radiomicnet_md.desk import expanded, judged
from radiomicnet_md.engine.record import Case, Outcome
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.image import Image
from radiomicnet_md.opening import open_desk
from tests.audit import evidence_page
from tests.desk.test_series import becomes
from tests.io import samples

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "benchmarks-dicom.md"
FRAMES, LOOP = 60, (480, 640)
SLICES, SLICE = 300, (512, 512)
EVERY = 6  # frames from one that is decided to the next
SYNTAXES = {
    "native": "",
    "run-length": uid.RLELossless,
    "JPEG-LS": uid.JPEGLSLossless,
    "JPEG 2000": uid.JPEG2000Lossless,
}
LIMIT, BROKEN = 0.20, 3


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    what: str
    count: int
    reading_s: float  # of all of them
    deciding_s: float  # of one, mean

    @property
    def share(self) -> float:
        """Of the time of the decisions."""
        return self.reading_s / (self.count * self.deciding_s)

    def line(self) -> str:
        """In Markdown."""
        each = 1e3 * self.reading_s / self.count
        end = "BROKEN" if self.share > LIMIT else ""
        return f"| {self.what} | {self.count} | {each:.1f} | {1e3 * self.deciding_s:.1f} | {self.share:.3f} | {end} |"


@contextmanager
def opened(folder: Path) -> Iterator[Engine]:
    """The shipped release's engine."""
    with open_desk(config.load({"home": homes.create(folder / "home").folder})) as desk:
        if not isinstance(desk.engine, Engine):
            raise SystemExit(str(desk.engine))
        yield desk.engine


def deciding(engine: Engine, images: list[Image]) -> float:
    """Seconds of one decision, mean."""
    seconds = []
    for image in (images[0], *images):
        start = time.perf_counter()
        case, stopped = judged(Case("", "", Outcome.ERROR), image, engine)
        seconds.append(time.perf_counter() - start)
        if case.decision is None and not any(check.name == "familiar" for check in case.checks):
            raise SystemExit(str(stopped))  # a refusal by the measured values has cost a decision; another has not
    return statistics.mean(seconds[1:])


def reading(path: Path) -> tuple[float, list[Image]]:
    """Seconds for everything that an argument stands for, and what is to be decided of it."""
    reader, kept = io.Reader(), []
    start = time.perf_counter()
    for number, item in enumerate(expanded([path])):
        image = reader.read(item).image
        if number % EVERY == 0:
            kept.append(image)
    return time.perf_counter() - start, kept


def loops(engine: Engine, folder: Path, frames: int) -> Iterator[Row]:
    """A loop in each syntax."""
    levels = np.stack([phantom.make(number, *LOOP).pixels for number in range(frames)])
    for name, syntax in SYNTAXES.items():
        path = folder / f"{name}.dcm"
        path.write_bytes(samples.loop(levels, syntax=syntax))
        reading(path)
        seconds, images = reading(path)
        title = f"loop of {LOOP[0]} × {LOOP[1]}, 8 bits, {name}"
        yield Row(title, frames, seconds, deciding(engine, images))


def series(engine: Engine, folder: Path, slices: int) -> Row:
    """CT slices of 16 bits, native."""
    rows, columns = SLICE
    where = folder / "series"
    where.mkdir()
    for number in range(slices):
        levels = np.random.default_rng(number).integers(-1000, 1000, SLICE).astype(np.int16)

        def change(dataset: object, number: int = number, levels: np.ndarray = levels) -> None:
            as_slice(dataset, number, levels)

        (where / f"{number:03}.dcm").write_bytes(samples.ultrasound(change))
    reading(where)
    seconds, _ = reading(where)
    standing_for = io.read(phantom_file(folder, rows, columns)).image
    title = f"series of CT slices, {rows} × {columns}, 16 bits, native; decision of an ultrasound image of that size"
    return Row(title, slices, seconds, deciding(engine, [standing_for] * (FRAMES // EVERY)))


def as_slice(dataset: object, number: int, levels: np.ndarray) -> None:
    """Make an image a slice of one series."""
    becomes(dataset, "CT", f"slice {number}")
    samples.with_samples(dataset, levels, "MONOCHROME2")
    dataset.SeriesInstanceUID = "1.2.3"
    dataset.ImagePositionPatient = [0, 0, 2.5 * number]
    dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    dataset.PixelSpacing = ["0.7", "0.7"]


def phantom_file(folder: Path, rows: int, columns: int) -> Path:
    """An ultrasound image of a size."""
    path = folder / "phantom.dcm"
    phantom.write_dicom(phantom.make(1, rows, columns), path)
    return path


def table(rows: list[Row]) -> str:
    """The table with its conditions."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    heads = f"| read | files or frames | reading, ms each | deciding, ms each | share (limit {LIMIT:.2f}) | |"
    lines = "\n".join(row.line() for row in rows)
    load = os.getloadavg()[0]
    return f"""Written by `python -P benchmarks/dicom_decoding.py --write` on {machine}; load of the machine {load:.2f}.

{heads}
|---|---:|---:|---:|---:|---|
{lines}"""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--write", action="store_true", help="write this part of the page")
    kind.add_argument("--quick", action="store_true", help="a few frames: does the script work?")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place, opened(Path(place)) as engine:
        rows = [*loops(engine, Path(place), 7 if given.quick else FRAMES)]
        rows.append(series(engine, Path(place), 10 if given.quick else SLICES))
    text = table(rows)
    print(text)
    if given.write:
        PAGE.write_text(evidence_page.replaced(PAGE.read_text("utf-8"), "decoding", text), encoding="utf-8")
    return BROKEN if any(row.share > LIMIT for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())

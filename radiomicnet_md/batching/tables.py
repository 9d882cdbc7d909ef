# SPDX-License-Identifier: Apache-2.0
"""All values of a batch as one table, out of the log: a line for each region, or one for a case that has none.

Rules of this module:

- Numbers are the records', each read with its signature checked; a region or lesion that a record names by digest is
  read from the artefacts. What is undefined or not kept is empty, and never 0.
- The columns are the same whatever was decided, so that tables of several batches can be put together.
- A table is written as it is read: a batch of any length needs the memory of :data:`_TOGETHER` lines.
"""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from radiomicnet_md import shelf
from radiomicnet_md.batching.telling import Told
from radiomicnet_md.home import Home
from radiomicnet_md.io.files import place_written
from radiomicnet_md.monitoring import reading
from radiomicnet_md.radiomics import lesion_definitions
from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md_audit import canonical

if TYPE_CHECKING:
    from radiomicnet_md_audit.ledger import Ledger

CSV, PARQUET = "values.csv", "values.parquet"
TEXTS = ("input", "status", "record_id")
COUNTS = ("row", "region")
SCORE = "region: score"
NUMBERS = (
    *(reading.DISTANCE, reading.CANDIDATES, reading.MARGIN, reading.NAMED_SHARE, reading.CERTIFIED),
    *PAPER,
    SCORE,
    *(f"region: {name}" for name in VALUE_NAMES),
    *(f"lesion: {name}" for name in lesion_definitions.names(2)),
)
COLUMNS = (*COUNTS, *TEXTS, *NUMBERS)
_TOGETHER = 1000

Line = dict[str, Any]
Writer = AbstractContextManager[Callable[[Sequence[Line]], object]]


def lines(answers: Iterable[Told], home: Home, ledger: Ledger) -> Iterator[Line]:
    """The lines of the answers that have a record.

    Raises :class:`IntegrityError` where a record's signature does not hold, or an artefact was changed.
    """
    for told in answers:
        record_id = told.line["record_id"]
        if record_id is None:
            continue
        predicate = ledger.read(ledger.find(record_id)).predicate
        about = {"row": told.row, "input": told.line["input"], "status": told.line["status"], "record_id": record_id}
        yield from ({**about, **numbers} for numbers in _numbers(predicate, home.folder))


def write(folder: Path, found: Iterable[Line]) -> None:
    """``values.csv``, and ``values.parquet`` where pyarrow is installed; raises as :func:`io.files.place_written`."""
    if importlib.util.find_spec("pyarrow") is None:
        place_written(folder / CSV, lambda text: _fill(found, _csv(text)))
        return
    place_written(
        folder / CSV,
        lambda text: place_written(folder / PARQUET, lambda rows: _fill(found, _csv(text), _parquet(rows))),
    )


def _fill(found: Iterable[Line], *writers: Writer) -> None:
    remaining = iter(found)
    with ExitStack() as stack:
        writes = [stack.enter_context(writer) for writer in writers]
        while together := list(islice(remaining, _TOGETHER)):
            for write_together in writes:
                write_together(together)


def _numbers(predicate: Mapping[str, Any], home: Path) -> Iterator[dict[str, float]]:
    every = reading.values(predicate) if predicate["state"] in ("RESULT", "REFUSED") else {}
    image = {name: value for name, value in every.items() if name in NUMBERS and not name.startswith("region: ")}
    decision = predicate["decision"]
    chosen = decision["chosen"] if decision is not None else []
    lesions = (predicate["radiomics"] or {}).get("lesions", []) if predicate["radiomics"] else []
    if not chosen:
        yield image
    unit = 1 << decision["score_bits"] if chosen else 1
    for number, region in enumerate(chosen, 1):
        score = {"region": number, SCORE: region["score"] / unit}
        lesion = _lesion(_whole(lesions[number - 1], home)) if number <= len(lesions) else {}
        yield {**image, **score, **reading.of_region(_whole(region, home)), **lesion}


def _whole(part: Mapping[str, Any], home: Path) -> Mapping[str, Any]:
    """A region or lesion in full, as far as it is kept."""
    digest = part.get("detail_sha256")
    data = None if digest is None else shelf.fetch(home, digest)
    if data is None:
        return part
    found = canonical.loads(data)
    return found if isinstance(found, Mapping) else part


def _lesion(lesion: Mapping[str, Any]) -> dict[str, float]:
    said = lesion["values"].items()
    return {f"lesion: {name}": float.fromhex(value) for name, value in said if isinstance(value, str)}


@contextmanager
def _csv(file: BinaryIO) -> Iterator[Callable[[Sequence[Line]], object]]:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.DictWriter(text, COLUMNS, restval="", lineterminator="\n")
    writer.writeheader()
    yield writer.writerows
    text.detach()


@contextmanager
def _parquet(file: BinaryIO) -> Iterator[Callable[[Sequence[Line]], object]]:
    import pyarrow as pa
    from pyarrow import parquet

    kinds = {**dict.fromkeys(COUNTS, pa.int64()), **dict.fromkeys(TEXTS, pa.string())}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in COLUMNS])
    with parquet.ParquetWriter(file, schema) as writer:
        yield lambda together: writer.write_table(pa.Table.from_pylist(list(together), schema))

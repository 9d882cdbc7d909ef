# SPDX-License-Identifier: Apache-2.0
"""What a batch is, before any of it is decided: its rows, and the note in its folder that says so.

Rules of this module:

- Whatever can be known before work starts is said before: a missing file, a row twice, a column that nobody knows.
- A folder of outputs belongs to one batch. Another batch, another form and another release are told, not mixed in.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from radiomicnet_md import io
from radiomicnet_md.delivery import Target
from radiomicnet_md.desk import expanded
from radiomicnet_md.errors import ConfigurationError, UsageError
from radiomicnet_md.intent import derived_id, new_id
from radiomicnet_md.io.files import place
from radiomicnet_md_audit import canonical

NOTE, LINES = "batch.json", "batch.jsonl"
MOST_ROWS = 1_000_000
COLUMNS = ("input", "name")
_SHOWN = 5  # rows that are named where many are wrong


@dataclass(frozen=True, slots=True)
class Row:
    """One case of a batch."""

    number: int  # from 1, as in the manifest
    item: io.Input
    name: str  # of its folder in the batch's


@dataclass(frozen=True, slots=True)
class Plan:
    """A batch that may begin or go on."""

    id: str
    out: Path
    form: str | None
    release: str  # digest of the manifest
    rows: tuple[Row, ...]

    def target(self, row: Row) -> Target:
        """Where a row's files go."""
        return Target(self.out, row.name, self.form)

    def request(self, row: Row) -> str:
        """The request of a row: the same for the same bytes, release and form, whenever and wherever it is asked."""
        said = (self.id, str(row.number), row.item.sha256() or "", self.release, self.form or "")
        return derived_id("\n".join(said).encode())


def plan(source: Path, out: Path, form: str | None, release: str, *, resume: bool) -> Plan:
    """The batch over a folder of images or a manifest (CSV), begun in ``out`` or found there.

    Raises :class:`UsageError` ``E-BATCH-MANIFEST``, ``E-BATCH-EMPTY``, ``E-BATCH-FOLDER``, ``E-BATCH-OTHER``, and
    :class:`ConfigurationError` where the folder cannot be written.
    """
    rows = tuple(_named(_manifest(source) if source.suffix.lower() == ".csv" else _folder(source, out)))
    if not rows:
        raise UsageError("E-BATCH-EMPTY", "There is no image to decide.", remedy="Name a folder of images or a CSV.")
    listed = canonical.dumps([[row.item.shown, row.name] for row in rows])
    note = {"form": form, "release": release, "rows": len(rows), "rows_sha256": hashlib.sha256(listed).hexdigest()}
    return Plan(_begun(out, note, resume=resume), out, form, release, rows)


def _begun(out: Path, note: Mapping[str, Any], *, resume: bool) -> str:
    """The id of the batch in this folder; a new one where there is none yet."""
    path = out / NOTE
    try:
        said = json.loads(path.read_bytes())
    except FileNotFoundError:
        said = None
    except (OSError, ValueError):
        raise _unknown() from None
    if said is None:
        made = new_id()
        place(path, canonical.dumps({"id": made, **note}))
        return made
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        raise _unknown()
    if not resume:
        raise UsageError(
            "E-BATCH-FOLDER",
            "This folder holds a batch already.",
            remedy="Go on with --resume, or name another folder.",
        )
    other = sorted(name for name in note if said.get(name) != note[name])
    if other:
        raise UsageError(
            "E-BATCH-OTHER",
            f"The batch in this folder is another one: it differs in {', '.join(other)}.",
            remedy="Give the inputs, form and release that it was begun with, or name another folder.",
        )
    return str(said["id"])


def _unknown() -> ConfigurationError:
    return ConfigurationError(
        "E-BATCH-NOTE", f"{NOTE} in this folder cannot be read.", remedy="Name another folder, or restore the file."
    )


def _folder(source: Path, out: Path) -> Iterator[tuple[io.Input, str]]:
    """Every image in the folder and below it, the batch's own files apart.

    Each file is listed by itself, for a batch is of many patients.
    """
    found: list[Path] = []
    for folder, below, _ in os.walk(source):
        inside = [name for name in sorted(below) if not name.startswith(".")]
        below[:] = [name for name in inside if Path(folder, name).resolve() != out.resolve()]
        try:
            found += io.find_inputs(Path(folder))
        except io.UnreadableError as problem:
            if problem.code != "E-INPUT-NO-IMAGES":
                raise
    for path in dict.fromkeys(found):
        for item in expanded([path]):
            yield item, item.name


def _manifest(source: Path) -> Iterator[tuple[io.Input, str]]:
    """The rows of a CSV file with the column ``input`` and, if given, ``name``."""
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            columns = reader.fieldnames or []
            if "input" not in columns or set(columns) - set(COLUMNS) or len(set(columns)) != len(columns):
                raise _wrong(f"its columns are {', '.join(map(str, columns)) or 'none'}; they may be input and name")
            said = list(enumerate(islice(reader, MOST_ROWS + 1), 1))
    except FileNotFoundError:
        raise _wrong("it is not there") from None
    except UnicodeDecodeError:
        raise _wrong("it is not UTF-8 throughout") from None
    except (OSError, csv.Error) as error:
        raise _wrong(str(error)) from None
    if len(said) > MOST_ROWS:
        raise _wrong(f"it has more than {MOST_ROWS:,} rows")
    _check(source.parent, said)
    for _, row in said:
        path = source.parent / row["input"]
        items = expanded([path])
        for item in items:
            name = row.get("name") or item.name
            yield item, name if len(items) == 1 or not row.get("name") else f"{name}/{item.name}"


def _check(folder: Path, said: list[tuple[int, dict[str, Any]]]) -> None:
    """Refuse a manifest with rows that cannot be right, and name them."""
    odd = [number for number, row in said if None in row or not row["input"] or not _plain(row.get("name") or "x")]
    if odd:
        raise _wrong(f"too many values, no input, or a name that is no plain name {_rows(odd)}")
    absent = [number for number, row in said if not (folder / row["input"]).exists()]
    if absent:
        raise _wrong(f"the file is missing {_rows(absent)}")
    files = [(folder / row["input"]).resolve() for _, row in said]
    times = Counter(files)
    twice = [number for (number, _), file in zip(said, files, strict=True) if times[file] > 1]
    if twice:
        raise _wrong(f"a file is named more than once {_rows(twice)}")
    names = Counter(row["name"] for _, row in said if row.get("name"))
    shared = [number for number, row in said if names.get(row.get("name") or "", 0) > 1]
    if shared:
        raise _wrong(f"a name is given more than once {_rows(shared)}")


def _plain(name: str) -> bool:
    return name.isprintable() and not name.startswith(".") and "/" not in name and len(name) <= 100  # noqa: PLR2004


def _rows(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:_SHOWN]))
    more = f" and {len(numbers) - _SHOWN} more" if len(numbers) > _SHOWN else ""
    return f"in row{'s' if len(numbers) > 1 else ''} {shown}{more}"


def _wrong(what: str) -> UsageError:
    return UsageError(
        "E-BATCH-MANIFEST", f"The manifest cannot be used: {what}.", remedy="Correct it; nothing was decided."
    )


def _named(given: Iterator[tuple[io.Input, str]]) -> Iterator[Row]:
    """Rows with a folder each: two of one name get the first digits of a digest of their place."""
    listed = list(given)
    shared = {name for name, count in Counter(name for _, name in listed).items() if count > 1}
    for number, (item, name) in enumerate(listed, 1):
        digest = hashlib.sha256(item.shown.encode(errors="surrogateescape")).hexdigest()[:8]
        yield Row(number, item, f"{name}-{digest}" if name in shared else name)

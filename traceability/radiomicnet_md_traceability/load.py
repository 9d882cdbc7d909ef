# SPDX-License-Identifier: Apache-2.0
"""Reads the items from YAML as plain values; what is wrong with them is a finding, not a crash.

Rules of this module:

- YAML is read with its safe loader, written in C where there is one: an object tag stays inert.
- Each file is a list of items of the kinds its folder allows; a SOUP file is one item.
- A file that cannot be parsed, an item that breaks its JSON Schema and an id used twice become
  :class:`Fault` values beside the items, so that one run names every gap.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

_PREFIXES = {
    "UN": "user_need",
    "SYS": "system",
    "SRS": "software",
    "SDS": "design",
    "LBL": "labelling",
    "HAZ": "hazard",
    "RC": "control",
    "THR": "threat",
    "ANO": "anomaly",
    "DEV": "deviation",
    "AC": "acceptance",
    "PLT": "platform",
    "CHK": "clause",
    "SOUP": "soup",
}
_FOLDERS = {
    "requirements": ("user_need", "system", "software", "design", "labelling"),
    "risks": ("hazard", "control", "threat", "anomaly", "deviation"),
    "acceptance": ("acceptance", "platform"),
    "checklists": ("clause",),
    "soup": ("soup",),
}


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Item:
    """One item: its kind, its values, and the file (relative to the items' folder) it stands in."""

    id: str
    kind: str
    values: Mapping[str, Any]
    file: str

    def links(self, field: str) -> tuple[str, ...]:
        """The ids in a list field; empty where the field is absent or not a list."""
        value = self.values.get(field)
        return tuple(str(entry) for entry in value) if isinstance(value, list) else ()


@dataclass(frozen=True, slots=True)
class Fault:
    """A thing that is wrong in one file: ``kind`` is ``schema`` or ``duplicate``."""

    kind: str
    where: str
    text: str


@dataclass(frozen=True, slots=True)
class Items:
    """All items by id, in file order, and what was wrong while reading them."""

    by_id: Mapping[str, Item]
    faults: tuple[Fault, ...]

    def of(self, kind: str) -> tuple[Item, ...]:
        """The items of one kind, ordered by id."""
        return tuple(sorted((item for item in self.by_id.values() if item.kind == kind), key=lambda item: item.id))


def folder() -> Path:
    """Where the items lie: inside the installed package, or beside it in a checkout."""
    here = Path(__file__).resolve().parent
    shipped = here / "items"
    return shipped if shipped.is_dir() else here.parent


def load(items: Path) -> Items:
    """Every item in the folders of ``items`` that ``_FOLDERS`` names, checked against ``schema/``."""
    by_id: dict[str, Item] = {}
    faults: list[Fault] = []
    for file, kinds in _files(items):
        name = file.relative_to(items).as_posix()
        rows, fault = _rows(file, name)
        faults.extend(fault)
        for row in rows:
            item = _item(row, name)
            if item is None or item.kind not in kinds:
                faults.append(Fault("schema", name, f"an item here needs an id of the form {_forms(kinds)}"))
                continue
            faults.extend(Fault("schema", f"{name}: {item.id}", text) for text in _errors(items, item))
            if item.id in by_id:
                faults.append(Fault("duplicate", f"{name}: {item.id}", f"already used in {by_id[item.id].file}"))
                continue
            by_id[item.id] = item
    return Items(by_id, tuple(faults))


def requirement_ids(items: Path) -> frozenset[str]:
    """The ids of all software requirements, without any check; for the test plugin."""
    return ids(items / "requirements", "SRS-")


def ids(folder: Path, prefix: str) -> frozenset[str]:
    """The ids below one folder that start with ``prefix``, without any check."""
    rows = (row for file in sorted(folder.glob("*.yaml")) for row in _rows(file, file.name)[0])
    return frozenset(str(row["id"]) for row in rows if str(row.get("id", "")).startswith(prefix))


def _files(items: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
    for name, kinds in _FOLDERS.items():
        for file in sorted((items / name).glob("*.yaml")):
            yield file, kinds


def _rows(file: Path, name: str) -> tuple[list[dict[str, Any]], list[Fault]]:
    try:
        content = yaml.load(file.read_text(encoding="utf-8"), _LOADER)  # noqa: S506, TID251 - the loader is a safe one
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = name if mark is None else f"{name}:{mark.line + 1}:{mark.column + 1}"
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        return [], [Fault("schema", place, f"not readable as YAML: {reason}")]
    rows = [content] if isinstance(content, dict) else content
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return [], [Fault("schema", name, "a file is one item or a list of items")]
    return rows, []


def _item(row: Mapping[str, Any], name: str) -> Item | None:
    id_ = str(row.get("id", ""))
    kind = _PREFIXES.get(id_.partition("-")[0])
    return None if kind is None else Item(id_, kind, row, name)


def _forms(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"{prefix}-…" for prefix, kind in _PREFIXES.items() if kind in kinds)


def _errors(items: Path, item: Item) -> list[str]:
    found = _validator(items / "schema" / f"{item.kind}.schema.json").iter_errors(item.values)
    return sorted(f"{'/'.join(map(str, error.absolute_path)) or 'item'}: {error.message}" for error in found)


@cache
def _validator(schema: Path) -> Any:  # noqa: ANN401  jsonschema's validator classes are made at run time
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))

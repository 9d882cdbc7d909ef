# SPDX-License-Identifier: Apache-2.0
"""The floor plan, from the contracts in ``.importlinter`` and from what each module imports.

Rules of this module:

- Floors and their order are the contract's; what a room enters, and with which libraries of others, is read from its
  source by ``ast``. Nothing is drawn that is not in one of the two.
"""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_traceability.drawing import Drawing, wide, wrapped

CONTRACTS = ".importlinter"
_DEVICE = "radiomicnet_md"
_PACKAGES = {
    _DEVICE: _DEVICE,
    "radiomicnet_md_audit": "audit/radiomicnet_md_audit",
    "radiomicnet_md_traceability": "traceability/radiomicnet_md_traceability",
    "radiomicnet_md_training": "training/radiomicnet_md_training",
    "radiomicnet_md_validation": "validation/radiomicnet_md_validation",
}
_WIDTH, _MARGIN, _GAP, _SIZE, _LINE, _MOST = 900, 20, 8, 12, 16, 4


@dataclass(frozen=True, slots=True)
class Room:
    """A package or module of one floor: its modules, the rooms it enters, the libraries of others it asks for."""

    name: str
    modules: int
    enters: tuple[str, ...]
    libraries: tuple[str, ...]


def plan(root: Path) -> list[list[Room]]:
    """The rooms, floor by floor from the top; last, what stands beside them."""
    contracts = configparser.ConfigParser()
    contracts.read(root / CONTRACTS, encoding="utf-8")
    layers = contracts["importlinter:contract:floors"]["layers"].split("\n")
    floors = [[name.strip() for name in layer.split("|")] for layer in layers if layer.strip()]
    floors.append(contracts["importlinter:contract:beside"]["source_modules"].split())
    names = {name for floor in floors for name in floor}
    return [[_room(root, name, names) for name in floor] for floor in floors]


def draw(root: Path) -> str:
    """The picture."""
    floors, y = plan(root), 62
    heights = [[_height(room, len(line)) for room in line] for floor in floors for line in _lines(floor)]
    drawing = Drawing("Floor plan: imports go downward only", _WIDTH, y + sum(max(one) + _GAP for one in heights) + 36)
    drawing.words(_MARGIN, 26, "Imports go downward only", size=17, bold=True)
    drawing.words(
        _MARGIN, 46, "Blue: the rooms below that a room enters. Grey: libraries of others in it.", colour="soft"
    )
    for floor in floors:
        if floor is floors[-1]:
            drawing.words(
                _MARGIN, y + 18, "Beside: reads the project as text, and imports none of it but the log", bold=True
            )
            y += 28
        for line in _lines(floor):
            height, width = max(_height(room, len(line)) for room in line), _wide(len(line))
            for at, room in enumerate(line):
                _draw_room(drawing, room, _MARGIN + at * (width + _GAP), y, width, height)
            y += height + _GAP
    return drawing.svg()


def _lines(floor: list[Room]) -> list[list[Room]]:
    """A floor's rooms in rows of about the same length."""
    rows = -(-len(floor) // _MOST)
    each = -(-len(floor) // rows)
    return [floor[at : at + each] for at in range(0, len(floor), each)]


def _wide(rooms: int) -> int:
    return (_WIDTH - 2 * _MARGIN - (rooms - 1) * _GAP) // rooms


def _texts(room: Room, width: int) -> list[tuple[str, str]]:
    """The lines below a room's name, each with its colour."""
    lines = [(line, "link") for line in wrapped(", ".join(room.enters), width - 16, _SIZE) if line]
    return lines + [(line, "soft") for line in wrapped(", ".join(room.libraries), width - 16, _SIZE) if line]


def _height(room: Room, beside: int) -> int:
    return 28 + _LINE * len(_texts(room, _wide(beside)))


def _draw_room(drawing: Drawing, room: Room, x: int, y: int, width: int, height: int) -> None:  # noqa: PLR0913
    drawing.box(x, y, width, height)
    drawing.words(x + 8, y + 19, room.name, bold=True)
    count = f"{room.modules} modules" if room.modules > 1 else "1 module"
    if wide(room.name) + wide(count, _SIZE) + 36 < width:
        drawing.words(x + width - 8, y + 19, count, size=_SIZE, colour="soft", anchor="end")
    for at, (line, colour) in enumerate(_texts(room, width)):
        drawing.words(x + 8, y + 35 + at * _LINE, line, size=_SIZE, colour=colour)


def _room(root: Path, name: str, names: set[str]) -> Room:
    package, _, below = name.partition(".")
    base = root / _PACKAGES[package] / below
    files = sorted(base.rglob("*.py")) if base.is_dir() else [base.with_suffix(".py")]
    found = {imported for file in files for imported in _imported(file)}
    entered = {next((part for part in _beginnings(one) if part in names), "") for one in found} - {name, ""}
    tops = {one.partition(".")[0] for one in found} - {*_PACKAGES, *sys.stdlib_module_names}
    return Room(_short(name), len(files), tuple(sorted(map(_short, entered))), tuple(sorted(tops, key=str.lower)))


def _short(name: str) -> str:
    return name.removeprefix(f"{_DEVICE}.").removeprefix(f"{_DEVICE}_")


def _beginnings(name: str) -> Iterator[str]:
    """``a.b``, ``a`` of ``a.b.c``: a room is a package or lies directly below the device's."""
    parts = name.split(".")
    yield from (".".join(parts[:2]), parts[0])


def _imported(file: Path) -> Iterator[str]:
    open_: list[ast.AST] = [ast.parse(file.read_text(encoding="utf-8"))]
    while open_:
        node = open_.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif not isinstance(node, ast.expr):  # no import stands within an expression, and these are most of a source
            open_.extend(ast.iter_child_nodes(node))

# SPDX-License-Identifier: Apache-2.0
"""The way of one case through the rooms, read from the source of the desk.

Rules of this module:

- The walk begins at ``START`` and follows the desk's own functions. A call of another room's function or object is a
  step; making a value, or asking one of the nouns, is none.
- Ways of failure (handlers, and branches that end by raising) are left out; a step that is taken under a condition is
  marked so. What a step does is the first sentence of its docstring.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_traceability.drawing import Drawing, wrapped

DESK = "radiomicnet_md/desk.py"
START = "segment_file"
_NOUNS = {"decision", "errors", "faults", "image", "intent"}
_LOG = "log"
_FOLDERS = {"radiomicnet_md": "radiomicnet_md", "radiomicnet_md_audit": "audit/radiomicnet_md_audit"}
_LEFT, _LANE, _TOP, _ROW, _SIZE, _TELLING = 48, 102, 92, 46, 12, 340


@dataclass(frozen=True, slots=True)
class Step:
    """One call out of the desk."""

    room: str
    call: str
    does: str
    conditional: bool


def steps(root: Path) -> list[Step]:
    """The steps of one case, in their order; the same call again and again is one step."""
    found = list(_Walk(root).function(START, conditional=False))
    return [step for at, step in enumerate(found) if at == 0 or step != found[at - 1]]


def draw(root: Path) -> str:
    """The picture: a lane each room, a row each step."""
    taken = steps(root)
    lanes = ["desk", *dict.fromkeys(step.room for step in taken)]
    right = _LEFT + _LANE * (len(lanes) - 1) + 56
    height = _TOP + _ROW * len(taken) + 40
    drawing = Drawing("The way of one case, from the desk's source", right + _TELLING, height)
    drawing.words(20, 26, "One case, in the order of the desk's own calls", size=17, bold=True)
    drawing.words(20, 46, "Dashed: only under a condition. Ways of failure are left out.", colour="soft")
    for at, lane in enumerate(lanes):
        x = _LEFT + _LANE * at
        drawing.box(x - 40, 58, 80, 24)
        drawing.words(x, 75, lane, bold=True, anchor="middle")
        drawing.line((x, 82), (x, height - 20))
    for at, step in enumerate(taken):
        y, x = _TOP + _ROW * at + 22, _LEFT + _LANE * lanes.index(step.room)
        drawing.arrow((_LEFT, y), (x, y), colour="link", dashed=step.conditional)
        drawing.label((_LEFT + x) // 2, y - 7, step.call, size=_SIZE)
        for line, words in enumerate(wrapped(step.does, _TELLING - 20, _SIZE)):
            drawing.words(right, y - 8 + 14 * line, words, size=_SIZE, colour="soft")
    return drawing.svg()


class _Walk:
    """The desk's source, with what its names stand for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        tree = ast.parse((root / DESK).read_text(encoding="utf-8"))
        self._functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self._classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
        self._imports = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names
        }

    def function(self, name: str, *, conditional: bool) -> Iterator[Step]:
        """The steps of one of the desk's functions."""
        node = self._functions[name]
        kinds = {one.arg: one.annotation for one in node.args.args if one.annotation is not None}
        yield from self._block(node.body, kinds, conditional=conditional)

    def _block(self, body: list[ast.stmt], kinds: dict[str, ast.expr], *, conditional: bool) -> Iterator[Step]:
        for node in body:
            if isinstance(node, ast.If):
                yield from self._calls(node.test, kinds, conditional=conditional)
                if not isinstance(node.body[-1], ast.Raise):
                    yield from self._block(node.body, kinds, conditional=True)
                yield from self._block(node.orelse, kinds, conditional=conditional)
            elif isinstance(node, ast.Try):
                yield from self._block(node.body, kinds, conditional=conditional)
            elif isinstance(node, ast.For):
                yield from self._calls(node.iter, kinds, conditional=conditional)
                yield from self._block(node.body, kinds, conditional=conditional)
            else:
                yield from self._calls(node, kinds, conditional=conditional)
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    kinds[node.targets[0].id] = node.value

    def _calls(self, node: ast.AST, kinds: dict[str, ast.expr], *, conditional: bool) -> Iterator[Step]:
        """The calls below a node, inner ones first, as Python makes them."""
        for child in ast.iter_child_nodes(node):
            yield from self._calls(child, kinds, conditional=conditional)
        if not isinstance(node, ast.Call):
            return
        if isinstance(node.func, ast.Name) and node.func.id in self._functions:
            yield from self.function(node.func.id, conditional=conditional)
        elif isinstance(node.func, ast.Attribute):
            owner = self._meaning(node.func.value, kinds)
            room, does = _room(owner), self._does(owner, node.func.attr)
            if room and does:
                yield Step(room, node.func.attr, does, conditional)

    def _meaning(self, node: ast.expr, kinds: dict[str, ast.expr]) -> str:
        """The dotted name of the module or class that an expression stands for; empty where it is another thing."""
        if isinstance(node, ast.Name):
            if node.id in kinds:
                return self._meaning(kinds[node.id], {name: kind for name, kind in kinds.items() if name != node.id})
            return f"desk.{node.id}" if node.id in self._classes else self._imports.get(node.id, "")
        if isinstance(node, ast.BinOp):  # ``Engine | Problem``
            return self._meaning(node.left, kinds)
        if isinstance(node, ast.Call):
            return self._given(node.func, kinds)
        if isinstance(node, ast.Attribute):
            return self._part(self._meaning(node.value, kinds), node.attr)
        return ""

    def _part(self, owner: str, name: str) -> str:
        """What an attribute stands for: a field of the desk's classes has its annotation's meaning."""
        if not owner.startswith("desk."):
            return f"{owner}.{name}" if owner else ""
        fields = self._classes[owner.removeprefix("desk.")].body
        kinds = (one.annotation for one in fields if isinstance(one, ast.AnnAssign) and _is(one, name))
        return next((self._meaning(kind, {}) for kind in kinds), "")

    def _given(self, called: ast.expr, kinds: dict[str, ast.expr]) -> str:
        """What a call gives: a class gives one of its own, a function what it is annotated with."""
        if isinstance(called, ast.Name) and called.id in self._functions:
            told = self._functions[called.id].returns
            return "" if told is None else self._meaning(told, {})
        name = self._meaning(called, kinds)
        found = self._definition(name)
        if isinstance(found, ast.FunctionDef) and isinstance(found.returns, ast.Name):
            return f"{name.rpartition('.')[0]}.{found.returns.id}"
        return name

    def _does(self, owner: str, call: str) -> str:
        found = self._definition(f"{owner}.{call}")
        told = ast.get_docstring(found) if isinstance(found, ast.FunctionDef) else None
        first = " ".join((told or "").split("\n\n")[0].split())
        return re.sub(r"(?::\w+:)?`+~?([^`]+)`+", r"\1", first)

    def _definition(self, name: str) -> ast.stmt | None:
        """The function or class of that dotted name, looked for where packages pass it on."""
        parts = name.split(".")
        for cut in range(len(parts) - 1, 0, -1):
            package, *inside = parts[:cut]
            base = self._root.joinpath(_FOLDERS.get(package, package), *inside)
            file = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
            if file.is_file():
                return self._within(file, parts[cut:])
        return None

    def _within(self, file: Path, names: list[str]) -> ast.stmt | None:
        body = ast.parse(file.read_text(encoding="utf-8")).body
        found: ast.stmt | None = None
        for name in names:
            found = next((one for one in body if getattr(one, "name", None) == name), None)
            if found is None:
                passed = (one for one in body if isinstance(one, ast.ImportFrom) and one.module)
                origin = next((one.module for one in passed for alias in one.names if alias.name == name), None)
                return None if origin is None else self._definition(".".join((origin, *names)))
            body = getattr(found, "body", [])
        return found


def _is(field: ast.AnnAssign, name: str) -> bool:
    return isinstance(field.target, ast.Name) and field.target.id == name


def _room(owner: str) -> str:
    """The lane of a module or class; empty for nouns and for what is not ours."""
    package, _, below = owner.partition(".")
    if package == "radiomicnet_md_audit":
        return _LOG
    room = below.partition(".")[0]
    return room if package == "radiomicnet_md" and room not in _NOUNS else ""

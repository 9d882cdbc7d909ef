# SPDX-License-Identifier: Apache-2.0
"""Finds tests, their requirements and code symbols by reading the source; nothing is imported or run.

Rules of this module:

- A test is what pytest would collect: ``test*`` functions, in modules or in ``Test*`` classes, and the
  ``TestCase`` of a hypothesis state machine.
- A test's requirements are the literal arguments of ``verifies`` marks on it, on its class, or in the module's
  ``pytestmark``. An argument that is not a literal cannot be read and counts as none.
- No syntax tree outlives the question that it answers: hundreds of kept trees cost the collector of garbage more time
  than the reading takes.
- ``rc=`` names the risk controls that the test attacks; ``level=``, ``objective=`` and ``expected=`` are one string.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BASES = (".", "audit", "validation", "traceability", "training")  # where importable packages lie in a checkout
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class BoundTest:
    """One test function: its node id without parameters, what its marks say, and the digest of its source."""

    nodeid: str
    ids: tuple[str, ...]
    controls: tuple[str, ...] = ()
    level: str = ""
    objective: str = ""
    expected: str = ""
    source_sha256: str = ""


def tests(root: Path) -> tuple[BoundTest, ...]:
    """Every test below ``root/tests``, ordered by node id."""
    found = [test for file in sorted((root / "tests").rglob("test_*.py")) for test in _in_file(root, file)]
    return tuple(sorted(found, key=lambda test: test.nodeid))


def symbol_exists(root: Path, symbol: str) -> bool:
    """Whether ``module:qualname`` names a function, class or constant in the checkout's source."""
    module, _, qualname = symbol.partition(":")
    file = _module_file(root, module)
    return file is not None and qualname in _qualnames(file.read_text(encoding="utf-8"), str(file))


@cache
def _qualnames(text: str, name: str) -> frozenset[str]:
    """All that a module defines, by its qualified name."""
    return frozenset(_below("", ast.parse(text, filename=name).body))


def _below(prefix: str, body: list[ast.stmt]) -> Iterator[str]:
    for node in body:
        yield from (f"{prefix}{defined}" for defined in _defined(node))
        if isinstance(node, ast.ClassDef):
            yield from _below(f"{prefix}{node.name}.", node.body)


def _module_file(root: Path, module: str) -> Path | None:
    path = module.replace(".", "/")
    candidates = [root / base / name for base in _BASES for name in (f"{path}.py", f"{path}/__init__.py")]
    return next((file for file in candidates if file.is_file()), None)


def _in_file(root: Path, file: Path) -> Iterator[BoundTest]:
    content = file.read_bytes()
    module = ast.parse(content, filename=str(file))
    name = file.relative_to(root).as_posix()
    lines = content.splitlines()
    shared = _module_marks(module)
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield _bound(f"{name}::{node.name}", shared + _marks(node.decorator_list), node, lines)
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _in_class(name, node, shared, lines)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "TestCase":
            machine = next(target.id for target in node.targets if isinstance(target, ast.Name))
            yield _bound(f"{name}::{machine}::runTest", shared, node, lines)


def _in_class(name: str, node: ast.ClassDef, shared: list[ast.Call], lines: list[bytes]) -> Iterator[BoundTest]:
    own = shared + _marks(node.decorator_list)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test"):
            yield _bound(f"{name}::{node.name}::{inner.name}", own + _marks(inner.decorator_list), inner, lines)


def _module_marks(module: ast.Module) -> list[ast.Call]:
    for node in module.body:
        if isinstance(node, ast.Assign) and "pytestmark" in _defined(node):
            value = node.value
            return _marks(value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
    return []


def _marks(expressions: list[ast.expr]) -> list[ast.Call]:
    return [
        expression
        for expression in expressions
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "pytest.mark.verifies"
    ]


def _bound(nodeid: str, marks: list[ast.Call], node: ast.stmt, lines: list[bytes]) -> BoundTest:
    """The test with the words of its marks; of a word that stands twice, the nearest mark's."""
    words = {keyword.arg: _words(keyword.value) for mark in marks for keyword in mark.keywords if keyword.arg != "rc"}
    attacked = [keyword.value for mark in marks for keyword in mark.keywords if keyword.arg == "rc"]
    return BoundTest(
        nodeid,
        _unique(tuple(word for mark in marks for argument in mark.args for word in _words(argument))),
        _unique(tuple(word for value in attacked for word in _words(value))),
        level="".join(words.get("level", ())),
        objective="".join(words.get("objective", ())),
        expected="".join(words.get("expected", ())),
        source_sha256=hashlib.sha256(b"\n".join(lines[_first_line(node) - 1 : node.end_lineno])).hexdigest(),
    )


def _words(node: ast.expr) -> tuple[str, ...]:
    """The literal words of an argument: one string, or a tuple or list of them."""
    parts = node.elts if isinstance(node, ast.Tuple | ast.List) else [node]
    return tuple(part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def _first_line(node: ast.stmt) -> int:
    decorators = node.decorator_list if isinstance(node, _Definition) else []
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _defined(node: ast.stmt) -> tuple[str, ...]:
    if isinstance(node, _Definition):
        return (node.name,)
    if isinstance(node, ast.Assign):
        return tuple(target.id for target in node.targets if isinstance(target, ast.Name))
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return (node.target.id,)
    return ()


def _unique(ids: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))

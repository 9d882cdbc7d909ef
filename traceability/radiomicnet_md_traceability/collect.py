# SPDX-License-Identifier: Apache-2.0
"""Finds tests, their requirements and code symbols by reading the source; nothing is imported or run.

Rules of this module:

- A test is what pytest would collect: ``test*`` functions, in modules or in ``Test*`` classes, and the
  ``TestCase`` of a hypothesis state machine.
- A test's requirements are the literal arguments of ``verifies`` marks on it, on its class, or in the module's
  ``pytestmark``. An argument that is not a literal cannot be read and counts as none.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_BASES = (".", "audit", "validation", "traceability", "training")  # where importable packages lie in a checkout
_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class BoundTest:
    """One test function: its node id without parameters, and the requirements it names."""

    nodeid: str
    ids: tuple[str, ...]


def tests(root: Path) -> tuple[BoundTest, ...]:
    """Every test below ``root/tests``, ordered by node id."""
    found = [test for file in sorted((root / "tests").rglob("test_*.py")) for test in _in_file(root, file)]
    return tuple(sorted(found, key=lambda test: test.nodeid))


def symbol_exists(root: Path, symbol: str) -> bool:
    """Whether ``module:qualname`` names a function, class or constant in the checkout's source."""
    module, _, qualname = symbol.partition(":")
    file = _module_file(root, module)
    if file is None:
        return False
    names = qualname.split(".")
    body = _parse(file).body
    for name in names[:-1]:
        inner = [node.body for node in body if isinstance(node, ast.ClassDef) and node.name == name]
        if not inner:
            return False
        body = inner[0]
    return any(names[-1] in _defined(node) for node in body)


def _module_file(root: Path, module: str) -> Path | None:
    path = module.replace(".", "/")
    candidates = [root / base / name for base in _BASES for name in (f"{path}.py", f"{path}/__init__.py")]
    return next((file for file in candidates if file.is_file()), None)


def _in_file(root: Path, file: Path) -> Iterator[BoundTest]:
    module = _parse(file)
    name = file.relative_to(root).as_posix()
    shared = _module_marks(module)
    for node in module.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield BoundTest(f"{name}::{node.name}", _unique(shared + _marks(node.decorator_list)))
        elif isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            yield from _in_class(name, node, shared)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Attribute) and node.value.attr == "TestCase":
            machine = next(target.id for target in node.targets if isinstance(target, ast.Name))
            yield BoundTest(f"{name}::{machine}::runTest", shared)


def _in_class(name: str, node: ast.ClassDef, shared: tuple[str, ...]) -> Iterator[BoundTest]:
    own = shared + _marks(node.decorator_list)
    for inner in node.body:
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test"):
            yield BoundTest(f"{name}::{node.name}::{inner.name}", _unique(own + _marks(inner.decorator_list)))


def _module_marks(module: ast.Module) -> tuple[str, ...]:
    for node in module.body:
        if isinstance(node, ast.Assign) and "pytestmark" in _defined(node):
            value = node.value
            return _marks(value.elts if isinstance(value, ast.List | ast.Tuple) else [value])
    return ()


def _marks(expressions: list[ast.expr]) -> tuple[str, ...]:
    return tuple(
        argument.value
        for expression in expressions
        if isinstance(expression, ast.Call) and ast.unparse(expression.func) == "pytest.mark.verifies"
        for argument in expression.args
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    )


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


@cache
def _parse(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))

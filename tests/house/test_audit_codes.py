# SPDX-License-Identifier: Apache-2.0
"""The page of the log's codes has each code that the source can give, with its exit code, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from radiomicnet_md_audit.errors import ExitCode

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "audit" / "radiomicnet_md_audit").rglob("*.py"))
CODE = re.compile(r"E(?:-[A-Z0-9]+)+")
WORD = re.compile(r"[A-Z]+")
EXITS = {
    "BundleError": ExitCode.USAGE,
    "BusyError": ExitCode.RETRY,
    "ConfigurationError": ExitCode.CONFIGURATION,
    "IntegrityError": ExitCode.INTEGRITY,
    "RecordError": ExitCode.USAGE,
}


def texts(node: ast.AST) -> Iterator[str]:
    yield from (one.value for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str))


def completed(tree: ast.Module) -> Iterator[str]:
    """The codes that are put together: ``f"E-X-{what}"``, ``f"E-{one.code}-X"``, with each ``what`` of a call."""
    calls = [call for call in ast.walk(tree) if isinstance(call, ast.Call) and call.args]
    for function in ast.walk(tree):
        if not isinstance(function, ast.FunctionDef):
            continue
        for made in ast.walk(function):
            if not isinstance(made, ast.JoinedStr) or not str(getattr(made.values[0], "value", "")).startswith("E-"):
                continue
            head, *rest = (part.value if isinstance(part, ast.Constant) else None for part in made.values)
            if rest == [None]:
                named = [call.args[0] for call in calls if getattr(call.func, "id", None) == function.name]
                yield from (f"{head}{one.value}" for one in named if isinstance(one, ast.Constant))
            else:
                words = [argument for call in calls for argument in call.args if isinstance(argument, ast.Constant)]
                yield from (f"{head}{one.value}{rest[1]}" for one in words if WORD.fullmatch(str(one.value)))


def of_source() -> set[str]:
    found: set[str] = set()
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found |= {text for text in texts(tree) if CODE.fullmatch(text)} | set(completed(tree))
    return found


def of_page() -> dict[str, int]:
    page = (ROOT / "docs" / "reference" / "audit-codes.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`E-[^|]+`) \| (\d+) \|", page, re.MULTILINE)
    codes = [(code, int(number)) for cell, number in rows for code in re.findall(r"`([^`]+)`", cell)]
    assert len(dict(codes)) == len(codes), "a code stands twice on the page"
    return dict(codes)


@pytest.mark.verifies("SRS-CLI-001")
def test_the_page_has_every_code_of_the_source_and_no_other() -> None:
    page, source = set(of_page()), of_source()
    assert len(source) > 120
    assert (sorted(source - page), sorted(page - source)) == ([], [])


@pytest.mark.verifies("SRS-CLI-001")
def test_the_page_gives_each_raised_code_its_exit_code() -> None:
    page = of_page()
    raised = [
        (str(call.args[0].value), EXITS[call.func.id])
        for path in SOURCES
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in EXITS
        if call.args and isinstance(call.args[0], ast.Constant)
    ]
    assert len(raised) > 60
    assert [(code, exit_code) for code, exit_code in raised if page[code] != exit_code] == []

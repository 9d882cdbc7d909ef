# SPDX-License-Identifier: Apache-2.0
"""A reason for a mutant that survives is about code that is still there."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.audit import evidence_page
from tests.audit.mutation import survivors

pytestmark = pytest.mark.verifies("SRS-LOG-004")


def functions(path: Path) -> dict[str, str]:
    """The lines of each function by its name, joined as a mutant's are."""
    source = path.read_text("utf-8")
    lines = source.splitlines()
    found = {}
    for outer in ast.parse(source).body:
        inside = outer.body if isinstance(outer, ast.ClassDef) else [outer]
        for one in inside:
            if isinstance(one, ast.FunctionDef):
                name = f"{outer.name}.{one.name}" if isinstance(outer, ast.ClassDef) else one.name
                found[name] = " ".join(line.strip() for line in lines[one.lineno - 1 : one.end_lineno])
    return found


def test_what_is_explained_is_still_there(root: Path) -> None:
    assert survivors.known()
    for module, function, change in survivors.known():
        source = functions(root / "audit" / "radiomicnet_md_audit" / f"{module}.py")
        assert change.partition(" → ")[0] in source[function], (module, function, change)


def test_the_page_of_evidence_has_a_block_for_mutants() -> None:
    page = evidence_page.PAGE.read_text("utf-8")
    assert "new text" in evidence_page.replaced(page, "mutation", "new text")


def test_a_change_is_named_by_its_lines() -> None:
    diff = "--- a\n+++ b\n@@ -1,3 +1,2 @@\n def f():\n-    g(\n-        1)\n+    pass\n     h()\n"
    assert survivors.changed(diff) == "g( 1) → pass"

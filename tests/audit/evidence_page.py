# SPDX-License-Identifier: Apache-2.0
"""Each campaign writes its own block of ``docs/reference/audit-evidence.md`` and touches nothing else of the page."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "audit-evidence.md"


def write_block(name: str, markdown: str) -> None:
    """Replace the text between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``, which stand in the page once."""
    PAGE.write_text(replaced(PAGE.read_text("utf-8"), name, markdown), encoding="utf-8")


def replaced(page: str, name: str, markdown: str) -> str:
    """Return the page with another block of this name; raise :class:`ValueError` where it has not exactly one."""
    begin, end = f"<!-- {name}: begin -->\n", f"<!-- {name}: end -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(end) < page.index(begin):
        raise ValueError(f"{PAGE.name} has not exactly one block {name!r}")
    before, _, rest = page.partition(begin)
    return f"{before}{begin}{markdown.strip()}\n{end}{rest.partition(end)[2]}"

# SPDX-License-Identifier: Apache-2.0
"""The text of a module by the positions of its nodes, and edits of it.

Rules of this module:

- Positions are in bytes, as :mod:`ast` gives them for a line.
- Nothing is written back from a tree: what an edit does not touch stays byte for byte.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands in the place of a span."""

    start: int
    end: int
    text: str
    told: bool = False  # it changes a sentence alone


class Text:
    """A source by the positions of its nodes."""

    """A source, and where its nodes lie in it."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()
        self._lines = [0]
        for line in self._bytes.split(b"\n"):
            self._lines.append(self._lines[-1] + len(line) + 1)

    def span(self, node: ast.AST) -> tuple[int, int]:
        start = self._lines[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]
        return start, self._lines[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def wrapped(self, node: ast.AST) -> tuple[int, int]:
        """The span with the parentheses around it; for a node that has a neighbour on its line."""
        start, end = self.span(node)
        while True:
            before, after = self._bytes[:start].rstrip(), self._bytes[end:]
            if not before.endswith(b"(") or not after.lstrip().startswith(b")"):
                return start, end
            start, end = len(before) - 1, end + len(after) - len(after.lstrip()) + 1

    def argument(self, node: ast.AST, *, alone: bool = False) -> tuple[int, int]:
        """The span of an argument; a generator alone in a call owns the call's parentheses."""
        start, end = self.span(node)
        if alone or isinstance(node, ast.keyword):
            within = int(alone and isinstance(node, ast.GeneratorExp))
            return start + within, end - within
        return self.wrapped(node)

    def comma(self, end: int) -> int:
        """How many bytes a comma takes that follows here."""
        found = re.match(rb"\s*,", self._bytes[end:])
        return found.end() if found else 0

    def of(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()

    def changed(self, edit: Edit) -> str:
        return (self._bytes[: edit.start] + edit.text.encode() + self._bytes[edit.end :]).decode()

    def between(self, left: ast.AST, right: ast.AST, old: str, new: str) -> Iterator[Edit]:
        """An operator between two operands."""
        start, end = self.wrapped(left)[1], self.wrapped(right)[0]
        gap = self.of(start, end)
        found = re.search(rf"(?<![\w*/<>=!]){re.escape(old)}(?![\w*/<>=])".replace(r"\ ", r"\s+"), gap)
        if found:
            at = start + len(gap[: found.start()].encode())
            yield Edit(at, at + len(found.group().encode()), new)

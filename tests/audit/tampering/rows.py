# SPDX-License-Identifier: Apache-2.0
"""What the database keeps a second time, beside entries and checkpoints, is changed by the administrator."""

from __future__ import annotations

from tests.audit.tampering.administrators import without_guards
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import Scene


@attack
def sql(scene: Scene, statements: list[str]) -> None:
    """Run statements that both databases understand."""
    with without_guards(scene) as execute:
        for statement in statements:
            execute(statement)


@attack
def node(scene: Scene, level: int, index: int, length: int) -> None:
    """Overwrite a node of the tree with zeros."""
    with without_guards(scene) as execute:
        execute("UPDATE node SET hash = ? WHERE level = ? AND idx = ?", bytes(length), level, index)


@attack
def node_added(scene: Scene) -> None:
    """Add a node that no entries make."""
    with without_guards(scene) as execute:
        execute("INSERT INTO node VALUES (9, 0, ?)", bytes(32))


@attack
def envelope(scene: Scene, content: str) -> None:
    """Put bytes that are no envelope in the place of one."""
    with without_guards(scene) as execute:
        execute("UPDATE entry SET envelope = ? WHERE idx = 3", content.encode())


@attack
def columns_swapped(scene: Scene, column: str) -> None:
    """Let two rows change the values of one column."""
    with without_guards(scene) as execute:
        (one,), (two,) = execute(f"SELECT {column} FROM entry WHERE idx IN (2, 3) ORDER BY idx")  # noqa: S608
        for value, index in (("x", 2), (one, 3), (two, 2)):
            execute(f"UPDATE entry SET {column} = ? WHERE idx = ?", value, index)  # noqa: S608 -- the catalogue's

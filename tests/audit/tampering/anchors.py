# SPDX-License-Identifier: Apache-2.0
"""The anchor beside the home (``home.anchor``) or the reader's copy (``reader/anchor``) is changed."""

from __future__ import annotations

from collections.abc import Callable

from radiomicnet_md_audit import checkpoint
from radiomicnet_md_audit.anchor import Anchored
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.ledger import Ledger
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import SIZE, Scene, decision, stranger

_LINES: dict[str, Callable[[list[bytes]], list[bytes]]] = {
    "fourth removed": lambda lines: lines[:3] + lines[4:],
    "fourth doubled": lambda lines: lines[:4] + lines[3:],
    "two turned": lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]],
    "first removed": lambda lines: lines[1:],
    "last removed": lambda lines: lines[:-1],
    "last unfinished": lambda lines: [*lines[:-1], lines[-1][:-9]],
}


@attack
def lines(scene: Scene, path: str, change: str) -> None:
    """Change which lines an anchor has."""
    target = scene.folder / path
    target.write_bytes(b"".join(_LINES[change](target.read_bytes().splitlines(keepends=True))))


@attack
def of_another_log(scene: Scene, path: str) -> None:
    """Put the anchor of another log by the same keys there."""
    target, url = scene.folder / "other.anchor", f"sqlite:///{scene.folder / 'other.db'}"
    keys = scene.keys
    with Ledger.create(url, "example.org/other", keys.engine, keys.log, target, cosigner=keys.cosigner) as other:
        for number in range(11, 17):
            other.append(decision(number))
    target.replace(scene.folder / path)


@attack
def line_added(scene: Scene, path: str) -> None:
    """Add a line for an entry that the log never had, by a stranger's key."""
    note = checkpoint.issue(Checkpoint(scene.origin, SIZE + 1, bytes(32)), LogKeys(stranger()), 0)
    with (scene.folder / path).open("ab") as file:
        file.write(Anchored(SIZE + 1, note, "2026-01-01T00:00:00.000000Z").line())

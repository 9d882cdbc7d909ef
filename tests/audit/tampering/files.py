# SPDX-License-Identifier: Apache-2.0
"""Files of the home, the export, the anchor and the reader are changed, as anybody can who reaches them.

Paths are those of the scene: ``home/…``, ``home.anchor``, ``export/…``, ``reader/policy.json``, ``reader/anchor``.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing

from radiomicnet_md_audit import sign
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import Scene, stranger


@attack
def flipped(scene: Scene, path: str, part: float) -> None:
    """Change one bit of a byte in the middle of a file; ``part`` of the file lies before it."""
    data = bytearray((scene.folder / path).read_bytes())
    data[int(part * len(data))] ^= 1
    (scene.folder / path).write_bytes(data)


@attack
def edited(scene: Scene, path: str, old: str, new: str) -> None:
    """Replace one text of a file by another."""
    data = (scene.folder / path).read_bytes()
    if old.encode() not in data:
        raise ValueError(data)
    (scene.folder / path).write_bytes(data.replace(old.encode(), new.encode(), 1))


@attack
def written(scene: Scene, path: str, content: str = "", size: int | None = None) -> None:
    """Write a file, made with its folder if it is not there; ``size``: extend it with zeros up to so many bytes."""
    (scene.folder / path).parent.mkdir(parents=True, exist_ok=True)
    (scene.folder / path).write_text(content, encoding="utf-8")
    if size is not None:
        os.truncate(scene.folder / path, size)


@attack
def removed(scene: Scene, paths: list[str]) -> None:
    """Remove files, or folders with what is in them."""
    for path in paths:
        target = scene.folder / path
        shutil.rmtree(target) if target.is_dir() else target.unlink()


@attack
def copied(scene: Scene, source: str, target: str) -> None:
    """Put a copy of one file in the place of another."""
    shutil.copy(scene.folder / source, scene.folder / target)


@attack
def exchanged(scene: Scene, one: str, other: str) -> None:
    """Let two files change places."""
    between = scene.folder / "between"
    for source, target in ((one, between), (other, scene.folder / one), (between, scene.folder / other)):
        (scene.folder / source).replace(target)


@attack
def folder_made(scene: Scene, path: str) -> None:
    """Add an empty folder."""
    (scene.folder / path).mkdir()


@attack
def linked(scene: Scene, path: str, to: str) -> None:
    """Move a file away, or none, and put a link in its place."""
    target = scene.folder / path
    if target.exists():
        target.replace(scene.folder / to)
    target.symlink_to(scene.folder / to)


@attack
def opened_to_others(scene: Scene, path: str, mode: str) -> None:
    """Let other users of the machine read."""
    (scene.folder / path).chmod(int(mode, 8))


@attack
def cut_short(scene: Scene, path: str, keep: int) -> None:
    """Keep only so many bytes from the beginning; from the end where negative."""
    data = (scene.folder / path).read_bytes()
    (scene.folder / path).write_bytes(data[:keep] if keep >= 0 else data[keep:])


@attack
def own_key(scene: Scene, name: str) -> None:
    """Put a key of the attacker's in the place of the home's, under the same passphrase."""
    path = scene.home / "keys" / name
    path.unlink()
    sign.save_private(stranger(), path, (scene.home / "keys" / "passphrase").read_bytes().strip())


@attack
def changed_unused(scene: Scene, *, settle: bool) -> None:
    """Change a byte of the database that no row uses; ``settle``: and note the file's digest anew."""
    data = bytearray(scene.database.read_bytes())
    data[72] ^= 1  # of the header's twenty bytes that are kept for later
    scene.database.write_bytes(data)
    if settle:
        scene.settle()


@attack
def planted_log(scene: Scene) -> None:
    """Leave the file as it is, and put a write-ahead log beside it that changes a row."""
    beside = scene.folder / "beside.db"
    shutil.copy(scene.database, beside)
    with closing(sqlite3.connect(beside, isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER entry_no_update")
        connection.execute("UPDATE entry SET counter = 77 WHERE idx = 3")
        shutil.copy(beside.with_name("beside.db-wal"), scene.home / "audit.db-wal")


@attack
def set_back(scene: Scene, *, anchor: bool) -> None:
    """Let the device go on, and then put yesterday's files back; ``anchor``: the one beside the home, too."""
    backup = scene.folder / "backup"
    shutil.copytree(scene.home, backup)
    old = scene.anchor.read_bytes()
    if scene.audit("export", str(scene.folder / "later")).exit:
        raise RuntimeError
    shutil.copy(scene.anchor, scene.kept)
    shutil.rmtree(scene.home)
    backup.replace(scene.home)
    if anchor:
        scene.anchor.write_bytes(old)

# SPDX-License-Identifier: Apache-2.0
"""The hashes of a tree in files of 256, and the proof of any one entry made from a few of them.

Source: c2sp.org/tlog-tiles (hash tiles of height 8). Rules of this module:

- The tile ``(level, number)`` holds the tree's nodes of height ``8 * level`` from ``256 * number`` on, 32 bytes each.
  Only complete nodes exist: the last tile of a level may be partial, and its name says how many hashes it holds.
- A proof is made from what the tiles say and is held against the root of the checkpoint before it is given away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from radiomicnet_md_audit import checkpoint, merkle
from radiomicnet_md_audit.errors import RecordError
from radiomicnet_md_audit.merkle import HASH_BYTES
from radiomicnet_md_audit.proof import Inclusion

FOLDER = "tile"
HEIGHT = 8
WIDTH = 1 << HEIGHT
_DIGITS = 1000  # a number is written three digits a folder


class Tile(NamedTuple):
    """A place in the tree: the ``width`` nodes of height ``8 * level`` from ``256 * number`` on."""

    level: int
    number: int
    width: int

    @property
    def path(self) -> str:
        """The tile's file, as c2sp.org/tlog-tiles names it: ``tile/0/x001/x234/067``, ``tile/1/000.p/5``."""
        last, rest = self.number % _DIGITS, self.number // _DIGITS
        name = f"{last:03d}" if self.width == WIDTH else f"{last:03d}.p/{self.width}"
        while rest:
            name = f"x{rest % _DIGITS:03d}/{name}"
            rest //= _DIGITS
        return f"{FOLDER}/{self.level}/{name}"


def of_tree(size: int) -> Iterator[Tile]:
    """Yield every tile of a tree of ``size`` entries, level by level."""
    level, count = 0, size
    while count:
        for number in range(-(-count // WIDTH)):
            yield Tile(level, number, min(WIDTH, count - WIDTH * number))
        level, count = level + 1, count >> HEIGHT


def inclusion(read: Callable[[str], bytes], index: int, note: str) -> Inclusion:
    """Return the proof that an entry is under the checkpoint ``note``, whose signatures nobody checks here.

    ``read`` gives a tile by its path. Raises :class:`RecordError` for an entry that the checkpoint does not cover, and
    :class:`IntegrityError` unless the tiles lead to the checkpoint's root.
    """
    head = checkpoint.parse_unverified(note)[0]
    if not 0 <= index < head.size:
        raise RecordError(
            "E-PROOF-ENTRY",
            f"The log has no entry {index}: its {head.size} entries are numbered from 0.",
            remedy="Name an entry by its index, as `audit list` prints it.",
        )

    @lru_cache(maxsize=64)
    def tile(level: int, number: int) -> bytes:
        width = min(WIDTH, (head.size >> HEIGHT * level) - WIDTH * number)
        return read(Tile(level, number, width).path)

    def node(height: int, at: int) -> bytes:
        level, above = divmod(height, HEIGHT)
        first, count = at << above, 1 << above
        start = HASH_BYTES * (first % WIDTH)
        data = tile(level, first // WIDTH)[start : start + HASH_BYTES * count]
        hashes = [data[n : n + HASH_BYTES] for n in range(0, len(data), HASH_BYTES)]
        while len(hashes) > 1:
            hashes = [merkle.node_hash(*hashes[n : n + 2]) for n in range(0, len(hashes), 2)]
        return b"".join(hashes)

    path = tuple(merkle.inclusion(node, index, head.size))
    merkle.verify_inclusion(node(0, index), index, head.size, path, head.root)
    return Inclusion(index, path, note)

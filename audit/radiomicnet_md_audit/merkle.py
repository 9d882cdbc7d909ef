# SPDX-License-Identifier: Apache-2.0
"""One tree, and proofs about it that need nothing but hashes (RFC 9162 section 2.1, SHA-256).

Rules of this module:

- A leaf is ``SHA-256(0x00 || entry)``, an inner node ``SHA-256(0x01 || left || right)``: no entry is ever a node.
- Node ``(level, index)`` is the root of the ``2**level`` leaves from ``index * 2**level``; only complete nodes exist.
- Proof functions read nodes through a ``Nodes`` function and do no input or output of their own.
- Verification raises :class:`IntegrityError`; it never returns a truth value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, TypeAlias

from radiomicnet_md_audit.errors import IntegrityError

Nodes: TypeAlias = Callable[[int, int], bytes]

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of a leaf (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node (RFC 9162 2.1.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(slots=True)
class Node:
    """A complete node of the tree."""

    level: int
    index: int
    hash: bytes


@dataclass
class Frontier:
    """The right edge of a growing tree: one node per one bit of ``size``, largest first."""

    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    def append(self, leaf: bytes) -> list[Node]:
        """Add a leaf hash; return every node that is complete by it, the leaf first."""
        made = [Node(0, self.size, leaf)]
        while self.size >> made[-1].level & 1:
            last = made[-1]
            made.append(Node(last.level + 1, last.index >> 1, node_hash(self.peaks.pop(), last.hash)))
        self.peaks.append(made[-1].hash)
        self.size += 1
        return made

    def root(self) -> bytes:
        """Return the root at this size (RFC 9162 2.1.1)."""
        return _fold(self.peaks)


def peaks(size: int) -> list[tuple[int, int]]:
    """Return level and index of the nodes on the right edge of a tree of ``size`` leaves, largest first."""
    return list(_places(0, size))


def frontier(nodes: Nodes, size: int) -> Frontier:
    """Read the right edge of a tree of ``size`` leaves."""
    return Frontier(size, [nodes(level, index) for level, index in peaks(size)])


def root(nodes: Nodes, size: int) -> bytes:
    """Return the root of the first ``size`` leaves."""
    return _range_hash(nodes, 0, size)


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the path from leaf ``index`` to the root at ``size``, the leaf's sibling first (RFC 9162 2.1.3.1)."""
    if not 0 <= index < size:
        _fail("E-PROOF-RANGE", "An inclusion proof is asked for a leaf that the tree does not have.")
    path: list[bytes] = []
    start, stop = 0, size
    while stop - start > 1:
        middle = start + _split(stop - start)
        if index < middle:
            path.append(_range_hash(nodes, middle, stop))
            stop = middle
        else:
            path.append(_range_hash(nodes, start, middle))
            start = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of ``old`` leaves is a prefix of that of ``new`` (RFC 9162 2.1.4.1).

    Empty for ``old`` 0 and for ``old`` equal to ``new``, as C2SP tlog-witness wants it.
    """
    if not 0 <= old <= new:
        _fail("E-PROOF-RANGE", "A consistency proof is asked from a larger tree to a smaller one.")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, stop = 0, new
    while stop != old:
        middle = start + _split(stop - start)
        if old <= middle:
            path.append(_range_hash(nodes, middle, stop))
            stop = middle
        else:
            path.append(_range_hash(nodes, start, middle))
            start = middle
    if start > 0:
        path.append(_range_hash(nodes, start, stop))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes) -> None:
    """Return when the leaf is at ``index`` of the tree with that root (RFC 9162 2.1.3.2), else raise."""
    if not 0 <= index < size:
        _fail("E-PROOF-INCLUSION", "An inclusion proof names a leaf outside its tree.")
    at, last, value = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            _fail("E-PROOF-INCLUSION", "An inclusion proof is too long.")
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    if last or value != expected_root:
        _fail("E-PROOF-INCLUSION", "An inclusion proof does not lead to the checkpoint's root.")


def verify_consistency(old: int, new: int, proof: Sequence[bytes], old_root: bytes, new_root: bytes) -> None:
    """Return when the old tree is a prefix of the new one (RFC 9162 2.1.4.2), else raise."""
    if old in (0, new):
        roots = (EMPTY_ROOT, new_root) if old == 0 else (new_root, new_root)
        if proof or old_root != roots[0] or new < old or (new == 0 and new_root != EMPTY_ROOT):
            _fail("E-PROOF-CONSISTENCY", "Two checkpoints do not belong to one tree.")
        return
    if not 0 < old < new or not proof:
        _fail("E-PROOF-CONSISTENCY", "A consistency proof does not fit its sizes.")
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    old_value = new_value = path[0]
    for value in path[1:]:
        if last == 0:
            _fail("E-PROOF-CONSISTENCY", "A consistency proof is too long.")
        if at & 1 or at == last:
            old_value, new_value = node_hash(value, old_value), node_hash(value, new_value)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            new_value = node_hash(new_value, value)
        at, last = at >> 1, last >> 1
    if last or old_value != old_root or new_value != new_root:
        _fail("E-PROOF-CONSISTENCY", "Two checkpoints do not belong to one tree.")


def _split(count: int) -> int:
    """Return the largest power of two smaller than ``count`` (RFC 9162 2.1.1)."""
    return 1 << (count - 1).bit_length() - 1


def _places(start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the complete nodes that make up the leaves ``start`` to ``stop``; ``start`` begins a subtree."""
    while start < stop:
        level = (stop - start).bit_length() - 1
        yield level, start >> level
        start += 1 << level


def _range_hash(nodes: Nodes, start: int, stop: int) -> bytes:
    return _fold([nodes(level, index) for level, index in _places(start, stop)])


def _fold(peaks: Sequence[bytes]) -> bytes:
    if not peaks:
        return EMPTY_ROOT
    value = peaks[-1]
    for left in peaks[-2::-1]:
        value = node_hash(left, value)
    return value


def _fail(code: str, message: str) -> NoReturn:
    raise IntegrityError(
        code,
        message,
        remedy="Compare the log with its anchor and with earlier exports; one of them was changed.",
    )

# SPDX-License-Identifier: Apache-2.0
"""Small logs in memory, honest and not, and what they submit to a witness."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from radiomicnet_md_audit import checkpoint, merkle, proof, sign
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.clock import Instant, now
from radiomicnet_md_audit.witness import Witness

ORIGIN = "example.org/tests/log"
LOG = sign.from_seed(bytes([21]) * 32)
STRANGER = sign.from_seed(bytes([22]) * 32)
WITNESS = sign.from_seed(bytes([23]) * 32)
NAME = "witness.example/w1"


class Tree:
    """A log over these leaves, able to prove anything about itself."""

    def __init__(self, leaves: Iterable[bytes]) -> None:
        frontier = merkle.Frontier()
        made = [node for leaf in leaves for node in frontier.append(merkle.leaf_hash(leaf))]
        self._nodes = {(node.level, node.index): node.hash for node in made}
        self.size = frontier.size
        self.root = frontier.root()

    def path(self, old: int) -> list[bytes]:
        """The consistency proof from ``old``; none where there can be none."""
        if old > self.size:
            return []
        return merkle.consistency(lambda level, index: self._nodes[level, index], old, self.size)

    def note(self, origin: str = ORIGIN, key: sign.SigningKey = LOG) -> str:
        return checkpoint.issue(Checkpoint(origin, self.size, self.root), LogKeys(key), 0)


def submission(old: int, path: Sequence[bytes], note: str) -> bytes:
    return str(proof.Consistency(old, tuple(path), note)).encode()


def honest(leaves: Sequence[bytes], old: int) -> bytes:
    tree = Tree(leaves)
    return submission(old, tree.path(old), tree.note())


def leaves(count: int, fork_at: int | None = None) -> list[bytes]:
    """The first ``count`` entries of the one log, or of its twin that differs in one entry."""
    return [b"%d%s" % (index, b"'" if index == fork_at else b"") for index in range(count)]


def witness(state: Path, seconds: int | None = None) -> Witness:
    """The witness of these tests, at a fixed time where one is given."""
    keys = {ORIGIN: LogKeys(LOG).public(ORIGIN)}
    if seconds is None:
        return Witness(NAME, WITNESS, keys, state)
    return Witness(NAME, WITNESS, keys, state, lambda: at(seconds))


def at(seconds: int) -> Instant:
    """That moment on the clock."""
    moment = now()
    return Instant(moment.utc.fromtimestamp(seconds, moment.utc.tzinfo), moment.monotonic_ns)

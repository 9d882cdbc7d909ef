# SPDX-License-Identifier: Apache-2.0
"""A page of text that proves one entry is in the log, or one log state is the beginning of another.

Sources: c2sp.org/tlog-proof (inclusion), c2sp.org/tlog-witness (the body of ``add-checkpoint``, consistency). Rules:

- The hashes run from the leaf's sibling to the child of the root, one in base64 a line; then a blank line and the
  signed checkpoint. ``extra`` lines are refused: they would be unsigned bytes beside signed ones.
- What parses re-encodes to the same bytes.
- An inclusion proof is worth as much as the checkpoint's signature, so :meth:`Inclusion.verify` checks both.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

from radiomicnet_md_audit import checkpoint, merkle
from radiomicnet_md_audit.checkpoint import Checkpoint
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NoteKey

HEADER = "c2sp.org/tlog-proof@v1"
MOST_HASHES = 63

_NUMBER = re.compile(r"(index|old) (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Inclusion:
    """The entry at ``index`` is in the tree of the checkpoint that ``note`` signs."""

    index: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        """Return the ``.tlog-proof`` text."""
        return "\n".join([HEADER, f"index {self.index}", *map(b64encode, self.path), "", self.note])

    def verify(self, entry: bytes, keys: Sequence[NoteKey], origin: str) -> Checkpoint:
        """Return the checkpoint that proves ``entry``; raise :class:`IntegrityError` when anything does not hold."""
        head = checkpoint.open_(self.note, keys, origin)
        merkle.verify_inclusion(merkle.leaf_hash(entry), self.index, head.size, self.path, head.root)
        return head


@dataclass(frozen=True)
class Consistency:
    """The tree of ``old_size`` leaves is the beginning of the tree of the checkpoint that ``note`` signs."""

    old_size: int
    path: tuple[bytes, ...]
    note: str

    def __str__(self) -> str:
        """Return the text, as a witness takes it."""
        return "\n".join([f"old {self.old_size}", *map(b64encode, self.path), "", self.note])

    def verify(self, old_note: str, keys: Sequence[NoteKey], origin: str) -> Checkpoint:
        """Return the newer checkpoint; raise :class:`IntegrityError` unless the old one is of its beginning."""
        old = checkpoint.open_(old_note, keys, origin)
        new = checkpoint.open_(self.note, keys, origin)
        if old.size != self.old_size:
            _fail("A consistency proof is about another old size.")
        merkle.verify_consistency(old.size, new.size, self.path, old.root, new.root)
        return new


def parse_inclusion(text: str) -> Inclusion:
    """Read a ``.tlog-proof``; raise :class:`IntegrityError` ``E-PROOF-FORM`` for any other form."""
    header, newline, rest = text.partition("\n")
    if header != HEADER or not newline:
        _fail(f"A proof does not begin with {HEADER}.")
    parsed = Inclusion(*_parse(rest, "index"))
    if str(parsed) != text:
        _fail("A proof is not in its only accepted form.")
    return parsed


def parse_consistency(text: str) -> Consistency:
    """Read a consistency proof; raise :class:`IntegrityError` ``E-PROOF-FORM`` for any other form."""
    parsed = Consistency(*_parse(text, "old"))
    if str(parsed) != text:
        _fail("A proof is not in its only accepted form.")
    return parsed


def _parse(text: str, word: str) -> tuple[int, tuple[bytes, ...], str]:
    head, _, note = text.partition("\n\n")
    first, *hashes = head.split("\n")
    match = _NUMBER.fullmatch(first)
    if match is None or match[1] != word or len(hashes) > MOST_HASHES:
        _fail(f"A proof does not begin with the line `{word} <number>` and at most {MOST_HASHES} hashes.")
    path = tuple(b64decode(line) for line in hashes)
    if any(len(value) != merkle.HASH_BYTES for value in path):
        _fail("A proof holds a hash that is not 32 bytes long.")
    return int(match[2]), path, note


def _fail(message: str) -> NoReturn:
    raise IntegrityError("E-PROOF-FORM", message, remedy="Take the proof again from the log or the export.")

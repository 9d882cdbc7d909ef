# SPDX-License-Identifier: Apache-2.0
"""One checkpoint of the log is changed, in its text, its signature lines or its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from radiomicnet_md_audit import checkpoint
from radiomicnet_md_audit.checkpoint import Checkpoint, LogKeys
from radiomicnet_md_audit.note import Note, NoteKey, Signature, parse
from tests.audit.tampering.administrators import without_guards
from tests.audit.tampering.attacks import attack
from tests.audit.tampering.scene import Scene, stranger
from tests.audit.tampering.spellings import ORDER

AT = 3


def _put(scene: Scene, change: Callable[[str], str], size: int = AT) -> None:
    note = change(scene.notes()[size - 1])
    with without_guards(scene) as execute:
        execute("UPDATE checkpoint SET note = ? WHERE size = ?", note, size)


def _lines(scene: Scene, change: Callable[[list[Signature]], Iterable[Signature]]) -> None:
    def lines(text: str) -> str:
        note = parse(text)
        return str(Note(note.text, tuple(change(list(note.signatures)))))

    _put(scene, lines)


@attack
def replaced(scene: Scene, old: str, new: str) -> None:
    """Change the text of a checkpoint or of its lines."""

    def change(note: str) -> str:
        if note.count(old) != 1:
            raise ValueError(note)
        return note.replace(old, new)

    _put(scene, change)


@attack
def removed(scene: Scene) -> None:
    """Remove a checkpoint."""
    with without_guards(scene) as execute:
        execute("DELETE FROM checkpoint WHERE size = ?", AT)


@attack
def added(scene: Scene) -> None:
    """Keep a checkpoint of a size that the log does not have yet."""
    with without_guards(scene) as execute:
        note = checkpoint.issue(Checkpoint(scene.origin, 8, bytes(32)), scene.log_keys, 0)
        execute("INSERT INTO checkpoint (size, note) VALUES (?, ?)", 8, note)


@attack
def moved(scene: Scene) -> None:
    """Put the checkpoint of one size in the place of another."""
    _put(scene, lambda _: scene.notes()[AT - 2])


@attack
def truncated(scene: Scene) -> None:
    """Cut a checkpoint off before its last newline."""
    _put(scene, lambda note: note[:-1])


@attack
def line_removed(scene: Scene, number: int) -> None:
    """Remove one of the two signature lines."""
    _lines(scene, lambda lines: [line for n, line in enumerate(lines) if n != number])


@attack
def lines_turned(scene: Scene) -> None:
    """Write the two signature lines in the other order, in the anchor on that machine too."""
    _lines(scene, reversed)
    scene.forge_anchor()


@attack
def line_doubled(scene: Scene) -> None:
    """Write the first signature line twice, and the second not at all."""
    _lines(scene, lambda lines: [lines[0], lines[0]])


@attack
def lines_added(scene: Scene, count: int) -> None:
    """Add valid lines of others to the log's own."""

    def more(lines: list[Signature]) -> list[Signature]:
        text = parse(scene.notes()[AT - 1]).text.encode()
        keys = [stranger(n) for n in range(count)]
        return [*lines, *(Signature("w", NoteKey("w", key.public).id, key.sign(text)) for key in keys)]

    _lines(scene, more)


@attack
def malleable(scene: Scene) -> None:
    """Give the log's signature its second number: S plus the order of the group."""

    def change(lines: list[Signature]) -> list[Signature]:
        first = lines[0]
        number = int.from_bytes(first.signature[32:], "little") + ORDER
        return [Signature(first.name, first.id, first.signature[:32] + number.to_bytes(32, "little")), *lines[1:]]

    _lines(scene, change)


@attack
def never_dated(scene: Scene) -> None:
    """Set the time of the post-quantum line beyond every calendar."""
    _lines(scene, lambda lines: [lines[0], Signature(lines[1].name, lines[1].id, b"\xff" * 8 + lines[1].signature[8:])])


@attack
def redated(scene: Scene) -> None:
    """Sign the post-quantum line again with another time."""
    head = checkpoint.parse_unverified(scene.notes()[AT - 1])[0]
    _put(scene, lambda _: checkpoint.issue(head, scene.log_keys, 7))
    scene.forge_anchor()


@attack
def extended(scene: Scene) -> None:
    """Add a line to the text, and sign with the log's keys."""
    note = scene.notes()[AT - 1]
    head, _ = checkpoint.parse_unverified(note)
    text = f"{head}more\n"
    names = scene.log_keys.public(head.origin)
    first = Signature(head.origin, names[0].id, scene.keys.log.sign(text.encode()))
    _put(scene, lambda _: str(Note(text, (first, parse(note).signatures[1]))))


@attack
def signed_by(scene: Scene, key: str) -> None:
    """Sign a checkpoint of another root with a key that is not the log's."""
    signer = scene.keys.engine if key == "engine" else stranger()
    head = Checkpoint(scene.origin, AT, bytes(32))
    _put(scene, lambda _: checkpoint.issue(head, LogKeys(signer, scene.keys.cosigner), 0))


@attack
def other_root(scene: Scene) -> None:
    """Sign a checkpoint of another root with the log's keys, and leave the entries."""
    head = Checkpoint(scene.origin, AT, bytes(32))
    _put(scene, lambda _: checkpoint.issue(head, scene.log_keys, 0))


@attack
def other_origin(scene: Scene) -> None:
    """Let the newest checkpoint be another log's, by the log's keys."""
    head, _ = checkpoint.parse_unverified(scene.notes()[-1])
    theirs = Checkpoint("example.org/other", head.size, head.root)
    _put(scene, lambda _: checkpoint.issue(theirs, scene.log_keys, 0), head.size)

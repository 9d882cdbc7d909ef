# SPDX-License-Identifier: Apache-2.0
"""A log of this name had this many entries and this root: signed, so that nobody can say otherwise later.

Sources: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature (ML-DSA-44, signature type 0x06). Rules of this module:

- The text is three lines: origin, size in decimal, root in base64. Extension lines are refused, because the
  ML-DSA-44 cosignature would not cover them.
- The log signs with Ed25519 (type 0x01) under its origin as the key name, and, where it has such a key, with a
  timestamped ML-DSA-44 cosignature (type 0x06) under the same name, so that the proof outlives elliptic curves.
- Time in a cosignature is POSIX seconds. FIPS 204 "pure" mode with an empty context string.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.merkle import HASH_BYTES
from radiomicnet_md_audit.note import NAME, Note, NoteKey, Signature, parse
from radiomicnet_md_audit.sign import MLDSA44_SIGNATURE_BYTES, CosigningKey, Signer, VerifyingKey

_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}")
_LARGEST_TIME = 2**63 - 1


@dataclass(frozen=True)
class Checkpoint:
    """The state of a log: ``root`` is the 32-byte tree root over its first ``size`` entries."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{b64encode(self.root)}\n"


@dataclass(frozen=True)
class LogKeys:
    """The private keys with which a log signs its checkpoints; ``cosigner`` is the post-quantum one."""

    signer: Signer
    cosigner: CosigningKey | None = None

    def public(self, origin: str) -> tuple[NoteKey, ...]:
        """Return the public halves under the log's name, in the order of their signature lines."""
        keys = (NoteKey(origin, self.signer.public),)
        return keys if self.cosigner is None else (*keys, NoteKey(origin, self.cosigner.public))


def issue(checkpoint: Checkpoint, keys: LogKeys, posix_seconds: int) -> str:
    """Sign a checkpoint; return the note. ``posix_seconds`` goes into the cosignature alone."""
    text = str(checkpoint)
    names = keys.public(checkpoint.origin)
    lines = [Signature(checkpoint.origin, names[0].id, keys.signer.sign(text.encode()))]
    if keys.cosigner is not None:
        message = cosigned_message(checkpoint.origin, posix_seconds, checkpoint)
        stamp = struct.pack(">Q", posix_seconds)
        lines.append(Signature(checkpoint.origin, names[1].id, stamp + keys.cosigner.sign(message)))
    return str(Note(text, tuple(lines)))


def cosigned_message(cosigner_name: str, posix_seconds: int, checkpoint: Checkpoint) -> bytes:
    """Return the bytes an ML-DSA-44 cosigner signs (tlog-cosignature, ``cosigned_message``, TLS encoding)."""
    name, origin = cosigner_name.encode(), checkpoint.origin.encode()
    return b"".join(
        (
            b"subtree/v1\n\x00",
            struct.pack(">B", len(name)) + name,
            struct.pack(">Q", posix_seconds),
            struct.pack(">B", len(origin)) + origin,
            struct.pack(">QQ", 0, checkpoint.size),
            checkpoint.root,
        )
    )


def parse_unverified(note: str) -> tuple[Checkpoint, Note]:
    """Take a checkpoint note apart without checking signatures; raise :class:`IntegrityError` on any other form."""
    parsed = parse(note)
    lines = parsed.text.split("\n")
    if len(lines) == 4 and NAME.fullmatch(lines[0]) and _DECIMAL.fullmatch(lines[1]):  # noqa: PLR2004 -- three lines
        root = b64decode(lines[2])
        if len(root) == HASH_BYTES:
            return Checkpoint(lines[0], int(lines[1]), root), parsed
    raise IntegrityError(
        "E-CHECKPOINT-FORM",
        "A checkpoint is not the three lines origin, size and root.",
        remedy="Take the checkpoint again from the log, the anchor or the export.",
    )


def open_(note: str, keys: Sequence[NoteKey], origin: str) -> Checkpoint:
    """Return the checkpoint of ``origin`` that every one of ``keys`` has signed, else raise.

    Lines by other keys (witnesses) are passed over. Raises :class:`IntegrityError` for a foreign origin, a missing
    signature, a bad one, and when no key is given: nothing verified is a failure.
    """
    return opened(note, keys, origin)[0]


def opened(note: str, keys: Sequence[NoteKey], origin: str) -> tuple[Checkpoint, tuple[NoteKey | None, ...]]:
    """Do what :func:`open_` does, and also say of each signature line, in order, which of ``keys`` it is by."""
    checkpoint, signed = _signers(note, keys, origin)
    if not keys or not all(any(key is one for one in signed) for key in keys):
        raise _unsigned()
    return checkpoint, signed


def open_any(note: str, keys: Sequence[NoteKey], origin: str) -> Checkpoint:
    """Return the checkpoint of ``origin`` that one of ``keys`` or more have signed and none of them badly, else raise.

    A witness may know and keep one of a log's signatures alone (c2sp.org/tlog-witness).
    """
    checkpoint, signed = _signers(note, keys, origin)
    if not any(signed):
        raise _unsigned()
    return checkpoint


def _signers(note: str, keys: Sequence[NoteKey], origin: str) -> tuple[Checkpoint, tuple[NoteKey | None, ...]]:
    """Return the checkpoint and whose of the keys each line is; raise for another log's or a bad signature."""
    checkpoint, parsed = parse_unverified(note)
    if checkpoint.origin != origin:
        raise IntegrityError(
            "E-ORIGIN",
            "A checkpoint belongs to another log.",
            remedy="Check that log, anchor and policy are those of one site.",
        )
    return checkpoint, tuple(
        next((key for key in keys if _holds(line, key, checkpoint)), None) for line in parsed.signatures
    )


def _unsigned() -> IntegrityError:
    return IntegrityError(
        "E-CHECKPOINT-UNSIGNED",
        "A checkpoint is not signed by the expected log key.",
        remedy="If the log's key was changed on purpose, verify with the policy that says so.",
    )


def _holds(line: Signature, key: NoteKey, checkpoint: Checkpoint) -> bool:
    """Say whether the line is by this key; raise when it is and does not verify."""
    if (line.name, line.id) != (key.name, key.id):
        return False
    if isinstance(key.key, VerifyingKey):
        key.key.verify(line.signature, str(checkpoint).encode())
        return True
    seconds = int.from_bytes(line.signature[:8], "big")
    if len(line.signature) != 8 + MLDSA44_SIGNATURE_BYTES or seconds > _LARGEST_TIME:
        raise IntegrityError(
            "E-COSIGNATURE-FORM",
            "A cosignature is not a time and an ML-DSA-44 signature.",
            remedy="Take the checkpoint again from the log, the anchor or the export.",
        )
    key.key.verify(line.signature[8:], cosigned_message(key.name, seconds, checkpoint))
    return True

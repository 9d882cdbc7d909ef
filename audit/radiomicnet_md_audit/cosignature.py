# SPDX-License-Identifier: Apache-2.0
"""Somebody else saw this state of the log, at this time, and has never signed one that contradicts it.

Source: c2sp.org/tlog-cosignature (Ed25519, signature type 0x04). Rules of this module:

- A cosigner signs the line ``cosignature/v1``, the line ``time <POSIX seconds>`` and the checkpoint's own text.
- What is signed does not name the cosigner, so one key serves one name, and never a log.
- A line by another name or key is passed over; a bad one by the expected key refuses the whole note.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import NoReturn

from radiomicnet_md_audit.checkpoint import Checkpoint, parse_unverified
from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.note import NAME, Note, Signature
from radiomicnet_md_audit.sign import ED25519_PUBLIC_BYTES, SIGNATURE_BYTES, SigningKey, VerifyingKey

ED25519_COSIGNATURE = 0x04

_LARGEST_TIME = 2**63 - 1
_TIME_BYTES = 8


@dataclass(frozen=True)
class Cosigner:
    """The public key of a witness, under the name it cosigns with."""

    name: str
    key: VerifyingKey

    def __post_init__(self) -> None:
        """Refuse a name that could not stand in a signature line."""
        if not NAME.fullmatch(self.name):
            _fail(
                "E-NOTE-NAME", "A witness's name is empty, too long, or holds a space, a plus or a control character."
            )

    @property
    def id(self) -> bytes:
        """The four bytes that a signature line starts with."""
        body = self.name.encode() + b"\n" + bytes([ED25519_COSIGNATURE]) + self.key.raw
        return hashlib.sha256(body).digest()[:4]

    def vkey(self) -> str:
        """Return the verifier key text."""
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([ED25519_COSIGNATURE]) + self.key.raw)}"

    @classmethod
    def from_vkey(cls, text: str) -> Cosigner:
        """Read a verifier key text; raise :class:`IntegrityError` ``E-NOTE-VKEY`` for any other form."""
        name, _, rest = text.partition("+")
        data = b64decode(rest.partition("+")[2])
        if data[:1] != bytes([ED25519_COSIGNATURE]) or len(data) != 1 + ED25519_PUBLIC_BYTES:
            _fail("E-NOTE-VKEY", "A verifier key is not that of a witness (Ed25519 cosignature, type 0x04).")
        parsed = cls(name, VerifyingKey(data[1:]))
        if parsed.vkey() != text:
            _fail("E-NOTE-VKEY", "A verifier key's id does not belong to its name and key.")
        return parsed


def cosign(checkpoint: Checkpoint, name: str, key: SigningKey, posix_seconds: int) -> Signature:
    """Return the signature line by which the cosigner ``name`` says it saw ``checkpoint`` at that time."""
    signature = key.sign(_message(checkpoint, posix_seconds))
    stamped = struct.pack(">Q", posix_seconds) + signature
    return Signature(name, Cosigner(name, key.public).id, stamped)


def cosigned_at(note: str, cosigner: Cosigner) -> int:
    """Return the POSIX seconds at which ``cosigner`` signed this checkpoint note.

    Where it signed more than once, the latest time. Raises :class:`IntegrityError` ``E-COSIGNATURE-MISSING`` without a
    line of this cosigner, ``E-COSIGNATURE-FORM`` or ``E-SIGNATURE`` for a bad one. The log's own signatures are not
    looked at: :func:`radiomicnet_md_audit.checkpoint.open_` does that.
    """
    checkpoint, parsed = parse_unverified(note)
    lines = [line for line in parsed.signatures if (line.name, line.id) == (cosigner.name, cosigner.id)]
    if not lines:
        _fail("E-COSIGNATURE-MISSING", "The witness has not cosigned this checkpoint.")
    return max(_verified(line, cosigner, checkpoint) for line in lines)


def with_line(note: str, line: Signature) -> str:
    """Return the note with one more signature line at its end."""
    _, parsed = parse_unverified(note)
    return str(Note(parsed.text, (*parsed.signatures, line)))


def _verified(line: Signature, cosigner: Cosigner, checkpoint: Checkpoint) -> int:
    seconds = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    if len(line.signature) != _TIME_BYTES + SIGNATURE_BYTES or seconds > _LARGEST_TIME:
        _fail("E-COSIGNATURE-FORM", "A cosignature is not a time and an Ed25519 signature.")
    cosigner.key.verify(line.signature[_TIME_BYTES:], _message(checkpoint, seconds))
    return seconds


def _message(checkpoint: Checkpoint, posix_seconds: int) -> bytes:
    return f"cosignature/v1\ntime {posix_seconds}\n{checkpoint}".encode()


def _fail(code: str, message: str) -> NoReturn:
    raise IntegrityError(
        code,
        message,
        remedy="Take the cosigned checkpoint or the witness's key again from where it was written; do not edit it.",
    )

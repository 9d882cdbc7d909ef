# SPDX-License-Identifier: Apache-2.0
"""Text signed by named keys, in the one form that C2SP signed-note gives it.

Source: c2sp.org/signed-note. Rules of this module:

- A note is UTF-8 text, a blank line and signature lines ``— <name> <base64(id || signature)>``; ASCII control
  characters other than newline are refused, and what parses re-encodes to the same bytes.
- A verifier key travels as a *vkey*: ``<name>+<id in 8 hex digits>+<base64(type || public key)>``.
- A key's id is ``SHA-256(name || 0x0A || type || public key)[:4]``. An id finds a key; only the signature proves it.
- A signature by an unknown key is passed over; a bad one by a known key refuses the whole note.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from typing import NoReturn, TypeAlias

from radiomicnet_md_audit.encoding import b64decode, b64encode
from radiomicnet_md_audit.errors import IntegrityError
from radiomicnet_md_audit.sign import (
    ED25519_PUBLIC_BYTES,
    MLDSA44_PUBLIC_BYTES,
    CosigningPublicKey,
    VerifyingKey,
)

ED25519 = 0x01
MLDSA44_COSIGNATURE = 0x06

MOST_SIGNATURES = 16
LARGEST_NOTE = 128 * 1024

PublicKey: TypeAlias = VerifyingKey | CosigningPublicKey

# Printable ASCII without space and plus: narrower than C2SP, which allows any Unicode but spaces and plus.
NAME = re.compile(r"[!-*,-~]{1,200}")
_SIGNATURE_LINE = re.compile(r"— ([^ ]+) ([A-Za-z0-9+/=]+)")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True)
class NoteKey:
    """A public key under the name it signs notes with."""

    name: str
    key: PublicKey

    def __post_init__(self) -> None:
        """Refuse a name that could not stand in a signature line."""
        if not NAME.fullmatch(self.name):
            _fail("E-NOTE-NAME", "A key name is empty, too long, or holds a space, a plus or a control character.")

    @cached_property
    def type(self) -> int:
        """The signature type byte."""
        return ED25519 if isinstance(self.key, VerifyingKey) else MLDSA44_COSIGNATURE

    @cached_property
    def id(self) -> bytes:
        """The four bytes that a signature line starts with."""
        body = self.name.encode() + b"\n" + bytes([self.type]) + self.key.raw
        return hashlib.sha256(body).digest()[:4]

    def vkey(self) -> str:
        """Return the verifier key text."""
        return f"{self.name}+{self.id.hex()}+{b64encode(bytes([self.type]) + self.key.raw)}"

    @classmethod
    def from_vkey(cls, text: str) -> NoteKey:
        """Read a verifier key text; raise :class:`IntegrityError` ``E-NOTE-VKEY`` for any other form."""
        name, _, rest = text.partition("+")
        _, _, material = rest.partition("+")
        data = b64decode(material)
        key: PublicKey
        if data[:1] == bytes([ED25519]) and len(data) == 1 + ED25519_PUBLIC_BYTES:
            key = VerifyingKey(data[1:])
        elif data[:1] == bytes([MLDSA44_COSIGNATURE]) and len(data) == 1 + MLDSA44_PUBLIC_BYTES:
            key = CosigningPublicKey(data[1:])
        else:
            _fail("E-NOTE-VKEY", "A verifier key is of a type that is not known here.")
        parsed = cls(name, key)
        if parsed.vkey() != text:
            _fail("E-NOTE-VKEY", "A verifier key's id does not belong to its name and key.")
        return parsed


@dataclass(frozen=True)
class Signature:
    """One signature line: who says so, which key, and what follows the key id."""

    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        """Return the line without its newline."""
        return f"— {self.name} {b64encode(self.id + self.signature)}"


@dataclass(frozen=True)
class Note:
    """A text (its final newline included) and its signature lines, in their order."""

    text: str
    signatures: tuple[Signature, ...]

    def __str__(self) -> str:
        """Return the note as it is written."""
        return f"{self.text}\n" + "".join(f"{line}\n" for line in self.signatures)


def parse(note: str) -> Note:
    """Take a note apart without checking signatures; raise :class:`IntegrityError` ``E-NOTE-FORM``."""
    text, blank, lines = note.rpartition("\n\n")
    text += "\n"
    # The form of a signature line leaves no room for a control character; only the text has to be searched.
    if not blank or not lines.endswith("\n") or len(note) > LARGEST_NOTE or _CONTROL.search(text):
        _fail("E-NOTE-FORM", "A note is not text, a blank line and signature lines.")
    signatures = tuple(_parse_line(line) for line in lines[:-1].split("\n"))
    if len(signatures) > MOST_SIGNATURES:
        _fail("E-NOTE-FORM", f"A note has more than {MOST_SIGNATURES} signatures.")
    return Note(text, signatures)


def _parse_line(line: str) -> Signature:
    match = _SIGNATURE_LINE.fullmatch(line)
    if match is None or not NAME.fullmatch(match[1]):
        _fail("E-NOTE-FORM", "A note's signature line has another form than `— name base64`.")
    data = b64decode(match[2])
    if len(data) <= 4:  # noqa: PLR2004 -- the four bytes of the key id
        _fail("E-NOTE-FORM", "A note's signature line holds no signature.")
    return Signature(match[1], data[:4], data[4:])


def _fail(code: str, message: str) -> NoReturn:
    raise IntegrityError(
        code,
        message,
        remedy="Take the checkpoint or key again from where it was written; do not edit or re-format it.",
    )

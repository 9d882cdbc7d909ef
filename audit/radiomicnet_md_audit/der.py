# SPDX-License-Identifier: Apache-2.0
"""Takes DER apart, one element at a time, and refuses what has a second spelling.

Source: X.690 sections 8.1 and 10.1. Tags of one byte, definite lengths in their shortest form, nothing left over; that
is all that time-stamp tokens use.
"""

from __future__ import annotations

from dataclasses import dataclass

from radiomicnet_md_audit.errors import IntegrityError

INTEGER, OCTETS, OID, SEQUENCE, SET = 0x02, 0x04, 0x06, 0x30, 0x31
CONTEXT_0 = 0xA0  # constructed, context-specific, number 0

_LONG = 0x80
_MOST_LENGTH_BYTES = 3
_HIGH_TAG = 0x1F


@dataclass(frozen=True)
class Element:
    """One element; ``raw`` is all of it, ``content`` what its length covers."""

    tag: int
    content: bytes
    raw: bytes

    def parts(self) -> list[Element]:
        """Return the elements inside; raise :class:`IntegrityError` ``E-DER`` when it is not made of elements."""
        found, rest = [], self.content
        while rest:
            found.append(_first(rest))
            rest = rest[len(found[-1].raw) :]
        return found


def read(data: bytes) -> Element:
    """Return the one element that ``data`` is; raise :class:`IntegrityError` ``E-DER`` when it is anything else."""
    element = _first(data)
    if element.raw != data:
        raise broken()
    return element


def broken() -> IntegrityError:
    """Return the failure for bytes that are not the expected DER."""
    return IntegrityError(
        "E-DER",
        "A time stamp's response is damaged, or not of the form that RFC 3161 gives it.",
        remedy="Ask the authority again, or take the response again from where it was kept.",
    )


def _first(data: bytes) -> Element:
    if len(data) < 2 or data[0] & _HIGH_TAG == _HIGH_TAG:  # noqa: PLR2004 -- a tag and a length
        raise broken()
    start, length = 2, data[1]
    if length >= _LONG:
        count = length - _LONG
        start += count
        length = int.from_bytes(data[2:start], "big")
        shortest = max(1, (length.bit_length() + 7) // 8)
        if not 1 <= count <= _MOST_LENGTH_BYTES or len(data) < start or length < _LONG or count != shortest:
            raise broken()
    if len(data) < start + length:
        raise broken()
    return Element(data[0], data[start : start + length], data[: start + length])

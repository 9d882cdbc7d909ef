# SPDX-License-Identifier: Apache-2.0
"""Changes to a DICOM file that know its structure: elements, lengths, sequences, pixel description, letters, streams.

A walker of our own finds the elements of explicit and implicit little endian data sets. Where it finds none (big
endian, deflated, no DICOM at all), the bytes themselves are changed.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass

_LONG = {b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"}
_REPRESENTATIONS = (
    *(b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FL", b"FD", b"IS", b"LO", b"LT", b"OB", b"OD", b"OF", b"OL"),
    *(b"OV", b"OW", b"PN", b"SH", b"SL", b"SQ", b"SS", b"ST", b"SV", b"TM", b"UC", b"UI", b"UL", b"UN", b"UR", b"US"),
    *(b"UT", b"UV", b"??", b"\0\0"),
)
_SYNTAXES = tuple(
    f"1.2.840.10008.1.2{tail}".encode()
    for tail in (
        *("", ".1", ".2", ".1.99", ".5", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91"),
        *(".4.100", ".4.102", ".4.201", ".4.202", ".4.203", ".7"),
    )
)
_SETS = (
    *(f"ISO_IR {number}".encode() for number in (6, 13, 100, 101, 109, 110, 126, 127, 138, 144, 148, 166, 192, 203)),
    *(f"\\ISO 2022 IR {number}".encode() for number in (13, 58, 87, 149, 159)),
    *(b"GB18030", b"GBK", b"ISO_IR 999", b"utf-8", b"\\\\\\", b"\xff\xfe", b"ISO 2022 IR 87\\ISO 2022 IR 159"),
)
_ESCAPES = (b"\x1b$B", b"\x1b(J", b"\x1b$)C", b"\x1b", b"\xff\xfe", b"\xed\xa0\x80", b"=", b"^" * 9, b"\\", b"\0")
_PIXEL = {  # tag of the image pixel description: (low, high) of values that are tried beside the extremes
    **dict.fromkeys((0x00280002, 0x00280006, 0x00280103), (0, 4)),
    **dict.fromkeys((0x00280010, 0x00280011), (0, 2000)),
    **dict.fromkeys((0x00280100, 0x00280101, 0x00280102), (0, 64)),
}
_PHOTOMETRIC, _FRAMES, _CHARACTER_SET, _SYNTAX = 0x00280004, 0x00280008, 0x00080005, 0x00020010
_INTERPRETATIONS = (
    *(b"MONOCHROME1", b"MONOCHROME2", b"RGB", b"YBR_FULL", b"YBR_FULL_422", b"YBR_PARTIAL_420", b"YBR_ICT", b"YBR_RCT"),
    *(b"PALETTE COLOR", b"CMYK", b"XYB", b"", b"\xff\xff", b"monochrome2", b"MONOCHROME2\\RGB"),
)
_ODD_LENGTHS = (0, 1, 2, 3, 7, 0xFFFE, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_ITEM, _ITEM_END, _SEQUENCE_END = b"\xfe\xff\x00\xe0", b"\xfe\xff\x0d\xe0", b"\xfe\xff\xdd\xe0"
_UNDEFINED = 0xFFFFFFFF
KINDS = ("vr", "length", "nesting", "pixels", "letters", "stream", "syntax", "blocks")


@dataclass(frozen=True, slots=True)
class _Element:
    """Where an element lies: its head, the place and width of its length, its value."""

    tag: int
    start: int
    explicit: bool
    length_at: int
    width: int
    value: int
    end: int


def mutated(kind: str, data: bytes, rng: random.Random) -> bytes:
    """The file with one to three changes of a kind."""
    changed = data
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        found = _elements(changed)
        change = {
            "vr": _vr,
            "length": _length,
            "nesting": _nesting,
            "pixels": _pixels,
            "letters": _letters,
            "stream": _stream,
            "syntax": _syntax,
        }.get(kind)
        before = changed
        if change is not None and found:
            changed = change(changed, found, rng)
        if changed == before:
            changed = _blocks(changed, rng)
    return changed


def _elements(data: bytes) -> list[_Element]:
    """The elements of the file, those in items of undefined length too, as far as they can be followed."""
    found: list[_Element] = []
    at = 132 if data[128:132] == b"DICM" else 0
    while at + 8 <= len(data) and len(found) < 4000:
        group, number = struct.unpack_from("<HH", data, at)
        if group == 0xFFFE:
            at += 8
            continue
        representation = data[at + 4 : at + 6]
        explicit = representation.isalpha() and representation.isupper()
        if explicit and representation in _LONG:
            length_at, width, value = at + 8, 4, at + 12
        elif explicit:
            length_at, width, value = at + 6, 2, at + 8
        else:
            length_at, width, value = at + 4, 4, at + 8
        length = int.from_bytes(data[length_at : length_at + width], "little")
        inside = length == _UNDEFINED or representation == b"SQ"
        end = value if inside else value + length
        if end > len(data):
            break
        found.append(_Element(group << 16 | number, at, explicit, length_at, width, value, end))
        at = end
    return found


def _put(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _valued(data: bytes, element: _Element, value: bytes) -> bytes:
    """Another value, with its length and of even size."""
    value = (value + b" " * (len(value) % 2))[: 2 ** (8 * element.width) - 2]
    length = len(value).to_bytes(element.width, "little")
    return (
        data[: element.length_at]
        + length
        + data[element.length_at + element.width : element.value]
        + value
        + data[element.end :]
    )


def _vr(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    explicit = [one for one in found if one.explicit]
    return _put(data, rng.choice(explicit).start + 4, rng.choice(_REPRESENTATIONS)) if explicit else data


def _length(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    one = rng.choice(found)
    length = rng.choice((*_ODD_LENGTHS, one.end - one.value + rng.randint(-9, 9), rng.randrange(len(data) + 1)))
    return _put(data, one.length_at, (length % 2 ** (8 * one.width)).to_bytes(one.width, "little"))


def _nesting(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    """Sequences in sequences, open or closed; or an item's mark taken away, doubled or exchanged."""
    marks = [at for mark in (_ITEM, _ITEM_END, _SEQUENCE_END) if (at := data.find(mark, rng.randrange(len(data)))) >= 0]
    if marks and rng.random() < 0.4:
        at, mark = rng.choice(marks), rng.choice((_ITEM, _ITEM_END, _SEQUENCE_END, b"", b"\0\0\0\0"))
        return data[:at] + mark + data[at + rng.choice((4, 4, 8)) :]
    one, depth = rng.choice(found), rng.choice((1, 2, 5, 50, 500, 3000))
    undefined = b"\xff\xff\xff\xff"
    head = struct.pack("<HH", one.tag >> 16, one.tag & 0xFFFF) + (b"SQ\0\0" if one.explicit else b"") + undefined
    opened = (head + _ITEM + undefined) * depth
    closed = (_ITEM_END + bytes(4) + _SEQUENCE_END + bytes(4)) * rng.choice((depth, depth, depth - 1, 0))
    inner = data[one.start : one.end] if rng.random() < 0.5 else b""
    return data[: one.start] + opened + inner + closed + data[one.start if rng.random() < 0.5 else one.end :]


def _pixels(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    described = [one for one in found if one.tag in _PIXEL or one.tag in {_PHOTOMETRIC, _FRAMES}]
    if not described:
        return data
    one = rng.choice(described)
    if rng.random() < 0.1:
        return data[: one.start] + data[one.end :]
    if one.tag == _PHOTOMETRIC:
        return _valued(data, one, rng.choice(_INTERPRETATIONS))
    if one.tag == _FRAMES:
        return _valued(
            data, one, rng.choice((b"0", b"-1", b"2", b"600", b"601", b"99999999999", b"1.5", b"", b"x", b"1\\2"))
        )
    number = rng.choice((rng.randint(*_PIXEL[one.tag]), 0, 1, 0x7FFF, 0xFFFF))
    return _valued(data, one, struct.pack("<H", number) * rng.choice((1, 1, 1, 2, 0)))


def _letters(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    """Another character set, or bytes in a name that no letter has."""
    sets = [one for one in found if one.tag == _CHARACTER_SET]
    if sets and rng.random() < 0.5:
        return _valued(data, rng.choice(sets), rng.choice(_SETS))
    texts = [one for one in found if one.tag >> 16 in {0x0008, 0x0010, 0x0018, 0x0020} and one.end > one.value]
    if not texts:
        return data
    value = b"".join(
        rng.choice((*_ESCAPES, rng.randbytes(3), b"Doe", "Grüße".encode())) for _ in range(rng.randint(1, 9))
    )
    return _valued(data, rng.choice(texts), value * rng.choice((1, 1, 1, 500)))


def _stream(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    """Bits of the pixel data, marks of a compressed stream among them; or the end of it."""
    start = next((one.value for one in found if one.tag >> 16 == 0x7FE0), len(data) // 2)
    if start >= len(data):
        return data
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30))):
        near = rng.random() < 0.6
        changed[rng.randrange(start, min(len(data), start + 200) if near else len(data))] = rng.choice(
            (0, 0xFF, rng.randrange(256))
        )
    return bytes(changed[: rng.randrange(start, len(data))]) if rng.random() < 0.2 else bytes(changed)


def _syntax(data: bytes, found: list[_Element], rng: random.Random) -> bytes:
    """Another transfer syntax than the one that the bytes are in."""
    stated = [one for one in found if one.tag == _SYNTAX]
    if not stated:
        return data
    value = rng.choice(_SYNTAXES)
    return _valued(data, stated[0], value + b"\0" * (len(value) % 2))


def _blocks(data: bytes, rng: random.Random) -> bytes:
    """A block of bytes taken away, doubled, moved, overwritten; or the file cut."""
    if len(data) < 2:
        return data + b"\0"
    start = rng.randrange(len(data))
    size = min(rng.choice((1, 2, 4, 8, 64, 1000)), len(data) - start)
    block = data[start : start + size]
    other = rng.randrange(len(data))
    return rng.choice(
        (
            data[:start] + data[start + size :],
            data[:start] + block + data[start:],
            data[:other] + block + data[other:],
            _put(data, start, rng.randbytes(size)),
            data[:start],
        )
    )

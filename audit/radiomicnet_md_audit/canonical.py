# SPDX-License-Identifier: Apache-2.0
"""Each value has exactly one byte string, and every other byte string is refused.

Rules of this module:

- The byte string is RFC 8785 (JSON Canonicalization Scheme). The ``rfc8785`` library is its definition here. Python's
  own encoder, many times faster, writes the same bytes wherever no character lies beyond U+FFFF: the values
  below leave the two nothing else to differ in (a property test holds them against each other).
- Values are ``None``, ``bool``, ``int``, ``str``, ``list`` and ``dict`` with text keys. There are no floats:
  two programs may write one float differently, so a float travels as ``float.hex()`` text.
- An integer lies in ±(2**53 - 1), which every JSON reader holds exactly (RFC 8785 appendix D).
- What :func:`loads` accepts, :func:`dumps` writes back byte for byte. Duplicate keys, white space, ``-0``,
  escapes that were not needed and keys out of order are all refused by this one comparison.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import NoReturn, TypeAlias

import rfc8785

from radiomicnet_md_audit.errors import IntegrityError

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32

_LISTS = (list, tuple)
# Most keys and members are of these very types, and need no further look.
_TEXT = frozenset({str})
_ALWAYS_FINE = frozenset({str, bool, type(None)})

# The first byte in UTF-8 of every character beyond U+FFFF.
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4]")


def dumps(value: object) -> bytes:
    """Return the RFC 8785 bytes of ``value``.

    Raises :class:`IntegrityError` ``E-CANONICAL-VALUE`` for a value that has no such bytes here: a float, an
    integer beyond 2**53 - 1, a lone surrogate, a key that is no text, anything nested deeper than 32.
    """
    _check(value, 0)
    try:
        return _encoded(value)
    except UnicodeEncodeError:
        _refuse("holds a lone surrogate")


def loads(data: bytes) -> Value:
    """Return the value of canonical bytes.

    Raises :class:`IntegrityError` ``E-CANONICAL-BYTES`` for every byte string that :func:`dumps` would not write.
    """
    try:
        value: Value = _DECODER.decode(data.decode("utf-8"))
        # The decoder has made nothing but what is allowed, except that it may lie too deep: a count spares the look.
        nested = data.count(b"[") + data.count(b"{") > DEEPEST
        again = None if nested and _is_too_deep(value, 0) else _encoded(value)
    except (ValueError, RecursionError):
        again = None
    if again != data:
        raise IntegrityError(
            "E-CANONICAL-BYTES",
            "Bytes are not canonical JSON (RFC 8785).",
            remedy="Do not edit or re-format signed files; take them again from the log or the export.",
        )
    return value


def _encoded(value: object) -> bytes:
    """Write a value that was checked; raise ``UnicodeEncodeError`` for a lone surrogate."""
    data = _ENCODER.encode(value).encode("utf-8")
    if data.isascii() or not _BEYOND_BMP.search(data):
        return data
    # Python sorts keys by code points, RFC 8785 by UTF-16 units: the orders part beyond U+FFFF.
    # The checks have narrowed the value to what the library's (unexported) type describes.
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def _is_too_deep(value: Value, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return False
    if value and depth == DEEPEST:
        return True
    return any(_is_too_deep(item, depth + 1) for item in (value.values() if isinstance(value, dict) else value))


def _check(value: object, depth: int) -> None:
    if isinstance(value, dict):
        if not _TEXT.issuperset(map(type, value)) and not all(isinstance(key, str) for key in value):
            _refuse("has a key that is no text")
        _check_items(value.values(), depth)
    elif isinstance(value, _LISTS):
        _check_items(value, depth)
    elif isinstance(value, int):
        if abs(value) > LARGEST_INTEGER:
            _refuse("is an integer beyond 2**53 - 1")
    elif value is not None and not isinstance(value, str):
        _refuse(f"is of type {type(value).__name__}")


def _check_items(items: Collection[object], depth: int) -> None:
    if items and depth == DEEPEST:
        _refuse(f"is nested deeper than {DEEPEST}")
    for item in items:
        if type(item) not in _ALWAYS_FINE:
            _check(item, depth + 1)


def _refuse(why: str) -> NoReturn:
    raise IntegrityError(
        "E-CANONICAL-VALUE",
        f"A value {why}; it has no canonical bytes.",
        remedy="Write floats as float.hex() text, large integers as text, and text as valid Unicode.",
    )


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)


def _integer(text: str) -> int:
    number = int(text)
    return number if abs(number) <= LARGEST_INTEGER else _refuse_number(text)


_DECODER = json.JSONDecoder(parse_float=_refuse_number, parse_int=_integer, parse_constant=_refuse_number)
# Not given a cycle: the check refuses whatever is nested deeper than 32, and so every cycle.
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False, sort_keys=True, separators=(",", ":"))

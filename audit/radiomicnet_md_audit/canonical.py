# SPDX-License-Identifier: Apache-2.0
"""Each value has exactly one byte string, and every other byte string is refused.

Rules of this module:

- The byte string is RFC 8785 (JSON Canonicalization Scheme), written by the ``rfc8785`` library.
- Values are ``None``, ``bool``, ``int``, ``str``, ``list`` and ``dict`` with text keys. There are no floats:
  two programs may write one float differently, so a float travels as ``float.hex()`` text.
- An integer lies in ±(2**53 - 1), which every JSON reader holds exactly (RFC 8785 appendix D).
- What :func:`loads` accepts, :func:`dumps` writes back byte for byte. Duplicate keys, white space, ``-0``,
  escapes that were not needed and keys out of order are all refused by this one comparison.
"""

from __future__ import annotations

import json
from typing import NoReturn, TypeAlias

import rfc8785

from radiomicnet_md_audit.errors import IntegrityError

Value: TypeAlias = "bool | int | str | list[Value] | dict[str, Value] | None"

LARGEST_INTEGER = 2**53 - 1
DEEPEST = 32


def dumps(value: object) -> bytes:
    """Return the RFC 8785 bytes of ``value``.

    Raises :class:`IntegrityError` ``E-CANONICAL-VALUE`` for a value that has no such bytes here: a float, an
    integer beyond 2**53 - 1, a lone surrogate, a key that is no text, anything nested deeper than 32.
    """
    _check(value, 0)
    # The check above has narrowed the value to what the library's (unexported) type describes.
    return rfc8785.dumps(value)  # type: ignore[arg-type]


def loads(data: bytes) -> Value:
    """Return the value of canonical bytes.

    Raises :class:`IntegrityError` ``E-CANONICAL-BYTES`` for every byte string that :func:`dumps` would not write.
    """
    try:
        value: Value = json.loads(data.decode("utf-8"), parse_float=_refuse_number, parse_constant=_refuse_number)
        again = dumps(value)
    except (ValueError, RecursionError, IntegrityError):
        again = None
    if again != data:
        raise IntegrityError(
            "E-CANONICAL-BYTES",
            "Bytes are not canonical JSON (RFC 8785).",
            remedy="Do not edit or re-format signed files; take them again from the log or the export.",
        )
    return value


def _check(value: object, depth: int) -> None:
    if depth > DEEPEST:
        _refuse(f"is nested deeper than {DEEPEST}")
    match value:
        case None | bool():
            return
        case str():
            _check_text(value)
        case int():
            _check_integer(value)
        case list() | tuple():
            for item in value:
                _check(item, depth + 1)
        case dict():
            for key, item in value.items():
                _check_text(key)
                _check(item, depth + 1)
        case _:
            _refuse(f"is of type {type(value).__name__}")


def _check_integer(number: int) -> None:
    if abs(number) > LARGEST_INTEGER:
        _refuse("is an integer beyond 2**53 - 1")


def _check_text(text: object) -> None:
    if not isinstance(text, str):
        _refuse("has a key that is no text")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        _refuse("holds a lone surrogate")


def _refuse(why: str) -> NoReturn:
    raise IntegrityError(
        "E-CANONICAL-VALUE",
        f"A value {why}; it has no canonical bytes.",
        remedy="Write floats as float.hex() text, large integers as text, and text as valid Unicode.",
    )


def _refuse_number(text: str) -> NoReturn:
    raise ValueError(text)

# SPDX-License-Identifier: Apache-2.0
"""Which ids were there before, of as many as a log has, in the 16 bytes of each and little more.

Rules of this module:

- A set of Python's takes five times as much; a log of a million records would not fit the memory that is promised.
- Where an id goes is drawn anew for each table, so that nobody can choose ids that all go to one place.
- An id is compared whole. Nothing is ever taken for another.
"""

from __future__ import annotations

import secrets
from array import array

BITS = 128
_HALF = 64
_LOW = (1 << _HALF) - 1
_FIRST = 10  # bits of the places of a new table
_FULL = 0.7  # of the places, then there are twice as many


class Ids:
    """Numbers below ``2**128``, each noted once."""

    def __init__(self) -> None:
        """Begin with none."""
        self._count = 0
        self._zero = False  # 0 marks a free place, and so has none of its own
        self._bits = _FIRST
        self._factors = secrets.randbits(_HALF) | 1, secrets.randbits(_HALF) | 1
        self._high, self._low = _table(_FIRST)

    def __len__(self) -> int:
        """How many there are."""
        return self._count

    def add(self, number: int) -> bool:
        """Note a number; return whether it is new."""
        if number == 0:
            new, self._zero = not self._zero, True
        else:
            new = self._put(number >> _HALF, number & _LOW)
        self._count += new
        if self._count > _FULL * len(self._low):
            self._grow()
        return new

    def _put(self, high: int, low: int) -> bool:
        highs, lows, last = self._high, self._low, len(self._low) - 1
        one, other = self._factors
        place = (high * one + low * other & _LOW) >> _HALF - self._bits
        while highs[place] or lows[place]:
            if lows[place] == low and highs[place] == high:
                return False
            place = place + 1 & last
        highs[place], lows[place] = high, low
        return True

    def _grow(self) -> None:
        highs, lows = self._high, self._low
        self._bits += 1
        self._high, self._low = _table(self._bits)
        for high, low in zip(highs, lows, strict=True):
            if high or low:
                self._put(high, low)


def _table(bits: int) -> tuple[array[int], array[int]]:
    """Return two columns of free places."""
    free = bytes(8 << bits)
    return array("Q", free), array("Q", free)

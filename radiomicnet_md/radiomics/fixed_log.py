# SPDX-License-Identifier: Apache-2.0
"""Base-2 logarithms as integers, the same on every machine: no libm takes part."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

BITS = 32  # fraction bits of a logarithm where nothing else is said


@cache
def log2(n: int, bits: int = BITS) -> int:
    """Floor of ``log2(n) * 2**bits`` for ``n >= 1``, bit by bit by repeated squaring of the mantissa."""
    whole = n.bit_length() - 1
    precision = bits + 32
    mantissa = (n << precision) >> whole  # in [1, 2) with `precision` fraction bits
    fraction = 0
    for _ in range(bits):
        mantissa = (mantissa * mantissa) >> precision
        fraction <<= 1
        if mantissa >> (precision + 1):
            mantissa >>= 1
            fraction |= 1
    return (whole << bits) | fraction


def n_log2_n(n: int) -> int:
    """``n * log2(n)`` in units of ``2**-BITS``; 0 for n = 0."""
    return n * log2(n) if n else 0


@cache
def table(limit: int) -> NDArray[np.int64]:
    """``n_log2_n`` for 0 … limit, int64; exact for limits below 2**26."""
    values = np.array([n_log2_n(n) for n in range(limit + 1)], dtype=np.int64)
    values.flags.writeable = False
    return values

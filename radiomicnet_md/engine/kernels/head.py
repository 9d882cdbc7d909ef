# SPDX-License-Identifier: Apache-2.0
"""What each name gave to each pixel, looked up and multiplied by a compiled loop."""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit

Integers = NDArray[np.int64]


@jit.parallel
def contributions(  # noqa: PLR0913 - tables, codes and their shapes
    names: int, outputs: NDArray[np.int16], codes: NDArray[np.uint8], gate: Integers, phi: Integers, rest: Integers
) -> tuple[Integers, Integers]:
    """Contributions (names, h2, w2) and rest (h2, w2) from the output codes (views, gates + 1, h2, w2).

    ``codes`` are those of the maps (maps, h2, w2). Map m belongs to name m % names and has gate m % gates.
    """
    views, planes, rows, columns = outputs.shape
    gates, maps, middle = planes - 1, codes.shape[0], gate.size // 2
    named = np.zeros((names, rows, columns), np.int64)
    unnamed = np.zeros((rows, columns), np.int64)
    for row in prange(rows):
        opened = np.empty(columns, np.int64)
        for m in range(maps):
            opened[:] = 0
            for view in range(views):
                line = outputs[view, m % gates, row]
                for k in range(columns):
                    opened[k] += gate[line[k] + middle]
            given, code, table = named[m % names, row], codes[m, row], phi[m]
            for k in range(columns):
                given[k] += opened[k] * table[code[k]]
        left = unnamed[row]
        for view in range(views):
            line = outputs[view, gates, row]
            for k in range(columns):
                left[k] += rest[line[k] + middle]
    return named, unnamed

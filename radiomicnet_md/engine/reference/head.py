# SPDX-License-Identifier: Apache-2.0
"""The head: from the decoder's codes and the maps' codes to what each name gave, and the sum.

Rules of this module:

- What a name gave is looked up view by view and scale by scale; :func:`total` adds up stored parts and nothing
  else, so it also judges the contributions of a record.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine.program import STREAM

Integers = NDArray[np.int64]


def contributions(
    tables: Mapping[str, Any], outputs: Integers, codes: NDArray[np.uint8], names: int
) -> tuple[Integers, Integers]:
    """What each name gave (names, h2, w2), and what has no name (h2, w2), 2**-LOGIT_BITS.

    :param tables: the ``head`` part of ``tables.json``
    :param outputs: the decoder's codes (views, gates + 1, h2, w2); the last is what has no name
    :param codes: the maps' codes (scales · names, h2, w2)
    """
    phi, gate, rest = (np.array(tables[part], dtype=np.int64) for part in ("phi", "gate", "rest"))
    named = np.zeros((names, *codes.shape[1:]), dtype=np.int64)
    unnamed = np.zeros(codes.shape[1:], dtype=np.int64)
    for view in outputs:
        *gates, last = view
        unnamed += rest[last - STREAM[0]]
        for index, code in enumerate(codes):  # a gate for each map, or one for each name
            name = index % names
            opened = gates[index if len(gates) > names else name]
            named[name] += gate[opened - STREAM[0]] * phi[index][code]
    return named, unnamed


def total(bias: int, contributions: Integers, rest: Integers) -> Integers:
    """The sum of the bias, all contributions and the rest, pixel by pixel."""
    z = np.full(rest.shape, bias, dtype=np.int64)
    for contribution in contributions:
        z = z + contribution
    return z + rest

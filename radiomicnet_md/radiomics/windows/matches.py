# SPDX-License-Identifier: Apache-2.0
"""How often has this been seen before in the window? One count serves every matrix of texture.

Rules of this module:

- An entry is a pair of small numbers (sum and difference of two levels; level and length of a run). For entry
  k of a window the number of earlier entries that agree is counted, e. Over a class of c equal entries e runs
  through 0 … c−1, so a sum of g(c) over classes is the sum of g(e+1) − g(e) over entries: no matrix is built.
- :data:`~radiomicnet_md.radiomics.windows.geometry.LANES` windows are counted side by side, in bytes.
- Everything is a whole number; logarithms are whole numbers of 2**-FRACTION.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import fixed_log, jit
from radiomicnet_md.radiomics.vector import BYTES, equal, load, store
from radiomicnet_md.radiomics.windows.geometry import LANES

FRACTION = 48  # fraction bits of n·log₂ n; n ≤ 1,300 stays below 2**62

Counts = NDArray[Any]


@cache
def n_log_n(limit: int) -> NDArray[np.int64]:
    """``n · log₂ n`` in units of 2**-FRACTION, rounded to nearest, for 0 … limit."""
    spare = 32  # bits more than are kept
    logs = [0, *(n * fixed_log.log2(n, FRACTION + spare) for n in range(1, limit + 1))]
    return _locked(np.array([(log + (1 << (spare - 1))) >> spare for log in logs], dtype=np.int64))


@cache
def rise(limit: int) -> NDArray[np.int64]:
    """``(n+1)·log₂(n+1) − n·log₂ n`` for 0 … limit, and a 0 as last entry for what does not count."""
    return _locked(np.append(np.diff(n_log_n(limit + 1)), 0))


@cache
def rises(limit: int) -> NDArray[np.int64]:
    """The rise from n to n + w for a weight w of 0, 1 and 2: (3, limit + 1)."""
    whole = n_log_n(limit + 2)
    return _locked(np.stack([whole[w : w + limit + 1] - whole[: limit + 1] for w in range(3)]))


def _locked(values: NDArray[np.int64]) -> NDArray[np.int64]:
    values.flags.writeable = False
    return values


@jit.serial
def earlier(
    a: Counts, b: Counts, base: int, offsets: Counts, k: int, same_a: Counts, same_b: Counts, same: Counts
) -> None:
    """Count in each lane the entries before k that agree with it in ``a``, in ``b`` and in both."""
    for lane in range(base, base + LANES, BYTES // a.itemsize):
        here_a = load(a, lane + offsets[k])
        here_b = load(b, lane + offsets[k])
        count_a = here_a - here_a
        count_b = count_a
        count = count_a
        for j in range(k):
            in_a = equal(here_a, load(a, lane + offsets[j]))
            in_b = equal(here_b, load(b, lane + offsets[j]))
            count_a -= in_a  # all bits set is −1
            count_b -= in_b
            count -= in_a & in_b
        store(same_a, lane - base, count_a)
        store(same_b, lane - base, count_b)
        store(same, lane - base, count)


@jit.serial
def earlier_weight(a: Counts, base: int, offsets: Counts, weight: Counts, k: int, total: Counts) -> None:
    """Sum up in each lane the weights (entries, LANES) of the entries before k that agree with it in ``a``."""
    for lane in range(0, LANES, BYTES // a.itemsize):
        here = load(a, base + lane + offsets[k])
        found = here - here
        for j in range(k):
            found += load(weight[j], lane) & equal(here, load(a, base + lane + offsets[j]))
        store(total, lane, found)

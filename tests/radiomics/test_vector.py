# SPDX-License-Identifier: Apache-2.0
"""Vectors of floats: each lane is the scalar operation of IEEE 754."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from radiomicnet_md.radiomics import jit
from radiomicnet_md.radiomics.vector import BYTES, choose, load, multiply_add, nearest, repeat, splat, store

pytestmark = pytest.mark.verifies("SRS-ENG-002")
LANES = BYTES // 4
FLOATS = hnp.arrays(np.float32, (3, LANES), elements={"min_value": -(2.0**20), "max_value": 2.0**20})
WHOLE = hnp.arrays(np.int32, (3, LANES), elements={"min_value": -2000, "max_value": 2000})


@jit.serial
def _apply(x: NDArray[np.float32], out: NDArray[np.float32]) -> None:
    a, b, c = load(x, 0), load(x, LANES), load(x, 2 * LANES)
    store(out, 0, nearest(a * b))
    store(out, LANES, choose(a, b, a, b))
    store(out, 2 * LANES, repeat(x, LANES + 1))
    store(out, 3 * LANES, splat(x[2, 0]))
    store(out, 4 * LANES, multiply_add(a, b, c))


def applied(x: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty((5, LANES), np.float32)
    _apply(x, out)
    return out


@given(FLOATS)
def test_a_lane_is_one_product_one_rounding_and_one_choice(x: NDArray[np.float32]) -> None:
    found = applied(x)
    assert np.array_equal(found[0], np.rint(x[0] * x[1]))
    assert np.array_equal(found[1], np.maximum(x[0], x[1]))
    assert (found[2] == x[1, 1]).all()
    assert (found[3] == x[2, 0]).all()


@given(WHOLE)
def test_multiply_add_of_whole_numbers_is_exact_fused_or_not(x: NDArray[np.int32]) -> None:
    assert np.array_equal(applied(x.astype(np.float32))[4], x[0] * x[1] + x[2])

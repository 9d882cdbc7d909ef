# SPDX-License-Identifier: Apache-2.0
"""The shapes of data that property tests draw from, in one place, so that every room means the same by them."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays


def grey_levels(count: int = 256, least: int = 1, most: int = 9) -> st.SearchStrategy[Any]:
    """Two-dimensional images of whole levels 0 … count - 1, each side from ``least`` to ``most`` pixels."""
    return arrays.arrays(
        np.uint8,
        arrays.array_shapes(min_dims=2, max_dims=2, min_side=least, max_side=most),
        elements=st.integers(0, count - 1),
    )

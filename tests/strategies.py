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


@st.composite
def nested_regions(draw: st.DrawFn, regions: int = 7) -> tuple[Any, Any]:
    """Labels and parents of nested regions, none empty: speckled or in blocks, with holes, in parts, at the border.

    Any labels will do, since a region is defined as its own pixels and those of the regions below it.
    """
    parents = [draw(st.integers(-1, index - 1)) for index in range(draw(st.integers(1, regions)))]
    shape = arrays.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=8)
    owner = draw(arrays.arrays(np.int32, shape, elements=st.integers(-1, len(parents) - 1)))
    for axis in range(2):
        owner = np.repeat(
            owner, draw(st.lists(st.integers(1, 3), min_size=owner.shape[axis], max_size=owner.shape[axis])), axis
        )
    used = set(owner.ravel().tolist())
    for index in reversed(range(len(parents))):
        if index in used:
            used.add(parents[index])
    kept = sorted(used - {-1})
    number = np.full(len(parents) + 1, -1, dtype=np.int32)
    number[kept] = range(len(kept))
    return number[owner], number[np.array([parents[index] for index in kept], dtype=np.int64)].astype(np.int64)


@st.composite
def dense_levels(draw: st.DrawFn, most: int = 3) -> tuple[Any, int, tuple[int, ...]]:
    """Levels of a small 2-D or 3-D image, −1 where a voxel takes no part; with them a radius and distances.

    At most ``most`` voxels longer than the window along rows and columns; at most six different levels, anywhere in
    0 … 255, so that runs, zones and equal pairs are common.
    """
    radius = draw(st.integers(1, 2))
    side = st.integers(2 * radius + 1, 2 * radius + 1 + most)
    shape = draw(st.one_of(st.tuples(side, side), st.tuples(st.integers(1, 3), side, side)))
    palette = draw(st.lists(st.integers(0, 255), min_size=1, max_size=6, unique=True))
    absent = draw(st.sampled_from([[], [-1], [-1] * 8]))
    levels = draw(arrays.arrays(np.int64, shape, elements=st.sampled_from([*palette, *absent])))
    levels.flat[draw(st.integers(0, levels.size - 1))] = palette[0]  # an image without a voxel has no maps
    return levels, radius, draw(st.sampled_from([(1,), (2,), (1, 3)]))

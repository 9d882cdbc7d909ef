# SPDX-License-Identifier: Apache-2.0
"""What one region is worth by name, from its mask alone; names, units and scales are the reference page's.

Rules of this module:

- A mean is a sum over the pixels of a mask divided by their number; a quotient is rounded down, in Python's
  integers; of nothing it is 0.
- What surrounds a region is the mask grown step by step to 4-neighbours, without the region.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics.definitions import NAMED

RING, EDGE = 5, 2  # steps of the ring, and of "just outside" and "just inside"
SHARE, FINE = 4096, 16  # what a ratio of 1.0 is, and a grey level or code of 1
FOUR_PI = 51472  # in 2**-12

Mask = NDArray[np.bool_]


def measure(region: Mask, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> dict[str, int]:
    """All values by name.

    :param region: a mask (rows, columns) with at least one pixel
    :param levels: grey levels (rows, columns)
    :param codes: the sixteen codes on the half grid (16, ⌈rows/2⌉, ⌈columns/2⌉)
    """
    ring = grown(region, RING) & ~region
    return {**_shape(region), **_intensity(region, ring, levels), **_texture(region, ring, codes)}


def box_of(region: Mask) -> tuple[int, int, int, int]:
    """The first row and column, and the ends behind the last."""
    rows, columns = (np.flatnonzero(region.any(axis)).tolist() for axis in (1, 0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def grown(mask: Mask, steps: int) -> Mask:
    """A mask and what is at most so many steps away."""
    for _ in range(steps):
        around = np.pad(mask, 1)
        mask = mask | around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    return mask


def _mean(image: NDArray[np.uint8], where: Mask) -> int:
    number = int(where.sum())
    return int(image[where].sum(dtype=np.int64)) * FINE // number if number else 0


def _shape(region: Mask) -> dict[str, int]:
    rows, columns = region.shape
    top, left, bottom, right = box_of(region)
    r, c = (place.tolist() for place in np.nonzero(region))
    area = len(r)
    padded = np.pad(region, 1)
    perimeter = int((padded[1:] != padded[:-1]).sum() + (padded[:, 1:] != padded[:, :-1]).sum())
    at_border = int(sum(line.sum() for line in (region[0], region[-1], region[:, 0], region[:, -1])))
    rr = area * sum(x * x for x in r) - sum(r) ** 2
    cc = area * sum(x * x for x in c) - sum(c) ** 2
    rc = area * sum(x * y for x, y in zip(r, c, strict=True)) - sum(r) * sum(c)
    lead = math.isqrt((rr - cc) ** 2 + 4 * rc * rc)
    minor, major = max(rr + cc - lead, 0), rr + cc + lead
    return {
        "area": area * 16 * SHARE // (rows * columns),
        "compactness": FOUR_PI * area // perimeter**2,
        "elongation": math.isqrt(minor * SHARE**2 // major) if major else 0,
        "solidity": 2 * area * SHARE // _twice_hull(region),
        "extent": area * SHARE // ((bottom - top) * (right - left)),
        "taller than wide": (bottom - top) * SHARE // (right - left),
        "depth": (2 * sum(r) + area) * SHARE // (2 * area * rows),
        "lateral offset": abs((2 * sum(c) + area) * SHARE // (2 * area * columns) - SHARE // 2),
        "at the image border": at_border * SHARE // perimeter,
    }


def _twice_hull(region: Mask) -> int:
    """Twice the area of the convex hull of the pixels' corners: from corner to corner, nothing on the left."""
    corners = set()
    for row in np.flatnonzero(region.any(1)).tolist():
        columns = np.flatnonzero(region[row]).tolist()
        for column in (columns[0], columns[-1] + 1):
            corners |= {(row, column), (row + 1, column)}

    def cross(o: tuple[int, int], a: tuple[int, int], b: tuple[int, int]) -> int:
        return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])

    def distance(a: tuple[int, int], b: tuple[int, int]) -> int:
        return (a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2

    start = here = min(corners)
    twice = 0
    while True:
        following = next(corner for corner in corners if corner != here)
        for corner in corners:
            side = cross(here, following, corner)
            if side < 0 or (side == 0 and distance(here, corner) > distance(here, following)):
                following = corner
        twice += cross(start, here, following)
        here = following
        if here == start:
            return abs(twice)


def _intensity(region: Mask, ring: Mask, levels: NDArray[np.uint8]) -> dict[str, int]:
    inside = levels[region].tolist()
    n, total = len(inside), sum(inside)
    mean, around = _mean(levels, region), _mean(levels, ring)
    just_outside = grown(region, EDGE) & ~region
    just_inside = region & grown(~region, EDGE)
    return {
        "intensity inside": mean,
        "intensity spread inside": math.isqrt((n * sum(x * x for x in inside) - total**2) * FINE**2 // n**2),
        "intensity of the ring": around,
        "intensity step": around - mean if ring.any() else 0,
        "border step": _mean(levels, just_outside) - _mean(levels, just_inside),
        "echo behind": _echo_behind(region, levels),
    }


def _echo_behind(region: Mask, levels: NDArray[np.uint8]) -> int:
    """Below the box, half its height and at least 4 rows deep, against as wide a strip on either side of that."""
    top, left, bottom, right = box_of(region)
    row, column = np.ogrid[: region.shape[0], : region.shape[1]]
    width, depth = right - left, max((bottom - top) // 2, 4)
    deep = (row >= bottom) & (row < bottom + depth)
    below = deep & (column >= left) & (column < right)
    beside = deep & (column >= left - width) & (column < right + width) & ~below
    return _mean(levels, below) - _mean(levels, beside) if below.any() and beside.any() else 0


def _texture(region: Mask, ring: Mask, codes: NDArray[np.uint8]) -> dict[str, int]:
    measured = {}
    for name, half in zip(NAMED, codes, strict=True):
        code = half.repeat(2, 0).repeat(2, 1)[: region.shape[0], : region.shape[1]]
        inside = _mean(code, region)
        measured[f"inside {name}"] = inside
        measured[f"step {name}"] = _mean(code, ring) - inside if ring.any() else 0
    return measured

# SPDX-License-Identifier: Apache-2.0
"""Each value of one region, evaluated alone from its mask: slow, plain, and without code of the tree.

Rules of this module:

- Nothing here shares code with the package under test; its tables of names and scales alone are read.
- The locked values are evaluated as they were when the shipped release was trained.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md.radiomics.definitions import NAMED

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]
RING, SHARE, FINE = 5, 4096, 16
_PI_4 = 51472
EIGHT = np.ones((3, 3))


def box_of(inside: Mask) -> Box:
    """Bounding box, ends exclusive."""
    rows, columns = np.nonzero(inside)
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


def measure(inside: Mask, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> dict[str, int]:
    """The locked values."""
    box = box_of(inside)
    window, corner = _window(box, levels.shape)
    region, grey = inside[window], levels[window].astype(np.int64)
    ring = _grow(region, RING) & ~region
    values = _shape(region, box, corner, levels.shape)
    values |= _intensity(region, ring, grey)
    values["echo behind"] = _echo_behind(box, levels)
    values |= _texture(region, ring, corner, codes)
    return values


def _window(box: Box, shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[int, int]]:
    top, left = max(box[0] - RING, 0), max(box[1] - RING, 0)
    bottom, right = min(box[2] + RING, shape[0]), min(box[3] + RING, shape[1])
    return (slice(top, bottom), slice(left, right)), (top, left)


def _grow(mask: Mask, steps: int) -> Mask:
    grown = mask
    for _ in range(steps):
        larger = grown.copy()
        larger[1:] |= grown[:-1]
        larger[:-1] |= grown[1:]
        larger[:, 1:] |= grown[:, :-1]
        larger[:, :-1] |= grown[:, 1:]
        grown = larger
    return grown


def _ratio(numerator: int, denominator: int, scale: int) -> int:
    return numerator * scale // denominator if denominator else 0


def _shape(region: Mask, box: Box, corner: tuple[int, int], shape: tuple[int, ...]) -> dict[str, int]:
    rows, columns = shape
    height, width = box[2] - box[0], box[3] - box[1]
    r, c = (index.astype(np.int64) for index in np.nonzero(region))
    r, c = r + corner[0], c + corner[1]
    area = int(r.size)
    padded = np.pad(region, 1)
    perimeter = int((padded[1:] ^ padded[:-1]).sum() + (padded[:, 1:] ^ padded[:, :-1]).sum())
    border = int((r == 0).sum() + (r == rows - 1).sum() + (c == 0).sum() + (c == columns - 1).sum())
    rr = area * int((r * r).sum()) - int(r.sum()) ** 2
    cc = area * int((c * c).sum()) - int(c.sum()) ** 2
    rc = area * int((r * c).sum()) - int(r.sum()) * int(c.sum())
    spread = math.isqrt((rr - cc) ** 2 + 4 * rc * rc)
    return {
        "area": _ratio(area, rows * columns, SHARE * 16),
        "compactness": _ratio(_PI_4 * area, perimeter * perimeter, 1),
        "elongation": math.isqrt(_ratio(max(rr + cc - spread, 0), rr + cc + spread, SHARE * SHARE)),
        "solidity": _ratio(2 * area, _hull_area2(region), SHARE),
        "extent": _ratio(area, height * width, SHARE),
        "taller than wide": _ratio(height, width, SHARE),
        "depth": _ratio(int(r.sum()) * 2 + area, area * rows * 2, SHARE),
        "lateral offset": abs(_ratio(int(c.sum()) * 2 + area, area * columns * 2, SHARE) - SHARE // 2),
        "at the image border": _ratio(border, perimeter, SHARE),
    }


def _hull_area2(region: Mask) -> int:
    """Twice the area of the convex hull of the region's pixel corners (monotone chain; integers)."""
    used = np.nonzero(region.any(1))[0]
    first = region[used].argmax(1)
    last = region.shape[1] - region[used, ::-1].argmax(1)
    points: list[tuple[int, int]] = []
    for row, left, right in zip(used.tolist(), first.tolist(), last.tolist(), strict=True):
        points += [(row, left), (row + 1, left), (row, right), (row + 1, right)]
    ordered = sorted(set(points))

    def chain(sequence: list[tuple[int, int]]) -> list[tuple[int, int]]:
        hull: list[tuple[int, int]] = []
        for p in sequence:
            while len(hull) > 1 and _turn(hull[-2], hull[-1], p) <= 0:
                hull.pop()
            hull.append(p)
        return hull[:-1]

    hull = chain(ordered) + chain(ordered[::-1])
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(hull, hull[1:] + hull[:1], strict=True)))


def _turn(o: tuple[int, int], a: tuple[int, int], b: tuple[int, int]) -> int:
    return (a[0] - o[0]) * (b[1] - o[1]) - (a[1] - o[1]) * (b[0] - o[0])


def _mean(values: NDArray[np.int64], mask: Mask, scale: int) -> int:
    count = int(mask.sum())
    return _ratio(int(values[mask].sum()), count, scale)


def _intensity(region: Mask, ring: Mask, grey: NDArray[np.int64]) -> dict[str, int]:
    area, total = int(region.sum()), int(grey[region].sum())
    squares = int((grey[region] ** 2).sum())
    mean, around = _mean(grey, region, FINE), _mean(grey, ring, FINE)
    near_outside = _grow(region, 2) & ~region
    near_inside = region & _grow(~region, 2)
    return {
        "intensity inside": mean,
        "intensity spread inside": math.isqrt((area * squares - total * total) * FINE * FINE // (area * area)),
        "intensity of the ring": around,
        "intensity step": around - mean if ring.any() else 0,
        "border step": _mean(grey, near_outside, FINE) - _mean(grey, near_inside, FINE)
        if near_outside.any() and near_inside.any()
        else 0,
    }


def _echo_behind(box: Box, levels: NDArray[np.uint8]) -> int:
    """Posterior enhancement (positive) or shadow (negative): below the region against both sides of that."""
    top, left, bottom, right = box
    reach = max((bottom - top) // 2, 4)
    width = right - left
    end = min(bottom + reach, levels.shape[0])
    if end == bottom:
        return 0
    below = levels[bottom:end, left:right].astype(np.int64)
    beside = np.concatenate(
        [
            levels[bottom:end, max(left - width, 0) : left].astype(np.int64).ravel(),
            levels[bottom:end, right : right + width].astype(np.int64).ravel(),
        ]
    )
    if not beside.size:
        return 0
    return _ratio(int(below.sum()), below.size, FINE) - _ratio(int(beside.sum()), beside.size, FINE)


def _texture(region: Mask, ring: Mask, corner: tuple[int, int], codes: NDArray[np.uint8]) -> dict[str, int]:
    # Every pixel of the working grid reads the code measured at its half-grid place.
    r = (np.arange(region.shape[0]) + corner[0]) // 2
    c = (np.arange(region.shape[1]) + corner[1]) // 2
    seen = codes[:, r[:, None], c[None, :]]
    inside = seen[:, region].astype(np.int64).sum(1).tolist()
    around = seen[:, ring].astype(np.int64).sum(1).tolist()
    area, outside = int(region.sum()), int(ring.sum())
    values: dict[str, int] = {}
    for name, i, o in zip(NAMED, inside, around, strict=True):
        mean = _ratio(i, area, FINE)
        values[f"inside {name}"] = mean
        values[f"step {name}"] = _ratio(o, outside, FINE) - mean if outside else 0
    return values


def more(inside: Mask, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> dict[str, int]:
    """The further values."""
    padded = np.pad(inside, 1)
    ring = _grow(inside, RING) & ~inside
    edge = (_grow(inside, 1) & ~inside) | (inside & _grow(~inside, 1))
    values = {
        "perimeter": int((padded[1:] ^ padded[:-1]).sum() + (padded[:, 1:] ^ padded[:, :-1]).sum()),
        "parts": int(ndimage.label(inside)[1]),
        "holes": int(ndimage.label(~padded, EIGHT)[1]) - 1,
        **_axes(inside),
        "edge sharpness": _sharpness(levels, edge),
    }
    for place, where in (("inside", levels[inside]), ("of the ring", levels[ring])):
        for name, q in (
            ("minimum", 0),
            ("10th percentile", 10),
            ("median", 50),
            ("90th percentile", 90),
            ("maximum", 100),
        ):
            values[f"intensity {name} {place}"] = _quantile(where, q)
    values["intensity spread of the ring"] = _deviation(levels[ring])
    values["intensity median step"] = _median_step(levels, inside, ring)
    for name, code in zip(NAMED, codes, strict=True):
        everywhere = np.kron(code, np.ones((2, 2), dtype=np.uint8))[: levels.shape[0], : levels.shape[1]]
        values[f"median inside {name}"] = _quantile(everywhere[inside], 50)
        values[f"median step {name}"] = _median_step(everywhere, inside, ring)
        values[f"spread inside {name}"] = _deviation(everywhere[inside])
    return values


def _axes(inside: Mask) -> dict[str, int]:
    points = [(Fraction(int(r)), Fraction(int(c))) for r, c in zip(*np.nonzero(inside), strict=True)]
    n = len(points)
    row, column = sum(p[0] for p in points) / n, sum(p[1] for p in points) / n
    rr = n * sum((p[0] - row) ** 2 for p in points)
    cc = n * sum((p[1] - column) ** 2 for p in points)
    rc = n * sum((p[0] - row) * (p[1] - column) for p in points)
    squared = (rr - cc) ** 2 + 4 * rc**2

    def part(of: Fraction) -> int:
        return int(math.copysign(math.isqrt(int(of**2 * SHARE**2 / squared)), of)) if squared else 0

    def axis(sign: int) -> int:
        with localcontext(prec=60):
            lead = Decimal(int(squared)).sqrt()
            moment = (int(rr + cc) + sign * lead) / (2 * n * n)
            return math.floor(4 * FINE * moment.max(Decimal(0)).sqrt() + Decimal("1e-40"))

    return {
        "major axis": axis(1),
        "minor axis": axis(-1),
        "upright": part(rr - cc),
        "slant": part(2 * rc),
    }


def _sharpness(levels: NDArray[np.uint8], edge: Mask) -> int:
    if not edge.any():
        return 0
    grey = np.pad(levels.astype(np.int64), 1, mode="edge")
    total = 0
    for r, c in zip(*(np.nonzero(edge)), strict=True):
        total += int(grey[r + 2, c + 1] - grey[r, c + 1]) ** 2 + int(grey[r + 1, c + 2] - grey[r + 1, c]) ** 2
    return math.isqrt(int(Fraction(total * FINE**2, 4 * int(edge.sum()))))


def _quantile(values: NDArray[np.uint8], percent: int) -> int:
    ordered = sorted(values.tolist())
    if not ordered:
        return 0
    place = Fraction((len(ordered) - 1) * percent, 100)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return math.floor((ordered[low] + (place - low) * (ordered[high] - ordered[low])) * FINE)


def _median_step(image: NDArray[np.uint8], inside: Mask, ring: Mask) -> int:
    return _quantile(image[ring], 50) - _quantile(image[inside], 50) if ring.any() else 0


def _deviation(values: NDArray[np.uint8]) -> int:
    if not values.size:
        return 0
    listed = [Fraction(v) for v in values.tolist()]
    mean = sum(listed) / len(listed)
    return math.isqrt(math.floor(sum((v - mean) ** 2 for v in listed) / len(listed) * FINE**2))

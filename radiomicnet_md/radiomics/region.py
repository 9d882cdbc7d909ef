# SPDX-License-Identifier: Apache-2.0
"""What a region is worth by name: shape, intensity, border and texture, each an integer with unit and scale.

Rules of this module:

- A value is an integer: a count, or a quotient of integers times its scale, rounded down. Square roots are
  taken once, by IEEE 754, of an integer below 2**53.
- "Inside" is the region; "ring" the pixels outside it within :data:`RING` steps (4-neighbours), inside the
  image; "echo behind" compares the pixels under the region with those beside them at the same depth.
- Where a value has nothing to be measured on (no ring, nothing below) it is 0.
- No value of the network is among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics.definitions import NAMED

RING = 5  # pixels of the working grid
SHARE = 1 << 12  # scale of a ratio: 1.0 is 4096
FINE = 16  # scale of a mean grey level or code: one unit is 1/16


@dataclass(frozen=True, slots=True)
class ValueDefinition:
    """One named value of a region."""

    name: str
    unit: str
    scale: int
    meaning: str
    ibsi: str = ""


_SHAPE = (
    ValueDefinition("area", "share of the image", SHARE * 16, "pixels inside / pixels of the image"),
    ValueDefinition("compactness", "1", SHARE, "4π · area / perimeter², perimeter as crack length"),
    ValueDefinition("elongation", "1", SHARE, "√(minor / major) of the second moments", "Q3CK"),
    ValueDefinition("solidity", "1", SHARE, "area / area of the convex hull"),
    ValueDefinition("extent", "1", SHARE, "area / area of the bounding box"),
    ValueDefinition("taller than wide", "1", SHARE, "height / width of the bounding box"),
    ValueDefinition("depth", "share of the image", SHARE, "row of the centroid / rows"),
    ValueDefinition("lateral offset", "share of the image", SHARE, "|column of the centroid / columns − ½|"),
    ValueDefinition("at the image border", "share of the perimeter", SHARE, "cracks on the image border / perimeter"),
)
_INTENSITY = (
    ValueDefinition("intensity inside", "grey level", FINE, "mean inside"),
    ValueDefinition("intensity spread inside", "grey level", FINE, "standard deviation inside"),
    ValueDefinition("intensity of the ring", "grey level", FINE, "mean of the ring"),
    ValueDefinition("intensity step", "grey level", FINE, "mean of the ring − mean inside"),
    ValueDefinition("border step", "grey level", FINE, "mean just outside − mean just inside the border"),
    ValueDefinition("echo behind", "grey level", FINE, "mean below − mean beside, at the same depth"),
)
_TEXTURE = tuple(
    ValueDefinition(f"{kind} {name}", "quantile code", FINE, meaning)
    for name in NAMED
    for kind, meaning in (("inside", "mean code inside"), ("step", "mean code of the ring − inside"))
)
VALUES: tuple[ValueDefinition, ...] = (*_SHAPE, *_INTENSITY, *_TEXTURE)
VALUE_NAMES: tuple[str, ...] = tuple(v.name for v in VALUES)

Mask = NDArray[np.bool_]
_PI_4 = 51472  # 4π in 2**-12, rounded: round(4 * pi * 4096)


def measure(
    inside: Mask, box: tuple[int, int, int, int], levels: NDArray[np.uint8], codes: NDArray[np.uint8]
) -> dict[str, int]:
    """All named values of one region.

    :param inside: the region, (rows, columns) on the working grid, not empty
    :param box: its bounding box (row0, column0, row1, column1), ends exclusive
    :param levels: grey levels (rows, columns)
    :param codes: the sixteen codes of the first scale on the half grid, (16, ⌈rows/2⌉, ⌈columns/2⌉)
    """
    window, corner = _window(box, levels.shape)
    region, grey = inside[window], levels[window].astype(np.int64)
    ring = _grow(region, RING) & ~region
    values = _shape(region, box, corner, levels.shape)
    values |= _intensity(region, ring, grey)
    values["echo behind"] = _echo_behind(box, levels)
    values |= _texture(region, ring, corner, codes)
    return values


def _window(box: tuple[int, int, int, int], shape: tuple[int, ...]) -> tuple[tuple[slice, slice], tuple[int, int]]:
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


def _shape(
    region: Mask, box: tuple[int, int, int, int], corner: tuple[int, int], shape: tuple[int, ...]
) -> dict[str, int]:
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


def _echo_behind(box: tuple[int, int, int, int], levels: NDArray[np.uint8]) -> int:
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

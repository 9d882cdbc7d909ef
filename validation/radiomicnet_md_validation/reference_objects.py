# SPDX-License-Identifier: Apache-2.0
"""Drawn objects whose size is known before they are drawn: what the device's millimetres are worth, without an image.

Rules of this module:

- An object is a star-shaped outline r(φ) about its middle. Its true values are integrals of r, never of pixels.
- A pixel belongs to it where its centre lies inside. Measured is by the device's own function, on a flat image: no
  speckle, no network; what is found is the error of drawing and measuring alone.
- *Drawn*: on the image's own grid. *Decided*: on the working grid, enlarged to the image by the device's own function,
  as every outline of the device is.
- The limit of quantitation of a value on a grid is the smallest size from which on every object, in every placement,
  has a bias of at most :data:`LIMIT_PERCENT`; it may not exist.

``python -m radiomicnet_md_validation.reference_objects`` shows the page, with ``--write`` it goes to
``docs/reference/quantitation.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from radiomicnet_md.decision import GRID
from radiomicnet_md_validation import reference_page
from radiomicnet_md_validation.campaigns import Campaign, main, rounded

LIMIT_PERCENT = 5.0  # of the true value
SIZES_MM = (1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 30.0, 45.0, 60.0)
UNITS = {  # the values that a record and a report give with a unit of length: power of the millimetre
    "shape2D_PixelSurface": 2,
    "shape2D_MeshSurface": 2,
    "shape2D_MaximumDiameter": 1,
    "shape2D_MajorAxisLength": 1,
    "shape2D_MinorAxisLength": 1,
    "shape2D_Perimeter": 1,
    "shape2D_PerimeterSurfaceRatio": -1,
}
_POINTS = 2048  # of an outline's integrals; they converge faster than any power of it
_ROUND = 3  # empty pixels around an object
_GOLDEN = (0.7548776662466927, 0.5698402909980532)  # R2 sequence (Roberts 2018): placements that leave no gap

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Shape:
    """An outline of size 1: radius over angle (radian, from the columns' axis towards larger rows)."""

    name: str
    radius: Callable[[Floats], Floats]


def ellipse(ratio: float, degrees: float = 0.0) -> Shape:
    """An ellipse of major axis 1 and minor axis ``ratio``, its major axis turned by an angle; a disc for 1."""
    name = "disc" if ratio == 1 else f"ellipse 1 : {ratio:g} at {degrees:g}°"

    def radius(angle: Floats) -> Floats:
        turned = angle - np.deg2rad(degrees)
        return np.asarray(ratio / (2 * np.hypot(ratio * np.cos(turned), np.sin(turned))))

    return Shape(name, radius)


def lobulated(lobes: int, depth: float) -> Shape:
    """A disc of mean diameter 1 whose radius swings by a share ``depth`` of itself, ``lobes`` times."""
    return Shape(f"{lobes} lobes", lambda angle: np.asarray((1 + depth * np.cos(lobes * angle)) / 2))


SHAPES = (ellipse(1.0), ellipse(0.6), ellipse(0.6, 30.0), lobulated(5, 0.1))


@lru_cache(maxsize=64)
def _of_size_one(shape: Shape) -> Mapping[str, float]:
    angle = np.linspace(0.0, 2 * np.pi, _POINTS, endpoint=False)
    radius = shape.radius(angle)
    along = np.stack([np.cos(angle), np.sin(angle)])  # (2, points)
    slope = np.fft.irfft(1j * np.arange(_POINTS // 2 + 1) * np.fft.rfft(radius), _POINTS)
    area = np.pi * float(np.mean(radius**2))
    perimeter = 2 * np.pi * float(np.mean(np.hypot(radius, slope)))
    middle = 2 * np.pi * np.mean(radius**3 / 3 * along, axis=1) / area
    moments = 2 * np.pi * np.mean(radius**4 / 4 * along[:, None] * along[None], axis=-1) / area
    minor, major = np.linalg.eigvalsh(moments - np.outer(middle, middle))
    return {
        "shape2D_PixelSurface": area,
        "shape2D_MeshSurface": area,
        "shape2D_MaximumDiameter": float(pdist((radius * along).T).max()),
        "shape2D_MajorAxisLength": 4 * float(np.sqrt(major)),
        "shape2D_MinorAxisLength": 4 * float(np.sqrt(minor)),
        "shape2D_Perimeter": perimeter,
        "shape2D_PerimeterSurfaceRatio": perimeter / area,
    }


def truth(shape: Shape, size_mm: float) -> dict[str, float]:
    """The true values of an object, by the names of :data:`UNITS`, in powers of the millimetre."""
    return {name: value * size_mm ** UNITS[name] for name, value in _of_size_one(shape).items()}


def drawn(
    shape: Shape, size_mm: float, pixels: tuple[int, int], spacing_mm: tuple[float, float], away: tuple[float, float]
) -> NDArray[np.bool_]:
    """The object on a grid (rows, columns): its middle lies ``away`` (in pixels) from the middle of the grid."""
    down, across = (
        (np.arange(count) - (count - 1) / 2 - off) * step
        for count, step, off in zip(pixels, spacing_mm, away, strict=True)
    )
    y, x = np.meshgrid(down, across, indexing="ij")
    return np.asarray(np.hypot(y, x) <= size_mm * shape.radius(np.arctan2(y, x)))


@dataclass(frozen=True, slots=True)
class Grid:
    """Pixels of which an object is made; ``side`` where it is decided: pixels of the square image."""

    spacing_mm: tuple[float, float]
    largest_mm: float
    side: int | None = None

    @property
    def name(self) -> str:
        """In words."""
        down, across = self.spacing_mm
        pixel = f"{down:g} mm" if down == across else f"{down:g} × {across:g} mm"
        return f"drawn, {pixel}" if self.side is None else f"decided, {self.side} × {self.side} px of {pixel}"

    @property
    def smallest_mm(self) -> float:
        """Diameter of a disc of as few pixels of the working grid as a region that the device proposes must have."""
        from radiomicnet_md.engine.decide import SMALLEST

        return float(np.sqrt(4 * SMALLEST / np.pi) * self.spacing_mm[0] * (self.side or GRID) / GRID)

    def mask(self, shape: Shape, size_mm: float, away: tuple[float, float]) -> NDArray[np.uint8]:
        """The object's mask on the image's grid, displaced by ``away``, in pixels of the grid it is drawn on."""
        if self.side is None:
            rows, columns = (int(np.ceil(size_mm * 1.1 / step)) + 2 * _ROUND for step in self.spacing_mm)
            return drawn(shape, size_mm, (rows, columns), self.spacing_mm, away).astype(np.uint8)
        from radiomicnet_md.engine import resample

        down, across = (step * self.side / GRID for step in self.spacing_mm)
        small = drawn(shape, size_mm, (GRID, GRID), (down, across), away)
        return resample.enlarge_mask(small, self.side, self.side)


GRIDS = (
    Grid((0.05, 0.05), 20.0),
    Grid((0.1, 0.1), 60.0),
    Grid((0.2, 0.2), 60.0),
    Grid((0.1, 0.2), 60.0),
    Grid((0.07, 0.07), 30.0, 576),
    Grid((0.1, 0.1), 60.0, 768),
)


def placements(count: int) -> list[tuple[float, float]]:
    """So many places within a pixel, in pixels, the same ones every time."""
    return [((number * _GOLDEN[0]) % 1 - 0.5, (number * _GOLDEN[1]) % 1 - 0.5) for number in range(count)]


def measure(mask: NDArray[np.uint8], spacing_mm: tuple[float, float]) -> dict[str, float | None]:
    """The device's values of a mask, by the names of :data:`UNITS`; None where it gives none."""
    from radiomicnet_md.radiomics import per_lesion

    found = per_lesion.values(np.zeros_like(mask), mask, spacing_mm)
    return {name: value if isinstance(value := found[name], float) else None for name in UNITS}


def biases(grid: Grid, size_mm: float, count: int) -> Iterator[tuple[dict[str, float], dict[str, float | None]]]:
    """True and measured values of every shape in every placement."""
    for shape in SHAPES:
        for away in placements(count):
            yield truth(shape, size_mm), measure(grid.mask(shape, size_mm, away), grid.spacing_mm)


def line(true: Sequence[float], measured: Sequence[float]) -> dict[str, float]:
    """Least squares of measured on true values: slope, intercept, r², and the largest residual in percent of truth."""
    x, y = np.asarray(true), np.asarray(measured)
    slope, intercept = np.polyfit(x, y, 1)
    left = y - slope * x - intercept
    spread = float(((y - y.mean()) ** 2).sum())
    return {
        "slope": float(slope),
        "intercept": float(intercept),
        "r2": 1 - float((left**2).sum()) / spread,
        "residual_percent": 100 * float(np.abs(left / x).max()),
    }


def limit_of_quantitation(worst_percent: Mapping[float, float | None]) -> float | None:
    """The smallest size from which on the worst bias by size is within :data:`LIMIT_PERCENT`; None: there is none.

    A size at which a value was not measured (None) is outside.
    """
    smallest = None
    for size in sorted(worst_percent, reverse=True):
        worst = worst_percent[size]
        if worst is None or abs(worst) > LIMIT_PERCENT:
            break
        smallest = size
    return smallest


def run(count: int) -> dict[str, Any]:
    """Bias by grid, value and size, and the line of each value on each grid."""
    grids = {}
    for grid in GRIDS:
        sys.stderr.write(f"{grid.name}\n")
        pairs = {size: list(biases(grid, size, count)) for size in SIZES_MM if size <= grid.largest_mm}
        grids[grid.name] = {name: _value(name, pairs) for name in UNITS}
    return {
        "limit_percent": LIMIT_PERCENT,
        "powers": UNITS,
        "shapes": [shape.name for shape in SHAPES],
        "placements": count,
        "smallest_mm": {grid.name: grid.smallest_mm for grid in GRIDS if grid.side is not None},
        "grids": grids,
    }


Pairs = Mapping[float, Sequence[tuple[Mapping[str, float], Mapping[str, float | None]]]]


def _value(name: str, pairs: Pairs) -> dict[str, Any]:
    sizes, true, measured = [], [], []
    for size, both in pairs.items():
        kept = [(one[name], found) for one, other in both if (found := other[name]) is not None]
        true += [one for one, _ in kept]
        measured += [found for _, found in kept]
        percent = [100 * (found - one) / one for one, found in kept]
        whole = len(kept) == len(both)
        low, high = (min(percent), max(percent)) if whole else (None, None)
        mean = float(np.mean(percent)) if kept else None
        sizes.append(rounded({"mm": size, "mean": mean, "low": low, "high": high}))
    worst = {one["mm"]: None if one["low"] is None else max(-one["low"], one["high"]) for one in sizes}
    return {"sizes": sizes, "line": line(true, measured), "limit_mm": limit_of_quantitation(worst)}


CAMPAIGN = Campaign(
    name="quantitation",
    module="reference_objects",
    title="What the millimetres are worth",
    run=run,
    cases=4,
    body=reference_page.body,
    picture=reference_page.picture,
)

if __name__ == "__main__":
    sys.exit(main(CAMPAIGN))

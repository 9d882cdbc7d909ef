# SPDX-License-Identifier: Apache-2.0
"""Named values of nested regions that no release decides with: form, orientation, quantiles, edge, spread of texture.

Rules of this module:

- As in ``region``: integers with unit and scale, rounded down; what bears a sign is rounded towards 0, so that a
  mirrored region has the opposite value. Where there is nothing to be measured on, 0.
- A quantile lies between the two order statistics around (n − 1) · q, linearly (as in NumPy and PyRadiomics); it is
  read from a histogram.
- Orientation is that of the doubled angle, (cos 2θ, sin 2θ), which has no jump where an axis turns over:
  θ = ½ · atan2(slant, upright) is the angle of the major axis from the row axis towards the columns.
- They stand in no record and in no table of a release: measured where they are asked for.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import region_band, region_topology, region_tree
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region import Integers, Moments, check_grids, spread
from radiomicnet_md.radiomics.region_definitions import FINE, RING, SHARE, ValueDefinition
from radiomicnet_md.radiomics.region_tree import AREA, CODES, Tree

_GREY, _PIXEL = "grey level", "pixel"
_LEVEL = np.arange(256)
_FORM = (
    ValueDefinition("perimeter", _PIXEL, 1, "sides of pixels between inside and outside, holes and image border too"),
    ValueDefinition("parts", "count", 1, "connected components (4-neighbours)"),
    ValueDefinition("holes", "count", 1, "components (8-neighbours) of the outside that the region encloses"),
    ValueDefinition("major axis", _PIXEL, FINE, "4 √major of the second moments", "TDIC"),
    ValueDefinition("minor axis", _PIXEL, FINE, "4 √minor of the second moments", "P9VJ"),
    ValueDefinition("upright", "1", SHARE, "cos 2θ: 1 where the major axis is vertical, −1 where horizontal"),
    ValueDefinition("slant", "1", SHARE, "sin 2θ: 1 where the major axis falls to the right at 45°"),
    ValueDefinition(
        "edge sharpness",
        "grey level / pixel",
        FINE,
        "√ of the mean squared gradient (central differences, border repeated) of the pixels beside the border",
    ),
)
QUANTILES = (  # name, numerator and denominator of q, IBSI code
    ("minimum", 0, 1, "1GSF"),
    ("10th percentile", 1, 10, "QG58"),
    ("median", 1, 2, "Y12H"),
    ("90th percentile", 9, 10, "8DWT"),
    ("maximum", 1, 1, "84IY"),
)
_INTENSITY = (
    *(
        ValueDefinition(f"intensity {name} inside", _GREY, FINE, f"{name} inside", ibsi)
        for name, _, _, ibsi in QUANTILES
    ),
    *(ValueDefinition(f"intensity {name} of the ring", _GREY, FINE, f"{name} of the ring") for name, *_ in QUANTILES),
    ValueDefinition("intensity spread of the ring", _GREY, FINE, "standard deviation of the ring"),
    ValueDefinition("intensity median step", _GREY, FINE, "median of the ring − median inside"),
)
_TEXTURE = tuple(
    ValueDefinition(f"{kind} {name}", "quantile code", FINE, meaning)
    for name in NAMED
    for kind, meaning in (
        ("median inside", "median code inside"),
        ("median step", "median code of the ring − inside"),
        ("spread inside", "standard deviation of the codes inside"),
    )
)
MORE: tuple[ValueDefinition, ...] = (*_FORM, *_INTENSITY, *_TEXTURE)
MORE_NAMES: tuple[str, ...] = tuple(v.name for v in MORE)


def measure(tree: Tree, levels: NDArray[np.uint8], codes: NDArray[np.uint8]) -> Integers:
    """All further values of every region: int64 (regions, values) in the order of :data:`MORE`.

    Parameters and errors are those of :func:`radiomicnet_md.radiomics.region.measure`.
    """
    check_grids(tree, levels, codes)
    cracks = region_band.cracks(tree)
    ring = region_band.outside(tree, cracks, RING)
    edge = _edge_sharpness(ring, region_band.inside(tree, cracks, 1), levels)
    rows, columns = (np.arange(side) // 2 for side in levels.shape)
    values = [*_form(tree, levels), edge, *_intensity(tree, ring, levels)]
    for one in codes:
        values += _texture(tree, ring, one[rows[:, None], columns[None, :]])
    return np.stack(values, 1)


def quantile(histograms: Integers, numerator: int, denominator: int) -> Integers:
    """The q-quantile, q = numerator / denominator, of each histogram (regions, 256), in 1 / FINE; 0 of nothing."""
    reached = histograms.cumsum(1)
    last = np.maximum(reached[:, -1:] - 1, 0)
    place, rest = np.divmod(last * numerator, denominator)
    lower = (reached <= place).sum(1)
    upper = (reached <= place + 1).sum(1)  # past the last level only where the rest is 0
    value = (lower * (denominator - rest[:, 0]) + upper * rest[:, 0]) * FINE // denominator
    return np.asarray(np.where(reached[:, -1] > 0, value, 0))


def _form(tree: Tree, levels: NDArray[np.uint8]) -> tuple[Integers, ...]:
    half = tuple((side + 1) // 2 for side in levels.shape)
    sums = region_tree.sums(tree, levels, np.empty((*half, 0), dtype=np.uint8))
    axes = np.array([_axes(one) for one in sums[:, :CODES].tolist()], dtype=np.int64).reshape(len(tree), 4)
    return (region_tree.perimeter(sums), *region_topology.parts_and_holes(tree, sums), *axes.T)


def _axes(sums: list[int]) -> tuple[int, int, int, int]:
    """Major and minor axis, upright and slant of one region."""
    moments = Moments.of(sums)
    # A second moment is (total ± lead) / 2 area²; an axis is four times its root. The lead is a root itself: taken
    # up to a whole number before it is subtracted, and down before it is added, it leaves both axes rounded down.
    scale, lead2 = 8 * FINE * FINE, moments.lead2 * (8 * FINE * FINE) ** 2
    down = math.isqrt(lead2)
    up = down + (down * down < lead2)
    major, minor = (math.isqrt((scale * moments.total + lead) // sums[AREA] ** 2) for lead in (down, -up))
    return major, minor, _part(moments.rows - moments.columns, moments.lead2), _part(2 * moments.mixed, moments.lead2)


def _part(of: int, whole2: int) -> int:
    if not whole2:
        return 0
    size = math.isqrt(of * of * SHARE * SHARE // whole2)
    return size if of >= 0 else -size


def _edge_sharpness(ring: region_band.Band, within: region_band.Band, levels: NDArray[np.uint8]) -> Integers:
    padded = np.pad(levels.astype(np.int64), 1, mode="edge")
    steep = (padded[2:, 1:-1] - padded[:-2, 1:-1]) ** 2 + (padded[1:-1, 2:] - padded[1:-1, :-2]) ** 2
    count = (ring.count(1) + within.count(1)).tolist()
    total = (ring.sum(1, steep) + within.sum(1, steep)).tolist()
    # A central difference spans two pixels: the gradient is half of it.
    roots = [math.isqrt(t * FINE * FINE // (4 * n)) if n else 0 for n, t in zip(count, total, strict=True)]
    return np.array(roots, dtype=np.int64)


def _intensity(tree: Tree, ring: region_band.Band, levels: NDArray[np.uint8]) -> list[Integers]:
    inside, around = region_tree.histograms(tree, levels), ring.histograms(RING, levels)
    within = [quantile(inside, top, bottom) for _, top, bottom, _ in QUANTILES]
    beyond = [quantile(around, top, bottom) for _, top, bottom, _ in QUANTILES]
    step = _step(quantile(inside, 1, 2), quantile(around, 1, 2), ring)
    return [*within, *beyond, _spread(around), step]


def _texture(tree: Tree, ring: region_band.Band, code: NDArray[np.uint8]) -> tuple[Integers, ...]:
    inside = region_tree.histograms(tree, code)
    median = quantile(inside, 1, 2)
    return median, _step(median, quantile(ring.histograms(RING, code), 1, 2), ring), _spread(inside)


def _step(inside: Integers, around: Integers, ring: region_band.Band) -> Integers:
    return np.asarray(np.where(ring.count(RING) > 0, around - inside, 0))


def _spread(histograms: Integers) -> Integers:
    return spread(histograms.sum(1), histograms @ _LEVEL, histograms @ _LEVEL**2, FINE)

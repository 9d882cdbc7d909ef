# SPDX-License-Identifier: Apache-2.0
"""All 93 values of one window, exactly: whole numbers and fractions, in the words of the definitions.

Rules of this module:

- No code is shared with the package; a window is a dictionary from a voxel's place to its level 1 … Ng.
- It holds the voxels at most ``radius`` away along each axis that lie in the image and take part (level not −1).
- What the definitions leave open is settled as PyRadiomics' voxel mode settles it: each offset of a distance
  (Chebyshev) is an angle; co-occurrence averages over the angles that have a pair, runs over those with two
  voxels on one line, whatever lies between; a voxel without neighbour counts in NGTDM, with difference 0.
- NaN says undefined: no pair (co-occurrence), no two voxels on a line (runs), or no value between the 10th and
  the 90th percentile (robust deviation of two different values).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.radiomics import exact_items
from tests.radiomics.exact_items import Counts, Number, decimal, root, total

Place = tuple[int, ...]
Window = dict[Place, int]

_SHARED = {
    "glrlm": ("Run", "Short", "Long", "RunLength", "RunPercentage"),
    "glszm": ("Zone", "Small", "Large", "SizeZone", "ZonePercentage"),
    "gldm": ("Dependence", "Small", "Large", "Dependence", None),
}


def measure(  # noqa: PLR0913 - a window's properties
    levels: NDArray[Any],
    image: NDArray[Any],
    centre: Place,
    radius: int,
    distances: Sequence[int] = (1,),
    voxel_size: float = 1.0,
) -> dict[str, float]:
    """The 93 values around ``centre``, whose level must not be −1; ``image`` holds the grey values."""
    window = cut(levels, centre, radius)
    angles = [offset for distance in distances for offset in offsets(levels.ndim, distance)]
    level_count = int(levels.max()) + 1
    found: dict[str, Number | None] = {}
    grey = [Fraction(image[place].item()) for place in window]
    found |= {f"firstorder_{name}": value for name, value in _first_order(grey, window, voxel_size).items()}
    found |= _averaged(
        "glcm",
        [exact_items.cooccurrence(counts, level_count) for angle in angles if (counts := pairs(window, angle))],
        exact_items.cooccurrence({(1, 1): 1}, 1),
    )
    along = [runs(window, angle) for angle in offsets(levels.ndim, 1) if shared_line(window, angle, radius)]
    found |= _averaged(
        "glrlm",
        [_renamed("glrlm", exact_items.emphases(counts, len(window))) for counts in along],
        _renamed("glrlm", exact_items.emphases({(1, 1): 1}, 1)),
    )
    for kind, counts in (("glszm", zones(window)), ("gldm", dependences(window))):
        values = _renamed(kind, exact_items.emphases(counts, len(window)))
        found |= {f"{kind}_{name}": value for name, value in values.items()}
    found |= {f"ngtdm_{name}": value for name, value in _tone_differences(window).items()}
    return {name: math.nan if value is None else float(decimal(value)) for name, value in found.items()}


def everywhere(levels: NDArray[Any]) -> Iterator[Place]:
    """The places that take part."""
    return (place for place in np.ndindex(levels.shape) if levels[place] >= 0)


# ---------------------------------------------------------------------------------- places
def cut(levels: NDArray[Any], centre: Place, radius: int) -> Window:
    """The window: level + 1 of each voxel in it."""
    spans = (
        range(max(at - radius, 0), min(at + radius + 1, side)) for at, side in zip(centre, levels.shape, strict=True)
    )
    return {place: int(levels[place]) + 1 for place in itertools.product(*spans) if levels[place] >= 0}


def offsets(dimensions: int, distance: int) -> list[Place]:
    """One of each opposite pair of the offsets whose largest component is ``distance``."""
    every = itertools.product(range(-distance, distance + 1), repeat=dimensions)
    zero = (0,) * dimensions
    return [offset for offset in every if offset > zero and max(map(abs, offset)) == distance]


def moved(place: Place, offset: Place, times: int = 1) -> Place:
    return tuple(at + times * step for at, step in zip(place, offset, strict=True))


def neighbours(window: Window, place: Place) -> list[Place]:
    """The voxels of the window that touch one at a face, edge or corner."""
    every = itertools.product((-1, 0, 1), repeat=len(place))
    return [there for offset in every if any(offset) and (there := moved(place, offset)) in window]


# ---------------------------------------------------------------------------------- matrices
def pairs(window: Window, offset: Place) -> Counts:
    """Symmetric co-occurrence counts."""
    counts: Counter[tuple[int, int]] = Counter()
    for place, level in window.items():
        other = window.get(moved(place, offset))
        if other is not None:
            counts[level, other] += 1
            counts[other, level] += 1
    return counts


def shared_line(window: Window, offset: Place, radius: int) -> bool:
    """Whether two voxels of the window lie on one line along the offset."""
    return any(moved(place, offset, times) in window for place in window for times in range(1, 2 * radius + 1))


def runs(window: Window, offset: Place) -> Counts:
    """Level and length of each run of touching voxels of one level along the offset."""
    counts: Counter[tuple[int, int]] = Counter()
    for place, level in window.items():
        if window.get(moved(place, offset, -1)) != level:
            length = next(n for n in itertools.count(1) if window.get(moved(place, offset, n)) != level)
            counts[level, length] += 1
    return counts


def zones(window: Window) -> Counts:
    """Level and size of each connected zone of one level."""
    counts: Counter[tuple[int, int]] = Counter()
    left = set(window)
    while left:
        start = left.pop()
        zone, border = {start}, [start]
        while border:
            for there in neighbours(window, border.pop()):
                if there in left and window[there] == window[start]:
                    left.remove(there)
                    zone.add(there)
                    border.append(there)
        counts[window[start], len(zone)] += 1
    return counts


def dependences(window: Window) -> Counts:
    """Level, and 1 + the number of neighbours of that level, of each voxel."""
    return Counter(
        (level, 1 + sum(window[there] == level for there in neighbours(window, place)))
        for place, level in window.items()
    )


# ---------------------------------------------------------------------------------- values
def _averaged(kind: str, per_angle: list[dict[str, Number]], names: dict[str, Number]) -> dict[str, Number | None]:
    return {
        f"{kind}_{name}": exact_items.mean([values[name] for values in per_angle]) if per_angle else None
        for name in names
    }


def _renamed(kind: str, values: dict[str, Number]) -> dict[str, Number]:
    """The shared values by PyRadiomics' names."""
    thing, short, long, non_uniformity, percentage = _SHARED[kind]
    size = "Area" if kind == "glszm" else thing
    emphasis = "Emphasis" if kind == "gldm" else f"{thing}Emphasis"
    names = {
        "j-": f"{short}{size}Emphasis",
        "j+": f"{long}{size}Emphasis",
        "i-": f"LowGrayLevel{emphasis}",
        "i+": f"HighGrayLevel{emphasis}",
        "j-i-": f"{short}{size}LowGrayLevelEmphasis",
        "j-i+": f"{short}{size}HighGrayLevelEmphasis",
        "j+i-": f"{long}{size}LowGrayLevelEmphasis",
        "j+i+": f"{long}{size}HighGrayLevelEmphasis",
        "level non-uniformity": "GrayLevelNonUniformity",
        "level non-uniformity, normalised": "GrayLevelNonUniformityNormalized",
        "non-uniformity": f"{non_uniformity}NonUniformity",
        "non-uniformity, normalised": f"{non_uniformity}NonUniformityNormalized",
        "level variance": "GrayLevelVariance",
        "variance": f"{thing}Variance",
        "entropy": f"{thing}Entropy",
        "percentage": percentage,
    }
    if kind == "gldm":  # equal to first-order uniformity, and left out there
        del names["level non-uniformity, normalised"]
    return {name: values[key] for key, name in names.items() if name is not None}


def _percentile(ordered: list[Fraction], share: Fraction) -> Fraction:
    """Linear between the ordered values, the first at 0 and the last at 1."""
    at = share * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (at - below) * (ordered[above] - ordered[below])


def _first_order(grey: list[Fraction], window: Window, voxel_size: float) -> dict[str, Number | None]:
    n, ordered = len(grey), sorted(grey)
    tenth, ninetieth = _percentile(ordered, Fraction(1, 10)), _percentile(ordered, Fraction(9, 10))
    average = total(grey) / n
    second, third, fourth = (total((v - average) ** k for v in grey) / n for k in (2, 3, 4))
    energy = total(v * v for v in grey)
    robust = [v for v in grey if tenth <= v <= ninetieth]
    robust_average = total(robust) / max(len(robust), 1)
    histogram = Counter(window.values())
    skewness = decimal(third) / exact_items.DIGITS.power(root(second), 3) if second else Fraction(0)
    return {
        "10Percentile": tenth,
        "90Percentile": ninetieth,
        "Energy": energy,
        "Entropy": exact_items.entropy(histogram),
        "InterquartileRange": _percentile(ordered, Fraction(3, 4)) - _percentile(ordered, Fraction(1, 4)),
        "Kurtosis": fourth / second**2 if second else Fraction(0),
        "Maximum": ordered[-1],
        "MeanAbsoluteDeviation": total(abs(v - average) for v in grey) / n,
        "Mean": average,
        "Median": _percentile(ordered, Fraction(1, 2)),
        "Minimum": ordered[0],
        "Range": ordered[-1] - ordered[0],
        "RobustMeanAbsoluteDeviation": total(abs(v - robust_average) for v in robust) / len(robust) if robust else None,
        "RootMeanSquared": root(energy / n),
        "Skewness": skewness,
        "TotalEnergy": energy * Fraction(voxel_size),
        "Uniformity": Fraction(sum(c * c for c in histogram.values()), n * n),
        "Variance": second,
    }


def _tone_differences(window: Window) -> dict[str, Number]:
    """NGTDM: p of each level met, and s, the sum of its differences from the mean of the neighbours."""
    n = len(window)
    p = {level: Fraction(count, n) for level, count in Counter(window.values()).items()}
    s = dict.fromkeys(p, Fraction(0))
    for place, level in window.items():
        around = [window[there] for there in neighbours(window, place)]
        if around:
            s[level] += abs(level - Fraction(sum(around), len(around)))
    every = list(itertools.product(p, repeat=2))
    weighted, differences = total(p[i] * s[i] for i in p), total(s.values())
    apart = total(abs(i * p[i] - j * p[j]) for i, j in every)
    spread = total(p[i] * p[j] * (i - j) ** 2 for i, j in every)
    return {
        "Busyness": weighted / apart if apart else Fraction(0),
        "Coarseness": 1 / weighted if weighted else Fraction(10**6),
        "Complexity": total(abs(i - j) * (p[i] * s[i] + p[j] * s[j]) / (p[i] + p[j]) for i, j in every) / n,
        "Contrast": spread / (len(p) * (len(p) - 1)) * differences / n if len(p) > 1 else Fraction(0),
        "Strength": total((p[i] + p[j]) * (i - j) ** 2 for i, j in every) / differences if differences else Fraction(0),
    }

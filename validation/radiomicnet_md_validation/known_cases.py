# SPDX-License-Identifier: Apache-2.0
"""Where PyRadiomics 3.0.1 is known to be wrong: each case named, with a test of the window itself, not of the result.

Rules of this module:

- A case is decided from grey levels and values alone; a disagreement that meets no case is a failure.
- What differs must be PyRadiomics' number: where the right value is one number, ours must be it, and
  ``tests/radiomics/test_maps_exact.py`` compares all of them with an exact evaluation.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Place = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """Grey levels (−1 takes no part) and grey values of an image, and one window in it."""

    levels: NDArray[np.integer]
    image: NDArray[np.generic]
    place: Place
    radius: int
    distances: Sequence[int] = (1,)

    def box(self) -> tuple[slice, ...]:
        """The part of the image that the window covers."""
        return tuple(slice(max(at - self.radius, 0), at + self.radius + 1) for at in self.place)

    def occupied(self) -> Counter[int]:
        """How often each level 1 … Ng occurs."""
        part = self.levels[self.box()]
        return Counter((part[part >= 0] + 1).tolist())

    def matrices(self) -> Iterator[Counter[tuple[int, int]]]:
        """Symmetric co-occurrence counts of each offset that has a pair."""
        part = self.levels[self.box()]
        for offset in itertools.product(range(-max(self.distances), max(self.distances) + 1), repeat=part.ndim):
            if offset <= (0,) * part.ndim or max(map(abs, offset)) not in self.distances:
                continue
            first = part[tuple(slice(max(-step, 0), min(-step, 0) or None) for step in offset)]
            second = part[tuple(slice(max(step, 0), min(step, 0) or None) for step in offset)]
            if 0 in first.shape or 0 in second.shape or first.shape != second.shape:
                continue
            both = (first >= 0) & (second >= 0)
            one, other = first[both].tolist(), second[both].tolist()
            if one:
                yield Counter(zip(one + other, other + one, strict=True))


@dataclass(frozen=True, slots=True)
class Known:
    """One case: what it concerns, what happens there, whether a window is one, and what is right."""

    name: str
    features: frozenset[str]
    sentence: str
    applies: Callable[[Window], bool]
    right: float | None  # the value by definition, where it is one number


def _equal_products(window: Window) -> bool:
    occupied = window.occupied()
    return len(occupied) > 1 and len({level * count for level, count in occupied.items()}) == 1


def _independent(window: Window) -> bool:
    return any(_is_product(counts) for counts in window.matrices())


def _is_product(counts: Counter[tuple[int, int]]) -> bool:
    rows: Counter[int] = Counter()
    for (level, _), count in counts.items():
        rows[level] += count
    n = counts.total()
    return len(rows) > 1 and all(n * counts[i, j] == rows[i] * rows[j] for i in rows for j in rows)


def _one_level(window: Window) -> bool:
    taking_part = window.levels[window.levels >= 0]
    return bool((taking_part == taking_part[0]).all())


def _flat(window: Window) -> bool:
    values = window.image[window.box()][window.levels[window.box()] >= 0]
    return bool((values == values[0]).all())


KNOWN: tuple[Known, ...] = (
    Known(
        "equal products",
        frozenset({"ngtdm_Busyness"}),
        "Level times count is the same for all levels of the window: the denominator is 0 and busyness 0 by"
        " definition, but rounding leaves about 1e-16 there and busyness becomes about 1e15.",
        _equal_products,
        0.0,
    ),
    Known(
        "independent levels",
        frozenset({"glcm_MCC", "glcm_Imc2"}),
        "Levels of the pairs of one angle are independent, so MCC and Imc2 of that angle are 0; the root of"
        " rounding noise, up to about 2e-8, stands in their place.",
        _independent,
        None,
    ),
    Known(
        "image of one level",
        frozenset({"glcm_MCC"}),
        "MCC of a window of one level is 0 in every image but one of a single level, where it is 1.",
        _one_level,
        0.0,
    ),
    Known(
        "flat window",
        frozenset({"firstorder_Skewness", "firstorder_Kurtosis"}),
        "The mean of equal values that no double holds exactly is off by a last digit; skewness becomes ±1 and"
        " kurtosis 1, where both are 0.",
        _flat,
        0.0,
    ),
)


def which(feature: str, window: Window) -> Known | None:
    """The case that a window is of a feature, if any."""
    return next((case for case in KNOWN if feature in case.features and case.applies(window)), None)

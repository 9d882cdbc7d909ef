# SPDX-License-Identifier: Apache-2.0
"""How far an image, and what was found in it, lie from what the device was made from: named values, integer sums.

Rules of this module:

- An image is judged by the thirteen values of the paper and by plain sums over its grey levels on the working grid.
  A value becomes a position: 0 at the reference middle, −1 and +1 at the two ends of its reference range.
- The distance is the quadratic form xᵀ W x of the positions in integers, W the locked inverse of their covariance
  (Mahalanobis 1936). It is a sum of one share a value, and a sum of integers knows no order.
- Ends, middles, W, the limit of the distance and the ranges of shapes are those of the release. Nothing is fitted here.
- The image is *refused* where the distance is above the limit; a result whose shape lies outside a range is *flagged*,
  and nothing about it is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics.definitions import PAPER
from radiomicnet_md.radiomics.region_definitions import VALUES

POSITION_BITS = 8  # a position of 1.0: the end of a reference range
WEIGHT_BITS = 12  # a weight of 1.0
FARTHEST = 64 << POSITION_BITS  # positions are clipped here, so that no sum leaves 64 bits
HEAVIEST = 1 << 20  # largest magnitude of a weight, for the same reason

_OWN = ("solidity", "at the image border")  # asked of each region

_QUANTILES = (5, 25, 50, 75, 95)  # percent of the pixels
_BANDS = 4  # parts of the depth
_SIDE = 8  # a side strip is an eighth of the width
_STEPS = (1, 2, 4)  # distances of pixel pairs
NAMES: tuple[str, ...] = (
    *PAPER,
    *(f"grey level at {share} %" for share in _QUANTILES),
    *(f"mean grey, depth part {band + 1} of {_BANDS}" for band in range(_BANDS)),
    "mean grey, left strip",
    "mean grey, right strip",
    *(f"mean step {way}, {step} px" for step in _STEPS for way in ("down", "across")),
)

SHAPES: dict[str, tuple[str, int]] = {
    "regions": ("1", 1),
    **{value.name: (value.unit, value.scale) for value in VALUES if value.name in ("area", *_OWN)},
}
"""What is asked of a result: unit and scale by name; ``area`` is that of all regions, solidity and border their own."""

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


def values(levels: NDArray[np.uint8], paper: Sequence[float]) -> Floats:
    """The values of :data:`NAMES` of an image on the working grid (h, w) whose thirteen are ``paper``.

    Sums are integers and each mean is one division of two of them, so the bits are the same everywhere. The mean of
    a part without a pixel (an image three pixels high has no four parts) is 0.
    """
    grey = levels.astype(np.int64)
    rows, columns = grey.shape
    ranked = np.sort(grey, axis=None)
    at_share = [float(ranked[(grey.size - 1) * share // 100]) for share in _QUANTILES]
    cuts = [rows * band // _BANDS for band in range(_BANDS + 1)]
    parts = [grey[top:bottom] for top, bottom in pairwise(cuts)]
    strip = max(1, columns // _SIDE)
    parts += [grey[:, :strip], grey[:, columns - strip :]]
    for step in _STEPS:
        parts += [np.abs(grey[step:] - grey[:-step]), np.abs(grey[:, step:] - grey[:, :-step])]
    return np.array([*paper, *at_share, *(_mean(part) for part in parts)], dtype=np.float64)


def _mean(part: Integers) -> float:
    return int(part.sum()) / part.size if part.size else 0.0


@dataclass(frozen=True, slots=True)
class Outside:
    """How far an image lies from the reference."""

    distance: int  # 2**-(2 · POSITION_BITS + WEIGHT_BITS)
    shares: Integers  # (values,), their sum is the distance
    farthest: int  # index of the value whose position has the largest magnitude


@dataclass(frozen=True, slots=True)
class Reference:
    """What is usual, in numbers; part of the release (``reference`` in ``acceptance.json``)."""

    low: tuple[float, ...]  # (values,) lower end of the reference range
    middle: tuple[float, ...]
    high: tuple[float, ...]
    weights: tuple[tuple[int, ...], ...]  # (values, values), symmetric, 2**-WEIGHT_BITS
    limit: int  # largest distance that is admitted
    shapes: Mapping[str, tuple[int, int]]  # of SHAPES: smallest and largest usual value

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Reference:
        """Read what :meth:`to_json` wrote; on anything else a Value-, Type-, Key-, Attribute- or OverflowError."""
        low, middle, high = (tuple(map(float.fromhex, value[name])) for name in ("low", "middle", "high"))
        weights = tuple(tuple(map(int, row)) for row in value["weights"])
        shapes = {name: (int(least), int(most)) for name, (least, most) in value["shapes"].items()}
        reference = cls(low, middle, high, weights, int(value["limit"]), shapes)
        if reference.to_json() != value or not reference.is_sound():
            raise ValueError
        return reference

    def to_json(self) -> dict[str, Any]:
        """As stored: floats as ``float.hex()``, everything else integers."""
        return {
            "values": list(NAMES),
            **{name: [end.hex() for end in getattr(self, name)] for name in ("low", "middle", "high")},
            "weights": [list(row) for row in self.weights],
            "limit": self.limit,
            "shapes": {name: list(ends) for name, ends in self.shapes.items()},
        }

    def is_sound(self) -> bool:
        """Whether sizes agree, ends ascend, weights are symmetric, shapes complete, and no sum can leave 64 bits."""
        count = len(NAMES)
        ends = list(zip(self.low, self.middle, self.high, strict=True))
        weights = np.array(self.weights, dtype=np.int64)
        return (
            len(ends) == count
            and all(-np.inf < low < middle < high < np.inf for low, middle, high in ends)
            and weights.shape == (count, count)
            and bool((weights == weights.T).all() and np.abs(weights).max() <= HEAVIEST)
            and set(self.shapes) == set(SHAPES)
            and all(least <= most for least, most in self.shapes.values())
        )

    def positions(self, measured: Floats) -> Integers:
        """Where values (values,) or (cases, values) lie, in 2**-POSITION_BITS, clipped at ±:data:`FARTHEST`."""
        middle = np.array(self.middle)
        below, above = middle - np.array(self.low), np.array(self.high) - middle
        away = measured - middle
        place = away / np.where(away < 0, below, above) * float(1 << POSITION_BITS)
        return np.asarray(np.rint(np.clip(place, -FARTHEST, FARTHEST)), dtype=np.int64)

    def judge(self, measured: Floats) -> Outside:
        """The distance of an image's values (values,)."""
        place = self.positions(measured)
        shares = place * (np.array(self.weights, dtype=np.int64) @ place)
        return Outside(int(shares.sum()), shares, int(np.abs(place).argmax()))

    def say(self, measured: Floats) -> tuple[str, str, bool]:
        """What a record says of an image's values (values,): distance, value farthest outside; their limits; held."""
        outside = self.judge(measured)
        at = outside.farthest
        value = f"distance {_plain(outside.distance)}; {NAMES[at]} {measured[at]:.6g}"
        limit = f"distance {_plain(self.limit)}; {self.low[at]:.6g} … {self.high[at]:.6g}"
        return value, limit, outside.distance <= self.limit

    def say_shape(self, name: str, found: Sequence[int]) -> tuple[str, str, bool]:
        """What a record says of one of :data:`SHAPES` of a result."""
        unit, scale = SHAPES[name]
        least, most = self.shapes[name]

        def shown(value: int) -> str:
            return str(value) if scale == 1 else f"{value / scale:.4f}"

        limit = f"{shown(least)} … {shown(most)}" + ("" if unit == "1" else f" {unit}")
        return ", ".join(map(shown, found)) or "no region", limit, all(least <= value <= most for value in found)


def _plain(distance: int) -> str:
    """A distance with one decimal, rounded down, in integers."""
    tenths = distance * 10 >> (2 * POSITION_BITS + WEIGHT_BITS)
    return f"{tenths // 10}.{tenths % 10}"


def shapes(regions: Sequence[Mapping[str, int]]) -> dict[str, list[int]]:
    """The values of :data:`SHAPES` of a result, from the named values of its regions; none where there is no region."""
    if not regions:
        return {name: [] for name in SHAPES}
    own = {name: [values[name] for values in regions] for name in _OWN}
    return {"regions": [len(regions)], "area": [sum(values["area"] for values in regions)], **own}

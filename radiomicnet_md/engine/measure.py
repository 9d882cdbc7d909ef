# SPDX-License-Identifier: Apache-2.0
"""From grey levels to what the network sees: working grid, thirteen values, thirty-two code maps.

Rules of this module:

- Training and device call the same functions; nothing is measured in two ways.
- A map's value becomes a code by comparison with locked thresholds (``value > threshold`` counted), so
  what reaches the network is an integer. A sum over pixels is exact and rounded once; it knows no order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import resample
from radiomicnet_md.radiomics import lbp, named_maps, paper

STEP = 2  # maps are measured at every second pixel: the half grid
OUTSIDE = 64  # the code of a place outside the image


@dataclass(frozen=True, slots=True)
class Scale:
    """One scale of the sixteen maps."""

    radius: int  # window radius, pixels of the working grid
    smoothing: int  # box radius of the surface maps
    relative: bool  # minus the map's mean over the image


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """What the release locks about measuring."""

    shift: int  # grey level >> shift gives the GLCM level
    scales: tuple[Scale, ...]
    mirrored: bool  # the network also sees the mirror image, and the two answers are averaged

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Preprocessing:
        """Read ``preprocessing.json``."""
        return cls(
            int(value["shift"]), tuple(Scale(**scale) for scale in value["scales"]), bool(value.get("mirrored", False))
        )

    def to_json(self) -> dict[str, Any]:
        """The content of ``preprocessing.json``."""
        scales = [{"radius": s.radius, "smoothing": s.smoothing, "relative": s.relative} for s in self.scales]
        return {"grid": GRID, "shift": self.shift, "scales": scales, "mirrored": self.mirrored}

    def views(self, levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The network's inputs (views, 2, GRID, GRID) of levels (h, w): the image, and its mirror image."""
        return np.stack([canvas(levels), canvas(levels[:, ::-1])] if self.mirrored else [canvas(levels)])


@dataclass(frozen=True, slots=True)
class Measured:
    """An image on the working grid with its measurements."""

    levels: NDArray[np.uint8]  # (h, w)
    paper: NDArray[np.float64]  # (13,)
    maps: NDArray[np.float64]  # (scales · 16, ⌈h/2⌉, ⌈w/2⌉), ordered by scale, then name


def measure(source: NDArray[np.uint8], preprocessing: Preprocessing) -> Measured:
    """Measure a grey image (rows, columns) of any size."""
    levels = resample.shrink(source, *resample.fit(source.shape[0], source.shape[1], GRID))
    grey = levels >> np.uint8(preprocessing.shift)
    codes = lbp.codes(levels)
    stacks = []
    for scale in preprocessing.scales:
        maps = named_maps.named(levels, grey, codes, scale.radius, scale.smoothing, step=STEP)
        if scale.relative:
            maps = maps - named_maps.means(maps)[:, None, None]
        stacks.append(maps)
    return Measured(levels, paper.values(levels, grey, codes), np.concatenate(stacks))


def encode(maps: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Codes 0 … T of maps (M, h2, w2): how many of the map's ascending thresholds (M, T) lie below the value."""
    return named_maps.ranks(maps, thresholds)


def canvas(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The network's input (2, GRID, GRID): grey levels and depth, at the upper left, zero outside."""
    rows, columns = levels.shape
    out = np.zeros((2, GRID, GRID), dtype=np.uint8)
    out[0, :rows, :columns] = levels
    out[1, :rows, :columns] = ((2 * np.arange(rows, dtype=np.int64) + 1) * 255 // (2 * rows)).astype(np.uint8)[:, None]
    return out


def code_canvas(codes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Codes (M, h2, w2) on the half canvas (M, GRID/2, GRID/2), :data:`OUTSIDE` elsewhere."""
    out = np.full((codes.shape[0], GRID // STEP, GRID // STEP), OUTSIDE, dtype=np.uint8)
    out[:, : codes.shape[1], : codes.shape[2]] = codes
    return out

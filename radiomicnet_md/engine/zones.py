# SPDX-License-Identifier: Apache-2.0
"""The parts of the half grid that evidence is added up over: lesion, border, background; disjoint, and together all."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import Region

Mask = NDArray[np.bool_]
BORDER_PX = 3  # width of the border band around a lesion, pixels of the half grid


def half_grid(region: Mask, rows: int, columns: int) -> Mask:
    """A region of the working grid on the (rows, columns) half grid: True where it covers at least half a pixel."""
    from radiomicnet_md.engine.kernels import grids  # not above: a record can be read before anything is compiled

    height, width = region.shape
    return np.asarray(2 * grids.area_sums(region, rows, columns) >= height * width)


def zones(chosen: Iterable[Region], rows: int, columns: int) -> dict[str, Mask]:
    """The three zones (rows, columns) of the half grid.

    The lesion is the union of the chosen regions; the border band the pixels outside it that are at most
    ``BORDER_PX`` steps (up, down, left, right) away; the background everything else.
    """
    lesion = np.zeros((rows, columns), dtype=np.bool_)
    for region in chosen:
        lesion |= half_grid(region.pixels, rows, columns)
    reached = lesion
    for _ in range(BORDER_PX):
        reached = _grown(reached)
    return {"lesion": lesion, "border": reached & ~lesion, "background": ~reached}


def _grown(zone: Mask) -> Mask:
    """The zone and its four neighbours."""
    grown = zone.copy()
    grown[1:] |= zone[:-1]
    grown[:-1] |= zone[1:]
    grown[:, 1:] |= zone[:, :-1]
    grown[:, :-1] |= zone[:, 1:]
    return grown

# SPDX-License-Identifier: Apache-2.0
"""An image becomes one line of voxels, a window a list of offsets on it: two and three dimensions are one case.

Rules of this module:

- Between rows (and slices) lie as many voxels without a level as a window reaches, so that no window meets
  a voxel of the next row. What a window finds there takes no part, which is all that clipping means.
- Offsets stand in raster order, and every step points forward in it: a pair's first voxel comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

LANES = 512  # windows that lie side by side on the line are measured at a time
_NARROW_LEVELS = 127  # the sum of two levels then fits a byte with one value to spare
_NARROW_COUNT = 254  # so does every count of voxels, or of twice the pairs, of a window

Offsets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Moves:
    """Steps from the first voxel of a pair to the second, and the pairs that each finds in a window.

    Rows of an array are padded; ``pairs`` and ``rows`` say how much of them counts.
    """

    steps: Offsets  # (moves,) on the line
    pairs: Offsets  # (moves,)
    ends: Offsets  # (moves, 2, most pairs): first and second voxel of each pair as indices of the window's voxels
    first: Offsets  # (moves, most pairs): the first voxels as offsets on the line
    rows: Offsets  # (moves,)
    row: Offsets  # (moves, most rows): the rows in which pairs begin, as offsets on the line
    left: Offsets  # (moves,): column of a row's first pair, relative to the centre
    width: Offsets  # (moves,): pairs of a row


@dataclass(frozen=True, slots=True)
class Window:
    """All voxels of a window on a line."""

    offsets: Offsets  # in raster order
    near: Moves  # at distance 1: 4 in two dimensions, 13 in three
    moves: Moves  # at the distances asked for


@dataclass(frozen=True, slots=True)
class Line:
    """An image laid out as a line."""

    levels: NDArray[np.unsignedinteger]  # 1 … number; `missing` outside the image and where a voxel takes no part
    missing: int
    number: int  # the highest level
    place: NDArray[np.int64]  # index of each voxel in the raveled image, −1 where there is nothing to measure
    strides: tuple[int, int, int]
    begin: int
    end: int  # every voxel of the image lies in begin … end − 1


def pairs_in(radius: int, dimensions: int) -> int:
    """The most pairs that one move has in a window."""
    side = 2 * radius + 1
    return int(side ** (dimensions - 1)) * (side - 1)


def lay_out(levels: NDArray[np.integer], radius: int) -> Line:
    """Lay out (rows, columns) or (slices, rows, columns) of levels −1 … N−1."""
    volume = levels if levels.ndim == len("zyx") else levels[None]
    slices, rows, columns = volume.shape
    number = int(levels.max()) + 1
    flat = slices == 1
    voxels = (2 * radius + 1) ** (2 if flat else 3)
    narrow = number <= _NARROW_LEVELS and max(voxels, 2 * pairs_in(radius, 2 if flat else 3)) <= _NARROW_COUNT
    kind = np.uint8 if narrow else np.uint16
    missing = int(np.iinfo(kind).max)
    row = columns + radius
    plane = (rows + radius) * row
    begin = radius * ((0 if flat else plane) + row + 1)
    end = begin + (slices - 1) * plane + (rows - 1) * row + columns
    gaps = slices, rows + radius, row  # each row and slice with the voxels behind it that belong to none
    line = np.full(begin + slices * plane + begin + LANES, missing, dtype=kind)
    place = np.full(line.size, -1, dtype=np.int64)
    index = np.arange(volume.size, dtype=np.int64).reshape(volume.shape)
    image = slice(begin, begin + slices * plane)
    line[image].reshape(gaps)[:, :rows, :columns] = np.where(volume >= 0, volume + 1, missing)
    place[image].reshape(gaps)[:, :rows, :columns] = np.where(volume >= 0, index, -1)
    return Line(line, missing, number, place, (plane, row, 1), begin, end)


def lay_out_values(image: NDArray[np.generic], line: Line) -> NDArray[np.float64]:
    """Grey values on the line of their levels; infinity where there is none, which sorts behind every value."""
    values = np.full(line.levels.size, np.inf)
    there = line.place >= 0
    values[there] = np.asarray(image, dtype=np.float64).ravel()[line.place[there]]
    return values


@lru_cache(maxsize=32)
def window(radius: int, dimensions: int, strides: tuple[int, ...], distances: tuple[int, ...] = (1,)) -> Window:
    """The window of a radius in 2 or 3 dimensions, with the moves of all Chebyshev distances (IBSI: δ).

    Kept for the next slice of the same size; nobody may write to it.
    """
    reach = range(-radius, radius + 1)
    cells = np.array(list(product(reach if dimensions == len("zyx") else (0,), reach, reach)), dtype=np.int64)
    on_line = np.array(strides, dtype=np.int64)
    near = _moves(cells, on_line, (1,))
    return Window(cells @ on_line, near, near if distances == (1,) else _moves(cells, on_line, distances))


def _steps(distance: int, deep: bool) -> list[tuple[int, int, int]]:  # noqa: FBT001 - one caller
    """One of each two opposite steps of a Chebyshev distance: the one that points forward."""
    reach = range(-distance, distance + 1)
    every = product(reach if deep else (0,), reach, reach)
    return [step for step in every if max(map(abs, step)) == distance and step > (0, 0, 0)]


def _moves(cells: Offsets, on_line: Offsets, distances: tuple[int, ...]) -> Moves:
    radius = cells.max(axis=0)
    order = np.array([(2 * radius[1] + 1) * (2 * radius[2] + 1), 2 * radius[2] + 1, 1])  # of cells, in raster order
    found = []
    for step in (step for distance in distances for step in _steps(distance, bool(radius[0]))):
        inside = (np.abs(cells + step) <= radius).all(axis=1)
        if inside.any():
            found.append((np.array(step), np.flatnonzero(inside)))
    starts = [cells[first] for _, first in found]
    left = [start[0, 2] for start in starts]  # pairs begin in a box: each of its rows with the same column
    rows = [start[start[:, 2] == column] @ (on_line * (1, 1, 0)) for start, column in zip(starts, left, strict=True)]
    return Moves(
        steps=np.array([step @ on_line for step, _ in found], dtype=np.int64),
        pairs=np.array([first.size for _, first in found], dtype=np.int64),
        ends=np.stack([_padded([f for _, f in found]), _padded([f + step @ order for step, f in found])], axis=1),
        first=_padded([start @ on_line for start in starts]),
        rows=np.array([row.size for row in rows], dtype=np.int64),
        row=_padded(rows),
        left=np.array(left, dtype=np.int64),
        width=np.array([start[-1, 2] - start[0, 2] + 1 for start in starts], dtype=np.int64),
    )


def _padded(lists: list[Offsets]) -> Offsets:
    """Arrays of unequal length as the rows of one array."""
    out = np.zeros((len(lists), max(map(len, lists), default=0)), dtype=np.int64)
    for row, one in zip(out, lists, strict=True):
        row[: one.size] = one
    return out

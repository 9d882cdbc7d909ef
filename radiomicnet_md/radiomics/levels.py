# SPDX-License-Identifier: Apache-2.0
"""Grey values become whole levels once; what is measured afterwards is measured on these.

Rules of this module:

- Two ways are PyRadiomics': a number of bins between the region's minimum and maximum (IBSI: fixed bin
  number), or a bin width with edges at multiples of the width. The third is IBSI's fixed bin size: a bin
  width with edges from a lower bound on, the same for every region (the lower end of the re-segmentation range).
- Edges are double precision whatever the image's type. PyRadiomics computes them in the image's own
  type, where float32 moves edges and, with NumPy 2, uint8 overflows at ``max + 2 * width``.
- A shift of 1e-9 in an image moves whole bins, so a record holds the digest of the levels, not of values.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.errors import InputError, UsageError

MAXIMUM = 256  # levels; a co-occurrence matrix of more would be nearly empty
OUTSIDE = -1


@dataclass(frozen=True, slots=True)
class Levels:
    """A discretised image."""

    array: NDArray[np.int16]  # the image's shape; 0 … count - 1 in the region, OUTSIDE elsewhere
    count: int  # of bins (bin count) or of bins up to the highest occupied one (bin width)
    edges: NDArray[np.float64]  # level k holds what is at least edges[k] and below edges[k + 1]


def discretise(
    image: NDArray[np.generic],
    region: NDArray[np.bool_] | None = None,
    *,
    bin_count: int | None = None,
    bin_width: float | None = None,
    bin_start: float | None = None,
) -> Levels:
    """Levels of an image of any shape; exactly one of ``bin_count`` and ``bin_width`` is given.

    :param image: real numbers
    :param region: True where a pixel takes part, of the image's shape; None for all
    :param bin_start: with ``bin_width``, where level 0 begins: level = ⌊(x − start) / width⌋; None for the last
        multiple of the width that is not above the region's minimum
    :raises InputError: no pixel, a value that is not finite, or a range that double precision cannot divide
    :raises UsageError: a parameter out of range, a value below the start, or more than :data:`MAXIMUM` levels
    """
    _check_parameters(bin_count, bin_width, bin_start)
    inside = np.ones(image.shape, dtype=np.bool_) if region is None else region
    values = np.asarray(image[inside], dtype=np.float64)
    if values.size == 0:
        raise InputError("E-LEVELS-EMPTY", "The region has no pixel.", remedy="Give a region with at least one pixel.")
    if not np.isfinite(values).all():
        raise InputError(
            "E-LEVELS-NOT-FINITE",
            "The image holds NaN or infinite values.",
            remedy="Replace them before measuring; a level cannot be made from them.",
        )
    edges = _edges_by_count(values, bin_count) if bin_width is None else _edges_by_width(values, bin_width, bin_start)
    if edges.size <= 1 or not (np.diff(edges) > 0).all():
        raise _indivisible()
    found = np.digitize(values, edges) - 1
    array = np.full(image.shape, OUTSIDE, dtype=np.int16)
    array[inside] = found
    return Levels(array, int(found.max()) + 1 if bin_count is None else bin_count, edges)


def _check_parameters(bin_count: int | None, bin_width: float | None, bin_start: float | None) -> None:
    if (bin_count is None) == (bin_width is None):
        raise UsageError(
            "E-LEVELS-PARAMETER",
            "Either a bin count or a bin width must be given, not both.",
            remedy="Choose one of --bin-count and --bin-width.",
        )
    if bin_count is not None and not 1 <= bin_count <= MAXIMUM:
        raise UsageError(
            "E-LEVELS-COUNT",
            f"A bin count lies between 1 and {MAXIMUM}, not {bin_count}.",
            remedy=f"Choose a bin count of at most {MAXIMUM}.",
        )
    if bin_width is not None and not (math.isfinite(bin_width) and bin_width > 0):
        raise UsageError(
            "E-LEVELS-PARAMETER",
            "A bin width must be a positive number.",
            remedy="Choose a positive bin width, in units of the image's values.",
        )
    if bin_start is not None and (bin_width is None or not math.isfinite(bin_start)):
        raise UsageError(
            "E-LEVELS-PARAMETER",
            "A bin start is a finite number and goes with a bin width.",
            remedy="Give it together with a bin width, or leave it out.",
        )


def _indivisible() -> InputError:
    return InputError(
        "E-LEVELS-RANGE",
        "Double precision cannot divide the image's range of values into these bins.",
        remedy="Rescale the image, or choose fewer or wider bins.",
    )


def _edges_by_count(values: NDArray[np.float64], bin_count: int | None) -> NDArray[np.float64]:
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            edges = np.histogram_bin_edges(values, bins=bin_count or 1)
    except ValueError as error:  # NumPy: "Too many bins for data range"
        raise _indivisible() from error
    edges[-1] += 1  # the bins are half open, and the maximum belongs to the last
    return np.asarray(edges, dtype=np.float64)


def _edges_by_width(values: NDArray[np.float64], width: float, start: float | None) -> NDArray[np.float64]:
    lowest, highest = float(values.min()), float(values.max())
    first = lowest - lowest % width if start is None else start
    if lowest < first:
        raise UsageError(
            "E-LEVELS-START",
            f"The lowest value, {lowest:g}, lies below the bin start of {first:g}.",
            remedy="Choose a lower start, or leave the values below it out of the region.",
        )
    if not (highest - first) / width < MAXIMUM:
        raise UsageError(
            "E-LEVELS-COUNT",
            f"A bin width of {width:g} makes more than {MAXIMUM} levels of this image.",
            remedy="Choose a wider bin, or a bin count.",
        )
    return np.arange(first, highest + 2 * width, width, dtype=np.float64)

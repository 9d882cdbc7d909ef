# SPDX-License-Identifier: Apache-2.0
"""Named measurements of an image: per image, per pixel and per region, each with definition, unit and code.

Two calls, arrays in and values out; the reference page (``docs/reference/radiomics.md``) defines every name:

>>> from radiomicnet_md import radiomics
>>> maps = radiomics.dense(levels, ["glcm_Contrast", "glrlm_RunEntropy"], radius=2)   # doctest: +SKIP
>>> values = radiomics.lesion(image, mask, spacing_mm=(0.1, 0.1)).values   # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from radiomicnet_md.radiomics.per_lesion import Lesion


def dense(  # noqa: PLR0913 - a window's properties
    levels: NDArray[np.integer],
    features: Sequence[str] | None = None,
    *,
    image: NDArray[np.generic] | None = None,
    radius: int = 1,
    distances: Sequence[int] = (1,),
    voxel_size: float = 1.0,
    threads: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float64]:
    """Each feature's value in the window around every voxel: float64 (features, *levels.shape).

    A window holds the voxels at most ``radius`` steps away along each axis; where it leaves the image, or
    meets a voxel without a level, it is the smaller for it. The values are those of PyRadiomics' voxel-based
    extraction of the same window (``maskedKernel`` where some voxels have no level), except where that is
    known to be wrong.

    :param levels: discretised grey levels (rows, columns) or (slices, rows, columns), 0 … N−1 with N ≤ 256, and
        −1 for a voxel that takes no part: the array of :func:`radiomicnet_md.radiomics.levels.discretise`.
        In formulas level 0 counts as 1.
    :param features: names as in PyRadiomics, ``<class>_<Feature>``; None for all 93
    :param image: grey values of the same shape, which the first-order features but entropy and uniformity need
    :param radius: window radius in voxels, 1 to 4
    :param distances: Chebyshev distances of the pairs of GLCM, each 1 to 3; each at most 2 · radius to count a pair
    :param voxel_size: area (mm²) or volume (mm³) of a voxel, for ``firstorder_TotalEnergy``
    :param threads: at most this many; None for numba's number. The result does not depend on it.
    :param progress: called with the finished share 0 … 1 from time to time
    :returns: NaN where a voxel has no level, and where its window leaves a feature undefined
    :raises UsageError: a name, radius, distance or number that does not exist
    :raises InputError: levels or image that cannot be measured
    """
    from radiomicnet_md.radiomics import windows

    return windows.measure(
        levels,
        features,
        image=image,
        radius=radius,
        distances=distances,
        voxel_size=voxel_size,
        threads=threads,
        progress=progress,
    )


def lesion(  # noqa: PLR0913 - one rule of discretisation is given
    image: NDArray[np.generic],
    mask: NDArray[np.generic],
    spacing_mm: tuple[float, ...] | None = None,
    *,
    bin_count: int | None = None,
    bin_width: float | None = None,
    bin_start: float | None = None,
) -> Lesion:
    """All values of the region where ``mask`` is not 0: 102 in 2-D, 107 in 3-D, each a number or typed UNDEFINED.

    :param image: grey values (rows, columns) or (slices, rows, columns)
    :param mask: of the same shape
    :param spacing_mm: distance of pixel centres along each axis; None withholds every value that needs it
    :param bin_count: number of grey levels, or
    :param bin_width: width of one in units of the image; neither means PyRadiomics' width of 25
    :param bin_start: with a bin width, where the lowest level begins (IBSI's fixed bin size with a lower bound);
        None for PyRadiomics' edges at multiples of the width
    :raises InputError: shapes that differ or are not 2-D or 3-D, a spacing that is not positive, values not finite
    :raises UsageError: binning parameters out of range, a value below the start
    """
    from radiomicnet_md.radiomics import per_lesion

    return per_lesion.measure(image, mask, spacing_mm, bin_count=bin_count, bin_width=bin_width, bin_start=bin_start)

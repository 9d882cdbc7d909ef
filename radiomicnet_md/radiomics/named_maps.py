# SPDX-License-Identifier: Apache-2.0
"""The sixteen named maps: what each name is worth around each pixel.

The order of axis 0 is :data:`radiomicnet_md.radiomics.definitions.NAMED`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm, lbp, moments, surface
from radiomicnet_md.radiomics.definitions import NAMED

SHAPE_RATIO = NAMED.index("hessian_ShapeIndex")


def named(  # noqa: PLR0913 - one window has these six properties
    image: NDArray[np.integer],
    levels: NDArray[np.integer],
    codes: NDArray[np.uint8],
    radius: int,
    smoothing: int,
    *,
    step: int = 1,
) -> NDArray[np.float64]:
    """The sixteen maps at every ``step``-th pixel, float64 (16, ⌈rows/step⌉, ⌈columns/step⌉).

    :param image: whole grey values (rows, columns) for the first-order and the surface maps, as stored
    :param levels: discretised grey levels for the GLCM maps
    :param codes: uniform LBP codes of the image (:func:`radiomicnet_md.radiomics.lbp.codes`)
    :param radius: window radius in pixels
    :param smoothing: box radius q of the surface maps

    The shape index stands here as its ratio (see :mod:`radiomicnet_md.radiomics.surface`).
    """
    return np.concatenate(
        [
            glcm.dense(levels, radius, step=step),
            lbp.dense(codes, radius, step=step),
            moments.dense(image, radius, step=step),
            surface.dense(image, smoothing, step=step),
        ]
    )

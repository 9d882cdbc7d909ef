# SPDX-License-Identifier: Apache-2.0
"""Thirteen numbers measured from an image, as the paper names them (arXiv 2607.02185, section on features).

GLCM at distances 1 and 3, four angles, symmetric, averaged; LBP with P = 24, R = 3, uniform; four moments.
The order is :data:`radiomicnet_md.radiomics.definitions.PAPER`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.radiomics import glcm, lbp, moments

DISTANCES = (1, 3)


def values(image: NDArray[np.generic], levels: NDArray[np.integer], codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The thirteen global values, float64 (13,); arguments as in :func:`radiomicnet_md.radiomics.named_maps.named`."""
    return np.concatenate([glcm.whole(levels, distances=DISTANCES), lbp.whole(codes), moments.whole(image)])

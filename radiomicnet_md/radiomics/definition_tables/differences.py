# SPDX-License-Identifier: Apache-2.0
"""Where PyRadiomics 3.0.1, IBSI and this project give different answers, and which.

Each row is shown by a test in ``tests/radiomics/test_pyradiomics_defects.py``.
"""

from __future__ import annotations

Rows = tuple[tuple[str, ...], ...]

UNDEFINED: Rows = (
    ("case", "PyRadiomics", "lesion here", "map here"),
    (
        "all grey values equal",
        "skewness and kurtosis 0, or ±1 and 1 where rounding moves the mean",
        "undefined",
        "0",
    ),
    (
        "one grey level",
        "correlation 1, Imc1 0; coarseness 10⁶; busyness, contrast and strength 0",
        "undefined",
        "as PyRadiomics",
    ),
    ("one grey level: MCC", "1 in a region; 0, NaN or the root of rounding noise in a map", "undefined", "0"),
    ("one px", "an error from the extractor, NaN from the classes", "undefined", "GLCM and GLRLM NaN"),
    ("no two px touch", "GLCM NaN, coarseness 10⁶", "undefined", "as PyRadiomics"),
    ("no pixel size", "1 mm is assumed", "undefined", "asked for by `voxel_size`"),
)

WRONG: Rows = (
    ("case", "PyRadiomics", "here"),
    (
        "map: a window has no pair along an angle that another of its batch has (isolated px; distance 2 at corners)",
        "MCC is 0 in every px of the batch, with one line in the log; joint average NaN in this one",
        "right; NaN only in a window without any pair",
    ),
    ("map: `voxelBatch`", "MCC and joint average change with it, for the reason above", "there is no batch"),
    (
        "MCC or Imc2 of an angle is 0",
        "the root of rounding noise, about 1e-8; NaN where the noise is negative, which drops the angle",
        "0 in a map; a lesion as PyRadiomics",
    ),
    (
        "i pᵢ is the same for all levels",
        "busyness is 0 or, by rounding noise, about 10¹⁶",
        "0 in a map; a lesion undefined",
    ),
    (
        "one pair, run or zone in all",
        "entropy −3e-16 (ε = 2.2e-16 is added in logarithms)",
        "0 in a map; a lesion as PyRadiomics",
    ),
    (
        "8-bit image, bin width w, maximum above 255 − 2w, NumPy 2",
        "the upper edge overflows: wrong levels",
        "right levels",
    ),
    ("32-bit float image", "edges in single precision: other levels", "edges in double precision"),
    (
        "px on one line that is no row or column",
        "an axis of 0 is about 1e-7 mm, by rounding noise, or a complex number",
        "the real part",
    ),
)

FOLLOWED: Rows = (
    ("case", "PyRadiomics and here", "IBSI"),
    ("kurtosis", "not reduced", "reduced by 3"),
    ("axis lengths", "covariance divided by n", "the reference values by n − 1"),
    (
        "an angle of which no line holds two px (scattered region)",
        "left out of the mean over angles",
        "each px is a run",
    ),
    ("NGTDM: px without neighbours", "counted, with a difference of 0", "left out"),
    ("bin width without a start", "edges at multiples of the width", "edges from a lower bound"),
)

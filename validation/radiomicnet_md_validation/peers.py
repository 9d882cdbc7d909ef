# SPDX-License-Identifier: Apache-2.0
"""What another program says of the same image: PyRadiomics' voxel-based maps, asked in the way that it answers best.

Rules of this module:

- The only place that calls PyRadiomics in voxel mode; tests and reports ask here.
- Co-occurrence goes voxel by voxel (``voxelBatch`` 1) where a window may lack an angle: in a larger batch one
  such window zeroes the MCC and blanks the joint average of all (listed as an anomaly of PyRadiomics).
- The image goes there in double precision, so that its bins are those of
  :func:`radiomicnet_md.radiomics.levels.discretise`.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

BATCH = 1000  # voxels; the default (all) takes gigabytes and is slower


def pyradiomics_maps(  # noqa: PLR0913 - PyRadiomics' settings
    image: NDArray[np.generic],
    mask: NDArray[np.bool_] | None = None,
    *,
    radius: int,
    bin_count: int,
    masked: bool = False,
    distances: Sequence[int] = (1,),
) -> dict[str, NDArray[np.float64]]:
    """All 93 maps under ``class_Feature``, each of the image's shape.

    :param image: grey values (rows, columns) or (slices, rows, columns)
    :param mask: True where a value is wanted; None for everywhere. Elsewhere the maps hold 0.
    :param radius: window radius in voxels
    :param bin_count: number of grey levels between minimum and maximum
    :param masked: whether a window, and the range of the levels, is the mask's alone
    :param distances: of GLCM; the other classes know distance 1
    """
    volume = np.asarray(image, dtype=np.float64)[(None,) * (3 - image.ndim)]
    wanted = np.ones(volume.shape, dtype=np.uint8) if mask is None else mask.reshape(volume.shape).astype(np.uint8)
    settings = {
        "voxelBased": True,
        "maskedKernel": masked,
        "kernelRadius": radius,
        "binCount": bin_count,
        "force2D": image.ndim == len("xy"),
        "force2Ddimension": 0,
    }
    whole = not masked and tuple(distances) == (1,)
    found = {}
    with _quiet():
        import SimpleITK

        pair = SimpleITK.GetImageFromArray(volume), SimpleITK.GetImageFromArray(wanted)
        for prefix, kind in _classes().items():
            own: dict[str, Any] = {"voxelBatch": BATCH if whole or prefix != "glcm" else 1}
            own |= {"distances": list(distances)} if prefix == "glcm" else {}
            for name, result in kind(*pair, **settings, **own).execute().items():
                found[f"{prefix}_{name}"] = np.asarray(SimpleITK.GetArrayFromImage(result)).reshape(image.shape)
    return found


def _classes() -> dict[str, Any]:
    from radiomics import firstorder, glcm, gldm, glrlm, glszm, ngtdm

    logging.getLogger("radiomics").setLevel(logging.CRITICAL + 1)  # the import above sets its own level
    return {
        "firstorder": firstorder.RadiomicsFirstOrder,
        "glcm": glcm.RadiomicsGLCM,
        "glrlm": glrlm.RadiomicsGLRLM,
        "glszm": glszm.RadiomicsGLSZM,
        "gldm": gldm.RadiomicsGLDM,
        "ngtdm": ngtdm.RadiomicsNGTDM,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """It speaks through its logger, NumPy's warnings and its error state; the maps say enough."""
    logger = logging.getLogger("radiomics")
    before = logger.level
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            logger.setLevel(logging.CRITICAL + 1)
            yield
    finally:
        logger.setLevel(before)


LIMIT = 1e-9  # relative
MCC_LIMIT = 1e-8  # absolute: the root of an eigenvalue near 0 is no better in PyRadiomics
_FLOOR = 1e-3  # below it a difference is absolute, ≤ 1e-12: logarithms of sums with ε, moments that cancel to 0


def difference(
    feature: str, found: NDArray[np.float64], expected: NDArray[np.float64], level_count: int
) -> NDArray[np.float64]:
    """How far two maps of one feature are apart, voxel by voxel: 0 where both are NaN, infinite where one is.

    Relative to the expected value or the floor, whichever is larger. A third power of levels can cancel to 0,
    so the floor of the cluster shade grows as they do. Imc2 is a root and compared by its square. MCC: absolute.
    """
    same = (np.isnan(found) & np.isnan(expected)) | (found == expected)
    with np.errstate(invalid="ignore"):
        apart = np.abs(found - expected)
        if feature == "glcm_Imc2":
            apart, expected = np.abs(found**2 - expected**2), expected**2
        if feature != "glcm_MCC":
            floor = _FLOOR * level_count**3 if feature == "glcm_ClusterShade" else _FLOOR
            apart = apart / np.maximum(np.abs(expected), floor)
    return np.where(same, 0.0, np.where(np.isnan(apart), np.inf, apart))


def limit(feature: str) -> float:
    """The difference that is allowed."""
    return MCC_LIMIT if feature == "glcm_MCC" else LIMIT

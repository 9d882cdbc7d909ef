# SPDX-License-Identifier: Apache-2.0
"""Slow, plain evaluations of the definitions, and PyRadiomics' own maps: what the tests compare with.

Rules of this module:

- Nothing here shares code with the package under test.
- Counts and moments are exact rationals (``fractions``); a root or logarithm is taken once, at the end, with 40 digits.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

ANGLES = ((0, 1), (1, 0), (1, 1), (1, -1))
DIGITS = 40


def window(image: NDArray[Any], row: int, column: int, radius: int) -> NDArray[Any]:
    """The part of the image at most ``radius`` away from a pixel along either axis."""
    return image[max(row - radius, 0) : row + radius + 1, max(column - radius, 0) : column + radius + 1]


def everywhere(image: NDArray[Any], radius: int) -> Iterator[tuple[int, int, NDArray[Any]]]:
    """Each pixel with its window."""
    for row, column in np.ndindex(image.shape):
        yield row, column, window(image, row, column, radius)


def pairs(levels: NDArray[Any], row_step: int, column_step: int) -> Counter[tuple[int, int]]:
    """Symmetric co-occurrence counts of one step."""
    counts: Counter[tuple[int, int]] = Counter()
    rows, columns = levels.shape
    for row, column in np.ndindex(rows, columns):
        r, c = row + row_step, column + column_step
        if 0 <= r < rows and 0 <= c < columns:
            i, j = int(levels[row, column]), int(levels[r, c])
            counts[i, j] += 1
            counts[j, i] += 1
    return counts


def glcm(levels: NDArray[Any], distances: tuple[int, ...] = (1,)) -> list[Fraction]:
    """Contrast, dissimilarity, homogeneity, energy and correlation, averaged over the steps that have a pair."""
    found = [
        _glcm_of(counts)
        for distance in distances
        for angle in ANGLES
        if (counts := pairs(levels, distance * angle[0], distance * angle[1]))
    ]
    return (
        [sum(column, Fraction(0)) / len(found) for column in zip(*found, strict=True)] if found else [Fraction(0)] * 5
    )


def _glcm_of(counts: Counter[tuple[int, int]]) -> list[Fraction]:
    total = sum(counts.values())
    p = {pair: Fraction(count, total) for pair, count in counts.items()}
    mean = sum((q * i for (i, _), q in p.items()), Fraction(0))
    variance = sum((q * (i - mean) ** 2 for (i, _), q in p.items()), Fraction(0))
    product = sum((q * (i - mean) * (j - mean) for (i, j), q in p.items()), Fraction(0))
    return [
        sum((q * (i - j) ** 2 for (i, j), q in p.items()), Fraction(0)),
        sum((q * abs(i - j) for (i, j), q in p.items()), Fraction(0)),
        sum((q / (1 + (i - j) ** 2) for (i, j), q in p.items()), Fraction(0)),
        sum((q * q for q in p.values()), Fraction(0)),
        product / variance if variance else Fraction(1),
    ]


def moments(values: NDArray[Any]) -> list[float]:
    """Mean, standard deviation, skewness and kurtosis of exact values."""
    numbers = [Fraction(v) for v in values.ravel().tolist()]
    n = len(numbers)
    mean = sum(numbers, Fraction(0)) / n
    second, third, fourth = (sum(((v - mean) ** k for v in numbers), Fraction(0)) / n for k in (2, 3, 4))
    with localcontext() as context:
        context.prec = DIGITS
        deviation = _decimal(second).sqrt()
        skewness = _decimal(third) / (_decimal(second) * deviation) if second else Decimal(0)
        kurtosis = _decimal(fourth) / _decimal(second) ** 2 if second else Decimal(0)
    return [float(mean), float(deviation), float(skewness), float(kurtosis)]


def statistics(codes: NDArray[Any]) -> list[float]:
    """Mean, standard deviation, entropy in bits and uniformity of codes."""
    counts = Counter(codes.ravel().tolist())
    n = codes.size
    mean = Fraction(sum(k * c for k, c in counts.items()), n)
    variance = Fraction(sum(k * k * c for k, c in counts.items()), n) - mean**2
    entropy = -math.fsum(c / n * math.log2(c / n) for c in counts.values())
    with localcontext() as context:
        context.prec = DIGITS
        deviation = float(_decimal(variance).sqrt())
    return [float(mean), deviation, entropy, float(Fraction(sum(c * c for c in counts.values()), n * n))]


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def pyradiomics_maps(image: NDArray[Any], radius: int, bin_count: int) -> dict[str, NDArray[np.float64]]:
    """PyRadiomics' voxel-based maps of the whole image for the names that it shares with ours."""
    import SimpleITK
    from radiomics import firstorder
    from radiomics import glcm as texture

    volume = SimpleITK.GetImageFromArray(image[None].astype(np.float64))
    everything = SimpleITK.GetImageFromArray(np.ones((1, *image.shape), dtype=np.uint8))
    settings = {
        "voxelBased": True,
        "maskedKernel": False,
        "kernelRadius": radius,
        "binCount": bin_count,
        "force2D": True,
        "force2Ddimension": 0,
        "distances": [1],
        "voxelBatch": 1000,
    }
    wanted = {
        "firstorder": (firstorder.RadiomicsFirstOrder, ("Mean", "StandardDeviation", "Skewness", "Kurtosis")),
        "glcm": (
            texture.RadiomicsGLCM,
            ("Contrast", "DifferenceAverage", "Idm", "JointEnergy", "Correlation"),
        ),
    }
    logging.getLogger("radiomics").setLevel(logging.CRITICAL)
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for prefix, (kind, names) in wanted.items():
            extractor = kind(volume, everything, **settings)
            for name in names:
                extractor.enableFeatureByName(name)
            for name, result in extractor.execute().items():
                found[f"{prefix}_{name}"] = SimpleITK.GetArrayFromImage(result)[0]
    return found


def pyradiomics_all_maps(  # noqa: PLR0913 - PyRadiomics' settings
    image: NDArray[Any],
    mask: NDArray[np.bool_] | None,
    radius: int,
    bin_count: int,
    *,
    masked: bool,
    distances: Sequence[int] = (1,),
) -> dict[str, NDArray[np.float64]]:
    """All 93 voxel-based maps of a 2-D (in its plane) or 3-D image; see :mod:`radiomicnet_md_validation.peers`."""
    from radiomicnet_md_validation import peers

    return peers.pyradiomics_maps(image, mask, radius=radius, bin_count=bin_count, masked=masked, distances=distances)


def close(ours: NDArray[Any] | float, theirs: NDArray[Any] | float, relative: float = 1e-9) -> bool:
    """Equal to a relative tolerance; 1e-12 absolute where the true value is 0 and a float is not."""
    return bool(np.allclose(ours, theirs, rtol=relative, atol=1e-12, equal_nan=False))

# SPDX-License-Identifier: Apache-2.0
"""What a training part says is usual: thresholds that turn maps into codes, and how often each code occurs.

Nothing of a held-out case enters: thresholds, frequencies, means and deviations come from the cases at ``part``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID
from radiomicnet_md.engine import measure
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md_training.dataset import Dataset

_CONTRAST = PAPER.index("glcm_Contrast")
QUANTILES = measure.OUTSIDE - 1  # inner 64-quantiles


@dataclass(frozen=True, slots=True)
class Prepared:
    """All cases of a data set as one training part sees them; N cases, M maps."""

    data: Dataset
    part: NDArray[np.int64]  # the cases that training may use
    values: NDArray[np.float64]  # (N, 13) as measured
    codes: NDArray[np.uint8]  # (N, M, GRID/2, GRID/2)
    thresholds: NDArray[np.float64]  # (M, 63)
    usual: NDArray[np.float64]  # (M, 64): how often each code occurs in the part
    mean: NDArray[np.float64]  # (13,) over the part
    deviation: NDArray[np.float64]  # (13,)
    largest: float  # GLCM contrast of the part
    shrink: int = 1  # pixels of the working grid, a side, that the network sees as one

    def standardised(self) -> NDArray[np.float64]:
        """The thirteen values as the gates see them, clipped to ±4."""
        return np.asarray(np.clip((self.values - self.mean) / self.deviation, -4, 4))

    def contrast(self) -> NDArray[np.float64]:
        """GLCM contrast (N,) as a share of the part's largest, at most 1 (the paper's L_RC compares with it)."""
        return np.asarray(np.clip(self.values[:, _CONTRAST] / self.largest, 0, 1))


def prepare(data: Dataset, part: NDArray[np.int64], preprocessing: measure.Preprocessing) -> Prepared:
    """Measure every case (about 15 ms each) and code the maps by the part's quantiles."""
    maps, values = _measured(data, preprocessing)
    thresholds = quantiles(maps[part])
    codes = _coded(data, maps, thresholds)
    counts = np.stack(
        [np.bincount(codes[part, m].ravel(), minlength=measure.OUTSIDE + 1) for m in range(codes.shape[1])]
    )[:, : measure.OUTSIDE]
    usual = counts / counts.sum(1, keepdims=True)
    known = values[part]
    return Prepared(
        data, part, values, codes, thresholds, usual, known.mean(0), known.std(0), float(known[:, _CONTRAST].max())
    )


def as_seen(other: Dataset, prepared: Prepared, preprocessing: measure.Preprocessing) -> Prepared:
    """Another data set with the thresholds, means and deviations of a training part; nothing of it is trained on."""
    maps, values = _measured(other, preprocessing)
    codes = _coded(other, maps, prepared.thresholds)
    return replace(prepared, data=other, part=np.zeros(0, dtype=np.int64), values=values, codes=codes)


def _measured(data: Dataset, preprocessing: measure.Preprocessing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maps (N, M, GRID/2, GRID/2), NaN outside the images, and the thirteen values (N, 13)."""
    half = GRID // measure.STEP
    count = len(preprocessing.scales) * len(NAMED)
    maps = np.full((len(data.names), count, half, half), np.nan)
    values = np.zeros((len(data.names), len(PAPER)))
    for case in range(len(data.names)):
        measured = measure.measure(data.levels(case), preprocessing)
        rows, columns = measured.maps.shape[1:]
        maps[case, :, :rows, :columns] = measured.maps
        values[case] = measured.paper
    return maps, values


def _coded(data: Dataset, maps: NDArray[np.float64], thresholds: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The code of each value, ``OUTSIDE`` outside the images."""
    codes = np.full(maps.shape, measure.OUTSIDE, dtype=np.uint8)
    for case, (rows, columns) in enumerate((data.sizes + 1) // measure.STEP):
        codes[case, :, :rows, :columns] = measure.encode(
            np.ascontiguousarray(maps[case, :, :rows, :columns]), thresholds
        )
    return codes


def quantiles(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 63 inner 64-quantiles of each map over cases (N, M, h2, w2) with NaN outside: (M, 63), ascending."""
    rows = []
    for m in range(maps.shape[1]):
        seen = np.sort(maps[:, m][np.isfinite(maps[:, m])])
        rows.append(seen[(len(seen) - 1) * np.arange(1, QUANTILES + 1) // (QUANTILES + 1)])
    return np.stack(rows)

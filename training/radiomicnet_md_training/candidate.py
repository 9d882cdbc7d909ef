# SPDX-License-Identifier: Apache-2.0
"""The files of a release that decide, from a network under study; and the cases that set their scales."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine import building, measure, segment
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.candidate import as_json
from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md_training.prepare import Prepared

CALIBRATION_CASES = 64  # about so many, evenly spread over the training cases, set the scales of the integers
NO_REGIONS: dict[str, Any] = {"intercept": 0, "terms": {}}


def files(
    network: PixelNetwork, prepared: Prepared, preprocessing: Preprocessing, region: dict[str, Any]
) -> dict[str, bytes]:
    """The deciding files, by name."""
    batches = building.batches(calibration(prepared))
    return {
        **building.decides(network, batches, measured(prepared), preprocessing, region),
        segment.PREPROCESSING: as_json(preprocessing.to_json()),
        segment.ACCEPTANCE: Limits().to_json().encode(),
    }


def measured(prepared: Prepared) -> dict[str, NDArray[np.float64]]:
    """What the training part says is usual, as a candidate holds it."""
    return {"thresholds": prepared.thresholds, "mean": prepared.mean, "deviation": prepared.deviation}


def calibration(prepared: Prepared) -> dict[str, NDArray[Any]]:
    """Canvases (N, 2, GRID, GRID) and standardised values (N, 13) of :func:`index`, as a candidate holds them."""
    chosen = index(prepared)
    return {
        "images": np.stack([measure.canvas(prepared.data.levels(i)) for i in chosen.tolist()]),
        "values": prepared.standardised()[chosen].astype(np.float32),
    }


def index(prepared: Prepared) -> NDArray[np.int64]:
    """The training cases that set the scales."""
    train = prepared.part
    return train[:: max(1, len(train) // CALIBRATION_CASES)]

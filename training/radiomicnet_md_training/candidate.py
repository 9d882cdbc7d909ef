# SPDX-License-Identifier: Apache-2.0
"""The files of a release that decide: integers, tables, preprocessing and limits, from a trained network."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save
from torch import Tensor

from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md.engine import gating, lock, program, segment, tables
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.measure import Preprocessing
from radiomicnet_md.model.network import PixelNetwork
from radiomicnet_md_training import pixel
from radiomicnet_md_training.prepare import Prepared

CALIBRATION_CASES = 64  # about so many, evenly spread over the training cases, set the scales of the integers
NO_REGIONS: dict[str, Any] = {"intercept": 0, "terms": {}}


def files(
    network: PixelNetwork, prepared: Prepared, preprocessing: Preprocessing, region: dict[str, Any]
) -> dict[str, bytes]:
    """The deciding files, by name."""
    chosen = _calibration_index(prepared)
    batches: list[tuple[Tensor, Tensor]] = []
    for start in range(0, len(chosen), 8):
        batch = pixel.gather(prepared, chosen[start : start + 8])
        batches.append((batch.images, batch.values))
    locked = lock.lock(network, batches)
    head = network.head
    views = 2 if preprocessing.mirrored else 1
    phi = np.rint(head.tables().detach().double().numpy() * 2**program.TABLE_BITS).astype(int)
    content = {
        "program": program.to_json(locked.operations),
        "largest_sums": locked.sums,
        "thresholds": [[t.hex() for t in row] for row in prepared.thresholds.tolist()],
        "values": {
            "mean": [v.hex() for v in prepared.mean.tolist()],
            "deviation": [v.hex() for v in prepared.deviation.tolist()],
        },
        "spatial": tables.spatial().tolist(),
        "channel": tables.channel(gating.SIGMOID_BITS).tolist(),
        "head": {
            "phi": phi.tolist(),
            "gate": tables.gate(views).tolist(),
            "rest": tables.rest(network.head.rho, views).tolist(),
            "bias": round(head.bias.item() * 2**LOGIT_BITS),
            "rho": round(network.head.rho * 2**LOGIT_BITS),
        },
        "region": region,
    }
    return {
        segment.WEIGHTS: save({name: np.ascontiguousarray(locked.tensors[name]) for name in sorted(locked.tensors)}),
        segment.TABLES: as_json(content),
        segment.PREPROCESSING: as_json(preprocessing.to_json()),
        segment.ACCEPTANCE: Limits().to_json().encode(),
    }


def calibration(prepared: Prepared) -> list[str]:
    """Names of the training cases that set the scales."""
    return [prepared.data.names[i] for i in _calibration_index(prepared)]


def _calibration_index(prepared: Prepared) -> NDArray[np.int64]:
    train = prepared.part
    return train[:: max(1, len(train) // CALIBRATION_CASES)]


def as_json(value: Any) -> bytes:  # noqa: ANN401
    """Sorted, compact, ending in a newline."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"

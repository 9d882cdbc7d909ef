# SPDX-License-Identifier: Apache-2.0
"""How many pixels change sides when a network becomes integers: {z ≥ 0} of the float network against the locked engine.

Rules of this module:

- Every image is answered by the network of the fold that left it out, once in floats and once locked.
- All pixels of the working grid inside the image count; nothing is averaged away.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch

from radiomicnet_md.engine import decide
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_training import candidate, networks, pixel
from radiomicnet_md_training.harness import Row

FILE = "quantised.json"


def store(row: Row, results: Path) -> None:
    """Write ``results/quantised.json``: images, pixels, how many changed sides, in how many images, the most in one."""
    flipped: list[int] = []
    pixels = 0
    for unit in row.units():
        prepared, held_out = row.prepared(unit), row.held_out(unit.fold)
        network = row.run(unit, prepared).network
        summed = networks.as_sum(network, prepared)
        if summed is None:
            continue
        engine = Engine(candidate.files(summed, prepared, row.recipe.measuring, candidate.NO_REGIONS))
        z = pixel.evidence(network, prepared, held_out, mirrored=row.recipe.measuring.mirrored)
        floats = pixel.to_grid(torch.from_numpy(z)[:, None], row.data.masks.shape[-1])[:, 0].numpy() >= 0
        for place, case in enumerate(held_out.tolist()):
            levels = row.data.levels(case)
            locked = decide.upsample(engine.propose(levels).evidence.logit, *levels.shape) >= 0
            rows, columns = levels.shape
            flipped.append(int(np.count_nonzero(locked != floats[place, :rows, :columns])))
            pixels += levels.size
    content = {
        "row": row.recipe.name,
        "images": len(flipped),
        "pixels": pixels,
        "flipped": sum(flipped),
        "images_with_a_flip": sum(map(bool, flipped)),
        "most_in_one_image": max(flipped),
    }
    (results / FILE).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")

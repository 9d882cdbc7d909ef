# SPDX-License-Identifier: Apache-2.0
"""From the verified bytes of a release and grey levels to the decision, and what differs from another one.

Rules of this module:

- The files are those that :class:`radiomicnet_md.engine.segment.Engine` takes. They are read here once more: the
  weights from their plain layout (a length, a JSON header, little-endian arrays), the tables from JSON.
- Digests are compared in the order of the stages, so what is named first is what went wrong first.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import GRID, Decision, Region
from radiomicnet_md.engine import program
from radiomicnet_md.engine.reference import gating, grid, head, measure, network, regions
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.radiomics.definitions import NAMED

STAGES = ("levels", "features", "trunk", "logit", "mask")
_ANSWERS = "golden/answers.json"
_TYPES = {"F32": "<f4", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"}  # safetensors' names

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Answer:
    """What the reference decides; arrays, regions and stages as in :class:`radiomicnet_md.decision.Decision`."""

    mask: NDArray[np.uint8]
    chosen: tuple[Region, ...]
    runner_up: Region | None
    candidates: int
    logit: Integers
    contributions: Integers
    rest: Integers
    stages: Mapping[str, str]


def decide(files: Mapping[str, bytes], source: NDArray[np.uint8]) -> Answer:
    """Decide one image (rows, columns)."""
    tables, preprocessing = json.loads(files["tables.json"]), json.loads(files["preprocessing.json"])
    levels = grid.shrink(source)
    values = measure.values(levels, preprocessing["shift"])
    codes = _codes(levels, tables, preprocessing)
    outputs = _outputs(files, tables, levels, values, mirrored=preprocessing.get("mirrored", False))
    contributions, rest = head.contributions(tables["head"], outputs, codes, len(NAMED))
    logit = head.total(int(tables["head"]["bias"]), contributions, rest)
    chosen, runner_up, candidates = regions.choose(logit, levels, codes[: len(NAMED)], tables["region"])
    small = np.any([np.zeros(levels.shape, dtype=np.bool_), *(region.pixels for region in chosen)], axis=0)
    mask = grid.enlarge(small, *source.shape)
    features = np.concatenate([values.astype("<f8").view(np.uint8), codes.ravel()])
    digests = (
        array_sha256(levels),
        array_sha256(features),
        array_sha256(outputs.reshape(-1, *outputs.shape[2:]).astype(np.int16)),
        array_sha256(logit),
        mask_sha256(mask),
    )
    stages = dict(zip(STAGES, digests, strict=True))
    return Answer(mask, chosen, runner_up, candidates, logit, contributions, rest, stages)


def answers(files: Mapping[str, bytes], inputs: Mapping[str, NDArray[np.uint8]]) -> dict[str, Any]:
    """The known answers, in the form that a release stores: stage digests and scores of each named input."""
    decided = {name: decide(files, source) for name, source in inputs.items()}
    return {
        name: {"stages": dict(answer.stages), "scores": [region.score for region in answer.chosen]}
        for name, answer in decided.items()
    }


def golden_inputs(files: Mapping[str, bytes]) -> dict[str, NDArray[np.uint8]]:
    """The inputs (rows, columns) whose answers the release stores."""
    return {
        name: np.asarray(np.load(io.BytesIO(files[f"golden/{name}.npy"]), allow_pickle=False), dtype=np.uint8)
        for name in json.loads(files[_ANSWERS])
    }


def differences(files: Mapping[str, bytes], inputs: Mapping[str, NDArray[np.uint8]]) -> list[str]:
    """For each input whose stored answer is not the reference's: its name and the first stage that differs."""
    stored = json.loads(files[_ANSWERS])
    found = []
    for name, answer in answers(files, inputs).items():
        known = stored[name]
        wrong = [stage for stage in STAGES if known["stages"][stage] != answer["stages"][stage]]
        if wrong or known["scores"] != answer["scores"]:
            found.append(f"{name}: {(wrong or ['scores'])[0]}")
    return found


def first_difference(answer: Answer, decision: Decision) -> str | None:
    """The first part of a decision that is not the reference's, None where all are.

    Stages, then the evidence against the sum of the stored contributions, then contributions, number of candidates,
    and the regions with values, terms and score.
    """
    for stage in STAGES:
        if decision.stages[stage] != answer.stages[stage]:
            return stage
    total = head.total(decision.bias, decision.contributions, decision.rest)
    checks = {
        "sum of the contributions": np.array_equal(total, answer.logit),
        "contributions": np.array_equal(decision.contributions, answer.contributions),
        "rest": np.array_equal(decision.rest, answer.rest),
        "candidates": decision.candidates == answer.candidates,
        "chosen": list(map(_plain, decision.chosen)) == list(map(_plain, answer.chosen)),
        "runner-up": _plain(decision.runner_up) == _plain(answer.runner_up),
    }
    return next((name for name, held in checks.items() if not held), None)


def _plain(region: Region | None) -> tuple[Any, ...]:
    """All that a region says, comparable."""
    if region is None:
        return ()
    numbers = (region.threshold, region.area_px, region.box, region.intercept, region.score)
    return (*numbers, dict(region.values), dict(region.terms), region.pixels.tobytes())


def _codes(levels: NDArray[np.uint8], tables: Mapping[str, Any], preprocessing: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The codes of all maps (scales · names, h2, w2)."""
    stacks = []
    for scale in preprocessing["scales"]:
        stack = measure.maps(levels, preprocessing["shift"], scale["radius"], scale["smoothing"])
        stacks.append(measure.relative(stack) if scale["relative"] else stack)
    thresholds = [[float.fromhex(threshold) for threshold in row] for row in tables["thresholds"]]
    return measure.encode(np.concatenate(stacks), np.array(thresholds))


def _outputs(
    files: Mapping[str, bytes],
    tables: Mapping[str, Any],
    levels: NDArray[np.uint8],
    values: NDArray[np.float64],
    *,
    mirrored: bool,
) -> Integers:
    """The decoder's codes (views, gates + 1, h2, w2), the mirror image's turned back."""
    tensors = dict(_tensors(files["weights.safetensors"]))
    operations = program.from_json(tables["program"])
    sigmoid = np.array(tables["spatial"], dtype=np.int64)
    gates = sum(isinstance(operation, program.Gate) for operation in operations)
    factors = gating.factors(values.tolist(), tables, tensors, gates)
    rows, columns = ((side + 1) // 2 for side in levels.shape)
    views = []
    for turned in (False, True)[: 1 + mirrored]:
        canvas = _canvas(levels[:, ::-1] if turned else levels)
        output = network.run(operations, tensors, sigmoid, canvas, factors)["output"][:, :rows, :columns]
        views.append(output[..., ::-1] if turned else output)
    return np.stack(views)


def _canvas(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey levels, and the depth of each row's middle as a share of the image, 0 … 255; zero outside."""
    rows, columns = levels.shape
    canvas = np.zeros((2, GRID, GRID), dtype=np.uint8)
    canvas[0, :rows, :columns] = levels
    for row in range(rows):
        canvas[1, row, :columns] = (2 * row + 1) * 255 // (2 * rows)
    return canvas


def _tensors(data: bytes) -> Iterator[tuple[str, NDArray[Any]]]:
    """The arrays of a safetensors file by name."""
    length = int.from_bytes(data[:8], "little")
    for name, about in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            kind, start = np.dtype(_TYPES[about["dtype"]]), 8 + length + about["data_offsets"][0]
            flat = np.frombuffer(data, kind, math.prod(about["shape"]), start)
            yield name, flat.reshape(about["shape"])

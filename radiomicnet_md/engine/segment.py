# SPDX-License-Identifier: Apache-2.0
"""From grey levels to a decision, with nothing but what the release holds; the same bits wherever it runs.

Rules of this module:

- The engine is built from verified bytes alone and is not changed afterwards. It opens no file and no socket.
- No argument, environment variable or setting reaches weights, tables, thresholds or preprocessing.
- Sums are checked before a decision leaves: contributions against evidence, terms against scores.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.decision import Decision, Region
from radiomicnet_md.engine import (
    coalitions,
    contributions,
    decide,
    gating,
    immutable,
    measure,
    program,
    resample,
    runners,
)
from radiomicnet_md.engine.acceptance import Limits
from radiomicnet_md.engine.release import Release
from radiomicnet_md.engine.zones import zones
from radiomicnet_md.errors import IntegrityError, NotQualifiedError
from radiomicnet_md.image import array_sha256, mask_sha256
from radiomicnet_md.radiomics import per_lesion
from radiomicnet_md.radiomics.definitions import NAMED, PAPER

ARITHMETIC = "integers in float32"
WEIGHTS, TABLES, PREPROCESSING, ACCEPTANCE = (
    "weights.safetensors",
    "tables.json",
    "preprocessing.json",
    "acceptance.json",
)
ANSWERS = "golden/answers.json"


@dataclass(frozen=True, slots=True)
class Proposal:
    """What the pixel layer says before any region is chosen."""

    measured: measure.Measured
    codes: NDArray[np.uint8]  # (maps, h2, w2)
    outputs: NDArray[np.int16]  # (views, gates + 1, h2, w2): the decoder's codes of gates and rest, mirrored back
    evidence: contributions.Evidence
    attention: tuple[float, ...]
    stages: dict[str, str]


class Engine:
    """The locked device: :meth:`decide` is a function of the grey levels and the release."""

    def __init__(self, files: Mapping[str, bytes], runner: str | None = None) -> None:
        """Build everything from the bytes of a verified release.

        :param runner: one of :data:`radiomicnet_md.engine.runners.NAMES` to run the network instead of the one that the
            release names; the bits are the same
        """
        from safetensors.numpy import load

        tables = json.loads(files[TABLES])
        tensors = load(files[WEIGHTS])
        self._files = files
        self.preprocessing = measure.Preprocessing.from_json(json.loads(files[PREPROCESSING]))
        self.limits = Limits.from_json(files[ACCEPTANCE])
        self._thresholds = np.array([[float.fromhex(t) for t in row] for row in tables["thresholds"]])
        self.program = program.from_json(tables["program"])
        self.tensors = tensors
        if program.prove(self.program, tensors) != tables["largest_sums"]:
            raise IntegrityError(
                "E-BOUND", "the stored bounds are not those of the weights", remedy="build the release again"
            )
        self.spatial = np.array(tables["spatial"], dtype=np.int64)
        self.network = runners.made(runner or tables["engine"], self.program, tensors, self.spatial)
        self._gating = gating.Gating(
            np.array([float.fromhex(v) for v in tables["values"]["mean"]]),
            np.array([float.fromhex(v) for v in tables["values"]["deviation"]]),
            tensors,
            np.array(tables["channel"], dtype=np.int64),
            sum(isinstance(operation, program.Gate) for operation in self.program),
        )
        head = tables["head"]
        self.head = contributions.Head(
            np.array(head["phi"], dtype=np.int64),
            np.array(head["gate"], dtype=np.int64),
            np.array(head["rest"], dtype=np.int64),
            int(head["bias"]),
            int(head["rho"]),
            NAMED,
        )
        self.regions = decide.Tables.from_json(tables["region"])
        self._built = self._digest()

    @classmethod
    def load(cls, release: Release, runner: str | None = None) -> Engine:
        """The engine of a verified release."""
        return cls(release.files, runner)

    def factors(self, values: NDArray[np.float64]) -> list[NDArray[np.int64]]:
        """What the thirteen values (13,) let through: the channel factors of each gate."""
        return self._gating.factors(self._gating.vector(values))

    def propose(self, source: NDArray[np.uint8]) -> Proposal:
        """Measure an image (rows, columns) and gather its pixel evidence."""
        measured = measure.measure(source, self.preprocessing)
        codes = measure.encode(measured.maps, self._thresholds)
        raw = self.network.run(self.preprocessing.views(measured.levels), self.factors(measured.paper))
        rows, columns = codes.shape[1:]
        outputs = _turned_back(raw["output"], rows, columns)
        evidence = contributions.attribute(self.head, outputs, codes)
        contributions.verify(evidence, self.head.bias, self.head.rho)
        attention = tuple(
            float(self.spatial[raw[f"spatial{g}"] + program.SPATIAL[1]].sum())
            / (raw[f"spatial{g}"].size << program.SIGMOID_BITS)
            for g in range(self._gating.gates)
        )
        stages = {
            "levels": array_sha256(measured.levels),
            "features": array_sha256(np.concatenate([measured.paper.astype("<f8").view(np.uint8), codes.ravel()])),
            "trunk": array_sha256(outputs.reshape(-1, rows, columns)),
            "logit": array_sha256(evidence.logit),
        }
        return Proposal(measured, codes, outputs, evidence, attention, stages)

    def shares(self, proposal: Proposal, places: Mapping[str, NDArray[np.bool_]]) -> dict[str, dict[str, int]]:
        """What each group of the thirteen values gave to the logit's sum over each place (h2, w2) of an image.

        In the unit of :mod:`radiomicnet_md.engine.coalitions`. Raises :class:`IntegrityError` (``E-COMPLETENESS``)
        where the shares do not add up to the evidence.
        """
        measured, (rows, columns) = proposal.measured, proposal.evidence.logit.shape
        many = [self.factors(values) for values in coalitions.told(measured.paper, self._gating.mean)]
        answers = self.network.runs(self.preprocessing.views(measured.levels), many)
        logits = [
            contributions.attribute(self.head, _turned_back(raw["output"], rows, columns), proposal.codes).logit
            for raw in answers
        ]
        found = {}
        for name, place in places.items():
            found[name] = coalitions.shares(np.array([int(logit[place].sum()) for logit in logits]))
            if sum(found[name].values()) != coalitions.DENOMINATOR * int(proposal.evidence.logit[place].sum()):
                raise IntegrityError(
                    "E-COMPLETENESS",
                    "the groups' shares do not add up to the evidence",
                    remedy="report the defect; do not use the result",
                )
        return found

    def decide(self, source: NDArray[np.uint8], spacing_mm: tuple[float, float] | None) -> Decision:
        """Decide one admitted image (rows, columns); ``spacing_mm`` only scales what is measured of a lesion."""
        proposal = self.propose(source)
        levels = proposal.measured.levels
        choice = decide.choose(proposal.evidence.logit, levels, proposal.codes[: len(NAMED)], self.regions)
        small = np.zeros(levels.shape, dtype=np.bool_)
        for region in choice.chosen:
            _check_sum(region)
            small |= region.pixels
        mask = resample.enlarge_mask(small, *source.shape)
        paper = dict(zip(PAPER, proposal.measured.paper.tolist(), strict=True))
        return Decision(
            mask=mask,
            chosen=choice.chosen,
            runner_up=choice.runner_up,
            candidates=choice.candidates,
            levels=levels,
            logit=proposal.evidence.logit,
            names=NAMED,
            contributions=proposal.evidence.contributions,
            bias=self.head.bias,
            rest=proposal.evidence.rest,
            rho=self.head.rho,
            paper_values=paper,
            gamma=self._gating.gamma(),
            attention=proposal.attention,
            groups=self.shares(proposal, zones(choice.chosen, *proposal.evidence.logit.shape)),
            stages={**proposal.stages, "mask": mask_sha256(mask)},
            arithmetic=ARITHMETIC,
            lesions=tuple(
                _lesion(source, resample.enlarge_mask(region.pixels, *source.shape), spacing_mm)
                for region in choice.chosen
            ),
        )

    def answers(self, inputs: Mapping[str, NDArray[np.uint8]]) -> dict[str, Any]:
        """The known answers: for each named input its stage digests and the scores of the chosen regions."""
        found: dict[str, Any] = {}
        for name, source in inputs.items():
            decision = self.decide(source, None)
            scores = [region.score for region in decision.chosen]
            found[name] = {"stages": dict(decision.stages), "scores": scores}
        return found

    def known_answer_test(self) -> None:
        """Decide the release's golden inputs; any difference is a :class:`NotQualifiedError`.

        Raises :class:`IntegrityError` where a parameter is not the one that the engine was built with.
        """
        if self._digest() != self._built:
            raise IntegrityError(
                "E-PARAMETERS",
                "a parameter of the engine is not the one that was loaded",
                remedy="start again; if it happens again, do not trust this machine's memory",
            )
        expected = json.loads(self._files[ANSWERS])
        inputs = {name: load_array(self._files[f"golden/{name}.npy"]) for name in expected}
        for name, answer in self.answers(inputs).items():
            wrong = [stage for stage, digest in expected[name]["stages"].items() if answer["stages"][stage] != digest]
            if wrong or answer["scores"] != expected[name]["scores"]:
                raise NotQualifiedError(
                    "E-KAT",
                    f"the known-answer test differs on {name} from stage {(wrong or ['scores'])[0]} on",
                    remedy="this platform does not compute what the release promises: run `radiomicnet-md doctor`",
                )

    def _digest(self) -> str:
        """Over every number that the engine holds."""
        return immutable.digest({name: part for name, part in vars(self).items() if name != "_built"})


def _turned_back(output: NDArray[np.int16], rows: int, columns: int) -> NDArray[np.int16]:
    """The decoder's codes (views, gates + 1, H/2, W/2) within the image, the mirror image's answer turned back."""
    inside = np.ascontiguousarray(output[:, :, :rows, :columns])
    inside[1:] = inside[1:, ..., ::-1].copy()
    return inside


def load_array(data: bytes) -> NDArray[np.uint8]:
    """An array from the bytes of a .npy file; never unpickles."""
    return np.asarray(np.load(io.BytesIO(data), allow_pickle=False), dtype=np.uint8)


def _check_sum(region: Region) -> None:
    if region.score != region.intercept + sum(region.terms.values()):
        raise IntegrityError(
            "E-COMPLETENESS",
            "a region's terms do not add up to its score",
            remedy="report the defect; do not use the result",
        )


def _lesion(
    source: NDArray[np.uint8], mask: NDArray[np.uint8], spacing_mm: tuple[float, float] | None
) -> dict[str, Any]:
    """PyRadiomics' values of one chosen region, as a record holds them: ``float.hex()`` or why there is none."""
    measured = per_lesion.measure(source, mask, spacing_mm)
    values: dict[str, Any] = {
        name: {"undefined": value.reason.value} if isinstance(value, per_lesion.Undefined) else value.hex()
        for name, value in measured.values.items()
    }
    return {"pixels": measured.pixels, "levels_sha256": measured.levels_sha256, "values": values}

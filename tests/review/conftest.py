# SPDX-License-Identifier: Apache-2.0
"""Decisions made by hand: every sum in them is whole, so that a picture or a text of them can be judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from radiomicnet_md.decision import LOGIT_BITS, SCORE_BITS, Check, Decision, Region
from radiomicnet_md.engine import record
from radiomicnet_md.engine.zones import zones
from radiomicnet_md.image import Image, Origin
from radiomicnet_md.radiomics.definitions import NAMED, PAPER
from radiomicnet_md.radiomics.region_definitions import VALUE_NAMES
from radiomicnet_md.review.proven import Proof

STAMPS = ("unqualified demonstration", "untrusted-key")
HELD = (
    Check("modality", "US", "US", held=True),
    Check(
        "sop_class", "1.2.840.10008.5.1.4.1.1.6.1", "1.2.840.10008.5.1.4.1.1.6.1, 1.2.840.10008.5.1.4.1.1.7", held=True
    ),
    Check("not_blank", "13359 of 250880 pixels at one level", "at most 980 permille", held=True),
)
COLOUR = Check("channels", "differ", "equal", held=False)


@dataclass(frozen=True)
class Maker:
    """Builds decisions on given grey levels; the random generator is seeded, so each call gives the same."""

    seed: int = 7

    def region(self, pixels: NDArray[np.bool_], target: float, seed: int, threshold: int = 0) -> Region:
        """A region whose terms are random and whose intercept makes the sum ``target`` (logits)."""
        rng = np.random.default_rng(seed)
        drawn = rng.laplace(0, 0.15, len(VALUE_NAMES)) * (1 << SCORE_BITS)
        terms = {name: int(value) for name, value in zip(VALUE_NAMES, drawn, strict=True)}
        terms |= dict.fromkeys(VALUE_NAMES[-2:], 0)  # some tables say nothing
        score = round(target * (1 << SCORE_BITS))
        lines, columns = np.nonzero(pixels)
        return Region(
            threshold=threshold,
            area_px=int(pixels.sum()),
            box=(int(lines.min()), int(columns.min()), int(lines.max()) + 1, int(columns.max()) + 1),
            values={
                name: int(value)
                for name, value in zip(VALUE_NAMES, rng.integers(0, 4096, len(VALUE_NAMES)), strict=True)
            },
            terms=terms,
            intercept=score - sum(terms.values()),
            score=score,
            pixels=pixels,
        )

    def decision(
        self,
        levels: NDArray[np.uint8],
        chosen: tuple[Region, ...],
        runner_up: Region | None,
        candidates: int = 9,
    ) -> Decision:
        """A decision whose logit is bias + contributions + rest, exactly."""
        rng = np.random.default_rng(self.seed)
        half = tuple((side + 1) // 2 for side in levels.shape)
        unit = 1 << LOGIT_BITS
        shape = np.zeros(half)
        for region in (*chosen, *([runner_up] if runner_up else [])):
            shape += region.pixels[::2, ::2] * region.score / (1 << SCORE_BITS)
        rough = levels[::2, ::2] / 255.0 - 0.5
        weights = rng.laplace(0, 0.35, len(NAMED))
        parts = [w * rough + abs(w) * shape * rng.normal(0.6, 0.5) + rng.normal(0, 0.05, half) for w in weights]
        contributions = np.rint(np.stack(parts) * unit).astype(np.int64)
        rho = unit // 2
        rest = np.rint(np.tanh(shape + rng.normal(0, 0.3, half)) * rho).astype(np.int64)
        bias = -unit // 3
        mask = np.zeros(levels.shape, dtype=np.uint8)
        for region in chosen:
            mask |= region.pixels.astype(np.uint8)
        logit = bias + contributions.sum(axis=0) + rest
        return Decision(
            mask=mask,
            chosen=chosen,
            runner_up=runner_up,
            candidates=candidates,
            levels=levels,
            logit=logit,
            names=NAMED,
            contributions=contributions,
            bias=bias,
            rest=rest,
            rho=rho,
            paper_values={name: 1.5 * place - 3 for place, name in enumerate(PAPER)},
            gamma=(0.5, 0.5, 0.5, 0.5),
            attention=(0.5, 0.5, 0.5, 0.5),
            groups={
                name: {"usual": 5 * int(logit[zone].sum()), "GLCM": int(logit[zone].sum()), "LBP": 9, "intensity": -9}
                for name, zone in zones(chosen, *half).items()
            },
            stages={"levels": "0" * 64},
            arithmetic="integers in float32",
        )


def disc(shape: tuple[int, int], row: int, column: int, radius: int) -> NDArray[np.bool_]:
    """A filled circle on an empty plane."""
    down, across = np.ogrid[: shape[0], : shape[1]]
    return (down - row) ** 2 + (across - column) ** 2 <= radius**2


@pytest.fixture
def maker() -> Maker:
    """The builder of synthetic decisions."""
    return Maker()


@pytest.fixture
def levels() -> NDArray[np.uint8]:
    """Grey noise on a working grid of 144 x 192 pixels."""
    return np.random.default_rng(3).integers(0, 256, (144, 192), dtype=np.uint8)


@pytest.fixture
def found(maker: Maker, levels: NDArray[np.uint8]) -> Decision:
    """One chosen region and a runner-up."""
    chosen = maker.region(disc((144, 192), 60, 90, 30), 1.25, seed=1)
    other = maker.region(disc((144, 192), 62, 92, 38), 0.75, seed=2, threshold=-2)
    return maker.decision(levels, (chosen,), other)


@pytest.fixture
def rejected(maker: Maker, levels: NDArray[np.uint8]) -> Decision:
    """Candidates, but none with a sum above zero."""
    return maker.decision(levels, (), maker.region(disc((144, 192), 60, 90, 12), -0.5, seed=1))


@pytest.fixture
def nothing(maker: Maker, levels: NDArray[np.uint8]) -> Decision:
    """No candidate at all."""
    return maker.decision(levels, (), None, candidates=0)


PROOF = Proof(
    index=4,
    size=7,
    root="9" * 64,
    origin="radiomicnet-md/0011223344556677",
    keyid="7" * 64,
    envelope_sha256="5" * 64,
    leaf_sha256="6" * 64,
    claims=("the log agrees with its anchor on the same machine",),
)


@dataclass(frozen=True)
class Pages:
    """Statements of records as the device describes them, and the proof that came with them."""

    levels: NDArray[np.uint8]
    proof: Proof = PROOF

    def result(self, decision: Decision) -> dict[str, Any]:
        """The statement of an accepted case."""
        return self._statement(record.Outcome.RESULT, decision, None, HELD)

    def refused(self, text: str = "The image is in colour.", remedy: str = "Send it in grey.") -> dict[str, Any]:
        """The statement of a case that the gate refused."""
        reason = record.Reason("E-INPUT-COLOUR", text, remedy)
        return self._statement(record.Outcome.REFUSED, None, reason, (*HELD, COLOUR))

    def failed(self) -> dict[str, Any]:
        """The statement of an attempt that ended before anything was read."""
        reason = record.Reason("E-INPUT-EMPTY", "The file is empty.", "Send the file again.")
        return self._statement(record.Outcome.ERROR, None, reason, (), readable=False)

    def _statement(
        self,
        state: record.Outcome,
        decision: Decision | None,
        reason: record.Reason | None,
        checks: tuple[Check, ...],
        *,
        readable: bool = True,
    ) -> dict[str, Any]:
        origin = Origin("dicom", "1" * 64, "2" * 64, modality="US", photometric="MONOCHROME2", bits_stored=8)
        image = Image(self.levels[None, :, :, None], origin, (0.2, 0.25)) if readable else None
        case = record.Case(
            record_id="0123456789abcdefghjkmnpqrs",
            request_id="tuvwxyz0123456789abcdefghj",
            state=state,
            file_sha256="1" * 64,
            image=image,
            commitments={"PatientID": "a" * 64, "PatientName": "b" * 64} if readable else {},
            checks=checks,
            decision=decision,
            reason=reason,
        )
        release = {"id": "busi-locked", "version": "0.1.0", "manifest_sha256": "ab" * 32}
        code, environment = {"version": "0.1.0", "sha256": "c" * 64}, {"sha256": "d" * 64}
        maker = record.Maker(STAMPS, "uid:0", release, code, environment, "e" * 64)
        predicate = record.describe(case, maker)
        predicate["log"] = {
            "origin": self.proof.origin,
            "producer": "engine",
            "counter": 4,
            "time_utc": "2026-11-23T08:40:12Z",
            "monotonic_ns": "12",
        }
        return record.statement(predicate)


@pytest.fixture
def pages(levels: NDArray[np.uint8]) -> Pages:
    """Statements to write pages from."""
    return Pages(levels)

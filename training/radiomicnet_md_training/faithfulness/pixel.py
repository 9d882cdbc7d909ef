# SPDX-License-Identifier: Apache-2.0
"""The pixel layer's explanation put to the test: is it complete, does it bind, and is it the names or the gates.

Rules of this module:

- Completeness is ``==`` on integers, pixel by pixel: the evidence comes from the torch path, the sum from the
  contributions that a record would hold. A pixel that differs is counted, never rounded away.
- The share of the logit's variance is taken after each map's table has been centred on training images here, whatever
  the tables themselves say: a constant behind a gate earns no share.
- A frozen gate is one number a map, so that the tables alone have to tell pixels apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md.engine import record, zones
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md_training.faithfulness.look import Case, Floats, Integers, Mask, Seen, gates, rechoose, spoken
from radiomicnet_md_validation.metrics import dice

BAND = 3  # pixels of the working grid on either side of the mask's border


@dataclass(frozen=True, slots=True)
class Usual:
    """What each map's table says, and how far its gate is open, on the mean training pixel."""

    said: Integers  # (maps,) 2**-TABLE_BITS, rounded
    gates: Floats  # (maps,) 2**-GATE_BITS


def usual(engine: Engine, training: Sequence[Case]) -> Usual:
    """Means over all pixels of training images."""
    said, opened = (np.zeros(len(engine.head.phi), dtype=np.int64) for _ in range(2))
    pixels = 0
    for case in training:
        proposal = engine.propose(case.grey)
        said += spoken(engine, proposal).sum((1, 2))
        opened += gates(engine, proposal).sum((1, 2))
        pixels += proposal.evidence.logit.size
    return Usual(np.rint(said / max(pixels, 1)).astype(np.int64), opened / max(pixels, 1))


def unequal(engine: Engine, seen: Seen) -> int:
    """Number of pixels whose evidence is not bias + Σ contributions + rest."""
    evidence = seen.proposal.evidence
    total = np.full(evidence.logit.shape, engine.head.bias, dtype=np.int64)
    for contribution in evidence.contributions:
        total += contribution
    return int(np.count_nonzero(total + evidence.rest != evidence.logit))


def band(seen: Seen) -> Mask:
    """Half-grid pixels (h2, w2) within :data:`BAND` working-grid pixels of the mask's border; none without a mask.

    The border of the image is none of the mask's.
    """
    near = ndimage.binary_dilation(seen.mask, iterations=BAND)
    deep = ndimage.binary_erosion(seen.mask, iterations=BAND, border_value=1)
    return zones.half_grid(near & ~deep, *seen.proposal.evidence.logit.shape)


def certified(engine: Engine, seen: Seen) -> dict[str, int]:
    """Pixels whose sign the rest cannot change, |bias + Σ contributions| > ρ: everywhere and in the border band."""
    sure = np.abs(engine.head.bias + seen.proposal.evidence.contributions.sum(0)) > engine.head.rho
    near = band(seen)
    return {
        "certified": int(sure.sum()),
        "pixels": sure.size,
        "band_certified": int(sure[near].sum()),
        "band_pixels": int(near.sum()),
    }


def centred_share(engine: Engine, seen: Seen, usual_said: Integers) -> float:
    """The part of the logit's variance over the image that deviations of the named values carry; 0 of a flat logit.

    Cov(Σ gₘ (sₘ − usual sₘ), z) / Var(z), with sₘ what the table of map m says. Of tables that are centred on the
    training images it is the share that a record states; of others, what the constants claim is taken off.
    """
    evidence = seen.proposal.evidence
    constant = np.tensordot(usual_said, gates(engine, seen.proposal), 1)  # (h2, w2), 2**-LOGIT_BITS
    return share(evidence.contributions.sum(0) - constant, evidence.logit)


def share(part: Integers, logit: Integers) -> float:
    """Cov(part, logit) / Var(logit) over all pixels, in integers until the division; 0 of a flat logit."""
    covariance, variance = record.share_of_variance(part, logit)
    return covariance / variance if variance else 0.0


def frozen(engine: Engine, seen: Seen, constant: Floats | None, truth: NDArray[np.generic]) -> dict[str, float]:
    """What is left of evidence and decision when every gate is one number a map.

    :param constant: the gates (maps,) in 2**-GATE_BITS; None for their means over this image
    :param truth: the lesion on the working grid (h, w)
    :returns: ``sign``, pixels of equal sign; ``correlation`` of the logits, and ``correlation_without_rest``;
        ``dice`` of the frozen decision with the decision; ``truth`` and ``truth_decided``, Dice with the truth of both
    """
    evidence = seen.proposal.evidence
    if constant is None:
        constant = gates(engine, seen.proposal).mean((1, 2))
    named = engine.head.bias + np.tensordot(np.rint(constant).astype(np.int64), spoken(engine, seen.proposal), 1)
    logit = named + evidence.rest
    mask = rechoose(engine, seen, logit)
    return {
        "sign": float(np.mean((logit > 0) == (evidence.logit > 0))),
        "correlation": correlation(logit, evidence.logit),
        "correlation_without_rest": correlation(named, evidence.logit),
        "dice": dice(mask, seen.mask),
        "truth": dice(mask, truth),
        "truth_decided": dice(seen.mask, truth),
    }


def correlation(one: NDArray[np.number], other: NDArray[np.number]) -> float:
    """Pearson's, 0 where either does not vary."""
    a, b = (x.ravel().astype(np.float64) - float(x.mean()) for x in (one, other))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale else 0.0

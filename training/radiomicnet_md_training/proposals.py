# SPDX-License-Identifier: Apache-2.0
"""The candidates of every image, proposed by a locked engine whose network never saw that image or its duplicates.

Rules of this module:

- The engine is the device's own: integers, the same views, the same ladder. Nothing is proposed in floats.
- Named values are measured by the device's own functions. Values of the network stand beside them under names of
  their own, so that what they would add can be told; no release decides with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md.engine import decide, record
from radiomicnet_md.engine.segment import Engine, Proposal
from radiomicnet_md.radiomics import region, region_definitions, region_more
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md.radiomics.region_tree import Tree
from radiomicnet_md_training.dataset import Dataset

NETWORK_NAMES = ("threshold", "mean evidence", "evidence of the ring", "highest evidence")
NAMES = (*region_definitions.VALUE_NAMES, *region_more.MORE_NAMES, *NETWORK_NAMES)
EVIDENCE_BITS = 8  # a network value of one logit


@dataclass(frozen=True, slots=True)
class Proposals:
    """The candidates of one image, in tree order, on the working grid."""

    case: int
    fold: int
    values: NDArray[np.int64]  # (candidates, len(NAMES))
    parents: NDArray[np.int64]  # −1: none
    dice: NDArray[np.float64]  # (candidates,) with the truth
    pixels: NDArray[np.bool_]  # (candidates, rows, columns)
    truth: NDArray[np.bool_]  # (rows, columns)
    fixed: NDArray[np.bool_]  # {z ≥ 0}: what a plain threshold would answer
    certified: float  # share of the pixels whose sign the rest cannot change
    named: float  # the centred named contributions' share of the evidence's variance


def propose(engine: Engine, data: Dataset, index: NDArray[np.int64], fold: int) -> list[Proposals]:
    """The candidates of the cases at ``index``."""
    return [_propose(engine, data, case, fold) for case in index.tolist()]


def _propose(engine: Engine, data: Dataset, case: int, fold: int) -> Proposals:
    levels = data.levels(case)
    proposal = engine.propose(levels)
    evidence = decide.upsample(proposal.evidence.logit, *levels.shape)
    found = decide.candidates(evidence)
    codes = proposal.codes[: len(NAMED)]
    pixels = np.array([found.tree.pixels(i) for i in range(len(found.tree))], dtype=np.bool_)
    pixels = pixels.reshape(-1, *levels.shape)
    truth = data.masks[case, : levels.shape[0], : levels.shape[1]] > 127  # noqa: PLR2004 - half covered
    both = (pixels & truth).sum((1, 2))
    values = [
        region.measure(found.tree, levels, codes),
        region_more.measure(found.tree, levels, codes),
        _network_values(found.tree, pixels, found.rungs, evidence),
    ]
    return Proposals(
        case,
        fold,
        np.concatenate(values, 1),
        found.tree.parents.astype(np.int64),
        2 * both / (pixels.sum((1, 2)) + truth.sum()),
        pixels,
        truth,
        evidence >= 0,
        *_shares(engine, proposal),
    )


def _shares(engine: Engine, proposal: Proposal) -> tuple[float, float]:
    """The certified share of the pixels and the named share of the variance."""
    named = proposal.evidence.contributions.sum(0)
    certified = np.abs(engine.head.bias + named) > engine.head.rho
    covariance, variance = record.share_of_variance(named, proposal.evidence.logit)
    return float(certified.mean()), covariance / variance if variance else 0.0


def _network_values(
    tree: Tree, pixels: NDArray[np.bool_], rungs: NDArray[np.integer], evidence: NDArray[np.int64]
) -> NDArray[np.int64]:
    """What the network itself says of each candidate, in 2**-EVIDENCE_BITS: (candidates, len(NETWORK_NAMES))."""
    from scipy import ndimage

    fine = evidence >> (decide.UPSAMPLED_BITS - EVIDENCE_BITS)
    rows = []
    for i in range(len(tree)):
        ring = ndimage.binary_dilation(pixels[i], iterations=region_definitions.RING) & ~pixels[i]
        around = int(fine[ring].mean()) if ring.any() else 0
        rung = decide.LADDER[int(rungs[i]) - 1] << (EVIDENCE_BITS - 1)
        rows.append((rung, int(fine[pixels[i]].mean()), around, int(fine[pixels[i]].max())))
    return np.array(rows, dtype=np.int64).reshape(-1, len(NETWORK_NAMES))


def save(path: Path, proposals: list[Proposals]) -> None:
    """Keep the proposals of a unit in one file."""
    arrays: dict[str, Any] = {}
    for p in proposals:
        arrays |= {
            f"{p.case}.values": p.values,
            f"{p.case}.parents": p.parents,
            f"{p.case}.dice": p.dice,
            f"{p.case}.masks": np.packbits(np.concatenate([p.pixels, p.truth[None], p.fixed[None]])),
            f"{p.case}.shape": np.array([len(p.pixels), *p.truth.shape, p.fold]),
            f"{p.case}.shares": np.array([p.certified, p.named]),
        }
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, **arrays)
    partial.replace(path)


def load(path: Path) -> list[Proposals]:
    """What :func:`save` kept."""
    out = []
    with np.load(path, allow_pickle=False) as stored:
        for case in sorted({int(key.split(".")[0]) for key in stored.files}):
            count, rows, columns, fold = (int(n) for n in stored[f"{case}.shape"])
            size = (count + 2) * rows * columns
            masks = np.unpackbits(stored[f"{case}.masks"], count=size).astype(bool).reshape(-1, rows, columns)
            out.append(
                Proposals(
                    case,
                    fold,
                    stored[f"{case}.values"],
                    stored[f"{case}.parents"],
                    stored[f"{case}.dice"],
                    masks[:count],
                    masks[-2],
                    masks[-1],
                    *stored[f"{case}.shares"].tolist(),
                )
            )
    return out

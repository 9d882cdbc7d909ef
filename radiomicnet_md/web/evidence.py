# SPDX-License-Identifier: Apache-2.0
"""What is kept beside a record says, pixel by pixel and to the last bit, what the record says in sums.

Rules of this module:

- Everything is read from the artefacts that the record names by digest; a file that was changed raises.
- A plane of contributions has no name in its file. It gets the name whose recorded sum it has, over the whole image,
  and where the sums do not fit, nothing is shown.
- The rest of a pixel is what its logit is more than bias and names. Homes of versions up to 0.3 did not keep the logit;
  there the rest is not known, only that it is at most rho.
- The pixels of a candidate region are found again by the code that chose it, and must have its recorded rung, size and
  place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import shelf
from radiomicnet_md.decision import GRID
from radiomicnet_md.errors import IntegrityError

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence of one decision on the half grid (h2, w2), in 2**-bits of a logit."""

    names: tuple[str, ...]
    planes: Integers  # (names, h2, w2)
    logit: Integers | None  # None: not kept
    bias: int
    rho: int
    bits: int

    @property
    def named(self) -> Integers:
        """Bias and names together (h2, w2)."""
        return np.asarray(self.bias + self.planes.sum(axis=0))

    @property
    def rest(self) -> Integers | None:
        """What is not named (h2, w2)."""
        return None if self.logit is None else self.logit - self.named

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Where no rest can change the sign."""
        return np.abs(self.named) > self.rho

    def at(self, row: int, column: int, shape: tuple[int, int]) -> dict[str, Any]:
        """The sum of the cell that holds a pixel of an input of this shape (rows, columns)."""
        high, wide = self.planes.shape[1:]
        y, x = row * high // shape[0], column * wide // shape[1]
        rest = self.rest
        return {
            "row": row,
            "column": column,
            "cell": [y, x],
            "bits": self.bits,
            "bias": self.bias,
            "terms": {name: int(self.planes[k, y, x]) for k, name in enumerate(self.names)},
            "rest": None if rest is None else int(rest[y, x]),
            "rho": self.rho,
            "logit": None if self.logit is None else int(self.logit[y, x]),
            "certified": bool(self.certified[y, x]),
        }


def load(home: Path, predicate: Mapping[str, Any]) -> Evidence | None:
    """The evidence kept with a result; None where its contributions are not kept (any more).

    Raises :class:`IntegrityError` where a file was changed, or does not hold what the record says of it.
    """
    said = predicate["pixels"]
    kept = shelf.fetch(home, predicate["outputs"]["contributions_sha256"])
    if kept is None:
        return None
    planes = shelf.array_from(kept)
    sums: dict[str, int] = {}
    for zone in said["integrals"].values():
        for name, value in zone.items():
            sums[name] = sums.get(name, 0) + value
    logit = shelf.fetch(home, predicate["stages"]["logit"])
    names = _named(planes, {name: total for name, total in sums.items() if name not in ("rest", "bias")})
    whole = None if logit is None else shelf.array_from(logit)
    found = Evidence(names, planes, whole, said["bias"], said["rho"], said["logit_bits"])
    rest = found.rest
    if rest is not None and (int(rest.sum()) != sums["rest"] or int(np.abs(rest).max(initial=0)) > found.rho):
        _differs()
    return found


def region(evidence: Evidence, shape: tuple[int, int], said: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    """The pixels of a recorded region at the input's size (rows, columns); None where the logit is not kept.

    Raises :class:`IntegrityError` where the evidence has no such region.
    """
    if evidence.logit is None:
        return None
    from radiomicnet_md.engine import decide, resample

    rows, columns = resample.fit(*shape, GRID)
    found = decide.candidates(decide.upsample(evidence.logit, rows, columns))
    rung = decide.LADDER.index(said["threshold"]) + 1
    same = (found.rungs == rung) & (found.areas == said["area_px"]) & (found.boxes == said["box"]).all(axis=1)
    if not same.any():
        _differs()
    return np.asarray(resample.enlarge_mask(found.tree.pixels(int(np.flatnonzero(same)[0])), *shape), dtype=np.bool_)


def _named(planes: Integers, sums: Mapping[str, int]) -> tuple[str, ...]:
    """The name of each plane, by its sum; only planes that are the same everywhere may have the same sum."""
    left = dict(sorted(sums.items()))
    names: list[str] = []
    seen: dict[int, Integers] = {}
    for plane, total in zip(planes, planes.sum(axis=(1, 2)).tolist(), strict=True):
        name = next((name for name, value in left.items() if value == total), None)
        if name is None or not np.array_equal(seen.setdefault(total, plane), plane):
            _differs()
        names.append(name)
        del left[name]
    return tuple(names)


def _differs() -> NoReturn:
    raise IntegrityError(
        "E-EVIDENCE",
        "What is kept beside the record is not what the record says of it.",
        remedy="Do not use this result; keep the home as it is, and replay the record (audit replay).",
    )

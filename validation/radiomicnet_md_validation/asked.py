# SPDX-License-Identifier: Apache-2.0
"""What the shipped device answers to grey levels: admitted, decided and screened by its own code, and nothing written.

Rules of this module:

- The way of a case is the desk's own (``desk.judged``), from the gate to the screening of what was found.
- Left out is what changes no answer: the groups' shares in the gates, eight more runs of the network.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from radiomicnet_md import desk
from radiomicnet_md.decision import Decision
from radiomicnet_md.engine.record import Case, Outcome
from radiomicnet_md.engine.release import default_folder, open_release, trusted_keys
from radiomicnet_md.errors import InputError
from radiomicnet_md.image import Image, Origin
from radiomicnet_md.radiomics.region_definitions import VALUES

if TYPE_CHECKING:
    from radiomicnet_md.engine.segment import Engine, Proposal

_SCALE = {value.name: value.scale for value in VALUES}

Grey = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of an image (rows, columns); a refusal has its code and nothing else."""

    refused: str | None
    mask: Mask = field(repr=False)
    flagged: bool = False
    decision: Decision | None = field(default=None, repr=False)

    @property
    def values(self) -> dict[str, float]:
        """The thirteen values of the image, and of the best region the named ones and PyRadiomics' defined ones.

        Each in its own unit; the area of the whole mask (pixels) where there is one.
        """
        if self.decision is None:
            return {}
        found = dict(self.decision.paper_values)
        if self.decision.chosen:
            found["lesion: pixels"] = float(self.mask.sum())
            found |= {f"region: {name}": value / _SCALE[name] for name, value in self.decision.chosen[0].values.items()}
            found |= {f"lesion: {name}": value for name, value in defined(self.decision.lesions[0]["values"]).items()}
        return found


@cache
def engine() -> Engine:
    """The shipped engine, opened once; imported here, after the cache of compiled code was named."""
    from radiomicnet_md.engine.segment import Engine as Shipped

    class Quick(Shipped):
        def shares(self, proposal: Proposal, places: Mapping[str, Mask]) -> dict[str, dict[str, int]]:
            del proposal
            return {name: {} for name in places}

    return Quick.load(open_release(default_folder(), keys=trusted_keys()))


def ask(levels: Grey, spacing_mm: tuple[float, float] | None = None) -> Answer:
    """The answer to an image (rows, columns) that its user declares as ultrasound."""
    origin = Origin(format="png", file_sha256="0" * 64, bits_stored=8)
    image = Image(levels[None, :, :, None], origin, spacing_mm, spacing_declared=spacing_mm is not None)
    case, stopped = desk.judged(Case("", "", Outcome.ERROR), image, engine())
    if isinstance(stopped, InputError):
        return Answer(stopped.code, np.zeros(levels.shape, dtype=np.bool_))
    if stopped is not None or case.decision is None:
        raise stopped or RuntimeError
    flagged = not all(check.held for check in case.checks)
    return Answer(None, case.decision.mask.astype(np.bool_), flagged, case.decision)


def defined(values: Mapping[str, Any]) -> dict[str, float]:
    """PyRadiomics' values as numbers; what is undefined is left out."""
    return {name: float.fromhex(value) for name, value in values.items() if isinstance(value, str)}


def real_cases(count: int) -> dict[str, Grey]:
    """The first images of the open split ``val`` that show a lesion, by name; none where there is no data folder."""
    from radiomicnet_md.io import levels, opening

    data = os.environ.get("RADIOMICNET_MD_DATA")
    folder = Path(data) / "busi_384" if data else None
    if folder is None or not folder.is_dir():
        return {}
    rows = [line.split(",") for line in (folder / "splits.csv").read_text(encoding="utf-8").splitlines()[1:]]
    names = sorted(row[0] for row in rows if row[1] == "val" and not row[0].startswith("normal"))
    step = max(1, len(names) // max(count, 1))
    return {name: levels.grey(opening.read(folder / "images" / f"{name}.png").image) for name in names[::step][:count]}

# SPDX-License-Identifier: Apache-2.0
"""How far the evidence of a pixel, read as a probability, is from the frequency with which it comes true.

Rules of this module:

- The release claims no calibrated probability: its region layer answers with a set of regions and a score in no unit
  of chance, and its ``calibration.json`` holds the scales of the integers. What is measured is σ(z) of the pixel layer
  as it stands, which nothing in a decision reads.
- The evidence z is the kept one, by the digest that the record names; a case whose evidence was erased is left out
  and counted. It lives on the half grid, and so the truth is read at the centres of that grid's pixels.
- The error is given over all pixels and over a band around the border, for most pixels are easy (see ``calibration``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special

from radiomicnet_md import shelf
from radiomicnet_md.decision import LOGIT_BITS
from radiomicnet_md_validation.calibration import BAND, Bin, Pool, band, ece
from radiomicnet_md_validation.case_set import Truth

WHY = (
    "This release has no calibrated probability: the region layer answers with regions and a score, and "
    "calibration.json holds the scales of the integers. Measured is σ(z) of the pixel layer as it stands; "
    "nothing in a decision reads it as a probability."
)


@dataclass
class Evidence:
    """Pixels of all results, and how many cases gave none."""

    all_pixels: Pool = field(default_factory=Pool)
    near_border: Pool = field(default_factory=Pool)
    squares: float = 0.0
    pixels: int = 0
    cases: int = 0
    left_out: int = 0

    def add(self, home: Path, predicate: Mapping[str, Any], truth: Truth) -> None:
        """Take the kept evidence of a result; :class:`IntegrityError` where it was changed."""
        kept = shelf.fetch(home, predicate["stages"]["logit"])
        if kept is None:
            self.left_out += 1
            return
        p = special.expit(shelf.array_from(kept) / (1 << LOGIT_BITS))  # (h2, w2)
        small = at_centres(truth, p.shape)
        self.all_pixels.add(p, small)
        near = band(small, BAND / 2)  # the half grid's pixels are about two of the working grid's
        self.near_border.add(p[near], small[near])
        self.squares += float(((p - small) ** 2).sum())
        self.pixels += p.size
        self.cases += 1

    @property
    def reliability(self) -> tuple[Bin, ...]:
        """Predicted chance and frequency, in bins of equal width."""
        return self.all_pixels.equal_width()

    def figures(self) -> dict[str, float]:
        """Calibration errors and Brier score, each 0 … 1; empty where there is no pixel."""
        if not self.pixels:
            return {}
        found = {
            "calibration error, all pixels": ece(self.all_pixels.equal_width()),
            "Brier score, all pixels": self.squares / self.pixels,
        }
        near = self.near_border.equal_width()
        return found | ({"calibration error, near the border": ece(near)} if near else {})


def at_centres(truth: Truth, shape: tuple[int, ...]) -> Truth:
    """The truth (rows, columns) at the centres of the pixels of a coarser grid of this shape."""
    places = [(2 * np.arange(n) + 1) * size // (2 * n) for n, size in zip(shape, truth.shape, strict=True)]
    return truth[np.ix_(*places)]

# SPDX-License-Identifier: Apache-2.0
"""Take the strongest name out of the image itself, or put it into other tissue, and see whether the evidence follows.

Rules of this module:

- The picture is edited, never a number behind it; then the whole device measures, proposes and decides again.
- *Deletion*: the lesion's pixels are edited so that one name's table values (one a scale) come as near as they can to
  0, the usual. Claimed is a fall by that name's contribution. *Insertion*: tissue beside the lesion, at its depth, is
  edited so that the name's table values come near to the lesion's. Claimed is a rise by each difference times the gate
  of its scale there.
- An edit is one of a short list: intensity names are shifted, stretched or bent in tone, texture names smoothed,
  sharpened or roughened. The one that brings the name nearest is taken, judged by that name alone, under the gates
  as they were. What it changes by these gates is foretold: the gates may have changed when the device runs again.
- No edit moves one name only. The name's own change stands beside the change of the whole, and beside both the same
  for a name drawn at random.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from radiomicnet_md.decision import GRID, LOGIT_BITS
from radiomicnet_md.engine import resample, zones
from radiomicnet_md.engine.segment import Engine
from radiomicnet_md.radiomics.definitions import NAMED
from radiomicnet_md_training.faithfulness.look import Floats, Integers, Mask, Seen, gates, look, spoken
from radiomicnet_md_validation.metrics import dice

Edit = Callable[[Floats, Floats], Floats]  # grey levels (rows, columns) and their means around each pixel, to levels
_AROUND = 9  # side of the box that "around" means, pixels of the working grid
_SEAM = 5  # side of the box that softens the edge of an edit, pixels of the source


def _toned(power: float = 1.0, factor: float = 1.0, step: float = 0.0) -> Edit:
    """Tone bent by a power, then stretched about the image's mean, then shifted."""

    def edit(grey: Floats, around: Floats) -> Floats:
        middle = float(around.mean())
        return middle + factor * (255 * (grey / 255) ** power - middle) + step

    return edit


def _grained(detail: float = 1.0, noise: float = 0.0) -> Edit:
    """Fine detail times a factor, 0 leaving the mean around; then noise of a fixed seed."""

    def edit(grey: Floats, around: Floats) -> Floats:
        random = np.random.Generator(np.random.PCG64(0))
        return around + detail * (grey - around) + noise * random.standard_normal(grey.shape)

    return edit


INTENSITY: dict[str, Edit] = {
    "darker by 40": _toned(step=-40),
    "darker by 20": _toned(step=-20),
    "brighter by 20": _toned(step=20),
    "brighter by 40": _toned(step=40),
    "contrast halved": _toned(factor=0.5),
    "contrast doubled": _toned(factor=2.0),
    "tone bent up": _toned(power=0.6),
    "tone bent down": _toned(power=1.7),
}
TEXTURE: dict[str, Edit] = {
    "flattened": _grained(detail=0.0),
    "smoothed": _grained(detail=0.5),
    "smoothed lightly": _grained(detail=0.8),
    "sharpened lightly": _grained(detail=1.2),
    "sharpened": _grained(detail=1.5),
    "sharpened strongly": _grained(detail=2.5),
    "roughened by 5": _grained(noise=5),
    "roughened by 15": _grained(noise=15),
    "roughened by 30": _grained(noise=30),
}
MENUS: dict[str, dict[str, Edit]] = {name: INTENSITY if name.startswith("firstorder_") else TEXTURE for name in NAMED}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an edit for one name did to the mean evidence of a place, in logits a pixel."""

    name: str
    edit: str
    nearer: bool  # whether the name came nearer to its target at all
    claimed: float  # change of the evidence if the name reached its target and nothing else moved
    foretold: float  # change of the evidence by what the edit made of the name, gates as before, nothing else moved
    own: float  # change of the name's contribution
    whole: float  # change of the evidence
    dice: float  # the decision on the edited image with the decision before, Dice


class Place:
    """One place of one image, and the image with that place edited, each edit looked at once."""

    def __init__(self, engine: Engine, seen: Seen, pixels: Mask) -> None:
        """:param pixels: the place on the working grid (h, w)"""
        self._engine, self._before = engine, seen
        self._half = zones.half_grid(pixels, *seen.proposal.evidence.logit.shape)
        self._said = spoken(engine, seen.proposal)
        grey = seen.grey.astype(np.float64)
        box = max(3, _AROUND * max(grey.shape) // GRID)
        self._grey, self._around = grey, ndimage.uniform_filter(grey, box, mode="nearest")
        inside = resample.enlarge_mask(pixels, *grey.shape).astype(np.float64)
        self._weight = ndimage.uniform_filter(inside, _SEAM, mode="nearest")
        self._edited: dict[str, tuple[Seen, Integers]] = {}

    @property
    def empty(self) -> bool:
        """Whether the place covers no pixel of the half grid."""
        return not self._half.any()

    def said(self, name: str) -> Floats:
        """What the name's table at each scale says on average over the place (scales,), 2**-TABLE_BITS."""
        return np.asarray(self._of(name, self._said).mean(1))

    def strongest(self) -> str:
        """The name with the largest contribution to the place's evidence."""
        return NAMED[int(self._before.proposal.evidence.contributions[:, self._half].sum(1).argmax())]

    def bring(self, name: str, target: Floats) -> Outcome:
        """Edit the place so that what ``name`` says comes as near to ``target`` as any edit of its list brings it.

        :param target: what the name's table at each scale shall say (scales,), 2**-TABLE_BITS; 0 is the usual
        """
        k, before = NAMED.index(name), self._before.proposal.evidence
        opened = self._of(name, gates(self._engine, self._before.proposal))  # (scales, pixels)
        contributed = before.contributions[k][self._half]
        unit = float(1 << LOGIT_BITS)

        def change(said: Integers | Floats) -> float:
            """Change of the evidence if the name's tables say this and nothing else moves, gates as before."""
            return float(((opened * said).sum(0) - contributed).mean()) / unit

        claimed = change(target[:, None])
        foretold = {edit: change(self._of(name, self._with(name, edit)[1])) for edit in MENUS[name]}
        best = min(foretold, key=lambda edit: abs(foretold[edit] - claimed))
        after = self._with(name, best)[0]
        evidence = after.proposal.evidence
        return Outcome(
            name,
            best,
            abs(foretold[best] - claimed) < abs(claimed),
            claimed,
            foretold[best],
            float((evidence.contributions[k][self._half] - contributed).mean()) / unit,
            float((evidence.logit[self._half] - before.logit[self._half]).mean()) / unit,
            dice(after.mask, self._before.mask),
        )

    def _of(self, name: str, maps: Integers) -> Integers:
        """A name's maps out of all (maps, h2, w2), over the place: (scales, pixels)."""
        return maps[NAMED.index(name) :: len(NAMED), self._half]

    def _with(self, name: str, edit: str) -> tuple[Seen, Integers]:
        """The whole device on the edited image, and what its tables say there."""
        if edit not in self._edited:
            changed = MENUS[name][edit](self._grey, self._around)
            mixed = self._grey + self._weight * (changed - self._grey)
            seen = look(self._engine, np.clip(np.rint(mixed), 0, 255).astype(np.uint8))
            self._edited[edit] = (seen, spoken(self._engine, seen.proposal))
        return self._edited[edit]


def lesion(engine: Engine, seen: Seen) -> Place | None:
    """The best chosen region (or the runner-up) as a place; None without any, or where it covers no pixel."""
    return None if seen.region is None else _covering(Place(engine, seen, seen.region.pixels))


def beside(engine: Engine, seen: Seen) -> Place | None:
    """Other tissue at the same depth: the region moved left or right by its width and a margin, as far as it fits.

    The side on which more of it stays inside the image; None where less than half does, or where it meets a region.
    """
    if seen.region is None:
        return None
    pixels, (_, left, _, right) = seen.region.pixels, seen.region.box
    step = right - left + 2 * _SEAM
    taken = ndimage.binary_dilation(seen.mask | pixels, iterations=_SEAM)
    sides = [ndimage.shift(pixels.astype(np.uint8), (0, move), order=0) > 0 for move in (-step, step)]
    moved = max(sides, key=lambda side: int(side.sum()))
    if 2 * int(moved.sum()) < int(pixels.sum()) or (moved & taken).any():
        return None
    return _covering(Place(engine, seen, moved))


def other(name: str, key: str) -> str:
    """Another name, drawn by the digest of ``key``: any of them, and the same one every time."""
    rest = [one for one in NAMED if one != name]
    return rest[int(hashlib.sha256(key.encode()).hexdigest(), 16) % len(rest)]


def edits(engine: Engine, seen: Seen, key: str) -> dict[str, Outcome]:
    """Deletion and insertion of the lesion's strongest name and of one drawn by ``key``; {} without a region.

    :returns: ``deletion``, ``deletion_other``, and where there is a place for it ``insertion``, ``insertion_other``
    """
    here, there = lesion(engine, seen), beside(engine, seen)
    if here is None:
        return {}
    top = here.strongest()
    drawn = other(top, key)
    usual = np.zeros_like(here.said(top))
    out = {"deletion": here.bring(top, usual), "deletion_other": here.bring(drawn, usual)}
    if there is not None:
        out["insertion"] = there.bring(top, here.said(top))
        out["insertion_other"] = there.bring(drawn, here.said(drawn))
    return out


def _covering(place: Place) -> Place | None:
    return None if place.empty else place

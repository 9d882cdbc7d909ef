# SPDX-License-Identifier: Apache-2.0
"""How far a value moves when nothing about the breast has changed: within-subject spread of every radiomic value.

Rules of this module:

- A subject is a phantom; its repeats differ in one declared condition alone. Everything is measured through the shipped
  device: image, the region that it chooses, and PyRadiomics' values of that region.
- A subject enters a value only where every repeat has it: a repeat in which the device refused or found no region is
  counted as lost, and its subject is left out of the values of region and lesion, not patched.
- wSD² is the mean over the subjects of the variance within (n − 1); RC = 2.77 wSD (Raunig et al. 2015,
  doi:10.1177/0962280214537344): two measurements of one subject differ by less in 95 % of pairs. wCV = wSD / |mean|,
  only where all measurements have one sign. ICC(2,1): two-way random, single measurement, absolute agreement (Shrout
  and Fleiss 1979).

``python -m radiomicnet_md_validation.repeatability`` shows the page, with ``--write`` it goes to
``docs/reference/repeatability.md``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from radiomicnet_md import phantom
from radiomicnet_md.radiomics import lesion_definitions
from radiomicnet_md.radiomics.definitions import DEFINITIONS
from radiomicnet_md.radiomics.region_definitions import VALUES
from radiomicnet_md_validation import perturbations, repeatability_page
from radiomicnet_md_validation.asked import Answer, Grey, ask
from radiomicnet_md_validation.campaigns import Campaign, main

RC_FACTOR = 2.77
UNSTEADY = 0.2  # wCV above which a value is marked
REPEATS = 3
_SIZE = (336, 420)
_SPACING_MM = phantom.SPACING_MM

Table = NDArray[np.float64]  # (subjects, repeats)
Repeats = Sequence[Mapping[str, float]]  # the values of each repeat of one subject


def within_sd(table: Table) -> float:
    """Standard deviation within subjects."""
    return float(np.sqrt(table.var(axis=1, ddof=1).mean()))


def repeatability_coefficient(table: Table) -> float:
    """Two measurements of one subject differ by less in 95 % of pairs."""
    return RC_FACTOR * within_sd(table)


def within_cv(table: Table) -> float | None:
    """WSD over the magnitude of the mean; None where measurements differ in sign, or one is 0."""
    if not ((table > 0).all() or (table < 0).all()):
        return None
    return within_sd(table) / abs(float(table.mean()))


def icc(table: Table) -> float | None:
    """ICC(2,1); None where nothing varies."""
    subjects, repeats = table.shape
    rows, columns = table.mean(axis=1), table.mean(axis=0)
    left = table - rows[:, None] - columns[None] + table.mean()
    between = repeats * float(rows.var(ddof=1))
    of_repeats = subjects * float(columns.var(ddof=1))
    error = float((left**2).sum()) / ((subjects - 1) * (repeats - 1))
    whole = between + (repeats - 1) * error + repeats * (of_repeats - error) / subjects
    return None if whole <= 0 else (between - error) / whole


def shifted(image: Grey, seed: int) -> list[Grey]:
    """The image moved by fractions of a pixel, by cubic splines."""
    random = np.random.Generator(np.random.PCG64(seed))
    steps = random.uniform(-0.5, 0.5, (REPEATS, 2))
    moved = (ndimage.shift(image.astype(np.float64), step, order=3, mode="nearest") for step in steps)
    return [np.asarray(np.clip(np.rint(one), 0, 255), dtype=np.uint8) for one in moved]


def turned(image: Grey, seed: int) -> list[Grey]:
    """The image turned by −1°, not at all, and by 1°."""
    del seed
    return [perturbations.rotation(image, -1.0).image, image, perturbations.rotation(image, 1.0).image]


def looked_at_again(image: Grey, seed: int) -> list[Grey]:
    """The same breast with other speckle."""
    rows, columns = image.shape
    return [phantom.make(seed, rows, columns, speckle=1000 * seed + repeat + 1).pixels for repeat in range(REPEATS)]


CONDITIONS = {"sub-pixel shift": shifted, "turned by ±1°": turned, "other speckle": looked_at_again}
OUTLINE = "outline ±1 px"


def outlines(image: Grey, answer: Answer) -> Repeats:
    """PyRadiomics' values of the chosen region, of it one pixel smaller and one pixel larger."""
    from radiomicnet_md.radiomics import per_lesion

    mask = answer.mask
    variants = (ndimage.binary_erosion(mask), mask, ndimage.binary_dilation(mask))
    found = []
    for one in variants:
        values = per_lesion.values(image, one.astype(np.uint8), _SPACING_MM)
        numbers = {name: value for name, value in values.items() if isinstance(value, float)}
        found.append(
            {f"lesion: {name}": value for name, value in numbers.items()} | {"lesion: pixels": float(one.sum())}
        )
    return found


def judged(subjects: Sequence[Repeats]) -> dict[str, Any]:
    """By value name: subjects that have it in every repeat, mean, wSD, wCV, RC and ICC; fewer than 3 give nothing."""
    names = sorted({name for repeats in subjects for one in repeats for name in one})
    found = {}
    for name in names:
        whole = [[one[name] for one in repeats] for repeats in subjects if all(name in one for one in repeats)]
        if len(whole) < 3:  # noqa: PLR2004 - a spread of two subjects says nothing
            continue
        table = np.array(whole)
        found[name] = {
            "n": len(whole),
            "mean": float(table.mean()),
            "wsd": within_sd(table),
            "wcv": within_cv(table),
            "rc": repeatability_coefficient(table),
            "icc": icc(table),
        }
    return found


def run(count: int) -> dict[str, Any]:
    """Every condition over so many phantoms."""
    images = {seed: phantom.make(seed, *_SIZE).pixels for seed in range(count)}
    conditions = {}
    for name, repeat in CONDITIONS.items():
        sys.stderr.write(f"{name}\n")
        answers = [[ask(one, _SPACING_MM) for one in repeat(image, seed)] for seed, image in images.items()]
        lost = sum("lesion: pixels" not in one.values for repeats in answers for one in repeats)
        conditions[name] = {"lost": lost, "values": judged([[one.values for one in repeats] for repeats in answers])}
    firsts = [(image, ask(image, _SPACING_MM)) for image in images.values()]
    found = [(image, first) for image, first in firsts if first.mask.any()]
    conditions[OUTLINE] = {
        "lost": len(firsts) - len(found),
        "values": judged([outlines(image, first) for image, first in found]),
    }
    return {
        "subjects": count,
        "repeats": REPEATS,
        "unsteady": UNSTEADY,
        "units": units(),
        "conditions": conditions,
    }


def units() -> dict[str, str]:
    """The unit of every value, by its name here."""
    return {
        **{definition.key: definition.unit for definition in DEFINITIONS},
        **{f"region: {value.name}": value.unit for value in VALUES},
        **{f"lesion: {name}": one.unit for name, one in lesion_definitions.names(2).items()},
        "lesion: pixels": "px",
    }


CAMPAIGN = Campaign(
    name="repeatability",
    module="repeatability",
    title="How far a value moves by itself",
    run=run,
    cases=6,
    body=repeatability_page.body,
    picture=repeatability_page.picture,
)

if __name__ == "__main__":
    sys.exit(main(CAMPAIGN))

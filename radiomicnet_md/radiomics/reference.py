# SPDX-License-Identifier: Apache-2.0
"""The reference page of all values, made from the tables that the code and the tests read.

``python -m radiomicnet_md.radiomics.reference`` shows the page, with ``--write`` it goes to
``docs/reference/radiomics.md``; a test holds the two equal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from radiomicnet_md.decision import GRID
from radiomicnet_md.radiomics import lesion_definitions, per_lesion, region_definitions, region_more
from radiomicnet_md.radiomics.definition_tables import differences
from radiomicnet_md.radiomics.definition_tables.measure import IBSI, Case, Group, Measure, Reference
from radiomicnet_md.radiomics.definitions import DEFINITIONS, NAMED
from radiomicnet_md.radiomics.region_definitions import EDGE, RING

PAGE = Path("docs/reference/radiomics.md")
_SMALL = Decimal("1e-4")  # a tolerance below is written with an exponent

_HEAD = """\
<!-- Made by `python -m radiomicnet_md.radiomics.reference --write`; a test holds it equal to the code. -->
# Radiomic values

Every value that the project measures: its code in the IBSI reference manual (arXiv 1612.07003; none where the
column is empty), formula, unit, what it is where the formula divides by nothing, and a published reference value.
Values that `features` prints are measurements, not device results.

- [The sixteen names](#the-sixteen-names): the network's maps, and thirteen values of the image
- [Candidate regions](#candidate-regions): the integers by which the device decides
- [Grey levels](#grey-levels), [regions](#regions) and [maps](#maps): what is measured, and where nothing can be
- [The values](#the-values): first order, GLCM, GLRLM, GLSZM, GLDM, NGTDM and shape
- [Differences from PyRadiomics and IBSI](#differences-from-pyradiomics-and-ibsi)

How to measure: [Measure radiomic values and maps](../how-to/measure-features.md). How far to trust it: agreement with
[IBSI](ibsi.md) and, of the maps, [with PyRadiomics](radiomics-agreement.md); [one bit pattern](bit-equality.md) of the
maps; [speed](benchmarks-radiomics.md).

## The sixteen names

The paper's thirteen and three surface values. p is a symmetric co-occurrence matrix of one angle (0°, 45°,
90°, 135°); a value is the mean over the angles that have a pair of pixels in the window. The global values
use distances 1 and 3, the maps distance 1. An LBP code counts the neighbours (24 on a circle of radius 3)
that are at least as bright as their centre where the pattern is uniform, and is 25 elsewhere. k₁ ≥ k₂ are the
eigenvalues of the Hessian of the smoothed image. A window is clipped at the border of the image.

The network needs a number everywhere: "where undefined" names it. The table of `features` shows such a value
as undefined, with the reason. Tests hold these values to closed forms of drawn images, and those that PyRadiomics or
scikit-image have too to theirs.
"""

_CANDIDATES = f"""\

## Candidate regions

The device cuts nested candidate regions out of the network's evidence and chooses between them by the integers below,
all measured on the working grid (longer side {GRID} pixels, grey levels 0 … 255). An integer is the quantity times its
scale, rounded down; where nothing can be measured it is 0.

Steps go from pixel to pixel along rows and columns. The ring is what lies at most {RING} steps outside; "just" inside
or outside is at most {EDGE} steps from the border. A crack is a pixel's side between inside and outside. Major and
minor are the eigenvalues of the second moments of the pixel centres. A code is the place of a map's value (first
scale) among its thresholds, which are quantiles of the training images; *name* stands for each of the sixteen.

These enter the decision and stand in the record:

"""

_ON_REQUEST = """\

These are measured on request (`radiomicnet_md.radiomics.region_more`) and enter neither decision nor record; what bears
a sign is rounded towards 0, and θ is the angle of the major axis from the vertical:

"""

_LEVELS = """\

## Grey levels

Texture is measured on whole levels, made once, in double precision, by one of three rules:

- bin count N: N equal bins from the region's minimum to its maximum, which belongs to the last (PyRadiomics'
  `binCount`; IBSI: fixed bin number);
- bin width w: level = ⌊x / w⌋ − ⌊min / w⌋; edges at multiples of w (PyRadiomics' `binWidth`);
- bin width w and start s: level = ⌊(x − s) / w⌋, the same in every region; a value below s is refused (IBSI: fixed bin
  size with a lower bound).

At most 256 levels. An array of levels holds 0 … N−1, and −1 where a pixel takes no part; in formulas the lowest level
is 1. A record holds the SHA-256 of the level array: a shift of 1e-9 in an image moves whole bins.

## Regions

`radiomics.lesion` measures by PyRadiomics 3.0.1: 102 values of a 2-D region (93 and 9 of its shape), 107 of a 3-D
region (93 and 14). A value is a finite number or undefined with one of these reasons, never NaN:

"""

_MAPS = """\

`EMPTY` and `ONE_PIXEL` concern every value; the tables below name the others.

## Maps

`radiomics.dense` measures the 93 values of first order and texture in the window around each pixel.

- A window holds the pixels at most `radius` (1 to 4) steps away along each axis. Where it leaves the image it is
  clipped: nothing is padded.
- A pixel of level −1 takes no part in any window, and its own place in a map is NaN. This is PyRadiomics' masked
  kernel; without such pixels it is the unmasked one.
- Grey levels are those of the whole image; N in a formula is the highest level of the image, not of the window.
- 2-D has 4 angles and 8 neighbours, 3-D has 13 and 26; a volume of one slice is measured as 2-D. `distances` (1 to 3,
  the largest step along an axis) concern GLCM alone; GLDM and NGTDM look at the neighbours at distance 1.
- Where a formula divides by nothing, a map holds the number in the tables below: PyRadiomics' documented number where
  it has one, else NaN. No map holds an infinity.

## The values

"px" is a pixel in 2-D, a voxel in 3-D. Sums run over all i and j. Columns:

- **undefined**: for which regions, with the reason that `radiomics.lesion` gives / the number that a map holds.
- **reference**: a published value and its tolerance, which `radiomics.lesion` meets unless a cause is named. Without
  mark: the digital phantom of IBSI 1 (2 mm voxels, grey values as levels, volumetric: 3-D, texture averaged over
  angles), from the reference manual's tables (CC BY 4.0), published to three digits; where they give no tolerance it is
  half a unit of the third. *brain1*: PyRadiomics' published baseline of its test case (bin width 25), to six digits;
  *slice 16* is that slice (from 0) measured in 2-D.

Demonstration on public data, not clinical evidence.
"""

_OTHERS = """\

## Differences from PyRadiomics and IBSI

Numbers that PyRadiomics 3.0.1 gives where a value is undefined:
"""
_WRONG = "Where PyRadiomics 3.0.1 is wrong:\n"
_FOLLOWED = "Where PyRadiomics' definition is not IBSI's, and the values here follow PyRadiomics:\n"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |\n" for line in lines)


def _case(case: Case) -> str:
    return f"{case.when}: `{case.lesion}`" + (f" / {case.dense}" if case.dense else "")


def _number(value: str) -> str:
    return value.replace("-", "−") if "E" not in value else f"{float(value):g}"


def _tolerance(value: Decimal) -> str:
    return f"{value:f}" if value > _SMALL else f"{value:e}"


def _reference(reference: Reference) -> str:
    source = "" if reference.source == IBSI else f" *{reference.source}*"
    cause = f"; {reference.differs}" if reference.differs else ""
    return f"{_number(reference.value)} ± {_tolerance(reference.within())}{source}{cause}"


def _shared(measures: Iterable[Measure]) -> list[Case]:
    """The undefined cases of every one of the values, in their order."""
    first, *others = (measure.undefined for measure in measures)
    return [case for case in first if all(case in other for other in others)]


def _group(group: Group) -> str:
    shared = _shared(group.measures.values())
    everywhere = f"\nEvery value: {'; '.join(map(_case, shared))}.\n" if shared else ""
    rows = (
        (
            f"`{key}`",
            measure.ibsi,
            measure.formula,
            measure.unit,
            "; ".join(_case(case) for case in measure.undefined if case not in shared),
            _reference(measure.reference),
        )
        for key, measure in group.measures.items()
    )
    table = _table(("key", "IBSI", "formula", "unit", "undefined: lesion / map", "reference"), rows)
    return f"### {group.title}\n\n{group.symbols}\n{everywhere}\n{table}"


def _region_table(values: Iterable[region_definitions.ValueDefinition]) -> str:
    """One row a value, but one row for what is measured of each of the sixteen names."""
    rows = ((_of_each(v.name), v.ibsi, v.unit, str(v.scale), v.meaning) for v in values)
    return _table(("name", "IBSI", "unit", "scale", "meaning"), dict.fromkeys(rows))


def _of_each(name: str) -> str:
    kind, _, last = name.rpartition(" ")
    return f"{kind} *name*" if last in NAMED else name


def page() -> str:
    """The whole page as Markdown."""
    named = _table(
        ("key", "name", "IBSI", "formula", "unit", "where undefined", "of the paper"),
        (
            (f"`{d.key}`", d.name, d.ibsi, d.formula, d.unit, d.undefined, "yes" if d.in_paper else "no")
            for d in DEFINITIONS
        ),
    )
    reasons = _table(("reason", "text"), ((f"`{reason.name}`", str(reason)) for reason in per_lesion.Reason))
    groups = "\n".join(map(_group, lesion_definitions.GROUPS))
    undefined, wrong, followed = (
        _table(rows[0], rows[1:]) for rows in (differences.UNDEFINED, differences.WRONG, differences.FOLLOWED)
    )
    texts = (groups + _OTHERS, undefined, _WRONG, wrong, _FOLLOWED, followed)
    regions = _CANDIDATES + _region_table(region_definitions.VALUES) + _ON_REQUEST + _region_table(region_more.MORE)
    return "\n".join([_HEAD, named + regions + _LEVELS + reasons + _MAPS, *texts])


def main(arguments: list[str] | None = None) -> None:
    """Show or write the page."""
    parser = argparse.ArgumentParser(prog="python -m radiomicnet_md.radiomics.reference")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE} below the current folder")
    if parser.parse_args(arguments).write:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()

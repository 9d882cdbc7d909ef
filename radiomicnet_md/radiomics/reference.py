# SPDX-License-Identifier: Apache-2.0
"""The reference page of all values, made from the tables that the code itself reads.

``python -m radiomicnet_md.radiomics.reference`` shows the page, with ``--write`` it goes to
``docs/reference/radiomics.md``; a test holds the two equal.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from radiomicnet_md.radiomics import lesion_definitions, per_lesion
from radiomicnet_md.radiomics.definitions import DEFINITIONS

PAGE = Path("docs/reference/radiomics.md")

_HEAD = """\
<!-- Made by `python -m radiomicnet_md.radiomics.reference --write`; a test holds it equal to the code. -->
# Radiomic values

Every value that the project measures, with its code in the IBSI reference manual (arXiv 1612.07003; none
where the column is empty), its formula, its unit, and what it is where the definition divides by nothing.
Values that `features` prints are measurements, not device results.

## The sixteen names

The paper's thirteen and three surface values. p is a symmetric co-occurrence matrix of one angle (0°, 45°,
90°, 135°); a value is the mean over the angles that have a pair of pixels in the window. The global values
use distances 1 and 3, the maps distance 1. An LBP code counts the neighbours (24 on a circle of radius 3)
that are at least as bright as their centre where the pattern is uniform, and is 25 elsewhere. k₁ ≥ k₂ are the
eigenvalues of the Hessian of the smoothed image. A window is clipped at the border of the image.

The network needs a number everywhere: "where undefined" names it. The table of `features` shows such a value
as undefined, with the reason.
"""

_LEVELS = """\

## Grey levels

Texture is measured on whole levels, made once by one of PyRadiomics' two rules, in double precision:

- bin count N: N equal bins from the region's minimum to its maximum, which belongs to the last;
- bin width w: level = ⌊x / w⌋ − ⌊min / w⌋; edges at multiples of w.

At most 256 levels. A record holds the SHA-256 of the level array: a shift of 1e-9 in an image moves whole bins.

## The values of a region

By PyRadiomics 3.0.1: 102 values of a 2-D region (93 and 9 of its shape), 107 of a 3-D region (93 and 14).
Units: "px" is a pixel (3-D: a voxel). A value is a finite number or undefined with one of these reasons:

"""

_NOTES = """\

Where PyRadiomics itself gives a number or NaN in such a case:

| case | PyRadiomics 3.0.1 | here |
|---|---|---|
| all grey values equal | skewness 0, kurtosis 0 | undefined |
| one grey level | correlation 1, MCC 1, Imc1 0; NGTDM: coarseness 10⁶, busyness, contrast, strength 0 | undefined |
| one pixel | an error from the extractor, NaN from the classes | undefined |
| no two pixels touch | GLCM NaN, coarseness 10⁶ | undefined |
| no size of a pixel | 1 mm is assumed | shape and total energy undefined |
| 8-bit image, bin width w, maximum above 255 − 2w, NumPy 2 | the upper edge overflows: wrong levels | right levels |
| 32-bit float image | edges in single precision | edges in double precision |
| axis lengths | covariance divided by n; IBSI's reference values by n − 1 | as PyRadiomics |
| maps: one isolated pixel in the mask | MCC 0 in every pixel of its batch | there are no masked maps |

"""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', '∣') for cell in line)} |\n" for line in lines)


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
    every = lesion_definitions.TEXTURE | lesion_definitions.SHAPE[2] | lesion_definitions.SHAPE[3]
    region = _table(
        ("key", "IBSI", "unit", "needs the size of a pixel"),
        (
            (f"`{key}`", measure.ibsi, measure.unit, "yes" if key in lesion_definitions.NEEDS_SPACING else "")
            for key, measure in every.items()
        ),
    )
    return "\n".join([_HEAD, named + _LEVELS + reasons + _NOTES + region])


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

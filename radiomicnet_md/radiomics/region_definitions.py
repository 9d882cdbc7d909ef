# SPDX-License-Identifier: Apache-2.0
"""The named values of a region: unit, scale and meaning of each, in the order that a release's tables know.

Nothing is measured here and nothing compiled, so that a record can be read without what measures.
"""

from __future__ import annotations

from dataclasses import dataclass

from radiomicnet_md.radiomics.definitions import NAMED

RING = 5  # pixels of the working grid
EDGE = 2  # width of "just outside" and "just inside", pixels
SHARE = 1 << 12  # scale of a ratio: 1.0 is 4096
FINE = 16  # scale of a mean grey level or code: one unit is 1/16


@dataclass(frozen=True, slots=True)
class ValueDefinition:
    """One named value of a region."""

    name: str
    unit: str
    scale: int
    meaning: str
    ibsi: str = ""


SHAPE = (
    ValueDefinition("area", "share of the image", SHARE * 16, "pixels inside / pixels of the image"),
    ValueDefinition("compactness", "1", SHARE, "4π · area / perimeter², perimeter as crack length"),
    ValueDefinition("elongation", "1", SHARE, "√(minor / major) of the second moments", "Q3CK"),
    ValueDefinition("solidity", "1", SHARE, "area / area of the convex hull"),
    ValueDefinition("extent", "1", SHARE, "area / area of the bounding box"),
    ValueDefinition("taller than wide", "1", SHARE, "height / width of the bounding box"),
    ValueDefinition("depth", "share of the image", SHARE, "row of the centroid / rows"),
    ValueDefinition("lateral offset", "share of the image", SHARE, "|column of the centroid / columns − ½|"),
    ValueDefinition("at the image border", "share of the perimeter", SHARE, "cracks on the image border / perimeter"),
)
INTENSITY = (
    ValueDefinition("intensity inside", "grey level", FINE, "mean inside", "Q4LE"),
    ValueDefinition("intensity spread inside", "grey level", FINE, "standard deviation inside"),
    ValueDefinition("intensity of the ring", "grey level", FINE, "mean of the ring"),
    ValueDefinition("intensity step", "grey level", FINE, "mean of the ring − mean inside"),
    ValueDefinition("border step", "grey level", FINE, "mean just outside − mean just inside the border"),
    ValueDefinition("echo behind", "grey level", FINE, "mean below − mean beside, at the same depth"),
)
TEXTURE = tuple(
    ValueDefinition(f"{kind} {name}", "quantile code", FINE, meaning)
    for name in NAMED
    for kind, meaning in (("inside", "mean code inside"), ("step", "mean code of the ring − inside"))
)
VALUES: tuple[ValueDefinition, ...] = (*SHAPE, *INTENSITY, *TEXTURE)
VALUE_NAMES: tuple[str, ...] = tuple(v.name for v in VALUES)
GROUPS: dict[str, tuple[str, ...]] = {
    "shape": tuple(v.name for v in SHAPE),
    "intensity": tuple(v.name for v in INTENSITY),
    **{
        group: tuple(v.name for v in TEXTURE if v.name.split(" ", 1)[1].startswith(start))
        for group, start in (
            ("co-occurrence", "glcm_"),
            ("local binary patterns", "lbp_"),
            ("local intensity", "firstorder_"),
            ("surface", ("gradient_", "hessian_")),
        )
    },
}
"""Values that belong together; every value in one group."""

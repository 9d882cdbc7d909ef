# SPDX-License-Identifier: Apache-2.0
"""The values of a region as PyRadiomics 3.0.1 names them, each with all that is said of it.

Rules of this module:

- Per class, in PyRadiomics' spelling; classes and features stand in the order of their output.
- A code is given where PyRadiomics' value is IBSI's; kurtosis (not reduced by 3), MCC and the total energy
  have none. The codes of GLDM are those of IBSI's neighbouring grey level dependence matrix at α = 0.
- "px" is a pixel in 2-D, a voxel in 3-D.
"""

from __future__ import annotations

from radiomicnet_md.radiomics.definition_tables.firstorder import FIRST_ORDER
from radiomicnet_md.radiomics.definition_tables.glcm import GLCM
from radiomicnet_md.radiomics.definition_tables.gldm import GLDM
from radiomicnet_md.radiomics.definition_tables.glrlm import GLRLM
from radiomicnet_md.radiomics.definition_tables.glszm import GLSZM
from radiomicnet_md.radiomics.definition_tables.measure import NO_SPACING, Group, Measure
from radiomicnet_md.radiomics.definition_tables.ngtdm import NGTDM
from radiomicnet_md.radiomics.definition_tables.shape import SHAPE_2D, SHAPE_3D

__all__ = ["GROUPS", "NEEDS_SPACING", "SHAPE", "TEXTURE", "Group", "Measure", "names"]

_TEXTURE = (FIRST_ORDER, GLCM, GLRLM, GLSZM, GLDM, NGTDM)

GROUPS: tuple[Group, ...] = (*_TEXTURE, SHAPE_2D, SHAPE_3D)
TEXTURE: dict[str, Measure] = {name: measure for group in _TEXTURE for name, measure in group.measures.items()}
SHAPE: dict[int, dict[str, Measure]] = {2: dict(SHAPE_2D.measures), 3: dict(SHAPE_3D.measures)}

# Values that need the size of a pixel. Sphericity and elongation have no unit, but pixels that are not
# square change them, and 1 mm is never assumed.
NEEDS_SPACING: frozenset[str] = frozenset(
    name for group in GROUPS for name, measure in group.measures.items() if NO_SPACING in measure.undefined
)


def names(dimensions: int) -> dict[str, Measure]:
    """All values of a region in 2-D (102) or 3-D (107)."""
    return TEXTURE | SHAPE[dimensions]

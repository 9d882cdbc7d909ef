# SPDX-License-Identifier: Apache-2.0
"""What a report says, as codes, numbers and sentences; where the codes are ours, under our own designator.

Rules of this module:

- Plain values: what they mean is decided above, how they are written below.
- A number has a unit of UCUM (unitsofmeasure.org). What only counts or grades is of unit 1, its name in braces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

SCHEME = "99RNMD"  # designator of this project's own codes (PS3.16, 8.2: local ones begin with 99)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept (PS3.3, 8.8): value of at most 16 characters, meaning of at most 64."""

    value: str
    meaning: str
    scheme: str = SCHEME


@cache
def ibsi() -> dict[str, Code]:
    """IBSI's codes that DICOM knows, by value, with the meaning that DICOM gives them (PS3.16)."""
    from pydicom.sr.codedict import codes

    found = (getattr(codes.IBSI, keyword) for keyword in codes.IBSI.dir())
    return {code.value: Code(code.value, code.meaning, "IBSI") for code in found}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A named number with its unit (UCUM code and what it means)."""

    name: Code
    value: float  # a count is an int
    unit: tuple[str, str] = ("1", "no units")


@dataclass(frozen=True, slots=True)
class Finding:
    """One region: what was measured of it, what is left out and why."""

    quantities: tuple[Quantity, ...]
    left_out: tuple[str, ...]  # sentences


@dataclass(frozen=True, slots=True)
class Findings:
    """One decision, for a report."""

    quantities: tuple[Quantity, ...]  # of the image and of the choice
    statements: tuple[tuple[Code, str], ...]  # of the record
    lesions: tuple[Finding, ...]  # none: no lesion was found


@dataclass(frozen=True, slots=True)
class Maps:
    """Named planes of the half grid."""

    planes: tuple[tuple[Code, NDArray[np.int64]], ...]  # (h2, w2), 2**-LOGIT_BITS
    grid: tuple[int, int]  # (h, w) of the working grid, of which a cell covers two by two pixels

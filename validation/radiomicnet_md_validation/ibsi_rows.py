# SPDX-License-Identifier: Apache-2.0
"""Every row of IBSI's list of reference values has exactly one verdict; none is left out of the count.

Rules of this module:

- "Within tolerance" is IBSI's own comparison: our value rounded to three significant digits, as every value
  behind the list was, may differ by the published tolerance, or not at all where none is published.
- The comparison is decimal; a value on the edge of its tolerance is inside.
- :data:`CAUSES` names each row that is known to be outside, and why. The value with the cause taken away stands
  beside it, so that a cause is a calculation and not an excuse.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path

from radiomicnet_md_validation import ibsi_values
from radiomicnet_md_validation.ibsi_pipeline import CONFIGURATIONS, DIGITAL, Prepared, prepare
from radiomicnet_md_validation.ibsi_values import AGGREGATIONS, Measured

LIST = Path("ibsi", "ibsi_1_reference_values.csv")


class Verdict(StrEnum):
    """What became of a row."""

    WITHIN = "within tolerance"
    OUTSIDE = "outside"
    NOT_DEFINED = "not defined here"
    NOT_COVERED = "aggregation not covered"


class Cause(StrEnum):
    """Why a value is outside."""

    AXES = "PyRadiomics divides the covariance of the voxel centres by n; the reference fits a division by n − 1"
    LEVELS = "N_g is the highest level of the slice; the reference fits the highest level of the whole region"


CAUSES: Mapping[tuple[str, str, str], Cause] = {
    (DIGITAL, "", "shape_MinorAxisLength"): Cause.AXES,
    (DIGITAL, "", "shape_LeastAxisLength"): Cause.AXES,
    ("config. A", "2D, averaged", "glcm_Idn"): Cause.LEVELS,
    ("config. A", "2D, averaged", "glcm_Idmn"): Cause.LEVELS,
    ("config. B", "2D, averaged", "glcm_Idn"): Cause.LEVELS,
    ("config. B", "2D, averaged", "glcm_Idmn"): Cause.LEVELS,
}


@dataclass(frozen=True, slots=True)
class Reference:
    """One row of the list; numbers as they are written there, "" where there is none."""

    family: str
    feature: str
    code: str
    aggregation: str
    data: str
    value: str
    tolerance: str
    consensus: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Row:
    """A reference and what the device makes of it."""

    reference: Reference
    key: str | None  # PyRadiomics' name
    value: float | None
    verdict: Verdict
    plain: bool | None = None  # whether `lesion` with its own levels is within, for textures of a volume
    dense: bool | None = None  # whether the dense maps are within, for grey levels of the digital phantom
    cause: Cause | None = None
    mended: float | None = None  # the value without the cause

    @property
    def as_expected(self) -> bool:
        """Inside and not listed, or outside for a listed cause that is confirmed; the dense maps never outside."""
        if self.dense is False:
            return False
        if self.verdict is not Verdict.OUTSIDE:
            return self.cause is None
        return self.mended is not None and within(self.mended, self.reference)


def read(data: Path) -> list[Reference]:
    """The list, with the markup of its names taken off."""
    with (data / LIST).open(encoding="utf-8", newline="") as file:
        return [
            Reference(
                family=row["family"],
                feature=row["feature"].replace("\\ :sup:`th`", "th"),
                code=row["feature_code"],
                aggregation=row["aggregation"],
                data=row["data"],
                value=row["value"],
                tolerance=row["tolerance"],
                consensus=row["consensus"],
                parameter=row["parameter"],
            )
            for row in csv.DictReader(file)
        ]


def within(value: float, reference: Reference) -> bool:
    """Whether a value agrees with its reference."""
    if not math.isfinite(value):
        return False
    difference = abs(Decimal(f"{value:.2e}") - Decimal(reference.value))
    return difference <= Decimal(reference.tolerance or "0")


def judge(data: Path) -> list[Row]:
    """Every row of the list with its verdict, in the list's order; about ten seconds of one core."""
    references = read(data)
    found: dict[int, Row] = {}
    for name in CONFIGURATIONS:
        prepared = prepare(data, name)
        measured = ibsi_values.measure(prepared)
        chosen = ((place, one) for place, one in enumerate(references) if one.data == name)
        found |= {place: _row(one, prepared, measured) for place, one in chosen}
    return [found[place] for place in range(len(references))]


def _row(reference: Reference, prepared: Prepared, measured: Measured) -> Row:
    key = ibsi_values.key(reference.family, reference.feature, reference.code)
    if key is None:
        return Row(reference, None, None, Verdict.NOT_DEFINED)
    if reference.aggregation not in AGGREGATIONS:
        return Row(reference, key, None, Verdict.NOT_COVERED)
    value = measured.value(reference.family, reference.aggregation, key)
    plain = within(measured.plain[key], reference) if reference.aggregation.startswith("3D") else None
    verdict = Verdict.WITHIN if within(value, reference) else Verdict.OUTSIDE
    window = measured.window_value(reference.aggregation, key)
    dense = None if window is None else within(window, reference)
    cause = CAUSES.get((reference.data, reference.aggregation, key))
    return Row(reference, key, value, verdict, plain, dense, cause, _mend(cause, key, value, prepared))


def _mend(cause: Cause | None, key: str, value: float, prepared: Prepared) -> float | None:
    """The value as it would be without the cause."""
    if cause is Cause.AXES:
        count = int(prepared.morphological.sum())
        return value * math.sqrt(count / (count - 1))
    if cause is Cause.LEVELS:
        return ibsi_values.mean_of_slices(prepared, highest_level=int(prepared.levels.max()))[key]
    return None

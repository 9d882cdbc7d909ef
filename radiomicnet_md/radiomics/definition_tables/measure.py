# SPDX-License-Identifier: Apache-2.0
"""What is said of one value, so that code, tests and the reference page say the same.

Rules of this module:

- Formulas are those of PyRadiomics 3.0.1's code and of the IBSI reference manual (arXiv 1612.07003); where
  these two differ, the formula is PyRadiomics' and no IBSI code is given.
- A reference value is written as it was published, and to as many digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

IBSI = "IBSI digital phantom"
BRAIN = "brain1"
SLICE = "brain1, slice 16"


@dataclass(frozen=True, slots=True)
class Reference:
    """A published value of one region, and how near a measurement must come."""

    value: str
    tolerance: str = ""  # "" where none is published: half a unit of the value's last digit
    source: str = IBSI
    differs: str = ""  # why the definition here does not give it; "" where it does

    def within(self) -> Decimal:
        """The tolerance as a number."""
        if self.tolerance:
            return Decimal(self.tolerance)
        exponent = Decimal(self.value).as_tuple().exponent
        return Decimal(5).scaleb(int(exponent) - 1)


@dataclass(frozen=True, slots=True)
class Case:
    """A region for which a formula divides by nothing: the reason that a lesion gets, the number that a map holds."""

    when: str
    lesion: str  # name of a per_lesion.Reason
    dense: str  # "" for values that have no map


ONE_LEVEL = "one grey level"
EQUAL = "all values equal"
NO_PAIR = Case("no pair", "NO_VALUE", "NaN")
NO_LINE = Case("no two on a line", "NO_VALUE", "NaN")
NO_SPACING = Case("no pixel size", "NO_SPACING", "")


@dataclass(frozen=True, slots=True)
class Measure:
    """IBSI code ("" where there is none), formula, unit, reference and undefined cases of one value."""

    ibsi: str
    formula: str
    unit: str
    reference: Reference
    undefined: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Group:
    """A class of values under one heading, with the symbols of its formulas."""

    title: str
    symbols: str
    measures: Mapping[str, Measure]


def flat(dense: str) -> Case:
    """One grey level in the region; a map then holds ``dense``."""
    return Case(ONE_LEVEL, "FLAT", dense)


def named(prefix: str, measures: Mapping[str, Measure], *always: Case) -> dict[str, Measure]:
    """``<prefix>_<name>`` for each name; ``always`` are undefined cases that all of them share."""
    return {
        f"{prefix}_{name}": replace(measure, undefined=measure.undefined + always) for name, measure in measures.items()
    }

# SPDX-License-Identifier: Apache-2.0
"""How numbers and tables are written: an interval with its limits, what is inconclusive with its reason."""

from __future__ import annotations

from collections.abc import Sequence

from radiomicnet_md_training.results.summary import Errors, Estimate
from radiomicnet_md_validation.statistics import Inconclusive

NOTHING = "–"


def number(value: float, digits: int = 3, *, signed: bool = False) -> str:
    """A number with a true minus sign; ``signed``: a plus sign too."""
    text = f"{value:+.{digits}f}" if signed else f"{value:.{digits}f}"
    return text.replace("-", "−")


def interval(one: Estimate, digits: int = 3, *, signed: bool = False) -> str:
    """``point [low, high]``, or the point and why it has no limits."""
    if isinstance(one, Inconclusive):
        point = "none" if one.point is None else number(one.point, digits, signed=signed)
        return f"{point} (inconclusive: {one.reason})"
    point, low, high = (number(value, digits, signed=signed) for value in (one.point, one.low, one.high))
    return f"{point} [{low}, {high}]"


def errors(one: Errors) -> str:
    """Cases, then groups and their share with its exact limits."""
    return f"{one.wrong} of {one.cases}; groups {one.wrong_groups} of {one.groups}: {interval(one.share)}"


def chance(p: float) -> str:
    """A p value."""
    return "< 0.0001" if p < 0.0001 else f"{p:.4f}"  # noqa: PLR2004 - four places


def table(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table; the first ``texts`` columns hold texts, the others numbers set to the right."""
    rule = ["---" if i < texts else "--:" for i in range(len(header))]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *rows))

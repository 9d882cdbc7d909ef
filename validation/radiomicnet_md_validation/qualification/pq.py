# SPDX-License-Identifier: Apache-2.0
"""Performance qualification: each demand that was fixed beforehand is a check, judged on cases with truth.

Rules of this module:

- What is measured, and how, is that of ``validate``; a qualification adds that it is about this installation.
- A check's verdict is that of its acceptance object: too few cases are INCONCLUSIVE and never a pass.
- The account of the measurement is named by its digest in each check, and so in the signed report.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from radiomicnet_md_validation import acceptance, case_set, metrics, performance, performance_report, statistics
from radiomicnet_md_validation.acceptance import Judged, Objective
from radiomicnet_md_validation.qualification.checks import About, Result, ended
from radiomicnet_md_validation.validating import Measured

FOLDER: Final = "performance"  # below that of the qualification's report
_REQUIREMENTS: Final = ("SRS-PRF-001", "SRS-QUA-008")


def protocol() -> list[About]:
    """The checks, before anything is measured."""
    return [_about(number, one) for number, one in enumerate(acceptance.objectives(), 1)]


def sources() -> list[Path]:
    """The files that say how a check is judged."""
    return [Path(str(module.__file__)) for module in (acceptance, case_set, metrics, performance, statistics)]


def results(found: Measured) -> list[Result]:
    """What a measurement came to, check by check."""
    account = f"{FOLDER}/{performance_report.JSON} {found.files[performance_report.JSON]}"
    judged = enumerate(found.report.judged, 1)
    return [ended(_about(n, one.objective), one.verdict, f"{_actual(one)}; {account}") for n, one in judged]


def _about(number: int, one: Objective) -> About:
    expected = f"{one.estimator} {one.criterion}, of {one.n_required} cases or more"
    return About(f"PQ-{number:03}", _REQUIREMENTS, f"{one.id} {one.title}: {one.statistic}", expected)


def _actual(one: Judged) -> str:
    value = "no value" if one.point is None else f"value {one.point:.4f}"
    return f"{value}, n = {one.n} in {one.groups} groups; {one.why}"

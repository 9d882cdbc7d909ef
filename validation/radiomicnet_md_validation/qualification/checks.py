# SPDX-License-Identifier: Apache-2.0
"""A check of a qualification and how it ended, as plain values that reports and records share.

Rules of this module:

- A verdict is one of four. NOT APPLICABLE has a reason that lies in the site, INCONCLUSIVE one that does not; the
  second never passes.
- Every check names the requirements it is about, so that the matrix leads from a report to a hazard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from radiomicnet_md_audit import canonical

PASS: Final = "PASS"  # noqa: S105 - a verdict
FAIL: Final = "FAIL"
INCONCLUSIVE: Final = "INCONCLUSIVE"
NOT_APPLICABLE: Final = "NOT APPLICABLE"


@dataclass(frozen=True, slots=True)
class About:
    """What a check is for, known before it runs."""

    id: str  # IQ-001, OQ-001
    requirements: tuple[str, ...]
    objective: str
    expected: str


@dataclass(frozen=True, slots=True)
class Result:
    """A check that has ended."""

    id: str
    requirements: tuple[str, ...]
    objective: str
    expected: str
    actual: str
    verdict: str

    def document(self) -> dict[str, Any]:
        """The same as plain values."""
        return {**asdict(self), "requirements": list(self.requirements)}


def ended(about: About, verdict: str, actual: str) -> Result:
    """The result of a check."""
    return Result(about.id, about.requirements, about.objective, about.expected, actual, verdict)


def not_passed(results: Iterable[Result]) -> dict[str, str]:
    """The verdict of every check that did not pass, by its id."""
    return {one.id: one.verdict for one in results if one.verdict != PASS}


def protocol(files: Iterable[Path]) -> str:
    """SHA-256 in hex over the sources of the checks: canonical JSON of {file name: sha256}."""
    digests: Mapping[str, str] = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(files)}
    return hashlib.sha256(canonical.dumps(dict(digests))).hexdigest()

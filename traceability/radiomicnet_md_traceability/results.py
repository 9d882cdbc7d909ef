# SPDX-License-Identifier: Apache-2.0
"""The outcomes of the latest ``make test``, the worst one of each test, and on what they were obtained.

The file (``.results/latest.jsonl``) is written by :mod:`plugin`: a first line about the run and its surroundings, then
one line a test. The parameters of a test are folded: a test passed only if it passed for every parameter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from radiomicnet_md_audit.errors import ConfigurationError
from radiomicnet_md_traceability.environment import FORMAT

LATEST = Path(".results") / "latest.jsonl"
_WORST_FIRST = ("error", "failed", "skipped", "xfailed", "passed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``passed``, ``failed``, ``error``, ``skipped`` or ``xfailed``, the reason, and what was measured."""

    outcome: str
    reason: str
    expected: str = ""
    actual: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()
    source_sha256: str = ""

    @property
    def absent(self) -> bool:
        """Skipped because this machine lacks a part (a program, the real data), not because somebody said so."""
        return self.outcome == "skipped" and self.reason.startswith("absent:")


@dataclass(frozen=True, slots=True)
class Results:
    """When the run started (UTC), its surroundings, and the outcome of each test by node id without parameters."""

    started: str
    outcomes: Mapping[str, Outcome]
    head: Mapping[str, Any] = field(default_factory=dict)


def read(root: Path) -> Results | None:
    """The latest results of the checkout, or None where ``make test`` has not run.

    Raises:
        ConfigurationError: the file is there but is not what the test plugin writes (``E-TRACE-RESULTS``).
    """
    file = root / LATEST
    if not file.is_file():
        return None
    outcomes: dict[str, Outcome] = {}
    try:
        head, *lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines())
        _ = {FORMAT: True}[head["format"]]
        for line in lines:
            nodeid = str(line["nodeid"]).partition("[")[0]
            outcomes[nodeid] = _folded(outcomes.get(nodeid), _outcome(line))
        return Results(str(head["run"]), outcomes, head)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "E-TRACE-RESULTS",
            "The file of test results cannot be read, or another version wrote it.",
            remedy="Run: make test",
        ) from error


def _outcome(line: Mapping[str, Any]) -> Outcome:
    return Outcome(
        str(line["outcome"]),
        str(line["reason"]),
        str(line["expected"]),
        tuple(line["actual"]),
        tuple(line["files"]),
        str(line["source_sha256"]),
    )


def _folded(former: Outcome | None, seen: Outcome) -> Outcome:
    if former is None:
        return seen
    worst = min((seen, former), key=_rank)
    return Outcome(
        worst.outcome,
        worst.reason,
        worst.expected,
        former.actual + seen.actual,
        former.files + seen.files,
        worst.source_sha256,
    )


def _rank(outcome: Outcome) -> tuple[int, bool]:
    return _WORST_FIRST.index(outcome.outcome), outcome.absent

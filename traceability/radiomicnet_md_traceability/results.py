# SPDX-License-Identifier: Apache-2.0
"""The outcomes of the latest ``make test``, the worst one of each test.

The file (``.results/latest.jsonl``) is written by ``tests/conftest.py``: a first line about the run, then one
line a test with ``nodeid``, ``ids``, ``outcome``, ``reason`` and ``seconds``. The parameters of a test are
folded: a test passed only if it passed for every parameter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from radiomicnet_md_audit.errors import ConfigurationError

LATEST = Path(".results") / "latest.jsonl"
_WORST_FIRST = ("failed", "skipped", "passed")


@dataclass(frozen=True, slots=True)
class Outcome:
    """``passed``, ``failed`` or ``skipped``, with the reason of the two latter."""

    outcome: str
    reason: str

    @property
    def absent(self) -> bool:
        """Skipped because this machine lacks a part (a program, the real data), not because somebody said so."""
        return self.outcome == "skipped" and self.reason.startswith("absent:")


@dataclass(frozen=True, slots=True)
class Results:
    """When the run started (UTC) and the outcome of each test by node id without parameters."""

    started: str
    outcomes: Mapping[str, Outcome]


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
        for line in lines:
            nodeid = str(line["nodeid"]).partition("[")[0]
            seen = Outcome(str(line["outcome"]), str(line["reason"]))
            outcomes[nodeid] = min((seen, outcomes.get(nodeid, seen)), key=_rank)
        return Results(str(head["run"]), outcomes)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(
            "E-TRACE-RESULTS", "The file of test results cannot be read.", remedy="Run: make test"
        ) from error


def _rank(outcome: Outcome) -> tuple[int, bool]:
    return _WORST_FIRST.index(outcome.outcome), outcome.absent

# SPDX-License-Identifier: Apache-2.0
"""Whatever dies in a cluster, each case has one record and its own answer."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batching import killing


@pytest.mark.verifies("SRS-BAT-006", "SRS-BAT-001")
def test_no_case_is_lost_or_recorded_twice_when_workers_scheduler_database_and_caller_are_killed(
    tmp_path: Path, require: Callable[[str], Path]
) -> None:
    require("postgresql")
    outcome = killing.campaign(tmp_path, 40, 6, random.Random(2), 4)  # noqa: S311 -- nothing secret
    assert outcome.held(), outcome.table()
    assert outcome.kills.total() == 6
    assert outcome.cases >= 40
